//! Sans-IO DTLS (crate documentation follows with the first connection).
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alert;
mod config;
mod connection;
pub mod crypto;
mod endpoint;
mod error;
mod event;
mod flow;
mod handshake;
mod rand;
mod record;
mod schedule;
mod stats;
mod time;
mod trace;
mod wire;

pub use alert::{AlertDescription, AlertLevel};
pub use config::{
    ClientConfig, ClientPsk, ClientWantsAuth, ConfigBuilder, KeyLog, Limits, ListenerLimits, MAX_PSK_LEN,
    MIN_MTU, ServerConfig, ServerPsk, ServerWantsAuth,
};
pub use connection::{ApplicationData, Connection, Incoming};
pub use endpoint::{
    cookie::COOKIE_SECRET_LEN,
    listener::{Accepted, Listener, Verdict},
};
pub use error::{
    ApiMisuse, ConfigError, DecodeError, Discard, Error, PeerIncompatible, PeerMisbehaved, SendError,
};
pub use event::{CloseReason, Event, Negotiated, PeerIdentity};
pub use handshake::suites::all_suites;
pub use rand::{Rng, RngError};
pub use record::{number::RecordNumber, protect::Overhead};
pub use stats::Stats;
pub use time::Instant;
pub use trace::{TraceEvent, TraceSink};
pub use wire::enums::{CipherSuite, ContentType, HandshakeType, NamedGroup, ProtocolVersion};

/// Shared ownership; falls back to `portable-atomic-util` on targets without compare-and-swap.
#[cfg(target_has_atomic = "ptr")]
pub use alloc::sync::Arc;
#[cfg(not(target_has_atomic = "ptr"))]
pub use portable_atomic_util::Arc;
