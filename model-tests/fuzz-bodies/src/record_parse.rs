//! Splitting datagrams, records and handshake fragments.

use dtls_core::internals::{Fragment, Reassembly, Record, decodes};
use dtls_core::{ContentType, HandshakeType};

const RECORD_HEADER: usize = 13;
const FRAGMENT_HEADER: usize = 12;
/// RFC 5246 §6.2.3.
const LONGEST_RECORD: usize = (1 << 14) + 2048;

/// Takes `data` for a datagram. Records and fragments are exactly those that a second, simple reading of the bytes finds;
/// written anew they give the same bytes; there are no more steps than headers fit in; reassembly returns no byte that was
/// not put in.
pub fn record_parse(data: &[u8]) {
    let mut datagram = data.to_vec();
    let mut rest = datagram.as_mut_slice();
    let mut reassembly = Reassembly::new(0);
    let (mut at, mut records) = (0, 0);
    let (mut put_in, mut taken_out) = (0, 0);
    loop {
        let expected = record_length(&data[at..]);
        let (record, tail) = match Record::split_first(rest) {
            Ok(split) => split,
            Err(reason) => {
                assert_eq!(expected, None, "a record was refused: {reason}");
                break;
            }
        };
        let body = &data[at + RECORD_HEADER..];
        assert_eq!(expected, Some(record.body.len()), "where the record ends");
        assert_eq!(record.header(), data[at..at + RECORD_HEADER], "the header written anew");
        assert_eq!(record.body, &body[..record.body.len()]);
        if record.content == ContentType::HANDSHAKE {
            put_in += fragments(record.body, record.number.epoch(), &mut reassembly);
        }
        at += RECORD_HEADER + record.body.len();
        assert_eq!(tail.len(), data.len() - at);
        records += 1;
        assert!(records * RECORD_HEADER <= data.len(), "more records than headers");
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    while let Some(message) = reassembly.pop() {
        taken_out += message.body.len();
        // Nothing depends on the result: decoding must end without a panic.
        decodes(message.typ, &message.body);
    }
    assert!(taken_out <= put_in, "{taken_out} bytes came out of {put_in}");
}

/// The body length of the record at the start of `bytes`, if there is a whole one (RFC 6347 §4.1).
fn record_length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..RECORD_HEADER)?;
    let length = usize::from(header[11]) << 8 | usize::from(header[12]);
    let framed = (20..64).contains(&header[0]) && header[1] == 254;
    (framed && length <= LONGEST_RECORD && length <= bytes.len() - RECORD_HEADER).then_some(length)
}

/// Reads a handshake record and returns the bytes of all its fragments.
fn fragments(body: &[u8], epoch: u16, reassembly: &mut Reassembly) -> usize {
    let (mut at, mut bytes) = (0, 0);
    for fragment in Fragment::all(body) {
        let expected = fragment_length(&body[at..]);
        let Ok(fragment) = fragment else {
            assert_eq!(expected, None, "a fragment was refused");
            return bytes;
        };
        assert_eq!(expected, Some(fragment.body().len()), "where the fragment ends");
        let header = fragment.header();
        assert_eq!(header, body[at..at + FRAGMENT_HEADER], "the header written anew");
        decodes(HandshakeType(header[0]), fragment.body());
        at += FRAGMENT_HEADER + fragment.body().len();
        // Why a fragment is refused does not matter here.
        let _refused = reassembly.insert(&fragment, epoch);
        bytes += fragment.body().len();
    }
    assert_eq!(at, body.len(), "all of the record was read");
    bytes
}

/// The body length of the fragment at the start of `bytes`, if there is a whole one (RFC 6347 §4.2.2).
fn fragment_length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..FRAGMENT_HEADER)?;
    let number = |at: usize| header[at..at + 3].iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let (total, offset, length) = (number(1), number(6), number(9));
    let within = offset + length <= total && (length > 0 || total == 0);
    (within && length <= bytes.len() - FRAGMENT_HEADER).then_some(length)
}
