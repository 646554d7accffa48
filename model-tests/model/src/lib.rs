//! The reference model: DTLS as pure step functions, written from the RFCs.
#![forbid(unsafe_code)]

pub mod alphabet;
pub mod beside;
pub mod choices;
pub mod client;
pub mod ending;
pub mod explore;
pub mod guard;
pub mod handshake;
mod inputs;
pub mod machine;
pub mod mode;
mod names;
pub mod network;
pub mod properties;
pub mod record;
pub mod reliability;
pub mod server;
pub mod tables;

pub use alphabet::{Input, Output};
pub use choices::Choices;
pub use explore::{ExplicitMealy, explore};
pub use guard::Guard;
pub use machine::{Machine, Step};
pub use mode::Mode;
pub use names::{UnknownName, outputs_to_string};
