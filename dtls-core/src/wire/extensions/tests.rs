use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::wire::{
    codec::encode_to_vec,
    properties::{hostile, owned_extensions},
};

use ExtensionContext::{ClientHello, ServerHello12};

const BOTH: [ExtensionContext; 2] = [ClientHello, ServerHello12];

/// Every known extension, in the order of the table.
const ALL_KNOWN: &[u8] = &[
    0x00, 0x19, // block
    0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17, // supported_groups
    0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, // ec_point_formats
    0x00, 0x17, 0x00, 0x00, // extended_master_secret
    0xff, 0x01, 0x00, 0x01, 0x00, // renegotiation_info
];

fn parse(context: ExtensionContext, block: &[u8]) -> Result<Extensions<'_>, DecodeError> {
    Reader::all(block, |r| Extensions::parse(context, r))
}

fn write(extensions: &Extensions<'_>) -> Vec<u8> {
    encode_to_vec(|w| extensions.write(w)).unwrap()
}

/// An extensions block of these extensions.
fn block(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let written = encode_to_vec(|w| {
        w.nested16(|w| {
            extensions.iter().try_for_each(|&(typ, body)| {
                w.u16(typ)?;
                w.nested16(|w| w.bytes(body))
            })
        })
    });
    written.unwrap()
}

#[test]
fn every_extension_is_read_where_it_may_stand() {
    let hello = parse(ClientHello, ALL_KNOWN).unwrap();
    let groups = hello.supported_groups.unwrap();
    assert_eq!(groups.iter().collect::<Vec<_>>(), [0x1d, 0x17]);
    assert!(groups.contains(0x17) && !groups.contains(0x18));
    assert_eq!(hello.ec_point_formats, Some(&[0][..]));
    assert!(hello.extended_master_secret);
    assert_eq!(hello.renegotiation_info, Some(&[][..]));
    assert!(!hello.unknown && !hello.misplaced);
    assert_eq!(write(&hello), ALL_KNOWN);

    let answer = parse(ServerHello12, ALL_KNOWN).unwrap();
    assert_eq!(answer, Extensions { supported_groups: None, ..hello });
}

#[test]
fn supported_groups_of_a_server_are_passed_over_whatever_they_say() {
    for body in [&b""[..], b"\x00", b"\x00\x02\x00\x17", b"\x00\x03\x00"] {
        let block = block(&[(10, body), (23, b"")]);
        let expected = Extensions { extended_master_secret: true, ..Extensions::default() };
        assert_eq!(parse(ServerHello12, &block), Ok(expected));
    }
}

#[test]
fn an_absent_and_an_empty_block_hold_nothing() {
    for context in BOTH {
        assert_eq!(parse(context, &[]), Ok(Extensions::default()));
        assert_eq!(parse(context, &[0, 0]), Ok(Extensions::default()));
    }
    assert_eq!(write(&Extensions::default()), []);
    let flags_only = Extensions { unknown: true, misplaced: true, ..Extensions::default() };
    assert_eq!(write(&flags_only), []);
}

#[test]
fn unknown_extensions_are_skipped_and_flagged() {
    let block = block(&[(0, b"\x00\x00"), (23, b""), (0xfafa, b"grease"), (35, b"")]);
    for context in BOTH {
        let expected = Extensions { extended_master_secret: true, unknown: true, ..Extensions::default() };
        assert_eq!(parse(context, &block), Ok(expected));
    }
}

#[test]
fn a_known_extension_in_the_wrong_message_is_flagged_and_not_read() {
    extension_table! {
        /// A table with an extension that only clients send, of which the real one has none yet.
        struct ClientOnly {
            EC_POINT_FORMATS => formats: Option<&'a [u8]> {
                in: [ClientHello],
                ignored in: [],
                read: |r: &mut Reader<'a>| r.vec8(),
                write: write_vec8,
            }
        }
    }
    let good = block(&[(11, b"\x01\x00")]);
    let hello = Reader::all(&good, |r| ClientOnly::parse(ClientHello, r)).unwrap();
    assert_eq!((hello.formats, hello.misplaced), (Some(&[0][..]), false));
    assert_eq!(encode_to_vec(|w| hello.write(w)).unwrap(), good);
    for body in [&b"\x01\x00"[..], b"garbage"] {
        let block = block(&[(11, body)]);
        let answer = Reader::all(&block, |r| ClientOnly::parse(ServerHello12, r)).unwrap();
        assert_eq!((answer.formats, answer.misplaced, answer.unknown), (None, true, false));
    }
}

#[test]
fn no_type_stands_twice() {
    for typ in [10, 11, 23, 0xff01, 0, 35, 0xfafa] {
        let body: &[u8] = match typ {
            10 => b"\x00\x02\x00\x17",
            11 => b"\x01\x00",
            0xff01 => b"\x00",
            _ => b"",
        };
        for between in [&[][..], &[(60, &b"x"[..]), (61, b"y")]] {
            let twice = [&[(typ, body)], between, &[(typ, body)]].concat();
            for context in BOTH {
                assert_eq!(parse(context, &block(&twice)), Err(DecodeError::DuplicateExtension), "{typ}");
            }
        }
    }
}

#[test]
fn the_number_of_extensions_is_bounded() {
    let many: Vec<(u16, &[u8])> = (1000..1065).map(|typ| (typ, &b""[..])).collect();
    assert!(parse(ClientHello, &block(&many[..64])).unwrap().unknown);
    assert_eq!(parse(ClientHello, &block(&many)), Err(DecodeError::Length));
    // The largest block there can be is refused as early.
    let most: Vec<(u16, &[u8])> = (1000..17_000).map(|typ| (typ, &b""[..])).collect();
    assert_eq!(parse(ClientHello, &block(&most)), Err(DecodeError::Length));
}

#[test]
fn bodies_keep_to_their_bounds() {
    for (typ, body, error) in [
        (10, &b""[..], DecodeError::Truncated),
        (10, b"\x00\x00", DecodeError::Length),
        (10, b"\x00\x01\x00", DecodeError::Length),
        (10, b"\x00\x03\x00\x17\x00", DecodeError::Length),
        (10, b"\x00\x04\x00\x17", DecodeError::Truncated),
        (10, b"\x00\x02\x00\x17\x00", DecodeError::Trailing),
        (11, b"", DecodeError::Truncated),
        (11, b"\x00", DecodeError::Length),
        (11, b"\x02\x00", DecodeError::Truncated),
        (11, b"\x01\x00\x00", DecodeError::Trailing),
        (23, b"\x00", DecodeError::Trailing),
        (0xff01, b"", DecodeError::Truncated),
        (0xff01, b"\x00\x00", DecodeError::Trailing),
        (0xff01, b"\x02\x00", DecodeError::Truncated),
    ] {
        assert_eq!(parse(ClientHello, &block(&[(typ, body)])), Err(error), "{typ}: {body:?}");
    }
    let verify_data = block(&[(0xff01, b"\x02ab")]);
    assert_eq!(parse(ClientHello, &verify_data).unwrap().renegotiation_info, Some(&b"ab"[..]));
}

#[test]
fn the_block_is_cut_nowhere() {
    for n in 1..ALL_KNOWN.len() {
        assert_eq!(parse(ClientHello, &ALL_KNOWN[..n]), Err(DecodeError::Truncated));
    }
    let longer = [ALL_KNOWN, &[0]].concat();
    assert_eq!(parse(ClientHello, &longer), Err(DecodeError::Trailing));
    for inner in [&[0][..], &[0, 23], &[0, 23, 0], &[0, 23, 0, 1]] {
        let length = u8::try_from(inner.len()).unwrap();
        let block = [&[0, length], inner].concat();
        assert_eq!(parse(ClientHello, &block), Err(DecodeError::Truncated));
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(owned in owned_extensions()) {
        let extensions = owned.as_extensions();
        let written = write(&extensions);
        prop_assert_eq!(parse(ClientHello, &written), Ok(extensions));
        let without_groups = Extensions { supported_groups: None, ..owned.as_extensions() };
        prop_assert_eq!(parse(ServerHello12, &written), Ok(without_groups));
    }

    #[test]
    fn what_is_accepted_says_the_same_when_written(bytes in hostile(&[ALL_KNOWN])) {
        for context in BOTH {
            let Ok(read) = parse(context, &bytes) else { continue };
            let known = Extensions { unknown: false, misplaced: false, ..read };
            assert_eq!(parse(context, &write(&known)).as_ref(), Ok(&known));
        }
    }
}
