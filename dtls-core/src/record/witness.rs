//! Keys for the tests of the record layer: they remember what they were called with and encrypt nothing. The tag is a checksum
//! of nonce, associated data and text, so that what was sealed opens and hardly anything else does.

use alloc::boxed::Box;
use std::sync::{Arc, Mutex};

use super::{
    protect::{Aead12, Nonce12, Protection},
    protect13::{Aead13, Iv},
};
use crate::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN, key_box, mask_box,
};

/// Associated data, filled up with zeros, and its length.
pub(crate) type Aad = ([u8; 16], usize);

/// The last nonce and associated data a key was called with.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<([u8; NONCE_LEN], Aad)>>);

impl Witness {
    pub(crate) fn nonce(&self) -> [u8; NONCE_LEN] {
        self.0.lock().unwrap().0
    }

    pub(crate) fn aad(&self) -> Aad {
        self.0.lock().unwrap().1
    }

    pub(crate) fn protect12(&self, nonce: Nonce12, tag_len: usize) -> Protection {
        Protection::V12(Aead12 { key: key_box(Box::new(self.clone())), nonce, tag_len })
    }

    pub(crate) fn protect13(&self, iv: [u8; NONCE_LEN], algorithm: AeadAlgorithm) -> Protection {
        Protection::V13(Aead13 {
            key: key_box(Box::new(self.clone())),
            mask: mask_box(Box::new(Complement)),
            iv: Iv(iv),
            algorithm,
        })
    }

    fn note(&self, nonce: &[u8; NONCE_LEN], aad: &[u8]) {
        let mut last = self.0.lock().unwrap();
        let mut bytes = [0; 16];
        bytes[..aad.len()].copy_from_slice(aad);
        *last = (*nonce, (bytes, aad.len()));
    }
}

/// FNV-1a, repeated to the length of the tag.
fn checksum<'a>(parts: [&'a [u8]; 3]) -> impl Iterator<Item = u8> + use<'a> {
    let sum = parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    sum.to_be_bytes().into_iter().cycle()
}

impl AeadKey for Witness {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.note(nonce, aad);
        for (to, from) in tag.iter_mut().zip(checksum([nonce, aad, buffer])) {
            *to = from;
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
        self.note(nonce, aad);
        let genuine = checksum([nonce, aad, buffer]).zip(tag).all(|(a, b)| a == *b);
        if genuine { Ok(()) } else { Err(CryptoError) }
    }
}

/// The sample with every bit turned.
struct Complement;

impl MaskKey for Complement {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        sample.map(|byte| !byte)
    }
}
