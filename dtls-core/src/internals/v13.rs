//! DTLS 1.3: unified records, key schedule, transcript, what hellos say, ACKs.

use alloc::vec::Vec;

use super::{End, Exporter, Message, RecordKeys, seal};
use crate::{
    config::ClientConfig,
    crypto::{AeadAlgorithm, CryptoError, Digest, Hash, Provider, hkdf},
    error::{DecodeError, Discard},
    flow::acks,
    record::{
        epoch::ReadEpoch,
        number::{self, RecordNumber},
        protect::Form,
    },
    schedule::{
        exporter,
        transcript::{Framing, Transcript},
        v13::{self, Handshake13, Secret13},
    },
    wire::{
        enums::{CipherSuite, ContentType, NamedGroup, ProtocolVersion},
        handshake, hello,
        kx13::KeyShares,
        record::{self, RawRecord, RecordHeader},
    },
};

/// Width of the replay window of [`Reader13`]; that of a connection unless configured otherwise.
const WINDOW: u16 = 64;

/// HKDF-Extract.
pub fn extract(hash: &dyn Hash, salt: &[u8], secret: &[u8]) -> Digest {
    hkdf::extract(hash, salt, secret)
}

/// HKDF-Expand-Label of DTLS 1.3 (RFC 9147 §5.9).
pub fn expand_label(hash: &dyn Hash, secret: &[u8], label: &[u8], context: &[u8], out: &mut [u8]) {
    hkdf::expand_label(hash, secret, label, context, out);
}

/// HKDF-Expand-Label with another prefix than that of DTLS 1.3, for the vectors of TLS.
pub fn expand_label_with_prefix(
    hash: &dyn Hash,
    secret: &[u8],
    prefix_and_label: [&[u8]; 2],
    context: &[u8],
    out: &mut [u8],
) {
    hkdf::expand_prefixed(hash, secret, prefix_and_label, context, out);
}

/// One record with a unified header and no connection ID, still protected.
#[derive(Debug)]
pub struct UnifiedRecord<'d> {
    header: &'d mut [u8],
    body: &'d mut [u8],
}

impl<'d> UnifiedRecord<'d> {
    /// Takes the first record off a datagram and returns it with the rest.
    ///
    /// # Errors
    /// [`Discard::Malformed`] or [`Discard::TooLong`] if no coherent record with a unified header starts here.
    pub fn split_first(datagram: &'d mut [u8]) -> Result<(Self, &'d mut [u8]), Discard> {
        match record::split_first(datagram)? {
            (RawRecord::Unified { header, body }, rest) => Ok((Self { header, body }, rest)),
            (RawRecord::Legacy { .. }, _) => Err(Discard::Malformed),
        }
    }

    /// Header and body.
    pub fn into_parts(self) -> (&'d [u8], &'d [u8]) {
        (self.header, self.body)
    }

    /// The header, whose record number is masked until the record is opened.
    pub const fn header(&self) -> &[u8] {
        self.header
    }

    /// What follows the header.
    pub const fn body(&self) -> &[u8] {
        self.body
    }
}

/// Opens the records of one epoch, which arrive in any order.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone))]
pub struct Reader13(ReadEpoch);

impl Reader13 {
    /// Opens the record in place: its true content type, its whole number, its content without padding.
    ///
    /// # Errors
    /// [`Discard`] with the reason.
    pub fn open<'d>(
        &mut self,
        record: UnifiedRecord<'d>,
    ) -> Result<(ContentType, RecordNumber, &'d [u8]), Discard> {
        let opened = self.0.open_unified(record.header, record.body)?;
        Ok((opened.typ, opened.number, opened.body))
    }
}

impl RecordKeys {
    /// The whole record of DTLS 1.3 as this library sends it: with a 16-bit number if `wide`, without a length if `last`.
    ///
    /// # Errors
    /// [`CryptoError`] if the provider fails.
    pub fn seal_unified(
        &self,
        content: ContentType,
        number: RecordNumber,
        (wide, last): (bool, bool),
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let header = RecordHeader { typ: content, version: ProtocolVersion::DTLS1_2, number };
        seal(&self.0, &header, Form { last, wide }, plaintext)
    }
}

/// A secret from which record keys, Finished or exported keys are made.
#[derive(Clone)]
pub struct TrafficSecret {
    hash: &'static dyn Hash,
    secret: Secret13,
}

impl TrafficSecret {
    /// One that is known otherwise.
    pub fn from_bytes(hash: &'static dyn Hash, secret: &[u8]) -> Self {
        Self { hash, secret: Secret13::from_bytes(secret) }
    }

    /// The secret itself.
    pub fn as_bytes(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// What a Finished says whose base key this is, or a binder whose binder key this is (RFC 8446 §4.4.4).
    pub fn verify_data(&self, transcript: &Digest) -> Digest {
        self.secret.verify_data(self.hash, transcript)
    }

    /// For receiving in `epoch`.
    ///
    /// # Errors
    /// [`CryptoError`] if `provider` lacks the AEAD.
    pub fn reader(
        &self,
        provider: &Provider,
        aead: AeadAlgorithm,
        epoch: u16,
    ) -> Result<Reader13, CryptoError> {
        let protection = self.secret.protection(provider, self.hash, aead)?;
        Ok(Reader13(ReadEpoch::new(epoch, protection, WINDOW)))
    }

    /// For sending.
    ///
    /// # Errors
    /// [`CryptoError`] if `provider` lacks the AEAD.
    pub fn writer(&self, provider: &Provider, aead: AeadAlgorithm) -> Result<RecordKeys, CryptoError> {
        self.secret.protection(provider, self.hash, aead).map(RecordKeys)
    }

    /// What a connection with this as its exporter secret keeps to export keys.
    pub fn exporter(&self) -> Exporter {
        let (secret, hash) = (self.secret.clone(), self.hash.algorithm());
        Exporter(exporter::Exporter::V13 { secret, hash })
    }
}

impl core::fmt::Debug for TrafficSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TrafficSecret")
    }
}

/// Where a pre-shared key comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a mirror of what the key schedule knows")]
pub enum PskOrigin {
    /// Agreed outside of the protocol.
    External,
    /// Imported from such a key (RFC 9258).
    Imported,
}

/// The key schedule at the stage of the pre-shared key.
#[derive(Clone)]
pub struct Early {
    hash: &'static dyn Hash,
    stage: v13::Early,
}

impl Early {
    /// From a pre-shared key.
    pub fn new(hash: &'static dyn Hash, psk: &[u8]) -> Self {
        Self { hash, stage: v13::Early::new(hash, psk) }
    }

    /// The key of binders.
    pub fn binder(&self, origin: PskOrigin) -> TrafficSecret {
        let origin = match origin {
            PskOrigin::External => v13::PskOrigin::External,
            PskOrigin::Imported => v13::PskOrigin::Imported,
        };
        TrafficSecret { hash: self.hash, secret: self.stage.binder(self.hash, origin) }
    }

    /// The next stage, from an ephemeral shared secret, if any, and the transcript up to ServerHello.
    pub fn into_handshake(self, shared: Option<&[u8]>, transcript: &Digest) -> HandshakeSecrets {
        HandshakeSecrets { hash: self.hash, stage: self.stage.into_handshake(self.hash, shared, transcript) }
    }
}

impl core::fmt::Debug for Early {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Early")
    }
}

/// The key schedule at the stage of the handshake.
#[derive(Clone)]
pub struct HandshakeSecrets {
    hash: &'static dyn Hash,
    stage: Handshake13,
}

impl HandshakeSecrets {
    /// The secret of what `sender` sends in epoch 2.
    pub fn secret(&self, sender: End) -> TrafficSecret {
        let secret = match sender {
            End::Client => &self.stage.client,
            End::Server => &self.stage.server,
        };
        TrafficSecret { hash: self.hash, secret: secret.clone() }
    }

    /// The secrets of what client and server send in epoch 3 and of exporters, from the transcript up to the server's
    /// Finished.
    pub fn traffic(&self, transcript: &Digest) -> [TrafficSecret; 3] {
        let traffic = self.stage.traffic(self.hash, transcript);
        [traffic.client, traffic.server, traffic.exporter]
            .map(|secret| TrafficSecret { hash: self.hash, secret })
    }
}

impl core::fmt::Debug for HandshakeSecrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HandshakeSecrets")
    }
}

/// The transcript of a DTLS 1.3 handshake.
#[derive(Clone, Debug)]
pub struct Transcript13(Transcript);

impl Transcript13 {
    /// Of no messages.
    pub fn new(hash: &dyn Hash) -> Self {
        Self(Transcript::new(hash, Framing::Tls13))
    }

    /// Of one ClientHello that was answered by a HelloRetryRequest, which is to follow.
    pub fn after_retry(hash: &dyn Hash, hello: &Message) -> Self {
        let mut transcript = Self::new(hash);
        transcript.add(hello);
        Self(Transcript::after_retry(hash, transcript.current().as_bytes()))
    }

    /// Appends a message.
    pub fn add(&mut self, message: &Message) {
        self.0.add(&as_core(message));
    }

    /// The hash over all messages so far.
    pub fn current(&self) -> Digest {
        self.0.current()
    }

    /// The hash if only `part` of the body of `message` were appended, under a header that tells its whole length.
    pub fn with_part(&self, message: &Message, part: &[u8]) -> Digest {
        self.0.with_part(&as_core(message), part)
    }

    /// The hash that the binders of `hello` cover, if it has any. The hello itself is not added.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no ClientHello.
    pub fn with_bound_part(&self, hello: &Message) -> Result<Option<Digest>, DecodeError> {
        let parsed = hello::ClientHello::parse(&hello.body)?;
        Ok(parsed.extensions.offered_psks.map(|psks| {
            let covered = hello.body.len().saturating_sub(psks.uncovered());
            self.with_part(hello, hello.body.get(..covered).unwrap_or_default())
        }))
    }
}

fn as_core(message: &Message) -> handshake::Message<'_> {
    handshake::Message { typ: message.typ, seq: message.seq, body: &message.body }
}

/// One identity of a client with its binder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfferedPsk<'a> {
    /// The identity.
    pub identity: &'a [u8],
    /// 0 for keys that no ticket made.
    pub obfuscated_age: u32,
    /// Its binder.
    pub binder: &'a [u8],
}

/// What a ClientHello offers for DTLS 1.3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientOffer<'a> {
    /// The random value.
    pub random: [u8; 32],
    /// Cipher suites, most wanted first.
    pub suites: Vec<CipherSuite>,
    /// Versions, most wanted first; empty without the extension.
    pub versions: Vec<ProtocolVersion>,
    /// The cookie extension.
    pub cookie: Option<&'a [u8]>,
    /// PskKeyExchangeModes.
    pub psk_modes: Option<&'a [u8]>,
    /// Groups, most wanted first.
    pub groups: Vec<NamedGroup>,
    /// Public keys with their groups.
    pub shares: Vec<(NamedGroup, &'a [u8])>,
    /// Pre-shared keys.
    pub psks: Vec<OfferedPsk<'a>>,
}

impl<'a> ClientOffer<'a> {
    /// Decodes the body of a ClientHello.
    ///
    /// # Errors
    /// [`DecodeError`] with the reason.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let hello = hello::ClientHello::parse(body)?;
        let extensions = &hello.extensions;
        let groups = extensions.supported_groups.iter().flat_map(|list| list.iter().map(NamedGroup));
        let versions = extensions.supported_versions.iter().flat_map(|list| list.iter().map(ProtocolVersion));
        let shares = extensions.key_shares.iter().flat_map(KeyShares::iter);
        let psks = extensions.offered_psks.iter().flat_map(|psks| psks.iter());
        Ok(Self {
            random: *hello.random,
            suites: hello.suites.iter().map(CipherSuite).collect(),
            versions: versions.collect(),
            cookie: extensions.cookie,
            psk_modes: extensions.psk_modes,
            groups: groups.collect(),
            shares: shares.map(|share| (share.group, share.public_key)).collect(),
            psks: psks
                .map(|(offered, binder)| OfferedPsk {
                    identity: offered.identity,
                    obfuscated_age: offered.obfuscated_age,
                    binder,
                })
                .collect(),
        })
    }
}

/// What a ServerHello or a HelloRetryRequest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerChoice<'a> {
    /// The random value.
    pub random: [u8; 32],
    /// Whether it is a HelloRetryRequest.
    pub retry: bool,
    /// The version of the extension, which stands in DTLS 1.3 only.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The cookie of a HelloRetryRequest.
    pub cookie: Option<&'a [u8]>,
    /// The group a HelloRetryRequest asks for.
    pub group: Option<NamedGroup>,
    /// The key share of a ServerHello.
    pub share: Option<(NamedGroup, &'a [u8])>,
    /// The index of the pre-shared key that a ServerHello chose.
    pub psk: Option<u16>,
}

impl<'a> ServerChoice<'a> {
    /// Decodes the body of a ServerHello.
    ///
    /// # Errors
    /// [`DecodeError`] with the reason.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let hello = hello::ServerHello::parse(body)?;
        let extensions = &hello.extensions;
        Ok(Self {
            random: *hello.random,
            retry: hello.is_retry(),
            version: extensions.selected_version,
            suite: hello.suite,
            cookie: extensions.cookie,
            group: extensions.selected_group,
            share: extensions.server_share.map(|share| (share.group, share.public_key)),
            psk: extensions.selected_psk,
        })
    }
}

/// The identities and keys that a client configured with them offers in DTLS 1.3: imported keys are those after the import
/// (RFC 9258).
pub fn offered_keys(config: &ClientConfig) -> Vec<(&[u8], &[u8])> {
    config.psks.iter().filter(|psk| psk.is_for13()).map(|psk| (&psk.identity[..], &psk.key[..])).collect()
}

/// The sequence number whose low `bits` bits are `low` and which is closest to `expected`, as records are received.
pub const fn reconstruct(expected: u64, low: u64, bits: u32) -> u64 {
    number::reconstruct(expected, low, bits)
}

/// The record numbers in the body of an ACK, as epoch and sequence number. `None` if it is not well-formed.
pub fn parse_ack(body: &[u8]) -> Option<Vec<(u64, u64)>> {
    acks::parse(body).map(Iterator::collect)
}
