//! Tells a first transmission from a retransmission without keys.

use std::collections::BTreeMap;

use dtls_core::Instant;

const HANDSHAKE: u8 = 22;
const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;

/// What one direction has sent so far.
///
/// Reads DTLS 1.2 record headers (RFC 6347 §4.1) and, in epoch 0, fragment headers (§4.2.2). Handshake bytes, a
/// ChangeCipherSpec, and the protected handshake records of an epoch that are sent at the same instant as the first (the
/// fragments of Finished), are new once; alerts and application data are always new.
#[derive(Clone, Debug, Default)]
pub struct Novelty {
    /// By message_seq, the end of the bytes sent so far; one more than that, so that empty messages count.
    fragments: BTreeMap<u16, usize>,
    /// By content type and epoch, when such a record was first sent.
    records: BTreeMap<(u8, u16), Instant>,
    datagrams: usize,
}

impl Novelty {
    /// Notes `datagram` as sent `now`; its ordinal among the datagrams that carry anything new, or `None`.
    pub fn note(&mut self, now: Instant, datagram: &[u8]) -> Option<usize> {
        let mut rest = datagram;
        let mut new = false;
        while let Some((header, tail)) = rest.split_at_checked(RECORD_HEADER) {
            let content_type = header[0];
            let epoch = u16::from_be_bytes([header[3], header[4]]);
            let len = usize::from(u16::from_be_bytes([header[11], header[12]])).min(tail.len());
            let (body, next) = tail.split_at(len);
            new |= match (content_type, epoch) {
                (HANDSHAKE, 0) => self.note_fragments(body),
                (20 | HANDSHAKE, _) => *self.records.entry((content_type, epoch)).or_insert(now) == now,
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
            assert_eq!(novelty.note(first, datagram), Some(ordinal));
        }
        assert_eq!(novelty.note(first, &record(22, 1, &[7; 30])), Some(3), "Finished");
        assert_eq!(novelty.note(first, &record(22, 1, &[8; 30])), Some(4), "and its second fragment");
        for datagram in &flight {
            assert_eq!(novelty.note(later, datagram), None);
        }
        assert_eq!(novelty.note(later, &fragment(0, 10, 10)), None, "cut smaller");
        assert_eq!(
            novelty.note(later, &record(22, 1, &[8; 30])),
            None,
            "Finished again, under another record number"
        );
        assert_eq!(
            novelty.note(later, &[fragment(0, 0, 20), fragment(2, 0, 9)].concat()),
            Some(5),
            "old and new"
        );
        assert_eq!(novelty.note(later, &record(23, 1, b"data")), Some(6));
        assert_eq!(novelty.note(later, b"short"), None);
    }
}
