//! Vectors and contract of [`Aead::mask_key`].

use alloc::{boxed::Box, vec};

use dtls_core::crypto::{Aead, AeadAlgorithm, MASK_SAMPLE_LEN, MaskKey};

use super::{Algorithm, Failure, Judge, Line, hex};

/// Source, key, sample, and the mask as far as the source gives it.
type KnownAnswer = (&'static str, &'static str, &'static str, &'static str);

const AES_128: &[KnownAnswer] = &[
    ("RFC 9001 A.2", "9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36"),
    ("RFC 9001 A.3", "c206b8d9b9f0f37644430b490eeaa314", "2cd0991cd25b0aac406a5816b6394100", "2ec0d8356a"),
    (
        "FIPS 197 C.1",
        "000102030405060708090a0b0c0d0e0f",
        "00112233445566778899aabbccddeeff",
        "69c4e0d86a7b0430d8cdb78070b4c55a",
    ),
];

const AES_256: &[KnownAnswer] = &[(
    "FIPS 197 C.3",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "00112233445566778899aabbccddeeff",
    "8ea2b7ca516745bfeafc49904b496089",
)];

const CHACHA20: &[KnownAnswer] = &[
    (
        "RFC 9001 A.5",
        "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
        "5e5cd55c41f69080575d7999c25a5bfb",
        "aefefe7d03",
    ),
    (
        "RFC 8439 2.3.2",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "01000000000000090000004a00000000",
        "10f1e7e4d13b5915500fdd1fa32071c4",
    ),
];

pub(super) fn check(aead: &dyn Aead) -> Result<Line, Failure> {
    use AeadAlgorithm as A;
    let id = aead.algorithm();
    let algorithm = Algorithm::Mask(id);
    let known = match id {
        A::Aes128Gcm | A::Aes128Ccm | A::Aes128Ccm8 => AES_128,
        A::Aes256Gcm | A::Aes256Ccm | A::Aes256Ccm8 => AES_256,
        A::ChaCha20Poly1305 => CHACHA20,
        _ => return Err(Failure::new(algorithm, "self-test", "there are no vectors for this algorithm")),
    };
    let judge = Judge::contract(algorithm);
    for len in (0..=64).filter(|&len| len != id.key_len()) {
        judge.expect(aead.mask_key(&vec![1; len]).is_err(), "a mask key of a wrong length is accepted")?;
    }
    for (source, key, sample, mask) in known {
        let judge = Judge { algorithm, source: (*source).into() };
        let prepared = judge.demand(aead.mask_key(&bytes(key)), "the mask key is refused")?;
        check_known(&*prepared, sample, mask, &judge)?;
        // A key is used for many records.
        let _ = prepared.mask(&[0xa5; MASK_SAMPLE_LEN]);
        check_known(&*prepared, sample, mask, &judge)?;
    }
    Ok(Line { algorithm, vectors: known.len(), skipped: 0 })
}

fn check_known(key: &dyn MaskKey, sample: &str, mask: &str, judge: &Judge) -> Result<(), Failure> {
    let sample = judge.demand((*bytes(sample)).try_into(), "the vector's sample has a wrong length")?;
    judge.expect(hex(&key.mask(&sample)).starts_with(mask), "wrong mask")
}

/// The bytes of hex digits that stand in this file.
fn bytes(digits: &str) -> Box<[u8]> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or_default();
    let (pairs, _) = digits.as_bytes().as_chunks();
    pairs.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect()
}
