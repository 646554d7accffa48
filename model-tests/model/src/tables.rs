//! A machine as text for people, and as a graph for Graphviz.

use core::fmt::Write as _;
use std::collections::{BTreeMap, HashSet};

use crate::alphabet::{Event, Input, Output};
use crate::explore::{ExplicitMealy, explore};
use crate::machine::Machine;
use crate::mode::Mode;
use crate::names::outputs_to_string;
use crate::network::{self, Pairing};

/// The table of a mode. A line `outputs -> state: inputs` for all inputs that lead to the same; what is not listed
/// does nothing.
#[must_use]
pub fn text(mode: Mode, machine: &ExplicitMealy) -> String {
    let mut text = String::new();
    let (states, inputs) = (machine.states(), machine.inputs.len());
    // Writing to a String can't fail.
    let _ = writeln!(text, "{mode}: {states} states, {inputs} inputs, {} transitions", machine.transitions());
    let _ = writeln!(text, "({} states before equal ones were merged)", machine.explored);
    let access = machine.access();
    for (state, ((name, word), row)) in machine.names.iter().zip(access).zip(grouped(machine)).enumerate() {
        let word = if word.is_empty() { "(start)".to_owned() } else { joined(&word, " ") };
        let _ = writeln!(text, "\n{state} {name}\n  by {word}");
        for ((next, outputs), inputs) in row {
            if next != state || !outputs.is_empty() {
                let _ =
                    writeln!(text, "  {} -> {next}: {}", outputs_to_string(&outputs), joined(&inputs, ", "));
            }
        }
    }
    text
}

/// The graph of a mode: what leads to its end by an error or an alert is left out, and so is what does nothing.
#[must_use]
pub fn dot(mode: Mode, machine: &ExplicitMealy) -> String {
    let mut text = format!("digraph \"{mode}\" {{\n  node [shape=box];\n");
    for (state, name) in machine.names.iter().enumerate() {
        let _ = writeln!(text, "  {state} [label=\"{state} {}\"];", name.replace('"', ""));
    }
    for (state, row) in grouped(machine).into_iter().enumerate() {
        for ((next, outputs), inputs) in row {
            let ends = [Event::Failed, Event::FatalAlert, Event::ClosedByPeer]
                .map(Output::Event)
                .iter()
                .any(|end| outputs.contains(end));
            if !ends && (next != state || !outputs.is_empty()) {
                let label = format!("{}\\n/ {}", joined(&inputs, "\\n"), outputs_to_string(&outputs));
                let _ = writeln!(text, "  {state} -> {next} [label=\"{label}\"];");
            }
        }
    }
    text.push_str("}\n");
    text
}

/// How many states and transitions there are, of each end and of each pair of ends.
#[must_use]
pub fn counts() -> String {
    let mut text = String::from("mode: inputs, explored states, states, transitions\n");
    for mode in Mode::all() {
        let machine = explore(mode);
        let (inputs, states) = (machine.inputs.len(), machine.states());
        let _ = writeln!(text, "{mode}: {inputs}, {}, {states}, {}", machine.explored, machine.transitions());
    }
    text.push_str("\npair: states, transitions, rounds of timers after everything was lost\n");
    for pairing in Pairing::all() {
        let report = network::explore(pairing);
        let _ = writeln!(text, "{pairing}: {}, {}, {}", report.states, report.transitions, report.rounds);
    }
    text
}

/// Every requirement that a transition cites, with the shortest trace to one that does.
#[must_use]
pub fn requirements() -> String {
    let mut found: BTreeMap<&'static str, (Mode, Vec<Input>)> = BTreeMap::new();
    for mode in Mode::all() {
        let mut queue = vec![(Machine::new(mode), Vec::new())];
        let mut seen: HashSet<Machine> = queue.iter().map(|(machine, _)| machine.clone()).collect();
        let mut at = 0;
        while let Some((machine, word)) = queue.get(at).cloned() {
            for input in mode.alphabet() {
                let mut machine = machine.clone();
                let longer: Vec<Input> = word.iter().copied().chain([input]).collect();
                for rule in machine.advance(input).rules {
                    let shortest = found.entry(rule).or_insert_with(|| (mode, longer.clone()));
                    if longer.len() < shortest.1.len() {
                        *shortest = (mode, longer.clone());
                    }
                }
                if seen.insert(machine.clone()) {
                    queue.push((machine, longer));
                }
            }
            at += 1;
        }
    }
    found.iter().map(|(rule, (mode, word))| format!("{rule}\t{mode}\t{}\n", joined(word, " "))).collect()
}

/// The effect of inputs, and the inputs that have it.
type Row = BTreeMap<(usize, Vec<Output>), Vec<Input>>;

fn grouped(machine: &ExplicitMealy) -> Vec<Row> {
    let rows = machine.next.iter().zip(&machine.outputs);
    rows.map(|(next, outputs)| {
        let mut row = Row::new();
        for (input, effect) in machine.inputs.iter().zip(next.iter().copied().zip(outputs.iter().cloned())) {
            row.entry(effect).or_default().push(*input);
        }
        row
    })
    .collect()
}

fn joined(inputs: &[Input], between: &str) -> String {
    inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}
