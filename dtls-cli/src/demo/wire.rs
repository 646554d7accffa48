//! What anyone on the path can read in a datagram: record headers and unprotected handshake headers.
//!
//! The diagram shows what is on the wire, so it reads the wire. What DTLS 1.3 hides there, even the type of a record, its
//! sender has noted when it was sealed.

use std::sync::{Mutex, PoisonError};

use dtls_core::{ContentType, HandshakeType, TraceEvent, TraceSink};

/// Notes the records of one side in the order in which they were sealed.
#[derive(Debug)]
pub(crate) struct Recorder {
    notes: Mutex<Vec<Note>>,
    #[cfg(test)]
    watch: monitors::Watch,
}

/// Content type, epoch and sequence number of a sealed record.
pub(crate) type Note = (ContentType, u16, u64);

impl Recorder {
    /// For the sensor, which is the client, or the gateway.
    #[cfg_attr(not(test), allow(unused_variables, reason = "only tests watch"))]
    pub(crate) fn new(is_client: bool) -> Self {
        Self {
            notes: Mutex::default(),
            #[cfg(test)]
            watch: monitors::Watch::new(if is_client {
                monitors::Role::Client
            } else {
                monitors::Role::Server
            }),
        }
    }

    /// What was noted since the last call.
    pub(crate) fn take(&self) -> Vec<Note> {
        core::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TraceSink for Recorder {
    fn event(&self, event: &TraceEvent) {
        #[cfg(test)]
        self.watch.event(event);
        if let TraceEvent::RecordSent { content, number, .. } = event {
            let note = (*content, number.epoch(), number.seq());
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        }
    }
}

/// One part of a datagram, such as a handshake message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Part {
    /// Its name as in the RFCs.
    pub(crate) name: String,
    /// What makes it the same part when it is sent again.
    pub(crate) identity: (u8, u16, usize),
}

/// The parts of a datagram in order; `notes` of all its records, if it has any of DTLS 1.3. Ends at the first thing that is
/// no record.
pub(crate) fn parts(datagram: &[u8], from_client: bool, notes: &[Note]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = datagram;
    // RFC 6347 §4.1: type, version, epoch, sequence number, length.
    while let Some((&[typ, _, _, e0, e1, _, _, _, _, _, _, l0, l1], tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let Some((body, next)) = tail.split_at_checked(length) else { break };
        let (typ, epoch) = (ContentType(typ), u16::from_be_bytes([e0, e1]));
        parts.push(match (typ, epoch) {
            (ContentType::HANDSHAKE, 0) => message(body),
            // The only protected handshake message of a full DTLS 1.2 handshake.
            (ContentType::HANDSHAKE, _) => plain(typ, epoch, "Finished"),
            (ContentType::CHANGE_CIPHER_SPEC, _) => plain(typ, epoch, "ChangeCipherSpec"),
            (ContentType::ALERT, _) => plain(typ, epoch, "Alert"),
            _ => plain(typ, epoch, "application data"),
        });
        rest = next;
    }
    // RFC 9147 §4: the unified header starts with 001. From there on only the sender knows.
    if rest.first().is_some_and(|byte| byte & 0b1110_0000 == 0b0010_0000) {
        parts.extend(notes.iter().skip(parts.len()).map(|note| hidden(*note, from_client)));
    }
    parts
}

/// A record of DTLS 1.3 with its epoch, in the brackets of RFC 8446: braces for handshake keys, square ones for later.
fn hidden((typ, epoch, seq): Note, from_client: bool) -> Part {
    let what = match typ {
        ContentType::HANDSHAKE if from_client => "Finished",
        ContentType::HANDSHAKE if epoch == 2 => "EncryptedExtensions, Finished",
        ContentType::HANDSHAKE => "handshake message",
        ContentType::ACK => "ACK",
        ContentType::ALERT => "Alert",
        _ => "application data",
    };
    let name = if epoch == 2 { format!("{{{what}}} epoch 2") } else { format!("[{what}] epoch {epoch}") };
    // An ACK is never the same twice.
    let identity = if typ == ContentType::ACK { (typ.0, epoch, seq as usize) } else { (typ.0, epoch, 0) };
    Part { name, identity }
}

fn plain(typ: ContentType, epoch: u16, name: &str) -> Part {
    Part { name: name.into(), identity: (typ.0, epoch, 0) }
}

/// The one handshake fragment of an unprotected record (RFC 6347 §4.2.2: type, length, message_seq, offset, length).
fn message(body: &[u8]) -> Part {
    let Some((&[typ, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2], rest)) = body.split_first_chunk() else {
        return plain(ContentType::HANDSHAKE, 0, "malformed handshake message");
    };
    let [length, offset, fragment] =
        [[l0, l1, l2], [o0, o1, o2], [f0, f1, f2]].map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]) as usize);
    let mut name = camel_case(HandshakeType(typ).name().unwrap_or("unknown message"));
    // A ServerHello with this random value asks for another ClientHello (RFC 8446 §4.1.3); its start tells it apart.
    if HandshakeType(typ) == HandshakeType::SERVER_HELLO && rest.get(2..6) == Some(&[0xcf, 0x21, 0xad, 0x74])
    {
        name = "HelloRetryRequest".into();
    }
    if fragment < length {
        name = format!("{name} [{offset}..{} of {length}]", offset + fragment);
    }
    Part { name, identity: (typ, u16::from_be_bytes([s0, s1]), offset) }
}

/// `client_hello`, as in the presentation language, to `ClientHello`, as in the text of the RFCs.
fn camel_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        // ChangeCipherSpec, a fragment of a ServerHello, and a protected handshake record.
        let datagram = [
            &[20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1][..],
            &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 2, 0, 14, 2, 0, 0, 90, 0, 1, 0, 0, 60, 0, 0, 2, 7, 7],
            &[22, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9],
            &[1, 2, 3],
        ]
        .concat();
        let names: Vec<_> = parts(&datagram, true, &[]).into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["ChangeCipherSpec", "ServerHello [60..62 of 90]", "Finished"]);
        assert_eq!(parts(&[], true, &[]), []);
    }

    #[test]
    fn hidden_parts_are_named_by_their_sender() {
        let datagram =
            [&[20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1][..], &[0x2e, 1, 2, 0, 1, 9, 0x2f, 7, 7]]
                .concat();
        let notes = [
            (ContentType::CHANGE_CIPHER_SPEC, 0, 1),
            (ContentType::HANDSHAKE, 2, 0),
            (ContentType::ACK, 3, 0),
        ];
        let names: Vec<_> = parts(&datagram, false, &notes).into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["ChangeCipherSpec", "{EncryptedExtensions, Finished} epoch 2", "[ACK] epoch 3"]);
    }
}
