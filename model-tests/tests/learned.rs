//! Each end of each mode is learned, and is the reference model: the same states, the same transitions, the same outputs.
//!
//! The suites of the reference find every difference of ends with at most `LEARN_EXTRA` states more than the reference: 1
//! here. With 2 it takes longer, `LEARN_EXTRA=2 cargo test --release -p model-tests --test learned -- --nocapture`; `LEARN_MODE`
//! names one mode. What was learned is printed as the reference prints itself and must be the committed table in
//! `model/tables`, which is the reviewed snapshot of both.

#![allow(clippy::disallowed_methods, reason = "prints how long it took")]

use std::{fs, path::Path, time::Instant};

use model_tests::{
    learned::{Learned, Reference, differences, summary, table},
    learning::{Learnable, Sul},
    tell,
};
use reference_model::mode::{Mode, Role, Versions};

/// The reference is learned too: what explores it and what learns it agree.
#[test]
fn the_reference_is_learned_as_it_is() {
    for mode in Mode::all() {
        let system = Reference::new(mode);
        let reference = system.explicit();
        let learned = Learned::of(&system, &reference, 0).expect("the model is deterministic");
        assert_eq!(learned.machine, reference, "{mode}");
        assert_eq!(differences(&reference, &learned.machine), []);
        check_table(mode, &learned);
    }
}

#[test]
fn clients_of_dtls12_are_the_reference() {
    learn_all(|mode| mode.role == Role::Client && mode.versions == Versions::V12);
}

#[test]
fn clients_of_dtls13_are_the_reference() {
    learn_all(|mode| mode.role == Role::Client && mode.versions == Versions::V13);
}

#[test]
fn clients_of_both_versions_are_the_reference() {
    learn_all(|mode| mode.role == Role::Client && mode.versions == Versions::Both);
}

#[test]
fn servers_of_dtls12_are_the_reference() {
    learn_all(|mode| mode.role == Role::Server && mode.versions == Versions::V12);
}

#[test]
fn servers_of_dtls13_are_the_reference() {
    learn_all(|mode| mode.role == Role::Server && mode.versions == Versions::V13);
}

#[test]
fn servers_of_both_versions_are_the_reference() {
    learn_all(|mode| mode.role == Role::Server && mode.versions == Versions::Both);
}

fn learn_all(which: impl Fn(&Mode) -> bool) {
    let extra = std::env::var("LEARN_EXTRA").map_or(1, |extra| extra.parse().expect("a number of states"));
    let only = std::env::var("LEARN_MODE").ok();
    let wanted = |mode: &Mode| which(mode) && only.as_ref().is_none_or(|name| *name == mode.to_string());
    let mut wrong = String::new();
    for mode in Mode::all().into_iter().filter(wanted) {
        let reference = Reference::new(mode).explicit();
        let system = Learnable::new(Sul::new(mode));
        let began = Instant::now();
        let learned =
            Learned::of(&system, &reference, extra).unwrap_or_else(|failure| panic!("{mode}: {failure}"));
        let (took, counts) = (began.elapsed().as_secs_f64(), learned.counts);
        tell!(
            "{mode}: {} states, {} transitions, {} queries, {} tests, {} steps, {:.0} tests/s",
            learned.machine.states(),
            learned.machine.transitions(),
            counts.queries,
            counts.tests,
            counts.steps,
            counts.words() as f64 / took,
        );
        let found = differences(&reference, &learned.machine);
        if found.is_empty() {
            assert_eq!(learned.machine, reference, "{mode}");
            check_table(mode, &learned);
        } else {
            wrong += &format!("{mode}: {} differences\n{}", found.len(), summary(&found));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn check_table(mode: Mode, learned: &Learned) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("model/tables/{mode}.txt"));
    let committed = fs::read_to_string(file).expect("the model's table is there");
    assert!(table(mode, &learned.machine) == committed, "{mode}: not the committed table");
}
