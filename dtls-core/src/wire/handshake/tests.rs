use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::wire::properties::{bytes, hostile};

/// ServerKeyExchange, ServerHelloDone of OpenSSL 3.0 as it numbers them.
const OPENSSL_FLIGHT: &[u8] = &[
    0x0c, 0x00, 0x00, 0x06, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x00, 0x04, 0x68, 0x69, 0x6e,
    0x74, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];

fn header(length: u32, fragment_offset: u32, fragment_length: u32) -> FragmentHeader {
    FragmentHeader {
        typ: HandshakeType::CLIENT_HELLO,
        length,
        message_seq: 0x0102,
        fragment_offset,
        fragment_length,
    }
}

fn parse(header: FragmentHeader) -> Result<FragmentHeader, DecodeError> {
    Reader::all(&header.encode(), FragmentHeader::parse)
}

#[test]
fn several_messages_share_a_record() {
    let fragments: Result<Vec<_>, _> = Fragments::new(OPENSSL_FLIGHT).collect();
    let fragments = fragments.unwrap();
    let [hint, done] = fragments[..] else { panic!("{} fragments", fragments.len()) };
    assert_eq!((hint.header.typ, hint.header.message_seq), (HandshakeType::SERVER_KEY_EXCHANGE, 2));
    assert_eq!(hint.body, b"\x00\x04hint");
    assert_eq!((done.header.typ, done.header.message_seq), (HandshakeType::SERVER_HELLO_DONE, 3));
    assert_eq!((done.header.length, done.body), (0, &[][..]));
}

#[test]
fn the_transcript_header_is_that_of_an_unfragmented_message() {
    let message = Message { typ: HandshakeType::SERVER_KEY_EXCHANGE, seq: 2, body: b"\x00\x04hint" };
    assert_eq!(message.header(), OPENSSL_FLIGHT[..HEADER_LEN]);
    let message = Message { typ: HandshakeType::SERVER_HELLO_DONE, seq: 3, body: &[] };
    assert_eq!(message.header(), OPENSSL_FLIGHT[HEADER_LEN + 6..]);
}

#[test]
fn a_fragment_lies_within_its_message() {
    for (length, offset, fragment_length) in [(10, 0, 10), (10, 9, 1), (0, 0, 0), (0xff_ffff, 0xff_fffe, 1)] {
        let header = header(length, offset, fragment_length);
        assert_eq!(parse(header), Ok(header));
    }
    for (length, offset, fragment_length) in [
        (10, 0, 11),
        (10, 10, 1),
        (10, 9, 2),
        (0, 1, 0),
        (0, 0, 1),
        (10, 0xff_ffff, 1),
        (0xff_ffff, 0xff_ffff, 0xff_ffff),
    ] {
        assert_eq!(parse(header(length, offset, fragment_length)), Err(DecodeError::Length));
    }
}

#[test]
fn an_empty_fragment_of_a_longer_message_is_refused() {
    for offset in [0, 5, 10] {
        assert_eq!(parse(header(10, offset, 0)), Err(DecodeError::Length));
    }
}

#[test]
fn an_empty_record_yields_one_error() {
    let mut fragments = Fragments::new(&[]);
    assert_eq!(fragments.next(), Some(Err(DecodeError::Truncated)));
    assert_eq!(fragments.next(), None);
}

#[test]
fn nothing_follows_an_error() {
    let mut record = OPENSSL_FLIGHT.to_vec();
    record.truncate(HEADER_LEN + 5);
    record.extend_from_slice(OPENSSL_FLIGHT);
    record[11] = 7; // longer than the message
    let mut fragments = Fragments::new(&record);
    assert_eq!(fragments.next(), Some(Err(DecodeError::Length)));
    assert_eq!(fragments.next(), None);
    assert_eq!(fragments.next(), None);
}

#[test]
fn a_cut_record_ends_in_an_error() {
    for n in 0..OPENSSL_FLIGHT.len() {
        let fragments = Fragments::new(&OPENSSL_FLIGHT[..n]);
        let whole = n == HEADER_LEN + 6;
        assert_eq!(fragments.last().unwrap().is_ok(), whole, "{n} bytes");
    }
}

proptest! {
    #[test]
    fn headers_read_back(typ: u8, seq: u16, body in 1..=0xff_ffffu32, a in any::<u32>(), b in any::<u32>()) {
        let offset = a % body;
        let header = FragmentHeader {
            typ: HandshakeType(typ),
            length: body,
            message_seq: seq,
            fragment_offset: offset,
            fragment_length: 1 + b % (body - offset),
        };
        prop_assert_eq!(parse(header), Ok(header));
    }

    #[test]
    fn fragments_of_any_record_cover_it_or_end_in_an_error(record in hostile(&[OPENSSL_FLIGHT])) {
        let mut covered = Vec::new();
        let mut failed = false;
        for fragment in Fragments::new(&record) {
            prop_assert!(!failed);
            match fragment {
                Ok(fragment) => {
                    covered.extend_from_slice(&fragment.header.encode());
                    covered.extend_from_slice(fragment.body);
                }
                Err(_) => failed = true,
            }
        }
        prop_assert!(record.starts_with(&covered));
        prop_assert_eq!(failed, covered != record || record.is_empty());
    }

    #[test]
    fn a_message_cut_into_fragments_comes_back(body in bytes(1..=200), size in 1..50usize, seq: u16) {
        let typ = HandshakeType::FINISHED;
        let length = u32::try_from(body.len()).unwrap();
        let mut record = Vec::new();
        for (i, chunk) in body.chunks(size).enumerate() {
            let header = FragmentHeader {
                typ,
                length,
                message_seq: seq,
                fragment_offset: u32::try_from(i * size).unwrap(),
                fragment_length: u32::try_from(chunk.len()).unwrap(),
            };
            record.extend_from_slice(&header.encode());
            record.extend_from_slice(chunk);
        }
        let mut joined = Vec::new();
        for fragment in Fragments::new(&record) {
            let Fragment { header, body } = fragment.unwrap();
            prop_assert_eq!((header.typ, header.length, header.message_seq), (typ, length, seq));
            prop_assert_eq!(usize::try_from(header.fragment_offset).unwrap(), joined.len());
            joined.extend_from_slice(body);
        }
        prop_assert_eq!(joined, body);
    }
}
