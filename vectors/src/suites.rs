//! Cipher suites by number: those of `dtls-core`, those whose records and schedule it can already check, and the names of
//! others that occur in captures.

use dtls_core::{
    CipherSuite,
    crypto::{AeadAlgorithm, HashAlgorithm},
    internals::SuiteParts,
};

/// What the checker has to know about a suite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    pub(crate) aead: AeadAlgorithm,
    pub(crate) hash: HashAlgorithm,
    /// `None` for suites of DTLS 1.3, and for those of DTLS 1.2 whose key exchange the core does not have; their secrets come
    /// out of the key log.
    pub(crate) psk: Option<SuiteParts>,
}

impl Suite {
    /// The suite with this number, or the name of one that cannot be checked.
    pub(crate) fn find(id: CipherSuite) -> Result<Self, String> {
        if let Some(parts) = SuiteParts::find(id) {
            return Ok(Self { aead: parts.aead, hash: parts.hash, psk: Some(parts) });
        }
        let other = SuiteParts::find13(id).or_else(|| with_certificates(id.0));
        let (aead, hash) = other.ok_or_else(|| name(id))?;
        Ok(Self { aead, hash, psk: None })
    }
}

/// ECDHE_ECDSA and ECDHE_RSA suites (RFC 5289, RFC 7251, RFC 7905): record protection and schedule are those of PSK suites.
const fn with_certificates(id: u16) -> Option<(AeadAlgorithm, HashAlgorithm)> {
    use AeadAlgorithm as A;
    use HashAlgorithm::{Sha256, Sha384};
    Some(match id {
        0xc02b | 0xc02f => (A::Aes128Gcm, Sha256),
        0xc02c | 0xc030 => (A::Aes256Gcm, Sha384),
        0xc0ac => (A::Aes128Ccm, Sha256),
        0xc0ad => (A::Aes256Ccm, Sha256),
        0xc0ae => (A::Aes128Ccm8, Sha256),
        0xc0af => (A::Aes256Ccm8, Sha256),
        0xcca8 | 0xcca9 => (A::ChaCha20Poly1305, Sha256),
        _ => return None,
    })
}

fn name(id: CipherSuite) -> String {
    let known = match id.0 {
        0xc037 => "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256",
        0xc038 => "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384",
        _ => return format!("0x{:04x}", id.0),
    };
    known.to_owned()
}
