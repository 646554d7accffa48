//! All reachable states of one end, and the smallest Mealy machine with the same behaviour.

use std::collections::{BTreeMap, HashMap};

use crate::alphabet::{Input, Output};
use crate::machine::Machine;
use crate::mode::Mode;

/// A Mealy machine as tables. State 0 is the initial one; states are numbered in the order a breadth-first walk over
/// `inputs` meets them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExplicitMealy {
    /// The alphabet.
    pub inputs: Vec<Input>,
    /// For each state and input: the next state.
    pub next: Vec<Vec<usize>>,
    /// For each state and input: what comes out.
    pub outputs: Vec<Vec<Vec<Output>>>,
    /// For each state: a name for people, of the handshake state it comes from.
    pub names: Vec<String>,
    /// How many states there were before they were merged.
    pub explored: usize,
}

/// The minimised reference of a mode under the default choices.
#[must_use]
pub fn explore(mode: Mode) -> ExplicitMealy {
    explore_machine(&Machine::new(mode)).minimised()
}

/// Every state a machine can reach under its mode's alphabet, not merged.
#[must_use]
pub fn explore_machine(initial: &Machine) -> ExplicitMealy {
    let inputs = initial.mode().alphabet();
    let mut states = vec![initial.clone()];
    let mut numbers = HashMap::from([(initial.clone(), 0)]);
    let (mut next, mut outputs) = (Vec::new(), Vec::new());
    let mut done = 0;
    while let Some(state) = states.get(done).cloned() {
        let (mut row, mut row_outputs) = (Vec::new(), Vec::new());
        for input in &inputs {
            let mut machine = state.clone();
            row_outputs.push(machine.step(*input));
            let number = *numbers.entry(machine.clone()).or_insert(states.len());
            if number == states.len() {
                states.push(machine);
            }
            row.push(number);
        }
        next.push(row);
        outputs.push(row_outputs);
        done += 1;
    }
    let names = states.iter().map(|state| format!("{:?}", state.control())).collect();
    ExplicitMealy { inputs, next, outputs, names, explored: states.len() }
}

impl ExplicitMealy {
    /// How many states.
    #[must_use]
    pub fn states(&self) -> usize {
        self.next.len()
    }

    /// How many transitions.
    #[must_use]
    pub fn transitions(&self) -> usize {
        self.states() * self.inputs.len()
    }

    /// Merges states with the same behaviour (Moore's partition refinement).
    #[must_use]
    pub fn minimised(&self) -> Self {
        let mut class = number(self.outputs.iter());
        loop {
            let signature = |state: usize| {
                let successors = self.row(state).iter().map(|next| at(&class, *next));
                (at(&class, state), successors.collect::<Vec<_>>())
            };
            let refined = number((0..self.states()).map(signature));
            // Refinement only splits: as many classes as before are the same classes.
            if refined.iter().max() == class.iter().max() {
                return self.quotient(&refined);
            }
            class = refined;
        }
    }

    /// One state for each class. A breadth-first walk has numbered the states, so the first of each class keeps the
    /// order.
    fn quotient(&self, class: &[usize]) -> Self {
        let mut first: Vec<usize> = Vec::new();
        for (state, class) in class.iter().enumerate() {
            if *class == first.len() {
                first.push(state);
            }
        }
        let row = |state: &usize| self.row(*state).iter().map(|next| at(class, *next)).collect();
        Self {
            inputs: self.inputs.clone(),
            next: first.iter().map(row).collect(),
            outputs: first.iter().filter_map(|state| self.outputs.get(*state).cloned()).collect(),
            names: first.iter().filter_map(|state| self.names.get(*state).cloned()).collect(),
            explored: self.explored,
        }
    }

    /// For each state, the shortest (then first) word that leads there.
    #[must_use]
    pub fn access(&self) -> Vec<Vec<Input>> {
        let mut words: BTreeMap<usize, Vec<Input>> = BTreeMap::from([(0, Vec::new())]);
        let mut queue = std::collections::VecDeque::from([0]);
        while let Some(state) = queue.pop_front() {
            let word = words.get(&state).cloned().unwrap_or_default();
            for (input, next) in self.inputs.iter().zip(self.row(state)) {
                if !words.contains_key(next) {
                    words.insert(*next, word.iter().copied().chain([*input]).collect());
                    queue.push_back(*next);
                }
            }
        }
        words.into_values().collect()
    }

    fn row(&self, state: usize) -> &[usize] {
        self.next.get(state).map_or(&[], Vec::as_slice)
    }
}

/// Numbers equal things equally, in the order they appear.
fn number<T: core::hash::Hash + Eq>(things: impl Iterator<Item = T>) -> Vec<usize> {
    let mut numbers = HashMap::new();
    things
        .map(|thing| {
            let fresh = numbers.len();
            *numbers.entry(thing).or_insert(fresh)
        })
        .collect()
}

fn at(class: &[usize], state: usize) -> usize {
    class.get(state).copied().unwrap_or(usize::MAX)
}
