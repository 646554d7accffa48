//! The self-test passes on our provider with every vector, and notices providers that deviate.

use std::sync::Mutex;

use dtls_core::{
    Rng, RngError,
    crypto::{
        Aead, AeadAlgorithm, AeadKey, CryptoError, Digest, Hash, HashAlgorithm, HashContext, HmacKey,
        KeyShare, KxGroup, KxGroupId, MaskKey, Provider, SharedSecret,
    },
};
use dtls_crypto::{
    PROVIDER,
    self_test::{Algorithm, check_provider},
};

const NOTHING: Provider = Provider { aeads: &[], hashes: &[], groups: &[] };

#[test]
fn our_provider_passes_every_vector() {
    let report = check_provider(&PROVIDER).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{report}");
    assert_eq!(report.skipped(), 0);
    for (algorithm, vectors) in [
        (Algorithm::Aead(AeadAlgorithm::Aes128Gcm), 67),
        (Algorithm::Aead(AeadAlgorithm::Aes256Gcm), 66),
        (Algorithm::Aead(AeadAlgorithm::Aes128Ccm), 78),
        (Algorithm::Aead(AeadAlgorithm::Aes256Ccm), 78),
        (Algorithm::Aead(AeadAlgorithm::Aes128Ccm8), 8),
        (Algorithm::Aead(AeadAlgorithm::Aes256Ccm8), 8),
        (Algorithm::Aead(AeadAlgorithm::ChaCha20Poly1305), 316),
        (Algorithm::Mask(AeadAlgorithm::Aes128Gcm), 3),
        (Algorithm::Mask(AeadAlgorithm::Aes256Gcm), 1),
        (Algorithm::Mask(AeadAlgorithm::Aes128Ccm), 3),
        (Algorithm::Mask(AeadAlgorithm::Aes256Ccm), 1),
        (Algorithm::Mask(AeadAlgorithm::Aes128Ccm8), 3),
        (Algorithm::Mask(AeadAlgorithm::Aes256Ccm8), 1),
        (Algorithm::Mask(AeadAlgorithm::ChaCha20Poly1305), 2),
        (Algorithm::Hash(HashAlgorithm::Sha256), 4),
        (Algorithm::Hash(HashAlgorithm::Sha384), 4),
        (Algorithm::Hmac(HashAlgorithm::Sha256), 174),
        (Algorithm::Hmac(HashAlgorithm::Sha384), 174),
        (Algorithm::Group(KxGroupId::Secp256r1), 355),
        (Algorithm::Group(KxGroupId::X25519), 518),
    ] {
        assert_eq!(report.vectors(algorithm), vectors, "{algorithm}");
    }
    assert_eq!(report.lines.len(), 20);
}

#[track_caller]
fn must_fail(provider: Provider, why: &str) {
    let failure = check_provider(&provider).expect_err(why).to_string();
    assert!(failure.contains(why), "{failure}");
}

#[test]
fn an_algorithm_listed_twice_is_noticed() {
    must_fail(Provider { hashes: &[dtls_crypto::SHA_256, dtls_crypto::SHA_256], ..NOTHING }, "listed twice");
}

/// An AEAD with one fault.
#[derive(Clone, Copy)]
enum BadAead {
    Unauthenticated,
    DecryptsFirst,
    ChecksHalfTheTag,
    IgnoresAdditionalData,
    /// Both ways alike, so that only a known answer can tell.
    OtherTag,
    TakesAnyTagLength,
}

impl Aead for BadAead {
    fn algorithm(&self) -> AeadAlgorithm {
        AeadAlgorithm::Aes128Gcm
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        Ok(Box::new(BadKey(*self, dtls_crypto::AES_128_GCM.key(key)?)))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        dtls_crypto::AES_128_GCM.mask_key(key)
    }
}

struct BadKey(BadAead, Box<dyn AeadKey>);

impl BadKey {
    fn aad<'a>(&self, aad: &'a [u8]) -> &'a [u8] {
        if matches!(self.0, BadAead::IgnoresAdditionalData) { b"" } else { aad }
    }

    /// Decrypts without a check: counter mode is its own inverse.
    fn decrypt(&self, nonce: &[u8; 12], buffer: &mut [u8]) -> Result<(), CryptoError> {
        self.1.seal(nonce, b"", buffer, &mut [0; 16])
    }

    fn expected_tag(&self, nonce: &[u8; 12], aad: &[u8], ciphertext: &[u8]) -> [u8; 16] {
        let (mut copy, mut tag) = (ciphertext.to_vec(), [0; 16]);
        self.decrypt(nonce, &mut copy).unwrap();
        self.1.seal(nonce, aad, &mut copy, &mut tag).unwrap();
        tag
    }
}

impl AeadKey for BadKey {
    fn seal(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        if !matches!(self.0, BadAead::TakesAnyTagLength) {
            self.1.seal(nonce, self.aad(aad), buffer, tag)?;
            tag[0] ^= u8::from(matches!(self.0, BadAead::OtherTag));
            return Ok(());
        }
        let mut full = [0; 16];
        self.1.seal(nonce, aad, buffer, &mut full)?;
        let len = tag.len().min(16);
        tag[..len].copy_from_slice(&full[..len]);
        Ok(())
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: &[u8]) -> Result<(), CryptoError> {
        match self.0 {
            BadAead::Unauthenticated => self.decrypt(nonce, buffer),
            BadAead::ChecksHalfTheTag => {
                let expected = self.expected_tag(nonce, aad, buffer);
                if tag.len() != 16 || expected[..8] != tag[..8] {
                    return Err(CryptoError);
                }
                self.decrypt(nonce, buffer)
            }
            BadAead::DecryptsFirst => {
                let expected = self.expected_tag(nonce, aad, buffer);
                self.decrypt(nonce, buffer)?;
                if expected == tag { Ok(()) } else { Err(CryptoError) }
            }
            BadAead::OtherTag if tag.len() == 16 => {
                let mut tag: [u8; 16] = tag.try_into().unwrap();
                tag[0] ^= 1;
                self.1.open(nonce, aad, buffer, &tag)
            }
            BadAead::IgnoresAdditionalData | BadAead::OtherTag | BadAead::TakesAnyTagLength => {
                self.1.open(nonce, self.aad(aad), buffer, tag)
            }
        }
    }
}

#[test]
fn bad_aeads_are_noticed() {
    const fn with(aead: &'static [&'static dyn Aead]) -> Provider {
        Provider { aeads: aead, ..NOTHING }
    }
    must_fail(with(&[&BadAead::Unauthenticated]), "open accepts what was changed");
    must_fail(with(&[&BadAead::ChecksHalfTheTag]), "open accepts what was changed");
    must_fail(with(&[&BadAead::IgnoresAdditionalData]), "open accepts what was changed");
    must_fail(with(&[&BadAead::OtherTag]), "wrong tag");
    must_fail(with(&[&BadAead::DecryptsFirst]), "leaves plaintext");
    must_fail(with(&[&BadAead::TakesAnyTagLength]), "seal accepts a tag of a wrong length");
}

/// Good but for the masks.
struct BadMasks {
    aead: &'static dyn Aead,
    fault: MaskFault,
}

#[derive(Clone, Copy)]
enum MaskFault {
    /// As much as QUIC needs (RFC 9001 §5.4.1).
    FiveBytesOnly,
    /// ChaCha20: the block counter in the wrong byte order.
    BigEndianCounter,
    /// The key of records, cut or filled up, in place of one of its own length.
    AnyKeyLength,
    /// Each mask goes into the next one.
    Remembers,
}

impl Aead for BadMasks {
    fn algorithm(&self) -> AeadAlgorithm {
        self.aead.algorithm()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        self.aead.key(key)
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        let mut padded = key.to_vec();
        if matches!(self.fault, MaskFault::AnyKeyLength) {
            padded.resize(self.algorithm().key_len(), 0);
        }
        let key = self.aead.mask_key(&padded)?;
        Ok(Box::new(BadMaskKey { key, fault: self.fault, last: Mutex::new([0; 16]) }))
    }
}

struct BadMaskKey {
    key: Box<dyn MaskKey>,
    fault: MaskFault,
    last: Mutex<[u8; 16]>,
}

impl MaskKey for BadMaskKey {
    fn mask(&self, sample: &[u8; 16]) -> [u8; 16] {
        let mut sample = *sample;
        match self.fault {
            MaskFault::BigEndianCounter => sample[..4].reverse(),
            MaskFault::Remembers => {
                sample.iter_mut().zip(*self.last.lock().unwrap()).for_each(|(a, b)| *a ^= b)
            }
            MaskFault::FiveBytesOnly | MaskFault::AnyKeyLength => {}
        }
        let mut mask = self.key.mask(&sample);
        if matches!(self.fault, MaskFault::FiveBytesOnly) {
            mask[5..].fill(0);
        }
        *self.last.lock().unwrap() = mask;
        mask
    }
}

#[test]
fn bad_masks_are_noticed() {
    use MaskFault as F;
    const fn gcm(fault: MaskFault) -> BadMasks {
        BadMasks { aead: dtls_crypto::AES_128_GCM, fault }
    }
    const fn chacha(fault: MaskFault) -> BadMasks {
        BadMasks { aead: dtls_crypto::CHACHA20_POLY1305, fault }
    }
    const fn with(aead: &'static [&'static dyn Aead]) -> Provider {
        Provider { aeads: aead, ..NOTHING }
    }
    must_fail(with(&[&const { gcm(F::FiveBytesOnly) }]), "FIPS 197 C.1: wrong mask");
    must_fail(with(&[&const { gcm(F::Remembers) }]), "RFC 9001 A.2: wrong mask");
    must_fail(with(&[&const { gcm(F::AnyKeyLength) }]), "a mask key of a wrong length is accepted");
    must_fail(with(&[&const { chacha(F::FiveBytesOnly) }]), "RFC 8439 2.3.2: wrong mask");
    must_fail(with(&[&const { chacha(F::BigEndianCounter) }]), "RFC 9001 A.5: wrong mask");
    must_fail(with(&[&const { chacha(F::AnyKeyLength) }]), "a mask key of a wrong length is accepted");
}

/// A SHA-256 with one fault.
#[derive(Clone, Copy)]
enum BadHash {
    ForksAfresh,
    CutsLongHmacKeys,
    DropsEmptyParts,
}

impl Hash for BadHash {
    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(BadContext(*self, dtls_crypto::SHA_256.start()))
    }

    fn hmac(&self, key: &[u8]) -> Box<dyn HmacKey> {
        let cut = matches!(self, Self::CutsLongHmacKeys) && key.len() > 64;
        Box::new(BadHmac(*self, dtls_crypto::SHA_256.hmac(if cut { &key[..64] } else { key })))
    }
}

struct BadContext(BadHash, Box<dyn HashContext>);

impl HashContext for BadContext {
    fn update(&mut self, data: &[u8]) {
        self.1.update(data);
    }

    fn current(&self) -> Digest {
        self.1.current()
    }

    fn fork(&self) -> Box<dyn HashContext> {
        match self.0 {
            BadHash::ForksAfresh => self.0.start(),
            _ => self.1.fork(),
        }
    }
}

struct BadHmac(BadHash, Box<dyn HmacKey>);

impl HmacKey for BadHmac {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        match (self.0, parts) {
            // Stops at the first empty part.
            (BadHash::DropsEmptyParts, [first, [], ..]) => self.1.sign(&[first]),
            _ => self.1.sign(parts),
        }
    }
}

#[test]
fn bad_hashes_are_noticed() {
    must_fail(Provider { hashes: &[&BadHash::ForksAfresh], ..NOTHING }, "a fork follows its origin");
    must_fail(Provider { hashes: &[&BadHash::CutsLongHmacKeys], ..NOTHING }, "is not hashed");
    must_fail(Provider { hashes: &[&BadHash::DropsEmptyParts], ..NOTHING }, "parts are not signed");
}

/// A group with one fault, or merely with another way to make keys.
struct OtherGroup {
    group: &'static dyn KxGroup,
    /// What `agree` gives where it must fail.
    on_error: Option<u8>,
    /// Added to each random byte.
    derive: u8,
}

impl KxGroup for OtherGroup {
    fn id(&self) -> KxGroupId {
        self.group.id()
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError> {
        let share = self.group.start(&mut Derive(rng, self.derive))?;
        Ok(Box::new(OtherShare(share, self.on_error)))
    }
}

struct Derive<'a>(&'a mut dyn Rng, u8);

impl Rng for Derive<'_> {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.0.try_fill(out)?;
        out.iter_mut().for_each(|byte| *byte = byte.wrapping_add(self.1));
        Ok(())
    }
}

struct OtherShare(Box<dyn KeyShare>, Option<u8>);

impl KeyShare for OtherShare {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError> {
        match (self.0.agree(peer_public_key), self.1) {
            // Only for what looks right from outside: the length.
            (Err(_), Some(byte))
                if peer_public_key.len() == self.public_key().len() && peer_public_key[1] != 0 =>
            {
                Ok(SharedSecret::new(vec![byte; 32]))
            }
            (agreed, _) => agreed,
        }
    }
}

#[test]
fn groups_that_take_bad_points_are_noticed() {
    const P256: OtherGroup = OtherGroup { group: dtls_crypto::SECP256R1, on_error: Some(0), derive: 0 };
    const X25519: OtherGroup = OtherGroup { group: dtls_crypto::X25519, on_error: Some(0), derive: 0 };
    must_fail(Provider { groups: &[&P256], ..NOTHING }, "a bad public key is accepted");
    must_fail(Provider { groups: &[&X25519], ..NOTHING }, "a bad public key is accepted");
}

#[test]
fn groups_that_derive_their_keys_in_another_way_skip_vectors_but_still_refuse_bad_points() {
    const GOOD: OtherGroup = OtherGroup { group: dtls_crypto::SECP256R1, on_error: None, derive: 1 };
    const BAD: OtherGroup = OtherGroup { group: dtls_crypto::SECP256R1, on_error: Some(0), derive: 1 };
    let report = check_provider(&Provider { groups: &[&GOOD], ..NOTHING }).unwrap();
    assert_eq!((report.skipped(), report.vectors(Algorithm::Group(KxGroupId::Secp256r1))), (330, 25));
    must_fail(Provider { groups: &[&BAD], ..NOTHING }, "a bad public key is accepted");
}
