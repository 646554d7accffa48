//! Explicit Mealy machines.

use core::{fmt, hash::Hash};
use std::collections::{HashMap, VecDeque};

use crate::{Separation, System};

/// A sequence of inputs, as indices into the alphabet.
pub type Word = Vec<usize>;

/// A complete, deterministic Mealy machine. State 0 is the initial one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mealy<I, O> {
    inputs: Vec<I>,
    /// Each output once, in the order in which transitions name them.
    outputs: Vec<O>,
    /// Next state and output, state by state, input by input.
    transitions: Vec<(usize, usize)>,
}

/// A machine has more states than its explorer was ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyStates(pub usize);

impl<I: Clone + Eq, O: Clone + Eq + Hash> Mealy<I, O> {
    /// From the transitions of each state: `rows[state][input]` is the next state and the output.
    ///
    /// # Panics
    /// If there is no state, a row has not one entry per input, or a state does not exist.
    #[must_use]
    pub fn new(inputs: Vec<I>, rows: Vec<Vec<(usize, O)>>) -> Self {
        assert!(!rows.is_empty(), "a machine has a state");
        let states = rows.len();
        let mut numbers = HashMap::new();
        let mut outputs = Vec::new();
        let mut transitions = Vec::with_capacity(states * inputs.len());
        for row in rows {
            assert_eq!(row.len(), inputs.len(), "one transition per input");
            for (next, output) in row {
                assert!(next < states, "state {next} of {states}");
                let number = *numbers.entry(output.clone()).or_insert_with(|| {
                    outputs.push(output);
                    outputs.len() - 1
                });
                transitions.push((next, number));
            }
        }
        Self { inputs, outputs, transitions }
    }

    /// Every state that a system can get to.
    ///
    /// # Errors
    /// If there are more than `limit` of them.
    pub fn explore<S>(system: &S, limit: usize) -> Result<Self, TooManyStates>
    where
        S: System<Input = I, Output = O>,
        S::State: Eq + Hash,
    {
        let mut numbers = HashMap::from([(system.start(), 0)]);
        let mut states = vec![system.start()];
        let mut rows = Vec::new();
        while let Some(state) = states.get(rows.len()).cloned() {
            let mut row = Vec::with_capacity(system.inputs().len());
            for input in 0..system.inputs().len() {
                let mut next = state.clone();
                let output = system.step(&mut next, input);
                let number = *numbers.entry(next).or_insert_with_key(|next| {
                    states.push(next.clone());
                    states.len() - 1
                });
                row.push((number, output));
            }
            if states.len() > limit {
                return Err(TooManyStates(limit));
            }
            rows.push(row);
        }
        Ok(Self::new(system.inputs().to_vec(), rows))
    }

    /// The alphabet.
    #[must_use]
    pub fn inputs(&self) -> &[I] {
        &self.inputs
    }

    /// The number of an input in the alphabet.
    #[must_use]
    pub fn input_number(&self, input: &I) -> Option<usize> {
        self.inputs.iter().position(|known| known == input)
    }

    /// How many states there are.
    #[must_use]
    pub fn states(&self) -> usize {
        if self.inputs.is_empty() { 1 } else { self.transitions.len() / self.inputs.len() }
    }

    /// How many transitions there are.
    #[must_use]
    pub fn transitions(&self) -> usize {
        self.transitions.len()
    }

    /// The state after one input.
    #[must_use]
    pub fn next(&self, state: usize, input: usize) -> usize {
        self.transitions[state * self.inputs.len() + input].0
    }

    /// What one input brings about.
    #[must_use]
    pub fn output(&self, state: usize, input: usize) -> &O {
        &self.outputs[self.output_number(state, input)]
    }

    /// The state after a word from `state` on.
    #[must_use]
    pub fn after(&self, state: usize, word: &[usize]) -> usize {
        word.iter().fold(state, |state, input| self.next(state, *input))
    }

    /// What a word brings about from `state` on.
    pub fn run<'a>(&'a self, state: usize, word: &'a [usize]) -> impl Iterator<Item = &'a O> + 'a {
        word.iter().scan(state, |state, input| {
            let output = self.output(*state, *input);
            *state = self.next(*state, *input);
            Some(output)
        })
    }

    /// The same machine without states that cannot be reached, numbered in breadth-first order.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let order: Vec<usize> = self.breadth_first().into_iter().map(|(state, _)| state).collect();
        let mut numbers = vec![usize::MAX; self.states()];
        for (number, state) in order.iter().enumerate() {
            numbers[*state] = number;
        }
        let row = |state: usize| {
            let transition = |input| (numbers[self.next(state, input)], self.output(state, input).clone());
            (0..self.inputs.len()).map(transition).collect()
        };
        Self::new(self.inputs.clone(), order.iter().map(|state| row(*state)).collect())
    }

    /// The smallest machine with the same behaviour, in canonical numbering: two machines over the same alphabet
    /// behave alike exactly if their minimised forms are equal.
    #[must_use]
    pub fn minimised(&self) -> Self {
        let reachable = self.canonical();
        let separation = Separation::of(&reachable);
        let mut representative = HashMap::new();
        for state in 0..reachable.states() {
            representative.entry(separation.class(state)).or_insert(state);
        }
        let mut merged = reachable;
        for (next, _) in &mut merged.transitions {
            *next = representative[&separation.class(*next)];
        }
        merged.canonical()
    }

    /// A shortest word for which two machines over the same alphabet behave differently, only in its last output.
    ///
    /// # Panics
    /// If the alphabets differ.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Word> {
        assert!(self.inputs == other.inputs, "machines over different alphabets cannot be compared");
        let mut seen = HashMap::from([((0, 0), None)]);
        let mut queue = VecDeque::from([(0, 0)]);
        while let Some(pair) = queue.pop_front() {
            for input in 0..self.inputs.len() {
                if self.output(pair.0, input) != other.output(pair.1, input) {
                    let mut word = vec![input];
                    let mut at = pair;
                    while let Some((before, input)) = seen[&at] {
                        word.push(input);
                        at = before;
                    }
                    word.reverse();
                    return Some(word);
                }
                let next = (self.next(pair.0, input), other.next(pair.1, input));
                seen.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    Some((pair, input))
                });
            }
        }
        None
    }

    /// A shortest way to each state that can be reached; ways are prefixes of each other wherever they can.
    #[must_use]
    pub fn state_cover(&self) -> Vec<Word> {
        self.breadth_first().into_iter().map(|(_, word)| word).collect()
    }

    /// Each way of the state cover with each input after it.
    #[must_use]
    pub fn transition_cover(&self) -> Vec<Word> {
        let extend = |word: Word| {
            (0..self.inputs.len()).map(move |input| {
                let mut longer = word.clone();
                longer.push(input);
                longer
            })
        };
        self.state_cover().into_iter().flat_map(extend).collect()
    }

    pub(crate) fn output_number(&self, state: usize, input: usize) -> usize {
        self.transitions[state * self.inputs.len() + input].1
    }

    fn breadth_first(&self) -> Vec<(usize, Word)> {
        let mut seen = vec![false; self.states()];
        seen[0] = true;
        let mut order = vec![(0, Word::new())];
        let mut done = 0;
        while let Some((state, word)) = order.get(done).cloned() {
            done += 1;
            for input in 0..self.inputs.len() {
                let next = self.next(state, input);
                if !seen[next] {
                    seen[next] = true;
                    let mut longer = word.clone();
                    longer.push(input);
                    order.push((next, longer));
                }
            }
        }
        order
    }
}

/// A machine is a system: the way to check the learner, and models against models.
impl<I: Clone + Eq, O: Clone + Eq + Hash + fmt::Debug> System for Mealy<I, O> {
    type Input = I;
    type Output = O;
    type State = usize;

    fn inputs(&self) -> &[I] {
        &self.inputs
    }

    fn start(&self) -> usize {
        0
    }

    fn step(&self, state: &mut usize, input: usize) -> O {
        let output = self.output(*state, input).clone();
        *state = self.next(*state, input);
        output
    }
}

impl fmt::Display for TooManyStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} states", self.0)
    }
}

impl core::error::Error for TooManyStates {}
