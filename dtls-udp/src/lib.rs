//! DTLS over UDP sockets of the operating system: blocking, and with the feature `tokio` for tasks of that runtime.
//!
//! [`Client`] is one connection to one server; [`Server`] serves many peers on one socket and reports [`ServerEvent`]s.
//! Both need no thread of their own: retransmission happens while the caller waits in a call. [`SystemRng`] and [`Clock`]
//! are what they take randomness and time from, for use with other drivers too.
//!
//! ```
//! use dtls_core::{ClientConfig, EndpointLimits, ServerConfig};
//! use dtls_udp::{Client, Server, ServerEvent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ServerConfig::builder(dtls_crypto::PROVIDER)
//!     .psk_table([(&b"sensor-1"[..], &[0x5a; 16][..])])
//!     .build()?;
//! let mut server = Server::bind("127.0.0.1:0", config, EndpointLimits::default())?;
//! let address = server.local_addr()?;
//! std::thread::spawn(move || {
//!     while let Ok(event) = server.next_event(None) {
//!         if let Some(ServerEvent::Data { peer, data, .. }) = event {
//!             let _ = server.send(peer, &data);
//!         }
//!     }
//! });
//!
//! let config = ClientConfig::builder(dtls_crypto::PROVIDER).psk(b"sensor-1", &[0x5a; 16]).build()?;
//! let mut client = Client::connect(address, config)?;
//! client.send(b"21.5 degrees")?;
//! assert_eq!(client.receive(None)?.as_deref(), Some(&b"21.5 degrees"[..]));
//! client.close();
//! # Ok(())
//! # }
//! ```
//!
//! Knows sockets, the clock and the random source; knows nothing of the protocol beyond the API of [`dtls_core`].
#![forbid(unsafe_code)]

mod client;
mod clock;
mod error;
mod hub;
mod rng;
mod server;
mod socket;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use client::Client;
pub use clock::Clock;
pub use error::Error;
pub use hub::{Peer, ServerEvent};
pub use rng::SystemRng;
pub use server::{Observer, Server};
