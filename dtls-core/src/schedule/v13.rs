//! The DTLS 1.3 key schedule (RFC 8446 §7.1, RFC 9147 §5.9): each stage is a type, and leads to the next only.
//!
//! ```text
//! Early(psk) ─ binder
//!   └─ Handshake(shared secret) ─ handshake traffic, Finished
//!        └─ Traffic ─ application traffic, exporter
//! ```

use crate::{
    crypto::{
        AeadAlgorithm, CryptoError, Digest, Hash, MAX_DIGEST_LEN, NONCE_LEN, Provider, ct_eq,
        hkdf::{expand_label, extract},
        key_box, mask_box,
    },
    record::{
        protect::Protection,
        protect13::{Aead13, Iv},
    },
};

const ZEROS: [u8; MAX_DIGEST_LEN] = [0; MAX_DIGEST_LEN];

/// A secret as long as the hash, zeroised when dropped.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Secret13(Digest);

/// Where a pre-shared key comes from, which its binder tells apart (RFC 8446 §7.1, RFC 9258 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum PskOrigin {
    External,
    Imported,
}

/// The stage of the pre-shared key.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Early(Secret13);

/// The stage of the handshake.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Handshake13 {
    secret: Secret13,
    pub(crate) client: Secret13,
    pub(crate) server: Secret13,
}

/// The stage of application data.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Traffic {
    pub(crate) client: Secret13,
    pub(crate) server: Secret13,
    pub(crate) exporter: Secret13,
}

impl Secret13 {
    /// One that is known already.
    #[cfg(feature = "__internals")]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(Digest::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Derive-Secret, whose context is a transcript hash.
    fn derive(&self, hash: &dyn Hash, label: &[u8], transcript: &[u8]) -> Self {
        let mut out = zeroize::Zeroizing::new(ZEROS);
        let out = out.get_mut(..hash.algorithm().digest_len()).unwrap_or_default();
        expand_label(hash, self.as_bytes(), label, transcript, out);
        Self(Digest::new(out))
    }

    /// The key of this stage's Finished or binder, applied to a transcript hash (RFC 8446 §4.4.4).
    pub(crate) fn verify_data(&self, hash: &dyn Hash, transcript: &Digest) -> Digest {
        let key = self.derive(hash, b"finished", &[]);
        hash.hmac(key.as_bytes()).sign(&[transcript.as_bytes()])
    }

    /// Whether `received` is that, in constant time.
    pub(crate) fn verifies(&self, hash: &dyn Hash, transcript: &Digest, received: &[u8]) -> bool {
        ct_eq(self.verify_data(hash, transcript).as_bytes(), received)
    }

    /// The protection of an epoch whose traffic secret this is (RFC 8446 §7.3, RFC 9147 §4.2.3).
    ///
    /// # Errors
    /// [`CryptoError`] if the provider lacks the AEAD or refuses the key.
    pub(crate) fn protection(
        &self,
        provider: &Provider,
        hash: &dyn Hash,
        algorithm: AeadAlgorithm,
    ) -> Result<Protection, CryptoError> {
        let aead = provider.aead(algorithm).ok_or(CryptoError)?;
        let mut key = zeroize::Zeroizing::new([0u8; 32]);
        let key = key.get_mut(..algorithm.key_len()).ok_or(CryptoError)?;
        let mut iv = Iv([0; NONCE_LEN]);
        expand_label(hash, self.as_bytes(), b"iv", &[], &mut iv.0);
        expand_label(hash, self.as_bytes(), b"sn", &[], key);
        let mask = mask_box(aead.mask_key(key)?);
        expand_label(hash, self.as_bytes(), b"key", &[], key);
        Ok(Protection::V13(Aead13 { key: key_box(aead.key(key)?), mask, iv, algorithm }))
    }
}

impl Early {
    pub(crate) fn new(hash: &dyn Hash, psk: &[u8]) -> Self {
        Self(Secret13(extract(hash, zeros(hash), psk)))
    }

    /// The key of the binder for this PSK (RFC 8446 §4.2.11.2).
    pub(crate) fn binder(&self, hash: &dyn Hash, origin: PskOrigin) -> Secret13 {
        let label: &[u8] = match origin {
            PskOrigin::External => b"ext binder",
            PskOrigin::Imported => b"imp binder",
        };
        self.0.derive(hash, label, empty(hash).as_bytes())
    }

    /// The next stage, from the shared secret of an ephemeral key agreement, or none, and the transcript up to ServerHello.
    pub(crate) fn into_handshake(
        self,
        hash: &dyn Hash,
        shared: Option<&[u8]>,
        transcript: &Digest,
    ) -> Handshake13 {
        let salt = self.0.derive(hash, b"derived", empty(hash).as_bytes());
        let secret = Secret13(extract(hash, salt.as_bytes(), shared.unwrap_or_else(|| zeros(hash))));
        let client = secret.derive(hash, b"c hs traffic", transcript.as_bytes());
        let server = secret.derive(hash, b"s hs traffic", transcript.as_bytes());
        Handshake13 { secret, client, server }
    }
}

impl Handshake13 {
    /// The next stage, from the transcript up to the server's Finished.
    pub(crate) fn traffic(&self, hash: &dyn Hash, transcript: &Digest) -> Traffic {
        let salt = self.secret.derive(hash, b"derived", empty(hash).as_bytes());
        let master = Secret13(extract(hash, salt.as_bytes(), zeros(hash)));
        Traffic {
            client: master.derive(hash, b"c ap traffic", transcript.as_bytes()),
            server: master.derive(hash, b"s ap traffic", transcript.as_bytes()),
            exporter: master.derive(hash, b"exp master", transcript.as_bytes()),
        }
    }
}

/// Exports keying material from the exporter secret (RFC 8446 §7.5).
pub(crate) fn export(hash: &dyn Hash, exporter: &Secret13, label: &[u8], context: &[u8], out: &mut [u8]) {
    let secret = exporter.derive(hash, label, empty(hash).as_bytes());
    let mut context_hash = hash.start();
    context_hash.update(context);
    expand_label(hash, secret.as_bytes(), b"exporter", context_hash.current().as_bytes(), out);
}

/// As many zeros as the hash has bytes.
fn zeros(hash: &dyn Hash) -> &'static [u8] {
    ZEROS.get(..hash.algorithm().digest_len()).unwrap_or(&ZEROS)
}

/// The hash of nothing.
fn empty(hash: &dyn Hash) -> Digest {
    hash.start().current()
}
