//! The patterns.
//!
//! Named as in the bug report of dtls-fuzzer, whose authors found them in deployed libraries; those for DTLS 1.3 are their
//! counterparts. What needs certificates is named with the messages that must not be taken in without them. What a trace cannot
//! show is not here: the contents of cookies, of acknowledgements and of messages that were taken in before, and the suite of a
//! HelloRetryRequest.

use dtls_core::{AlertDescription, ContentType, Discard, Error, HandshakeType as Type, TraceEvent};

use super::{FOUND, Pattern, Shape, Step};
use crate::Role;

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
    both("early Finished", Shape::Ever(|e| finished_in(e, |epoch| epoch == 0))),
    both("Finished before CCS", Shape::Without(|e| accepts(e, Type::FINISHED), reads_keys)),
    both("multiple CCS", Shape::Twice(|e| reads(e, 1))),
    both("multiple Finished", Shape::Twice(|e| accepts(e, Type::FINISHED))),
    both("Finished under the keys of data", Shape::Ever(|e| finished_in(e, |epoch| epoch > 2))),
    both(
        "Finished of DTLS 1.3 in epoch 1",
        Shape::After(|e| finished_in(e, |epoch| epoch == 1), |e| reads(e, 2)),
    ),
    both("established twice", Shape::Twice(is_established)),
    both("established without Finished", Shape::Without(is_established, |e| accepts(e, Type::FINISHED))),
    both(
        "application data before Finished",
        Shape::Without(|e| sends(e, ContentType::APPLICATION_DATA), is_established),
    ),
    both(
        "continue after close_notify",
        Shape::After(goes_on, |e| {
            matches!(
                e,
                Step::Did(TraceEvent::AlertReceived { description: AlertDescription::CloseNotify, .. })
            )
        }),
    ),
    both(
        "continue after fatal alert",
        Shape::After(
            goes_on,
            |e| matches!(e, Step::Did(TraceEvent::AlertReceived { description, .. }) if *description != AlertDescription::CloseNotify),
        ),
    ),
    both(
        "Certificate, CertificateRequest or CertificateVerify without certificates",
        Shape::Ever(|e| {
            [Type::CERTIFICATE, Type::CERTIFICATE_REQUEST, Type::CERTIFICATE_VERIFY]
                .iter()
                .any(|typ| accepts(e, *typ) || says(e, *typ))
        }),
    ),
    both("retransmitted flight 5", Shape::Again(|e| sends(e, ContentType::CHANGE_CIPHER_SPEC), repeats)),
    both("invalid Finished as retransmission", Shape::States(repeats_to_what_was_not_repeated)),
    both(
        "internal error on Finished",
        Shape::Since(
            |e| alerts(e, AlertDescription::InternalError),
            came_finished,
            |e| came_other(e) || is_established(e) || is_aborted(e) || fails_here(e),
        ),
    ),
    both(
        "no_renegotiation before Finished",
        Shape::Without(
            |e| alerts(e, AlertDescription::NoRenegotiation),
            |e| is_established(e) || is_aborted(e),
        ),
    ),
    both("KeyUpdate before Finished", Shape::Without(|e| accepts(e, Type::KEY_UPDATE), is_established)),
    both("EndOfEarlyData", Shape::Ever(|e| accepts(e, Type(5)))),
    both("a message of no known type", Shape::Ever(accepts_unknown)),
    both(
        "messages of DTLS 1.2 in DTLS 1.3",
        Shape::After(
            |e| {
                [Type::SERVER_KEY_EXCHANGE, Type::SERVER_HELLO_DONE, Type::CLIENT_KEY_EXCHANGE]
                    .iter()
                    .any(|typ| accepts(e, *typ) || says(e, *typ))
            },
            |e| reads(e, 2),
        ),
    ),
    both("CCS in DTLS 1.3", Shape::After(|e| sends(e, ContentType::CHANGE_CIPHER_SPEC), |e| reads(e, 2))),
    both("CCS taken in in DTLS 1.3", Shape::States(takes_ccs13)),
    both("ACK in DTLS 1.2", Shape::Ever(|e| acknowledges_in(e, 1))),
    // A ServerHello in pieces, after a HelloRetryRequest, is acknowledged before there are any (RFC 9147 §7).
    both("ACK in the clear in spite of keys", Shape::After(|e| acknowledges_in(e, 0), writes_keys)),
    both("ACK taken in in DTLS 1.2", Shape::States(takes_ack12)),
    both(
        "data from the handshake of DTLS 1.3",
        Shape::Ever(
            |e| matches!(e, Step::Did(TraceEvent::Delivered { number }) if number.epoch() == 2 || number.epoch() == 0),
        ),
    ),
];

const SERVER: &[Pattern] = &[
    // The hello that makes the connection was taken in by the listener.
    server("handshake restarted", Shape::Ever(|e| accepts(e, Type::CLIENT_HELLO))),
    server("insecure renegotiation", Shape::After(|e| says(e, Type::SERVER_HELLO), is_established)),
    server("multiple ServerHello", Shape::Twice(|e| says(e, Type::SERVER_HELLO))),
    server("invalid handshake start", Shape::After(|e| says(e, Type::SERVER_HELLO), accepts_any)),
    // Cookies are asked for by those who keep no connection.
    server("HelloVerifyRequest retransmission", Shape::Ever(|e| says(e, Type::HELLO_VERIFY_REQUEST))),
    server(
        "invalid decrypt_error alert",
        Shape::Since(
            |e| alerts(e, AlertDescription::DecryptError),
            |e| came_other(e) && !matches!(e, Step::Came(Type::CLIENT_KEY_EXCHANGE)),
            |e| came_finished(e) || matches!(e, Step::Came(Type::CLIENT_KEY_EXCHANGE)) || is_aborted(e),
        ),
    ),
    server("multiple ClientKeyExchange", Shape::Twice(|e| accepts(e, Type::CLIENT_KEY_EXCHANGE))),
    server(
        "ClientKeyExchange under keys",
        Shape::After(|e| accepts(e, Type::CLIENT_KEY_EXCHANGE), reads_keys),
    ),
    // With the resumption of DTLS 1.2 there are (RFC 5246 §7.3).
    server(
        "keys without ClientKeyExchange",
        Shape::Without(|e| reads(e, 1), |e| accepts(e, Type::CLIENT_KEY_EXCHANGE)),
    ),
    server(
        "what only a server says",
        Shape::Ever(|e| {
            [
                Type::SERVER_HELLO,
                Type::HELLO_VERIFY_REQUEST,
                Type::SERVER_KEY_EXCHANGE,
                Type::SERVER_HELLO_DONE,
                Type::ENCRYPTED_EXTENSIONS,
                Type::NEW_SESSION_TICKET,
            ]
            .iter()
            .any(|typ| accepts(e, *typ))
        }),
    ),
];

const CLIENT: &[Pattern] = &[
    client("multiple ServerKeyExchange", Shape::Twice(|e| accepts(e, Type::SERVER_KEY_EXCHANGE))),
    client(
        "ServerKeyExchange before ServerHello",
        Shape::Without(|e| accepts(e, Type::SERVER_KEY_EXCHANGE), |e| accepts(e, Type::SERVER_HELLO)),
    ),
    client(
        "ServerKeyExchange after ServerHelloDone",
        Shape::After(|e| accepts(e, Type::SERVER_KEY_EXCHANGE), |e| accepts(e, Type::SERVER_HELLO_DONE)),
    ),
    client("multiple ServerHelloDone", Shape::Twice(|e| accepts(e, Type::SERVER_HELLO_DONE))),
    // With the resumption of DTLS 1.2 there are (RFC 5246 §7.3).
    client(
        "keys without ServerHelloDone",
        Shape::Without(|e| reads(e, 1), |e| accepts(e, Type::SERVER_HELLO_DONE)),
    ),
    client(
        "ServerHello flight restart",
        Shape::After(
            |e| accepts(e, Type::SERVER_HELLO),
            |e| {
                [Type::SERVER_KEY_EXCHANGE, Type::SERVER_HELLO_DONE, Type::ENCRYPTED_EXTENSIONS]
                    .iter()
                    .any(|typ| accepts(e, *typ))
            },
        ),
    ),
    // Whatever the second one says: only a HelloRetryRequest, which is answered, has another ServerHello after it.
    client(
        "switching cipher suite",
        Shape::Again(|e| accepts(e, Type::SERVER_HELLO), |e| says(e, Type::CLIENT_HELLO)),
    ),
    client("HelloRetryRequest twice", Shape::States(retries_twice)),
    client("DTLS 1.2 after HelloRetryRequest", Shape::States(falls_back_after_retry)),
    client(
        "incorrect decrypt_error alert",
        Shape::Since(
            |e| alerts(e, AlertDescription::DecryptError),
            came_other,
            |e| came_finished(e) || is_aborted(e),
        ),
    ),
    client(
        "EncryptedExtensions before ServerHello",
        Shape::Without(|e| accepts(e, Type::ENCRYPTED_EXTENSIONS), |e| accepts(e, Type::SERVER_HELLO)),
    ),
    client("multiple EncryptedExtensions", Shape::Twice(|e| accepts(e, Type::ENCRYPTED_EXTENSIONS))),
    client(
        "EncryptedExtensions in the clear",
        Shape::Ever(|e| accepts(e, Type::ENCRYPTED_EXTENSIONS) && epoch_of(e) != Some(2)),
    ),
    client("no EncryptedExtensions", Shape::States(misses_encrypted_extensions)),
    client(
        "ACK before ServerHello",
        Shape::Without(|e| sends(e, ContentType::ACK), |e| accepts(e, Type::SERVER_HELLO)),
    ),
    client(
        "HelloVerifyRequest after ServerHello",
        Shape::After(|e| accepts(e, Type::HELLO_VERIFY_REQUEST), |e| accepts(e, Type::SERVER_HELLO)),
    ),
    client("premature HelloRequest", Shape::Ever(|e| accepts(e, Type::HELLO_REQUEST))),
    client("unexpected ClientHello response", Shape::States(answers_with_hello)),
    client(
        "what only a client says",
        Shape::Ever(|e| accepts(e, Type::CLIENT_HELLO) || accepts(e, Type::CLIENT_KEY_EXCHANGE)),
    ),
    // With the tickets of DTLS 1.2 it comes before (RFC 5077 §3.3).
    client(
        "NewSessionTicket before Finished",
        Shape::Without(|e| accepts(e, Type::NEW_SESSION_TICKET), is_established),
    ),
];

/// A message of this type was accepted.
fn accepts(step: &Step, wanted: Type) -> bool {
    matches!(step, Step::Did(TraceEvent::MessageProcessed { typ, .. }) if *typ == wanted)
}

const fn accepts_any(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::MessageProcessed { .. }))
}

/// RFC 8446 §4 and RFC 5246 §7.4, with HelloVerifyRequest (RFC 6347 §4.3.2), RequestConnectionId and NewConnectionId (RFC 9147
/// §5.2).
fn accepts_unknown(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::MessageProcessed { typ, .. }) if !matches!(typ.0, 0..=4 | 8..=16 | 20 | 24))
}

const fn epoch_of(step: &Step) -> Option<u16> {
    match step {
        Step::Did(TraceEvent::MessageProcessed { epoch, .. }) => Some(*epoch),
        _ => None,
    }
}

fn finished_in(step: &Step, epoch: fn(u16) -> bool) -> bool {
    accepts(step, Type::FINISHED) && epoch_of(step).is_some_and(epoch)
}

/// A message of this type becomes part of the own flight.
fn says(step: &Step, wanted: Type) -> bool {
    matches!(step, Step::Did(TraceEvent::MessageQueued { typ, .. }) if *typ == wanted)
}

fn sends(step: &Step, wanted: ContentType) -> bool {
    matches!(step, Step::Did(TraceEvent::RecordSent { content, .. }) if *content == wanted)
}

fn alerts(step: &Step, wanted: AlertDescription) -> bool {
    matches!(step, Step::Did(TraceEvent::AlertSent { description }) if *description == wanted)
}

const fn reads_keys(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::ReadEpoch { .. }))
}

const fn writes_keys(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::WriteEpoch { .. }))
}

const fn reads(step: &Step, wanted: u16) -> bool {
    matches!(step, Step::Did(TraceEvent::ReadEpoch { epoch }) if *epoch == wanted)
}

const fn is_established(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::Established))
}

const fn goes_on(step: &Step) -> bool {
    matches!(
        step,
        Step::Did(
            TraceEvent::MessageProcessed { .. }
                | TraceEvent::MessageQueued { .. }
                | TraceEvent::Delivered { .. }
                | TraceEvent::Established
        )
    )
}

const fn repeats(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::RetransmitTimeout { .. } | TraceEvent::RetransmitOnRequest))
}

/// The application has ended it, with whatever alert it likes.
const fn is_aborted(step: &Step) -> bool {
    matches!(step, Step::Did(TraceEvent::Failed { error: Error::Aborted(_) }))
}

/// The own end cannot go on, whatever the peer has said.
const fn fails_here(step: &Step) -> bool {
    matches!(
        step,
        Step::Did(TraceEvent::Failed { error: Error::Rng | Error::Crypto | Error::SequenceExhausted })
    )
}

const fn came_finished(step: &Step) -> bool {
    matches!(step, Step::Came(Type::FINISHED))
}

const fn came_other(step: &Step) -> bool {
    matches!(step, Step::Came(_)) && !came_finished(step)
}

fn acknowledges_in(step: &Step, epoch: u16) -> bool {
    let Step::Did(TraceEvent::RecordSent { content, number, .. }) = step else { return false };
    *content == ContentType::ACK && number.epoch() == epoch
}

/// A flight goes out again only for a message that was taken in before, and that is dropped as such.
const fn repeats_to_what_was_not_repeated(state: u8, step: &Step) -> u8 {
    match step {
        Step::Did(TraceEvent::Discarded { reason: Discard::OldMessage | Discard::Closed, .. }) => 1,
        Step::Did(TraceEvent::RetransmitOnRequest) if state == 1 => 1,
        Step::Did(TraceEvent::RetransmitOnRequest) => FOUND,
        _ => 0,
    }
}

/// Once the keys of DTLS 1.3 are there (1), a ChangeCipherSpec (2) is dropped before anything else happens.
fn takes_ccs13(state: u8, step: &Step) -> u8 {
    match (state, step) {
        (0, step) if reads(step, 2) => 1,
        (1, Step::Did(TraceEvent::RecordReceived { content: ContentType::CHANGE_CIPHER_SPEC, .. })) => 2,
        (2, step) => after_record(step, 1),
        (1, Step::Did(TraceEvent::Failed { .. })) => 3,
        _ => state,
    }
}

/// In the only protected epoch of DTLS 1.2 an ACK (1) is dropped before anything else happens.
fn takes_ack12(state: u8, step: &Step) -> u8 {
    match (state, step) {
        (0, Step::Did(TraceEvent::RecordReceived { content: ContentType::ACK, number, .. }))
            if number.epoch() == 1 =>
        {
            1
        }
        (1, step) => after_record(step, 0),
        (0, Step::Did(TraceEvent::Failed { .. })) => 3,
        _ => state,
    }
}

/// After a record that is not to be taken in: it is dropped, or nothing is any more.
const fn after_record(step: &Step, dropped: u8) -> u8 {
    match step {
        Step::Did(TraceEvent::Discarded { .. }) => dropped,
        Step::Did(TraceEvent::Failed { .. }) => 3,
        _ => FOUND,
    }
}

/// After the first one (1) a ClientHello answers a HelloVerifyRequest or a HelloRetryRequest (2).
fn answers_with_hello(state: u8, step: &Step) -> u8 {
    match state {
        1 if says(step, Type::CLIENT_HELLO) => FOUND,
        _ if accepts(step, Type::HELLO_VERIFY_REQUEST) || accepts(step, Type::SERVER_HELLO) => 2,
        0 if !says(step, Type::CLIENT_HELLO) => 0,
        _ => 1,
    }
}

/// A ServerHello (1) that is answered by a ClientHello (2) was a HelloRetryRequest; another one (3) must not be answered so.
fn retries_twice(state: u8, step: &Step) -> u8 {
    match state {
        0 | 2 if accepts(step, Type::SERVER_HELLO) => state + 1,
        1 if says(step, Type::CLIENT_HELLO) => 2,
        3 if says(step, Type::CLIENT_HELLO) => FOUND,
        _ => state,
    }
}

fn falls_back_after_retry(state: u8, step: &Step) -> u8 {
    match state {
        0 if accepts(step, Type::SERVER_HELLO) => 1,
        1 if says(step, Type::CLIENT_HELLO) => 2,
        2 if accepts(step, Type::SERVER_HELLO_DONE) || accepts(step, Type::SERVER_KEY_EXCHANGE) => FOUND,
        _ => state,
    }
}

/// With the keys of DTLS 1.3 (1) the handshake ends with EncryptedExtensions (2) or not at all.
fn misses_encrypted_extensions(state: u8, step: &Step) -> u8 {
    match state {
        0 if reads(step, 2) => 1,
        1 if accepts(step, Type::ENCRYPTED_EXTENSIONS) => 2,
        1 if is_established(step) => FOUND,
        _ => state,
    }
}
