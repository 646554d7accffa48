//! CoAP (RFC 7252) over DTLS: a small server and a client, for `--app coap` and `coaps://`.
//!
//! [`exchange`] and [`sessions`] are the messaging of the two sides as functions of messages and time, without I/O; [`client`]
//! and [`server`] connect them to sockets. Knows DTLS as sessions that carry messages and have epochs, and nothing more of it.
//!
//! Requests, responses, deduplication, retransmission (RFC 7252 §4) and observation (RFC 7641) are here; block-wise transfer
//! (RFC 7959) is not: a message is one record in one datagram.

pub(crate) mod args;
pub(crate) mod client;
mod exchange;
mod message;
mod recent;
mod resources;
pub(crate) mod server;
mod sessions;
mod target;
mod transmission;

use dtls_core::{Connection, Rng};

pub(crate) use target::is_uri;

/// The port of `coaps` (RFC 7252 §6.2).
pub(crate) const DEFAULT_PORT: u16 = 5684;

/// The epochs of a session at one moment. What belongs together must be of the same session and epoch (RFC 7252 §9.1), in
/// each direction for itself: DTLS 1.3 changes the keys of the two directions independently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Epochs {
    /// That of messages which come in now.
    read: u16,
    /// That of messages which go out now.
    write: u16,
}

impl Epochs {
    const fn of(connection: &Connection) -> Self {
        Self { read: connection.read_epoch(), write: connection.write_epoch() }
    }
}

/// A number that is only there to spread things: nothing secret hangs on it, so a failing source does no harm.
fn random(rng: &mut dyn Rng) -> u16 {
    let mut bytes = [0; 2];
    let _ = rng.try_fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

/// A source of one number, for tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
struct Always(u8);

#[cfg(test)]
impl Rng for Always {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), dtls_core::RngError> {
        out.fill(self.0);
        Ok(())
    }
}
