//! Every start near a limit, and every short history of genuine and forged records.

use std::{println, vec::Vec};

use super::*;
use crate::{
    crypto::{AeadAlgorithm, NONCE_LEN},
    record::{
        protect::{Form, Nonce12},
        witness::Witness,
    },
    wire::{enums::ProtocolVersion, record::split_first},
};

/// What RFC 9147 §4.5.3 and Appendix B allow: records protected, records failed.
fn limits(algorithm: AeadAlgorithm) -> (u64, u64) {
    match algorithm {
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => (2f64.powf(24.5) as u64, 1 << 36),
        // More than there are numbers.
        AeadAlgorithm::ChaCha20Poly1305 => (MAX_SEQ + 1, 1 << 36),
        AeadAlgorithm::Aes128Ccm | AeadAlgorithm::Aes256Ccm => (1 << 23, 2f64.powf(23.5) as u64),
        AeadAlgorithm::Aes128Ccm8 | AeadAlgorithm::Aes256Ccm8 => (1 << 23, 1 << 7),
    }
}

/// Every protection there is, with the records it may protect and the failures it may see.
fn protections() -> Vec<(Protection, u64, u64)> {
    let witness = Witness::default();
    let unlimited = |protection| (protection, MAX_SEQ + 1, u64::MAX);
    let mut all: Vec<_> = AeadAlgorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let (protected, failed) = limits(algorithm);
            (witness.protect13([7; NONCE_LEN], algorithm), protected, failed)
        })
        .collect();
    all.push(unlimited(Protection::Plain));
    all.push(unlimited(witness.protect12(Nonce12::Implicit([7; NONCE_LEN]), 16)));
    all.push(unlimited(witness.protect12(Nonce12::Explicit([7; 4]), 8)));
    all
}

#[test]
fn no_key_protects_more_than_it_may_and_no_number_comes_twice() {
    let mut cases = 0;
    for (protection, limit, _) in protections() {
        let mut writer = WriteEpoch::new(5, protection, 0);
        let starts = (limit - 20..=limit + 1).chain(MAX_SEQ - 2..=MAX_SEQ + 2).chain([u64::MAX]);
        for (start, reserve) in starts.flat_map(|start| (0..=17).map(move |reserve| (start, reserve))) {
            writer.next_seq = start;
            for seq in (start..=u64::MAX).take(6) {
                let expected = (seq.saturating_add(reserve) < limit).then(|| RecordNumber::new(5, seq));
                assert_eq!(writer.take_number(reserve), expected, "{:?} from {start}", writer.protection);
                cases += 1;
            }
        }
    }
    println!("records protected by one key: {cases} cases");
}

#[test]
fn no_key_sees_more_forgeries_than_it_may() {
    let mut cases = 0;
    for (protection, _, limit) in protections() {
        let is_13 = matches!(protection, Protection::V13(_));
        let mut reader = ReadEpoch::new(5, protection, 64);
        for start in [limit - 3, limit - 2, limit - 1, limit, limit.saturating_add(1)] {
            reader.failures = start;
            for failures in (start..=u64::MAX).take(6) {
                assert_eq!(reader.is_worn_out(), failures > limit, "{:?} from {start}", reader.protection);
                if is_13 {
                    let error = reader.open_unified(&mut [0x21, 0], &mut [0; 20]).unwrap_err();
                    assert_eq!(error, Discard::BadTag);
                }
                cases += 1;
                if !is_13 {
                    break;
                }
            }
        }
    }
    println!("forgeries seen by one key: {cases} cases");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Genuine,
    Forged,
    /// Shorter than any record can be.
    Short,
}

/// A record of epoch 5, in its final form.
struct Sample {
    seq: u64,
    kind: Kind,
    bytes: Vec<u8>,
}

fn samples(protection: &Protection) -> Vec<Sample> {
    let mut all = Vec::new();
    for seq in [0, 1, 63, 64, 65, 300] {
        for kind in [Kind::Genuine, Kind::Forged, Kind::Short] {
            let number = RecordNumber::new(5, seq);
            let header = RecordHeader { typ: ContentType(23), version: ProtocolVersion::DTLS1_2, number };
            let mut bytes = std::vec![0x5a; 80];
            let n = protection.seal(&header, Form { last: true, wide: true }, &mut bytes, 20).unwrap();
            bytes.truncate(n);
            match kind {
                Kind::Genuine => {}
                Kind::Forged => bytes[n - 1] ^= 1,
                Kind::Short => {
                    // The length of the 13-byte header; a unified one of this form has none.
                    bytes.truncate(18);
                    if bytes[0] == 23 {
                        bytes[12] = 5;
                    }
                }
            }
            all.push(Sample { seq, kind, bytes });
        }
    }
    all
}

/// The model of a reader: the numbers taken in, and how many forgeries were tried.
#[derive(Clone, Default)]
struct Model {
    taken: Vec<u64>,
    failures: u64,
}

impl Model {
    fn is_new(&self, seq: u64) -> Result<(), Discard> {
        match self.taken.iter().max() {
            Some(top) if seq + 64 <= *top => Err(Discard::TooOld),
            _ if self.taken.contains(&seq) => Err(Discard::Replay),
            _ => Ok(()),
        }
    }

    fn authentic(&mut self, kind: Kind) -> Result<(), Discard> {
        match kind {
            Kind::Genuine => Ok(()),
            Kind::Forged => {
                self.failures += 1;
                Err(Discard::BadTag)
            }
            Kind::Short => Err(Discard::Malformed),
        }
    }

    /// In DTLS 1.2 the number is known before authentication, in DTLS 1.3 only by it. Returns whether it is the newest.
    fn open(&mut self, seq: u64, kind: Kind, number_in_clear: bool) -> Result<bool, Discard> {
        if number_in_clear {
            self.is_new(seq)?;
            self.authentic(kind)?;
        } else {
            self.authentic(kind)?;
            self.is_new(seq)?;
        }
        let newest = self.taken.iter().all(|taken| *taken < seq);
        self.taken.push(seq);
        Ok(newest)
    }
}

fn compare(protection: impl Fn() -> Protection) -> u64 {
    let number_in_clear = !matches!(protection(), Protection::V13(_));
    let samples = samples(&protection());
    let mut cases = 0;
    for code in 0..samples.len().pow(4) {
        let (mut reader, mut model) = (ReadEpoch::new(5, protection(), 64), Model::default());
        let mut rest = code;
        for _ in 0..4 {
            let Sample { seq, kind, bytes } = &samples[rest % samples.len()];
            rest /= samples.len();
            let may_open = model.clone().open(*seq, *kind, number_in_clear).is_ok();
            let (mut buffer, mut copy) = ([0; 80], [0; 80]);
            let (buffer, copy) = (&mut buffer[..bytes.len()], &mut copy[..bytes.len()]);
            buffer.copy_from_slice(bytes);
            copy.copy_from_slice(bytes);
            assert_eq!(reader.authenticates(split_first(copy).unwrap().0), may_open);
            let opened = match split_first(buffer).unwrap().0 {
                RawRecord::Legacy { header, body } => reader.open_legacy(&header, body),
                RawRecord::Unified { header, body } => reader.open_unified(header, body),
            };
            let opened = opened.map(|opened| {
                assert_eq!((opened.number, opened.typ.0), (RecordNumber::new(5, *seq), 23));
                assert_eq!(opened.body, [0x5a; 20]);
                opened.newest
            });
            assert_eq!(opened, model.open(*seq, *kind, number_in_clear), "{code}: {seq} {kind:?}");
            assert_eq!(reader.failures, model.failures);
            assert_eq!(reader.window.next(), model.taken.iter().max().map_or(0, |top| top + 1));
            cases += 1;
        }
    }
    cases
}

#[test]
fn every_four_records_genuine_or_not() {
    let witness = Witness::default();
    let cases = [
        compare(|| witness.protect12(Nonce12::Explicit([7; 4]), 8)),
        compare(|| witness.protect12(Nonce12::Implicit([7; NONCE_LEN]), 16)),
        compare(|| witness.protect13([7; NONCE_LEN], AeadAlgorithm::Aes128Gcm)),
    ];
    println!("every four records: {} cases", cases.iter().sum::<u64>());
}
