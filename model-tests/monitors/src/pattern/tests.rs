//! For every pattern a trace that shows it, and for every handshake that is as it should be none.

use dtls_core::TraceSink as _;

use super::*;
use crate::{BESIDE_PATTERNS, Monitor, Watch, parse};

/// Role, pattern, and a trace, in the lines of `dtls --trace`, at whose end it shows.
const SHOWN: &str = "
both | early Finished | message in finished #0, epoch 0; established
both | Finished before CCS | message in finished #0, epoch 1; established
both | multiple CCS | reading epoch 1; reading epoch 1
both | multiple Finished | reading epoch 1; message in finished #0, epoch 1; message in finished #1, epoch 1; established
both | Finished under the keys of data | reading epoch 2; reading epoch 3; message in finished #0, epoch 3; established
both | Finished of DTLS 1.3 in epoch 1 | reading epoch 2; message in finished #0, epoch 1; established
both | established twice | reading epoch 1; message in finished #0, epoch 1; established; established
both | established without Finished | reading epoch 1; established
both | application data before Finished | record out 1:0 application_data, 40 bytes
both | continue after close_notify | alert in close_notify, epoch 0; message out finished #1
both | continue after fatal alert | alert in handshake_failure, epoch 0; message out finished #1
both | Certificate, CertificateRequest or CertificateVerify without certificates | message in certificate #0, epoch 0; established
both | Certificate, CertificateRequest or CertificateVerify without certificates | message out certificate_verify #2
both | retransmitted flight 5 | record out 0:3 change_cipher_spec, 14 bytes; record out 0:5 change_cipher_spec, 14 bytes
both | invalid Finished as retransmission | record in 1:1 handshake, 24 bytes of plaintext; the peer repeats its flight, sending the answer again
both | internal error on Finished | message in finished #0, epoch 1; failed: the peer did not prove that it has the key; alert out internal_error
both | no_renegotiation before Finished | record in 0:3 handshake, 12 bytes of plaintext; alert out no_renegotiation
both | KeyUpdate before Finished | reading epoch 2; message in key_update #1, epoch 2; record out 2:0 ack, 40 bytes
both | EndOfEarlyData | message in HandshakeType(0x05) #1, epoch 2; record out 2:0 ack, 40 bytes
both | a message of no known type | message in HandshakeType(0x63) #1, epoch 2; record out 2:0 ack, 40 bytes
both | messages of DTLS 1.2 in DTLS 1.3 | reading epoch 2; message in server_hello_done #1, epoch 2; record out 2:0 ack, 40 bytes
both | CCS in DTLS 1.3 | reading epoch 2; record out 0:3 change_cipher_spec, 14 bytes
both | CCS taken in in DTLS 1.3 | reading epoch 2; record in 0:3 change_cipher_spec, 1 bytes of plaintext; message out finished #2
both | ACK in DTLS 1.2 | record out 1:7 ack, 29 bytes
both | ACK in the clear in spite of keys | writing epoch 2; record out 0:7 ack, 29 bytes
both | ACK taken in in DTLS 1.2 | record in 1:7 ack, 2 bytes of plaintext; record out 1:0 handshake, 50 bytes
both | data from the handshake of DTLS 1.3 | data of record 2:1 delivered
server | handshake restarted | message in client_hello #1, epoch 0; message out server_hello #1
server | insecure renegotiation | reading epoch 1; message in finished #2, epoch 1; established; message out server_hello #1
server | multiple ServerHello | message out server_hello #1; message out server_hello #2
server | invalid handshake start | message in client_key_exchange #0, epoch 0; message out server_hello #1
server | HelloVerifyRequest retransmission | message out hello_verify_request #0
server | invalid decrypt_error alert | message in hello_request #1, epoch 0; failed: the peer did not prove that it has the key; alert out decrypt_error
server | multiple ClientKeyExchange | message in client_key_exchange #1, epoch 0; message in client_key_exchange #2, epoch 0; established
server | ClientKeyExchange under keys | reading epoch 1; message in client_key_exchange #1, epoch 1; established
server | keys without ClientKeyExchange | reading epoch 1
server | what only a server says | message in server_hello #1, epoch 0; message out finished #1
client | multiple ServerKeyExchange | message in server_hello #0, epoch 0; message in server_key_exchange #1, epoch 0; message in server_key_exchange #2, epoch 0; message out finished #1
client | ServerKeyExchange before ServerHello | message in server_key_exchange #0, epoch 0; message out finished #1
client | ServerKeyExchange after ServerHelloDone | message in server_hello_done #0, epoch 0; message in server_key_exchange #1, epoch 0; message out finished #1
client | multiple ServerHelloDone | message in server_hello_done #0, epoch 0; message in server_hello_done #1, epoch 0; message out finished #1
client | keys without ServerHelloDone | reading epoch 1
client | ServerHello flight restart | message in server_hello_done #0, epoch 0; message in server_hello #1, epoch 0; message out finished #1
client | switching cipher suite | message in server_hello #0, epoch 0; message in server_hello #1, epoch 0; message out finished #1
client | HelloRetryRequest twice | message in server_hello #0, epoch 0; message out client_hello #1; message in server_hello #1, epoch 0; message out client_hello #2
client | DTLS 1.2 after HelloRetryRequest | message in server_hello #0, epoch 0; message out client_hello #1; message in server_hello #1, epoch 0; message in server_hello_done #2, epoch 0; message out finished #3
client | incorrect decrypt_error alert | message in server_hello #0, epoch 0; failed: the peer did not prove that it has the key; alert out decrypt_error
client | EncryptedExtensions before ServerHello | message in encrypted_extensions #0, epoch 2; message out finished #1
client | multiple EncryptedExtensions | message in encrypted_extensions #0, epoch 2; message in encrypted_extensions #1, epoch 2; message out finished #1
client | EncryptedExtensions in the clear | message in server_hello #0, epoch 0; message in encrypted_extensions #1, epoch 0; message out finished #1
client | no EncryptedExtensions | reading epoch 2; message in finished #1, epoch 2; established
client | ACK before ServerHello | record out 2:0 ack, 40 bytes
client | HelloVerifyRequest after ServerHello | message in server_hello #0, epoch 0; message in hello_verify_request #1, epoch 0; message out client_hello #1
client | premature HelloRequest | message in hello_request #0, epoch 0; message out client_hello #1
client | unexpected ClientHello response | message out client_hello #0; message out client_hello #1
client | unexpected ClientHello response | message in server_hello #0, epoch 0; message in server_hello_done #1, epoch 0; message out client_hello #1
client | unexpected ClientHello response | message in hello_verify_request #0, epoch 0; message out client_hello #1; message in hello_request #1, epoch 0; message out client_hello #2
client | what only a client says | message in client_hello #0, epoch 0; message out finished #1
client | NewSessionTicket before Finished | message in new_session_ticket #0, epoch 0; message out client_hello #1
";

/// Handshakes as they should be, with what comes again, is dropped and is refused.
const GENUINE: [(Role, &str); 12] = [
    (
        Role::Client,
        "message out client_hello #0; record out 0:0 handshake, 80 bytes; message in hello_verify_request #0, epoch 0; message out client_hello #1; record out 0:1 handshake, 100 bytes; message in server_hello #1, epoch 0; message in server_key_exchange #2, epoch 0; message in server_hello_done #3, epoch 0; message out client_key_exchange #2; message out finished #3; writing epoch 1; record out 0:2 handshake, 40 bytes; record out 0:3 change_cipher_spec, 14 bytes; record out 1:0 handshake, 50 bytes; no answer, sending the flight again (timer, 1); record out 0:4 handshake, 40 bytes; record out 0:5 change_cipher_spec, 14 bytes; record out 1:1 handshake, 50 bytes; record in 0:4 change_cipher_spec, 1 bytes of plaintext; reading epoch 1; record in 1:0 handshake, 24 bytes of plaintext; message in finished #4, epoch 1; established; record out 1:2 application_data, 40 bytes; record in 1:1 ack, 2 bytes of plaintext; dropped record 1:1: UNEXPECTED",
    ),
    (
        Role::Server,
        "message out server_hello #1; message out server_hello_done #2; record out 0:1 handshake, 100 bytes; record in 0:2 handshake, 40 bytes of plaintext; message in client_key_exchange #2, epoch 0; record in 0:3 change_cipher_spec, 1 bytes of plaintext; reading epoch 1; record in 1:0 handshake, 24 bytes of plaintext; message in finished #3, epoch 1; message out finished #3; writing epoch 1; established; record out 0:2 change_cipher_spec, 14 bytes; record out 1:0 handshake, 50 bytes; record in 1:1 handshake, 24 bytes of plaintext; dropped record 1:1: OLD; the peer repeats its flight, sending the answer again; record out 0:3 change_cipher_spec, 14 bytes; record out 1:1 handshake, 50 bytes; data of record 1:2 delivered",
    ),
    (
        Role::Client,
        "message out client_hello #0; message in server_hello #0, epoch 0; message out client_hello #1; message in server_hello #1, epoch 0; reading epoch 2; writing epoch 2; record out 2:0 ack, 40 bytes; message in encrypted_extensions #2, epoch 2; message in finished #3, epoch 2; message out finished #2; record out 2:1 handshake, 60 bytes; reading epoch 3; writing epoch 3; established; record in 3:0 ack, 18 bytes of plaintext; message in new_session_ticket #4, epoch 3; record out 3:0 ack, 40 bytes",
    ),
    (
        Role::Server,
        "message out server_hello #1; writing epoch 2; message out encrypted_extensions #2; message out finished #3; reading epoch 2; writing epoch 3; record in 2:0 change_cipher_spec, 1 bytes of plaintext; dropped record 2:0: UNEXPECTED; message in finished #2, epoch 2; reading epoch 3; established; record out 3:0 ack, 40 bytes; record out 3:1 application_data, 40 bytes",
    ),
    (
        Role::Client,
        "reading epoch 2; message in finished #2, epoch 2; failed: FAILED; alert out decrypt_error",
    ),
    (Role::Server, "message in client_key_exchange #2, epoch 0; failed: FAILED; alert out decrypt_error"),
    // The last number is no message's.
    (
        Role::Server,
        "message out server_hello #65532; message out server_key_exchange #65533; message out server_hello_done #65534; message in client_key_exchange #65533, epoch 0; reading epoch 1; message in finished #65534, epoch 1; failed: EXHAUSTED; alert out internal_error",
    ),
    // Record numbers that are used up, and the random source, long after the handshake.
    (
        Role::Server,
        "reading epoch 2; writing epoch 3; message in finished #2, epoch 2; reading epoch 3; established; record out 3:1 application_data, 40 bytes; failed: EXHAUSTED; alert out internal_error",
    ),
    (
        Role::Client,
        "message in server_hello #0, epoch 0; reading epoch 2; writing epoch 2; message in encrypted_extensions #1, epoch 2; message in finished #2, epoch 2; message out finished #1; reading epoch 3; established; record in 3:0 ack, 18 bytes of plaintext; failed: NO RANDOM NUMBERS; alert out internal_error",
    ),
    // A request to renegotiate in the handshake is passed over, and refused afterwards.
    (
        Role::Client,
        "record in 0:3 handshake, 12 bytes of plaintext; dropped record 0:3: UNEXPECTED; message in server_hello #0, epoch 0; message in server_hello_done #1, epoch 0; reading epoch 1; message in finished #2, epoch 1; established; record in 1:1 handshake, 12 bytes of plaintext; dropped record 1:1: UNEXPECTED; alert out no_renegotiation; data of record 1:2 delivered",
    ),
    // The application may say so as well as anything else.
    (Role::Client, "failed: ABORTED; alert out no_renegotiation"),
    // Known types, for which nothing is built yet.
    (Role::Client, "message in HandshakeType(0x09) #0, epoch 3; message in HandshakeType(0x0a) #1, epoch 3"),
];

/// As [`SHOWN`], of what takes more than the order of things. What was negotiated is in no trace: the test of that is in
/// `model-tests/tests/monitors.rs`.
const SHOWN_BESIDE: [(Role, &str, &str); 5] = [
    (Role::Client, BESIDE_PATTERNS[1], "message in server_hello #1, epoch 0"),
    (
        Role::Client,
        BESIDE_PATTERNS[1],
        "message in server_hello #0, epoch 0; message in server_hello_done #2, epoch 0; message out finished #3",
    ),
    (
        Role::Server,
        BESIDE_PATTERNS[1],
        "message in client_key_exchange #2, epoch 0; reading epoch 1; message in finished #2, epoch 1; established",
    ),
    // The first message behind the hello.
    (
        Role::Server,
        BESIDE_PATTERNS[1],
        "message out server_hello #1; message in client_key_exchange #3, epoch 0; reading epoch 1",
    ),
    // The count begins again.
    (
        Role::Server,
        BESIDE_PATTERNS[1],
        "message in client_key_exchange #65535, epoch 0; reading epoch 1; message in finished #0, epoch 1; established",
    ),
];

fn events(trace: &str) -> Vec<TraceEvent> {
    let read = |line: &str| {
        use dtls_core::{Discard, Error, PeerMisbehaved};
        let line = line
            .replace("OLD", Discard::OldMessage.describe())
            .replace("UNEXPECTED", Discard::UnexpectedContent.describe());
        match line.strip_prefix("failed: ") {
            Some("EXHAUSTED") => TraceEvent::Failed { error: Error::SequenceExhausted },
            Some("ABORTED") => {
                TraceEvent::Failed { error: Error::Aborted(dtls_core::AlertDescription::NoRenegotiation) }
            }
            Some("NO RANDOM NUMBERS") => TraceEvent::Failed { error: Error::Rng },
            Some(_) => TraceEvent::Failed { error: Error::Misbehaved(PeerMisbehaved::UnexpectedMessage) },
            None => parse(&line).unwrap_or_else(|| panic!("{line}")),
        }
    };
    trace.split("; ").map(read).collect()
}

/// What a monitor says about a trace, and after how many events, or at the end.
fn said(role: Role, trace: &str) -> Option<(String, usize)> {
    let events = events(trace);
    let mut monitor = Monitor::new(role);
    for at in 0..=events.len() {
        let note = || {
            match events.get(at) {
                Some(event) => monitor.note(event),
                None => monitor.finish(),
            }
            monitor
        };
        match std::panic::catch_unwind(core::panic::AssertUnwindSafe(note)) {
            Ok(next) => monitor = next,
            Err(panic) => return Some((*panic.downcast::<String>().expect("with a text"), at + 1)),
        }
    }
    None
}

#[test]
fn every_pattern_shows_in_a_trace_of_its_own() {
    let mut shown = Vec::new();
    for line in SHOWN.lines().filter(|line| !line.is_empty()) {
        let [role, name, trace] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        for (of, monitored) in [("client", Role::Client), ("server", Role::Server)] {
            if role != "both" && role != of {
                continue;
            }
            let mut states = [0; COUNT];
            let mut found = None;
            let events = events(trace);
            let mut messages = Messages::default();
            for (at, event) in events.iter().enumerate() {
                for step in messages.steps(event) {
                    for (pattern, state) in patterns().zip(&mut states) {
                        if pattern.name == name && pattern.step(state, &step) {
                            assert_eq!(pattern.role, (role != "both").then_some(monitored), "{line}");
                            found = found.or(Some(at + 1));
                        }
                    }
                }
            }
            assert_eq!(found, Some(events.len()), "{line}");
            // The monitor stops at it, or before, at what another rule has to say about the same.
            assert!(said(monitored, trace).is_some_and(|(_, at)| at <= events.len()), "{line}");
        }
        shown.push(name);
    }
    let missing: Vec<_> = patterns().map(|p| p.name).filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn what_takes_more_than_the_order_shows_too() {
    for (role, name, trace) in SHOWN_BESIDE {
        let (said, _) = said(role, trace).unwrap_or_else(|| panic!("nothing was said about {trace}"));
        assert!(said.starts_with(&format!("S20: {name}: ")), "{said}");
    }
}

/// A message is judged when something else has happened, and at the end of the trace, unless it was cut off.
#[test]
fn the_last_message_of_a_trace_is_judged_too() {
    let trace = "message in client_hello #1, epoch 0";
    let begun = || {
        let mut monitor = Monitor::new(Role::Server);
        events(trace).iter().for_each(|event| monitor.note(event));
        monitor
    };
    let said_of = |end: fn(Monitor)| {
        let monitor = begun();
        let panic = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| end(monitor))).err();
        panic.map(|panic| *panic.downcast::<String>().expect("with a text"))
    };
    let is_said =
        |said: Option<String>| said.is_some_and(|said| said.starts_with("S20: handshake restarted"));
    assert!(is_said(said(Role::Server, trace).map(|(said, _)| said)));
    assert!(is_said(said_of(drop)));
    assert_eq!(said_of(|mut monitor| monitor.cut_off()), None);
    // It was refused.
    let failed = TraceEvent::Failed { error: dtls_core::Error::NoAnswer };
    let mut monitor = begun();
    monitor.note(&failed);
    monitor.finish();
}

#[test]
#[should_panic(expected = "S20: handshake restarted")]
fn a_watch_judges_it_when_the_connection_is_gone() {
    let watch = Watch::new(Role::Server);
    events("message in client_hello #1, epoch 0").iter().for_each(|event| watch.event(event));
}

#[test]
fn what_is_as_it_should_be_shows_none() {
    for (role, trace) in GENUINE {
        assert_eq!(said(role, trace), None, "{trace}");
    }
}

#[test]
fn names_are_given_once() {
    let mut names: Vec<_> = patterns().map(|pattern| pattern.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), COUNT), (COUNT, COUNT));
}
