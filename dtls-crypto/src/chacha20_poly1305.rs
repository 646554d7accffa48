//! ChaCha20-Poly1305 (RFC 8439 §2.8): the `chacha20` crate's keystream under this crate's [`Poly1305`].

use alloc::boxed::Box;

use chacha20::{
    ChaChaCore, R20,
    cipher::{Block, KeyIvInit, StreamCipherCore, consts::U32},
    variants::Ietf,
};
use dtls_core::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::poly1305::{self, Poly1305};

/// ChaCha20-Poly1305.
pub const CHACHA20_POLY1305: &dyn Aead = &ChaCha20Poly1305;

const KEY_LEN: usize = 32;
const BLOCK_LEN: usize = 64;

/// Longest plaintext in bytes: block 0 makes the one-time key, the block counter has 32 bits.
const MAX_LEN: u64 = u32::MAX as u64 * BLOCK_LEN as u64;

/// How many blocks the vector code makes at once; fewer cost it the same time.
const LANES: usize = if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
    4
} else if cfg!(all(target_arch = "aarch64", target_feature = "neon")) {
    8
} else {
    1
};

type ChaCha20 = ChaChaCore<R20, Ietf>;

struct ChaCha20Poly1305;

impl Aead for ChaCha20Poly1305 {
    fn algorithm(&self) -> AeadAlgorithm {
        AeadAlgorithm::ChaCha20Poly1305
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let key: &[u8; KEY_LEN] = key.try_into().map_err(|_| CryptoError)?;
        Ok(Box::new(Key(Zeroizing::new(*key))))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        let key: &[u8; KEY_LEN] = key.try_into().map_err(|_| CryptoError)?;
        Ok(Box::new(Key(Zeroizing::new(*key))))
    }
}

impl MaskKey for Key {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        let [c0, c1, c2, c3, nonce @ ..] = *sample;
        let mut cipher = ChaCha20::new((&*self.0).into(), (&nonce).into());
        cipher.set_block_pos(u32::from_le_bytes([c0, c1, c2, c3]));
        let mut block = Zeroizing::new(Block::<ChaCha20>::default());
        cipher.write_keystream_block(&mut block);
        let mut mask = [0; MASK_SAMPLE_LEN];
        for (to, from) in mask.iter_mut().zip(block.iter()) {
            *to = *from;
        }
        mask
    }
}

struct Key(Zeroizing<[u8; KEY_LEN]>);

impl AeadKey for Key {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        let tag: &mut [u8; poly1305::TAG_LEN] = tag.try_into().map_err(|_| CryptoError)?;
        check_len(buffer)?;
        let mut keystream = Keystream::new(&self.0, nonce);
        keystream.apply(buffer);
        *tag = keystream.mac(aad, buffer);
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        let tag: &[u8; poly1305::TAG_LEN] = tag.try_into().map_err(|_| CryptoError)?;
        check_len(buffer)?;
        let mut keystream = Keystream::new(&self.0, nonce);
        if !bool::from(keystream.mac(aad, buffer).ct_eq(tag)) {
            return Err(CryptoError);
        }
        keystream.apply(buffer);
        Ok(())
    }
}

/// The keystream of one message. Block 0 is the one-time key (RFC 8439 §2.6), the data starts with block 1; they are
/// made together because one block costs as much as [`LANES`].
struct Keystream {
    cipher: ChaCha20,
    first: Blocks,
}

impl Keystream {
    fn new(key: &[u8; KEY_LEN], nonce: &[u8; NONCE_LEN]) -> Self {
        let mut cipher = ChaCha20::new(key.into(), nonce.into());
        let first = Blocks::next(&mut cipher);
        Self { cipher, first }
    }

    fn mac(&self, aad: &[u8], ciphertext: &[u8]) -> [u8; poly1305::TAG_LEN] {
        let mut mac = Poly1305::new(self.first.one_time_key());
        mac.update_padded(aad);
        mac.update_padded(ciphertext);
        let lengths = u128::from(aad.len() as u64) | u128::from(ciphertext.len() as u64) << 64;
        mac.update_padded(&lengths.to_le_bytes());
        mac.tag()
    }

    /// Combines `data` with the keystream; called once.
    fn apply(&mut self, data: &mut [u8]) {
        let (head, rest) = data.split_at_mut(data.len().min((LANES - 1) * BLOCK_LEN));
        let [_, blocks @ ..] = &self.first.0;
        xor(head, blocks);

        let (body, tail) = rest.split_at_mut(rest.len() - rest.len() % (LANES * BLOCK_LEN));
        let (body, _) = Block::<ChaCha20>::slice_as_chunks_mut(body);
        self.cipher.apply_keystream_blocks(body);
        if !tail.is_empty() {
            xor(tail, &Blocks::next(&mut self.cipher).0);
        }
    }
}

/// [`LANES`] blocks of keystream, wiped when dropped.
struct Blocks([Block<ChaCha20>; LANES]);

impl Blocks {
    fn next(cipher: &mut ChaCha20) -> Self {
        let mut blocks = Self([Block::<ChaCha20>::default(); LANES]);
        cipher.write_keystream_blocks(&mut blocks.0);
        blocks
    }

    /// The first half of the first block.
    fn one_time_key(&self) -> &[u8; poly1305::KEY_LEN] {
        let [block, ..] = &self.0;
        let (key, _) = block.split_ref::<U32>();
        key.as_ref()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        // Wide stores and a barrier: `Zeroize` writes byte by byte, which takes as long as the encryption.
        self.0 = [Block::<ChaCha20>::default(); LANES];
        zeroize::optimization_barrier(&self.0);
    }
}

fn xor(data: &mut [u8], keystream: &[Block<ChaCha20>]) {
    for (data, block) in data.chunks_mut(BLOCK_LEN).zip(keystream) {
        for (byte, key) in data.iter_mut().zip(block) {
            *byte ^= key;
        }
    }
}

fn check_len(buffer: &[u8]) -> Result<(), CryptoError> {
    if buffer.len() as u64 > MAX_LEN { Err(CryptoError) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
