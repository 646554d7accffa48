//! What the other end has sent: datagrams to records, records to messages, each described.

use std::sync::Arc;

use dtls_core::{
    ContentType, HandshakeType,
    internals::{Message, Record, UnifiedRecord},
};

use crate::{
    codec::{next_fragment, parse_ack},
    conversation::{Conversation, is_retry},
};

/// Longer messages than this are not put together: no honest end sends them.
const MAX_MESSAGE: usize = 1 << 16;
/// So many messages may be incomplete at the same time.
const MAX_PARTIAL: usize = 64;

/// One thing that the other end said.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Heard {
    /// The epoch of the record it came in; of a record that could not be opened, what is legible of it.
    pub epoch: u16,
    /// The sequence number of the record, unless it is masked.
    pub number: Option<u64>,
    /// What it is.
    pub what: What,
}

/// What the other end said.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum What {
    /// A handshake message, whole with this record.
    Message(Arc<Message>, Remark),
    /// Part of a message that is not whole yet.
    Fragment(HandshakeType, u16),
    /// ChangeCipherSpec.
    ChangeCipherSpec,
    /// An alert: level and description.
    Alert(u8, u8),
    /// Application data.
    Data(Vec<u8>),
    /// An ACK of these epochs and sequence numbers.
    Ack(Vec<(u64, u64)>),
    /// A record that is authentic, or in plaintext, but makes no sense.
    Malformed(ContentType),
    /// A record that this peer cannot open.
    Sealed,
    /// Bytes that are no record.
    Noise,
}

/// What is to be said of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Remark {
    /// Nothing.
    New,
    /// It came before.
    Repeated,
    /// It is a HelloRetryRequest.
    Retry,
    /// It is a Finished that is wrong.
    Wrong,
}

/// A record, opened.
pub(crate) struct OpenRecord {
    pub(crate) epoch: u16,
    pub(crate) number: Option<u64>,
    /// `None` if it could not be opened.
    pub(crate) content: Option<(ContentType, Vec<u8>)>,
}

/// Takes the first record off a datagram and opens it. `None` if none begins here.
pub(crate) fn next_record<'d>(
    conversation: &mut Conversation,
    datagram: &'d mut [u8],
) -> (Option<OpenRecord>, &'d mut [u8]) {
    if datagram.first().is_some_and(|first| first >> 5 == 1) {
        let Ok((record, rest)) = UnifiedRecord::split_first(datagram) else { return (None, &mut []) };
        let bits = u16::from(record.header().first().map_or(0, |first| first & 3));
        let opened = match conversation.open13(record) {
            None => OpenRecord { epoch: bits, number: None, content: None },
            Some((content, number, body)) => OpenRecord {
                epoch: number.epoch(),
                number: Some(number.seq()),
                content: Some((content, body)),
            },
        };
        return (Some(opened), rest);
    }
    let Ok((record, rest)) = Record::split_first(datagram) else { return (None, &mut []) };
    let (epoch, number, typ) = (record.number.epoch(), record.number.seq(), record.content);
    let body = if epoch == 0 { Some(record.body.to_vec()) } else { conversation.open12(record) };
    let content = body.map(|body| (typ, body));
    (Some(OpenRecord { epoch, number: Some(number), content }), rest)
}

/// What a record without handshake messages says.
pub(crate) fn describe(content: ContentType, body: Vec<u8>) -> What {
    match (content, &body[..]) {
        (ContentType::CHANGE_CIPHER_SPEC, [1]) => What::ChangeCipherSpec,
        (ContentType::ALERT, [level, description]) => What::Alert(*level, *description),
        (ContentType::APPLICATION_DATA, _) => What::Data(body),
        (ContentType::ACK, _) => parse_ack(&body).map_or(What::Malformed(content), What::Ack),
        _ => What::Malformed(content),
    }
}

/// Messages that are not whole yet, and all that were.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    partial: Vec<Partial>,
    whole: Vec<Arc<Message>>,
}

#[derive(Clone)]
struct Partial {
    typ: HandshakeType,
    seq: u16,
    body: Vec<u8>,
    missing: Vec<bool>,
}

impl Inbox {
    /// Takes the first fragment off the body of a handshake record: what it says, or `None` if it is none.
    pub(crate) fn next(&mut self, rest: &mut &[u8]) -> Option<What> {
        let (header, part) = next_fragment(rest)?;
        let end = header.offset + part.len();
        if header.length > MAX_MESSAGE || end > header.length {
            return None;
        }
        if part.len() == header.length {
            return Some(self.on_whole(header.typ, header.seq, part.to_vec()));
        }
        let known = self
            .partial
            .iter()
            .position(|p| (p.typ, p.seq, p.body.len()) == (header.typ, header.seq, header.length));
        let index = known.unwrap_or_else(|| {
            if self.partial.len() == MAX_PARTIAL {
                self.partial.remove(0);
            }
            let (body, missing) = (vec![0; header.length], vec![true; header.length]);
            self.partial.push(Partial { typ: header.typ, seq: header.seq, body, missing });
            self.partial.len() - 1
        });
        let partial = &mut self.partial[index];
        partial.body[header.offset..end].copy_from_slice(part);
        partial.missing[header.offset..end].fill(false);
        if partial.missing.contains(&true) {
            return Some(What::Fragment(header.typ, header.seq));
        }
        let Partial { typ, seq, body, .. } = self.partial.remove(index);
        Some(self.on_whole(typ, seq, body))
    }

    fn on_whole(&mut self, typ: HandshakeType, seq: u16, body: Vec<u8>) -> What {
        let message = Message { typ, seq, body };
        if let Some(known) = self.whole.iter().find(|known| ***known == message) {
            return What::Message(Arc::clone(known), Remark::Repeated);
        }
        let message = Arc::new(message);
        self.whole.push(Arc::clone(&message));
        let remark = if is_retry(&message) { Remark::Retry } else { Remark::New };
        What::Message(message, remark)
    }
}
