//! The client's DTLS 1.3 handshake after ServerHello, with a pre-shared key (RFC 8446 §2, RFC 9147 §5.7).
//!
//! ```text
//!                        <--------   {EncryptedExtensions}   epoch 2
//!                        <--------   {Finished}
//! {Finished}             -------->                           epoch 2
//!                        <--------   [ACK]                   epoch 3
//! ```

use alloc::boxed::Box;

use super::offer::Offer;
use crate::{
    config::ClientConfig,
    error::{Error, PeerIncompatible, PeerMisbehaved},
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        session13::{Agreed, Keys13},
        suites::Suite13,
        unexpected,
    },
    psk::{Psk, PskMode},
    schedule::{transcript::Transcript, v12::Role, v13::Early},
    wire::{
        enums::{HandshakeType, NamedGroup},
        extensions::parse_encrypted_extensions,
        handshake::Message,
        hello::ServerHello,
    },
};

/// ServerHello was accepted; everything that follows is encrypted.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectEncryptedExtensions {
    config: ConfigRef<ClientConfig>,
    keys: Keys13,
}

/// Only Finished is left of the server's flight.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectFinished {
    config: ConfigRef<ClientConfig>,
    keys: Keys13,
}

/// Takes in the ServerHello: from here on the handshake is encrypted.
pub(crate) fn on_server_hello(
    config: ConfigRef<ClientConfig>,
    offer: &Offer,
    suite: &'static Suite13,
    mut transcript: Transcript,
    (message, hello): (&Message<'_>, &ServerHello<'_>),
    cx: &mut Cx<'_>,
) -> Result<State, Error> {
    let settings = &config.0.settings;
    let index = hello.extensions.selected_psk.ok_or(PeerIncompatible::NoPskSelected)?;
    let psk = offer.psk(&config.0, index).filter(|psk| psk.hash == suite.hash);
    let psk: &Psk = psk.ok_or(PeerMisbehaved::SelectedUnofferedPsk)?;
    let (shared, group) = match (&hello.extensions.server_share, &offer.share) {
        (Some(theirs), Some(own)) if theirs.group == own.group => {
            (Some(own.agree(theirs.public_key)?), Some(own.group))
        }
        (None, _) if settings.psk_modes.contains(&PskMode::PskOnly) => (None, None::<NamedGroup>),
        (Some(_), None) => return Err(PeerMisbehaved::UnofferedExtension.into()),
        _ => return Err(PeerMisbehaved::UnexpectedKeyShare.into()),
    };
    transcript.add(message);
    let hash = settings.hash(suite.hash)?;
    let early = Early::new(hash, &psk.key);
    let stage = early.into_handshake(hash, shared.as_ref().map(|s| &s[..]), &transcript.current());
    let agreed = Agreed { suite, group, identity: psk.identity.clone() };
    let keys = Keys13::new(settings, Role::Client, agreed, (stage, transcript), offer.random);
    cx.records.set_version(crate::ProtocolVersion::DTLS1_2);
    cx.enable_acks();
    // The hello is answered; nothing of it is sent again.
    cx.end_flight();
    keys.install_handshake(settings, cx)?;
    Ok(State::ExpectEncryptedExtensions13(Box::new(ExpectEncryptedExtensions { config, keys })))
}

impl ExpectEncryptedExtensions {
    pub(crate) fn on_message(self, message: &Message<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::ENCRYPTED_EXTENSIONS {
            return Err(unexpected());
        }
        let extensions = parse_encrypted_extensions(message.body)?;
        if extensions.misplaced {
            return Err(PeerMisbehaved::MisplacedExtension.into());
        }
        if extensions.unknown {
            return Err(PeerMisbehaved::UnofferedExtension.into());
        }
        let Self { config, mut keys } = self;
        keys.add(message);
        Ok(State::ClientExpectFinished13(Box::new(ExpectFinished { config, keys })))
    }
}

impl ExpectFinished {
    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        // A server that authenticates by a pre-shared key asks for no certificate (RFC 8446 §4.3.2).
        if message.typ != HandshakeType::FINISHED {
            return Err(unexpected());
        }
        let Self { config, mut keys } = self;
        let settings = &config.0.settings;
        keys.check_finished(settings, message)?;
        let traffic = keys.traffic(settings)?;
        cx.begin_flight(Delivery::UntilAcked);
        keys.send_finished(settings, cx)?;
        keys.install_write(settings, &traffic, cx)?;
        keys.install_read(settings, &traffic, cx)?;
        Ok(State::Established(Box::new(keys.establish(traffic))))
    }
}
