//! Servers that break a rule of DTLS 1.3: what the client makes of each, with the exact error and alert.

use core::time::Duration;

use dtls_core::{
    AlertDescription as Alert, CipherSuite, ContentType, DecodeError, Discard, Error, HandshakeType as Type,
    NamedGroup, PeerIncompatible, PeerMisbehaved as Rule, ProtocolVersion, PskMode, StateKind, TraceEvent,
};
use model_tests::{
    Recipe, Setup, Side,
    wrong_peer::{ServerHello, WrongPeer, get, remove, set},
};

const SUPPORTED_GROUPS: u16 = 10;
const EXTENDED_MASTER_SECRET: u16 = 23;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const COOKIE: u16 = 44;
const KEY_SHARE: u16 = 51;
const UNKNOWN: u16 = 0x1a1a;

/// What a client of DTLS 1.3 alone says to a server of DTLS 1.2.
const NO_COMMON_VERSION: Error = Error::Incompatible(PeerIncompatible::NoCommonVersion);

/// What a client offers: psk_dhe_ke with two groups and two suites.
fn dhe() -> Setup {
    let recipe = Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskDhe);
    let groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
    let suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_AES_128_GCM_SHA256];
    Recipe { suites, groups: [groups, vec![NamedGroup::X25519]], ..recipe }.setup()
}

fn psk_only() -> Setup {
    Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly).setup()
}

/// The HelloRetryRequest is on its way to the client.
fn retry(setup: &Setup) -> WrongPeer {
    WrongPeer::new(setup, Side::Client).until_sent(Type::SERVER_HELLO)
}

/// The ServerHello is on its way to the client, after a HelloRetryRequest.
fn hello(setup: &Setup) -> WrongPeer {
    retry(setup).deliver().until_sent(Type::SERVER_HELLO)
}

/// Each case is a change that breaks a rule, the rule, and the alert.
type Cases<'c> = &'c [(fn(&mut ServerHello), Error, Alert)];

fn refuse(start: impl Fn() -> WrongPeer, cases: Cases<'_>) {
    for (change, error, alert) in cases {
        start().server_hello(change).deliver().assert_refused(*error, *alert);
    }
}

const fn broken(rule: Rule) -> Error {
    Error::Misbehaved(rule)
}

#[test]
fn what_is_wrong_in_server_hello_and_hello_retry_request_alike() {
    let cases: Cases<'_> = &[
        (
            |h| h.legacy_session_id_echo = vec![7; 32],
            broken(Rule::NonEmptySessionIdEcho),
            Alert::IllegalParameter,
        ),
        (|h| h.legacy_compression_method = 1, broken(Rule::SelectedCompression), Alert::IllegalParameter),
        (|h| h.cipher_suite = [0x13, 0x03], broken(Rule::SelectedUnofferedSuite), Alert::IllegalParameter),
        (|h| h.legacy_version = [0xfe, 0xff], broken(Rule::BadSelectedVersion), Alert::IllegalParameter),
        (
            |h| set(&mut h.extensions, SUPPORTED_VERSIONS, &[0xfe, 0xfd]),
            broken(Rule::BadSelectedVersion),
            Alert::IllegalParameter,
        ),
        (
            |h| set(&mut h.extensions, SUPPORTED_VERSIONS, &[0xfe, 0xfb]),
            broken(Rule::BadSelectedVersion),
            Alert::IllegalParameter,
        ),
        (
            |h| set(&mut h.extensions, UNKNOWN, &[]),
            broken(Rule::UnofferedExtension),
            Alert::UnsupportedExtension,
        ),
        (
            |h| set(&mut h.extensions, SUPPORTED_GROUPS, &[0, 2, 0, 29]),
            broken(Rule::MisplacedExtension),
            Alert::IllegalParameter,
        ),
        (
            |h| set(&mut h.extensions, EXTENDED_MASTER_SECRET, &[]),
            broken(Rule::MisplacedExtension),
            Alert::IllegalParameter,
        ),
        (
            |h| {
                let first = h.extensions[0].clone();
                h.extensions.push(first);
            },
            Error::Decode(DecodeError::DuplicateExtension),
            Alert::DecodeError,
        ),
        (
            |h| set(&mut h.extensions, SUPPORTED_VERSIONS, &[0xfe, 0xfc, 0]),
            Error::Decode(DecodeError::Trailing),
            Alert::DecodeError,
        ),
    ];
    refuse(|| retry(&dhe()), cases);
    refuse(|| hello(&dhe()), cases);
    // Without the extension it is a ServerHello of DTLS 1.2, which this client does not speak, and which nobody can choose
    // after a HelloRetryRequest.
    let old: fn(&mut ServerHello) = |h| h.extensions.clear();
    refuse(|| retry(&dhe()), &[(old, NO_COMMON_VERSION, Alert::ProtocolVersion)]);
    let changed = broken(Rule::ChangedAfterHelloRetryRequest);
    refuse(|| hello(&dhe()), &[(old, changed, Alert::IllegalParameter)]);
}

#[test]
fn what_is_wrong_in_hello_retry_request() {
    refuse(
        || retry(&dhe()),
        &[
            (
                |h| remove(&mut h.extensions, COOKIE),
                broken(Rule::PointlessHelloRetryRequest),
                Alert::IllegalParameter,
            ),
            // A group that is not known, and the one whose key was sent.
            (
                |h| set(&mut h.extensions, KEY_SHARE, &[0, 24]),
                broken(Rule::SelectedUnofferedGroup),
                Alert::IllegalParameter,
            ),
            (
                |h| set(&mut h.extensions, KEY_SHARE, &[0, 29]),
                broken(Rule::PointlessHelloRetryRequest),
                Alert::IllegalParameter,
            ),
            (
                |h| set(&mut h.extensions, COOKIE, &[0, 0]),
                Error::Decode(DecodeError::Length),
                Alert::DecodeError,
            ),
            (
                |h| set(&mut h.extensions, PRE_SHARED_KEY, &[0, 0]),
                broken(Rule::MisplacedExtension),
                Alert::IllegalParameter,
            ),
        ],
    );
    // A client without ephemeral keys has not asked for a group.
    retry(&psk_only())
        .server_hello(|h| set(&mut h.extensions, KEY_SHARE, &[0, 29]))
        .deliver()
        .assert_refused(Rule::UnofferedExtension, Alert::UnsupportedExtension);
}

#[test]
fn a_second_hello_retry_request_is_refused_and_a_repeated_one_is_old() {
    let first = retry(&dhe());
    let mut body = Vec::new();
    let answered = first
        .change_message(|unchanged| {
            body = unchanged.to_vec();
            body.clone()
        })
        .deliver();
    answered
        .clone()
        .message(0, Type::SERVER_HELLO, &body)
        .assert_refused(Rule::SecondHelloRetryRequest, Alert::UnexpectedMessage);
    let again = model_tests::wrong_peer::message(Type::SERVER_HELLO, 0, &body);
    answered.until(|_| true).record(0, ContentType::HANDSHAKE, &again).assert_ignored(Discard::OldMessage);
}

#[test]
fn a_hello_retry_request_for_a_cookie_alone_leaves_the_rest_of_the_hello_as_it_is() {
    let hello_under_way =
        |peer: &WrongPeer| model_tests::wrong_peer::ClientHello::parse(peer.next_body()).unwrap();
    let first = hello_under_way(&WrongPeer::new(&dhe(), Side::Client));
    let request = retry(&dhe());
    let asked = ServerHello::parse(request.next_body()).unwrap();
    let mut second = hello_under_way(&request.deliver());
    assert_eq!(get(&second.extensions, COOKIE), get(&asked.extensions, COOKIE));
    let cookie = get(&second.extensions, COOKIE).expect("the cookie").to_vec();
    assert_eq!(cookie.len(), 2 + 51);
    let binders = |hello: &model_tests::wrong_peer::ClientHello| {
        let psks = get(&hello.extensions, PRE_SHARED_KEY).unwrap();
        psks.split_at(psks.len() - 35).0.to_vec()
    };
    assert_eq!(binders(&first), binders(&second));
    assert_ne!(first.extensions.last(), second.extensions.last(), "the binder covers the exchange");
    assert_eq!(second.extensions.last().unwrap().0, PRE_SHARED_KEY);
    remove(&mut second.extensions, COOKIE);
    second.extensions.pop();
    second.extensions.push(first.extensions.last().unwrap().clone());
    assert_eq!(first, second);
}

#[test]
fn what_is_wrong_in_server_hello() {
    refuse(
        || hello(&dhe()),
        &[
            // Another suite than the HelloRetryRequest named, although it was offered.
            (
                |h| h.cipher_suite = [0x13, 0x01],
                broken(Rule::ChangedAfterHelloRetryRequest),
                Alert::IllegalParameter,
            ),
            (
                |h| set(&mut h.extensions, PRE_SHARED_KEY, &[0, 1]),
                broken(Rule::SelectedUnofferedPsk),
                Alert::IllegalParameter,
            ),
            (
                |h| remove(&mut h.extensions, PRE_SHARED_KEY),
                Error::Incompatible(PeerIncompatible::NoPskSelected),
                Alert::HandshakeFailure,
            ),
            (
                |h| remove(&mut h.extensions, KEY_SHARE),
                broken(Rule::UnexpectedKeyShare),
                Alert::IllegalParameter,
            ),
            // A key of another group than the client's.
            (
                |h| set(&mut h.extensions, KEY_SHARE, &[&[0, 23, 0, 65][..], &[4; 65]].concat()),
                broken(Rule::UnexpectedKeyShare),
                Alert::IllegalParameter,
            ),
            // A key that is too short for its group.
            (
                |h| set(&mut h.extensions, KEY_SHARE, &[0, 29, 0, 1, 7]),
                broken(Rule::InvalidKeyShare),
                Alert::IllegalParameter,
            ),
            (
                |h| set(&mut h.extensions, COOKIE, &[0, 1, 7]),
                broken(Rule::MisplacedExtension),
                Alert::IllegalParameter,
            ),
        ],
    );
    let share = [&[0, 29, 0, 32][..], &[7; 32]].concat();
    hello(&psk_only())
        .server_hello(|h| set(&mut h.extensions, KEY_SHARE, &share))
        .deliver()
        .assert_refused(Rule::UnofferedExtension, Alert::UnsupportedExtension);
}

/// Both versions are offered; the server answers with the older one.
fn downgraded(mark: &[u8; 8]) -> WrongPeer {
    let recipe = Recipe {
        suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM],
        ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly)
    };
    let versions = [recipe.versions[0].clone(), vec![ProtocolVersion::DTLS1_2]];
    WrongPeer::new(&Recipe { versions, ..recipe }.setup(), Side::Client)
        .until_sent(Type::SERVER_HELLO)
        .server_hello(|h| h.random[24..].copy_from_slice(mark))
        .deliver()
}

#[test]
fn a_downgrade_is_refused() {
    downgraded(b"DOWNGRD\x01").assert_refused(Rule::Downgrade, Alert::IllegalParameter);
    downgraded(b"DOWNGRD\x00").assert_refused(Rule::Downgrade, Alert::IllegalParameter);
    downgraded(b"DOWNGRD\x02").assert_unharmed();
}

/// A server that could have spoken 1.3 says so, and one that could not says nothing.
#[test]
fn an_older_version_is_marked_by_a_server_that_knows_the_newer() {
    let both = vec![ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    for (server, marked) in [(both, true), (vec![ProtocolVersion::DTLS1_2], false)] {
        let recipe = Recipe {
            suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM],
            ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly)
        };
        let versions = [vec![ProtocolVersion::DTLS1_2], server];
        let peer = WrongPeer::new(&Recipe { versions, ..recipe }.setup(), Side::Client)
            .until_sent(Type::SERVER_HELLO);
        let hello = ServerHello::parse(peer.next_body()).unwrap();
        assert_eq!(hello.random.ends_with(b"DOWNGRD\x01"), marked);
    }
}

#[test]
fn a_hello_verify_request_is_no_message_of_dtls13() {
    let body = [0xfe, 0xff, 1, 7];
    retry(&dhe())
        .message(0, Type::HELLO_VERIFY_REQUEST, &body)
        .assert_refused(NO_COMMON_VERSION, Alert::ProtocolVersion);
    retry(&dhe())
        .deliver()
        .message(0, Type::HELLO_VERIFY_REQUEST, &body)
        .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
}

/// The client waits for EncryptedExtensions.
fn encrypted(setup: &Setup) -> WrongPeer {
    WrongPeer::new(setup, Side::Client).reach(StateKind::ExpectEncryptedExtensions13)
}

#[test]
fn what_is_wrong_in_encrypted_extensions() {
    let ee = |body: &[u8]| encrypted(&dhe()).message(2, Type::ENCRYPTED_EXTENSIONS, body);
    ee(&[]).assert_refused(DecodeError::Truncated, Alert::DecodeError);
    ee(&[0, 1]).assert_refused(DecodeError::Truncated, Alert::DecodeError);
    ee(&[0, 0, 7]).assert_refused(DecodeError::Trailing, Alert::DecodeError);
    ee(&[0, 4, 0x1a, 0x1a, 0, 0]).assert_refused(Rule::UnofferedExtension, Alert::UnsupportedExtension);
    ee(&[0, 8, 0x1a, 0x1a, 0, 0, 0x1a, 0x1a, 0, 0])
        .assert_refused(DecodeError::DuplicateExtension, Alert::DecodeError);
    for typ in [KEY_SHARE, PRE_SHARED_KEY, SUPPORTED_VERSIONS, COOKIE, EXTENDED_MASTER_SECRET] {
        let [hi, lo] = typ.to_be_bytes();
        ee(&[0, 4, hi, lo, 0, 0]).assert_refused(Rule::MisplacedExtension, Alert::IllegalParameter);
    }
    // What a server says about its groups is not to be acted upon (RFC 8446 §4.2.7).
    ee(&[0, 8, 0, 10, 0, 4, 0, 2, 0, 29]).assert_unharmed();
}

#[test]
fn the_encrypted_flight_has_its_order() {
    for typ in [
        Type::FINISHED,
        Type::CERTIFICATE_REQUEST,
        Type::CERTIFICATE,
        Type::CERTIFICATE_VERIFY,
        Type::KEY_UPDATE,
        Type::NEW_SESSION_TICKET,
        Type::SERVER_HELLO,
        Type::HELLO_REQUEST,
        Type(5),
    ] {
        encrypted(&dhe())
            .message(2, typ, &[0])
            .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    }
    let after = || encrypted(&dhe()).message(2, Type::ENCRYPTED_EXTENSIONS, &[0, 0]);
    for typ in [Type::CERTIFICATE_REQUEST, Type::CERTIFICATE, Type::ENCRYPTED_EXTENSIONS, Type::KEY_UPDATE] {
        after().message(2, typ, &[0, 0]).assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    }
    after().message(2, Type::FINISHED, &[0; 32]).assert_refused(Rule::BadFinished, Alert::DecryptError);
    after().message(2, Type::FINISHED, &[0; 31]).assert_refused(DecodeError::Length, Alert::DecodeError);
}

/// The client has sent its Finished.
fn established() -> WrongPeer {
    WrongPeer::new(&dhe(), Side::Client).reach(StateKind::Established)
}

#[test]
fn messages_after_the_handshake_have_their_epoch_and_their_kinds() {
    for typ in [Type::FINISHED, Type::NEW_SESSION_TICKET, Type::KEY_UPDATE, Type::ENCRYPTED_EXTENSIONS] {
        established().message(2, typ, &[0]).assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    }
    for typ in [Type::FINISHED, Type::HELLO_REQUEST, Type::CLIENT_HELLO, Type::CERTIFICATE_REQUEST, Type(99)]
    {
        established().message(3, typ, &[0]).assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    }
}

/// The server's Finished asks for the client's again when it comes again, but not under the keys of data, under which it did not
/// come before (RFC 9147 §5.8.1).
#[test]
fn only_what_was_taken_in_asks_for_the_finished_again() {
    let mut peer = WrongPeer::new(&dhe(), Side::Client);
    peer.script.ends.listen();
    let peer = peer.reach(StateKind::ExpectEncryptedExtensions13);
    let sealed = &peer.script.mailbox.live()[0].bytes;
    let flight = (1..10).find_map(|header| peer.script.ends.plaintext_of(&sealed[header..])).unwrap();
    let finished = flight[12 + 2..][..12 + 32].to_vec();
    assert_eq!((flight[0], finished[0]), (Type::ENCRYPTED_EXTENSIONS.0, Type::FINISHED.0));
    for (epoch, asks) in [(2, true), (3, false)] {
        let mut peer = established();
        let later = peer.script.ends.now().after(Duration::from_millis(900));
        peer.script.ends.set_now(later);
        let peer = peer.record(epoch, ContentType::HANDSHAKE, &finished);
        assert_eq!(peer.log().contains(&TraceEvent::RetransmitOnRequest), asks, "in epoch {epoch}");
        peer.assert_ignored(Discard::OldMessage);
    }
}
