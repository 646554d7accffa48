//! Where counterexamples come from.

use core::{fmt, hash::Hash};

use crate::{Contradiction, Mealy, Observed, Suite, System, Tails, Word};

/// What is believed of a system.
pub type Hypothesis<S> = Mealy<<S as System>::Input, <S as System>::Output>;

/// A word that a system answers otherwise than a hypothesis, if one was found.
pub type Search<S> = Result<Option<Word>, Contradiction<<S as System>::Output>>;

/// Looks for a word that a system answers otherwise than a hypothesis.
pub trait Equivalence<S: System> {
    /// Such a word, or nothing if none was found.
    ///
    /// # Errors
    /// If the system answers the same word in two ways.
    fn counterexample(&mut self, observed: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S>;
}

/// The system is known: the answer is exact, and costs the system nothing.
#[derive(Clone, Copy, Debug)]
pub struct Perfect<'m, I, O>(pub &'m Mealy<I, O>);

/// The W or Wp method on the hypothesis: exact if the system has at most `extra` states more than the hypothesis.
#[derive(Clone, Copy, Debug)]
pub struct OfHypothesis {
    /// How many states more than the hypothesis the system may have.
    pub extra: usize,
    /// Which of the two.
    pub tails: Tails,
}

/// The suite of a reference machine, whatever the hypothesis: exact if the hypothesis ends up equivalent to the
/// reference and the system has at most so many states more; and a system that differs from the reference within that
/// bound never passes for it.
#[derive(Clone, Debug)]
pub struct Guided<I, O> {
    suites: Vec<Suite<I, O>>,
}

/// Words known beforehand.
#[derive(Clone, Debug)]
pub struct Stored<I, O>(Suite<I, O>);

/// Ways to states of the hypothesis, random inputs, words that tell states apart; from a seed.
#[derive(Clone, Debug)]
pub struct RandomWp {
    state: u64,
    words: usize,
    /// One in so many random words ends at each input.
    length: u64,
}

/// One after the other, until one finds something.
pub struct Chain<'c, S>(pub Vec<Box<dyn Equivalence<S> + 'c>>);

impl<I: Clone + Eq, O: Clone + Eq + Hash> Guided<I, O> {
    /// With so many states more than the reference.
    #[must_use]
    pub fn new(reference: &Mealy<I, O>, extra: usize, tails: Tails) -> Self {
        // The small suite first: most errors of a hypothesis are found by it.
        let suites = (0..=extra).map(|extra| Suite::new(reference, extra, tails)).collect();
        Self { suites }
    }
}

impl<I: Clone + Eq, O: Clone + Eq + Hash> Stored<I, O> {
    /// These words, in the order of their inputs.
    #[must_use]
    pub fn new(words: &[Word]) -> Self {
        Self(Suite::of_words(words))
    }
}

impl RandomWp {
    /// So many words, with about `length` random inputs each.
    #[must_use]
    pub fn new(seed: u64, words: usize, length: u64) -> Self {
        Self { state: seed, words, length: length.max(1) }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    fn pick<'w>(&mut self, words: &'w [Word]) -> &'w [usize] {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(at).map_or(&[], Vec::as_slice)
    }
}

impl<S: System> Equivalence<S> for Perfect<'_, S::Input, S::Output>
where
    S::Input: Clone + Eq,
{
    fn counterexample(&mut self, _: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S> {
        Ok(self.0.difference(hypothesis))
    }
}

impl<S: System> Equivalence<S> for OfHypothesis
where
    S::Input: Clone + Eq,
{
    fn counterexample(&mut self, observed: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S> {
        Suite::new(hypothesis, self.extra, self.tails).run(observed, hypothesis)
    }
}

impl<S: System> Equivalence<S> for Guided<S::Input, S::Output>
where
    S::Input: Clone + Eq,
{
    fn counterexample(&mut self, observed: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S> {
        for suite in &self.suites {
            if let Some(word) = suite.run(observed, hypothesis)? {
                return Ok(Some(word));
            }
        }
        Ok(None)
    }
}

impl<S: System> Equivalence<S> for Stored<S::Input, S::Output>
where
    S::Input: Clone + Eq,
{
    fn counterexample(&mut self, observed: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S> {
        self.0.run(observed, hypothesis)
    }
}

impl<S: System> Equivalence<S> for RandomWp
where
    S::Input: Clone + Eq,
{
    fn counterexample(&mut self, observed: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S> {
        let cover = hypothesis.state_cover();
        let set = crate::Separation::of(hypothesis).characterising_set();
        let inputs = hypothesis.inputs().len() as u64;
        let mut words = Vec::with_capacity(self.words);
        for _ in 0..self.words {
            let mut word = self.pick(&cover).to_vec();
            loop {
                word.push(usize::try_from(self.below(inputs)).unwrap_or(0));
                if self.below(self.length) == 0 {
                    break;
                }
            }
            word.extend_from_slice(self.pick(&set));
            words.push(word);
        }
        Suite::of_words(&words).run(observed, hypothesis)
    }
}

impl<S: System> Equivalence<S> for Chain<'_, S> {
    fn counterexample(&mut self, observed: &mut Observed<'_, S>, hypothesis: &Hypothesis<S>) -> Search<S> {
        for oracle in &mut self.0 {
            if let Some(word) = oracle.counterexample(observed, hypothesis)? {
                return Ok(Some(word));
            }
        }
        Ok(None)
    }
}

impl<S> fmt::Debug for Chain<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain of {}", self.0.len())
    }
}
