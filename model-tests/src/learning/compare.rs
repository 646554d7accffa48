//! The end under test against the reference model, input by input.

use std::collections::{HashMap, VecDeque};

use reference_model::{
    Machine,
    alphabet::{Input, Output},
    outputs_to_string,
};

use super::Sul;

/// A word whose last input the end answers otherwise than the model.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Difference {
    /// The whole word.
    pub word: Vec<Input>,
    /// What the model answers to its last input.
    pub model: Vec<Output>,
    /// What the end answers.
    pub end: Vec<Output>,
    /// The model's state of the handshake before it.
    pub state: String,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { word, model, end, state } = self;
        let [model, end] = [model, end].map(|outputs| outputs_to_string(outputs));
        let word: Vec<_> = word.iter().map(ToString::to_string).collect();
        write!(f, "[{}] in {state}: model {model}, end {end}", word.join(" "))
    }
}

/// The first difference in a word, if there is one.
pub fn difference_in(start: &Sul, model: &Machine, word: &[Input]) -> Option<Difference> {
    let (mut sul, mut model) = (start.clone(), model.clone());
    word.iter().enumerate().find_map(|(at, input)| compare(&mut sul, &mut model, &word[..at], *input))
}

/// Every input of an alphabet in every state of the model that can be reached without a difference, and if `deep` every input
/// after that: all differences, each with a shortest word, those of the same kind only once.
pub fn differences(start: &Sul, model: &Machine, alphabet: &[Input], deep: bool) -> Vec<Difference> {
    let mut found: HashMap<_, Difference> = HashMap::new();
    let mut note = |difference: Difference| {
        let Difference { word, model, end, state } = &difference;
        let kind = (state.clone(), word.last().copied(), model.clone(), end.clone());
        found.entry(kind).or_insert(difference);
    };
    let mut known: HashMap<Machine, ()> = HashMap::from([(model.clone(), ())]);
    let mut queue = VecDeque::from([(start.clone(), model.clone(), Vec::new())]);
    let mut edges = Vec::new();
    while let Some((sul, model, word)) = queue.pop_front() {
        for input in alphabet {
            let (mut sul, mut model) = (sul.clone(), model.clone());
            if let Some(difference) = compare(&mut sul, &mut model, &word, *input) {
                note(difference);
                continue;
            }
            let word = [&word[..], &[*input]].concat();
            match known.insert(model.clone(), ()) {
                None => queue.push_back((sul, model, word)),
                Some(()) if deep => edges.push((sul, model, word)),
                Some(()) => {}
            }
        }
    }
    for (sul, model, word) in edges {
        for input in alphabet {
            if let Some(difference) = compare(&mut sul.clone(), &mut model.clone(), &word, *input) {
                note(difference);
            }
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|difference| (difference.word.len(), difference.to_string()));
    found
}

/// Steps both.
fn compare(sul: &mut Sul, model: &mut Machine, before: &[Input], input: Input) -> Option<Difference> {
    let state = format!("{:?}", model.control());
    let (model, end) = (model.step(input), sul.step(input));
    let word = || [before, &[input]].concat();
    (model != end).then(|| Difference { word: word(), model, end, state })
}
