//! Hash functions and the one HMAC trait on which every key schedule stands.

use alloc::boxed::Box;

/// Longest digest of any [`HashAlgorithm`], in bytes.
pub const MAX_DIGEST_LEN: usize = 48;

/// The hash functions the core can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256 (32-byte digest).
    Sha256,
    /// SHA-384 (48-byte digest).
    Sha384,
}

impl HashAlgorithm {
    /// Digest length in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// A digest or an HMAC tag: up to [`MAX_DIGEST_LEN`] bytes, zeroised when dropped because PRF outputs pass through it.
#[derive(Clone)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub struct Digest {
    bytes: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl Digest {
    /// Copies `bytes`; anything beyond [`MAX_DIGEST_LEN`] bytes is cut off.
    pub fn new(bytes: &[u8]) -> Self {
        let mut digest = Self { bytes: [0; MAX_DIGEST_LEN], len: bytes.len().min(MAX_DIGEST_LEN) };
        for (to, from) in digest.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        digest
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.bytes);
    }
}

impl core::fmt::Debug for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}

/// A hash function and its HMAC (RFC 2104).
pub trait Hash: Send + Sync {
    /// Which hash this is.
    fn algorithm(&self) -> HashAlgorithm;

    /// Starts hashing an empty message.
    fn start(&self) -> Box<dyn HashContext>;

    /// Prepares an HMAC key of any length.
    fn hmac(&self, key: &[u8]) -> Box<dyn HmacKey>;
}

/// A hash in progress.
pub trait HashContext: Send + Sync {
    /// Appends `data` to the message.
    fn update(&mut self, data: &[u8]);

    /// The digest of what was appended so far; the context goes on unchanged.
    fn current(&self) -> Digest;

    /// An independent copy.
    fn fork(&self) -> Box<dyn HashContext>;
}

/// A prepared HMAC key. Must zeroise itself when dropped. Signing does not allocate.
pub trait HmacKey: Send + Sync {
    /// The tag over the concatenation of `parts`.
    fn sign(&self, parts: &[&[u8]]) -> Digest;
}

/// How the core keeps an HMAC key for long: alone in production, shared between clones of a listener under the model feature.
#[cfg(not(feature = "__model"))]
pub(crate) type HmacBox = Box<dyn HmacKey>;
#[cfg(feature = "__model")]
pub(crate) type HmacBox = crate::Arc<dyn HmacKey>;

#[cfg(not(feature = "__model"))]
pub(crate) const fn hmac_box(key: Box<dyn HmacKey>) -> HmacBox {
    key
}
#[cfg(feature = "__model")]
pub(crate) fn hmac_box(key: Box<dyn HmacKey>) -> HmacBox {
    key.into()
}
