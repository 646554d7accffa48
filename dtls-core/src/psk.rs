//! Pre-shared keys and how DTLS 1.3 uses them.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{
    config::Settings,
    crypto::{
        HashAlgorithm,
        hkdf::{expand_label, extract},
    },
    error::ConfigError,
    schedule::v13::PskOrigin,
    wire::{codec::encode_to_vec, enums::ProtocolVersion},
};

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
    scope: Scope,
}

/// Which versions a key is for.
#[derive(Clone)]
enum Scope {
    Every,
    Dtls12,
    Dtls13,
    /// To be imported for DTLS 1.3 with this context, and used as it is in DTLS 1.2.
    Import(Vec<u8>),
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
            scope: Scope::Every,
        }
    }

    /// A key of 1 to 256 bytes that DTLS 1.3 imports (RFC 9258): each hash gets a key and an identity of its own, bound to
    /// `context`, which both sides must know and which may name their roles. DTLS 1.2 uses the key as it is.
    pub fn imported(identity: &[u8], key: &[u8], context: &[u8]) -> Self {
        Self { scope: Scope::Import(context.to_vec()), ..Self::new(identity, key) }
    }

    /// Uses the key with DTLS 1.3 suites of another hash, on which both sides have agreed.
    #[must_use]
    pub const fn hash(mut self, hash: HashAlgorithm) -> Self {
        self.hash = hash;
        self
    }

    pub(crate) const fn is_for12(&self) -> bool {
        matches!(self.scope, Scope::Every | Scope::Dtls12)
    }

    /// Whether DTLS 1.3, which has no empty identities (RFC 8446 §4.2.11), may use it.
    pub(crate) const fn is_for13(&self) -> bool {
        matches!(self.scope, Scope::Every | Scope::Dtls13) && !self.identity.is_empty()
    }

    /// Whether DTLS 1.3 may use it with suites of `hash`.
    pub(crate) fn fits_hash13(&self, hash: HashAlgorithm) -> bool {
        self.is_for13() && self.hash == hash
    }

    /// Whether it can be offered with one of the configured DTLS 1.3 suites.
    pub(crate) fn fits13(&self, settings: &Settings) -> bool {
        settings.suites13.iter().any(|s| self.fits_hash13(s.hash))
    }

    /// The keys to use instead of this one: itself, or if it is to be imported, itself for DTLS 1.2 and one for each hash of
    /// the DTLS 1.3 suites.
    pub(crate) fn expand(self, settings: &Settings) -> Result<Vec<Self>, ConfigError> {
        let Scope::Import(context) = &self.scope else { return Ok(Vec::from([self])) };
        let mut keys = Vec::new();
        // An external identity is not empty (RFC 9258 §5.1).
        for suite in settings.suites13.iter().filter(|_| !self.identity.is_empty()) {
            if !keys.iter().any(|k: &Self| k.hash == suite.hash) {
                keys.push(self.import(settings, context, suite.hash)?);
            }
        }
        keys.push(Self { scope: Scope::Dtls12, ..self });
        Ok(keys)
    }

    /// RFC 9258 §5.1, for DTLS 1.3 and the KDF of `target`.
    fn import(
        &self,
        settings: &Settings,
        context: &[u8],
        target: HashAlgorithm,
    ) -> Result<Self, ConfigError> {
        let kdf: u16 = match target {
            HashAlgorithm::Sha256 => 1,
            HashAlgorithm::Sha384 => 2,
        };
        let identity = encode_to_vec(|w| {
            w.nested16(|w| w.bytes(&self.identity))?;
            w.nested16(|w| w.bytes(context))?;
            w.u16(ProtocolVersion::DTLS1_3.0)?;
            w.u16(kdf)
        });
        let identity = identity.map_err(|_| ConfigError::IdentityTooLong)?;
        if identity.len() > usize::from(u16::MAX) {
            return Err(ConfigError::IdentityTooLong);
        }
        // The hash of the external key, not of the target.
        let hash = settings.provider.hash(self.hash).ok_or(ConfigError::ImporterHash)?;
        // Without a salt HMAC takes zeros.
        let secret = extract(hash, &[], &self.key);
        let mut identity_hash = hash.start();
        identity_hash.update(&identity);
        let mut key = Zeroizing::new(alloc::vec![0; target.digest_len()]);
        expand_label(hash, secret.as_bytes(), b"derived psk", identity_hash.current().as_bytes(), &mut key);
        Ok(Self { identity, key, hash: target, origin: PskOrigin::Imported, scope: Scope::Dtls13 })
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
