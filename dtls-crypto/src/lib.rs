//! The RustCrypto provider of [`dtls_core::crypto`]'s traits.
//!
//! Knows authenticated encryption over byte slices, hashes with their HMAC, and key agreement. Must not know what the
//! bytes mean: nonces, additional data, labels and transcripts are the caller's.
//!
//! No `std`, no unsafe code of its own, no random source of its own; keys zeroise themselves when dropped, and neither
//! encrypting, decrypting nor signing allocates.
//!
//! # Usage
//! [`PROVIDER`] has everything:
//!
//! ```
//! use dtls_core::crypto::AeadAlgorithm;
//!
//! let aead = dtls_crypto::PROVIDER.aead(AeadAlgorithm::Aes128Ccm8).unwrap();
//! let key = aead.key(&[7; 16]).unwrap();
//! let (mut buffer, mut tag) = (*b"21.5 C", [0; 8]);
//! key.seal(&[1; 12], b"header", &mut buffer, &mut tag).unwrap();
//! key.open(&[1; 12], b"header", &mut buffer, &tag).unwrap();
//! assert_eq!(&buffer, b"21.5 C");
//! ```
//!
//! Single algorithms are constants, so that a small device links only what it names:
//!
//! ```
//! use dtls_core::crypto::Provider;
//!
//! const SMALL: Provider =
//!     Provider { aeads: &[dtls_crypto::AES_128_CCM_8], hashes: &[dtls_crypto::SHA_256], groups: &[] };
//! ```
//!
//! # Features
//! - `precomputed-tables`: key shares are made nearly three times as fast, for more memory (off by default, needs `std`).
//! - `self-test`: `self_test::check_provider`, which runs Wycheproof's vectors through the traits of any provider (off
//!   by default, needs `std`).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod aead;
mod aes_ccm;
mod aes_gcm;
mod chacha20_poly1305;
mod p256;
mod poly1305;
#[cfg(feature = "self-test")]
pub mod self_test;
mod sha2;
#[cfg(test)]
mod tests;
mod x25519;

use dtls_core::crypto::Provider;

pub use aes_ccm::{AES_128_CCM, AES_128_CCM_8, AES_256_CCM, AES_256_CCM_8};
pub use aes_gcm::{AES_128_GCM, AES_256_GCM};
pub use chacha20_poly1305::CHACHA20_POLY1305;
pub use p256::SECP256R1;
pub use sha2::{SHA_256, SHA_384};
pub use x25519::X25519;

/// Every algorithm of this crate.
pub const PROVIDER: Provider = Provider {
    aeads: &[
        AES_128_GCM,
        AES_256_GCM,
        AES_128_CCM,
        AES_256_CCM,
        AES_128_CCM_8,
        AES_256_CCM_8,
        CHACHA20_POLY1305,
    ],
    hashes: &[SHA_256, SHA_384],
    groups: &[X25519, SECP256R1],
};
