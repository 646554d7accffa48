//! What each end has sent, opened by a witness who needs no keys: the ideal provider says what was sealed.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use dtls_core::{HandshakeType, TraceEvent};
use reference_model::alphabet::{Description, Level, Output, Sent};
use scripted_peer::codec::{next_fragment, parse_ack};
use simulated_network::Side;

use crate::{
    ends::Ends,
    learning::listen::sent_message,
    wire::{RawRecord, records},
};

/// Bytes in front of the ciphertext of a record of DTLS 1.2, in suites that have any (RFC 5288 §3).
const EXPLICIT_NONCE: usize = 8;

/// A record as its sender made it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) epoch: u8,
    pub(super) number: u64,
    pub(super) content: Content,
}

/// What is in a record.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Handshake(Vec<Fragment>),
    ChangeCipherSpec,
    Alert(u8, u8),
    Data,
    Ack(Vec<(u64, u64)>),
    /// A content type that means nothing.
    Unknown,
    /// An ACK whose body makes no sense.
    MalformedAck,
    /// Another known content type, whose body makes no sense.
    Malformed,
}

/// A handshake message or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fragment {
    pub(super) typ: HandshakeType,
    pub(super) seq: u16,
    pub(super) length: usize,
    pub(super) start: usize,
    pub(super) bytes: Vec<u8>,
}

impl Fragment {
    pub(super) const fn end(&self) -> usize {
        self.start + self.bytes.len()
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.bytes.len() == self.length
    }
}

/// Everything both ends have sent.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Records by their sender and bytes.
    records: HashMap<(Side, Vec<u8>), Arc<Said>>,
    /// Fragments by the sender, epoch and number of their record.
    numbers: HashMap<(Side, u64, u64), Arc<Said>>,
    /// Messages by their sender, number and type, as far as their bytes are known.
    messages: HashMap<(Side, u16, HandshakeType), Vec<Option<u8>>>,
    /// Masked record numbers that the sender says it has used and that were not seen yet.
    masked: [VecDeque<(u8, u64)>; 2],
}

impl Ledger {
    /// Takes over which record numbers `side` says it has used.
    pub(super) fn note_numbers(&mut self, side: Side, trace: &[TraceEvent]) {
        for event in trace {
            if let TraceEvent::RecordSent { number, .. } = event
                && number.epoch() > 1
            {
                self.masked[side as usize].push_back((number.epoch() as u8, number.seq()));
            }
        }
    }

    /// Takes in a datagram that `from` has sent, and gives its records.
    pub(super) fn note(&mut self, from: Side, datagram: &[u8], ends: &Ends) -> Vec<Arc<Said>> {
        let said = |record: RawRecord<'_>| {
            let (epoch, number) = match record.sequence() {
                Some(number) => (record.epoch() as u8, number),
                None => self.masked[from as usize].pop_front()?,
            };
            let (typ, body) = opened(&record, ends)?;
            let said = Arc::new(Said { epoch, number, content: content(typ, &body) });
            self.note_messages(from, &said);
            self.records.insert((from, record.bytes.to_vec()), Arc::clone(&said));
            self.numbers.insert((from, u64::from(epoch), number), Arc::clone(&said));
            Some(said)
        };
        records(datagram).filter_map(said).collect()
    }

    /// The record, if `from` has sent it as it is.
    pub(super) fn find(&self, from: Side, record: &[u8]) -> Option<&Arc<Said>> {
        self.records.get(&(from, record.to_vec()))
    }

    /// The record of this epoch and number.
    pub(super) fn numbered(&self, from: Side, (epoch, number): (u64, u64)) -> Option<&Said> {
        self.numbers.get(&(from, epoch, number)).map(|said| &**said)
    }

    /// The body of a message of which all parts have been sent.
    pub(super) fn body(&self, from: Side, fragment: &Fragment) -> Option<Vec<u8>> {
        match fragment.is_whole() {
            true => Some(fragment.bytes.clone()),
            false => self.messages.get(&(from, fragment.seq, fragment.typ))?.iter().copied().collect(),
        }
    }

    /// Whether the fragment is of a message as `from` has sent it.
    pub(super) fn knows(&self, from: Side, fragment: &Fragment) -> bool {
        let own = |said: &Arc<Said>| match &said.content {
            Content::Handshake(fragments) => fragments.contains(fragment),
            _ => false,
        };
        self.numbers.iter().any(|((side, ..), said)| *side == from && own(said))
    }

    /// Whether `from` has sent this whole message, in however many parts.
    pub(super) fn has_sent(&self, from: Side, message: &Fragment) -> bool {
        let assembled = self.messages.get(&(from, message.seq, message.typ));
        let same =
            |known: &Vec<Option<u8>>| known.iter().copied().eq(message.bytes.iter().map(|byte| Some(*byte)));
        assembled.is_some_and(same) || self.knows(from, message)
    }

    /// What the records of one moment are as outputs of the reference: a message in parts is one.
    pub(super) fn outputs(&self, from: Side, said: &[Arc<Said>]) -> Vec<Output> {
        let mut outputs: Vec<Output> = Vec::new();
        let mut begun: Vec<(u16, HandshakeType)> = Vec::new();
        for (at, record) in said.iter().enumerate() {
            let sent = |sent| Output::Tx(record.epoch, sent);
            match &record.content {
                Content::Handshake(fragments) => {
                    for fragment in fragments {
                        let key = (fragment.seq, fragment.typ);
                        if fragment.is_whole() || !begun.contains(&key) {
                            begun.push(key);
                            let complete = fragment.is_whole() || is_complete(&said[at..], fragment);
                            let message = self.sent(from, fragment).filter(|_| complete);
                            outputs.push(sent(message.unwrap_or(Sent::Other)));
                        }
                    }
                }
                Content::ChangeCipherSpec => outputs.push(sent(Sent::ChangeCipherSpec)),
                Content::Alert(level, description) => {
                    let level = if *level == 1 { Level::Warning } else { Level::Fatal };
                    outputs.push(sent(Sent::Alert(level, Description(*description))));
                }
                Content::Data => outputs.push(sent(Sent::Data)),
                Content::Ack(numbers) => outputs.push(sent(Sent::Ack { empty: numbers.is_empty() })),
                Content::Unknown | Content::Malformed | Content::MalformedAck => {
                    outputs.push(sent(Sent::Other))
                }
            }
        }
        outputs
    }

    /// The message that a fragment is of.
    pub(super) fn sent(&self, from: Side, fragment: &Fragment) -> Option<Sent> {
        Some(sent_message(fragment.typ, &self.body(from, fragment)?))
    }

    fn note_messages(&mut self, from: Side, said: &Said) {
        let Content::Handshake(fragments) = &said.content else { return };
        for fragment in fragments.iter().filter(|fragment| !fragment.is_whole()) {
            let known = self.messages.entry((from, fragment.seq, fragment.typ)).or_default();
            known.resize(known.len().max(fragment.length), None);
            for (at, byte) in fragment.bytes.iter().enumerate() {
                known[fragment.start + at] = Some(*byte);
            }
        }
    }
}

/// The content of a plaintext record, or of one that nobody made.
pub(super) fn content(typ: u8, body: &[u8]) -> Content {
    match (typ, body) {
        (20, [1]) => Content::ChangeCipherSpec,
        (21, [level @ (1 | 2), description]) => Content::Alert(*level, *description),
        (22, _) => fragments(body).map_or(Content::Malformed, Content::Handshake),
        (23, _) => Content::Data,
        (26, _) => parse_ack(body).map_or(Content::MalformedAck, Content::Ack),
        (20 | 21, _) => Content::Malformed,
        _ => Content::Unknown,
    }
}

fn fragments(body: &[u8]) -> Option<Vec<Fragment>> {
    let mut rest = body;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (header, bytes) = next_fragment(&mut rest)?;
        if header.offset + bytes.len() > header.length {
            return None;
        }
        let (start, bytes) = (header.offset, bytes.to_vec());
        found.push(Fragment { typ: header.typ, seq: header.seq, length: header.length, start, bytes });
    }
    (!found.is_empty()).then_some(found)
}

/// Content type and plaintext of a record.
fn opened(record: &RawRecord<'_>, ends: &Ends) -> Option<(u8, Vec<u8>)> {
    let body = record.body();
    if record.is_unified() {
        // DTLSInnerPlaintext (RFC 9147 §4).
        let inner = ends.plaintext_of(body)?;
        let at = inner.iter().rposition(|byte| *byte != 0)?;
        return Some((inner[at], inner[..at].to_vec()));
    }
    let typ = record.content_type()?;
    if record.epoch() == 0 {
        return Some((typ, body.to_vec()));
    }
    let sealed = |from: usize| ends.plaintext_of(body.get(from..)?);
    Some((typ, sealed(EXPLICIT_NONCE).or_else(|| sealed(0))?.to_vec()))
}

/// Whether these records have all of the message that a fragment is of.
fn is_complete(said: &[Arc<Said>], of: &Fragment) -> bool {
    let mut missing = vec![true; of.length];
    for record in said {
        let Content::Handshake(fragments) = &record.content else { continue };
        for part in fragments.iter().filter(|part| (part.seq, part.typ) == (of.seq, of.typ)) {
            missing[part.start..part.end()].fill(false);
        }
    }
    !missing.contains(&true)
}
