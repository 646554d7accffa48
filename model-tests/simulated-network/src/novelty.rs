//! Tells a first transmission from a retransmission without keys.

use std::collections::BTreeMap;

use dtls_core::Instant;

const HANDSHAKE: u8 = 22;
const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;

/// What one direction has sent so far.
///
/// Reads the headers of plaintext records and of DTLS 1.2 (RFC 6347 §4.1) and, in epoch 0, fragment headers (§4.2.2).
/// Handshake bytes, a ChangeCipherSpec, and the protected handshake records of an epoch that are sent at the same instant as
/// the first (the fragments of Finished), are new once; acknowledgements, alerts and application data are always new. What
/// the unified headers of DTLS 1.3 hide must be told by the sender; otherwise such records are new.
#[derive(Clone, Debug, Default)]
pub struct Novelty {
    /// By message_seq, the end of the bytes sent so far; one more than that, so that empty messages count.
    fragments: BTreeMap<u16, usize>,
    /// By content type and epoch, when such a record was first sent.
    records: BTreeMap<(u8, u16), Instant>,
    datagrams: usize,
}

impl Novelty {
    /// Notes `datagram` as sent `now`, with the content types of its records as far as the sender tells them; its ordinal
    /// among the datagrams that carry anything new, or `None`.
    pub fn note(&mut self, now: Instant, datagram: &[u8], contents: &[u8]) -> Option<usize> {
        let mut rest = datagram;
        let mut new = false;
        let mut contents = contents.iter().copied();
        while let Some((Record { content_type, epoch, body }, next)) = first_record(rest) {
            let told = contents.next();
            new |= match (content_type.or(told), epoch) {
                (Some(HANDSHAKE), 0) => self.note_fragments(body),
                (Some(typ @ (20 | HANDSHAKE)), _) => *self.records.entry((typ, epoch)).or_insert(now) == now,
                _ => true,
            };
            rest = next;
        }
        new.then(|| {
            self.datagrams += 1;
            self.datagrams - 1
        })
    }

    fn note_fragments(&mut self, body: &[u8]) -> bool {
        let mut rest = body;
        let mut new = false;
        while let Some((header, tail)) = rest.split_at_checked(HANDSHAKE_HEADER) {
            let message_seq = u16::from_be_bytes([header[4], header[5]]);
            let number = |at: usize| (0..3).fold(0, |n, i| n << 8 | usize::from(header[at + i]));
            let (offset, len) = (number(6), number(9));
            let end = offset + len + 1;
            let sent = self.fragments.entry(message_seq).or_insert(0);
            new |= end > *sent;
            *sent = end.max(*sent);
            rest = tail.get(len..).unwrap_or(&[]);
        }
        new
    }
}

/// A record as it can be read without keys.
struct Record<'d> {
    /// Unknown behind a unified header.
    content_type: Option<u8>,
    /// Or the low bits of the epoch.
    epoch: u16,
    body: &'d [u8],
}

/// Takes the first record off a datagram and returns it with the rest.
fn first_record(datagram: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let first = *datagram.first()?;
    if first >> 5 == 1 {
        // A unified header (RFC 9147 §4): one or two bytes of number, with or without a length.
        let number = if first & 8 == 0 { 1 } else { 2 };
        let (_, rest) = datagram.split_at_checked(1 + number)?;
        let (body, next) = match (first & 4, rest) {
            (0, _) => (rest, &[][..]),
            (_, [hi, lo, rest @ ..]) => {
                rest.split_at(usize::from(u16::from_be_bytes([*hi, *lo])).min(rest.len()))
            }
            _ => return None,
        };
        return Some((Record { content_type: None, epoch: u16::from(first & 3), body }, next));
    }
    let (header, tail) = datagram.split_at_checked(RECORD_HEADER)?;
    let len = usize::from(u16::from_be_bytes([header[11], header[12]])).min(tail.len());
    let (body, next) = tail.split_at(len);
    let epoch = u16::from_be_bytes([header[3], header[4]]);
    Some((Record { content_type: Some(header[0]), epoch, body }, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let header = [content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, 0, body.len() as u8];
        [&header, body].concat()
    }

    fn fragment(message_seq: u8, offset: u8, len: u8) -> Vec<u8> {
        let mut body = vec![1, 0, 0, 40, 0, message_seq, 0, 0, offset, 0, 0, len];
        body.resize(12 + usize::from(len), 0xaa);
        record(22, 0, &body)
    }

    #[test]
    fn only_bytes_never_sent_are_new() {
        let mut novelty = Novelty::default();
        let (first, later) = (Instant::START, Instant::from_micros(1));
        let flight =
            [fragment(0, 0, 20), fragment(0, 20, 20), [fragment(1, 0, 0), record(20, 0, &[1])].concat()];
        for (ordinal, datagram) in flight.iter().enumerate() {
            assert_eq!(novelty.note(first, datagram, &[]), Some(ordinal));
        }
        assert_eq!(novelty.note(first, &record(22, 1, &[7; 30]), &[]), Some(3), "Finished");
        assert_eq!(novelty.note(first, &record(22, 1, &[8; 30]), &[]), Some(4), "and its second fragment");
        for datagram in &flight {
            assert_eq!(novelty.note(later, datagram, &[]), None);
        }
        assert_eq!(novelty.note(later, &fragment(0, 10, 10), &[]), None, "cut smaller");
        assert_eq!(
            novelty.note(later, &record(22, 1, &[8; 30]), &[]),
            None,
            "Finished again, under another record number"
        );
        assert_eq!(
            novelty.note(later, &[fragment(0, 0, 20), fragment(2, 0, 9)].concat(), &[]),
            Some(5),
            "old and new"
        );
        assert_eq!(novelty.note(later, &record(23, 1, b"data"), &[]), Some(6));
        assert_eq!(novelty.note(later, b"short", &[]), None);
    }

    #[test]
    fn unified_records_are_what_their_sender_says() {
        let mut novelty = Novelty::default();
        let (first, later) = (Instant::START, Instant::from_micros(1));
        let flight = [&fragment(0, 0, 20)[..], &[0x2e, 0, 0, 0, 2, 7, 7], &[0x22, 0, 8, 8]].concat();
        assert_eq!(novelty.note(first, &flight, &[22, 22, 22]), Some(0));
        assert_eq!(novelty.note(later, &flight, &[22, 22, 22]), None);
        assert_eq!(novelty.note(later, &[0x22, 0, 8, 8], &[22]), None, "Finished again");
        assert_eq!(novelty.note(later, &[0x22, 0, 8, 8], &[26]), Some(1), "an acknowledgement");
        assert_eq!(novelty.note(later, &[0x22, 0, 8, 8], &[]), Some(2), "who knows");
        assert_eq!(novelty.note(later, &[0x23, 0, 8, 8], &[22]), Some(3), "another epoch");
    }
}
