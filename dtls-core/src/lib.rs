//! The DTLS protocol as a pure state machine: bytes, time and randomness in; datagrams, deadlines, events and plaintext out.
//!
//! `no_std` with `alloc`, no unsafe code, no cryptography, no I/O, no clock, no random source. Implemented so far: DTLS 1.2
//! (RFC 6347) and DTLS 1.3 (RFC 9147 as corrected by rfc9147bis) with pre-shared keys (RFC 4279, RFC 5489, RFC 8446, imported
//! by RFC 9258), one ClientHello for both, stateless cookies for both, and everything a datagram network does to them.
//!
//! # Using it
//! A [`ClientConfig`] or [`ServerConfig`] is built once and shared; how the peer is authenticated must be chosen before
//! `build` exists. A client is [`Connection::client`]. A server asks a [`Listener`] about every datagram from an address
//! without a connection, and makes a [`Connection::server`] when it says so. After any input: [`Connection::poll_transmit`]
//! until `None`, [`Connection::poll_event`] until `None`, then [`Connection::poll_timeout`]. An [`Endpoint`] does all this for
//! many peers behind one socket, with the same calls.
//!
//! ```no_run
//! # fn run(provider: dtls_core::crypto::Provider, rng: &mut dyn dtls_core::Rng) -> Result<(), Box<dyn std::error::Error>> {
//! # let (now, receive, send) = (dtls_core::Instant::START, |_: &mut [u8]| 0usize, |_: &[u8]| ());
//! use dtls_core::{ClientConfig, Connection, Event};
//!
//! let config = ClientConfig::builder(provider).psk(b"sensor-1", &[0x5a; 16]).build()?;
//! let mut connection = Connection::client(config, now, rng)?;
//! let mut buffer = [0; 1500];
//! loop {
//!     while let Some(datagram) = connection.poll_transmit(now, &mut buffer) {
//!         send(datagram);
//!     }
//!     while let Some(event) = connection.poll_event() {
//!         if event == Event::Connected {
//!             let len = connection.send(b"21.5 degrees", &mut buffer)?;
//!             send(&buffer[..len]);
//!         }
//!     }
//!     // Wait for a datagram, at most until connection.poll_timeout().
//!     let len = receive(&mut buffer);
//!     connection.handle_timeout(now)?;
//!     let mut incoming = connection.handle_datagram(now, rng, &mut buffer[..len]);
//!     while let Some(data) = incoming.next_data()? {
//!         println!("{:?}", data.bytes);
//!     }
//! }
//! # }
//! ```
//!
//! # One datagram in
//! ```text
//! Connection::handle_datagram ─▶ Incoming::next_data, record by record
//!   1 wire::record::split_first     the first record of what is left, or noise: the rest is dropped
//!   2 RecordLayer::open             epoch ▸ replay check ▸ authentication ▸ window moved; or noise, and nothing has changed
//!   3 by content type
//!       application data            handed out in place, a slice of the caller's datagram
//!       handshake                   Inbox: fragments to whole messages, in order
//!       ChangeCipherSpec            a flag that lets keys be used which the handshake has made
//!       alert                       honoured or counted
//!       ACK                         Outbox: what need not be sent again (DTLS 1.3)
//!   4 State::on_message             for every whole message, before the next record is opened
//! ```
//! Step 4 comes before the next record so that a flight and the keys it leads to may share a datagram.
//!
//! # One datagram out
//! ```text
//! Connection::poll_transmit
//!   1 due ACK                       which records of the peer's flight were taken in (DTLS 1.3)
//!   2 Outbox::fill                  from the cursor on: cut a fragment to the room left, seal it in place, next
//!   3 pending alert                 after the flight
//!   4 flight written?               arm the retransmission timer, or keep the flight for a peer that missed it
//! ```
//! Nothing encrypted is queued: a retransmission rewinds the cursor and skips what was acknowledged, and a smaller MTU needs no
//! special code.
//!
//! # Who owns what
//! ```text
//! Connection ── config            shared, immutable
//!            ├─ RecordLayer       traffic keys, record numbers, replay windows: all of them, nowhere else
//!            ├─ State             one type per state, with exactly what it needs: secrets, transcript, offered values
//!            ├─ Handshake         Inbox, Outbox, timers, back-off; one allocation, freed when the handshake is over
//!            ├─ events, alerts    bounded
//!            └─ stats, trace      no influence on anything
//! ```
//!
//! # What each part must not know
//! | module | knows | must not know |
//! |---|---|---|
//! | `wire` | shapes of records and messages | state, keys, what may arrive when |
//! | `record` | epochs, record numbers, keys | messages, flights, timers, the version of the connection |
//! | `flow` | messages, fragments, flights, deadlines | keys, versions, what a message means |
//! | `crypto` | the traits a provider implements, and the PRF over them | the protocol |
//! | `schedule` | secrets, labels, transcripts | records, flights, timers |
//! | `handshake` | whole messages in order | records, fragments, datagrams, timers |
//! | `endpoint` | addresses, hellos, cookies, connections as a whole | session keys |
//! | `connection` | all of the above, as wiring | any rule of the protocol |
//!
//! A DTLS version is how an epoch protects records (`record::protect`) and which messages a handshake exchanges
//! (`handshake::{client,server}`, `schedule`). Everything between those two ends asks the epoch, never the connection. Epochs
//! are objects with their own keys, numbers and window; a flight says when it is sent again (by timer until it is answered,
//! until it is acknowledged, or on demand); missing and unacknowledged byte ranges are one type.
//!
//! # Three kinds of failure
//! [`Discard`] is noise: counted in [`Stats`], traced, without any other effect. [`Error`] is fatal, sticky, and maps to one
//! alert or none. [`ConfigError`], [`SendError`] and [`ApiMisuse`] refuse the caller's own input and leave everything as it was.
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
#[cfg(feature = "__internals")]
pub mod internals;
mod psk;
mod rand;
mod record;
mod schedule;
mod stats;
mod time;
mod trace;
mod wire;

pub use alert::{AlertDescription, AlertLevel};
pub use config::{
    ClientConfig, ClientPsk, ClientWantsAuth, ConfigBuilder, KeyLog, Limits, ListenerLimits, MIN_MTU,
    ServerConfig, ServerPsk, ServerWantsAuth,
};
#[cfg(feature = "__model")]
pub use connection::StateKind;
pub use connection::{ApplicationData, Connection, Incoming};
pub use endpoint::{
    address::{Address, AddressBytes, MAX_ADDRESS_LEN},
    arena::ConnectionHandle,
    cookie::COOKIE_SECRET_LEN,
    demux::{ConnectError, Endpoint, PeerEvent, Routed},
    limits::{EndpointLimits, EndpointStats},
    listener::{Accepted, Listener, Verdict},
};
pub use error::{
    ApiMisuse, ConfigError, DecodeError, Discard, Error, PeerIncompatible, PeerMisbehaved, SendError,
};
pub use event::{CloseReason, Event, Negotiated, PeerIdentity};
pub use flow::acks::AckPolicy;
pub use handshake::suites::all_suites;
pub use psk::{MAX_PSK_LEN, Psk, PskMode};
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
