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
            COMPRESSION_NULL, DOWNGRADE_SENTINELS, POINT_FORMAT_UNCOMPRESSED, Selection12, check_point_formats,
            check_renegotiation_info, select12,
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

impl ExpectClientKeyExchange {
    pub(crate) const fn new(
        config: ConfigRef<ServerConfig>,
        hellos: Hellos,
        share: Option<OwnShare>,
    ) -> Self {
        Self { config, hellos, share }
    }

    pub(crate) fn on_message(mut self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::CLIENT_KEY_EXCHANGE {
            return Err(unexpected());
        }
        let exchange = self.read(message.body)?;
        self.hellos.transcript.add(message);
        let waiting = AwaitPsk { config: self.config, hellos: self.hellos, exchange };
        match &waiting.config.0.psks {
            PskSource::Table(table) => {
                let psk = table.get(&waiting.exchange.identity).map(|psk| psk.key.clone());
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
