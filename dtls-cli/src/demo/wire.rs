//! What anyone on the path can read in a datagram: record headers and unprotected handshake headers.
//!
//! The diagram shows what is on the wire, so it reads the wire and asks neither connection.

use dtls_core::{ContentType, HandshakeType};

/// One part of a datagram, such as a handshake message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Part {
    /// Its name as in the RFCs.
    pub(crate) name: String,
    /// What makes it the same part when it is sent again.
    pub(crate) identity: (u8, u16, usize),
}

/// The parts of a datagram in order. Ends at the first thing that is no DTLS 1.2 record.
pub(crate) fn parts(datagram: &[u8]) -> Vec<Part> {
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
    parts
}

fn plain(typ: ContentType, epoch: u16, name: &str) -> Part {
    Part { name: name.into(), identity: (typ.0, epoch, 0) }
}

/// The one handshake fragment of an unprotected record (RFC 6347 §4.2.2: type, length, message_seq, offset, length).
fn message(body: &[u8]) -> Part {
    let Some((&[typ, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2], _)) = body.split_first_chunk() else {
        return plain(ContentType::HANDSHAKE, 0, "malformed handshake message");
    };
    let [length, offset, fragment] =
        [[l0, l1, l2], [o0, o1, o2], [f0, f1, f2]].map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]) as usize);
    let mut name = camel_case(HandshakeType(typ).name().unwrap_or("unknown message"));
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
        let names: Vec<_> = parts(&datagram).into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["ChangeCipherSpec", "ServerHello [60..62 of 90]", "Finished"]);
        assert_eq!(parts(&[]), []);
    }
}
