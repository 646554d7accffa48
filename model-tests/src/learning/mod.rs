//! The system under learning: one real end against the scripted peer, in one process, without a network.
//!
//! - [`Subject`]: the end, with everything it does between two inputs in one place

mod subject;

pub use subject::{Reaction, Subject};
