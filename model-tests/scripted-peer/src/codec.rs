//! Messages as bytes, taken apart and put together by hand: a second reading of the RFCs, without the library's own codec.

use dtls_core::HandshakeType;

/// Length of the header of a handshake message (RFC 6347 §4.2.2, RFC 9147 §5.2).
pub(crate) const HANDSHAKE_HEADER: usize = 12;

/// Extension types (IANA TLS ExtensionType registry).
#[allow(missing_docs, reason = "named as registered")]
pub mod extension {
    pub const SUPPORTED_GROUPS: u16 = 10;
    pub const EC_POINT_FORMATS: u16 = 11;
    pub const PADDING: u16 = 21;
    pub const EXTENDED_MASTER_SECRET: u16 = 23;
    pub const PRE_SHARED_KEY: u16 = 41;
    pub const SUPPORTED_VERSIONS: u16 = 43;
    pub const COOKIE: u16 = 44;
    pub const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    pub const KEY_SHARE: u16 = 51;
    pub const RENEGOTIATION_INFO: u16 = 0xff01;
}

/// The random value of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
pub const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// An extension: its type and its body.
pub type Extension = (u16, Vec<u8>);

/// The parts of a ClientHello (RFC 9147 §5.3).
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "named as in the RFC")]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct ClientHello {
    pub legacy_version: [u8; 2],
    pub random: [u8; 32],
    pub legacy_session_id: Vec<u8>,
    pub legacy_cookie: Vec<u8>,
    /// As bytes.
    pub cipher_suites: Vec<u8>,
    pub legacy_compression_methods: Vec<u8>,
    pub extensions: Vec<Extension>,
}

/// The parts of a ServerHello or HelloRetryRequest (RFC 9147 §5.4).
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "named as in the RFC")]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct ServerHello {
    pub legacy_version: [u8; 2],
    pub random: [u8; 32],
    pub legacy_session_id_echo: Vec<u8>,
    pub cipher_suite: [u8; 2],
    pub legacy_compression_method: u8,
    pub extensions: Vec<Extension>,
}

impl ClientHello {
    /// Takes a hello apart. `None` if it is not well-formed.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let hello = Self {
            legacy_version: array(&mut rest)?,
            random: array(&mut rest)?,
            legacy_session_id: vector(&mut rest, 1)?,
            legacy_cookie: vector(&mut rest, 1)?,
            cipher_suites: vector(&mut rest, 2)?,
            legacy_compression_methods: vector(&mut rest, 1)?,
            extensions: extensions(&mut rest)?,
        };
        rest.is_empty().then_some(hello)
    }

    /// The message's body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = [&self.legacy_version[..], &self.random].concat();
        put(&mut out, 1, &self.legacy_session_id);
        put(&mut out, 1, &self.legacy_cookie);
        put(&mut out, 2, &self.cipher_suites);
        put(&mut out, 1, &self.legacy_compression_methods);
        put_extensions(&mut out, &self.extensions);
        out
    }

    /// Whether it lists this suite.
    pub fn offers_suite(&self, suite: u16) -> bool {
        self.cipher_suites.chunks(2).any(|listed| listed == suite.to_be_bytes())
    }

    /// Whether it offers this version (RFC 8446 §4.2.1).
    pub fn offers_version(&self, version: u16) -> bool {
        match get(&self.extensions, extension::SUPPORTED_VERSIONS) {
            Some(list) => {
                list.get(1..).unwrap_or_default().chunks(2).any(|listed| listed == version.to_be_bytes())
            }
            None => self.legacy_version == version.to_be_bytes(),
        }
    }

    /// The public key it has sent for a group.
    pub fn share(&self, group: u16) -> Option<Vec<u8>> {
        let mut rest = get(&self.extensions, extension::KEY_SHARE)?;
        let list = vector(&mut rest, 2)?;
        let mut rest = &list[..];
        while !rest.is_empty() {
            let listed = u16::from_be_bytes(array(&mut rest)?);
            let key = vector(&mut rest, 2)?;
            if listed == group {
                return Some(key);
            }
        }
        None
    }

    /// The place of this identity among those it offers for DTLS 1.3.
    pub fn psk_index(&self, identity: &[u8]) -> Option<u16> {
        let mut rest = get(&self.extensions, extension::PRE_SHARED_KEY)?;
        let list = vector(&mut rest, 2)?;
        let mut rest = &list[..];
        let mut index = 0;
        while !rest.is_empty() {
            let listed = vector(&mut rest, 2)?;
            let _age: [u8; 4] = array(&mut rest)?;
            if listed == identity {
                return Some(index);
            }
            index += 1;
        }
        None
    }
}

impl ServerHello {
    /// Takes a hello apart. `None` if it is not well-formed.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let hello = Self {
            legacy_version: array(&mut rest)?,
            random: array(&mut rest)?,
            legacy_session_id_echo: vector(&mut rest, 1)?,
            cipher_suite: array(&mut rest)?,
            legacy_compression_method: array::<1>(&mut rest)?[0],
            extensions: extensions(&mut rest)?,
        };
        rest.is_empty().then_some(hello)
    }

    /// The message's body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = [&self.legacy_version[..], &self.random].concat();
        put(&mut out, 1, &self.legacy_session_id_echo);
        out.extend_from_slice(&self.cipher_suite);
        out.push(self.legacy_compression_method);
        put_extensions(&mut out, &self.extensions);
        out
    }

    /// Whether it is a HelloRetryRequest.
    pub fn is_retry(&self) -> bool {
        self.random == RETRY_RANDOM
    }

    /// Whether it chose DTLS 1.3.
    pub fn is13(&self) -> bool {
        get(&self.extensions, extension::SUPPORTED_VERSIONS) == Some(&[0xfe, 0xfc])
    }

    /// The group and public key of its key share.
    pub fn share(&self) -> Option<(u16, Vec<u8>)> {
        let mut rest = get(&self.extensions, extension::KEY_SHARE)?;
        let group = u16::from_be_bytes(array(&mut rest)?);
        Some((group, vector(&mut rest, 2)?))
    }
}

/// Puts another body into the extension of this type, which is appended if it is not there.
pub fn set(extensions: &mut Vec<Extension>, typ: u16, body: &[u8]) {
    match extensions.iter_mut().find(|(t, _)| *t == typ) {
        Some((_, old)) => *old = body.to_vec(),
        None => extensions.push((typ, body.to_vec())),
    }
}

/// Removes the extension of this type.
pub fn remove(extensions: &mut Vec<Extension>, typ: u16) {
    extensions.retain(|(t, _)| *t != typ);
}

/// The body of the extension of this type.
pub fn get(extensions: &[Extension], typ: u16) -> Option<&[u8]> {
    extensions.iter().find(|(t, _)| *t == typ).map(|(_, body)| &body[..])
}

/// A handshake message in one fragment (RFC 9147 §5.2).
pub fn message(typ: HandshakeType, seq: u16, body: &[u8]) -> Vec<u8> {
    fragment(typ, seq, body, 0, body.len())
}

/// Bytes `from..to` of a handshake message, as far as it has them, under a header that tells its whole length.
pub fn fragment(typ: HandshakeType, seq: u16, body: &[u8], from: usize, to: usize) -> Vec<u8> {
    let to = to.min(body.len());
    let from = from.min(to);
    let [seq_hi, seq_lo] = seq.to_be_bytes();
    let [length, offset, part] = [body.len(), from, to - from].map(uint24);
    [&[typ.0], &length[..], &[seq_hi, seq_lo], &offset, &part, &body[from..to]].concat()
}

/// The body of an ACK: record numbers as epoch and sequence number, 64 bits each (RFC 9147 §7).
pub fn ack(numbers: &[(u64, u64)]) -> Vec<u8> {
    let mut list = Vec::with_capacity(16 * numbers.len());
    for (epoch, seq) in numbers {
        list.extend_from_slice(&epoch.to_be_bytes());
        list.extend_from_slice(&seq.to_be_bytes());
    }
    let mut out = Vec::with_capacity(2 + list.len());
    put(&mut out, 2, &list);
    out
}

/// The record numbers in the body of an ACK. `None` if it is not well-formed.
pub fn parse_ack(body: &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut rest = body;
    let list = vector(&mut rest, 2)?;
    if !rest.is_empty() || list.len() % 16 != 0 {
        return None;
    }
    let number = |part: &[u8]| part.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    Some(list.chunks(16).map(|pair| (number(&pair[..8]), number(&pair[8..]))).collect())
}

/// The header of a handshake message or fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct FragmentHeader {
    /// The type of the message.
    pub typ: HandshakeType,
    /// The length of the message's body.
    pub length: usize,
    /// Its `message_seq`.
    pub seq: u16,
    /// Where in the body the fragment begins.
    pub offset: usize,
}

/// Takes the first fragment off the body of a handshake record: its header and its bytes.
pub fn next_fragment<'a>(rest: &mut &'a [u8]) -> Option<(FragmentHeader, &'a [u8])> {
    let (header, tail) = rest.split_first_chunk::<HANDSHAKE_HEADER>()?;
    let [typ, a, b, c, s0, s1, d, e, f, g, h, i] = *header;
    let uint = |bytes: [u8; 3]| bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let (part, tail) = tail.split_at_checked(uint([g, h, i]))?;
    *rest = tail;
    let header = FragmentHeader {
        typ: HandshakeType(typ),
        length: uint([a, b, c]),
        seq: u16::from_be_bytes([s0, s1]),
        offset: uint([d, e, f]),
    };
    Some((header, part))
}

pub(crate) fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

/// A vector with a length of `width` bytes.
pub fn vector(rest: &mut &[u8], width: usize) -> Option<Vec<u8>> {
    let (head, tail) = rest.split_at_checked(width)?;
    let length = head.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let (body, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(body.to_vec())
}

/// Appends a vector with a length of `width` bytes.
pub(crate) fn put(out: &mut Vec<u8>, width: usize, body: &[u8]) {
    out.extend_from_slice(&body.len().to_be_bytes()[size_of::<usize>() - width..]);
    out.extend_from_slice(body);
}

/// A vector with a length of `width` bytes.
pub(crate) fn vec_of(width: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(width + body.len());
    put(&mut out, width, body);
    out
}

fn extensions(rest: &mut &[u8]) -> Option<Vec<Extension>> {
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let block = vector(rest, 2)?;
    let mut rest = &block[..];
    let mut list = Vec::new();
    while !rest.is_empty() {
        let typ = u16::from_be_bytes(array(&mut rest)?);
        list.push((typ, vector(&mut rest, 2)?));
    }
    Some(list)
}

fn put_extensions(out: &mut Vec<u8>, extensions: &[Extension]) {
    let mut block = Vec::new();
    for (typ, body) in extensions {
        block.extend_from_slice(&typ.to_be_bytes());
        put(&mut block, 2, body);
    }
    put(out, 2, &block);
}

fn uint24(number: usize) -> [u8; 3] {
    let [.., a, b, c] = number.to_be_bytes();
    [a, b, c]
}
