//! Machines as text and as Graphviz.

use core::{fmt, fmt::Write as _, hash::Hash};
use std::collections::{BTreeMap, HashMap};

use crate::Mealy;

/// A line that is not a transition, or a machine that is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// Not `state -- input / output -> state`; lines are counted from 1.
    Line(usize),
    /// Some state has not exactly one transition for each input that occurs.
    Incomplete {
        /// The state.
        state: String,
        /// The input.
        input: String,
    },
    /// There is no transition at all.
    Empty,
}

impl<I: Clone + Eq + fmt::Display, O: Clone + Eq + Hash + fmt::Display> Mealy<I, O> {
    /// A line per transition, `s0 -- input / output -> s1`; the first line's state is the initial one.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for state in 0..self.states() {
            for (number, input) in self.inputs().iter().enumerate() {
                let (next, output) = (self.next(state, number), self.output(state, number));
                let _ = writeln!(text, "s{state} -- {input} / {output} -> s{next}");
            }
        }
        text
    }

    /// For `dot`: an edge for each pair of states, with its transitions as label, a line each. Transitions for which
    /// `hidden(state, input)` holds are left out.
    #[must_use]
    pub fn to_graphviz(&self, name: &str, hidden: impl Fn(usize, usize) -> bool) -> String {
        let mut text = format!("digraph \"{name}\" {{\n    start [shape=none label=\"\"]\n    start -> s0\n");
        for state in 0..self.states() {
            let _ = writeln!(text, "    s{state} [shape=circle]");
            let mut edges: BTreeMap<usize, Vec<String>> = BTreeMap::new();
            for (number, input) in self.inputs().iter().enumerate() {
                if !hidden(state, number) {
                    let label = format!("{input} / {}", self.output(state, number));
                    edges.entry(self.next(state, number)).or_default().push(label);
                }
            }
            for (next, labels) in edges {
                let _ = writeln!(text, "    s{state} -> s{next} [label=\"\\\n{}\"]", lines(&labels));
            }
        }
        text.push_str("}\n");
        text
    }
}

impl Mealy<String, String> {
    /// From [`Mealy::to_text`]. The alphabet is in the order in which inputs occur.
    ///
    /// # Errors
    /// If it isn't a complete, deterministic machine in that form.
    pub fn from_text(text: &str) -> Result<Self, TextError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut transitions = Vec::new();
        for (number, line) in lines {
            transitions.push(transition(line).ok_or(TextError::Line(number + 1))?);
        }
        Self::from_transitions(transitions)
    }

    /// From state, input, output and next state; the first one's state is the initial one, the alphabet is in the order
    /// in which inputs occur.
    ///
    /// # Errors
    /// If a state has not exactly one transition for each input.
    pub fn from_transitions<'t>(
        transitions: impl IntoIterator<Item = [&'t str; 4]>,
    ) -> Result<Self, TextError> {
        let (mut states, mut inputs): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        let mut cells: HashMap<(&str, &str), (&str, &str)> = HashMap::new();
        let note = |list: &mut Vec<&'t str>, name| {
            if !list.contains(&name) {
                list.push(name);
            }
        };
        for [state, input, output, next] in transitions {
            note(&mut states, state);
            note(&mut states, next);
            note(&mut inputs, input);
            if cells.insert((state, input), (output, next)).is_some() {
                return Err(TextError::Incomplete { state: state.into(), input: input.into() });
            }
        }
        if states.is_empty() {
            return Err(TextError::Empty);
        }
        let cell = |state: &str, input: &str| {
            let missing = || TextError::Incomplete { state: state.into(), input: input.into() };
            let (output, next) = cells.get(&(state, input)).ok_or_else(missing)?;
            let next = states.iter().position(|name| name == next).ok_or_else(missing)?;
            Ok((next, (*output).to_owned()))
        };
        let row = |state: &&str| inputs.iter().map(|input| cell(state, input)).collect();
        let rows = states.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(inputs.iter().map(|input| (*input).to_owned()).collect(), rows))
    }
}

fn transition(line: &str) -> Option<[&str; 4]> {
    let (state, rest) = line.trim().split_once(" -- ")?;
    let (rest, next) = rest.rsplit_once(" -> ")?;
    let (input, output) = rest.split_once(" / ")?;
    Some([state, input, output, next])
}

/// A label with a line per transition, in a source with a line per transition too, so that changes show.
fn lines(labels: &[String]) -> String {
    let escaped = labels.iter().map(|label| label.replace('\\', "\\\\").replace('"', "\\\""));
    escaped.map(|label| format!("{label}\\l\\\n")).collect()
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line} is not `state -- input / output -> state`"),
            Self::Incomplete { state, input } => {
                write!(f, "state {state} has not exactly one transition for {input}")
            }
            Self::Empty => f.write_str("no transitions"),
        }
    }
}

impl core::error::Error for TextError {}
