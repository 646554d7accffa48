//! What is explored: two ends, and how much fits into their datagrams.

use core::{fmt, time::Duration};

use dtls_core::{CipherSuite, NamedGroup};
use ideal_crypto::PROVIDER;
use reference_model::mode::Mode;

use super::{Explored, explore};
use crate::{KEY, Recipe, Setup};

/// What deadlines are set to that never come.
const FOR_EVER: Duration = Duration::from_secs(10_000_000);
/// Slots of the listener: there is one client, and it sends no more than two hellos at one time.
const SLOTS: usize = 4;
/// Bytes of a hello.
const LONGEST: usize = 512;

/// Bytes of the identity of a key.
const LONG_NAME: usize = 64;

/// Client and server in one configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "rows of tables")]
pub struct World {
    /// The modes of client and server, by their names.
    pub modes: [&'static str; 2],
    /// What else is special.
    pub with: &'static [With],
    /// Most bytes of a datagram of client and server.
    pub room: [usize; 2],
}

/// What a mode does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums, reason = "for the rows of tables")]
pub enum With {
    /// The client's first key share is of a group that the server does not have.
    Retry,
    /// A suite of DTLS 1.3 whose Finished is longer.
    Sha384,
    /// A key with a longer name, and so longer hellos.
    LongName,
}

impl World {
    /// Follows every run in which the timers of client and server run out at most `timers` times.
    ///
    /// # Panics
    /// As [`explore`].
    #[must_use]
    pub fn explore(&self, timers: [u8; 2]) -> Explored {
        explore(&self.setup(), timers)
    }

    fn setup(&self) -> Setup {
        let modes = self.modes.map(|name| Mode::named(name).expect("a mode of the reference model"));
        let mut recipe = Recipe::for_modes(modes, PROVIDER);
        if self.with.contains(&With::Retry) {
            recipe.groups[0] = vec![NamedGroup::SECP256R1, NamedGroup::X25519];
        }
        if self.with.contains(&With::Sha384) {
            recipe.suites = vec![CipherSuite::TLS_AES_256_GCM_SHA384];
        }
        if self.with.contains(&With::LongName) {
            recipe.identity = vec![b'n'; LONG_NAME];
        }
        // Time goes on with timers alone, and one timeout is like the other.
        recipe.limits.max_rto = recipe.limits.initial_rto;
        recipe.limits.handshake_timeout = FOR_EVER;
        recipe.limits.last_flight_kept = FOR_EVER;
        recipe.listener.cookie_rotation = FOR_EVER;
        (recipe.listener.hello_slots, recipe.listener.hello_bytes) = (SLOTS, LONGEST);
        let psk = modes[1].deferred.then(|| KEY.to_vec());
        Setup { room: self.room, psk, ..recipe.setup() }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [client, server] = self.modes;
        write!(f, "{client}, {server}, {:?}, {:?} bytes", self.with, self.room)
    }
}
