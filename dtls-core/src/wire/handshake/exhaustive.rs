//! Every small fragment, whole or not, against a second reading of RFC 6347 §4.2.2.

use std::{println, vec::Vec};

use super::*;

#[test]
fn every_length_offset_and_part() {
    let mut cases = 0u64;
    let values = || (0..=7u32).chain([0x100, 0xff_fffe, 0xff_ffff]);
    let u24 = |n: u32| n.to_be_bytes().into_iter().skip(1);
    for (length, offset) in values().flat_map(|a| values().map(move |b| (a, b))) {
        for (part, there) in values().flat_map(|a| (0..=9).map(move |b| (a, b))) {
            let front = [20].into_iter().chain(u24(length)).chain([1, 2]);
            let head: Vec<u8> = front.chain(u24(offset)).chain(u24(part)).collect();
            let record: Vec<u8> = head.iter().copied().chain(100..100 + there).collect();
            // It lies within its message and within its record, and is not empty unless the message is.
            let is_coherent = offset + part <= length && (part > 0 || length == 0);
            let expected = if !is_coherent {
                Err(DecodeError::Length)
            } else if part > u32::from(there) {
                Err(DecodeError::Truncated)
            } else {
                Ok((length, offset, &record[12..12 + part as usize]))
            };
            let mut fragments = Fragments::new(&record);
            let first = fragments.next().unwrap().map(|fragment| {
                assert_eq!((fragment.header.typ.0, fragment.header.message_seq), (20, 0x0102));
                assert_eq!(fragment.header.encode(), head[..]);
                (fragment.header.length, fragment.header.fragment_offset, fragment.body)
            });
            assert_eq!(first, expected, "{length} {offset} {part}, {there} bytes");
            // What follows is too short to be another one.
            let rest = expected.is_ok_and(|(_, _, body)| body.len() < there.into());
            assert_eq!(fragments.next(), rest.then_some(Err(DecodeError::Truncated)));
            assert_eq!(fragments.next(), None);
            cases += 1;
        }
    }
    println!("fragments: {cases} cases");
}

#[test]
fn every_cut_of_two_fragments() {
    let mut cases = 0u64;
    for (a, b) in (0..=6u32).flat_map(|a| (0..=6u32).map(move |b| (a, b))) {
        let fragment = |n: u32, seq: u16| {
            let typ = HandshakeType::FINISHED;
            let (offset, length) = (0, n);
            let header =
                FragmentHeader { typ, length, message_seq: seq, fragment_offset: offset, fragment_length: n };
            [&header.encode()[..], &[0xaa; 6][..n as usize]].concat()
        };
        let record = [fragment(a, 0), fragment(b, 1)].concat();
        let edge = 12 + a as usize;
        for cut in 0..=record.len() {
            let seen: Vec<bool> = Fragments::new(&record[..cut]).map(|f| f.is_ok()).collect();
            let expected: &[bool] = match cut {
                _ if cut < edge => &[false],
                _ if cut == edge => &[true],
                _ if cut < record.len() => &[true, false],
                _ => &[true, true],
            };
            assert_eq!(seen, expected, "{a} and {b} bytes cut to {cut}");
            cases += 1;
        }
    }
    println!("cut fragments: {cases} cases");
}
