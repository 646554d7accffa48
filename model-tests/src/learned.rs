//! An end learned, and held against the reference model.
//!
//! The suite is that of the reference (state cover, then every word of inputs up to a length, then what identifies the
//! state): an end with at most so many states more than the reference either is learned as the reference, or a word is found
//! that tells them apart.

use core::fmt;
use std::collections::{HashMap, HashSet, VecDeque};

use learner::{Counts, Mealy, Observed, System, Tails, equivalence::Guided, learn};
use reference_model::{
    ExplicitMealy, Machine,
    alphabet::{Input, Output},
    mode::Mode,
    outputs_to_string, tables,
};

/// A machine over the inputs and outputs of the reference model.
pub type Explicit = Mealy<Input, Vec<Output>>;

/// States of the reference before they are merged.
const MOST_STATES: usize = 100_000;

/// The reference model of one mode, as a system for the learner.
#[derive(Clone, Debug)]
pub struct Reference {
    start: Machine,
    inputs: Vec<Input>,
}

/// An end that was learned, and what it cost.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Minimal, in canonical numbering.
    pub machine: Explicit,
    /// How many hypotheses there were.
    pub hypotheses: usize,
    /// What it cost.
    pub counts: Counts,
}

/// A shortest word to a state and an input, where two machines part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Every input up to that where they part.
    pub word: Vec<Input>,
    /// What the reference answers to the last one.
    pub reference: Vec<Output>,
    /// What the other one answers.
    pub other: Vec<Output>,
}

impl Reference {
    /// Of a mode, with the default choices.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self { start: Machine::new(mode), inputs: mode.alphabet() }
    }

    /// Its smallest explicit machine.
    ///
    /// # Panics
    /// If it has far more states than any mode so far.
    #[must_use]
    pub fn explicit(&self) -> Explicit {
        Mealy::explore(self, MOST_STATES)
            .expect("a model of this size is one that forgot to be abstract")
            .minimised()
    }
}

impl System for Reference {
    type Input = Input;
    type Output = Vec<Output>;
    type State = Machine;

    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn start(&self) -> Machine {
        self.start.clone()
    }

    fn step(&self, state: &mut Machine, input: usize) -> Vec<Output> {
        state.step(self.inputs[input])
    }
}

impl Learned {
    /// Learns a system with the suite of the reference and so many states more.
    ///
    /// # Errors
    /// With the word, if the system answers the same word in two ways, or has very many more states.
    pub fn of<S>(system: &S, reference: &Explicit, extra: usize) -> Result<Self, String>
    where
        S: System<Input = Input, Output = Vec<Output>>,
    {
        let mut observed = Observed::new(system);
        let mut suite = Guided::new(reference, extra, Tails::Identifying);
        let limit = 10 * reference.states() + 100;
        match learn(&mut observed, &mut suite, limit) {
            Ok(learned) => {
                Ok(Self { machine: learned.machine, hypotheses: learned.hypotheses, counts: learned.counts })
            }
            Err(learner::Failure::NonDeterministic(contradiction)) => Err(format!(
                "not deterministic: {} was answered with {}, and now with {}",
                words(contradiction.word.iter().map(|input| system.inputs()[*input])),
                outputs_to_string(&contradiction.before),
                outputs_to_string(&contradiction.now),
            )),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// Every pair of a state and an input at which two machines part after they agreed until then, each with a shortest word, in
/// the order of the words.
#[must_use]
pub fn differences(reference: &Explicit, other: &Explicit) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut reported = HashSet::new();
    let mut seen = HashSet::from([(0, 0)]);
    let mut queue = VecDeque::from([(0, 0, Vec::new())]);
    while let Some((state, at, word)) = queue.pop_front() {
        for (number, input) in reference.inputs().iter().enumerate() {
            let (expected, answered) = (reference.output(state, number), other.output(at, number));
            let mut longer = word.clone();
            longer.push(*input);
            if expected != answered {
                if reported.insert((state, number, answered.clone())) {
                    let (reference, other) = (expected.clone(), answered.clone());
                    found.push(Difference { word: longer, reference, other });
                }
                continue;
            }
            let next = (reference.next(state, number), other.next(at, number));
            if seen.insert(next) {
                queue.push_back((next.0, next.1, longer));
            }
        }
    }
    found
}

/// Differences with the same last input and the same answers to it in one line each: how many, and the first.
#[must_use]
pub fn summary(differences: &[Difference]) -> String {
    let mut groups: Vec<(&Difference, usize)> = Vec::new();
    let mut known = HashMap::new();
    for difference in differences {
        let key = (difference.word.last(), &difference.reference, &difference.other);
        let group = *known.entry(key).or_insert_with(|| {
            groups.push((difference, 0));
            groups.len() - 1
        });
        groups[group].1 += 1;
    }
    groups.into_iter().map(|(difference, count)| format!("{count:>5}  {difference}\n")).collect()
}

/// A learned machine as the reference model prints its own, with the names of the reference's states.
#[must_use]
pub fn table(mode: Mode, machine: &Explicit) -> String {
    let rows = |cell: &dyn Fn(usize, usize) -> usize| -> Vec<Vec<usize>> {
        let row = |state| (0..machine.inputs().len()).map(|input| cell(state, input)).collect();
        (0..machine.states()).map(row).collect()
    };
    let outputs =
        |state| (0..machine.inputs().len()).map(|input| machine.output(state, input).clone()).collect();
    let explicit = ExplicitMealy {
        inputs: machine.inputs().to_vec(),
        next: rows(&|state, input| machine.next(state, input)),
        outputs: (0..machine.states()).map(outputs).collect(),
        ..reference_model::explore(mode)
    };
    tables::text(mode, &explicit)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reference, other) = (outputs_to_string(&self.reference), outputs_to_string(&self.other));
        write!(f, "{}: the reference answers {reference}, not {other}", words(self.word.iter().copied()))
    }
}

fn words(inputs: impl Iterator<Item = Input>) -> String {
    inputs.map(|input| input.to_string()).collect::<Vec<_>>().join(" ")
}
