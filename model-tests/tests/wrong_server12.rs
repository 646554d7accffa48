//! Servers that break a rule of DTLS 1.2: what the client makes of each, with the exact error and alert.

use dtls_core::{
    AlertDescription as Alert, CipherSuite, ContentType, DecodeError, Discard, Error, HandshakeType as Type,
    PeerIncompatible, PeerMisbehaved as Rule, StateKind, TraceEvent,
};
use model_tests::{
    Recipe, Setup, Side,
    wrong_peer::{ServerHello, WrongPeer, get, message, remove, set},
};

const EC_POINT_FORMATS: u16 = 11;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const RENEGOTIATION_INFO: u16 = 0xff01;
const UNKNOWN: u16 = 0x1a1a;

fn of(suite: CipherSuite) -> Setup {
    Recipe { suites: vec![suite], ..Recipe::new(ideal_crypto::PROVIDER) }.setup()
}

fn psk() -> Setup {
    of(CipherSuite::TLS_PSK_WITH_AES_128_CCM_8)
}

fn ecdhe() -> Setup {
    of(CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256)
}

/// The ServerHello is on its way to the client, after a HelloVerifyRequest.
fn hello(setup: &Setup) -> WrongPeer {
    WrongPeer::new(setup, Side::Client).until_sent(Type::SERVER_HELLO)
}

/// The client has the ServerHello and waits for what comes next.
fn greeted(setup: &Setup) -> WrongPeer {
    WrongPeer::new(setup, Side::Client).reach(StateKind::ExpectKeyExchange12)
}

const fn broken(rule: Rule) -> Error {
    Error::Misbehaved(rule)
}

/// 8996-dtls10-1, 5746-scsv-1, 7627-ems-1
#[test]
fn what_is_wrong_in_server_hello() {
    type Cases<'c> = &'c [(fn(&mut ServerHello), Error, Alert)];
    let cases: Cases<'_> = &[
        // A suite with CBC, one of another version, and a good one that was not offered.
        (|h| h.cipher_suite = [0x00, 0xae], broken(Rule::SelectedUnofferedSuite), Alert::IllegalParameter),
        (|h| h.cipher_suite = [0x13, 0x04], broken(Rule::SelectedUnofferedSuite), Alert::IllegalParameter),
        (|h| h.cipher_suite = [0x00, 0xa8], broken(Rule::SelectedUnofferedSuite), Alert::IllegalParameter),
        (|h| h.legacy_version = [0xfe, 0xff], broken(Rule::SelectedUnofferedVersion), Alert::ProtocolVersion),
        (|h| h.legacy_version = [0xfe, 0xfc], broken(Rule::SelectedUnofferedVersion), Alert::ProtocolVersion),
        (|h| h.legacy_compression_method = 1, broken(Rule::SelectedCompression), Alert::IllegalParameter),
        // The version of a hello that does not know the extension (RFC 5246 §7.4.1.4).
        (
            |h| set(&mut h.extensions, SUPPORTED_VERSIONS, &[0xfe, 0xfc]),
            broken(Rule::UnofferedExtension),
            Alert::UnsupportedExtension,
        ),
        (
            |h| set(&mut h.extensions, UNKNOWN, &[]),
            broken(Rule::UnofferedExtension),
            Alert::UnsupportedExtension,
        ),
        (
            |h| set(&mut h.extensions, RENEGOTIATION_INFO, &[1, 7]),
            broken(Rule::NonEmptyRenegotiationInfo),
            Alert::HandshakeFailure,
        ),
        (
            |h| remove(&mut h.extensions, EXTENDED_MASTER_SECRET),
            Error::Incompatible(PeerIncompatible::ExtendedMasterSecretRequired),
            Alert::HandshakeFailure,
        ),
        (
            |h| set(&mut h.extensions, EXTENDED_MASTER_SECRET, &[0]),
            Error::Decode(DecodeError::Trailing),
            Alert::DecodeError,
        ),
        (
            |h| {
                let first = h.extensions[0].clone();
                h.extensions.push(first);
            },
            Error::Decode(DecodeError::DuplicateExtension),
            Alert::DecodeError,
        ),
    ];
    for (change, error, alert) in cases {
        for setup in [psk(), ecdhe()] {
            hello(&setup).server_hello(change).deliver().assert_refused(*error, *alert);
        }
    }
    let formats = |setup, formats: &[u8]| {
        hello(&setup).server_hello(|h| set(&mut h.extensions, EC_POINT_FORMATS, formats)).deliver()
    };
    formats(psk(), &[1, 0]).assert_refused(Rule::UnofferedExtension, Alert::UnsupportedExtension);
    formats(ecdhe(), &[1, 1]).assert_refused(Rule::NoUncompressedPointFormat, Alert::IllegalParameter);
    formats(ecdhe(), &[2, 1, 0]).assert_unharmed();
    // A server that does not answer the signal of secure renegotiation, and one that would resume this session.
    hello(&psk()).server_hello(|h| remove(&mut h.extensions, RENEGOTIATION_INFO)).deliver().assert_unharmed();
    hello(&psk()).server_hello(|h| h.legacy_session_id_echo = vec![7; 32]).deliver().assert_unharmed();
}

/// The client says with the signalling suite that it renegotiates securely, and the server answers that it does, too.
///
/// 5746-scsv-1
#[test]
fn the_signal_of_secure_renegotiation_is_answered() {
    let server_hello = ServerHello::parse(hello(&psk()).next_body()).unwrap();
    assert_eq!(get(&server_hello.extensions, RENEGOTIATION_INFO), Some(&[0][..]));
}

/// HelloVerifyRequest frames itself in whatever version; the version is settled by ServerHello alone.
///
/// 6347-4.2.1-hvr-2
#[test]
fn the_version_of_a_hello_verify_request_means_nothing() {
    for version in [[0xfe, 0xff], [0xfe, 0xfd]] {
        let mut peer = WrongPeer::new(&psk(), Side::Client)
            .until_sent(Type::HELLO_VERIFY_REQUEST)
            .change_message(|body| [&version[..], &body[2..]].concat())
            .deliver();
        peer.script.finish(100);
        assert!(peer.script.ends.connected(), "{version:x?}");
    }
}

#[test]
fn each_message_has_its_place() {
    let any: &[(Type, &[u8])] = &[
        (Type::SERVER_HELLO, &[0; 38]),
        (Type::HELLO_VERIFY_REQUEST, &[0xfe, 0xff, 1, 7]),
        (Type::CLIENT_HELLO, &[0; 40]),
        (Type::CERTIFICATE, &[0, 0, 0]),
        (Type::CERTIFICATE_REQUEST, &[0; 8]),
        (Type::CERTIFICATE_VERIFY, &[0; 4]),
        (Type::CLIENT_KEY_EXCHANGE, &[0, 1, b'i']),
        (Type::FINISHED, &[0; 12]),
        (Type::NEW_SESSION_TICKET, &[0; 6]),
        (Type::ENCRYPTED_EXTENSIONS, &[0, 0]),
        (Type::KEY_UPDATE, &[0]),
        (Type(99), &[0]),
    ];
    let refused = |peer: WrongPeer, typ, body: &[u8]| {
        peer.message(0, typ, body).assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    };
    let hint: &[u8] = &[0, 1, b'h'];
    for (typ, body) in any {
        for setup in [psk(), ecdhe()] {
            refused(greeted(&setup), *typ, body);
        }
        refused(greeted(&psk()).message(0, Type::SERVER_KEY_EXCHANGE, hint), *typ, body);
        // Before ServerHello two of them are what may come.
        if ![Type::SERVER_HELLO, Type::HELLO_VERIFY_REQUEST].contains(typ) {
            refused(WrongPeer::new(&psk(), Side::Client), *typ, body);
            refused(WrongPeer::new(&ecdhe(), Side::Client), *typ, body);
        }
    }
    // Two ServerKeyExchanges, and none where the suite needs one.
    refused(greeted(&psk()).message(0, Type::SERVER_KEY_EXCHANGE, hint), Type::SERVER_KEY_EXCHANGE, hint);
    refused(greeted(&ecdhe()), Type::SERVER_HELLO_DONE, &[]);
    refused(WrongPeer::new(&psk(), Side::Client), Type::SERVER_KEY_EXCHANGE, hint);
    refused(WrongPeer::new(&psk(), Side::Client), Type::SERVER_HELLO_DONE, &[]);
}

#[test]
fn what_is_wrong_in_server_key_exchange_and_server_hello_done() {
    let exchange = |setup: &Setup, body: &[u8]| greeted(setup).message(0, Type::SERVER_KEY_EXCHANGE, body);
    exchange(&psk(), &[0, 2, b'h']).assert_refused(DecodeError::Truncated, Alert::DecodeError);
    exchange(&psk(), &[0, 1, b'h', 0]).assert_refused(DecodeError::Trailing, Alert::DecodeError);
    // A group that was not offered, a point that is none, and explicit curves.
    let unoffered = [&[0, 0, 3, 0, 24, 97][..], &[4; 97]].concat();
    exchange(&ecdhe(), &unoffered).assert_refused(Rule::SelectedUnofferedGroup, Alert::IllegalParameter);
    exchange(&ecdhe(), &[0, 0, 3, 0, 29, 0]).assert_refused(DecodeError::Length, Alert::DecodeError);
    let explicit = exchange(&ecdhe(), &[0, 0, 1, 0, 29, 1, 7]);
    assert!(explicit.end().unwrap().closed().is_some());
    let short = exchange(&ecdhe(), &[0, 0, 3, 0, 29, 1, 7]).message(0, Type::SERVER_HELLO_DONE, &[]);
    short.assert_refused(Rule::InvalidKeyShare, Alert::IllegalParameter);
    greeted(&psk())
        .message(0, Type::SERVER_HELLO_DONE, &[0])
        .assert_refused(DecodeError::Trailing, Alert::DecodeError);
}

/// The client has sent its flight; it waits for ChangeCipherSpec, or after it for Finished.
fn finishing(read_epoch: u16) -> WrongPeer {
    WrongPeer::new(&psk(), Side::Client).until(|script| {
        let client = script.ends.end(Side::Client).unwrap().connection();
        // The server must have its keys, too.
        let server = script.ends.end(Side::Server).is_some_and(model_tests::End::connected);
        server
            && client.state_kind() == StateKind::ClientExpectFinished12
            && client.read_epoch() == read_epoch
    })
}

#[test]
fn only_a_right_finished_ends_the_handshake() {
    finishing(1).message(1, Type::FINISHED, &[0; 12]).assert_refused(Rule::BadFinished, Alert::DecryptError);
    for body in [&[0; 13][..], &[0; 11], &[]] {
        finishing(1).message(1, Type::FINISHED, body).assert_refused(DecodeError::Length, Alert::DecodeError);
    }
    for typ in [Type::SERVER_HELLO, Type::CERTIFICATE, Type::NEW_SESSION_TICKET, Type::CERTIFICATE_REQUEST] {
        finishing(1)
            .message(1, typ, &[0; 12])
            .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    }
    // Without ChangeCipherSpec anybody may have sent it.
    finishing(0).message(0, Type::FINISHED, &[0; 12]).assert_ignored(Discard::UnexpectedContent);
    finishing(0).message(1, Type::FINISHED, &[0; 12]).assert_ignored(Discard::UnknownEpoch);
}

/// Application data under the right keys, before Finished says that they are right.
///
/// 6347-4.2.4-appdata-1, 6347-4.1-early-1
#[test]
fn data_before_finished_is_dropped() {
    finishing(1).record(1, ContentType::APPLICATION_DATA, b"early").assert_ignored(Discard::EarlyData);
    finishing(0).record(1, ContentType::APPLICATION_DATA, b"early").assert_ignored(Discard::UnknownEpoch);
}

/// HelloRequest is no message of any handshake: it is in no transcript, and a client in the middle of one passes over it.
///
/// 5246-7.4.1.1-hello-request-1, 6347-4.2.6-transcript-2, 6347-4.1-rehs-1
#[test]
fn a_hello_request_is_passed_over_or_refused_with_a_warning() {
    for start in [WrongPeer::new(&psk(), Side::Client), greeted(&psk()), finishing(0)] {
        start.message(0, Type::HELLO_REQUEST, &[]).assert_ignored(Discard::UnexpectedContent);
    }
    finishing(1).message(1, Type::HELLO_REQUEST, &[]).assert_ignored(Discard::UnexpectedContent);

    let established = || WrongPeer::new(&psk(), Side::Client).reach(StateKind::Established);
    let request = message(Type::HELLO_REQUEST, 0, &[]);
    let refused = established().record(1, ContentType::HANDSHAKE, &request);
    let alerts: Vec<_> = refused.log().iter().filter(|e| matches!(e, TraceEvent::AlertSent { .. })).collect();
    assert_eq!(alerts, [&TraceEvent::AlertSent { description: Alert::NoRenegotiation }]);
    refused.assert_unharmed();
    assert!(!refused.log().iter().any(|event| matches!(event, TraceEvent::MessageQueued { .. })));
    // Not from anyone else.
    established().record(0, ContentType::HANDSHAKE, &request).assert_ignored(Discard::PlaintextAfterKeys);
    // Not for ever.
    let mut insistent = established();
    for _ in 0..16 {
        insistent = insistent.record(1, ContentType::HANDSHAKE, &request);
        insistent.assert_unharmed();
    }
    let last = insistent.until(|_| true).record(1, ContentType::HANDSHAKE, &request);
    last.assert_refused(Rule::TooManyWarnings, Alert::UnexpectedMessage);
}

/// The server goes on with something else after the handshake.
#[test]
fn no_message_of_a_handshake_is_taken_after_it() {
    for typ in [Type::FINISHED, Type::SERVER_HELLO, Type::NEW_SESSION_TICKET, Type::KEY_UPDATE] {
        for seq in [0, 5, 100] {
            let peer = WrongPeer::new(&psk(), Side::Client).reach(StateKind::Established);
            let peer = peer.record(1, ContentType::HANDSHAKE, &message(typ, seq, &[0; 12]));
            peer.assert_ignored(Discard::OldMessage);
        }
    }
}
