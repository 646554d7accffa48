//! The cookies in datagrams, as anyone on the path sees them.

use dtls_core::HandshakeType;

use crate::codec::{ClientHello, ServerHello, extension, get, next_fragment, vector};

const RECORD_HEADER: usize = 13;
const HANDSHAKE: u8 = 22;

/// The cookies that a listener's answer gives (RFC 6347 §4.2.1, RFC 8446 §4.2.2).
pub fn given(datagram: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    messages(datagram).filter_map(|(typ, body)| match typ {
        HandshakeType::HELLO_VERIFY_REQUEST => vector(&mut body.get(2..)?, 1),
        HandshakeType::SERVER_HELLO => in_extension(&ServerHello::parse(body)?.extensions),
        _ => None,
    })
}

/// For each ClientHello that comes whole in one record, the cookie that it brings back.
pub fn returned(datagram: &[u8]) -> impl Iterator<Item = Option<Vec<u8>>> {
    let hellos = messages(datagram).filter(|(typ, _)| *typ == HandshakeType::CLIENT_HELLO);
    hellos.filter_map(|(_, body)| {
        let hello = ClientHello::parse(body)?;
        let legacy = (!hello.legacy_cookie.is_empty()).then_some(hello.legacy_cookie);
        Some(in_extension(&hello.extensions).or(legacy))
    })
}

fn in_extension(extensions: &[(u16, Vec<u8>)]) -> Option<Vec<u8>> {
    vector(&mut get(extensions, extension::COOKIE)?, 2)
}

/// The first message of each plaintext handshake record, where it is whole.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (HandshakeType, &[u8])> {
    let bodies = core::iter::from_fn(move || {
        let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER>()?;
        let (body, rest) = rest.split_at_checked(u16::from_be_bytes([header[11], header[12]]).into())?;
        datagram = rest;
        Some((header[0] == HANDSHAKE && header[3..5] == [0, 0], body))
    });
    bodies.filter_map(|(is_handshake, mut body)| {
        let (header, part) = next_fragment(&mut body).filter(|_| is_handshake)?;
        (header.length == part.len()).then_some((header.typ, part))
    })
}
