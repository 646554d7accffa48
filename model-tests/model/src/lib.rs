//! The reference model: DTLS as pure step functions, written from the RFCs.
#![forbid(unsafe_code)]

pub mod alphabet;
pub mod mode;
mod names;

pub use names::{UnknownName, outputs_to_string};
