//! The server's DTLS 1.3 handshake with a pre-shared key (RFC 8446 §2, RFC 9147 §5.7).
//!
//! ```text
//! ClientHello + cookie   -------->
//!                        <--------   ServerHello             epoch 0
//!                        <--------   {EncryptedExtensions}   epoch 2
//!                        <--------   {Finished}
//! {Finished}             -------->                           epoch 2
//!                        <--------   [ACK]                   epoch 3
//! ```

use alloc::{boxed::Box, vec::Vec};

use super::hello::{ExpectClientHello, Retried};
use crate::{
    config::{PskSource, ServerConfig},
    crypto::Digest,
    error::{Error, PeerIncompatible, PeerMisbehaved},
    event::Event,
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        negotiate::{COMPRESSION_NULL, Selection13, check_legacy13, select13},
        session13::{Agreed, Keys13},
        share::OwnShare,
        unexpected,
    },
    psk::Psk,
    schedule::{
        transcript::{Framing, Transcript},
        v12::Role,
        v13::{Early, Traffic},
    },
    wire::{
        codec::{Full, Writer, encode_to_vec},
        enums::{HandshakeType, NamedGroup, ProtocolVersion},
        extensions::Extensions,
        handshake::Message,
        hello::{ClientHello, RETRY_RANDOM, ServerHello},
        kx13::{KeyShareEntry, OfferedPsks},
    },
};

/// A hello was accepted, and the application looks for the key of one of its identities.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct AwaitPsk {
    config: ConfigRef<ServerConfig>,
    retry: Option<Retried>,
    seq: u16,
    hello: Vec<u8>,
    /// Which identity is looked for.
    index: usize,
    /// How many keys the application was asked for.
    asked: u8,
}

/// Most keys that the application is asked for because of one hello: looking them up costs the peer nothing.
const MAX_LOOK_UPS: u8 = 8;

/// The own flight with Finished is on its way.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectFinished {
    config: ConfigRef<ServerConfig>,
    keys: Keys13,
    traffic: Traffic,
}

/// A hello with the key that was found for it.
struct Request<'r> {
    config: ConfigRef<ServerConfig>,
    retry: Option<&'r Retried>,
    message: &'r Message<'r>,
    hello: &'r ClientHello<'r>,
    psks: OfferedPsks<'r>,
    selection: Selection13,
}

/// Answers a ClientHello for which 1.3 was chosen.
pub(crate) fn on_client_hello(
    state: ExpectClientHello,
    message: &Message<'_>,
    hello: &ClientHello<'_>,
    cx: &mut Cx<'_>,
) -> Result<State, Error> {
    let ExpectClientHello { config, retry } = state;
    check_legacy13(hello)?;
    let selection = select13(&config.0, hello)?;
    if let Some(group) = selection.group {
        // Before anybody looks for a key.
        peer_share(hello, group, retry.as_ref())?;
    }
    let psks = hello.extensions.offered_psks.ok_or(PeerIncompatible::NoPskOffered)?;
    match &config.0.psks {
        PskSource::Table(table) => {
            let fits = |psk: &&Psk| psk.fits_hash13(selection.suite.hash);
            let found = psks.iter().enumerate().find_map(|(index, (offered, _))| {
                table.get(offered.identity).filter(fits).map(|psk| (index, psk.clone()))
            });
            let (index, psk) = found.ok_or(PeerIncompatible::UnknownPskIdentity)?;
            let retry = retry.as_ref();
            Request { config, retry, message, hello, psks, selection }.answer(index, &psk, cx)
        }
        PskSource::Deferred => {
            let waiting = AwaitPsk {
                config,
                retry,
                seq: message.seq,
                hello: message.body.to_vec(),
                index: 0,
                asked: 0,
            };
            waiting.ask(cx)
        }
    }
}

impl AwaitPsk {
    /// Asks for the key of the first identity from `index` on that can be the right one: its binder is as long as the hash of
    /// the suite, and it is no longer than identities may be. Others, such as tickets of another server, are passed over
    /// (RFC 8446 §4.2.11). Without one the handshake ends.
    fn ask(mut self, cx: &mut Cx<'_>) -> Result<State, Error> {
        let settings = &self.config.0.settings;
        let hello = ClientHello::parse(&self.hello)?;
        let digest_len = select13(&self.config.0, &hello)?.suite.hash.digest_len();
        let psks = hello.extensions.offered_psks.ok_or(PeerIncompatible::NoPskOffered)?;
        let longest = settings.limits.max_psk_identity;
        let found =
            psks.iter().enumerate().skip(self.index).find(|(_, (offered, binder))| {
                binder.len() == digest_len && offered.identity.len() <= longest
            });
        let found = found.filter(|_| self.asked < MAX_LOOK_UPS);
        let (index, (offered, _)) = found.ok_or(PeerIncompatible::UnknownPskIdentity)?;
        cx.events.push_back(Event::NeedPsk { identity: offered.identity.to_vec() });
        self.index = index;
        self.asked = self.asked.saturating_add(1);
        Ok(State::AwaitPsk13(Box::new(self)))
    }

    /// The key of the identity asked for, or that there is none: then the next one's turn comes.
    pub(crate) fn on_psk(self, psk: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let Some(key) = psk else {
            return Self { index: self.index.saturating_add(1), ..self }.ask(cx);
        };
        let Self { config, retry, seq, hello: body, index, .. } = self;
        let message = Message { typ: HandshakeType::CLIENT_HELLO, seq, body: &body };
        let hello = ClientHello::parse(&body)?;
        let selection = select13(&config.0, &hello)?;
        let psks = hello.extensions.offered_psks.ok_or(PeerIncompatible::NoPskOffered)?;
        let (offered, _) = psks.iter().nth(index).ok_or(PeerIncompatible::UnknownPskIdentity)?;
        let psk = Psk::new(offered.identity, key).hash(selection.suite.hash);
        let request =
            Request { config, retry: retry.as_ref(), message: &message, hello: &hello, psks, selection };
        request.answer(index, &psk, cx)
    }
}

impl Request<'_> {
    /// Checks the binder and sends the whole first flight.
    fn answer(self, index: usize, psk: &Psk, cx: &mut Cx<'_>) -> Result<State, Error> {
        let settings = &self.config.0.settings;
        let Selection13 { suite, group } = self.selection;
        let hash = settings.hash(suite.hash)?;
        let mut transcript = self.transcript_before()?;
        let early = Early::new(hash, &psk.key);
        let covered = self.message.body.len().saturating_sub(self.psks.uncovered());
        let digest = transcript.with_part(self.message, self.message.body.get(..covered).unwrap_or_default());
        let (_, binder) = self.psks.iter().nth(index).ok_or(PeerIncompatible::UnknownPskIdentity)?;
        if !early.binder(hash, psk.origin).verifies(hash, &digest, binder) {
            return Err(PeerMisbehaved::BadBinder.into());
        }
        transcript.add(self.message);
        let own = group.map(|group| OwnShare::make(settings, group, cx.rng)).transpose()?;
        let peers = |group| peer_share(self.hello, group, self.retry);
        let shared = own.as_ref().map(|own| own.agree(peers(own.group)?)).transpose()?;
        cx.begin_flight(Delivery::UntilAcked);
        cx.enable_acks();
        self.send_server_hello(index, own.as_ref(), &mut transcript, cx)?;
        let stage = early.into_handshake(hash, shared.as_ref().map(|s| &s[..]), &transcript.current());
        let agreed = Agreed { suite, group, identity: psk.identity.clone() };
        let random = *self.hello.random;
        let mut keys = Keys13::new(settings, Role::Server, agreed, (stage, transcript), random);
        keys.install_handshake(settings, cx)?;
        keys.send(HandshakeType::ENCRYPTED_EXTENSIONS, &[0, 0], cx)?;
        keys.send_finished(settings, cx)?;
        let traffic = keys.traffic(settings)?;
        keys.install_write(settings, &traffic, cx)?;
        let Self { config, .. } = self;
        Ok(State::ServerExpectFinished13(Box::new(ExpectFinished { config, keys, traffic })))
    }

    /// The transcript up to this hello: nothing, or the exchange that the listener had and has not kept (RFC 8446 §4.4.1).
    fn transcript_before(&self) -> Result<Transcript, Error> {
        let Selection13 { suite, group } = self.selection;
        let hash = self.config.0.settings.hash(suite.hash)?;
        let Some(retry) = self.retry else { return Ok(Transcript::new(hash, Framing::Tls13)) };
        let cookie = self.hello.extensions.cookie.unwrap_or_default();
        let asked = retry.asked_group.then_some(group).flatten();
        let request = RetryRequest { selection: self.selection, asked, cookie };
        let body = encode_to_vec(|w| request.write(w)).map_err(|_| Error::Internal("a long cookie"))?;
        let mut transcript = Transcript::after_retry(hash, &retry.hello_hash);
        transcript.add(&Message { typ: HandshakeType::SERVER_HELLO, seq: 0, body: &body });
        Ok(transcript)
    }

    fn send_server_hello(
        &self,
        index: usize,
        own: Option<&OwnShare>,
        transcript: &mut Transcript,
        cx: &mut Cx<'_>,
    ) -> Result<(), Error> {
        let mut random = [0; 32];
        cx.rng.try_fill(&mut random)?;
        let answer = ServerHello {
            version: ProtocolVersion::DTLS1_2,
            random: &random,
            session_id: &[],
            suite: self.selection.suite.id,
            compression: COMPRESSION_NULL,
            extensions: Extensions {
                selected_version: Some(ProtocolVersion::DTLS1_3),
                server_share: own.map(|own| KeyShareEntry { group: own.group, public_key: own.public_key() }),
                selected_psk: u16::try_from(index).ok(),
                ..Extensions::default()
            },
        };
        cx.push(HandshakeType::SERVER_HELLO, |w| answer.write(w), |m| transcript.add(m))
    }
}

/// The client's key for the group that was chosen: if the listener has asked for it, the only one of the hello
/// (RFC 8446 §4.1.2).
fn peer_share<'h>(
    hello: &ClientHello<'h>,
    group: NamedGroup,
    retry: Option<&Retried>,
) -> Result<&'h [u8], Error> {
    let shares = hello.extensions.key_shares.ok_or(PeerMisbehaved::MissingExtension)?;
    let share = shares.iter().find(|share| share.group == group);
    let has_company = retry.is_some_and(|retry| retry.asked_group) && shares.iter().count() > 1;
    let share = share.filter(|_| !has_company).ok_or(PeerMisbehaved::ChangedAfterHelloRetryRequest)?;
    Ok(share.public_key)
}

/// A HelloRetryRequest, which is sent by the listener and rebuilt byte for byte for the transcript.
pub(crate) struct RetryRequest<'r> {
    pub(crate) selection: Selection13,
    /// The group asked for.
    pub(crate) asked: Option<NamedGroup>,
    pub(crate) cookie: &'r [u8],
}

impl RetryRequest<'_> {
    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        ServerHello {
            version: ProtocolVersion::DTLS1_2,
            random: &RETRY_RANDOM,
            session_id: &[],
            suite: self.selection.suite.id,
            compression: COMPRESSION_NULL,
            extensions: Extensions {
                selected_version: Some(ProtocolVersion::DTLS1_3),
                cookie: Some(self.cookie),
                selected_group: self.asked,
                ..Extensions::default()
            },
        }
        .write(w)
    }
}

/// The hash of a first ClientHello as it stands in a transcript after a retry (RFC 8446 §4.4.1).
pub(crate) fn hello_hash(hash: &dyn crate::crypto::Hash, body: &[u8]) -> Digest {
    let mut transcript = Transcript::new(hash, Framing::Tls13);
    transcript.add(&Message { typ: HandshakeType::CLIENT_HELLO, seq: 0, body });
    transcript.current()
}

impl ExpectFinished {
    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::FINISHED {
            return Err(unexpected());
        }
        let Self { config, mut keys, traffic } = self;
        let settings = &config.0.settings;
        keys.check_finished(settings, message)?;
        keys.install_read(settings, &traffic, cx)?;
        cx.end_flight();
        Ok(State::Established(Box::new(keys.establish(traffic))))
    }
}
