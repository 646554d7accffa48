//! The cipher suites and groups this library implements: what each is made of.

use alloc::vec::Vec;

use crate::{
    crypto::{AeadAlgorithm, HashAlgorithm, KxGroupId, Provider},
    wire::enums::{CipherSuite, NamedGroup},
};

/// How the premaster secret comes about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum KeyExchange12 {
    /// RFC 4279 §2.
    Psk,
    /// RFC 5489.
    EcdhePsk,
}

/// The parts of one suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Suite12 {
    pub(crate) id: CipherSuite,
    pub(crate) kx: KeyExchange12,
    pub(crate) aead: AeadAlgorithm,
    /// Of the PRF and the transcript.
    pub(crate) hash: HashAlgorithm,
}

/// Every suite, in order of preference: ephemeral before plain, full tags before short ones.
const SUITES: &[Suite12] = {
    use AeadAlgorithm as A;
    use CipherSuite as S;
    use HashAlgorithm::{Sha256, Sha384};
    use KeyExchange12::{EcdhePsk, Psk};
    const fn suite(id: CipherSuite, kx: KeyExchange12, aead: AeadAlgorithm, hash: HashAlgorithm) -> Suite12 {
        Suite12 { id, kx, aead, hash }
    }
    &[
        suite(S::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, EcdhePsk, A::Aes128Gcm, Sha256),
        suite(S::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384, EcdhePsk, A::Aes256Gcm, Sha384),
        suite(S::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, EcdhePsk, A::ChaCha20Poly1305, Sha256),
        suite(S::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, EcdhePsk, A::Aes128Ccm, Sha256),
        suite(S::TLS_PSK_WITH_AES_128_GCM_SHA256, Psk, A::Aes128Gcm, Sha256),
        suite(S::TLS_PSK_WITH_AES_256_GCM_SHA384, Psk, A::Aes256Gcm, Sha384),
        suite(S::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, Psk, A::ChaCha20Poly1305, Sha256),
        suite(S::TLS_PSK_WITH_AES_128_CCM, Psk, A::Aes128Ccm, Sha256),
        suite(S::TLS_PSK_WITH_AES_256_CCM, Psk, A::Aes256Ccm, Sha256),
        suite(S::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256, EcdhePsk, A::Aes128Ccm8, Sha256),
        suite(S::TLS_PSK_WITH_AES_128_CCM_8, Psk, A::Aes128Ccm8, Sha256),
        suite(S::TLS_PSK_WITH_AES_256_CCM_8, Psk, A::Aes256Ccm8, Sha256),
    ]
};

/// A suite of DTLS 1.3, which says nothing about key exchange (RFC 8446 §B.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Suite13 {
    pub(crate) id: CipherSuite,
    pub(crate) aead: AeadAlgorithm,
    /// Of the key schedule and the transcript.
    pub(crate) hash: HashAlgorithm,
}

/// Every suite of DTLS 1.3, in order of preference.
const SUITES13: &[Suite13] = {
    use AeadAlgorithm as A;
    use CipherSuite as S;
    use HashAlgorithm::{Sha256, Sha384};
    &[
        Suite13 { id: S::TLS_AES_128_GCM_SHA256, aead: A::Aes128Gcm, hash: Sha256 },
        Suite13 { id: S::TLS_AES_256_GCM_SHA384, aead: A::Aes256Gcm, hash: Sha384 },
        Suite13 { id: S::TLS_CHACHA20_POLY1305_SHA256, aead: A::ChaCha20Poly1305, hash: Sha256 },
        Suite13 { id: S::TLS_AES_128_CCM_SHA256, aead: A::Aes128Ccm, hash: Sha256 },
        Suite13 { id: S::TLS_AES_128_CCM_8_SHA256, aead: A::Aes128Ccm8, hash: Sha256 },
    ]
};

/// The groups for ECDHE suites, in order of preference.
const GROUPS: &[(NamedGroup, KxGroupId)] =
    &[(NamedGroup::X25519, KxGroupId::X25519), (NamedGroup::SECP256R1, KxGroupId::Secp256r1)];

impl Suite12 {
    /// The suite with this code point, if this library implements it.
    pub(crate) fn find(id: CipherSuite) -> Option<&'static Self> {
        SUITES.iter().find(|s| s.id == id)
    }

    /// Whether `provider` has everything this suite needs.
    pub(crate) fn is_supported(&self, provider: &Provider) -> bool {
        provider.aead(self.aead).is_some() && provider.hash(self.hash).is_some()
    }
}

impl Suite13 {
    /// The suite with this code point, if this library implements it.
    pub(crate) fn find(id: CipherSuite) -> Option<&'static Self> {
        SUITES13.iter().find(|s| s.id == id)
    }

    /// Whether `provider` has everything this suite needs.
    pub(crate) fn is_supported(&self, provider: &Provider) -> bool {
        provider.aead(self.aead).is_some() && provider.hash(self.hash).is_some()
    }
}

/// Every suite this library implements, those of DTLS 1.3 first, most preferred first.
pub fn all_suites() -> impl Iterator<Item = CipherSuite> {
    SUITES13.iter().map(|s| s.id).chain(SUITES.iter().map(|s| s.id))
}

/// The suites of both versions offered unless configured otherwise: all with 16-byte tags that `provider` has. The short tag
/// needs an explicit choice (RFC 9147 §4.5.3).
pub(crate) fn default_suites(provider: &Provider) -> (Vec<&'static Suite13>, Vec<&'static Suite12>) {
    let v13 = SUITES13.iter().filter(|s| s.aead.tag_len() == 16 && s.is_supported(provider));
    let v12 = SUITES.iter().filter(|s| s.aead.tag_len() == 16 && s.is_supported(provider));
    (v13.collect(), v12.collect())
}

/// The groups offered unless configured otherwise.
pub(crate) fn default_groups() -> impl Iterator<Item = NamedGroup> {
    GROUPS.iter().map(|(group, _)| *group)
}

/// The provider's name for a group.
pub(crate) fn kx_group_id(group: NamedGroup) -> Option<KxGroupId> {
    GROUPS.iter().find(|(g, _)| *g == group).map(|(_, id)| *id)
}
