//! Clients that break a rule of DTLS 1.2: what the server makes of each, with the exact error and alert.

use dtls_core::{
    AlertDescription as Alert, CipherSuite, ContentType, DecodeError, Discard, Error, HandshakeType as Type,
    NamedGroup, PeerIncompatible, PeerMisbehaved as Rule, StateKind, TraceEvent,
};
use model_tests::{
    Recipe, Script, Setup, Side,
    wire::{RawRecord, records},
    wrong_peer::{ClientHello, ServerHello, WrongPeer, get, message, remove, set},
};

const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RENEGOTIATION_INFO: u16 = 0xff01;
const UNKNOWN: u16 = 0x1a1a;

const PSK: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
const ECDHE: CipherSuite = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256;

/// Without cookies, so that a hello can be changed at will.
fn of(suite: CipherSuite) -> Setup {
    let mut recipe = Recipe { suites: vec![suite], ..Recipe::new(ideal_crypto::PROVIDER) };
    recipe.listener.cookies = false;
    recipe.setup()
}

fn hello(suite: CipherSuite, change: impl FnOnce(&mut ClientHello)) -> WrongPeer {
    WrongPeer::new(&of(suite), Side::Server).client_hello(change).deliver()
}

/// The server waits for ClientKeyExchange.
fn greeted(suite: CipherSuite) -> WrongPeer {
    WrongPeer::new(&of(suite), Side::Server).reach(StateKind::ExpectClientKeyExchange12)
}

/// The server has the keys, and waits for ChangeCipherSpec or, after it, for Finished.
fn finishing(read_epoch: u16) -> WrongPeer {
    WrongPeer::new(&of(PSK), Side::Server).until(is_finishing(read_epoch))
}

fn is_finishing(read_epoch: u16) -> impl Fn(&Script) -> bool {
    move |script| {
        script.ends.end(Side::Server).is_some_and(|server| {
            let server = server.connection();
            server.state_kind() == StateKind::ServerExpectFinished12 && server.read_epoch() == read_epoch
        })
    }
}

const fn broken(rule: Rule) -> Error {
    Error::Misbehaved(rule)
}

const fn lacking(what: PeerIncompatible) -> Error {
    Error::Incompatible(what)
}

/// 5746-scsv-1, 7627-ems-1
#[test]
fn what_is_wrong_in_client_hello() {
    type Cases<'c> = &'c [(fn(&mut ClientHello), Error, Alert)];
    let cases: Cases<'_> = &[
        (
            |h| set(&mut h.extensions, RENEGOTIATION_INFO, &[1, 7]),
            broken(Rule::NonEmptyRenegotiationInfo),
            Alert::HandshakeFailure,
        ),
        (
            |h| remove(&mut h.extensions, EXTENDED_MASTER_SECRET),
            lacking(PeerIncompatible::ExtendedMasterSecretRequired),
            Alert::HandshakeFailure,
        ),
        (
            |h| h.legacy_compression_methods = vec![1],
            broken(Rule::NoNullCompression),
            Alert::IllegalParameter,
        ),
        (
            |h| set(&mut h.extensions, EC_POINT_FORMATS, &[1, 1]),
            broken(Rule::NoUncompressedPointFormat),
            Alert::IllegalParameter,
        ),
        (
            |h| h.cipher_suites = vec![0x00, 0xae, 0x13, 0x01, 0x00, 0xff],
            lacking(PeerIncompatible::NoCommonSuite),
            Alert::HandshakeFailure,
        ),
    ];
    for (change, error, alert) in cases {
        for suite in [PSK, ECDHE] {
            hello(suite, change).assert_refused(*error, *alert);
        }
    }
    hello(ECDHE, |h| set(&mut h.extensions, SUPPORTED_GROUPS, &[0, 2, 0, 24]))
        .assert_refused(PeerIncompatible::NoCommonGroup, Alert::HandshakeFailure);
    // One that names no groups is given the one that every client has, though the server prefers another (RFC 8422 §4).
    let mut recipe = Recipe { suites: vec![ECDHE], ..Recipe::new(ideal_crypto::PROVIDER) };
    recipe.listener.cookies = false;
    recipe.groups[1] = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
    let peer = WrongPeer::new(&recipe.setup(), Side::Server)
        .client_hello(|h| remove(&mut h.extensions, SUPPORTED_GROUPS))
        .deliver();
    let is_key_exchange =
        |record: &RawRecord<'_>| record.body().first() == Some(&Type::SERVER_KEY_EXCHANGE.0);
    let answer = peer.script.mailbox.live();
    let params = answer.iter().flat_map(|letter| records(&letter.bytes)).find(is_key_exchange).unwrap();
    // After the handshake header no hint, then a named curve.
    assert_eq!(params.body()[12..17], [0, 0, 3, 0, 23]);
    // What it says besides is its own business.
    hello(PSK, |h| set(&mut h.extensions, UNKNOWN, &[1, 2, 3])).assert_unharmed();
    hello(PSK, |h| h.legacy_compression_methods = vec![1, 0]).assert_unharmed();
    hello(PSK, |h| h.legacy_session_id = vec![7; 32]).assert_unharmed();
}

/// By the signalling suite or by the extension; and nothing is answered to a client that gives neither.
///
/// 5746-scsv-1
#[test]
fn the_signal_of_secure_renegotiation_is_answered() {
    let answer = |change: fn(&mut ClientHello)| {
        let peer = hello(PSK, change);
        get(&ServerHello::parse(peer.next_body()).unwrap().extensions, RENEGOTIATION_INFO).map(<[u8]>::to_vec)
    };
    let without_signal: fn(&mut ClientHello) = |h| h.cipher_suites.truncate(2);
    assert_eq!(answer(|h| assert!(h.cipher_suites.ends_with(&[0, 0xff]))), Some(vec![0]));
    assert_eq!(answer(without_signal), None);
    let with_extension: fn(&mut ClientHello) = |h| {
        h.cipher_suites.truncate(2);
        set(&mut h.extensions, RENEGOTIATION_INFO, &[0]);
    };
    assert_eq!(answer(with_extension), Some(vec![0]));
}

/// The formats of points are said by a client that may get one, and answered where one is sent (RFC 8422 §5.1.2, §5.2).
#[test]
fn the_formats_of_points_are_answered_where_there_are_points() {
    for (suite, said, answered) in [(ECDHE, true, true), (ECDHE, false, false), (PSK, true, false)] {
        let peer = hello(suite, |h| {
            let offered = get(&h.extensions, EC_POINT_FORMATS).map(<[u8]>::to_vec);
            assert_eq!(offered, (suite == ECDHE).then(|| vec![1, 0]));
            remove(&mut h.extensions, EC_POINT_FORMATS);
            if said {
                set(&mut h.extensions, EC_POINT_FORMATS, &[1, 0]);
            }
        });
        let answer = ServerHello::parse(peer.next_body()).unwrap();
        let formats = get(&answer.extensions, EC_POINT_FORMATS).map(<[u8]>::to_vec);
        assert_eq!(formats, answered.then(|| vec![1, 0]), "{suite:?}, {said}");
    }
}

#[test]
fn each_message_has_its_place() {
    let any: &[(Type, &[u8])] = &[
        (Type::CLIENT_HELLO, &[0; 40]),
        (Type::SERVER_HELLO, &[0; 38]),
        (Type::SERVER_KEY_EXCHANGE, &[0, 1, b'h']),
        (Type::SERVER_HELLO_DONE, &[]),
        (Type::CERTIFICATE, &[0, 0, 0]),
        (Type::CERTIFICATE_VERIFY, &[0; 4]),
        (Type::FINISHED, &[0; 12]),
        (Type::HELLO_REQUEST, &[]),
        (Type::HELLO_VERIFY_REQUEST, &[0xfe, 0xff, 1, 7]),
        (Type(99), &[0]),
    ];
    for (typ, body) in any {
        for suite in [PSK, ECDHE] {
            greeted(suite)
                .message(0, *typ, body)
                .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
        }
        if *typ != Type::FINISHED {
            finishing(1)
                .message(1, *typ, body)
                .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
        }
        // What follows the key exchange must be protected.
        finishing(0).message(0, *typ, body).assert_ignored(Discard::UnexpectedContent);
        finishing(1).message(0, *typ, body).assert_ignored(Discard::PlaintextAfterKeys);
    }
    // A second ClientKeyExchange, and one after ChangeCipherSpec.
    finishing(0)
        .message(0, Type::CLIENT_KEY_EXCHANGE, &[0, 1, b'i'])
        .assert_ignored(Discard::UnexpectedContent);
    finishing(1)
        .message(1, Type::CLIENT_KEY_EXCHANGE, &[0, 1, b'i'])
        .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
}

#[test]
fn what_is_wrong_in_client_key_exchange() {
    let exchange = |suite, body: &[u8]| greeted(suite).message(0, Type::CLIENT_KEY_EXCHANGE, body);
    exchange(PSK, &[0, 2, b'i']).assert_refused(DecodeError::Truncated, Alert::DecodeError);
    exchange(PSK, &[0, 1, b'i', 0]).assert_refused(DecodeError::Trailing, Alert::DecodeError);
    // A stranger is not told that it is one (RFC 7925 §4.2).
    exchange(PSK, &[0, 1, b'i']).assert_refused(PeerIncompatible::UnknownPskIdentity, Alert::DecryptError);
    let identity = |len: u16| [&len.to_be_bytes()[..], &vec![b'i'; len.into()]].concat();
    exchange(PSK, &identity(512)).assert_refused(PeerIncompatible::UnknownPskIdentity, Alert::DecryptError);
    exchange(PSK, &identity(513)).assert_refused(Rule::PskIdentityTooLong, Alert::DecodeError);
    exchange(ECDHE, &[0, 4, b't', b'e', b's', b't', 1, 7])
        .assert_refused(Rule::InvalidKeyShare, Alert::IllegalParameter);
    exchange(ECDHE, &[0, 4, b't', b'e', b's', b't', 0])
        .assert_refused(DecodeError::Length, Alert::DecodeError);
}

#[test]
fn only_a_right_finished_ends_the_handshake() {
    finishing(1).message(1, Type::FINISHED, &[0; 12]).assert_refused(Rule::BadFinished, Alert::DecryptError);
    for body in [&[0; 13][..], &[0; 11], &[]] {
        finishing(1).message(1, Type::FINISHED, body).assert_refused(DecodeError::Length, Alert::DecodeError);
    }
}

/// Application data under the right keys, before Finished says that they are right.
///
/// 6347-4.2.4-appdata-1, 6347-4.1-early-1
#[test]
fn data_before_finished_is_dropped() {
    finishing(1).record(1, ContentType::APPLICATION_DATA, b"early").assert_ignored(Discard::EarlyData);
    finishing(0).record(1, ContentType::APPLICATION_DATA, b"early").assert_ignored(Discard::UnknownEpoch);
}

/// 6347-4.1-rehs-1
#[test]
fn renegotiation_is_refused_with_a_warning() {
    let established = || WrongPeer::new(&of(PSK), Side::Server).reach(StateKind::Established);
    let peer = established();
    let first = peer.script.mailbox.sent()[0].bytes[25..].to_vec();
    for seq in [0, 3] {
        let again = message(Type::CLIENT_HELLO, seq, &first);
        let refused = established().record(1, ContentType::HANDSHAKE, &again);
        refused.assert_unharmed();
        let alerts: Vec<_> =
            refused.log().iter().filter(|e| matches!(e, TraceEvent::AlertSent { .. })).collect();
        assert_eq!(alerts, [&TraceEvent::AlertSent { description: Alert::NoRenegotiation }]);
        assert!(!refused.log().iter().any(|event| matches!(event, TraceEvent::MessageQueued { .. })));
        // From anyone else.
        established().record(0, ContentType::HANDSHAKE, &again).assert_ignored(Discard::PlaintextAfterKeys);
    }
    for typ in [Type::FINISHED, Type::CLIENT_KEY_EXCHANGE, Type::CERTIFICATE] {
        let late = established().record(1, ContentType::HANDSHAKE, &message(typ, 50, &[0; 12]));
        late.assert_ignored(Discard::UnexpectedContent);
    }
}

/// What has the number of the client's Finished and is not that Finished does not ask for the server's last flight again, which
/// its repetition does.
#[test]
fn only_the_finished_that_was_taken_in_asks_for_the_last_flight_again() {
    let established = || WrongPeer::new(&of(PSK), Side::Server).reach(StateKind::Established);
    let again = |peer: &WrongPeer| peer.log().contains(&TraceEvent::RetransmitOnRequest);
    let others =
        [(Type::FINISHED, 12), (Type::FINISHED, 11), (Type::FINISHED, 0), (Type::CLIENT_KEY_EXCHANGE, 12)];
    for (typ, length) in others {
        let late = message(typ, 2, &[0xaa; 12][..length]);
        let peer = established().record(1, ContentType::HANDSHAKE, &late);
        assert!(!again(&peer), "{typ:?} of {length} bytes");
        peer.assert_ignored(Discard::OldMessage);
    }
    let mut peer = WrongPeer::new(&of(PSK), Side::Server);
    peer.script.ends.listen();
    let peer = peer.until(is_finishing(1));
    // Behind the header and the explicit nonce.
    let sealed = &peer.script.mailbox.live()[0].bytes[13 + 8..];
    let genuine = peer.script.ends.plaintext_of(sealed).expect("the client has sealed it").to_vec();
    assert_eq!(genuine[..6], [20, 0, 0, 12, 0, 2]);
    let peer = established().record(1, ContentType::HANDSHAKE, &genuine);
    assert!(again(&peer));
    let as_another = [&[Type::CLIENT_KEY_EXCHANGE.0], &genuine[1..]].concat();
    let peer = established().record(1, ContentType::HANDSHAKE, &as_another);
    assert!(!again(&peer), "another type with the same contents");
    peer.assert_ignored(Discard::OldMessage);
}

/// The content type is one of DTLS 1.3.
#[test]
fn an_acknowledgement_is_nothing_in_dtls12() {
    let named = [&[0, 16][..], &[0; 16]].concat();
    for body in [&named[..], &[0, 0], &[7]] {
        greeted(PSK).record(0, ContentType::ACK, body).assert_ignored(Discard::UnexpectedContent);
        finishing(0).record(0, ContentType::ACK, body).assert_ignored(Discard::UnexpectedContent);
        finishing(1).record(0, ContentType::ACK, body).assert_ignored(Discard::PlaintextAfterKeys);
        finishing(1).record(1, ContentType::ACK, body).assert_ignored(Discard::UnexpectedContent);
    }
}
