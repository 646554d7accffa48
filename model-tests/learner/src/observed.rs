//! A system under observation: everything it said is remembered, and what it cost is counted.

use core::fmt;

use crate::{Mealy, System, Word};

/// A system, what it answered so far, and what that cost.
pub struct Observed<'a, S: System> {
    system: &'a S,
    nodes: Vec<Node<S>>,
    pub(crate) counts: Counts,
}

/// What learning cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Words that the learner asked and no memory could answer.
    pub queries: u64,
    /// Inputs in those words.
    pub query_symbols: u64,
    /// Test words of equivalence queries, each with all its outputs compared.
    pub tests: u64,
    /// Inputs in those words.
    pub test_symbols: u64,
    /// Inputs that the system really got; fewer where words share their beginnings.
    pub steps: u64,
    /// How often the system was started.
    pub starts: u64,
    /// How often its state was cloned.
    pub clones: u64,
    /// Tests that were run once more from the start, to see whether clones behave as their originals.
    pub audits: u64,
}

/// The same word was answered in two ways: the system is not deterministic, or its clones are not faithful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction<O> {
    /// Up to and including the input that was answered differently.
    pub word: Word,
    /// What it answered before.
    pub before: O,
    /// What it answers now.
    pub now: O,
}

/// What was answered after one word.
struct Node<S: System> {
    /// Sorted by input: input, answer, node.
    children: Vec<(usize, S::Output, usize)>,
    /// A copy of the system after this word, where longer words will start.
    state: Option<S::State>,
}

impl<'a, S: System> Observed<'a, S> {
    /// Nothing known yet.
    pub fn new(system: &'a S) -> Self {
        let root = Node { children: Vec::new(), state: Some(system.start()) };
        Self { system, nodes: vec![root], counts: Counts { starts: 1, ..Counts::default() } }
    }

    /// What is observed.
    #[must_use]
    pub fn system(&self) -> &'a S {
        self.system
    }

    /// What it cost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the system answers to a word, from memory if it was asked before.
    ///
    /// # Errors
    /// If it answers differently than before.
    pub fn ask(&mut self, word: &[usize]) -> Result<Vec<S::Output>, Contradiction<S::Output>> {
        if let Some(known) = self.known(word) {
            return Ok(known);
        }
        self.counts.queries += 1;
        self.counts.query_symbols += word.len() as u64;
        let (from, state) = self.nearest_copy(word);
        self.record(word, from, state)
    }

    /// Like [`Observed::ask`], but the system is really asked, from its start.
    ///
    /// # Errors
    /// If it answers differently than before.
    pub fn ask_afresh(&mut self, word: &[usize]) -> Result<Vec<S::Output>, Contradiction<S::Output>> {
        self.counts.starts += 1;
        let state = self.system.start();
        self.record(word, 0, state)
    }

    /// Keeps a copy of the system after a word, because many words will begin with it.
    ///
    /// # Errors
    /// If it answers differently than before.
    pub fn keep(&mut self, word: &[usize]) -> Result<(), Contradiction<S::Output>> {
        let (from, mut state) = self.nearest_copy(word);
        let mut node = self.walk(&word[..from]);
        for at in from..word.len() {
            node = self.step(word, at, node, &mut state)?;
        }
        self.nodes[node].state = Some(state);
        Ok(())
    }

    /// A shortest remembered word that a hypothesis answers otherwise.
    pub(crate) fn refutation(&self, hypothesis: &Mealy<S::Input, S::Output>) -> Option<Word>
    where
        S::Input: Clone + Eq,
    {
        // Node, hypothesis state, and where it was entered from.
        let mut queue: Vec<(usize, usize, usize, usize)> = vec![(0, 0, 0, 0)];
        let mut done = 0;
        while let Some(&(node, state, _, _)) = queue.get(done) {
            for (input, answer, child) in &self.nodes[node].children {
                if answer != hypothesis.output(state, *input) {
                    let mut word = vec![*input];
                    let mut at = done;
                    while at > 0 {
                        let (_, _, parent, input) = queue[at];
                        word.push(input);
                        at = parent;
                    }
                    word.reverse();
                    return Some(word);
                }
                queue.push((*child, hypothesis.next(state, *input), done, *input));
            }
            done += 1;
        }
        None
    }

    fn known(&self, word: &[usize]) -> Option<Vec<S::Output>> {
        let mut node = 0;
        let mut answers = Vec::with_capacity(word.len());
        for input in word {
            let (_, answer, child) = self.child(node, *input)?;
            answers.push(answer.clone());
            node = *child;
        }
        Some(answers)
    }

    fn child(&self, node: usize, input: usize) -> Option<&(usize, S::Output, usize)> {
        let children = &self.nodes[node].children;
        children.binary_search_by_key(&input, |child| child.0).ok().and_then(|at| children.get(at))
    }

    /// How much of a word the nearest kept copy has behind it, and a clone of that copy.
    fn nearest_copy(&mut self, word: &[usize]) -> (usize, S::State) {
        let mut node = 0;
        let mut nearest = None;
        for at in 0..=word.len() {
            if let Some(state) = &self.nodes[node].state {
                nearest = Some((at, state));
            }
            let Some((_, _, child)) = word.get(at).and_then(|input| self.child(node, *input)) else { break };
            node = *child;
        }
        let found = nearest.map(|(at, state)| (at, state.clone()));
        self.counts.clones += 1;
        found.unwrap_or_else(|| (0, self.system.start()))
    }

    /// Runs the rest of a word in a copy that has `from` inputs behind it.
    fn record(
        &mut self,
        word: &[usize],
        from: usize,
        mut state: S::State,
    ) -> Result<Vec<S::Output>, Contradiction<S::Output>> {
        let mut node = self.walk(&word[..from]);
        for at in from..word.len() {
            node = self.step(word, at, node, &mut state)?;
        }
        Ok(self.known(word).unwrap_or_default())
    }

    fn walk(&self, word: &[usize]) -> usize {
        word.iter().fold(0, |node, input| self.child(node, *input).map_or(0, |child| child.2))
    }

    /// Puts `word[at]` in, which leads on from `node`; the node after it.
    fn step(
        &mut self,
        word: &[usize],
        at: usize,
        node: usize,
        state: &mut S::State,
    ) -> Result<usize, Contradiction<S::Output>> {
        let input = word[at];
        let now = self.system.step(state, input);
        self.counts.steps += 1;
        let fresh = self.nodes.len();
        let children = &mut self.nodes[node].children;
        match children.binary_search_by_key(&input, |child| child.0) {
            Ok(found) if children[found].1 == now => Ok(children[found].2),
            Ok(found) => {
                Err(Contradiction { word: word[..=at].to_vec(), before: children[found].1.clone(), now })
            }
            Err(place) => {
                children.insert(place, (input, now, fresh));
                self.nodes.push(Node { children: Vec::new(), state: None });
                Ok(fresh)
            }
        }
    }
}

impl<S: System> fmt::Debug for Observed<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("remembered", &self.nodes.len())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Counts {
    /// Test words and queries.
    #[must_use]
    pub fn words(&self) -> u64 {
        self.queries + self.tests
    }
}

impl<O: fmt::Debug> fmt::Display for Contradiction<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the word {:?} was answered with {:?}, and now with {:?}", self.word, self.before, self.now)
    }
}

impl<O: fmt::Debug> core::error::Error for Contradiction<O> {}
