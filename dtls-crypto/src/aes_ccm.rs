//! AES in counter with CBC-MAC mode (NIST SP 800-38C, RFC 6655 §3), 12-byte nonce and so a 3-byte length field: at most
//! 2^24 - 1 bytes of plaintext.

use aes::{Aes128Enc, Aes256Enc};
use ccm::{
    Ccm,
    aead::consts::{U8, U12, U16},
};
use dtls_core::crypto::{Aead, AeadAlgorithm};

use crate::aead::Factory;

// The `Enc` types hold no decryption key schedule, which counter modes never use.

/// AES-128-CCM with a 16-byte tag.
pub const AES_128_CCM: &dyn Aead =
    &Factory::<Ccm<Aes128Enc, U16, U12>, Aes128Enc>::new(AeadAlgorithm::Aes128Ccm);
/// AES-256-CCM with a 16-byte tag.
pub const AES_256_CCM: &dyn Aead =
    &Factory::<Ccm<Aes256Enc, U16, U12>, Aes256Enc>::new(AeadAlgorithm::Aes256Ccm);
/// AES-128-CCM with an 8-byte tag.
pub const AES_128_CCM_8: &dyn Aead =
    &Factory::<Ccm<Aes128Enc, U8, U12>, Aes128Enc>::new(AeadAlgorithm::Aes128Ccm8);
/// AES-256-CCM with an 8-byte tag.
pub const AES_256_CCM_8: &dyn Aead =
    &Factory::<Ccm<Aes256Enc, U8, U12>, Aes256Enc>::new(AeadAlgorithm::Aes256Ccm8);
