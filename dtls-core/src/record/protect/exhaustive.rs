//! Nonces, associated data and layout of every form of record, against a second reading of the RFCs.

use std::{collections::BTreeSet, println, vec, vec::Vec};

use super::*;
use crate::{
    crypto::{AeadAlgorithm, AeadKey},
    record::{
        number::{MAX_SEQ, RecordNumber},
        witness::{Aad, Witness},
    },
    wire::{
        enums::ContentType,
        record::{RawRecord, split_first},
    },
};

/// Twelve bytes of which no two are the same, to notice when one moves.
const IV: [u8; NONCE_LEN] = [0xa0, 0x11, 0xc2, 0x73, 0xe4, 0x35, 0x86, 0x57, 0x18, 0xf9, 0xba, 0xdb];
/// Room for the longest record.
const LONGEST: usize = HEADER_LEN + 8 + MAX_PLAINTEXT + 17;

/// Epochs and sequence numbers with every byte and every carry.
fn numbers() -> Vec<(u16, u64)> {
    let seqs = (0..48).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain(0..300);
    let seqs: Vec<u64> = seqs.chain([0x0102_0304_0506, MAX_SEQ - 1, MAX_SEQ]).collect();
    let epochs = [0, 1, 2, 3, 4, 255, 256, 0x0708, u16::MAX];
    epochs.into_iter().flat_map(|epoch| seqs.iter().map(move |seq| (epoch, *seq))).collect()
}

/// The bytes from most significant to least.
fn big_endian<const N: usize>(n: u64) -> [u8; N] {
    core::array::from_fn(|i| (n >> (8 * (N - 1 - i))) as u8)
}

fn filled(aad: &[u8]) -> Aad {
    (core::array::from_fn(|i| aad.get(i).copied().unwrap_or(0)), aad.len())
}

fn lengths() -> impl Iterator<Item = usize> + Clone {
    (0..40).chain([255, 256, 257, 1200, MAX_PLAINTEXT - 1, MAX_PLAINTEXT])
}

/// RFC 6347 §4.1.2, RFC 5246 §6.2.3.3: AAD = epoch || seq || type || version || plaintext length.
/// Nonce: RFC 5288 §3 salt || explicit, which is here epoch || seq; RFC 7905 §2 IV xor (0000 || epoch || seq).
fn assert_sealed12(witness: &Witness, protection: &Protection, (epoch, seq): (u16, u64), typ: u8, n: usize) {
    let Protection::V12(Aead12 { nonce: kind, tag_len, .. }) = protection else { panic!("{protection:?}") };
    let number = [&big_endian::<2>(epoch.into())[..], &big_endian::<6>(seq)].concat();
    let explicit: &[u8] = if matches!(kind, Nonce12::Explicit(_)) { &number } else { &[] };
    let expected_nonce: [u8; NONCE_LEN] = match kind {
        Nonce12::Explicit(salt) => core::array::from_fn(|i| if i < 4 { salt[i] } else { number[i - 4] }),
        Nonce12::Implicit(iv) => core::array::from_fn(|i| if i < 4 { iv[i] } else { iv[i] ^ number[i - 4] }),
    };
    let expected_aad = [&number[..], &[typ, 0xfe, 0xfd], &big_endian::<2>(n as u64)].concat();

    let header = RecordHeader {
        typ: ContentType(typ),
        version: ProtocolVersion::DTLS1_2,
        number: RecordNumber::new(epoch, seq),
    };
    let mut out = [0x5a; LONGEST];
    let form = Form { last: false, wide: false };
    let total = protection.seal(&header, form, &mut out, n).unwrap();
    assert_eq!((witness.nonce(), witness.aad()), (expected_nonce, filled(&expected_aad)));
    assert_eq!(total, HEADER_LEN + explicit.len() + n + tag_len);
    assert_eq!(total, protection.record_len(form, n));
    let front =
        [&[typ, 0xfe, 0xfd], &number[..], &big_endian::<2>((total - HEADER_LEN) as u64), explicit].concat();
    assert_eq!(out[..front.len()], front);

    // The receiver makes the same out of the record.
    witness.seal(&[0; NONCE_LEN], &[], &mut [], &mut []).unwrap();
    let (record, rest) = split_first(&mut out[..total]).unwrap();
    let RawRecord::Legacy { header, body } = record else { panic!("unified") };
    assert_eq!((protection.open_legacy(&header, body).unwrap().len(), rest.len()), (n, 0));
    assert_eq!((witness.nonce(), witness.aad()), (expected_nonce, filled(&expected_aad)));
}

#[test]
fn what_dtls12_authenticates() {
    let mut cases = 0u64;
    let [a, b, c, d, ..] = IV;
    for (nonce, tag_len) in [
        (Nonce12::Explicit([a, b, c, d]), 16),
        (Nonce12::Explicit([a, b, c, d]), 8),
        (Nonce12::Implicit(IV), 16),
    ] {
        let witness = Witness::default();
        let protection = witness.protect12(nonce, tag_len);
        for number in numbers() {
            assert_sealed12(&witness, &protection, number, 23, 3);
            cases += 1;
        }
        for typ in 20..32 {
            for n in lengths() {
                assert_sealed12(&witness, &protection, (1, 0x0102_0304_0506), typ, n);
                cases += 1;
            }
        }
    }
    println!("what DTLS 1.2 authenticates: {cases} cases");
}

/// RFC 6347 §4.1: no record has more plaintext than 2^14 bytes. Its header does not tell: the body may be 2048 bytes longer.
#[test]
fn too_much_plaintext_of_dtls12() {
    let [a, b, c, d, ..] = IV;
    for (nonce, tag_len) in [
        (Nonce12::Explicit([a, b, c, d]), 16),
        (Nonce12::Explicit([a, b, c, d]), 8),
        (Nonce12::Implicit(IV), 16),
    ] {
        let protection = Witness::default().protect12(nonce, tag_len);
        for (n, fits) in [(MAX_PLAINTEXT, true), (MAX_PLAINTEXT + 1, false), (MAX_PLAINTEXT + 2000, false)] {
            let header = RecordHeader {
                typ: ContentType::APPLICATION_DATA,
                version: ProtocolVersion::DTLS1_2,
                number: RecordNumber::new(1, 7),
            };
            let mut out = vec![0; LONGEST + 2000];
            let total = protection.seal(&header, Form { last: false, wide: false }, &mut out, n).unwrap();
            let (record, _) = split_first(&mut out[..total]).unwrap();
            let RawRecord::Legacy { header, body } = record else { panic!("unified") };
            let opened = protection.open_legacy(&header, body).map(|plaintext| plaintext.len());
            assert_eq!(opened, if fits { Ok(n) } else { Err(Discard::TooLong) });
        }
    }
}

/// RFC 9147 §4, rfc9147bis §4: AAD = the header with its number in clear; nonce = IV xor (00000000 || seq), without epoch.
/// RFC 9147 §4.2.3: the mask covers the number only, and at least 16 bytes are there to sample.
fn assert_sealed13(
    witness: &Witness,
    protection: &Protection,
    (epoch, seq): (u16, u64),
    form: Form,
    n: usize,
) {
    let Protection::V13(keys) = protection else { panic!("{protection:?}") };
    let tag_len = keys.algorithm.tag_len();
    let mut expected_nonce = IV;
    for (byte, with) in expected_nonce[4..].iter_mut().zip(big_endian::<8>(seq)) {
        *byte ^= with;
    }
    let number: &[u8] = &big_endian::<2>(seq & 0xffff);
    let number = if form.wide { number } else { &number[1..] };
    let ciphertext = (n + 1 + tag_len).max(16);
    let length: &[u8] = &big_endian::<2>(ciphertext as u64);
    let first = 0x20 | if form.wide { 8 } else { 0 } | if form.last { 0 } else { 4 } | (epoch & 3) as u8;
    let clear = [&[first][..], number, if form.last { &[] } else { length }].concat();

    let record = RecordHeader {
        typ: ContentType(23),
        version: ProtocolVersion::DTLS1_2,
        number: RecordNumber::new(epoch, seq),
    };
    let mut out = [0x5a; LONGEST];
    let total = protection.seal(&record, form, &mut out, n).unwrap();
    assert_eq!((witness.nonce(), witness.aad()), (expected_nonce, filled(&clear)));
    assert_eq!(total, clear.len() + ciphertext);
    assert_eq!(total, protection.record_len(form, n));
    let mut masked = clear.clone();
    for (i, byte) in masked[1..=number.len()].iter_mut().enumerate() {
        *byte ^= !out[clear.len() + i];
    }
    assert_eq!(out[..clear.len()], masked);

    witness.seal(&[0; NONCE_LEN], &[], &mut [], &mut []).unwrap();
    let (record, rest) = split_first(&mut out[..total]).unwrap();
    let RawRecord::Unified { header, body } = record else { panic!("legacy") };
    // Expecting just this number, as a receiver does that has missed nothing.
    let inner = keys.open(epoch, seq, header, body).unwrap();
    assert_eq!((inner.seq, inner.typ.0, inner.body.len(), rest.len()), (seq, 23, n, 0));
    assert_eq!((witness.nonce(), witness.aad()), (expected_nonce, filled(&clear)));
}

#[test]
fn what_dtls13_authenticates() {
    let mut cases = 0u64;
    for algorithm in [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes128Ccm8] {
        let witness = Witness::default();
        let protection = witness.protect13(IV, algorithm);
        for (last, wide) in [(false, false), (false, true), (true, false), (true, true)] {
            let form = Form { last, wide };
            for number in numbers() {
                assert_sealed13(&witness, &protection, number, form, 3);
                cases += 1;
            }
            for n in lengths() {
                for epoch in 0..8 {
                    assert_sealed13(&witness, &protection, (epoch, 0x0102_0304_0506), form, n);
                    cases += 1;
                }
            }
        }
    }
    println!("what DTLS 1.3 authenticates: {cases} cases");
}

/// For all pairs of numbers see `model-tests/smt`.
#[test]
fn no_nonce_comes_twice() {
    let mut cases = 0;
    let small = (0..4).flat_map(|epoch| (0..1 << 16).map(move |seq| (epoch, seq)));
    let all: BTreeSet<(u16, u64)> = small.chain(numbers()).collect();
    let witness = Witness::default();
    let form = Form { last: true, wide: false };
    let mut nonces_of = |protection: Protection, numbers: &mut dyn Iterator<Item = &(u16, u64)>| {
        let mut nonces = Vec::new();
        for &(epoch, seq) in numbers {
            let number = RecordNumber::new(epoch, seq);
            let header = RecordHeader { typ: ContentType(23), version: ProtocolVersion::DTLS1_2, number };
            protection.seal(&header, form, &mut [0; 64], 0).unwrap();
            nonces.push(witness.nonce());
        }
        cases += nonces.len();
        let distinct: BTreeSet<_> = nonces.iter().collect();
        assert_eq!(distinct.len(), nonces.len(), "a nonce came twice");
    };
    // In DTLS 1.2 the epoch is part of the nonce, in DTLS 1.3 each epoch has its own key.
    nonces_of(witness.protect12(Nonce12::Explicit([1, 2, 3, 4]), 16), &mut all.iter());
    nonces_of(witness.protect12(Nonce12::Implicit(IV), 16), &mut all.iter());
    let of_one_epoch = &mut all.iter().filter(|number| number.0 == 3);
    nonces_of(witness.protect13(IV, AeadAlgorithm::Aes128Gcm), of_one_epoch);
    println!("nonces: {cases} cases");
}
