//! AES in Galois/Counter mode (NIST SP 800-38D), 12-byte nonce, 16-byte tag.

use ::aes_gcm::AesGcm;
use aes::{Aes128Enc, Aes256Enc};
use ccm::aead::consts::U12;
use dtls_core::crypto::{Aead, AeadAlgorithm};

use crate::aead::Factory;

// The `Enc` types hold no decryption key schedule, which counter modes never use.

/// AES-128-GCM.
pub const AES_128_GCM: &dyn Aead =
    &Factory::<AesGcm<Aes128Enc, U12>, Aes128Enc>::new(AeadAlgorithm::Aes128Gcm);
/// AES-256-GCM.
pub const AES_256_GCM: &dyn Aead =
    &Factory::<AesGcm<Aes256Enc, U12>, Aes256Enc>::new(AeadAlgorithm::Aes256Gcm);
