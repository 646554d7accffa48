//! What can be learned.

use core::{fmt::Debug, hash::Hash};

/// A deterministic machine behind a black box.
pub trait System {
    /// A letter of the alphabet.
    type Input;
    /// What one input brings about.
    type Output: Clone + Eq + Hash + Debug;
    /// Everything that decides what comes next. Clones are walked apart from each other.
    type State: Clone;

    /// The alphabet. Words are sequences of indices into it.
    fn inputs(&self) -> &[Self::Input];

    /// The state before any input.
    fn start(&self) -> Self::State;

    /// Puts input number `input` in.
    fn step(&self, state: &mut Self::State, input: usize) -> Self::Output;
}
