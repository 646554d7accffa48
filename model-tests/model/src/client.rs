//! Handshake control of the client.
//!
//! 1.2 (RFC 6347 §4.2.4, RFC 4279 §2, RFC 5489 §2):
//! ServerHello -> (ServerKeyExchange) -> ServerHelloDone -> ChangeCipherSpec -> Finished -> Connected.
//! 1.3 (RFC 9147 §5.7): ServerHello -> EncryptedExtensions -> Finished -> Connected.
//! In front of either: a HelloVerifyRequest (1.2, a few times) or a HelloRetryRequest (1.3, once).

use crate::alphabet::*;
use crate::guard::Guard;
use crate::handshake::{Control, Effect, Reaction, Setting, bad_finished, finished_12};
use crate::reliability::Flight;

/// `None`: not expected in this state.
#[must_use]
pub fn on_message(setting: &Setting, state: Control, message: Message) -> Option<Reaction> {
    match (state, message) {
        (Control::ServerHello { .. }, Message::HelloVerifyRequest) => hello_verify(setting, state),
        (Control::ServerHello { .. }, Message::HelloRetryRequest(retry)) => {
            hello_retry(setting, state, retry)
        }
        (Control::ServerHello { .. }, Message::ServerHello(hello)) => server_hello(setting, state, hello),
        (Control::ServerKeyExchange, Message::ServerKeyExchange(params))
            if params == Params::Ok || !setting.holds(Guard::ServerKeyExchangeChecked) =>
        {
            Some(Reaction::new(Control::ServerHelloDone, &[], &["RFC 4279 2", "RFC 5489 2"]))
        }
        (Control::ServerKeyExchange, Message::ServerKeyExchange(_)) => {
            Some(Reaction::fail(Description::ILLEGAL_PARAMETER, &["RFC 8422 5.4"]))
        }
        (Control::ServerKeyExchange, Message::ServerHelloDone)
            if !setting.mode.ephemeral || !setting.holds(Guard::KeyExchangeRequired) =>
        {
            Some(server_hello_done())
        }
        (Control::ServerHelloDone, Message::ServerHelloDone) => Some(server_hello_done()),
        (Control::Finished(Version::V12), Message::Finished(params)) => {
            Some(if verified(setting, params) { finished_12(setting) } else { bad_finished() })
        }
        (Control::EncryptedExtensions, Message::EncryptedExtensions) => {
            Some(Reaction::new(Control::Finished(Version::V13), &[], &["RFC 8446 4.3.1"]))
        }
        (Control::EncryptedExtensions, Message::Finished(Params::Ok))
            if !setting.holds(Guard::EncryptedExtensionsRequired) =>
        {
            Some(finished_13())
        }
        (Control::Finished(Version::V13), Message::Finished(params)) => {
            Some(if verified(setting, params) { finished_13() } else { bad_finished() })
        }
        (Control::Connected(Version::V13), Message::NewSessionTicket) => {
            let effects: &[Effect] =
                if setting.choices.ticket_acknowledges { &[Effect::Answered] } else { &[] };
            Some(Reaction::new(state, effects, &["9147-7.1-send-4", "9147-5.8.4-post-1"]))
        }
        _ => None,
    }
}

/// RFC 6347 §4.2.1. A client for both versions stays open to 1.3 (RFC 9147 §5.2, 9147-13-dual-2).
fn hello_verify(setting: &Setting, state: Control) -> Option<Reaction> {
    let Control::ServerHello { verified, retried: None } = state else { return None };
    if !setting.mode.has_12() {
        return Some(Reaction::fail(
            setting.choices.verify_request_to_13,
            &["RFC 9147 5.2", "RFC 8446 4.2.1"],
        ));
    }
    let verified = match setting.choices.verify_requests {
        Some(most) if verified >= most => {
            return Some(Reaction::fail(Description::UNEXPECTED_MESSAGE, &["RFC 6347 4.2.1"]));
        }
        Some(_) => verified + 1,
        None => 1,
    };
    Some(Reaction::new(
        Control::ServerHello { verified, retried: None },
        &[Effect::Send(Flight::Hello { cookie: true, group: false })],
        &["6347-4.2.1-cookie-2", "6347-4.2.1-cookie-5", "9147-13-dual-2"],
    ))
}

/// RFC 9147 §5.1, RFC 8446 §4.1.4.
fn hello_retry(setting: &Setting, state: Control, retry: Retry) -> Option<Reaction> {
    let Control::ServerHello { verified, retried } = state else { return None };
    if !setting.mode.has_13() {
        // To an end of 1.2 alone it is a ServerHello with an extension that was not offered.
        return Some(Reaction::fail(Description::UNSUPPORTED_EXTENSION, &["RFC 5246 7.4.1.4"]));
    }
    if retried.is_some() && setting.holds(Guard::RetryOnce) {
        return Some(Reaction::fail(Description::UNEXPECTED_MESSAGE, &["9147-5.1-hrr-3"]));
    }
    let changes = retry.cookie || retry.group != RetryGroup::None;
    if !changes && setting.holds(Guard::RetryChanges) {
        return Some(Reaction::fail(Description::ILLEGAL_PARAMETER, &["9147-5.1-hrr-5"]));
    }
    let useless = matches!(retry.group, RetryGroup::Same | RetryGroup::NotOffered);
    if useless && setting.holds(Guard::RetryGroupChecked) {
        return Some(Reaction::fail(Description::ILLEGAL_PARAMETER, &["RFC 8446 4.2.8"]));
    }
    let group = retry.group == RetryGroup::New;
    Some(Reaction::new(
        Control::ServerHello { verified: verified.min(1), retried: Some((retry.cookie, group)) },
        &[Effect::Send(Flight::Hello { cookie: verified > 0 || retry.cookie, group })],
        &["9147-5.1-hrr-1", "9147-5.1-hrr-4", "9147-5.1-hrr-6"],
    ))
}

fn server_hello(setting: &Setting, state: Control, hello: ServerHello) -> Option<Reaction> {
    let Control::ServerHello { retried, .. } = state else { return None };
    let fail = |description, rules| Some(Reaction::fail(description, rules));
    match hello.version {
        // The version of a HelloRetryRequest stays.
        Version::V10 | Version::V12 if retried.is_some() && setting.holds(Guard::RetryFixesVersion) => {
            fail(Description::ILLEGAL_PARAMETER, &["RFC 8446 4.1.4"])
        }
        Version::V10 if setting.holds(Guard::OldVersionRefused) => {
            fail(Description::PROTOCOL_VERSION, &["8996-dtls10-1"])
        }
        Version::V12 if !setting.mode.has_12() => {
            fail(Description::PROTOCOL_VERSION, &["9147-5.3-ver-2", "RFC 8446 4.2.1"])
        }
        Version::V13 if !setting.mode.has_13() && setting.holds(Guard::VersionOffered) => {
            fail(Description::UNSUPPORTED_EXTENSION, &["RFC 5246 7.4.1.4"])
        }
        _ => Some(flaw(setting, hello).unwrap_or_else(|| chosen(hello.version))),
    }
}

/// What is wrong with a ServerHello of a version that was offered.
fn flaw(setting: &Setting, hello: ServerHello) -> Option<Reaction> {
    let (guard, description, rules): (_, _, &[&str]) = match hello.flaw {
        Flaw::None => return None,
        Flaw::Suite => (
            Some(Guard::SuiteOffered),
            Description::ILLEGAL_PARAMETER,
            &["RFC 5246 7.4.1.3", "RFC 8446 4.1.3"],
        ),
        Flaw::NoEms => (Some(Guard::EmsRequired), Description::HANDSHAKE_FAILURE, &["7627-ems-1"]),
        // RFC 8446 §4.1.3 asks this of ends that can do 1.3; the others ignore the bytes.
        Flaw::Sentinel if !setting.mode.has_13() => return None,
        Flaw::Sentinel => {
            (Some(Guard::SentinelChecked), Description::ILLEGAL_PARAMETER, &["9147-5.3-downgrade-1"])
        }
        Flaw::Psk => (Some(Guard::PskOffered), Description::ILLEGAL_PARAMETER, &["RFC 8446 4.2.11"]),
        Flaw::NoPsk => (None, setting.choices.server_without_psk, &["RFC 8446 4.2.11"]),
        Flaw::Share => (None, Description::ILLEGAL_PARAMETER, &["RFC 8446 4.2.8"]),
        Flaw::SessionId => (Some(Guard::SessionIdEmpty), Description::ILLEGAL_PARAMETER, &["9147-5-sid-2"]),
    };
    guard.is_none_or(|guard| setting.holds(guard)).then(|| Reaction::fail(description, rules))
}

fn chosen(version: Version) -> Reaction {
    if version != Version::V13 {
        return Reaction::new(Control::ServerKeyExchange, &[], &["6347-4.2.4-flight-4"]);
    }
    Reaction::new(
        Control::EncryptedExtensions,
        &[Effect::Answered, Effect::Read(2), Effect::Write(2)],
        &["9147-6.1-epoch-1", "9147-7.2-recv-5", "9147-13-dual-2"],
    )
}

fn server_hello_done() -> Reaction {
    Reaction::new(
        Control::ChangeCipherSpec,
        &[Effect::Send(Flight::ClientFinish12), Effect::Write(1)],
        &["6347-4.2.5-ccs-1", "6347-4.1-epoch-1"],
    )
}

fn finished_13() -> Reaction {
    Reaction::new(
        Control::Connected(Version::V13),
        &[Effect::Send(Flight::ClientFinish13), Effect::Read(3), Effect::Write(3), Effect::Connected],
        &["9147-5.7-flight-1", "9147-6.1-epoch-1", "9147-5.8.1-app-3"],
    )
}

fn verified(setting: &Setting, params: Params) -> bool {
    params == Params::Ok || !setting.holds(Guard::FinishedVerified)
}
