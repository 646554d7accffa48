//! Ephemeral key agreement.

use alloc::{boxed::Box, vec::Vec};

use zeroize::Zeroizing;

use super::CryptoError;
use crate::rand::Rng;

/// The groups the core can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum KxGroupId {
    /// NIST P-256. Public keys are uncompressed points, 65 bytes; the secret is the x coordinate, 32 bytes.
    Secp256r1,
    /// X25519 (RFC 7748). Public keys and secrets have 32 bytes.
    X25519,
}

/// A shared secret, zeroised when dropped.
pub type SharedSecret = Zeroizing<Vec<u8>>;

/// A factory of ephemeral key shares.
pub trait KxGroup: Send + Sync {
    /// Which group this is.
    fn id(&self) -> KxGroupId;

    /// Makes a fresh key pair from `rng`.
    ///
    /// # Errors
    /// [`CryptoError`] if the random source failed or no valid key came out of it.
    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError>;
}

/// An ephemeral key pair. The core uses it for one agreement and drops it; it must zeroise itself then.
pub trait KeyShare: Send + Sync {
    /// The encoded public key to send.
    fn public_key(&self) -> &[u8];

    /// Combines the private key with the peer's encoded public key.
    ///
    /// # Errors
    /// [`CryptoError`] if the peer's key is malformed, not on the curve, or gives an all-zero secret.
    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError>;
}

/// How the core owns a share: alone in production, shared between clones of a connection under the model feature.
#[cfg(not(feature = "__model"))]
pub(crate) type ShareBox = Box<dyn KeyShare>;
#[cfg(feature = "__model")]
pub(crate) type ShareBox = crate::Arc<dyn KeyShare>;

#[cfg(not(feature = "__model"))]
pub(crate) const fn share_box(share: Box<dyn KeyShare>) -> ShareBox {
    share
}
#[cfg(feature = "__model")]
pub(crate) fn share_box(share: Box<dyn KeyShare>) -> ShareBox {
    share.into()
}
