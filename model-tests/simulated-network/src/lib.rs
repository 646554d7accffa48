//! A link between a client and a server that loses, duplicates, delays and reorders datagrams, in virtual time.
//!
//! All of it follows from one seed: the same seed and the same sends give the same arrivals. [`Faults`] says how bad a
//! direction is at random; a [`Plan`] says what happens to chosen datagrams, for tests that enumerate. Everything ever
//! sent is kept in [`Network::sent`] so that it can be replayed.
//!
//! The link knows nothing of DTLS except [`Novelty`], which tells first transmissions from retransmissions by the
//! record headers. It must not know keys or connections.

mod faults;
mod network;
mod novelty;
mod random;

pub use faults::{Faults, Plan};
pub use network::{Arrival, Fate, Network, Sent};
pub use novelty::Novelty;
pub use random::{FailingRng, Prng};

/// One end of the link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a link has two ends")]
pub enum Side {
    /// The end that starts the handshake.
    Client,
    /// The end that answers.
    Server,
}

impl Side {
    /// Both ends.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl core::fmt::Display for Side {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}
