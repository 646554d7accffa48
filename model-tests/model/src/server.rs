//! Handshake control of the server: the listener without state, and the connection.
//!
//! 1.2 (RFC 6347 §4.2.4): (HelloVerifyRequest) -> ClientKeyExchange -> ChangeCipherSpec -> Finished -> Connected.
//! 1.3 (RFC 9147 §5.7): (HelloRetryRequest) -> Finished -> Connected.

use crate::alphabet::*;
use crate::guard::Guard;
use crate::handshake::{Control, Effect, Reaction, Rules, Setting, bad_finished, finished_12};
use crate::mode::Versions;
use crate::reliability::Flight;

/// What the listener makes of a ClientHello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It answers and forgets.
    Reply(Sent, Rules),
    /// A connection begins, with this.
    Accept(Reaction),
}

/// A ClientHello at the listener.
#[must_use]
pub fn on_hello(setting: &Setting, hello: ClientHello) -> Verdict {
    match version(setting, hello.offers) {
        Some(Version::V12) => on_hello_12(setting, hello),
        Some(_) => on_hello_13(setting, hello),
        None if setting.choices.version_refusal_needs_connection && !setting.mode.cookie => {
            refuse(setting, Description::PROTOCOL_VERSION, &["8996-dtls10-1", "RFC 8446 4.2.1"])
        }
        None => alert(Description::PROTOCOL_VERSION, &["8996-dtls10-1", "RFC 8446 4.2.1"]),
    }
}

/// The next message of a connection. `None`: not expected in this state.
#[must_use]
pub fn on_message(setting: &Setting, state: Control, message: Message) -> Option<Reaction> {
    match (state, message) {
        (Control::ClientKeyExchange, Message::ClientKeyExchange(_)) if setting.mode.deferred => {
            let waiting = Control::Psk { version: Version::V12, binder: true };
            Some(Reaction::new(waiting, &[Effect::AskForPsk], &["RFC 4279 2"]))
        }
        (Control::ClientKeyExchange, Message::ClientKeyExchange(params))
            if params == Params::Ok || !setting.holds(Guard::ClientKeyExchangeChecked) =>
        {
            Some(key_exchanged())
        }
        (Control::ClientKeyExchange, Message::ClientKeyExchange(_)) => {
            Some(Reaction::fail(setting.choices.unknown_psk, &["RFC 7925 4.2", "RFC 4279 2"]))
        }
        (Control::Finished(version), Message::Finished(params)) => {
            Some(if params == Params::Bad && setting.holds(Guard::FinishedVerified) {
                bad_finished()
            } else if version == Version::V12 {
                finished_12(setting)
            } else {
                finished_13(setting)
            })
        }
        _ => None,
    }
}

/// The application's answer to `NeedPsk`.
#[must_use]
pub fn on_psk(setting: &Setting, version: Version, binder: bool, found: bool) -> Reaction {
    if !found && setting.holds(Guard::PskNeeded) {
        return Reaction::fail(setting.choices.unknown_psk, &["RFC 7925 4.2", "RFC 8446 6.2"]);
    }
    if version == Version::V12 { key_exchanged() } else { answer_13(setting, binder) }
}

/// The version to negotiate, if there is one (RFC 9147 §5.3, 9147-13-dual-1).
fn version(setting: &Setting, offers: Offers) -> Option<Version> {
    let (has_12, has_13) = match setting.mode.versions {
        Versions::V12 => (true, false),
        Versions::V13 => (false, true),
        Versions::Both => (true, true),
    };
    let offers_13 = matches!(offers, Offers::V13 | Offers::Both);
    // A hello that offers 1.3 alone looks like one of 1.2 to an end that does not know supported_versions.
    let offers_12 = matches!(offers, Offers::V12 | Offers::Both);
    if has_13 && offers_13 && (setting.holds(Guard::NewestVersion) || !(has_12 && offers_12)) {
        Some(Version::V13)
    } else {
        (has_12 && offers_12).then_some(Version::V12)
    }
}

fn on_hello_12(setting: &Setting, hello: ClientHello) -> Verdict {
    if setting.mode.cookie && !proven(setting, hello.cookie) {
        return Verdict::Reply(
            Sent::HelloVerifyRequest,
            &["6347-4.2.1-cookie-7", "6347-4.2.1-cookie-10", "6347-4.2.1-cookie-11", "6347-4.2.1-hvr-5"],
        );
    }
    if !hello.suite {
        return refuse(setting, Description::HANDSHAKE_FAILURE, &["RFC 5246 7.4.1.3"]);
    }
    if !hello.ems && setting.holds(Guard::EmsRequired) {
        return refuse(setting, Description::HANDSHAKE_FAILURE, &["7627-ems-1"]);
    }
    let flight = Flight::ServerHello12 { key_exchange: setting.mode.ephemeral };
    Verdict::Accept(Reaction::new(
        Control::ClientKeyExchange,
        &[Effect::Send(flight)],
        &["6347-4.2.4-flight-1", "6347-4.2.2-seq-1"],
    ))
}

fn on_hello_13(setting: &Setting, hello: ClientHello) -> Verdict {
    if hello.cookie == Cookie::Legacy {
        return reject(setting, Description::ILLEGAL_PARAMETER, &["9147-5.3-cookie-2"]);
    }
    if !hello.suite {
        return reject(setting, Description::HANDSHAKE_FAILURE, &["RFC 8446 4.1.1"]);
    }
    if hello.cookie == Cookie::Bad && setting.holds(Guard::CookieChecked) {
        return alert(Description::ILLEGAL_PARAMETER, &["9147-5.1-cookie-2"]);
    }
    let share = hello.share || !setting.mode.ephemeral;
    if !share && hello.cookie == Cookie::Good && setting.choices.cookie_covers_share {
        return alert(Description::ILLEGAL_PARAMETER, &["9147-5.1-cookie-2", "RFC 8446 4.1.2"]);
    }
    if hello.cookie == Cookie::None {
        let asks = setting.mode.cookie && setting.holds(Guard::CookieAsked);
        if asks || !share {
            return Verdict::Reply(
                Sent::HelloRetryRequest { cookie: true, group: !share },
                &["9147-5.1-cookie-1", "9147-5.1-hrr-7", "9147-5.2-hvr-1"],
            );
        }
    } else if !share && setting.holds(Guard::ShareAfterRetry) {
        return refuse(setting, Description::ILLEGAL_PARAMETER, &["9147-5.1-hrr-1", "RFC 8446 4.1.2"]);
    }
    if setting.mode.deferred {
        let binder = hello.psk != Psk::BadBinder;
        let waiting = Control::Psk { version: Version::V13, binder };
        return Verdict::Accept(Reaction::new(waiting, &[Effect::AskForPsk], &["RFC 8446 4.2.11"]));
    }
    if hello.psk == Psk::Unknown {
        return refuse(setting, setting.choices.unknown_psk, &["RFC 8446 6.2"]);
    }
    Verdict::Accept(answer_13(setting, hello.psk == Psk::Known))
}

/// Whether a cookie proves the address.
fn proven(setting: &Setting, cookie: Cookie) -> bool {
    match cookie {
        Cookie::Good | Cookie::Retry => true,
        Cookie::Bad => !setting.holds(Guard::CookieChecked),
        Cookie::None | Cookie::Legacy => !setting.holds(Guard::CookieAsked),
    }
}

fn answer_13(setting: &Setting, binder: bool) -> Reaction {
    if !binder && setting.holds(Guard::BinderChecked) {
        return Reaction::fail(Description::DECRYPT_ERROR, &["RFC 8446 4.2.11.2"]);
    }
    Reaction::new(
        Control::Finished(Version::V13),
        &[Effect::Send(Flight::Server13), Effect::Read(2), Effect::Write(setting.choices.server_epoch)],
        &["9147-5.4-sh-1", "9147-6.1-epoch-1", "9147-5-sid-1"],
    )
}

fn key_exchanged() -> Reaction {
    Reaction::new(Control::ChangeCipherSpec, &[], &["6347-4.2.4-flight-4", "7627-ems-1"])
}

fn finished_13(setting: &Setting) -> Reaction {
    let mut effects = vec![Effect::Answered, Effect::Read(3), Effect::Write(3)];
    if setting.holds(Guard::LastFlightAcked) {
        effects.push(Effect::Acknowledge);
    }
    effects.push(Effect::Connected);
    Reaction::new(
        Control::Connected(Version::V13),
        &effects,
        &["9147-7.1-send-4", "9147-7-epoch-3", "9147-5.8.1-app-1"],
    )
}

fn alert(description: Description, rules: Rules) -> Verdict {
    Verdict::Reply(Sent::Alert(Level::Fatal, description), rules)
}

/// A hello that is refused once it is proven.
fn refuse(setting: &Setting, description: Description, rules: Rules) -> Verdict {
    if setting.choices.refusal_needs_connection {
        Verdict::Accept(Reaction::fail(description, rules))
    } else {
        alert(description, rules)
    }
}

/// A hello that is refused before its cookie was looked at: proven only where there are no cookies.
fn reject(setting: &Setting, description: Description, rules: Rules) -> Verdict {
    let costs = setting.choices.rejection_needs_connection && !setting.mode.cookie;
    if costs { refuse(setting, description, rules) } else { alert(description, rules) }
}
