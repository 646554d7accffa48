//! Learns one end of each mode (or of the mode named) with the suite of the reference model, and prints where they part.
//!
//! `cargo run --release -p model-tests --features model --example against_model -- [name of a mode | all] [extra states]`
//!
//! Differences with the same last input and the same answers to it are one line: how many, and the first word. The exit code
//! is 1 if there are any.

#![allow(clippy::disallowed_methods, reason = "an example that measures time")]

use std::time::Instant;

use model_tests::{
    learned::{Learned, Reference, differences, summary},
    learning::{Learnable, Sul},
};
use reference_model::mode::Mode;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let which = arguments.next().unwrap_or_else(|| "all".to_owned());
    let extra = arguments.next().map_or(0, |extra| extra.parse().expect("a number of extra states"));
    let modes: Vec<_> =
        Mode::all().into_iter().filter(|mode| which == "all" || mode.to_string() == which).collect();
    assert!(!modes.is_empty(), "no mode is called {which}");
    let alike = modes.into_iter().map(|mode| report(mode, extra)).filter(|alike| !alike).count() == 0;
    std::process::exit(i32::from(!alike));
}

/// Whether the end is the reference.
fn report(mode: Mode, extra: usize) -> bool {
    let reference = Reference::new(mode).explicit();
    let system = Learnable::new(Sul::new(mode));
    let began = Instant::now();
    let learned = match Learned::of(&system, &reference, extra) {
        Ok(learned) => learned,
        Err(failure) => {
            println!("{mode}: {failure}");
            return false;
        }
    };
    let took = began.elapsed().as_secs_f64();
    let counts = learned.counts;
    let list = differences(&reference, &learned.machine);
    println!(
        "{mode}: model {} states, learned {} states, {} queries, {} tests, {:.0} tests/s; {} differences",
        reference.states(),
        learned.machine.states(),
        counts.queries,
        counts.tests,
        counts.words() as f64 / took,
        list.len(),
    );
    print!("{}", summary(&list));
    list.is_empty()
}
