//! Splitting datagrams, records and handshake fragments.

use dtls_core::internals::{Fragment, Reassembly, Record, UnifiedRecord, decodes};
use dtls_core::{ContentType, HandshakeType};

const RECORD_HEADER: usize = 13;
const FRAGMENT_HEADER: usize = 12;
const SHORTEST_HEADER: usize = 2;
/// RFC 5246 §6.2.3.
const LONGEST_RECORD: usize = (1 << 14) + 2048;
/// RFC 8446 §5.2.
const LONGEST_RECORD_13: usize = (1 << 14) + 256;

/// Takes `data` for a datagram. Records and fragments are exactly those that a second, simple reading of the bytes finds;
/// written anew they give the same bytes; there are no more steps than headers fit in; reassembly returns no byte that was
/// not put in.
pub fn record_parse(data: &[u8]) {
    let mut datagram = data.to_vec();
    let mut rest = datagram.as_mut_slice();
    let mut reassembly = Reassembly::new(0);
    let (mut at, mut records) = (0, 0);
    let (mut put_in, mut taken_out) = (0, 0);
    while at < data.len() || records == 0 {
        let expected = record_lengths(&data[at..]);
        let unified = data.get(at).is_some_and(|byte| byte >> 5 == 1);
        let Some((header, body, tail)) = split(rest, unified) else {
            assert_eq!(expected, None, "a record was refused");
            break;
        };
        assert_eq!(expected, Some((header.len(), body.len())), "where header and record end");
        assert_eq!(header, data[at..at + header.len()], "the header written anew");
        let end = at + header.len() + body.len();
        assert_eq!(body, &data[at + header.len()..end]);
        if !unified && ContentType(header[0]) == ContentType::HANDSHAKE {
            put_in += fragments(body, u16::from_be_bytes([header[3], header[4]]), &mut reassembly);
        }
        assert_eq!(tail.len(), data.len() - end);
        (at, rest) = (end, tail);
        records += 1;
        assert!(records * SHORTEST_HEADER <= data.len(), "more records than headers");
    }
    while let Some(message) = reassembly.pop() {
        taken_out += message.body.len();
        // Nothing depends on the result: decoding must end without a panic.
        decodes(message.typ, &message.body);
    }
    assert!(taken_out <= put_in, "{taken_out} bytes came out of {put_in}");
}

/// The first record's header, written anew where that means anything, its body, and the rest of the datagram.
fn split(rest: &mut [u8], unified: bool) -> Option<(Vec<u8>, &[u8], &mut [u8])> {
    if unified {
        let (record, tail) = UnifiedRecord::split_first(rest).ok()?;
        let (header, body) = record.into_parts();
        Some((header.to_vec(), body, tail))
    } else {
        let (record, tail) = Record::split_first(rest).ok()?;
        Some((record.header().to_vec(), record.body, tail))
    }
}

/// The lengths of header and body of the record at the start of `bytes`, if there is a whole one (RFC 6347 §4.1, RFC 9147 §4,
/// without connection IDs).
fn record_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    let (header, length, longest) = if first >> 5 == 1 {
        let number = if first & 0b1000 == 0 { 1 } else { 2 };
        let header = 1 + number + if first & 0b100 == 0 { 0 } else { 2 };
        let rest = bytes.len().checked_sub(header)?;
        let said = || usize::from(bytes[header - 2]) << 8 | usize::from(bytes[header - 1]);
        let length = if first & 0b100 == 0 { rest } else { said() };
        (header, if first & 0b1_0000 == 0 { length } else { return None }, LONGEST_RECORD_13)
    } else {
        let header = bytes.get(..RECORD_HEADER)?;
        let framed = (20..32).contains(&first) && header[1] == 254;
        let length = usize::from(header[11]) << 8 | usize::from(header[12]);
        (RECORD_HEADER, if framed { length } else { return None }, LONGEST_RECORD)
    };
    (length <= longest && length <= bytes.len() - header).then_some((header, length))
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
