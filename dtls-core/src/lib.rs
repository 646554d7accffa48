//! Sans-IO DTLS (crate documentation follows with the first connection).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alert;
pub mod crypto;
mod error;
mod rand;
mod time;
mod wire;

pub use alert::{AlertDescription, AlertLevel};
pub use error::{
    ApiMisuse, ConfigError, DecodeError, Discard, Error, PeerIncompatible, PeerMisbehaved, SendError,
};
pub use rand::{Rng, RngError};
pub use time::Instant;
pub use wire::enums::{CipherSuite, ContentType, HandshakeType, NamedGroup, ProtocolVersion};

/// Shared ownership; falls back to `portable-atomic-util` on targets without compare-and-swap.
#[cfg(target_has_atomic = "ptr")]
pub use alloc::sync::Arc;
#[cfg(not(target_has_atomic = "ptr"))]
pub use portable_atomic_util::Arc;
