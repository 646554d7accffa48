//! A [`Provider`] for tests: symbolic, fast, deterministic, without any security, and an oracle of its own use.
//!
//! Tags, digests and keystreams come from a small non-cryptographic mixer, key agreement from exponentiation modulo
//! 2^61 - 1. What the real thing guarantees against an honest-but-broken network holds here too: a changed bit anywhere
//! in nonce, associated data, ciphertext, tag or key makes `open` fail, and public keys have their real lengths.
//!
//! It panics, through a [`World`] of everything done so far, when
//! - a (key, nonce) pair seals twice, whatever the content: retransmissions take fresh nonces too;
//! - one key handle both seals and opens, or two handles seal under the same key, which is what happens when the keys
//!   of the two directions are mixed up;
//! - an ephemeral share agrees with two different peers;
//! - data is said to be released ([`World::assert_released`]) that no successful `open` produced.
//!
//! A failed `open` overwrites the buffer with [`POISON`], so plaintext used before its tag was checked is visible.
//!
//! # Limits
//! Nothing here resists an attacker: never link it into anything that talks to strangers. Keys are not zeroised. Two
//! ends of one implementation agree here on wrong labels, nonces or transcripts as happily as on right ones; only
//! independent vectors pin those.

mod aead;
mod agreement;
mod hash;
mod mixer;
mod world;

pub use aead::{IdealAead, POISON};
pub use agreement::IdealGroup;
pub use hash::IdealHash;
pub use world::World;

use dtls_core::crypto::{AeadAlgorithm, HashAlgorithm, KxGroupId, Provider};

/// Every algorithm the core can ask for, in its ideal form.
pub static PROVIDER: Provider = Provider {
    aeads: &[
        &IdealAead::new(AeadAlgorithm::Aes128Gcm),
        &IdealAead::new(AeadAlgorithm::Aes256Gcm),
        &IdealAead::new(AeadAlgorithm::Aes128Ccm),
        &IdealAead::new(AeadAlgorithm::Aes256Ccm),
        &IdealAead::new(AeadAlgorithm::Aes128Ccm8),
        &IdealAead::new(AeadAlgorithm::Aes256Ccm8),
        &IdealAead::new(AeadAlgorithm::ChaCha20Poly1305),
    ],
    hashes: &[&IdealHash::new(HashAlgorithm::Sha256), &IdealHash::new(HashAlgorithm::Sha384)],
    groups: &[&IdealGroup::new(KxGroupId::Secp256r1), &IdealGroup::new(KxGroupId::X25519)],
};
