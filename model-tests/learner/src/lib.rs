//! Active learning of Mealy machines, and test suites that find every difference.
//!
//! - [`Mealy`]: an explicit machine: run, minimise, compare, state cover, characterising set; as text and Graphviz
//! - [`System`]: anything that can be started, stepped and cloned; [`Observed`] asks it, remembers and counts
//! - [`learn`]: a discrimination tree (Kearns and Vazirani) with counterexamples analysed as by Rivest and Schapire
//! - [`equivalence`]: where counterexamples come from: a known machine, the W and Wp methods, the suite of a reference
//!   machine, stored words, seeded random words
//! - [`Suite`]: a set of test words, walked as a tree with one clone at each branching: about one step a test
//!
//! Everything is deterministic, nothing reads a clock, and nothing here knows DTLS.

pub mod equivalence;
mod learning;
mod mealy;
mod observed;
mod pattern;
#[cfg(feature = "published")]
pub mod published;
mod separation;
mod suite;
mod system;
mod text;
mod tree;

pub use equivalence::Equivalence;
pub use learning::{Failure, Learned, Outcome, learn};
pub use mealy::{Mealy, TooManyStates, Word};
pub use observed::{Contradiction, Counts, Observed};
pub use pattern::{Finding, Pattern, PatternError, Symbol};
pub use separation::Separation;
pub use suite::{Suite, Tails};
pub use system::System;
pub use text::TextError;
