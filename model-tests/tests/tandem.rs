//! Two real ends over a hostile network, each held against the reference model step by step. What is left out, and why, is
//! said in `model_tests::tandem`.
//!
//! `PROPTEST_CASES=5000 cargo test --release -p model-tests --test tandem` runs longer; a schedule that shows a difference goes
//! into `tests/schedules`, where it is replayed for every pair.

use core::cell::RefCell;
use std::path::Path;

use model_tests::{
    schedule::Schedule,
    tandem::{Coverage, Difference, Plan, Reachable, Tandem, random},
    tell,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use reference_model::{Choices, Guard, Mode};

/// So many steps a run has at most, before it is brought to its end.
const STEPS: usize = 60;

/// What came of a run.
#[derive(Default)]
struct Totals {
    coverage: Coverage,
    runs: usize,
    connected: usize,
    held_back: usize,
}

/// One run, to the end.
fn play(plan: &Plan, schedule: &Schedule, totals: &mut Totals) -> Result<(), Difference> {
    let mut tandem = Tandem::new(plan).covering(&mut totals.coverage);
    tandem.play(schedule)?;
    tandem.finish(60)?;
    let (connected, held_back) = (tandem.ends().connected(), tandem.held_back());
    totals.runs += 1;
    totals.connected += usize::from(connected);
    totals.held_back += held_back;
    Ok(())
}

/// Random runs of one plan; the smallest schedule that shows a difference, if any does.
fn explore(plan: &Plan, config: &Config, totals: &RefCell<Totals>) -> Option<String> {
    let strategy = Schedule::strategy_from(0..STEPS, random);
    let found = TestRunner::new(config.clone()).run(&strategy, |schedule| {
        let played = play(plan, &schedule, &mut totals.borrow_mut());
        played.map_err(|difference| TestCaseError::fail(difference.to_string()))
    });
    match found {
        Ok(()) => None,
        Err(TestError::Fail(reason, schedule)) => Some(format!("{plan}: {reason}\n{schedule}")),
        Err(TestError::Abort(reason)) => panic!("{plan}: {reason}"),
    }
}

#[test]
fn two_ends_are_what_the_reference_says() {
    let config = Config { failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let totals = RefCell::new(Totals::default());
    let plans = Plan::all();
    let found: Vec<_> = plans.iter().filter_map(|plan| explore(plan, &config, &totals)).collect();
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    let Totals { coverage, runs, connected, held_back } = totals.into_inner();
    tell!("{runs} runs of {} pairs, {connected} connected, {held_back} records held back", plans.len());
    tell!(
        "reached of the reference: states of those its alphabet reaches (and others), transitions likewise"
    );
    let mut sums = [0; 6];
    for mode in Mode::all() {
        let reachable = Reachable::new(mode);
        let [all_states, all_edges] = reachable.len();
        let [(states, more_states), (edges, more_edges)] = coverage.of(mode, &reachable);
        tell!("{mode}: {states} of {all_states} (+{more_states}), {edges} of {all_edges} (+{more_edges})");
        let counts = [states, all_states, more_states, edges, all_edges, more_edges];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let [states, all_states, more_states, edges, all_edges, more_edges] = sums;
    tell!("all: {states} of {all_states} (+{more_states}), {edges} of {all_edges} (+{more_edges})");
}

/// The schedules that are kept, for every pair.
#[test]
fn kept_schedules_show_no_difference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schedules");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    let plans = Plan::all();
    for file in files {
        let schedule: Schedule = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        for plan in &plans {
            let played = play(plan, &schedule, &mut Totals::default());
            played.unwrap_or_else(|difference| panic!("{}, {plan}: {difference}", file.display()));
        }
    }
}

/// Random runs that tell the ends from the reference of these plans: how many it takes.
fn told_apart(plans: &[Plan], rounds: u32) -> Option<u32> {
    let strategy = Schedule::strategy_from(0..STEPS, random);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut runs = 0;
    for _ in 0..rounds {
        let schedule = strategy.new_tree(&mut runner).unwrap().current();
        for plan in plans {
            runs += 1;
            let mut tandem = Tandem::new(plan);
            if tandem.play(&schedule).and_then(|()| tandem.finish(60)).is_err() {
                return Some(runs);
            }
        }
    }
    None
}

/// Choices and guards of the reference that random runs are sure to notice soon, if they are others. The rest takes more runs, or
/// a peer that breaks the rules with valid keys: `ROUNDS=1000` tries all.
const SOON: &[&str] = &[
    "any_message_repeats",
    "any_protected_message_repeats",
    "outdated_flight_repeats",
    "repeats_second_hello",
    "answers_plaintext_repeats",
    "acks_while_suspended",
    "acks_gaps_at_once",
    "repeats_acks",
    "plaintext_acks: honoured",
    "plaintext_acknowledges",
    "forgets_keys_when_acked",
    "answers_close",
    "closes_in_handshake",
    "answers_when_closed",
    "repeats_close",
    "close_in_handshake",
    "repeats_hurry",
    "server_epoch",
    "CcsInPlace",
    "PlaintextAfterKeys",
    "DataWhenConnected",
    "SealChecked",
    "SeqChecked",
    "CookieAsked",
    "NewestVersion",
    "AckedOmitted",
    "SilentWhenClosed",
    "FlightTimer",
    "LastFlightKept",
    "LastFlightAcked",
    "LastAckRepeated",
    "OrderKept",
];

#[test]
fn another_reference_is_told_apart() {
    let all: Option<u32> = std::env::var("ROUNDS").ok().map(|text| text.parse().unwrap());
    let plans = Plan::all();
    let (mut seen, mut missed) = (0, Vec::new());
    let choices = Choices::alternatives().into_iter().map(|(name, choices)| (name.to_owned(), choices, None));
    let guards = Guard::ALL.iter().map(|guard| (format!("{guard:?}"), Choices::DEFAULT, Some(*guard)));
    for (name, choices, without) in choices.chain(guards) {
        let soon = SOON.contains(&&*name);
        if !soon && all.is_none() {
            continue;
        }
        let other: Vec<_> = plans.iter().map(|plan| plan.with_reference(choices, without)).collect();
        let found = told_apart(&other, all.unwrap_or(100));
        assert!(found.is_some() || !soon, "nobody noticed: {name}");
        match found {
            Some(_) => seen += 1,
            None => missed.push(name),
        }
    }
    tell!("{seen} other references told apart; not noticed: {missed:?}");
    assert!(all.is_some() || seen == SOON.len(), "a name of the list is none");
}
