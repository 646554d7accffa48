//! Pre-shared keys and how DTLS 1.3 uses them.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{crypto::HashAlgorithm, error::ConfigError, schedule::v13::PskOrigin};

/// Longest pre-shared key, in bytes. RFC 4279 §5.3 asks for at least 64.
pub const MAX_PSK_LEN: usize = 256;

/// A pre-shared key with its identity.
#[derive(Clone)]
pub struct Psk {
    pub(crate) identity: Vec<u8>,
    pub(crate) key: Zeroizing<Vec<u8>>,
    /// The hash of DTLS 1.3 suites it may be used with.
    pub(crate) hash: HashAlgorithm,
    pub(crate) origin: PskOrigin,
}

/// How DTLS 1.3 combines a pre-shared key with an ephemeral key exchange (RFC 8446 §4.2.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum PskMode {
    /// `psk_ke`: the pre-shared key alone. Cheapest, but whoever learns the key later can read what was recorded.
    PskOnly,
    /// `psk_dhe_ke`: with an ephemeral key exchange, for forward secrecy.
    PskDhe,
}

impl PskMode {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::PskOnly => 0,
            Self::PskDhe => 1,
        }
    }
}

impl Psk {
    /// A key of 1 to 256 bytes. In DTLS 1.3 it is used with SHA-256 suites, as keys whose hash nobody defined are
    /// (RFC 8446 §4.2.11).
    pub fn new(identity: &[u8], key: &[u8]) -> Self {
        Self {
            identity: identity.to_vec(),
            key: Zeroizing::new(key.to_vec()),
            hash: HashAlgorithm::Sha256,
            origin: PskOrigin::External,
        }
    }

    /// Uses the key with DTLS 1.3 suites of another hash, on which both sides have agreed.
    #[must_use]
    pub const fn hash(mut self, hash: HashAlgorithm) -> Self {
        self.hash = hash;
        self
    }

    pub(crate) fn check(&self, max_identity: usize) -> Result<(), ConfigError> {
        check_key(&self.key)?;
        if self.identity.len() > max_identity {
            return Err(ConfigError::IdentityTooLong);
        }
        Ok(())
    }
}

fn check_key(key: &[u8]) -> Result<(), ConfigError> {
    match key.len() {
        0 => Err(ConfigError::PskEmpty),
        1..=MAX_PSK_LEN => Ok(()),
        _ => Err(ConfigError::PskTooLong),
    }
}

impl core::fmt::Debug for Psk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Psk({} bytes of identity)", self.identity.len())
    }
}
