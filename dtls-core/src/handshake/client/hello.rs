//! The client's hello, until a ServerHello settles the version (RFC 6347 §4.2.1, RFC 5246 §7.4.1).
//!
//! ```text
//! ClientHello            -------->
//!                        <--------   HelloVerifyRequest (any number up to a bound)
//! ClientHello + cookie   -------->
//!                        <--------   ServerHello …
//! ```

use alloc::{boxed::Box, vec::Vec};

use super::v12::ExpectKeyExchange;
use crate::{
    Arc,
    config::ClientConfig,
    error::{Error, PeerIncompatible, PeerMisbehaved},
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        negotiate::{COMPRESSION_NULL, POINT_FORMAT_UNCOMPRESSED, check_point_formats},
        session12::Hellos,
        suites::{KeyExchange12, Suite12},
        unexpected,
    },
    schedule::{transcript::Buffered, v12::Randoms},
    wire::{
        codec::{Full, Writer},
        enums::{CipherSuite, HandshakeType, ProtocolVersion},
        extensions::{Extensions, U16List},
        handshake::Message,
        hello::{ClientHello, HelloVerifyRequest, ServerHello},
    },
};

/// HelloVerifyRequests answered in one handshake. A server that changes its secret sends a second one; more are a loop.
const MAX_VERIFY_REQUESTS: u8 = 4;

/// A ClientHello was sent.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectServerHello {
    config: ConfigRef<ClientConfig>,
    random: [u8; 32],
    verify_requests: u8,
    transcript: Buffered,
}

impl ExpectServerHello {
    /// Makes the random value and sends the first hello.
    pub(crate) fn start(config: Arc<ClientConfig>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let mut random = [0; 32];
        cx.rng.try_fill(&mut random)?;
        let mut state =
            Self { config: ConfigRef(config), random, verify_requests: 0, transcript: Buffered::default() };
        state.send_hello(&[], cx)?;
        Ok(State::ExpectServerHello(Box::new(state)))
    }

    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        match message.typ {
            HandshakeType::HELLO_VERIFY_REQUEST => self.on_verify_request(message, cx),
            HandshakeType::SERVER_HELLO => self.on_server_hello(message, cx),
            _ => Err(unexpected()),
        }
    }

    /// The same hello again, with the cookie. The exchange so far is in no transcript (RFC 6347 §4.2.1). The version of the
    /// request only frames it and says nothing about what will be negotiated.
    fn on_verify_request(mut self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let request = HelloVerifyRequest::parse(message.body)?;
        if self.verify_requests >= MAX_VERIFY_REQUESTS {
            return Err(PeerMisbehaved::TooManyHelloVerifyRequests.into());
        }
        self.verify_requests = self.verify_requests.saturating_add(1);
        self.transcript = Buffered::default();
        self.send_hello(request.cookie, cx)?;
        Ok(State::ExpectServerHello(Box::new(self)))
    }

    fn on_server_hello(mut self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let hello = ServerHello::parse(message.body)?;
        let settings = &self.config.0.settings;
        if hello.version != ProtocolVersion::DTLS1_2 {
            return Err(PeerMisbehaved::SelectedUnofferedVersion.into());
        }
        let suite = settings
            .suites
            .iter()
            .copied()
            .find(|s| s.id == hello.suite)
            .ok_or(PeerMisbehaved::SelectedUnofferedSuite)?;
        if hello.compression != COMPRESSION_NULL {
            return Err(PeerMisbehaved::SelectedCompression.into());
        }
        self.check_extensions(suite, &hello.extensions)?;
        cx.records.set_version(ProtocolVersion::DTLS1_2);
        let hash = settings.provider.hash(suite.hash).ok_or(Error::Internal("hash of a configured suite"))?;
        self.transcript.add(message);
        let hellos = Hellos {
            suite,
            randoms: Randoms { client: self.random, server: *hello.random },
            extended_master_secret: hello.extensions.extended_master_secret,
            transcript: self.transcript.run(hash),
        };
        Ok(State::ExpectKeyExchange12(Box::new(ExpectKeyExchange::new(self.config, hellos))))
    }

    /// Only what was offered may come back (RFC 5246 §7.4.1.4).
    fn check_extensions(&self, suite: &Suite12, extensions: &Extensions<'_>) -> Result<(), Error> {
        let settings = &self.config.0.settings;
        if extensions.unknown
            || extensions.misplaced
            || (extensions.ec_point_formats.is_some() && !settings.uses_groups())
        {
            return Err(PeerMisbehaved::UnofferedExtension.into());
        }
        // An initial handshake has nothing to verify yet (RFC 5746 §3.4). Servers that do not answer the signal cannot be
        // renegotiated with, and neither can this client.
        if extensions.renegotiation_info.is_some_and(|inner| !inner.is_empty()) {
            return Err(PeerMisbehaved::NonEmptyRenegotiationInfo.into());
        }
        if suite.kx == KeyExchange12::EcdhePsk {
            check_point_formats(extensions)?;
        }
        if settings.require_ems && !extensions.extended_master_secret {
            return Err(PeerIncompatible::ExtendedMasterSecretRequired.into());
        }
        Ok(())
    }

    /// Begins a flight with the hello and starts the transcript with it. Nothing but the cookie differs between the hellos
    /// of one handshake (RFC 6347 §4.2.1).
    fn send_hello(&mut self, cookie: &[u8], cx: &mut Cx<'_>) -> Result<(), Error> {
        cx.begin_flight(Delivery::UntilReply);
        let config = Arc::clone(&self.config.0);
        let random = self.random;
        let write = |w: &mut Writer<'_>| write_hello(&config, &random, cookie, w);
        cx.push(HandshakeType::CLIENT_HELLO, write, |m| self.transcript.add(m))
    }
}

fn write_hello(
    config: &ClientConfig,
    random: &[u8; 32],
    cookie: &[u8],
    w: &mut Writer<'_>,
) -> Result<(), Full> {
    let settings = &config.settings;
    let suites: Vec<u8> = settings
        .suites
        .iter()
        .map(|s| s.id)
        // The signalling suite is three bytes shorter than the empty extension (RFC 5746 §3.3).
        .chain([CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV])
        .flat_map(|id| id.0.to_be_bytes())
        .collect();
    let groups: Vec<u8> = settings.groups.iter().flat_map(|g| g.0.to_be_bytes()).collect();
    let with_groups = settings.uses_groups();
    ClientHello {
        version: ProtocolVersion::DTLS1_2,
        random,
        session_id: &[],
        cookie,
        suites: U16List(&suites),
        compression: &[COMPRESSION_NULL],
        extensions: Extensions {
            supported_groups: with_groups.then_some(U16List(&groups)),
            ec_point_formats: with_groups.then_some(&[POINT_FORMAT_UNCOMPRESSED]),
            extended_master_secret: true,
            ..Extensions::default()
        },
    }
    .write(w)
}
