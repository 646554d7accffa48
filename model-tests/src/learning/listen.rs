//! What the end under test did, in the words of the reference model.

use dtls_core::{CloseReason, Error, Event, HandshakeType};
use reference_model::alphabet::{Description, Event as Told, Level, Output, Sent, Version};
use scripted_peer::{
    Heard, What,
    codec::{ClientHello, ServerHello, extension, get},
};

/// A group of which a client sends a key only if it is asked to.
pub(crate) const SECOND_GROUP: u16 = 0x0017;

/// The output for something heard, if it is one.
pub(super) fn output(heard: &Heard) -> Option<Output> {
    let sent = match &heard.what {
        What::Fragment(..) => return None,
        What::Message(message, _) => sent_message(message.typ, &message.body),
        What::ChangeCipherSpec => Sent::ChangeCipherSpec,
        What::Alert(1, description) => Sent::Alert(Level::Warning, Description(*description)),
        What::Alert(2, description) => Sent::Alert(Level::Fatal, Description(*description)),
        What::Data(_) => Sent::Data,
        What::Ack(numbers) => Sent::Ack { empty: numbers.is_empty() },
        What::Alert(..) | What::Malformed(_) | What::Sealed | What::Noise => Sent::Other,
    };
    Some(Output::Tx(heard.epoch as u8, sent))
}

/// The output for an event, unless it is the end that the application itself asked for.
pub(super) const fn event(event: &Event) -> Option<Output> {
    Some(Output::Event(match event {
        Event::Connected => Told::Connected,
        Event::NeedPsk { .. } => Told::NeedPsk,
        Event::Closed(CloseReason::Local) => return None,
        Event::Closed(CloseReason::CloseNotify) => Told::ClosedByPeer,
        Event::Closed(CloseReason::Failed(Error::PeerAlert(_))) => Told::FatalAlert,
        Event::Closed(_) => Told::Failed,
        _ => return None,
    }))
}

pub(crate) fn sent_message(typ: HandshakeType, body: &[u8]) -> Sent {
    match typ {
        HandshakeType::CLIENT_HELLO => ClientHello::parse(body).map_or(Sent::Other, |hello| {
            let cookie = get(&hello.extensions, extension::COOKIE);
            Sent::ClientHello {
                cookie: cookie.is_some() || !hello.legacy_cookie.is_empty(),
                group: hello.share(SECOND_GROUP).is_some(),
            }
        }),
        HandshakeType::SERVER_HELLO => ServerHello::parse(body).map_or(Sent::Other, |hello| {
            let has = |typ| get(&hello.extensions, typ).is_some();
            match (hello.is_retry(), hello.is13(), hello.legacy_version) {
                (true, ..) => Sent::HelloRetryRequest {
                    cookie: has(extension::COOKIE),
                    group: has(extension::KEY_SHARE),
                },
                (false, true, _) => Sent::ServerHello(Version::V13),
                (false, false, [0xfe, 0xfd]) => Sent::ServerHello(Version::V12),
                (false, false, _) => Sent::Other,
            }
        }),
        HandshakeType::HELLO_VERIFY_REQUEST => Sent::HelloVerifyRequest,
        HandshakeType::SERVER_KEY_EXCHANGE => Sent::ServerKeyExchange,
        HandshakeType::SERVER_HELLO_DONE => Sent::ServerHelloDone,
        HandshakeType::CLIENT_KEY_EXCHANGE => Sent::ClientKeyExchange,
        HandshakeType::FINISHED => Sent::Finished,
        HandshakeType::ENCRYPTED_EXTENSIONS => Sent::EncryptedExtensions,
        _ => Sent::Other,
    }
}
