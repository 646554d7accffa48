//! How much of the reference model runs have reached.

use std::collections::{HashMap, HashSet};

use reference_model::{Machine, Mode, alphabet::Output};

/// A transition: where from, where to, and what comes of it.
type Edge = (Machine, Machine, Vec<Output>);

/// States and transitions that runs have reached.
#[derive(Debug, Default)]
pub struct Coverage {
    states: HashMap<Mode, HashSet<Machine>>,
    edges: HashMap<Mode, HashSet<Edge>>,
}

/// States and transitions of a mode under every input of its alphabet, not merged.
#[derive(Debug)]
pub struct Reachable {
    states: HashSet<Machine>,
    edges: HashSet<Edge>,
}

impl Coverage {
    /// Takes note of a step.
    pub(super) fn note(&mut self, before: &Machine, after: &Machine, outputs: &[Output]) {
        let (mode, before, after) = (before.mode(), before.without_copy(), after.without_copy());
        let states = self.states.entry(mode).or_default();
        if !states.contains(&after) {
            states.insert(after.clone());
        }
        if !states.contains(&before) {
            states.insert(before.clone());
        }
        let edge = (before, after, outputs.to_vec());
        self.edges.entry(mode).or_default().insert(edge);
    }

    /// Takes over what another one has noted.
    pub fn merge(&mut self, other: Self) {
        for (mode, states) in other.states {
            self.states.entry(mode).or_default().extend(states);
        }
        for (mode, edges) in other.edges {
            self.edges.entry(mode).or_default().extend(edges);
        }
    }

    /// States and transitions of a mode that were reached: how many of those that its alphabet reaches, and how many more that
    /// only two real ends reach.
    pub fn of(&self, mode: Mode, reachable: &Reachable) -> [(usize, usize); 2] {
        let (no_states, no_edges) = (HashSet::new(), HashSet::new());
        let states = self.states.get(&mode).unwrap_or(&no_states);
        let edges = self.edges.get(&mode).unwrap_or(&no_edges);
        let known = states.iter().filter(|state| reachable.states.contains(*state)).count();
        let known_edges = edges.iter().filter(|edge| reachable.edges.contains(*edge)).count();
        [(known, states.len() - known), (known_edges, edges.len() - known_edges)]
    }
}

impl Reachable {
    /// Of a mode.
    pub fn new(mode: Mode) -> Self {
        let inputs = mode.alphabet();
        let start = Machine::new(mode);
        let (mut states, mut edges) = (HashSet::from([start.without_copy()]), HashSet::new());
        let mut seen = HashSet::from([start.clone()]);
        let mut queue = vec![start];
        while let Some(machine) = queue.pop() {
            for input in &inputs {
                let mut next = machine.clone();
                let outputs = next.step(*input);
                states.insert(next.without_copy());
                edges.insert((machine.without_copy(), next.without_copy(), outputs));
                if seen.insert(next.clone()) {
                    queue.push(next);
                }
            }
        }
        Self { states, edges }
    }

    /// How many states, and how many transitions.
    pub fn len(&self) -> [usize; 2] {
        [self.states.len(), self.edges.len()]
    }

    /// Never: there is always a first state.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}
