//! The client's DTLS 1.2 handshake after ServerHello (RFC 6347 §4.2.4, RFC 4279 §2, RFC 5489 §2).
//!
//! ```text
//!                        <--------   ServerKeyExchange (ECDHE_PSK, or a hint)
//!                        <--------   ServerHelloDone
//! ClientKeyExchange
//! [ChangeCipherSpec]
//! Finished               -------->
//!                        <--------   [ChangeCipherSpec]
//!                        <--------   Finished
//! ```

use alloc::{boxed::Box, vec::Vec};

use crate::{
    config::ClientConfig,
    error::{Error, PeerMisbehaved},
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        session12::{Agreement, Hellos, Keyed},
        share::OwnShare,
        suites::KeyExchange12,
        unexpected,
    },
    schedule::v12::{Role, psk_premaster},
    wire::{
        enums::{HandshakeType, NamedGroup},
        handshake::Message,
        kx12::{EcdhePskIdentity, EcdhePskParams, PskHint, PskIdentity, parse_server_hello_done},
    },
};

/// ServerHello was accepted.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectKeyExchange {
    config: ConfigRef<ClientConfig>,
    hellos: Hellos,
    key_exchange: KeyExchange,
}

/// What ServerKeyExchange has said so far.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
enum KeyExchange {
    /// Nothing yet. Plain PSK may leave it out.
    Missing,
    /// A hint, which a client with one identity has no use for.
    Hint,
    /// The server's ephemeral public key.
    Ecdhe { group: NamedGroup, public_key: Vec<u8> },
}

/// The own flight with Finished is on its way.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectFinished {
    config: ConfigRef<ClientConfig>,
    keyed: Keyed,
}

impl ExpectKeyExchange {
    pub(crate) const fn new(config: ConfigRef<ClientConfig>, hellos: Hellos) -> Self {
        Self { config, hellos, key_exchange: KeyExchange::Missing }
    }

    pub(crate) fn on_message(mut self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        match (message.typ, &self.key_exchange) {
            (HandshakeType::SERVER_KEY_EXCHANGE, KeyExchange::Missing) => {
                self.key_exchange = self.read_key_exchange(message.body)?;
                self.hellos.transcript.add(message);
                Ok(State::ExpectKeyExchange12(Box::new(self)))
            }
            (HandshakeType::SERVER_HELLO_DONE, _) => {
                parse_server_hello_done(message.body)?;
                self.hellos.transcript.add(message);
                self.on_hello_done(cx)
            }
            _ => Err(unexpected()),
        }
    }

    fn read_key_exchange(&self, body: &[u8]) -> Result<KeyExchange, Error> {
        match self.hellos.suite.kx {
            KeyExchange12::Psk => {
                PskHint::parse(body)?;
                Ok(KeyExchange::Hint)
            }
            KeyExchange12::EcdhePsk => {
                let params = EcdhePskParams::parse(body)?;
                if !self.config.0.settings.groups.contains(&params.group) {
                    return Err(PeerMisbehaved::SelectedUnofferedGroup.into());
                }
                Ok(KeyExchange::Ecdhe { group: params.group, public_key: params.public_key.to_vec() })
            }
        }
    }

    /// The server has spoken: answers with the whole second flight.
    fn on_hello_done(self, cx: &mut Cx<'_>) -> Result<State, Error> {
        let Self { config, mut hellos, key_exchange } = self;
        let client = &config.0;
        // One identity is all a ClientKeyExchange can name.
        let psk = client.psks.iter().find(|psk| psk.is_for12()).ok_or(Error::Internal("a configured PSK"))?;
        let identity = &psk.identity;
        cx.begin_flight(Delivery::UntilReply);
        let (premaster, group) = match (hellos.suite.kx, key_exchange) {
            (KeyExchange12::Psk, _) => {
                let body = PskIdentity { identity };
                cx.push(HandshakeType::CLIENT_KEY_EXCHANGE, |w| body.write(w), |m| hellos.transcript.add(m))?;
                (psk_premaster(&psk.key, None), None)
            }
            (KeyExchange12::EcdhePsk, KeyExchange::Ecdhe { group, public_key }) => {
                let own = OwnShare::make(&client.settings, group, cx.rng)?;
                let shared = own.agree(&public_key)?;
                let body = EcdhePskIdentity { identity, public_key: own.public_key() };
                cx.push(HandshakeType::CLIENT_KEY_EXCHANGE, |w| body.write(w), |m| hellos.transcript.add(m))?;
                (psk_premaster(&psk.key, Some(&shared)), Some(group))
            }
            // An ECDHE suite without the server's share (RFC 5489 §2).
            (KeyExchange12::EcdhePsk, _) => return Err(unexpected()),
        };
        let agreement = Agreement { premaster: &premaster, group, identity: identity.clone() };
        let (mut keyed, write) = hellos.derive(&client.settings, Role::Client, agreement, cx)?;
        keyed.send_finished(&client.settings, write, cx)?;
        Ok(State::ClientExpectFinished12(Box::new(ExpectFinished { config, keyed })))
    }
}

impl ExpectFinished {
    pub(crate) fn on_message(mut self, message: &Message<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::FINISHED {
            return Err(unexpected());
        }
        self.keyed.check_finished(&self.config.0.settings, message)?;
        Ok(State::Established(Box::new(self.keyed.establish())))
    }
}
