//! A provider that remembers nonce, additional data and mask of the last record opened: what the core really asked for.

use core::cell::RefCell;

use dtls_core::crypto::{
    Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN, Provider,
};

/// All of `dtls-crypto`, observed.
pub(crate) const PROVIDER: Provider = Provider { aeads: OBSERVED, ..dtls_crypto::PROVIDER };

static OBSERVED: &[&dyn Aead] = &[
    &Observed(dtls_crypto::AES_128_GCM),
    &Observed(dtls_crypto::AES_256_GCM),
    &Observed(dtls_crypto::AES_128_CCM),
    &Observed(dtls_crypto::AES_256_CCM),
    &Observed(dtls_crypto::AES_128_CCM_8),
    &Observed(dtls_crypto::AES_256_CCM_8),
    &Observed(dtls_crypto::CHACHA20_POLY1305),
];

/// What one call was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) aad: Vec<u8>,
}

thread_local! {
    static LAST_OPEN: RefCell<Option<Call>> = const { RefCell::new(None) };
    static LAST_MASK: RefCell<Option<[u8; MASK_SAMPLE_LEN]>> = const { RefCell::new(None) };
}

/// The last record opened on this thread since the last call of this function.
pub(crate) fn take_last_open() -> Option<Call> {
    LAST_OPEN.take()
}

/// The last mask made on this thread since the last call of this function.
pub(crate) fn take_last_mask() -> Option<[u8; MASK_SAMPLE_LEN]> {
    LAST_MASK.take()
}

struct Observed(&'static dyn Aead);

impl Aead for Observed {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0.algorithm()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        Ok(Box::new(ObservedKey(self.0.key(key)?)))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        Ok(Box::new(ObservedMask(self.0.mask_key(key)?)))
    }
}

struct ObservedMask(Box<dyn MaskKey>);

impl MaskKey for ObservedMask {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        let mask = self.0.mask(sample);
        LAST_MASK.set(Some(mask));
        mask
    }
}

struct ObservedKey(Box<dyn AeadKey>);

impl AeadKey for ObservedKey {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.seal(nonce, aad, buffer, tag)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        LAST_OPEN.set(Some(Call { nonce: *nonce, aad: aad.to_vec() }));
        self.0.open(nonce, aad, buffer, tag)
    }
}
