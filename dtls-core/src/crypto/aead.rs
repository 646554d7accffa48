//! Authenticated encryption with associated data (RFC 5116), in place, with a detached tag.

use alloc::boxed::Box;

use super::CryptoError;

/// Nonce length in bytes of every AEAD used by DTLS (RFC 5288 §3, RFC 6655 §3, RFC 7905 §2).
pub const NONCE_LEN: usize = 12;

/// Bytes that a mask is made of, and bytes of a mask.
pub const MASK_SAMPLE_LEN: usize = 16;

/// The AEADs the core can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum AeadAlgorithm {
    /// AES-128 in Galois/Counter mode, 16-byte tag.
    Aes128Gcm,
    /// AES-256 in Galois/Counter mode, 16-byte tag.
    Aes256Gcm,
    /// AES-128 in counter with CBC-MAC mode, 16-byte tag, 3-byte length field (RFC 6655).
    Aes128Ccm,
    /// AES-256 in counter with CBC-MAC mode, 16-byte tag, 3-byte length field.
    Aes256Ccm,
    /// AES-128 CCM with an 8-byte tag (RFC 6655).
    Aes128Ccm8,
    /// AES-256 CCM with an 8-byte tag.
    Aes256Ccm8,
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Every algorithm, for tests and self-tests.
    pub const ALL: [Self; 7] = [
        Self::Aes128Gcm,
        Self::Aes256Gcm,
        Self::Aes128Ccm,
        Self::Aes256Ccm,
        Self::Aes128Ccm8,
        Self::Aes256Ccm8,
        Self::ChaCha20Poly1305,
    ];

    /// Key length in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Records that one key may protect, so that an attacker's advantage stays negligible (RFC 9147 §4.5.3, §B).
    pub const fn confidentiality_limit(self) -> u64 {
        match self {
            // 2^24.5 records of full size
            Self::Aes128Gcm | Self::Aes256Gcm => 23_726_566,
            Self::Aes128Ccm | Self::Aes256Ccm | Self::Aes128Ccm8 | Self::Aes256Ccm8 => 1 << 23,
            Self::ChaCha20Poly1305 => 1 << 48,
        }
    }

    /// Records that may fail to authenticate under one key before it must not be used any more (RFC 9147 §4.5.3, §B).
    pub const fn integrity_limit(self) -> u64 {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305 => 1 << 36,
            // 2^23.5
            Self::Aes128Ccm | Self::Aes256Ccm => 11_863_283,
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 1 << 7,
        }
    }

    /// Tag length in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 8,
            _ => 16,
        }
    }
}

/// A factory of keys for one AEAD.
pub trait Aead: Send + Sync {
    /// Which AEAD this is.
    fn algorithm(&self) -> AeadAlgorithm;

    /// Prepares `key`, which has exactly [`AeadAlgorithm::key_len`] bytes.
    ///
    /// # Errors
    /// [`CryptoError`] if the length is wrong.
    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError>;

    /// Prepares a key for masks made with the cipher under this AEAD; as long as an AEAD key.
    ///
    /// # Errors
    /// [`CryptoError`] if the length is wrong.
    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError>;
}

/// A prepared key for masks. Must zeroise itself when dropped. Masking does not allocate.
pub trait MaskKey: Send + Sync {
    /// AES: the sample encrypted as one block. ChaCha20: the first 16 bytes of the keystream whose block counter is the first
    /// four bytes of the sample, little-endian, and whose nonce is the other twelve (RFC 9147 §4.2.3, as in RFC 9001 §5.4).
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN];
}

/// A prepared key. Must zeroise itself when dropped. Neither call allocates.
pub trait AeadKey: Send + Sync {
    /// Encrypts `buffer` in place and writes the tag, whose length is [`AeadAlgorithm::tag_len`], into `tag`.
    ///
    /// # Errors
    /// [`CryptoError`] if `tag` has the wrong length or `buffer` is too long for the AEAD.
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Checks `tag` in constant time and decrypts `buffer` in place.
    ///
    /// # Errors
    /// [`CryptoError`] if the tag does not match; `buffer` then holds no plaintext.
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError>;
}

/// How the core owns a key: alone in production, shared between clones of a connection under the model feature.
#[cfg(not(feature = "__model"))]
pub(crate) type KeyBox = Box<dyn AeadKey>;
#[cfg(feature = "__model")]
pub(crate) type KeyBox = crate::Arc<dyn AeadKey>;

#[cfg(not(feature = "__model"))]
pub(crate) type MaskBox = Box<dyn MaskKey>;
#[cfg(feature = "__model")]
pub(crate) type MaskBox = crate::Arc<dyn MaskKey>;

#[cfg(not(feature = "__model"))]
pub(crate) const fn mask_box(key: Box<dyn MaskKey>) -> MaskBox {
    key
}
#[cfg(feature = "__model")]
pub(crate) fn mask_box(key: Box<dyn MaskKey>) -> MaskBox {
    key.into()
}

#[cfg(not(feature = "__model"))]
pub(crate) const fn key_box(key: Box<dyn AeadKey>) -> KeyBox {
    key
}
#[cfg(feature = "__model")]
pub(crate) fn key_box(key: Box<dyn AeadKey>) -> KeyBox {
    key.into()
}
