//! Checks of the model itself: names of rules, reachability, no state in which an end waits for ever.

use std::collections::BTreeSet;

use reference_model::explore::explore_machine;
use reference_model::{Input, Machine, Mode};

#[test]
fn every_cited_requirement_exists() {
    let table = include_str!("../../../vectors/requirements.tsv");
    let known: BTreeSet<&str> = table.lines().filter_map(|line| line.split('\t').next()).collect();
    let mut cited = BTreeSet::new();
    for mode in Mode::all() {
        for_each_state(&Machine::new(mode), |machine| {
            for input in mode.alphabet() {
                cited.extend(machine.clone().advance(input).rules);
            }
        });
    }
    let rows = cited.iter().filter(|rule| !rule.starts_with("RFC "));
    let missing: Vec<_> = rows.clone().filter(|rule| !known.contains(**rule)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    println!("{} requirements and {} sections of RFCs cited", rows.count(), cited.len());
}

#[test]
fn every_transition_that_can_be_seen_has_a_reason() {
    for mode in Mode::all() {
        for_each_state(&Machine::new(mode), |machine| {
            for input in mode.alphabet() {
                let mut next = machine.clone();
                let step = next.advance(input);
                let application = matches!(input, Input::App(_));
                let silent = step.outputs.is_empty() && next.control() == machine.control();
                assert!(
                    silent || application || !step.rules.is_empty(),
                    "{mode}: {:?} {input}",
                    machine.control()
                );
            }
        });
    }
}

fn for_each_state(initial: &Machine, mut visit: impl FnMut(&Machine)) {
    let inputs = initial.mode().alphabet();
    let mut seen = BTreeSet::from([initial.clone()]);
    let mut queue = vec![initial.clone()];
    while let Some(machine) = queue.pop() {
        visit(&machine);
        for input in &inputs {
            let mut next = machine.clone();
            let _ = next.step(*input);
            if seen.insert(next.clone()) {
                queue.push(next);
            }
        }
    }
}

#[test]
fn counts() {
    for mode in Mode::all() {
        let raw = explore_machine(&Machine::new(mode));
        let small = raw.minimised();
        assert_eq!(small.access().len(), small.states());
        println!(
            "{mode}: {} inputs, {} explored, {} states, {} transitions",
            small.inputs.len(),
            raw.states(),
            small.states(),
            small.transitions()
        );
    }
}
