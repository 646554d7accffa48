//! The bridge from RustCrypto's AEAD traits to ours.

use alloc::boxed::Box;
use core::marker::PhantomData;

use aes::cipher::{BlockCipherEncrypt, consts::U16};
use ccm::aead::{AeadInOut, KeyInit, Tag, consts::U12};
use dtls_core::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};
use zeroize::Zeroize;

/// A factory of keys for the RustCrypto AEAD `C` over the block cipher `B`, which must zeroise themselves when dropped.
pub(crate) struct Factory<C, B> {
    algorithm: AeadAlgorithm,
    cipher: PhantomData<fn() -> (C, B)>,
}

impl<C, B> Factory<C, B> {
    pub(crate) const fn new(algorithm: AeadAlgorithm) -> Self {
        Self { algorithm, cipher: PhantomData }
    }
}

impl<C, B> Aead for Factory<C, B>
where
    C: AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static,
    B: BlockCipherEncrypt<BlockSize = U16> + KeyInit + Send + Sync + 'static,
{
    fn algorithm(&self) -> AeadAlgorithm {
        self.algorithm
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let cipher = C::new_from_slice(key).map_err(|_| CryptoError)?;
        Ok(Box::new(Key(cipher)))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        let cipher = B::new_from_slice(key).map_err(|_| CryptoError)?;
        Ok(Box::new(BlockMask(cipher)))
    }
}

struct BlockMask<B>(B);

impl<B> MaskKey for BlockMask<B>
where
    B: BlockCipherEncrypt<BlockSize = U16> + Send + Sync,
{
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        let mut block = *sample;
        self.0.encrypt_block((&mut block).into());
        block
    }
}

struct Key<C>(C);

impl<C> AeadKey for Key<C>
where
    C: AeadInOut<NonceSize = U12> + Send + Sync,
{
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        let tag: &mut Tag<C> = tag.try_into().map_err(|_| CryptoError)?;
        let computed = self.0.encrypt_inout_detached(nonce.into(), aad, buffer.into());
        *tag = computed.map_err(|_| CryptoError)?;
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        let tag = tag.try_into().map_err(|_| CryptoError)?;
        self.0.decrypt_inout_detached(nonce.into(), aad, (&mut *buffer).into(), tag).map_err(|_| {
            // CCM has to decrypt before it can check, and its crate does not wipe on every error.
            buffer.zeroize();
            CryptoError
        })
    }
}
