//! Which words tell the states of a machine apart.

use core::hash::Hash;
use std::collections::HashMap;

use crate::{Mealy, Word};

/// The states of a machine in classes that no word of a given length tells apart, for growing lengths (Moore's
/// partition refinement).
#[derive(Clone, Debug)]
pub struct Separation {
    /// `rounds[length][state]`: the class of a state as to words of at most that length. The last round is the limit.
    rounds: Vec<Vec<usize>>,
    next: Vec<Vec<usize>>,
    outputs: Vec<Vec<usize>>,
}

impl Separation {
    /// Of all states of a machine.
    #[must_use]
    pub fn of<I: Clone + Eq, O: Clone + Eq + Hash>(machine: &Mealy<I, O>) -> Self {
        let table = |cell: &dyn Fn(usize, usize) -> usize| -> Vec<Vec<usize>> {
            let row = |state| (0..machine.inputs().len()).map(|input| cell(state, input)).collect();
            (0..machine.states()).map(row).collect()
        };
        let next = table(&|state, input| machine.next(state, input));
        let outputs = table(&|state, input| machine.output_number(state, input));
        let mut rounds = vec![vec![0; machine.states()]];
        let mut classes = 1;
        loop {
            let last = &rounds[rounds.len() - 1];
            let signature = |state: usize| {
                let targets: Vec<usize> = next[state].iter().map(|target| last[*target]).collect();
                (last[state], &outputs[state], targets)
            };
            let mut numbers = HashMap::new();
            let mut round = Vec::with_capacity(last.len());
            for state in 0..machine.states() {
                let fresh = numbers.len();
                round.push(*numbers.entry(signature(state)).or_insert(fresh));
            }
            let found = numbers.len();
            if found == classes {
                return Self { rounds, next, outputs };
            }
            classes = found;
            rounds.push(round);
        }
    }

    /// The class of a state: equal for two states exactly if no word tells them apart.
    #[must_use]
    pub fn class(&self, state: usize) -> usize {
        self.limit()[state]
    }

    /// A shortest word that tells two states apart.
    #[must_use]
    pub fn separating_word(&self, one: usize, other: usize) -> Option<Word> {
        let mut length = self.rounds.iter().position(|round| round[one] != round[other])?;
        let mut word = Word::new();
        let (mut one, mut other) = (one, other);
        while length > 0 {
            let earlier = &self.rounds[length - 1];
            let parts = |input: &usize| {
                self.outputs[one][*input] != self.outputs[other][*input]
                    || earlier[self.next[one][*input]] != earlier[self.next[other][*input]]
            };
            let input = (0..self.next[one].len()).find(parts)?;
            word.push(input);
            if self.outputs[one][input] != self.outputs[other][input] {
                break;
            }
            (one, other) = (self.next[one][input], self.next[other][input]);
            length -= 1;
        }
        Some(word)
    }

    /// Words that together tell all states apart that can be told apart; none of them can be left out.
    #[must_use]
    pub fn characterising_set(&self) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let mut classes = vec![0; self.limit().len()];
        while let Some((one, other)) = self.alike(&classes) {
            let Some(word) = self.separating_word(one, other) else { break };
            classes = self.refine(&classes, &word);
            words.push(word);
        }
        // Early words were chosen without knowing the later ones.
        let complete = classes_of(&classes);
        let mut kept = words.clone();
        for word in &words {
            let fewer: Vec<Word> = kept.iter().filter(|other| *other != word).cloned().collect();
            if self.classes_after(&fewer) == complete {
                kept = fewer;
            }
        }
        kept
    }

    /// A part of `words` that tells `state` apart from each state that `words` tell apart from it.
    #[must_use]
    pub fn identifiers(&self, state: usize, words: &[Word]) -> Vec<Word> {
        let answers: Vec<Vec<usize>> = words.iter().map(|word| self.answers(word)).collect();
        let parted = |word: usize, other: usize| answers[word][state] != answers[word][other];
        let mut open: Vec<usize> = (0..self.limit().len())
            .filter(|other| (0..words.len()).any(|word| parted(word, *other)))
            .collect();
        let mut chosen = Vec::new();
        while !open.is_empty() {
            let gain = |word: &usize| open.iter().filter(|other| parted(*word, **other)).count();
            // The first of the best, so that the choice does not depend on how a maximum is searched.
            let Some(best) = (0..words.len()).rev().max_by_key(gain) else { break };
            open.retain(|other| !parted(best, *other));
            chosen.push(words[best].clone());
        }
        chosen
    }

    fn limit(&self) -> &[usize] {
        &self.rounds[self.rounds.len() - 1]
    }

    /// Two states that should be told apart and are not yet.
    fn alike(&self, classes: &[usize]) -> Option<(usize, usize)> {
        let mut first: HashMap<usize, usize> = HashMap::new();
        for (state, class) in classes.iter().enumerate() {
            let other = *first.entry(*class).or_insert(state);
            if self.class(other) != self.class(state) {
                return Some((other, state));
            }
        }
        None
    }

    fn classes_after(&self, words: &[Word]) -> usize {
        let start = vec![0; self.limit().len()];
        classes_of(&words.iter().fold(start, |classes, word| self.refine(&classes, word)))
    }

    fn refine(&self, classes: &[usize], word: &[usize]) -> Vec<usize> {
        let mut numbers = HashMap::new();
        let answers = self.answers(word);
        let number = |(class, answer): (&usize, usize)| {
            let fresh = numbers.len();
            *numbers.entry((*class, answer)).or_insert(fresh)
        };
        classes.iter().zip(answers).map(number).collect()
    }

    /// For each state a number of what it answers to a word.
    fn answers(&self, word: &[usize]) -> Vec<usize> {
        let mut numbers = HashMap::new();
        let answer = |mut state: usize| {
            let mut outputs = Vec::with_capacity(word.len());
            for input in word {
                outputs.push(self.outputs[state][*input]);
                state = self.next[state][*input];
            }
            let fresh = numbers.len();
            *numbers.entry(outputs).or_insert(fresh)
        };
        (0..self.limit().len()).map(answer).collect()
    }
}

fn classes_of(classes: &[usize]) -> usize {
    classes.iter().max().map_or(0, |last| last + 1)
}
