//! Learns one end of each mode (or of the mode named) with the suite of the reference model, and prints where they part.
//!
//! `cargo run --release -p model-tests --features model --example against_model -- [name of a mode | all] [extra states]`
//!
//! Differences in the last input and the answers to it are one line, with a shortest word and how many words there are.

#![allow(clippy::disallowed_methods, reason = "an example that measures time")]

use std::{collections::HashMap, time::Instant};

use model_tests::{
    learned::{Difference, Learned, Reference, differences},
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
    for mode in modes {
        report(mode, extra);
    }
}

fn report(mode: Mode, extra: usize) {
    let reference = Reference::new(mode).explicit();
    let system = Learnable::new(Sul::new(mode));
    let began = Instant::now();
    let learned = match Learned::of(&system, &reference, extra) {
        Ok(learned) => learned,
        Err(failure) => return println!("{mode}: {failure}"),
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
    let mut groups: Vec<(&Difference, usize)> = Vec::new();
    let mut known = HashMap::new();
    for difference in &list {
        let key = (difference.word.last(), &difference.reference, &difference.other);
        let group = *known.entry(key).or_insert_with(|| {
            groups.push((difference, 0));
            groups.len() - 1
        });
        groups[group].1 += 1;
    }
    for (difference, count) in groups {
        println!("    {count:>3}  {difference}");
    }
}
