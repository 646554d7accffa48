//! The DTLS 1.2 key schedule: premaster secret, master secret, key block, Finished (RFC 5246 §6.3, §7.4.9, §8.1).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{
    crypto::{AeadAlgorithm, CryptoError, Digest, NONCE_LEN, Prf, Provider, Secret, ct_eq, key_box},
    record::protect::{Aead12, Nonce12, Protection},
};

/// Bytes of verify_data (RFC 5246 §7.4.9).
pub(crate) const VERIFY_DATA_LEN: usize = 12;
/// Bytes of both write keys and both IVs, at most.
const MAX_KEY_BLOCK: usize = 2 * 32 + 2 * NONCE_LEN;

/// Which end writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Role {
    Client,
    Server,
}

/// The random values of both hellos.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Randoms {
    pub(crate) client: [u8; 32],
    pub(crate) server: [u8; 32],
}

/// The premaster secret of PSK suites: other_secret and psk, each with its length (RFC 4279 §2). For plain PSK the other
/// secret is as many zeros as the key has bytes; for ECDHE_PSK it is the shared secret (RFC 5489 §2).
pub(crate) fn psk_premaster(psk: &[u8], shared: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
    let other = shared.map_or(psk.len(), <[u8]>::len);
    let mut out = Zeroizing::new(Vec::with_capacity(other.saturating_add(psk.len()).saturating_add(4)));
    push_u16(&mut out, other);
    match shared {
        Some(secret) => out.extend_from_slice(secret),
        None => {
            let end = out.len().saturating_add(psk.len());
            out.resize(end, 0);
        }
    }
    push_u16(&mut out, psk.len());
    out.extend_from_slice(psk);
    out
}

/// Keys and shared secrets are far shorter than 65,536 bytes: configuration and groups see to it.
fn push_u16(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes());
}

/// The master secret of a session.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct MasterSecret(Secret<48>);

impl MasterSecret {
    /// From the two randoms (RFC 5246 §8.1).
    pub(crate) fn from_randoms(hash: &dyn crate::crypto::Hash, premaster: &[u8], randoms: &Randoms) -> Self {
        Self(Secret::generate(|out| {
            Prf::new(hash, premaster).expand(
                b"master secret",
                [&randoms.client, &randoms.server, &[], &[]],
                out,
            );
        }))
    }

    /// From the transcript up to and including ClientKeyExchange (RFC 7627 §4).
    pub(crate) fn extended(hash: &dyn crate::crypto::Hash, premaster: &[u8], session_hash: &Digest) -> Self {
        Self(Secret::generate(|out| {
            let seed = [session_hash.as_bytes(), &[], &[], &[]];
            Prf::new(hash, premaster).expand(b"extended master secret", seed, out);
        }))
    }

    /// One that is known already.
    #[cfg(feature = "__internals")]
    pub(crate) fn from_bytes(bytes: &[u8; 48]) -> Self {
        Self(Secret::generate(|out| *out = *bytes))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 48] {
        self.0.as_bytes()
    }

    pub(crate) fn prf(&self, hash: &dyn crate::crypto::Hash) -> Prf {
        Prf::new(hash, self.as_bytes())
    }
}

/// What a Finished message of `sender` says over a transcript.
pub(crate) fn verify_data(prf: &Prf, sender: Role, transcript: &Digest) -> [u8; VERIFY_DATA_LEN] {
    let label: &[u8] = match sender {
        Role::Client => b"client finished",
        Role::Server => b"server finished",
    };
    let mut out = [0; VERIFY_DATA_LEN];
    prf.expand(label, [transcript.as_bytes(), &[], &[], &[]], &mut out);
    out
}

/// Whether a received Finished body is the expected one, in constant time.
pub(crate) fn finished_is(expected: &[u8; VERIFY_DATA_LEN], received: &[u8]) -> bool {
    ct_eq(expected, received)
}

/// The protection of both directions.
pub(crate) struct TrafficKeys {
    pub(crate) client_write: Protection,
    pub(crate) server_write: Protection,
}

/// Expands the key block (RFC 5246 §6.3) into the keys of both directions.
///
/// # Errors
/// [`CryptoError`] if the provider lacks the AEAD or refuses the key.
pub(crate) fn traffic_keys(
    provider: &Provider,
    aead: AeadAlgorithm,
    prf: &Prf,
    randoms: &Randoms,
) -> Result<TrafficKeys, CryptoError> {
    let iv_len = iv_len(aead);
    let key_len = aead.key_len();
    let mut block = Zeroizing::new([0u8; MAX_KEY_BLOCK]);
    let total = key_len.saturating_add(iv_len).saturating_mul(2);
    let block = block.get_mut(..total).ok_or(CryptoError)?;
    prf.expand(b"key expansion", [&randoms.server, &randoms.client, &[], &[]], block);
    let (client_key, rest) = block.split_at_checked(key_len).ok_or(CryptoError)?;
    let (server_key, rest) = rest.split_at_checked(key_len).ok_or(CryptoError)?;
    let (client_iv, server_iv) = rest.split_at_checked(iv_len).ok_or(CryptoError)?;
    Ok(TrafficKeys {
        client_write: protection(provider, aead, client_key, client_iv)?,
        server_write: protection(provider, aead, server_key, server_iv)?,
    })
}

/// AES suites take a 4-byte salt out of the key block (RFC 5288 §3, RFC 6655 §3), ChaCha20 a whole IV (RFC 7905 §2).
const fn iv_len(aead: AeadAlgorithm) -> usize {
    match aead {
        AeadAlgorithm::ChaCha20Poly1305 => NONCE_LEN,
        _ => 4,
    }
}

fn protection(
    provider: &Provider,
    aead: AeadAlgorithm,
    key: &[u8],
    iv: &[u8],
) -> Result<Protection, CryptoError> {
    let factory = provider.aead(aead).ok_or(CryptoError)?;
    let nonce = match aead {
        AeadAlgorithm::ChaCha20Poly1305 => Nonce12::Implicit(*iv.first_chunk().ok_or(CryptoError)?),
        _ => Nonce12::Explicit(*iv.first_chunk().ok_or(CryptoError)?),
    };
    Ok(Protection::V12(Aead12 { key: key_box(factory.key(key)?), nonce, tag_len: aead.tag_len() }))
}
