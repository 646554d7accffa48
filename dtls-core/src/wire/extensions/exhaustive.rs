//! Every small extension in every message, and every two of them, against a second reading of the RFCs.

use std::{println, vec::Vec};

use super::*;
use crate::wire::codec::encode_to_vec;

use ExtensionContext::{ClientHello, EncryptedExtensions, HelloRetryRequest, ServerHello12, ServerHello13};

const CONTEXTS: [ExtensionContext; 5] =
    [ClientHello, ServerHello12, ServerHello13, HelloRetryRequest, EncryptedExtensions];

const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const EXTENDED_MASTER_SECRET: u16 = 23;
const PRE_SHARED_KEY: u16 = 41;
const VERSIONS: u16 = 43;
const COOKIE: u16 = 44;
const PSK_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;
const RENEGOTIATION: u16 = 0xff01;
/// Those the library knows, one that it does not, and one that nobody does.
const TYPES: [u16; 11] = [
    GROUPS,
    POINT_FORMATS,
    EXTENDED_MASTER_SECRET,
    PRE_SHARED_KEY,
    VERSIONS,
    COOKIE,
    PSK_MODES,
    KEY_SHARE,
    RENEGOTIATION,
    0,
    0xfefe,
];

/// What is to become of an extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Read,
    Malformed,
    Misplaced,
    /// Passed over.
    Ignored,
    Unknown,
}

/// Whether `body` is a list with its length in `prefix` bytes in front, of at least `least` bytes in entries of `entry` bytes.
fn is_list(body: &[u8], prefix: usize, least: usize, entry: usize) -> bool {
    let Some((length, list)) = body.split_at_checked(prefix) else { return false };
    let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    length == list.len() && length >= least && length % entry == 0
}

fn is_share(body: &[u8]) -> bool {
    body.len() > 4 && is_list(&body[2..], 2, 1, 1)
}

fn fate(context: ExtensionContext, typ: u16, body: &[u8]) -> Fate {
    let well_formed = match (typ, context) {
        (GROUPS, ServerHello12 | EncryptedExtensions) => return Fate::Ignored,
        (GROUPS, ClientHello) => is_list(body, 2, 2, 2),
        (POINT_FORMATS, ClientHello | ServerHello12) => is_list(body, 1, 1, 1),
        (EXTENDED_MASTER_SECRET, ClientHello | ServerHello12) => body.is_empty(),
        (RENEGOTIATION, ClientHello | ServerHello12) => is_list(body, 1, 0, 1),
        (VERSIONS, ClientHello) => is_list(body, 1, 2, 2),
        (COOKIE, ClientHello | HelloRetryRequest) => is_list(body, 2, 1, 1),
        (PSK_MODES, ClientHello) => is_list(body, 1, 1, 1),
        // Short bodies have one share at most.
        (KEY_SHARE, ClientHello) => is_list(body, 2, 0, 1) && (body.len() == 2 || is_share(&body[2..])),
        (KEY_SHARE, ServerHello13) => is_share(body),
        (VERSIONS | KEY_SHARE, HelloRetryRequest) | (VERSIONS | PRE_SHARED_KEY, ServerHello13) => {
            body.len() == 2
        }
        // An identity of one byte and a binder of 32 is the least there can be.
        (PRE_SHARED_KEY, ClientHello) => body == psks(),
        (0 | 0xfefe, _) => return Fate::Unknown,
        _ => return Fate::Misplaced,
    };
    if well_formed { Fate::Read } else { Fate::Malformed }
}

fn psks() -> Vec<u8> {
    [&[0, 7, 0, 1, 9, 0, 0, 0, 0, 0, 33, 32][..], &[7; 32]].concat()
}

fn block(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let prefixed = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let each = extensions.iter().map(|(typ, body)| [&typ.to_be_bytes()[..], &prefixed(body)].concat());
    prefixed(&each.collect::<Vec<_>>().concat())
}

/// Parses the block and compares what is made of it with the fates of its extensions.
fn assert_parsed(context: ExtensionContext, extensions: &[(u16, &[u8])]) {
    let block = block(extensions);
    let parsed = Reader::all(&block, |r| Extensions::parse(context, r));
    let fates: Vec<Fate> = extensions.iter().map(|(typ, body)| fate(context, *typ, body)).collect();
    let twice = extensions.len() == 2 && extensions[0].0 == extensions[1].0;
    if twice || fates.contains(&Fate::Malformed) {
        assert!(parsed.is_err(), "{context:?} {extensions:?}");
        return;
    }
    let parsed = parsed.unwrap_or_else(|error| panic!("{context:?} {extensions:?}: {error:?}"));
    // Nothing follows the keys of a client.
    let early = context == ClientHello && extensions.len() == 2 && extensions[0].0 == PRE_SHARED_KEY;
    let expected = (fates.contains(&Fate::Unknown), fates.contains(&Fate::Misplaced) || early);
    assert_eq!((parsed.unknown, parsed.misplaced), expected, "{context:?} {extensions:?}");
    // What was read, and only that, is written again, in one order.
    let read: Vec<_> =
        extensions.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Read).map(|(e, _)| *e).collect();
    let written = encode_to_vec(|w| parsed.write(w)).unwrap();
    let either_order = [self::block(&read), self::block(&read.iter().rev().copied().collect::<Vec<_>>())];
    assert!(
        either_order.contains(&written) || (read.is_empty() && written.is_empty()),
        "{context:?} {extensions:?}"
    );
}

#[test]
fn every_short_extension_in_every_message() {
    const BYTES: [u8; 4] = [0, 1, 2, 5];
    let mut cases = 0u64;
    for length in 0..=6 {
        for code in 0..BYTES.len().pow(length) {
            let body: Vec<u8> = (0..length).map(|i| BYTES[code >> (2 * i) & 3]).collect();
            for (context, typ) in CONTEXTS.into_iter().flat_map(|c| TYPES.map(|typ| (c, typ))) {
                assert_parsed(context, &[(typ, &body)]);
                cases += 1;
            }
        }
    }
    println!("extensions: {cases} cases");
}

#[test]
fn every_two_extensions_in_every_message() {
    let bodies: [&[u8]; 9] = [
        &[],
        &[0],
        &[1, 0],
        &[2, 3, 4],
        &[0, 0],
        &[0, 2, 3, 4],
        &[0, 29, 0, 1, 9],
        &[0, 5, 0, 29, 0, 1, 9],
        &psks(),
    ];
    let all: Vec<(u16, &[u8])> = TYPES.into_iter().flat_map(|typ| bodies.map(|body| (typ, body))).collect();
    let mut cases = 0u64;
    for (context, first) in CONTEXTS.into_iter().flat_map(|c| all.iter().map(move |first| (c, *first))) {
        for second in &all {
            assert_parsed(context, &[first, *second]);
            cases += 1;
        }
    }
    println!("two extensions: {cases} cases");
}

#[test]
fn every_cut_of_a_block() {
    let whole = block(&[(GROUPS, &[0, 2, 0, 29]), (0xfefe, &[1, 2, 3]), (EXTENDED_MASTER_SECRET, &[])]);
    for cut in 0..=whole.len() {
        let parsed = Reader::all(&whole[..cut], |r| Extensions::parse(ClientHello, r));
        // No block at all is as good as a whole one.
        assert_eq!(parsed.is_ok(), cut == 0 || cut == whole.len(), "{cut}");
        let mut shorter = whole[..cut].to_vec();
        if let Some(prefix) = shorter.first_chunk_mut::<2>() {
            *prefix = ((cut - 2) as u16).to_be_bytes();
            let parsed = Reader::all(&shorter, |r| Extensions::parse(ClientHello, r));
            assert_eq!(parsed.is_ok(), [2, 10, 17, 21].contains(&cut), "{cut}");
        }
    }
    let too_many: Vec<_> = (0..65).map(|typ| (0x8000 + typ, &[][..])).collect();
    for count in [63, 64, 65] {
        let block = block(&too_many[..count]);
        assert_eq!(Reader::all(&block, |r| Extensions::parse(ClientHello, r)).is_ok(), count < 65);
    }
}
