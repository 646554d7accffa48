//! Learns every mode of both ends in process, and prints what was learned, what it cost and how fast it went.
//!
//! `cargo run --release -p model-tests --features model --example learn -- [name of a mode | all] [extra states]`

#![allow(clippy::disallowed_methods, reason = "an example that measures time")]

use std::time::Instant;

use learner::{
    Mealy, Observed, Suite, Tails,
    equivalence::{Chain, OfHypothesis, RandomWp},
    learn,
};
use model_tests::learning::{Learnable, Sul};
use reference_model::{
    alphabet::{Input, Output},
    mode::Mode,
};

const MAX_STATES: usize = 500;
const RANDOM_WORDS: usize = 20_000;

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
    let system = Learnable::new(Sul::new(mode));
    let began = Instant::now();
    let mut observed = Observed::new(&system);
    // Random words find most states, the Wp method the rest.
    let mut equivalence = Chain(vec![
        Box::new(RandomWp::new(1, RANDOM_WORDS, 10)),
        Box::new(OfHypothesis { extra, tails: Tails::Identifying }),
    ]);
    let machine: Mealy<Input, Vec<Output>> = match learn(&mut observed, &mut equivalence, MAX_STATES) {
        Ok(learned) => {
            let took = began.elapsed().as_secs_f64();
            let counts = learned.counts;
            println!(
                "{mode}: {} states, {} inputs, {} hypotheses, {} queries, {} tests, {} steps in {took:.2} s: {:.0} tests/s",
                learned.machine.states(),
                learned.machine.inputs().len(),
                learned.hypotheses,
                counts.queries,
                counts.tests,
                counts.steps,
                counts.words() as f64 / took
            );
            learned.machine
        }
        Err(failure) => {
            println!("{mode}: {failure:?}");
            return;
        }
    };
    let began = Instant::now();
    let mut observed = Observed::new(&system);
    let found = Suite::new(&machine, extra + 1, Tails::All).run(&mut observed, &machine);
    let (took, counts) = (began.elapsed().as_secs_f64(), observed.counts());
    println!(
        "    W suite with {} extra states: {} tests, {} steps, {} clones in {took:.2} s: {:.0} tests/s, {:.0} steps/s; {}",
        extra + 1,
        counts.tests,
        counts.steps,
        counts.clones,
        counts.tests as f64 / took,
        counts.steps as f64 / took,
        if found == Ok(None) { "no difference" } else { "a difference" }
    );
    if let Ok(Some(word)) = found {
        for input in &word {
            println!("        {}", machine.inputs()[*input]);
        }
    }
}
