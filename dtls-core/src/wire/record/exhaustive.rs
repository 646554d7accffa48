//! Every first byte, length and cut of small datagrams, against a second reading of RFC 6347 §4.1 and RFC 9147 §4.

use std::{println, vec, vec::Vec};

use super::*;

/// How long header and body of the first record are.
fn model(datagram: &[u8]) -> Result<(usize, usize), Discard> {
    let u16_at = |at: usize| usize::from(datagram[at]) << 8 | usize::from(datagram[at + 1]);
    let first = *datagram.first().ok_or(Discard::Malformed)?;
    let (header, body, most) = match first {
        // 001C, S: two bytes of number, L: two of length
        0x20..=0x2f => {
            let number = if first & 8 == 8 { 2 } else { 1 };
            let header = 1 + number + if first & 4 == 4 { 2 } else { 0 };
            if datagram.len() < header {
                return Err(Discard::Malformed);
            }
            let body = if first & 4 == 4 { u16_at(1 + number) } else { datagram.len() - header };
            (header, body, 16_384 + 256)
        }
        20..=31 if datagram.len() >= 13 && datagram[1] == 0xfe => (13, u16_at(11), 16_384 + 2048),
        _ => return Err(Discard::Malformed),
    };
    match body {
        _ if body > most => Err(Discard::TooLong),
        _ if header + body > datagram.len() => Err(Discard::Malformed),
        _ => Ok((header, body)),
    }
}

fn assert_split(datagram: &[u8]) {
    let mut copy = [0; 80];
    let mut large;
    let bytes = match copy.get_mut(..datagram.len()) {
        Some(bytes) => bytes,
        None => {
            large = vec![0; datagram.len()];
            &mut large[..]
        }
    };
    bytes.copy_from_slice(datagram);
    match (split_first(bytes), model(datagram)) {
        (Err(error), Err(expected)) => assert_eq!(error, expected, "{datagram:?}"),
        (Ok((record, rest)), Ok((head, length))) => {
            let body = match record {
                RawRecord::Legacy { header, body } => {
                    assert_eq!((head, header.typ.0), (13, datagram[0]));
                    assert_eq!(header.version.0.to_be_bytes(), datagram[1..3]);
                    assert_eq!(header.number.to_be_bytes(), datagram[3..11]);
                    assert_eq!(header.encode(length as u16), datagram[..13]);
                    body
                }
                RawRecord::Unified { header, body } => {
                    assert_eq!(header, &datagram[..head]);
                    assert_eq!(UnifiedFlags(header[0]).epoch_bits(), datagram[0] % 4);
                    body
                }
            };
            assert_eq!(body, &datagram[head..head + length]);
            assert_eq!(rest, &datagram[head + length..]);
        }
        (result, expected) => panic!("{result:?}, not {expected:?}: {datagram:?}"),
    }
}

/// Lengths a header may claim: all that a small datagram can have, and those around each limit.
fn claims() -> impl Iterator<Item = u16> + Clone {
    (0..68).chain([255, 256, 16_383, 16_384, 16_385, 16_639, 16_640, 16_641, 18_431, 18_432, 18_433, 65_535])
}

#[test]
fn every_first_byte_length_and_cut() {
    let mut cases = 0u64;
    let filler: Vec<u8> = (100..180).collect();
    for first in 0..=u8::MAX {
        let majors: &[u8] = if UnifiedFlags::is_unified(first) { &[101] } else { &[0xfe, 0, 3, 0xfd, 0xff] };
        for &major in majors {
            for claim in claims() {
                let mut bytes = filler.clone();
                (bytes[0], bytes[1]) = (first, major);
                let at = match first {
                    0x20..=0x3f => 1 + UnifiedFlags(first).number_len(),
                    _ => 11,
                };
                bytes[at..at + 2].copy_from_slice(&claim.to_be_bytes());
                for n in 0..=64 {
                    assert_split(&bytes[..n]);
                    cases += 1;
                }
            }
        }
    }
    println!("first records: {cases} cases");
}

#[test]
fn the_longest_records() {
    let mut cases = 0u64;
    for first in [20, 22, 31, 0x20, 0x24, 0x28, 0x2c, 0x2f] {
        for n in [16_384, 16_640, 18_432].into_iter().flat_map(|n: usize| n - 2..n + 16) {
            for claim in (0..20).map(|less| n - less) {
                let mut bytes = vec![first; n];
                bytes[1] = 0xfe;
                let at = if first < 32 { 11 } else { 1 + UnifiedFlags(first).number_len() };
                bytes[at..at + 2].copy_from_slice(&(claim as u16).to_be_bytes());
                assert_split(&bytes);
                cases += 1;
            }
        }
    }
    println!("longest records: {cases} cases");
}

#[test]
fn every_epoch_and_form_has_its_first_byte() {
    let mut cases = 0u64;
    for epoch in 0..=u16::MAX {
        for (wide, length) in [(false, false), (false, true), (true, false), (true, true)] {
            let flags = UnifiedFlags::new(epoch, wide, length);
            assert_eq!(
                flags.0,
                0x20 + if wide { 8 } else { 0 } + if length { 4 } else { 0 } + (epoch % 4) as u8
            );
            assert!(UnifiedFlags::is_unified(flags.0));
            let parts = (flags.number_len(), flags.has_length(), u16::from(flags.epoch_bits()));
            assert_eq!(parts, (if wide { 2 } else { 1 }, length, epoch % 4));
            assert_eq!(flags.header_len(), 1 + parts.0 + if length { 2 } else { 0 });
            cases += 1;
        }
    }
    println!("first bytes: {cases} cases");
}

/// The records that can stand anywhere in a datagram: header and body, both of bytes that no length is made of.
fn records() -> Vec<(usize, Vec<u8>)> {
    let mut all = vec![];
    for length in [0u8, 1, 2, 20] {
        let body = vec![0xb0; length.into()];
        let legacy = [&[23, 0xfe, 0xfd, 0, 1, 9, 9, 9, 9, 9, 9, 0, length], &body[..]].concat();
        let short = [&[0x26, 9, 0, length], &body[..]].concat();
        let wide = [&[0x2f, 9, 9, 0, length], &body[..]].concat();
        all.extend([(13, legacy), (4, short), (5, wide)]);
    }
    all
}

/// What is put together comes apart again: no byte is lost, shared or moved.
#[test]
fn every_datagram_of_up_to_three_records() {
    let mut cases = 0u64;
    let last = [0u8, 1, 20].map(|n| [vec![0x23, 9], vec![0xb0; n.into()]].concat());
    let all = records();
    let ends: Vec<(usize, Vec<u8>)> = all.iter().cloned().chain(last.map(|record| (2, record))).collect();
    let none = (0, vec![]);
    for a in all.iter().chain([&none]) {
        for b in all.iter().chain([&none]) {
            for c in &ends {
                let expected: Vec<_> = [a, b, c].into_iter().filter(|r| r.0 > 0).collect();
                let mut datagram = [&a.1[..], &b.1, &c.1].concat();
                let mut rest = &mut datagram[..];
                for (head, record) in expected {
                    let (first, tail) = split_first(rest).unwrap();
                    let body = match first {
                        RawRecord::Legacy { body, .. } | RawRecord::Unified { body, .. } => body,
                    };
                    assert_eq!(body, &record[*head..]);
                    rest = tail;
                }
                assert_eq!(rest, &[0u8; 0]);
                cases += 1;
            }
        }
    }
    println!("datagrams of up to three records: {cases} cases");
}
