//! The server's answer to a ClientHello whose sender has proved its address (RFC 6347 §4.2.1, RFC 5246 §7.4.1).
//!
//! ```text
//! ClientHello + cookie   -------->
//!                        <--------   ServerHello
//!                        <--------   ServerKeyExchange (ECDHE_PSK)
//!                        <--------   ServerHelloDone
//! ```

use alloc::boxed::Box;

use super::v12::ExpectClientKeyExchange;
use crate::{
    config::ServerConfig,
    crypto::{ShareBox, share_box},
    error::{Error, PeerIncompatible, PeerMisbehaved},
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        negotiate::{
            COMPRESSION_NULL, POINT_FORMAT_UNCOMPRESSED, Selection, check_point_formats,
            check_renegotiation_info, select,
        },
        session12::Hellos,
        suites::kx_group_id,
        unexpected,
    },
    schedule::{
        transcript::{Buffered, Transcript},
        v12::Randoms,
    },
    wire::{
        enums::{HandshakeType, NamedGroup, ProtocolVersion},
        extensions::Extensions,
        handshake::Message,
        hello::{ClientHello, ServerHello},
        kx12::{EcdhePskParams, PskHint},
    },
};

/// Nothing was received yet.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectClientHello {
    pub(crate) config: ConfigRef<ServerConfig>,
}

/// The server's ephemeral key for one handshake.
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) struct OwnShare {
    pub(crate) group: NamedGroup,
    pub(crate) share: ShareBox,
}

impl ExpectClientHello {
    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::CLIENT_HELLO {
            return Err(unexpected());
        }
        let hello = ClientHello::parse(message.body)?;
        let settings = &self.config.0.settings;
        // DTLS versions count downwards; a client of a later version speaks 1.2 as well (RFC 5246 §E.1).
        if hello.version.0 > ProtocolVersion::DTLS1_2.0 {
            return Err(PeerIncompatible::NoCommonVersion.into());
        }
        if !hello.compression.contains(&COMPRESSION_NULL) {
            return Err(PeerMisbehaved::NoNullCompression.into());
        }
        let secure_renegotiation = check_renegotiation_info(&hello)?;
        check_point_formats(&hello.extensions)?;
        if settings.require_ems && !hello.extensions.extended_master_secret {
            return Err(PeerIncompatible::ExtendedMasterSecretRequired.into());
        }
        let selection = select(settings, &hello)?;
        let mut server_random = [0; 32];
        cx.rng.try_fill(&mut server_random)?;

        let hash = settings
            .provider
            .hash(selection.suite.hash)
            .ok_or(Error::Internal("hash of a configured suite"))?;
        let mut first = Buffered::default();
        first.add(message);
        let mut hellos = Hellos {
            suite: selection.suite,
            randoms: Randoms { client: *hello.random, server: server_random },
            extended_master_secret: hello.extensions.extended_master_secret,
            transcript: first.run(hash),
        };
        cx.begin_flight(Delivery::UntilReply);
        send_server_hello(&selection, &hello, secure_renegotiation, &mut hellos, cx)?;
        let share = self.send_key_exchange(&selection, &mut hellos.transcript, cx)?;
        cx.push(HandshakeType::SERVER_HELLO_DONE, |_| Ok(()), |m| hellos.transcript.add(m))?;
        Ok(State::ExpectClientKeyExchange12(Box::new(ExpectClientKeyExchange::new(
            self.config,
            hellos,
            share,
        ))))
    }

    /// The hint and, for ECDHE_PSK, the ephemeral key; plain PSK without a hint has no ServerKeyExchange (RFC 4279 §2).
    fn send_key_exchange(
        &self,
        selection: &Selection,
        transcript: &mut Transcript,
        cx: &mut Cx<'_>,
    ) -> Result<Option<OwnShare>, Error> {
        let hint = &self.config.0.psk_hint[..];
        let Some(group) = selection.group else {
            if !hint.is_empty() {
                let message = PskHint { hint };
                cx.push(HandshakeType::SERVER_KEY_EXCHANGE, |w| message.write(w), |m| transcript.add(m))?;
            }
            return Ok(None);
        };
        let provider = &self.config.0.settings.provider;
        let kx = kx_group_id(group)
            .and_then(|id| provider.group(id))
            .ok_or(Error::Internal("configured group"))?;
        let share = share_box(kx.start(cx.rng)?);
        let params = EcdhePskParams { hint, group, public_key: share.public_key() };
        cx.push(HandshakeType::SERVER_KEY_EXCHANGE, |w| params.write(w), |m| transcript.add(m))?;
        Ok(Some(OwnShare { group, share }))
    }
}

fn send_server_hello(
    selection: &Selection,
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

impl core::fmt::Debug for OwnShare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OwnShare({:?})", self.group)
    }
}

#[cfg(feature = "__model")]
impl core::hash::Hash for OwnShare {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.group, self.share.public_key()).hash(state);
    }
}
