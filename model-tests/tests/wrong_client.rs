//! Clients that break a rule of DTLS 1.3: what listener and server make of each, with the exact error and alert.

use dtls_core::{
    AlertDescription as Alert, Arc, CipherSuite, Discard, Error, HandshakeType as Type, Listener, NamedGroup,
    PeerMisbehaved as Rule, ProtocolVersion, PskMode, StateKind, Verdict,
    crypto::HashAlgorithm,
    internals::{Early, Message, PskOrigin, Transcript13},
};
use model_tests::{
    KEY, Prng, Recipe, Setup, Side, Watched,
    wrong_peer::{ClientHello, ServerHello, WrongPeer, get, remove, set},
};
use monitors::Role;

const SUPPORTED_GROUPS: u16 = 10;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const COOKIE: u16 = 44;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;
const UNKNOWN: u16 = 0x1a1a;

fn recipe() -> Recipe {
    Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskDhe)
}

/// The first hello is on its way to the listener.
fn first() -> WrongPeer {
    WrongPeer::new(&recipe().setup(), Side::Server)
}

/// The hello with the cookie is on its way to the listener.
fn second() -> WrongPeer {
    second_of(&recipe().setup())
}

fn second_of(setup: &Setup) -> WrongPeer {
    let asked = WrongPeer::new(setup, Side::Server).deliver();
    asked.deliver().until_sent(Type::CLIENT_HELLO)
}

/// The hello with the cookie, changed, and its binder made anew by somebody who knows the key.
fn bound(setup: &Setup, change: impl FnOnce(&mut ClientHello)) -> WrongPeer {
    bound_to(setup, |_| {}, change)
}

/// As [`bound`], after another first hello.
fn bound_to(
    setup: &Setup,
    change_first: impl FnOnce(&mut ClientHello),
    change: impl FnOnce(&mut ClientHello),
) -> WrongPeer {
    let message = |typ, body: &[u8]| Message { typ, seq: 0, body: body.to_vec() };
    let start = WrongPeer::new(setup, Side::Server).client_hello(change_first);
    let hello = message(Type::CLIENT_HELLO, start.next_body());
    let asked = start.deliver();
    let request = message(Type::SERVER_HELLO, asked.next_body());
    asked.deliver().until_sent(Type::CLIENT_HELLO).change_message(|body| {
        let mut second = ClientHello::parse(body).unwrap();
        change(&mut second);
        let hash = ideal_crypto::PROVIDER.hash(HashAlgorithm::Sha256).unwrap();
        let mut transcript = Transcript13::after_retry(hash, &hello);
        transcript.add(&request);
        let second = message(Type::CLIENT_HELLO, &second.encode());
        let digest = transcript.with_bound_part(&second).unwrap().unwrap();
        let binder = Early::new(hash, KEY).binder(PskOrigin::External).verify_data(&digest);
        [&second.body[..second.body.len() - 32], binder.as_bytes()].concat()
    })
}

/// Each case is a change that breaks a rule, the rule, and the alert of the server.
type Cases<'c> = &'c [(fn(&mut ClientHello), Error, Alert)];

const fn broken(rule: Rule) -> Error {
    Error::Misbehaved(rule)
}

#[test]
fn what_is_wrong_in_the_hello_with_the_cookie() {
    let cases: Cases<'_> = &[
        // Any change at all shows in the binder, which covers the hello, and so does a wrong binder itself.
        (
            |h| *h.extensions.last_mut().unwrap().1.last_mut().unwrap() ^= 1,
            broken(Rule::BadBinder),
            Alert::DecryptError,
        ),
        (|h| h.extensions.insert(0, (UNKNOWN, vec![])), broken(Rule::BadBinder), Alert::DecryptError),
        // Nothing may follow pre_shared_key.
        (|h| h.extensions.push((UNKNOWN, vec![])), broken(Rule::MisplacedExtension), Alert::IllegalParameter),
        (|h| h.extensions.rotate_right(1), broken(Rule::MisplacedExtension), Alert::IllegalParameter),
    ];
    for (change, error, alert) in cases {
        second().client_hello(change).deliver().assert_refused(*error, *alert);
    }
}

#[test]
fn what_the_listener_turns_away_without_keeping_anything() {
    type Turned<'c> = &'c [(fn(&mut ClientHello), Alert)];
    let either: Turned<'_> = &[
        (|h| remove(&mut h.extensions, PSK_KEY_EXCHANGE_MODES), Alert::MissingExtension),
        (|h| remove(&mut h.extensions, KEY_SHARE), Alert::MissingExtension),
        (|h| remove(&mut h.extensions, SUPPORTED_GROUPS), Alert::MissingExtension),
        (|h| remove(&mut h.extensions, PRE_SHARED_KEY), Alert::HandshakeFailure),
        (|h| set(&mut h.extensions, PSK_KEY_EXCHANGE_MODES, &[1, 0]), Alert::HandshakeFailure),
        (|h| set(&mut h.extensions, SUPPORTED_GROUPS, &[0, 2, 0, 24]), Alert::HandshakeFailure),
        (|h| h.cipher_suites = vec![0x13, 0x01], Alert::HandshakeFailure),
        (|h| set(&mut h.extensions, SUPPORTED_VERSIONS, &[2, 0xfe, 0xfb]), Alert::ProtocolVersion),
        (|h| remove(&mut h.extensions, SUPPORTED_VERSIONS), Alert::ProtocolVersion),
        // Before anything is asked for (RFC 9147 §5.3).
        (|h| h.legacy_cookie = vec![7; 20], Alert::IllegalParameter),
        (|h| h.legacy_compression_methods = vec![1], Alert::IllegalParameter),
        (|h| h.legacy_compression_methods = vec![0, 1], Alert::IllegalParameter),
        // A cookie that is none of ours.
        (|h| h.extensions.insert(0, (COOKIE, vec![0, 1, 7])), Alert::IllegalParameter),
    ];
    for (change, alert) in either {
        first().client_hello(change).deliver().assert_turned_away(*alert);
    }
    // The hello with the cookie has a cookie extension already.
    for (change, alert) in &either[..either.len() - 1] {
        second().client_hello(change).deliver().assert_turned_away(*alert);
    }
}

/// Also where the key alone is used: groups without keys for them, or keys without groups (RFC 9846 §9.2).
#[test]
fn groups_and_key_shares_come_together_or_not_at_all() {
    let setup = Recipe { modes: vec![PskMode::PskOnly], ..recipe() }.setup();
    let lone: [fn(&mut ClientHello); 2] = [
        |h| h.extensions.insert(0, (SUPPORTED_GROUPS, vec![0, 2, 0, 29])),
        |h| h.extensions.insert(0, (KEY_SHARE, vec![0, 0])),
    ];
    for change in lone {
        for hello in [WrongPeer::new(&setup, Side::Server), second_of(&setup)] {
            hello.client_hello(change).deliver().assert_turned_away(Alert::MissingExtension);
        }
    }
    bound(&setup, |h| {
        h.extensions
            .splice(0..0, [(SUPPORTED_GROUPS, vec![0, 2, 0, 29]), (KEY_SHARE, vec![0, 0])])
            .for_each(drop)
    })
    .deliver()
    .assert_unharmed();
}

/// No bit of a cookie can change, and no address but its own can use it.
#[test]
fn a_cookie_is_for_one_address_and_one_exchange() {
    let cookie_len =
        get(&ClientHello::parse(second().next_body()).unwrap().extensions, COOKIE).unwrap().len();
    for bit in 16..cookie_len * 8 {
        second()
            .client_hello(|h| {
                let mut cookie = get(&h.extensions, COOKIE).unwrap().to_vec();
                cookie[bit / 8] ^= 1 << (bit % 8);
                set(&mut h.extensions, COOKIE, &cookie);
            })
            .deliver()
            .assert_turned_away(Alert::IllegalParameter);
    }
    let setup = recipe().setup();
    let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
    let mut rng = Prng::new(1);
    let mut now = dtls_core::Instant::from_micros(1);
    let client = dtls_core::Connection::client(Arc::clone(&setup.client), now, &mut rng).unwrap();
    let mut client = Watched::new(Role::Client, client);
    let (mut out, mut reply) = ([0; 2048], [0; 2048]);
    let mut hello = client.poll_transmit(now, &mut out).unwrap().to_vec();
    let Verdict::Reply(request) = listener.handle(now, &mut rng, b"here", &mut hello, &mut reply) else {
        panic!("no request")
    };
    assert!(client.handle_datagram(now, &mut rng, request).next_data().unwrap().is_none());
    let answer = client.poll_transmit(now, &mut out).unwrap().to_vec();
    let refused = |verdict: Verdict<'_>| matches!(verdict, Verdict::Reply(reply) if reply[13..] == [2, 47]);
    let mut ask = |listener: &mut Listener, address: &[u8], now| {
        let mut reply = [0; 2048];
        let verdict = listener.handle(now, &mut rng, address, &mut answer.clone(), &mut reply);
        (
            refused(verdict),
            matches!(
                listener.handle(now, &mut rng, address, &mut answer.clone(), &mut [0; 2048]),
                Verdict::Accept(_)
            ),
        )
    };
    for address in [&b"hers"[..], b"there", b""] {
        assert_eq!(ask(&mut listener, address, now), (true, false), "another address");
    }
    assert_eq!(ask(&mut listener, b"here", now), (false, true));
    let mut other = Listener::new(Arc::clone(&setup.server)).unwrap();
    assert_eq!(ask(&mut other, b"here", now), (true, false), "another server");
    now = now.after(core::time::Duration::from_secs(300));
    assert_eq!(ask(&mut listener, b"here", now), (true, false), "much later");
}

/// What must stay as it was in the first hello, also where its sender knows the key (RFC 8446 §4.1.2).
#[test]
fn what_was_not_asked_for_must_not_change_after_a_request_for_a_cookie() {
    let setup = Recipe {
        suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_AES_128_GCM_SHA256],
        ..recipe()
    }
    .setup();
    bound(&setup, |_| {}).deliver().assert_unharmed();
    let changes: [fn(&mut ClientHello); 6] = [
        // Another key of the same group, and one more of another.
        |h| *key_share(h).last_mut().unwrap() ^= 1,
        |h| {
            let share = key_share(h);
            share[1] += 5;
            share.extend([0, 24, 0, 1, 9]);
        },
        |h| h.random[0] ^= 1,
        |h| h.legacy_session_id = vec![7; 32],
        |h| h.cipher_suites.rotate_left(2),
        |h| set(&mut h.extensions, SUPPORTED_GROUPS, &[0, 4, 0, 29, 0, 23]),
    ];
    for change in changes {
        bound(&setup, change).deliver().assert_turned_away(Alert::IllegalParameter);
    }
}

fn key_share(hello: &mut ClientHello) -> &mut Vec<u8> {
    &mut hello.extensions.iter_mut().find(|(typ, _)| *typ == KEY_SHARE).unwrap().1
}

/// The server asked for the key of a group and gets another hello without it.
#[test]
fn a_group_that_was_asked_for_must_come() {
    let setup = Recipe {
        groups: [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]],
        ..recipe()
    }
    .setup();
    let first = ClientHello::parse(WrongPeer::new(&setup, Side::Server).next_body()).unwrap();
    let share = get(&first.extensions, KEY_SHARE).unwrap();
    assert_eq!(share[2..4], [0, 23]);
    bound(&setup, |_| {}).deliver().assert_unharmed();
    for wrong in [share, &[0, 0]] {
        bound(&setup, |h| set(&mut h.extensions, KEY_SHARE, wrong))
            .deliver()
            .assert_refused(Rule::ChangedAfterHelloRetryRequest, Alert::IllegalParameter);
    }
}

/// The list of shares becomes one of a single entry (RFC 8446 §4.1.2, §4.2.8): also the right one must not have company.
///
/// Both with keys at hand and with keys that the application looks up.
#[test]
fn a_group_that_was_asked_for_comes_alone() {
    let groups = [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]];
    let recipe = Recipe { groups, ..recipe() };
    let hello = ClientHello::parse(WrongPeer::new(&recipe.setup(), Side::Server).next_body()).unwrap();
    let old = &get(&hello.extensions, KEY_SHARE).unwrap()[2..];
    // The one that was there before, one of a group that nobody here has, and the right one once more.
    type Company<'c> = &'c dyn Fn(&[u8]) -> Vec<u8>;
    let companies: [Company<'_>; 4] = [
        &|right| [old, right].concat(),
        &|right| [right, old].concat(),
        &|right| [right, &[0, 24, 0, 1, 9]].concat(),
        &|right| [right, right].concat(),
    ];
    for deferred in [false, true] {
        let setup = Recipe { deferred, ..recipe.clone() }.setup();
        for company in companies {
            let change = |h: &mut ClientHello| {
                let list = company(&key_share(h)[2..]);
                let length = u16::try_from(list.len()).unwrap().to_be_bytes();
                set(&mut h.extensions, KEY_SHARE, &[&length[..], &list].concat());
            };
            bound(&setup, change)
                .deliver()
                .assert_refused(Rule::ChangedAfterHelloRetryRequest, Alert::IllegalParameter);
        }
    }
}

/// What the server finds only after it has found the key.
#[test]
fn what_is_wrong_in_a_hello_that_is_bound() {
    let setup = recipe().setup();
    bound(&setup, |_| {}).deliver().assert_unharmed();
    for length in [1, 31, 33] {
        let with_share = |h: &mut ClientHello| {
            let entry = [&[0, 4 + length, 0, 29, 0, length][..], &vec![7; usize::from(length)]].concat();
            set(&mut h.extensions, KEY_SHARE, &entry);
        };
        bound_to(&setup, with_share, with_share)
            .deliver()
            .assert_refused(Rule::InvalidKeyShare, Alert::IllegalParameter);
    }
    // Extensions nobody here knows, and the session of an older version, are the client's business.
    bound(&setup, |h| h.extensions.insert(0, (UNKNOWN, vec![1, 2, 3]))).deliver().assert_unharmed();
    let with_session = |h: &mut ClientHello| h.legacy_session_id = vec![7; 32];
    let echoed = bound_to(&setup, with_session, with_session).deliver();
    echoed.assert_unharmed();
    assert!(ServerHello::parse(echoed.next_body()).unwrap().legacy_session_id_echo.is_empty());
}

/// Malformed hellos of strangers are dropped, because nothing is kept to answer for.
#[test]
fn a_hello_that_cannot_be_read_gets_no_answer() {
    let changes: [fn(&mut ClientHello); 5] = [
        |h| {
            let first = h.extensions[0].clone();
            h.extensions.insert(0, first);
        },
        |h| set(&mut h.extensions, SUPPORTED_VERSIONS, &[1, 0xfe]),
        |h| set(&mut h.extensions, KEY_SHARE, &[0, 4, 0, 29, 0, 0]),
        // Two identities and one binder.
        |h| {
            let body = &mut h.extensions.last_mut().unwrap().1;
            let identities = body[2..12].to_vec();
            body[1] += 10;
            body.splice(12..12, identities);
        },
        |h| set(&mut h.extensions, PSK_KEY_EXCHANGE_MODES, &[0]),
    ];
    for change in changes {
        let peer = first().client_hello(change).deliver();
        assert!(peer.script.mailbox.live().is_empty(), "an answer to what cannot be read");
        assert!(peer.script.ends.end(Side::Server).is_none());
    }
}

/// The server has sent its flight and waits for Finished.
fn encrypted() -> WrongPeer {
    let peer = WrongPeer::new(&recipe().setup(), Side::Server);
    // The client must have the keys, too.
    peer.until(|script| {
        script
            .ends
            .end(Side::Client)
            .is_some_and(|end| end.connection().state_kind() == StateKind::Established)
    })
}

#[test]
fn only_a_right_finished_ends_the_handshake() {
    for typ in [
        Type(5),
        Type::KEY_UPDATE,
        Type::CLIENT_HELLO,
        Type::CERTIFICATE,
        Type::CERTIFICATE_VERIFY,
        Type::ENCRYPTED_EXTENSIONS,
        Type::NEW_SESSION_TICKET,
        Type::CLIENT_KEY_EXCHANGE,
    ] {
        encrypted().message(2, typ, &[0]).assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
    }
    encrypted().message(2, Type::FINISHED, &[0; 32]).assert_refused(Rule::BadFinished, Alert::DecryptError);
    // Epoch 3 is not read yet: nobody can tell who sent it.
    encrypted().message(3, Type::FINISHED, &[0; 32]).assert_ignored(Discard::UnknownEpoch);
}

#[test]
fn messages_after_the_handshake_have_their_epoch_and_their_kinds() {
    let established = || WrongPeer::new(&recipe().setup(), Side::Server).reach(StateKind::Established);
    for typ in
        [Type::FINISHED, Type::CLIENT_HELLO, Type(5), Type::CERTIFICATE, Type::NEW_SESSION_TICKET, Type(99)]
    {
        for epoch in [2, 3] {
            established()
                .message(epoch, typ, &[0])
                .assert_refused(Rule::UnexpectedMessage, Alert::UnexpectedMessage);
        }
    }
}

/// Versions that nobody knows are passed over, whatever they look like.
///
/// 9147-5.3-ver-2
#[test]
fn unknown_versions_are_no_reason_to_refuse() {
    for versions in [&[4, 0x1a, 0x1a, 0xfe, 0xfc][..], &[8, 0, 0, 0xff, 0xff, 0xfe, 0xfc, 0xfe, 0xfb]] {
        let answered =
            bound(&recipe().setup(), |h| set(&mut h.extensions, SUPPORTED_VERSIONS, versions)).deliver();
        answered.assert_unharmed();
        let hello = ServerHello::parse(answered.next_body()).unwrap();
        assert_eq!(get(&hello.extensions, SUPPORTED_VERSIONS), Some(&[0xfe, 0xfc][..]));
    }
}

/// A client that begins with one of the last numbers leaves the server none for its flight.
///
/// 9147-5.2-seq-2
#[test]
fn message_seqs_do_not_wrap() {
    let mut recipe = recipe();
    recipe.listener.cookies = false;
    for (first, has_enough) in [(65_532_u16, true), (65_533, false), (65_534, false), (65_535, false)] {
        let peer = WrongPeer::new(&recipe.setup(), Side::Server);
        let mut datagram = peer.script.mailbox.live()[0].bytes.clone();
        // Behind the header of the record, type and length.
        datagram[17..19].copy_from_slice(&first.to_be_bytes());
        let answered = peer.bytes(&datagram);
        if has_enough {
            answered.assert_unharmed();
        } else {
            answered.assert_refused(Error::SequenceExhausted, Alert::InternalError);
        }
    }
}

/// A client that speaks 1.3 alone and offers it to a server of 1.2 alone, and the other way round.
#[test]
fn without_a_common_version_the_listener_says_so() {
    let suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM];
    let (new, old) = (vec![ProtocolVersion::DTLS1_3], vec![ProtocolVersion::DTLS1_2]);
    for versions in [[new.clone(), old.clone()], [old, new]] {
        let setup = Recipe { versions, suites: suites.clone(), ..recipe() }.setup();
        WrongPeer::new(&setup, Side::Server).deliver().assert_turned_away(Alert::ProtocolVersion);
    }
}
