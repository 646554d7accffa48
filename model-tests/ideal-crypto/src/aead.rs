//! Ideal authenticated encryption: a keystream and a tag from the mixer, checked against the world.

use core::hint::black_box;

use dtls_core::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};

use crate::{
    mixer::{Domain, Mixer, stream},
    world,
};

/// What fills a buffer that failed to open.
pub const POISON: u8 = 0xd1;

/// An ideal AEAD with the key and tag lengths of a real one.
#[derive(Clone, Copy, Debug)]
pub struct IdealAead(AeadAlgorithm);

impl IdealAead {
    /// The ideal form of `algorithm`.
    pub const fn new(algorithm: AeadAlgorithm) -> Self {
        Self(algorithm)
    }
}

impl Aead for IdealAead {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        if key.len() != self.0.key_len() {
            return Err(CryptoError);
        }
        let mut mixer = Mixer::new(Domain::AeadKey, self.0 as u64);
        mixer.update(key);
        Ok(Box::new(IdealKey { key: mixer.digest(), tag_len: self.0.tag_len(), handle: world::new_handle() }))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        if key.len() != self.0.key_len() {
            return Err(CryptoError);
        }
        let mut mixer = Mixer::new(Domain::Mask, 1);
        mixer.update(key);
        Ok(Box::new(IdealMask(mixer.digest())))
    }
}

/// Masks depend on the key and the whole sample.
struct IdealMask(u128);

impl MaskKey for IdealMask {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        let mut mixer = Mixer::new(Domain::Mask, 0);
        mixer.update(&self.0.to_le_bytes());
        mixer.update(sample);
        mixer.digest().to_le_bytes()
    }
}

struct IdealKey {
    key: u128,
    tag_len: usize,
    handle: u64,
}

impl IdealKey {
    fn apply_keystream(&self, nonce: &[u8; NONCE_LEN], buffer: &mut [u8]) {
        let mut mixer = self.mixer(Domain::Keystream);
        mixer.update(nonce);
        for (chunk, word) in buffer.chunks_mut(8).zip(stream(mixer.digest())) {
            for (byte, mask) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte ^= mask;
            }
        }
    }

    fn tag(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], ciphertext: &[u8], tag: &mut [u8]) {
        let mut mixer = self.mixer(Domain::Tag);
        mixer.update(nonce);
        mixer.update_number(aad.len() as u64);
        mixer.update(aad);
        mixer.update(ciphertext);
        mixer.expand(tag);
    }

    fn mixer(&self, domain: Domain) -> Mixer {
        let mut mixer = Mixer::new(domain, 0);
        mixer.update(&self.key.to_le_bytes());
        mixer
    }
}

impl AeadKey for IdealKey {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        if tag.len() != self.tag_len {
            return Err(CryptoError);
        }
        world::current(|world| world.seal(self.key, self.handle, nonce));
        let plaintext = world::current(|world| world.listens()).then(|| buffer.to_vec());
        self.apply_keystream(nonce, buffer);
        self.tag(nonce, aad, buffer, tag);
        if let Some(plaintext) = plaintext {
            world::current(|world| world.overhear(plaintext, buffer, tag));
        }
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        world::current(|world| world.open(self.handle));
        let mut expected = [0; 16];
        let expected = &mut expected[..self.tag_len];
        self.tag(nonce, aad, buffer, expected);
        if !is_same(expected, tag) {
            buffer.fill(POISON);
            world::current(world::World::open_failed);
            return Err(CryptoError);
        }
        self.apply_keystream(nonce, buffer);
        world::current(|world| world.opened(buffer));
        Ok(())
    }
}

/// Whether two tags are the same, told in a way that a fuzzer which watches comparisons does not learn the right one from.
fn is_same(expected: &[u8], tag: &[u8]) -> bool {
    let differences = expected.iter().zip(tag).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    expected.len() == tag.len() && differences == 0
}
