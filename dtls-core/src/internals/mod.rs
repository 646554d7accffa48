//! The real codec, record protection, key schedule and transcript, opened up for test vectors and fuzzers.
//!
//! Thin wrappers: each calls the code a connection runs, so whatever holds here holds there. Exists only with the feature
//! `__internals`, is unsafe for production, and promises no stability.

mod trace;
mod v13;

use alloc::{vec, vec::Vec};

pub use trace::every_kind_of_event;
pub use v13::{
    ClientOffer, Early, HandshakeSecrets, OfferedPsk, PskOrigin, Reader13, ServerChoice, TrafficSecret,
    Transcript13, UnifiedRecord, expand_label, expand_label_with_prefix, extract, offered_keys, parse_ack,
    reconstruct,
};

use crate::{
    crypto::{AeadAlgorithm, CryptoError, Digest, Hash, HashAlgorithm, Provider},
    error::{ApiMisuse, DecodeError, Discard},
    flow::inbox::{Inbox, InboxLimits},
    handshake::suites::{KeyExchange12, Suite12, Suite13},
    record::{
        number::RecordNumber,
        protect::{Form, Protection},
    },
    schedule::{
        exporter,
        transcript::{self, Framing},
        v12::{self, MasterSecret, Randoms, Role},
    },
    wire::{
        enums::{CipherSuite, ContentType, HandshakeType, ProtocolVersion},
        extensions::parse_encrypted_extensions,
        handshake, hello,
        kx12::{EcdhePskIdentity, EcdhePskParams, PskHint, PskIdentity, parse_server_hello_done},
        record::{self, RawRecord, RecordHeader},
    },
};

/// One record of a datagram, still protected.
#[derive(Debug)]
pub struct Record<'d> {
    /// Content type of the header.
    pub content: ContentType,
    /// Version of the header.
    pub version: ProtocolVersion,
    /// Epoch and sequence number.
    pub number: RecordNumber,
    /// What follows the header.
    pub body: &'d mut [u8],
}

impl<'d> Record<'d> {
    /// Takes the first record off a datagram and returns it with the rest.
    ///
    /// # Errors
    /// [`Discard::Malformed`] or [`Discard::TooLong`] if no coherent record starts here.
    pub fn split_first(datagram: &'d mut [u8]) -> Result<(Self, &'d mut [u8]), Discard> {
        let (record, rest) = record::split_first(datagram)?;
        let RawRecord::Legacy { header, body } = record else { return Err(Discard::Malformed) };
        let RecordHeader { typ, version, number } = header;
        Ok((Self { content: typ, version, number, body }, rest))
    }

    /// The 13 bytes of the header, written anew.
    pub fn header(&self) -> [u8; record::HEADER_LEN] {
        self.parts().encode(u16::try_from(self.body.len()).unwrap_or(u16::MAX))
    }

    const fn parts(&self) -> RecordHeader {
        RecordHeader { typ: self.content, version: self.version, number: self.number }
    }
}

/// One fragment of a handshake message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment<'a>(handshake::Fragment<'a>);

impl<'a> Fragment<'a> {
    /// The fragments in the body of a handshake record; ends after the first error.
    pub fn all(record_body: &'a [u8]) -> impl Iterator<Item = Result<Self, DecodeError>> {
        handshake::Fragments::new(record_body).map(|f| f.map(Self))
    }

    /// The 12 bytes of the header, written anew.
    pub fn header(&self) -> [u8; handshake::HEADER_LEN] {
        self.0.header.encode()
    }

    /// The bytes after the header.
    pub const fn body(&self) -> &'a [u8] {
        self.0.body
    }
}

/// A whole handshake message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Message type.
    pub typ: HandshakeType,
    /// message_seq.
    pub seq: u16,
    /// The body after the 12-byte header.
    pub body: Vec<u8>,
}

/// Reassembly of one direction of a handshake, with room for messages of any real handshake.
#[derive(Debug)]
pub struct Reassembly(Inbox);

impl Reassembly {
    /// Expects message_seq `next_seq` first.
    pub const fn new(next_seq: u16) -> Self {
        let limits = InboxLimits { bytes: 1 << 18, message: 1 << 17, window: 64, holes: 64 };
        Self(Inbox::new(Some(next_seq), limits))
    }

    /// Takes in a fragment received in `epoch`.
    ///
    /// # Errors
    /// [`Discard`] with the reason; nothing has changed then.
    pub fn insert(&mut self, fragment: &Fragment<'_>, epoch: u16) -> Result<(), Discard> {
        self.0.insert(&fragment.0, epoch, false).map(|_| ())
    }

    /// The next message in order, once it is whole.
    pub fn pop(&mut self) -> Option<Message> {
        let (message, _) = self.0.front()?;
        let message = Message { typ: message.typ, seq: message.seq, body: message.body.to_vec() };
        self.0.pop();
        Some(message)
    }
}

/// What a ClientHello or ServerHello says about keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The random value.
    pub random: [u8; 32],
    /// Bytes of the cookie of a ClientHello.
    pub cookie: usize,
    /// The suite a ServerHello chose.
    pub suite: Option<CipherSuite>,
    /// RFC 7627.
    pub extended_master_secret: bool,
}

impl Hello {
    /// Decodes the body of a ClientHello.
    ///
    /// # Errors
    /// [`DecodeError`] with the reason.
    pub fn parse_client(body: &[u8]) -> Result<Self, DecodeError> {
        let hello = hello::ClientHello::parse(body)?;
        Ok(Self {
            random: *hello.random,
            cookie: hello.cookie.len(),
            suite: None,
            extended_master_secret: hello.extensions.extended_master_secret,
        })
    }

    /// Decodes the body of a ServerHello.
    ///
    /// # Errors
    /// [`DecodeError`] with the reason.
    pub fn parse_server(body: &[u8]) -> Result<Self, DecodeError> {
        let hello = hello::ServerHello::parse(body)?;
        Ok(Self {
            random: *hello.random,
            cookie: 0,
            suite: Some(hello.suite),
            extended_master_secret: hello.extensions.extended_master_secret,
        })
    }
}

/// The cookie of a HelloVerifyRequest's body.
///
/// # Errors
/// [`DecodeError`] with the reason.
pub fn parse_cookie(body: &[u8]) -> Result<&[u8], DecodeError> {
    hello::HelloVerifyRequest::parse(body).map(|m| m.cookie)
}

/// What a suite is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuiteParts {
    /// Whether the premaster secret also has an ephemeral part.
    pub ecdhe: bool,
    /// Record protection.
    pub aead: AeadAlgorithm,
    /// Of the PRF and the transcript.
    pub hash: HashAlgorithm,
}

impl SuiteParts {
    /// The parts of a DTLS 1.2 suite this library implements.
    pub fn find(suite: CipherSuite) -> Option<Self> {
        let suite = Suite12::find(suite)?;
        Some(Self { ecdhe: suite.kx == KeyExchange12::EcdhePsk, aead: suite.aead, hash: suite.hash })
    }

    /// The parts of a DTLS 1.3 suite this library implements.
    pub fn find13(suite: CipherSuite) -> Option<(AeadAlgorithm, HashAlgorithm)> {
        Suite13::find(suite).map(|suite| (suite.aead, suite.hash))
    }

    /// The PSK identity in the body of a ClientKeyExchange.
    ///
    /// # Errors
    /// [`DecodeError`] with the reason.
    pub fn psk_identity(self, body: &[u8]) -> Result<&[u8], DecodeError> {
        if self.ecdhe {
            EcdhePskIdentity::parse(body).map(|m| m.identity)
        } else {
            PskIdentity::parse(body).map(|m| m.identity)
        }
    }
}

/// The messages of a DTLS 1.2 transcript.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Vec<Message>);

impl Transcript {
    /// Of no messages.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a message as if it had travelled in one fragment.
    pub fn add(&mut self, message: &Message) {
        self.0.push(message.clone());
    }

    /// The hash over all messages so far.
    pub fn hash(&self, hash: &dyn Hash) -> Digest {
        let mut transcript = transcript::Transcript::new(hash, Framing::Dtls12);
        for message in &self.0 {
            transcript.add(&handshake::Message { typ: message.typ, seq: message.seq, body: &message.body });
        }
        transcript.current()
    }
}

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums, reason = "there are two ends")]
pub enum End {
    /// The one that sends ClientHello.
    Client,
    /// The other.
    Server,
}

/// The premaster secret of plain PSK (RFC 4279 §2).
pub fn psk_premaster(psk: &[u8]) -> Vec<u8> {
    v12::psk_premaster(psk, None).to_vec()
}

/// The DTLS 1.2 key schedule from the master secret on.
#[derive(Clone)]
pub struct Keys {
    hash: &'static dyn Hash,
    master: MasterSecret,
    randoms: Randoms,
}

impl Keys {
    /// From a master secret known otherwise.
    pub fn from_master(
        hash: &'static dyn Hash,
        master: &[u8; 48],
        client: [u8; 32],
        server: [u8; 32],
    ) -> Self {
        Self { hash, master: MasterSecret::from_bytes(master), randoms: Randoms { client, server } }
    }

    /// From a premaster secret: with `session_hash` as RFC 7627 §4 has it, otherwise as RFC 5246 §8.1.
    pub fn from_premaster(
        hash: &'static dyn Hash,
        premaster: &[u8],
        client: [u8; 32],
        server: [u8; 32],
        session_hash: Option<&Digest>,
    ) -> Self {
        let randoms = Randoms { client, server };
        let master = match session_hash {
            Some(session_hash) => MasterSecret::extended(hash, premaster, session_hash),
            None => MasterSecret::from_randoms(hash, premaster, &randoms),
        };
        Self { hash, master, randoms }
    }

    /// The master secret.
    pub const fn master_secret(&self) -> &[u8; 48] {
        self.master.as_bytes()
    }

    /// What the Finished of `sender` says over `transcript`.
    pub fn verify_data(&self, sender: End, transcript: &Digest) -> [u8; v12::VERIFY_DATA_LEN] {
        let role = match sender {
            End::Client => Role::Client,
            End::Server => Role::Server,
        };
        v12::verify_data(&self.master.prf(self.hash), role, transcript)
    }

    /// What a connection with this master secret keeps to export keys.
    pub fn exporter(&self) -> Exporter {
        let hash = self.hash.algorithm();
        Exporter(exporter::Exporter::V12 { master: self.master.clone(), randoms: self.randoms.clone(), hash })
    }

    /// The protection of the records that client and server write, in this order.
    ///
    /// # Errors
    /// [`CryptoError`] if `provider` lacks the AEAD.
    pub fn records(
        &self,
        provider: &Provider,
        aead: AeadAlgorithm,
    ) -> Result<(RecordKeys, RecordKeys), CryptoError> {
        let keys = v12::traffic_keys(provider, aead, &self.master.prf(self.hash), &self.randoms)?;
        Ok((RecordKeys(keys.client_write), RecordKeys(keys.server_write)))
    }
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys")
    }
}

/// Exports keying material as an established connection does.
#[derive(Clone, Debug)]
pub struct Exporter(exporter::Exporter);

impl Exporter {
    /// Fills `out` for `label` and an optional `context` (RFC 5705, RFC 8446 §7.5).
    ///
    /// # Errors
    /// [`ApiMisuse`] as of [`crate::Connection::export`].
    pub fn export(
        &self,
        provider: &Provider,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), ApiMisuse> {
        self.0.export(provider, label, context, out)
    }
}

/// Means nothing to the records of DTLS 1.2.
const FORM: Form = Form { last: true, wide: true };

/// The record protection of one direction of one keyed epoch.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone))]
pub struct RecordKeys(Protection);

impl RecordKeys {
    /// Opens the record in place.
    ///
    /// # Errors
    /// [`Discard`] with the reason.
    pub fn open<'d>(&self, record: Record<'d>) -> Result<&'d [u8], Discard> {
        let header = record.parts();
        self.0.open_legacy(&header, record.body).map(|plaintext| &*plaintext)
    }

    /// The whole record as this library sends it.
    ///
    /// # Errors
    /// [`CryptoError`] if the provider fails.
    pub fn seal(
        &self,
        content: ContentType,
        version: ProtocolVersion,
        number: RecordNumber,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        seal(&self.0, &RecordHeader { typ: content, version, number }, FORM, plaintext)
    }
}

/// The whole record as a connection seals it.
fn seal(
    protection: &Protection,
    header: &RecordHeader,
    form: Form,
    plaintext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let mut out = vec![0; protection.record_len(form, plaintext.len())];
    let start = protection.overhead(form).head;
    let end = start.saturating_add(plaintext.len());
    out.get_mut(start..end).ok_or(CryptoError)?.copy_from_slice(plaintext);
    let len = protection.seal(header, form, &mut out, plaintext.len())?;
    out.truncate(len);
    Ok(out)
}

/// Decodes the body of a handshake message in every way this library may read one of its type. `None` if it never does.
pub fn decodes(typ: HandshakeType, body: &[u8]) -> Option<bool> {
    Some(match typ {
        HandshakeType::CLIENT_HELLO => Hello::parse_client(body).is_ok(),
        HandshakeType::SERVER_HELLO => Hello::parse_server(body).is_ok(),
        HandshakeType::HELLO_VERIFY_REQUEST => parse_cookie(body).is_ok(),
        HandshakeType::ENCRYPTED_EXTENSIONS => parse_encrypted_extensions(body).is_ok(),
        HandshakeType::SERVER_KEY_EXCHANGE => {
            PskHint::parse(body).is_ok() | EcdhePskParams::parse(body).is_ok()
        }
        HandshakeType::SERVER_HELLO_DONE => parse_server_hello_done(body).is_ok(),
        HandshakeType::CLIENT_KEY_EXCHANGE => {
            PskIdentity::parse(body).is_ok() | EcdhePskIdentity::parse(body).is_ok()
        }
        _ => return None,
    })
}
