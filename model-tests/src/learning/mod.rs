//! The system under learning: one real end against the scripted peer, in one process, without a network.
//!
//! - [`Subject`]: the end, with everything it does between two inputs in one place
//! - [`Sul`]: the end and the peer; takes the inputs of the reference model and gives its outputs
//! - [`Learnable`]: the same as a system for the learner
//!
//! How inputs become records and records become outputs is laid down in [`reference_model::alphabet`]. What it leaves to this
//! side: servers without cookies get their ClientHellos padded to several thousand bytes, so that three times as many as were
//! received are enough for every retransmission of a trace; handshakes have 10^7 seconds, and cookies last as long.

mod compare;
pub(crate) mod listen;
mod speak;
mod subject;
mod sul;

pub use compare::{Difference, difference_in, differences};
pub use subject::{Reaction, Subject};
pub(crate) use sul::recipe;
pub use sul::{Learnable, Sul};
