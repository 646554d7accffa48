//! The server's DTLS 1.2 handshake (RFC 6347 §4.2.4, RFC 4279 §2, RFC 5489 §2).
//!
//! ```text
//! ClientHello + cookie   -------->
//!                        <--------   ServerHello
//!                        <--------   ServerKeyExchange (ECDHE_PSK, or a hint)
//!                        <--------   ServerHelloDone
//! ClientKeyExchange
//! [ChangeCipherSpec]
//! Finished               -------->
//!                        <--------   [ChangeCipherSpec]
//!                        <--------   Finished
//! ```

use alloc::{boxed::Box, vec::Vec};

use zeroize::Zeroizing;

use crate::{
    config::{PskSource, ServerConfig},
    error::{Error, PeerIncompatible, PeerMisbehaved},
    event::Event,
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        negotiate::{
            COMPRESSION_NULL, DOWNGRADE_SENTINELS, POINT_FORMAT_UNCOMPRESSED, Selection12,
            check_point_formats, check_renegotiation_info, select12,
        },
        session12::{Agreement, Hellos, Keyed},
        share::OwnShare,
        unexpected,
    },
    record::epoch::WriteEpoch,
    schedule::{
        transcript::{FirstHello, Framing, Transcript},
        v12::{Randoms, Role, psk_premaster},
    },
    wire::{
        enums::{HandshakeType, NamedGroup, ProtocolVersion},
        extensions::Extensions,
        handshake::Message,
        hello::{ClientHello, ServerHello},
        kx12::{EcdhePskIdentity, EcdhePskParams, PskHint, PskIdentity},
    },
};

/// The first flight is on its way.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectClientKeyExchange {
    config: ConfigRef<ServerConfig>,
    hellos: Hellos,
    share: Option<OwnShare>,
}

/// ClientKeyExchange was received and the application looks for the key of its identity.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct AwaitPsk {
    config: ConfigRef<ServerConfig>,
    hellos: Hellos,
    exchange: Exchange,
}

/// The keys are known; the client's Finished must confirm them.
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectFinished {
    config: ConfigRef<ServerConfig>,
    keyed: Keyed,
    write: WriteEpoch,
}

/// What ClientKeyExchange said, and the shared secret if the suite has one.
#[cfg_attr(feature = "__model", derive(Clone))]
struct Exchange {
    identity: Vec<u8>,
    group: Option<NamedGroup>,
    shared: Option<Zeroizing<Vec<u8>>>,
}

/// Answers a ClientHello for which 1.2 was chosen.
pub(crate) fn on_client_hello(
    config: ConfigRef<ServerConfig>,
    message: &Message<'_>,
    hello: &ClientHello<'_>,
    cx: &mut Cx<'_>,
) -> Result<State, Error> {
    let settings = &config.0.settings;
    let secure_renegotiation = check_renegotiation_info(hello)?;
    check_point_formats(&hello.extensions)?;
    if settings.require_ems && !hello.extensions.extended_master_secret {
        return Err(PeerIncompatible::ExtendedMasterSecretRequired.into());
    }
    let selection = select12(settings, hello)?;
    let mut server_random = [0; 32];
    cx.rng.try_fill(&mut server_random)?;
    if settings.speaks13() {
        // A client that offered 1.3 too learns from this that somebody has changed its hello (RFC 8446 §4.1.3).
        let [sentinel, _] = DOWNGRADE_SENTINELS;
        if let Some(end) = server_random.last_chunk_mut() {
            *end = sentinel;
        }
    }
    let hash = settings.hash(selection.suite.hash)?;
    let mut hellos = Hellos {
        suite: selection.suite,
        randoms: Randoms { client: *hello.random, server: server_random },
        extended_master_secret: hello.extensions.extended_master_secret,
        transcript: FirstHello::new(message).start(hash, Framing::Dtls12),
    };
    cx.begin_flight(Delivery::UntilReply);
    send_server_hello(&selection, hello, secure_renegotiation, &mut hellos, cx)?;
    let share = send_key_exchange(&config.0, &selection, &mut hellos.transcript, cx)?;
    cx.push(HandshakeType::SERVER_HELLO_DONE, |_| Ok(()), |m| hellos.transcript.add(m))?;
    Ok(State::ExpectClientKeyExchange12(Box::new(ExpectClientKeyExchange { config, hellos, share })))
}

fn send_server_hello(
    selection: &Selection12,
    hello: &ClientHello<'_>,
    secure_renegotiation: bool,
    hellos: &mut Hellos,
    cx: &mut Cx<'_>,
) -> Result<(), Error> {
    // ec_point_formats answers the client's, and only where a point is sent (RFC 8422 §5.2).
    let formats = selection.group.is_some() && hello.extensions.ec_point_formats.is_some();
    let random = hellos.randoms.server;
    let answer = ServerHello {
        version: ProtocolVersion::DTLS1_2,
        random: &random,
        session_id: &[],
        suite: selection.suite.id,
        compression: COMPRESSION_NULL,
        extensions: Extensions {
            ec_point_formats: formats.then_some(&[POINT_FORMAT_UNCOMPRESSED]),
            extended_master_secret: hello.extensions.extended_master_secret,
            renegotiation_info: secure_renegotiation.then_some(&[]),
            ..Extensions::default()
        },
    };
    cx.push(HandshakeType::SERVER_HELLO, |w| answer.write(w), |m| hellos.transcript.add(m))
}

/// The hint and, for ECDHE_PSK, the ephemeral key; plain PSK without a hint has no ServerKeyExchange (RFC 4279 §2).
fn send_key_exchange(
    config: &ServerConfig,
    selection: &Selection12,
    transcript: &mut Transcript,
    cx: &mut Cx<'_>,
) -> Result<Option<OwnShare>, Error> {
    let hint = &config.psk_hint[..];
    let Some(group) = selection.group else {
        if !hint.is_empty() {
            let message = PskHint { hint };
            cx.push(HandshakeType::SERVER_KEY_EXCHANGE, |w| message.write(w), |m| transcript.add(m))?;
        }
        return Ok(None);
    };
    let own = OwnShare::make(&config.settings, group, cx.rng)?;
    let params = EcdhePskParams { hint, group, public_key: own.public_key() };
    cx.push(HandshakeType::SERVER_KEY_EXCHANGE, |w| params.write(w), |m| transcript.add(m))?;
    Ok(Some(own))
}

impl ExpectClientKeyExchange {
    pub(crate) fn on_message(mut self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::CLIENT_KEY_EXCHANGE {
            return Err(unexpected());
        }
        let exchange = self.read(message.body)?;
        self.hellos.transcript.add(message);
        let waiting = AwaitPsk { config: self.config, hellos: self.hellos, exchange };
        match &waiting.config.0.psks {
            PskSource::Table(table) => {
                let found = table.get(&waiting.exchange.identity).filter(|psk| psk.is_for12());
                let psk = found.map(|psk| psk.key.clone());
                waiting.on_psk(psk.as_ref().map(|key| &key[..]), cx)
            }
            PskSource::Deferred => {
                cx.events.push_back(Event::NeedPsk { identity: waiting.exchange.identity.clone() });
                Ok(State::AwaitPsk12(Box::new(waiting)))
            }
        }
    }

    fn read(&self, body: &[u8]) -> Result<Exchange, Error> {
        let (identity, group, shared) = match &self.share {
            None => (PskIdentity::parse(body)?.identity, None, None),
            Some(own) => {
                let parsed = EcdhePskIdentity::parse(body)?;
                let shared = own.agree(parsed.public_key)?;
                (parsed.identity, Some(own.group), Some(shared))
            }
        };
        if identity.len() > self.config.0.settings.limits.max_psk_identity {
            return Err(PeerMisbehaved::PskIdentityTooLong.into());
        }
        Ok(Exchange { identity: identity.to_vec(), group, shared })
    }
}

impl AwaitPsk {
    /// The key of the client's identity, or that there is none: then `decrypt_error` with no hint about which part was wrong
    /// (RFC 7925 §4.2).
    pub(crate) fn on_psk(self, psk: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let psk = psk.ok_or(PeerIncompatible::UnknownPskIdentity)?;
        let Self { config, hellos, exchange } = self;
        let premaster = psk_premaster(psk, exchange.shared.as_ref().map(|s| &s[..]));
        let agreement =
            Agreement { premaster: &premaster, group: exchange.group, identity: exchange.identity };
        let (keyed, write) = hellos.derive(&config.0.settings, Role::Server, agreement, cx)?;
        Ok(State::ServerExpectFinished12(Box::new(ExpectFinished { config, keyed, write })))
    }
}

impl ExpectFinished {
    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::FINISHED {
            return Err(unexpected());
        }
        let Self { config, mut keyed, write } = self;
        let settings = &config.0.settings;
        keyed.check_finished(settings, message)?;
        cx.begin_flight(Delivery::OnDemand);
        keyed.send_finished(settings, write, cx)?;
        Ok(State::Established(Box::new(keyed.establish())))
    }
}

impl core::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Exchange")
    }
}

impl core::fmt::Debug for ExpectFinished {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ExpectFinished")
    }
}

#[cfg(feature = "__model")]
impl core::hash::Hash for Exchange {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (&self.identity, self.group, self.shared.as_deref()).hash(state);
    }
}
