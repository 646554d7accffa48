//! Bugs that other implementations had, as automata of two states over what one end does.
//!
//! Named as in the bug report of dtls-fuzzer, whose authors found them in deployed libraries; those for DTLS 1.3 are their
//! counterparts. What needs certificates is named with the messages that must not be taken in without them.

use dtls_core::{AlertDescription, HandshakeType, TraceEvent};

use crate::Role;

/// A bug, as something that must never happen in a certain order.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Pattern {
    /// What it is called.
    pub name: &'static str,
    /// Whose bug it is; `None` for both.
    pub role: Option<Role>,
    shape: Shape,
}

type Event = fn(&TraceEvent) -> bool;

/// What happens in which order.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// It happens at all.
    Ever(Event),
    /// The first happens after the second.
    After(Event, Event),
    /// The first happens without the second before it.
    Without(Event, Event),
    /// It happens again.
    Twice(Event),
}

impl Pattern {
    /// Whether the bug shows with `event`. `armed` is the automaton's state, at first `false`.
    pub fn step(&self, armed: &mut bool, event: &TraceEvent) -> bool {
        match self.shape {
            Shape::Ever(bad) => bad(event),
            Shape::After(then, first) => {
                let bad = *armed && then(event);
                *armed |= first(event);
                bad
            }
            Shape::Without(then, needed) => {
                let bad = !*armed && then(event);
                *armed |= needed(event);
                bad
            }
            Shape::Twice(one) => {
                let now = one(event);
                let bad = *armed && now;
                *armed |= now;
                bad
            }
        }
    }
}

/// How many there are.
pub(crate) const COUNT: usize = BOTH.len() + SERVER.len() + CLIENT.len();

/// Every pattern.
pub fn patterns() -> impl Iterator<Item = &'static Pattern> {
    BOTH.iter().chain(SERVER).chain(CLIENT)
}

const fn both(name: &'static str, shape: Shape) -> Pattern {
    Pattern { name, role: None, shape }
}

const fn server(name: &'static str, shape: Shape) -> Pattern {
    Pattern { name, role: Some(Role::Server), shape }
}

const fn client(name: &'static str, shape: Shape) -> Pattern {
    Pattern { name, role: Some(Role::Client), shape }
}

const BOTH: &[Pattern] = &[
    both("early Finished", Shape::Ever(|e| message(e, HandshakeType::FINISHED) && epoch_of(e) == Some(0))),
    both("Finished before CCS", Shape::Without(|e| message(e, HandshakeType::FINISHED), reads_keys)),
    both("multiple CCS", Shape::Twice(|e| matches!(e, TraceEvent::ReadEpoch { epoch: 1 }))),
    both("multiple Finished", Shape::Twice(|e| message(e, HandshakeType::FINISHED))),
    both(
        "Finished under the keys of data",
        Shape::Ever(|e| message(e, HandshakeType::FINISHED) && epoch_of(e) > Some(2)),
    ),
    both("established twice", Shape::Twice(is_established)),
    both(
        "established without Finished",
        Shape::Without(is_established, |e| message(e, HandshakeType::FINISHED)),
    ),
    both(
        "continue after close_notify",
        Shape::After(goes_on, |e| alert_received(e, AlertDescription::CloseNotify)),
    ),
    both(
        "continue after fatal alert",
        Shape::After(
            goes_on,
            |e| matches!(e, TraceEvent::AlertReceived { description, .. } if *description != AlertDescription::CloseNotify),
        ),
    ),
    both(
        "Certificate, CertificateRequest or CertificateVerify without certificates",
        Shape::Ever(|e| {
            message(e, HandshakeType::CERTIFICATE)
                || message(e, HandshakeType::CERTIFICATE_REQUEST)
                || message(e, HandshakeType::CERTIFICATE_VERIFY)
        }),
    ),
    both(
        "KeyUpdate before Finished",
        Shape::Without(|e| message(e, HandshakeType::KEY_UPDATE), is_established),
    ),
    both("EndOfEarlyData", Shape::Ever(|e| message(e, HandshakeType(5)))),
    both(
        "data from the handshake of DTLS 1.3",
        Shape::Ever(
            |e| matches!(e, TraceEvent::Delivered { number } if number.epoch() == 2 || number.epoch() == 0),
        ),
    ),
];

const SERVER: &[Pattern] = &[
    // The hello that makes the connection was taken in by the listener.
    server("handshake restarted", Shape::Ever(|e| message(e, HandshakeType::CLIENT_HELLO))),
    server(
        "insecure renegotiation",
        Shape::After(|e| message(e, HandshakeType::CLIENT_HELLO), is_established),
    ),
    server("multiple ClientKeyExchange", Shape::Twice(|e| message(e, HandshakeType::CLIENT_KEY_EXCHANGE))),
    server(
        "ClientKeyExchange under keys",
        Shape::After(|e| message(e, HandshakeType::CLIENT_KEY_EXCHANGE), reads_keys),
    ),
    server(
        "what only a server says",
        Shape::Ever(|e| {
            message(e, HandshakeType::SERVER_HELLO)
                || message(e, HandshakeType::HELLO_VERIFY_REQUEST)
                || message(e, HandshakeType::SERVER_KEY_EXCHANGE)
                || message(e, HandshakeType::SERVER_HELLO_DONE)
                || message(e, HandshakeType::ENCRYPTED_EXTENSIONS)
                || message(e, HandshakeType::NEW_SESSION_TICKET)
        }),
    ),
];

const CLIENT: &[Pattern] = &[
    client("multiple ServerKeyExchange", Shape::Twice(|e| message(e, HandshakeType::SERVER_KEY_EXCHANGE))),
    client(
        "ServerKeyExchange before ServerHello",
        Shape::Without(
            |e| message(e, HandshakeType::SERVER_KEY_EXCHANGE),
            |e| message(e, HandshakeType::SERVER_HELLO),
        ),
    ),
    client(
        "ServerKeyExchange after ServerHelloDone",
        Shape::After(
            |e| message(e, HandshakeType::SERVER_KEY_EXCHANGE),
            |e| message(e, HandshakeType::SERVER_HELLO_DONE),
        ),
    ),
    client("multiple ServerHelloDone", Shape::Twice(|e| message(e, HandshakeType::SERVER_HELLO_DONE))),
    client(
        "ServerHello flight restart",
        Shape::After(
            |e| message(e, HandshakeType::SERVER_HELLO),
            |e| {
                message(e, HandshakeType::SERVER_KEY_EXCHANGE)
                    || message(e, HandshakeType::SERVER_HELLO_DONE)
                    || message(e, HandshakeType::ENCRYPTED_EXTENSIONS)
            },
        ),
    ),
    client(
        "EncryptedExtensions before ServerHello",
        Shape::Without(
            |e| message(e, HandshakeType::ENCRYPTED_EXTENSIONS),
            |e| message(e, HandshakeType::SERVER_HELLO),
        ),
    ),
    client("multiple EncryptedExtensions", Shape::Twice(|e| message(e, HandshakeType::ENCRYPTED_EXTENSIONS))),
    client(
        "EncryptedExtensions in the clear",
        Shape::Ever(|e| message(e, HandshakeType::ENCRYPTED_EXTENSIONS) && epoch_of(e) != Some(2)),
    ),
    client(
        "HelloVerifyRequest after ServerHello",
        Shape::After(
            |e| message(e, HandshakeType::HELLO_VERIFY_REQUEST),
            |e| message(e, HandshakeType::SERVER_HELLO),
        ),
    ),
    client("premature HelloRequest", Shape::Ever(|e| message(e, HandshakeType::HELLO_REQUEST))),
    client(
        "unexpected ClientHello response",
        Shape::Ever(|e| {
            message(e, HandshakeType::CLIENT_HELLO) || message(e, HandshakeType::CLIENT_KEY_EXCHANGE)
        }),
    ),
    client(
        "NewSessionTicket before Finished",
        Shape::Without(|e| message(e, HandshakeType::NEW_SESSION_TICKET), is_established),
    ),
];

/// A message of this type was accepted.
fn message(event: &TraceEvent, wanted: HandshakeType) -> bool {
    matches!(event, TraceEvent::MessageProcessed { typ, .. } if *typ == wanted)
}

const fn epoch_of(event: &TraceEvent) -> Option<u16> {
    match event {
        TraceEvent::MessageProcessed { epoch, .. } => Some(*epoch),
        _ => None,
    }
}

const fn reads_keys(event: &TraceEvent) -> bool {
    matches!(event, TraceEvent::ReadEpoch { .. })
}

const fn is_established(event: &TraceEvent) -> bool {
    matches!(event, TraceEvent::Established)
}

fn alert_received(event: &TraceEvent, wanted: AlertDescription) -> bool {
    matches!(event, TraceEvent::AlertReceived { description, .. } if *description == wanted)
}

const fn goes_on(event: &TraceEvent) -> bool {
    matches!(
        event,
        TraceEvent::MessageProcessed { .. }
            | TraceEvent::MessageQueued { .. }
            | TraceEvent::Delivered { .. }
            | TraceEvent::Established
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINISHED: TraceEvent =
        TraceEvent::MessageProcessed { typ: HandshakeType::FINISHED, seq: 3, epoch: 1 };

    fn shows(shape: Shape, events: &[TraceEvent]) -> bool {
        let mut armed = false;
        events.iter().any(|event| both("it", shape).step(&mut armed, event))
    }

    #[test]
    fn each_shape_shows_what_it_says() {
        let finished: Event = |e| message(e, HandshakeType::FINISHED);
        let keys = TraceEvent::ReadEpoch { epoch: 1 };
        assert!(shows(Shape::Ever(finished), &[keys, FINISHED]));
        assert!(shows(Shape::After(finished, reads_keys), &[keys, FINISHED]));
        assert!(!shows(Shape::After(finished, reads_keys), &[FINISHED, keys]));
        assert!(shows(Shape::Without(finished, reads_keys), &[FINISHED, keys]));
        assert!(!shows(Shape::Without(finished, reads_keys), &[keys, FINISHED]));
        assert!(shows(Shape::Twice(finished), &[FINISHED, keys, FINISHED]));
        assert!(!shows(Shape::Twice(finished), &[FINISHED, keys]));
    }

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<_> = patterns().map(|pattern| pattern.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), count), (30, 30));
    }
}
