//! The harness that drives two ends of a DTLS conversation, and the tests that need more than one crate.
//!
//! - [`schedule`]: what happens in a run, step by step: text, seeded, shrinkable; shared by every tool
//! - [`mailbox`]: the datagrams under way when a schedule, not a clock, decides what arrives
//!
//! The link in virtual time is the crate `simulated_network`, the provider that panics on misuse `ideal_crypto`.

pub mod mailbox;
pub mod schedule;

pub use simulated_network::{FailingRng, Prng, Side};
