//! What the core needs from cryptography: four small traits over byte slices, and nothing of the protocol.
//!
//! A provider knows AEAD(key, nonce, aad, buffer), a hash with its HMAC, and key agreement on a group. Nonces, headers,
//! labels, transcripts and key schedules stay in the core. Lists are searched by algorithm, so a provider may offer a
//! subset; what is missing is simply not negotiated.

mod aead;
mod hash;
pub(crate) mod hkdf;
mod kx;
mod prf;
mod secret;

pub use aead::{Aead, AeadAlgorithm, AeadKey, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};
pub use hash::{Digest, Hash, HashAlgorithm, HashContext, HmacKey, MAX_DIGEST_LEN};
pub use kx::{KeyShare, KxGroup, KxGroupId, SharedSecret};
pub use prf::Prf;
pub use secret::Secret;

pub(crate) use aead::{KeyBox, MaskBox, key_box, mask_box};
pub(crate) use hash::{HmacBox, hmac_box};
pub(crate) use kx::{ShareBox, share_box};
pub(crate) use secret::ct_eq;

/// A cryptographic operation failed. It carries no reason on purpose: callers must not be able to tell failures apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CryptoError;

/// A set of algorithm implementations. Fields are public so that one can be replaced:
/// `Provider { aeads: MY_AEADS, ..dtls_crypto::PROVIDER }`.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "built with functional update by providers outside this crate")]
pub struct Provider {
    /// AEADs, in no particular order.
    pub aeads: &'static [&'static dyn Aead],
    /// Hash functions with their HMAC.
    pub hashes: &'static [&'static dyn Hash],
    /// Key agreement groups.
    pub groups: &'static [&'static dyn KxGroup],
}

impl core::fmt::Debug for Provider {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Provider")
            .field("aeads", &self.aeads.len())
            .field("hashes", &self.hashes.len())
            .field("groups", &self.groups.len())
            .finish()
    }
}

impl Provider {
    /// The implementation of `algorithm`, if this provider has one.
    pub fn aead(&self, algorithm: AeadAlgorithm) -> Option<&'static dyn Aead> {
        self.aeads.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The implementation of `algorithm`, if this provider has one.
    pub fn hash(&self, algorithm: HashAlgorithm) -> Option<&'static dyn Hash> {
        self.hashes.iter().copied().find(|h| h.algorithm() == algorithm)
    }

    /// The implementation of `id`, if this provider has one.
    pub fn group(&self, id: KxGroupId) -> Option<&'static dyn KxGroup> {
        self.groups.iter().copied().find(|g| g.id() == id)
    }
}
