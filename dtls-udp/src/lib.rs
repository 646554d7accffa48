//! DTLS over UDP sockets of the operating system, blocking.
//!
//! [`Client`] is one connection to one server; [`Server`] serves many peers on one socket and reports [`ServerEvent`]s.
//! Both need no thread of their own: retransmission happens while the caller waits in a call. [`SystemRng`] and [`Clock`]
//! are what they take randomness and time from, for use with other drivers too.
//!
//! Knows sockets, the clock and the random source; knows nothing of the protocol beyond the API of [`dtls_core`].
#![forbid(unsafe_code)]

mod client;
mod clock;
mod error;
mod peers;
mod rng;
mod server;
mod socket;

pub use client::Client;
pub use clock::Clock;
pub use error::Error;
pub use peers::ServerLimits;
pub use rng::SystemRng;
pub use server::{Observer, Server, ServerEvent};
