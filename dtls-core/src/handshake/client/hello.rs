//! The client's hello, until a ServerHello settles the version: one hello offers both (RFC 8446 §4.1, RFC 6347 §4.2.1).
//!
//! ```text
//! ClientHello            -------->
//!                        <--------   HelloVerifyRequest (any number up to a bound) or HelloRetryRequest (one)
//! ClientHello + cookie   -------->
//!                        <--------   ServerHello …
//! ```

use alloc::{boxed::Box, vec::Vec};

use super::{offer::Offer, v12::ExpectKeyExchange, v13};
use crate::{
    Arc,
    config::ClientConfig,
    error::{Error, PeerIncompatible, PeerMisbehaved},
    flow::outbox::Delivery,
    handshake::{
        ConfigRef, Cx, State,
        negotiate::{COMPRESSION_NULL, DOWNGRADE_SENTINELS, check_point_formats},
        session12::Hellos,
        share::OwnShare,
        suites::{KeyExchange12, Suite12, Suite13},
        unexpected,
    },
    schedule::{
        transcript::{FirstHello, Framing, Transcript},
        v12::Randoms,
    },
    wire::{
        enums::{HandshakeType, ProtocolVersion},
        extensions::Extensions,
        handshake::Message,
        hello::{HelloVerifyRequest, ServerHello},
    },
};

/// HelloVerifyRequests answered in one handshake. A server that changes its secret sends a second one; more are a loop.
const MAX_VERIFY_REQUESTS: u8 = 4;

/// A ClientHello was sent.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectServerHello {
    config: ConfigRef<ClientConfig>,
    offer: Offer,
    verify_requests: u8,
    /// The last hello, unless the transcript of a retry holds it.
    hello: Option<FirstHello>,
    retry: Option<Retry>,
}

/// A HelloRetryRequest was answered.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
struct Retry {
    suite: &'static Suite13,
    /// Up to the second hello.
    transcript: Transcript,
}

impl ExpectServerHello {
    /// Makes the random value and the key share, and sends the first hello.
    pub(crate) fn start(config: Arc<ClientConfig>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let offer = Offer::new(&config, cx.rng)?;
        let mut state =
            Self { config: ConfigRef(config), offer, verify_requests: 0, hello: None, retry: None };
        state.send_hello(Delivery::UntilReply, cx)?;
        Ok(State::ExpectServerHello(Box::new(state)))
    }

    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        match message.typ {
            HandshakeType::HELLO_VERIFY_REQUEST => self.on_verify_request(message, cx),
            HandshakeType::SERVER_HELLO => {
                let hello = ServerHello::parse(message.body)?;
                if hello.extensions.selected_version.is_some() && !self.config.0.settings.speaks13() {
                    // A hello of DTLS 1.2 alone does not offer the extension (RFC 5246 §7.4.1.4).
                    return Err(PeerMisbehaved::UnofferedExtension.into());
                }
                if hello.extensions.misplaced {
                    return Err(PeerMisbehaved::MisplacedExtension.into());
                }
                if hello.extensions.unknown {
                    return Err(PeerMisbehaved::UnofferedExtension.into());
                }
                if hello.compression != COMPRESSION_NULL {
                    return Err(PeerMisbehaved::SelectedCompression.into());
                }
                match hello.extensions.selected_version {
                    None => self.on_server_hello12(message, &hello, cx),
                    Some(version) => {
                        let suite = self.check13(version, &hello)?;
                        if hello.is_retry() {
                            self.on_retry_request(message, &hello, suite, cx)
                        } else {
                            self.on_server_hello13(message, &hello, suite, cx)
                        }
                    }
                }
            }
            _ => Err(unexpected()),
        }
    }

    /// The same hello again, with the cookie. The exchange so far is in no transcript (RFC 6347 §4.2.1). The request says
    /// nothing about the version: it only frames itself as 1.0, and the hello still offers all.
    fn on_verify_request(mut self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        let request = HelloVerifyRequest::parse(message.body)?;
        if self.retry.is_some() {
            return Err(unexpected());
        }
        if !self.config.0.settings.speaks12() {
            // Only a server that does not speak DTLS 1.3 sends it (RFC 9147 §5.2).
            return Err(PeerIncompatible::NoCommonVersion.into());
        }
        if self.verify_requests >= MAX_VERIFY_REQUESTS {
            return Err(PeerMisbehaved::TooManyHelloVerifyRequests.into());
        }
        self.verify_requests = self.verify_requests.saturating_add(1);
        self.offer.legacy_cookie = request.cookie.to_vec();
        self.send_hello(Delivery::UntilReply, cx)?;
        Ok(State::ExpectServerHello(Box::new(self)))
    }

    /// What holds for ServerHello and HelloRetryRequest of DTLS 1.3 alike (RFC 8446 §4.1.3, rfc9147bis §5).
    fn check13(&self, version: ProtocolVersion, hello: &ServerHello<'_>) -> Result<&'static Suite13, Error> {
        let settings = &self.config.0.settings;
        let framed = hello.version == ProtocolVersion::DTLS1_2;
        if version != ProtocolVersion::DTLS1_3 || !framed {
            return Err(PeerMisbehaved::BadSelectedVersion.into());
        }
        if !hello.session_id.is_empty() {
            return Err(PeerMisbehaved::NonEmptySessionIdEcho.into());
        }
        let suite = settings.suites13.iter().copied().find(|s| s.id == hello.suite);
        let suite = suite.ok_or(PeerMisbehaved::SelectedUnofferedSuite)?;
        if self.retry.as_ref().is_some_and(|retry| retry.suite != suite) {
            return Err(PeerMisbehaved::ChangedAfterHelloRetryRequest.into());
        }
        Ok(suite)
    }

    /// The hello again, changed only as asked (RFC 8446 §4.1.4). DTLS 1.3 is certain from here on.
    fn on_retry_request(
        mut self,
        message: &Message<'_>,
        request: &ServerHello<'_>,
        suite: &'static Suite13,
        cx: &mut Cx<'_>,
    ) -> Result<State, Error> {
        if self.retry.is_some() {
            return Err(PeerMisbehaved::SecondHelloRetryRequest.into());
        }
        let settings = &self.config.0.settings;
        let Extensions { cookie, selected_group, .. } = request.extensions;
        if cookie.is_none() && selected_group.is_none() {
            return Err(PeerMisbehaved::PointlessHelloRetryRequest.into());
        }
        if let Some(group) = selected_group {
            let Some(sent) = self.offer.share.as_ref().map(|s| s.group) else {
                return Err(PeerMisbehaved::UnofferedExtension.into());
            };
            if !settings.groups.contains(&group) {
                return Err(PeerMisbehaved::SelectedUnofferedGroup.into());
            }
            if sent == group {
                return Err(PeerMisbehaved::PointlessHelloRetryRequest.into());
            }
            self.offer.share = Some(OwnShare::make(settings, group, cx.rng)?);
        }
        self.offer.cookie = cookie.map(<[u8]>::to_vec);
        let hash = settings.hash(suite.hash)?;
        let first = self.hello.take().ok_or(Error::Internal("the first hello"))?;
        let mut transcript =
            Transcript::after_retry(hash, first.start(hash, Framing::Tls13).current().as_bytes());
        transcript.add(message);
        self.offer.keep_psks_for(&self.config.0, suite.hash);
        self.retry = Some(Retry { suite, transcript });
        cx.records.set_version(ProtocolVersion::DTLS1_2);
        cx.enable_acks();
        self.send_hello(Delivery::UntilAcked, cx)?;
        Ok(State::ExpectServerHello(Box::new(self)))
    }

    fn on_server_hello13(
        self,
        message: &Message<'_>,
        hello: &ServerHello<'_>,
        suite: &'static Suite13,
        cx: &mut Cx<'_>,
    ) -> Result<State, Error> {
        let hash = self.config.0.settings.hash(suite.hash)?;
        let transcript = match (self.retry, &self.hello) {
            (Some(retry), _) => retry.transcript,
            (None, Some(first)) => first.start(hash, Framing::Tls13),
            (None, None) => return Err(Error::Internal("the first hello")),
        };
        v13::on_server_hello(self.config, &self.offer, suite, transcript, (message, hello), cx)
    }

    fn on_server_hello12(
        self,
        message: &Message<'_>,
        hello: &ServerHello<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<State, Error> {
        let settings = &self.config.0.settings;
        if self.retry.is_some() {
            // The version of a HelloRetryRequest stays (RFC 8446 §4.1.4).
            return Err(PeerMisbehaved::ChangedAfterHelloRetryRequest.into());
        }
        if hello.version != ProtocolVersion::DTLS1_2 {
            return Err(PeerMisbehaved::SelectedUnofferedVersion.into());
        }
        if !settings.speaks12() {
            // To a server that knows nothing newer, every hello offers DTLS 1.2 (RFC 8446 §4.1.2).
            return Err(PeerIncompatible::NoCommonVersion.into());
        }
        // The server could have chosen 1.3, and somebody kept it from doing so (RFC 8446 §4.1.3).
        if settings.speaks13() && DOWNGRADE_SENTINELS.iter().any(|s| hello.random.ends_with(s)) {
            return Err(PeerMisbehaved::Downgrade.into());
        }
        let suite = settings.suites12.iter().copied().find(|s| s.id == hello.suite);
        let suite = suite.ok_or(PeerMisbehaved::SelectedUnofferedSuite)?;
        self.check_extensions12(suite, &hello.extensions)?;
        cx.records.set_version(ProtocolVersion::DTLS1_2);
        let first = self.hello.as_ref().ok_or(Error::Internal("the first hello"))?;
        let mut transcript = first.start(settings.hash(suite.hash)?, Framing::Dtls12);
        transcript.add(message);
        let hellos = Hellos {
            suite,
            randoms: Randoms { client: self.offer.random, server: *hello.random },
            extended_master_secret: hello.extensions.extended_master_secret,
            transcript,
        };
        Ok(State::ExpectKeyExchange12(Box::new(ExpectKeyExchange::new(self.config, hellos))))
    }

    /// Only what was offered may come back (RFC 5246 §7.4.1.4).
    fn check_extensions12(&self, suite: &Suite12, extensions: &Extensions<'_>) -> Result<(), Error> {
        let settings = &self.config.0.settings;
        if extensions.ec_point_formats.is_some() && !settings.uses_groups12() {
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

    /// Begins a flight with the hello and takes it into the transcript. Nothing differs between the hellos of one handshake
    /// but what the server asked for.
    fn send_hello(&mut self, delivery: Delivery, cx: &mut Cx<'_>) -> Result<(), Error> {
        cx.begin_flight(delivery);
        let retried = self.retry.as_ref().map(|retry| &retry.transcript);
        let body: Vec<u8> = self.offer.encode(&self.config.0, retried, cx.outbox.next_seq())?;
        let Self { hello, retry, .. } = self;
        cx.push_encoded(HandshakeType::CLIENT_HELLO, body, |message| match retry {
            Some(retry) => retry.transcript.add(message),
            None => *hello = Some(FirstHello::new(message)),
        })
    }
}
