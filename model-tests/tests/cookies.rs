//! The cookie exchange (RFC 6347 §4.2.1): what a cookie is bound to, how long it lives, what the listener's answers look like on
//! the wire, and what a client makes of those of any server.

use core::time::Duration;

use dtls_core::{
    Arc, Connection, DecodeError, Discard, Error, Instant, Listener, ListenerLimits, NamedGroup,
    PeerMisbehaved, PskMode, Verdict,
};
use ideal_crypto::{PROVIDER, World};
use model_tests::{Prng, Recipe, Script, Setup, Side, Watched, schedule::Step};
use monitors::Role;

const START: Instant = Instant::from_micros(1_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const ADDRESS: &[u8] = b"192.0.2.1:5684";

const RECORD_SEQ: core::ops::Range<usize> = 5..11;
const MESSAGE_SEQ: core::ops::Range<usize> = 17..19;
/// Version, random, an empty session_id, then the cookie's length.
const VERSION_AT: usize = 25;
const RANDOM_AT: usize = 27;
const COOKIE_LEN_AT: usize = 60;

fn setup() -> Setup {
    Recipe::new(PROVIDER).setup()
}

/// What the listener said.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Said {
    Nothing(Discard),
    Reply(Vec<u8>),
    Accepted,
}

fn ask(listener: &mut Listener, now: Instant, address: &[u8], datagram: &[u8], room: usize) -> Said {
    let mut out = vec![0; room];
    match listener.handle(now, &mut Prng::new(7), address, &mut datagram.to_vec(), &mut out) {
        Verdict::Drop(reason) => Said::Nothing(reason),
        Verdict::Reply(reply) => Said::Reply(reply.to_vec()),
        Verdict::Accept(_) => Said::Accepted,
        other => panic!("{other:?}"),
    }
}

fn client_for(setup: &Setup) -> Watched {
    let client = Connection::client(Arc::clone(&setup.client), START, &mut Prng::new(1)).unwrap();
    Watched::new(Role::Client, client)
}

fn first_hello(setup: &Setup) -> Vec<u8> {
    let mut client = client_for(setup);
    let mut out = [0; 2048];
    client.poll_transmit(START, &mut out).unwrap().to_vec()
}

/// The hello again with the cookie of `request`, as the next message in the next record.
fn with_cookie(hello: &[u8], request: &[u8]) -> Vec<u8> {
    let cookie = &request[RANDOM_AT + 1..];
    assert_eq!(usize::from(request[RANDOM_AT]), cookie.len());
    let mut again = hello[..COOKIE_LEN_AT].to_vec();
    again.push(cookie.len() as u8);
    again.extend_from_slice(cookie);
    again.extend_from_slice(&hello[COOKIE_LEN_AT + 1..]);
    let record = (again.len() - 13) as u16;
    let message = (again.len() - 25) as u16;
    again[11..13].copy_from_slice(&record.to_be_bytes());
    again[15..17].copy_from_slice(&message.to_be_bytes());
    again[23..25].copy_from_slice(&message.to_be_bytes());
    again[RECORD_SEQ.end - 1] += 1;
    again[MESSAGE_SEQ.end - 1] += 1;
    again
}

fn request(listener: &mut Listener, now: Instant, hello: &[u8]) -> Vec<u8> {
    match ask(listener, now, ADDRESS, hello, 2048) {
        Said::Reply(request) => request,
        other => panic!("{other:?}"),
    }
}

fn in_a_world(test: impl FnOnce(&Setup, &mut Listener, &[u8])) {
    World::unchecked().run(|| {
        let setup = setup();
        let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
        let hello = first_hello(&setup);
        test(&setup, &mut listener, &hello);
    });
}

#[test]
fn the_request_echoes_the_numbers_of_the_hello() {
    in_a_world(|_, listener, hello| {
        let mut hello = hello.to_vec();
        hello[RECORD_SEQ].copy_from_slice(&[1, 2, 3, 4, 5, 6]);
        hello[MESSAGE_SEQ].copy_from_slice(&[0, 9]);
        let reply = request(listener, START, &hello);
        assert_eq!(
            reply[..5],
            [22, 0xfe, 0xff, 0, 0],
            "a handshake record that says 1.0, whatever will be agreed"
        );
        assert_eq!(reply[RECORD_SEQ], [1, 2, 3, 4, 5, 6]);
        assert_eq!((reply[13], &reply[MESSAGE_SEQ]), (3, &[0, 9][..]));
        assert_eq!(reply[VERSION_AT..RANDOM_AT], [0xfe, 0xff]);
    });
}

#[test]
fn a_cookie_is_bound_to_the_address_and_to_the_hello() {
    in_a_world(|_, listener, hello| {
        let reply = request(listener, START, hello);
        let answer = with_cookie(hello, &reply);
        assert_eq!(ask(listener, START, ADDRESS, &answer, 2048), Said::Accepted);
        let elsewhere = ask(listener, START, b"192.0.2.2:5684", &answer, 2048);
        assert!(matches!(elsewhere, Said::Reply(_)), "{elsewhere:?}");
        // Every byte of the random value and of the suites counts; a wrong cookie gets a new request and no alert.
        let suites_at = COOKIE_LEN_AT + 1 + 19;
        for at in (RANDOM_AT..COOKIE_LEN_AT - 1).chain(suites_at + 2..suites_at + 6) {
            let mut other = answer.clone();
            other[at] ^= 1;
            let said = ask(listener, START, ADDRESS, &other, 2048);
            assert!(matches!(&said, Said::Reply(reply) if reply[13] == 3), "byte {at}: {said:?}");
        }
        for at in COOKIE_LEN_AT + 1..suites_at {
            let mut other = answer.clone();
            other[at] ^= 1;
            let said = ask(listener, START, ADDRESS, &other, 2048);
            assert!(matches!(&said, Said::Reply(reply) if reply[13] == 3), "cookie byte {at}: {said:?}");
        }
    });
}

/// A cookie is good for at least one period of the secret and at most two, whenever the listener has something to do.
#[test]
fn a_cookie_lives_one_to_two_periods() {
    for busy_after in [60, 75, 90, 119] {
        in_a_world(|_, listener, hello| {
            let answer = with_cookie(hello, &request(listener, START, hello));
            let at = |seconds| START.after(Duration::from_secs(seconds));
            assert_eq!(ask(listener, at(59), ADDRESS, &answer, 2048), Said::Accepted);
            assert_eq!(ask(listener, at(busy_after), ADDRESS, &answer, 2048), Said::Accepted);
            let late = ask(listener, at(120), ADDRESS, &answer, 2048);
            assert!(matches!(late, Said::Reply(_)), "used after {busy_after} s, and after 120 s: {late:?}");
        });
    }
}

#[test]
fn a_cookie_does_not_survive_a_long_silence() {
    in_a_world(|_, listener, hello| {
        let answer = with_cookie(hello, &request(listener, START, hello));
        let late = ask(listener, START.after(2 * MINUTE), ADDRESS, &answer, 2048);
        assert!(matches!(late, Said::Reply(_)), "{late:?}");
    });
}

#[test]
fn servers_that_share_a_secret_accept_each_others_cookies() {
    in_a_world(|setup, listener, hello| {
        let mut other = Listener::new(Arc::clone(&setup.server)).unwrap();
        for listener in [&mut *listener, &mut other] {
            listener.set_cookie_secret(START, 7, &[1; 32]);
        }
        let answer = with_cookie(hello, &request(listener, START, hello));
        assert_eq!(ask(&mut other, START, ADDRESS, &answer, 2048), Said::Accepted);
        // The secret before the newest one stays good.
        other.set_cookie_secret(START.after(MINUTE / 2), 8, &[2; 32]);
        assert_eq!(ask(&mut other, START.after(MINUTE), ADDRESS, &answer, 2048), Said::Accepted);
        other.set_cookie_secret(START.after(MINUTE), 9, &[3; 32]);
        let late = ask(&mut other, START.after(MINUTE), ADDRESS, &answer, 2048);
        assert!(matches!(late, Said::Reply(_)), "{late:?}");
    });
}

#[test]
fn a_client_of_an_older_version_gets_an_alert_and_one_of_another_protocol_nothing() {
    in_a_world(|_, listener, hello| {
        let mut old = hello.to_vec();
        old[VERSION_AT + 1] = 0xff;
        // A fatal alert, protocol_version.
        let Said::Reply(alert) = ask(listener, START, ADDRESS, &old, 2048) else { panic!() };
        assert_eq!((alert[0], &alert[13..]), (21, &[2, 70][..]));
        old[VERSION_AT..RANDOM_AT].copy_from_slice(&[3, 3]);
        assert_eq!(ask(listener, START, ADDRESS, &old, 2048), Said::Nothing(Discard::NoVersion));
    });
}

#[test]
fn what_is_no_hello_is_dropped_for_its_reason() {
    in_a_world(|_, listener, hello| {
        for (datagram, reason) in [
            (vec![], Discard::Malformed),
            (hello[..hello.len() - 1].to_vec(), Discard::Malformed),
            ([&[21][..], &hello[1..]].concat(), Discard::NotClientHello),
            ([&[20][..], &hello[1..4], &[0; 8], &[1, 1]].concat(), Discard::NotClientHello),
            ([&hello[..13], &[2], &hello[14..]].concat(), Discard::NotClientHello),
            ([&hello[..4], &[1], &hello[5..]].concat(), Discard::NotClientHello),
            (
                [&hello[..COOKIE_LEN_AT], &[255], &hello[COOKIE_LEN_AT + 1..]].concat(),
                Discard::MalformedClientHello,
            ),
        ] {
            assert_eq!(ask(listener, START, ADDRESS, &datagram, 2048), Said::Nothing(reason));
        }
        for room in 0..47 {
            assert_eq!(
                ask(listener, START, ADDRESS, hello, room),
                Said::Nothing(Discard::ReplyTooLarge),
                "{room}"
            );
        }
        assert!(matches!(ask(listener, START, ADDRESS, hello, 47), Said::Reply(_)));
        assert_eq!(listener.stats().discarded_total(), 7 + 47);
    });
}

#[test]
fn without_cookies_the_first_hello_is_accepted() {
    let setup = without_cookies();
    World::unchecked().run(|| {
        let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
        assert_eq!(ask(&mut listener, START, ADDRESS, &first_hello(&setup), 2048), Said::Accepted);
    });
}

/// The hello of `setup` with these numbers, accepted without a cookie, and the connection that comes of it.
fn server_for(setup: &Setup, message_seq: u16, record_seq: u64) -> Watched {
    let mut hello = first_hello(setup);
    hello[MESSAGE_SEQ].copy_from_slice(&message_seq.to_be_bytes());
    let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
    accept(setup, &mut listener, hello, record_seq)
}

/// The connection that comes of a hello, in a record with this number.
fn accept(setup: &Setup, listener: &mut Listener, mut hello: Vec<u8>, record_seq: u64) -> Watched {
    hello[RECORD_SEQ].copy_from_slice(&record_seq.to_be_bytes()[2..]);
    let mut out = [0; 64];
    let verdict = listener.handle(START, &mut Prng::new(1), ADDRESS, &mut hello, &mut out);
    let Verdict::Accept(accepted) = verdict else { panic!("{verdict:?}") };
    let server = Connection::server(Arc::clone(&setup.server), &accepted, START, &mut Prng::new(2));
    Watched::new(Role::Server, server)
}

fn without_cookies() -> Setup {
    let mut listener = ListenerLimits::default();
    listener.cookies = false;
    Recipe { listener, ..Recipe::new(PROVIDER) }.setup()
}

/// Record number and message_seq of each handshake record of a datagram.
fn numbers(mut datagram: &[u8]) -> Vec<(u64, u16)> {
    let mut numbers = Vec::new();
    while let Some((header, rest)) = datagram.split_at_checked(13) {
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let seq = header[5..11].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        numbers.push((seq, u16::from_be_bytes([rest[4], rest[5]])));
        datagram = &rest[len..];
    }
    numbers
}

/// 6347-4.2.1-hvr-4
#[test]
fn the_servers_numbers_go_on_from_those_of_the_hello() {
    let flight = |mut server: Watched| numbers(server.poll_transmit(START, &mut [0; 2048]).unwrap());
    World::unchecked().run(|| {
        let server = server_for(&without_cookies(), 3, 9);
        assert_eq!(flight(server), [(9, 3), (10, 4)], "ServerHello, ServerHelloDone");
    });
    in_a_world(|setup, listener, hello| {
        let answer = with_cookie(hello, &request(listener, START, hello));
        assert_eq!(flight(accept(setup, listener, answer, 9)), [(9, 1), (10, 2)], "with a cookie");
    });
}

/// Numbers that a client has chosen at the end of their range end the connection; none is used twice.
#[test]
fn numbers_do_not_wrap() {
    const LAST: u64 = (1 << 48) - 1;
    World::unchecked().run(|| {
        for (message_seq, record_seq) in [(0, LAST), (u16::MAX, 0), (u16::MAX - 1, 0)] {
            let mut server = server_for(&without_cookies(), message_seq, record_seq);
            let mut out = [0; 2048];
            while let Some(datagram) = server.poll_transmit(START, &mut out) {
                assert_eq!(datagram[0], 21, "at most an alert: {datagram:x?}");
            }
            assert!(server.is_closed(), "message_seq {message_seq}, record {record_seq}");
            let mut datagram = first_hello(&setup());
            let mut rng = Prng::new(1);
            let told = server.handle_datagram(START, &mut rng, &mut datagram).next_data();
            assert_eq!(told, Err(Error::SequenceExhausted));
        }
    });
}

/// HelloVerifyRequest number `seq` of some server.
fn verify_request(seq: u8, version: [u8; 2], cookie: &[u8], more: &[u8]) -> Vec<u8> {
    let body = [&version[..], &[cookie.len() as u8], cookie, more].concat();
    let [_, _, hi, lo] = (body.len() as u32).to_be_bytes();
    let message = [&[3, 0, hi, lo, 0, seq, 0, 0, 0, 0, hi, lo][..], &body].concat();
    let [hi, lo] = (message.len() as u16).to_be_bytes();
    [&[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, seq, hi, lo][..], &message].concat()
}

/// What the client sends next after `datagram` has arrived.
fn next_hello(client: &mut Watched, mut datagram: Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
    let mut out = [0; 2048];
    let mut rng = Prng::new(1);
    assert!(client.handle_datagram(START, &mut rng, &mut datagram).next_data()?.is_none());
    Ok(client.poll_transmit(START, &mut out).map(|datagram| datagram.to_vec()))
}

#[test]
fn a_client_returns_cookies_of_every_length_and_changes_nothing_else() {
    World::unchecked().run(|| {
        for len in [0, 1, 32, 255] {
            for version in [[0xfe, 0xff], [0xfe, 0xfd]] {
                let setup = setup();
                let mut client = client_for(&setup);
                let mut out = [0; 2048];
                let hello = client.poll_transmit(START, &mut out).unwrap().to_vec();
                let request = verify_request(0, version, &vec![7; len], &[]);
                let again = next_hello(&mut client, request.clone()).unwrap().unwrap();
                assert_eq!(again, with_cookie(&hello, &request), "{len} bytes, {version:x?}");
            }
        }
    });
}

#[test]
fn a_client_answers_a_few_requests_and_no_endless_number() {
    World::unchecked().run(|| {
        let setup = setup();
        let mut client = client_for(&setup);
        let mut out = [0; 2048];
        let _hello = client.poll_transmit(START, &mut out).unwrap();
        for seq in 0..4 {
            let request = verify_request(seq, [0xfe, 0xff], &[seq; 20], &[]);
            let hello = next_hello(&mut client, request.clone()).unwrap().unwrap();
            assert_eq!(hello[COOKIE_LEN_AT + 1..][..20], [seq; 20], "the newest cookie");
            assert_eq!(next_hello(&mut client, request), Ok(None), "once each");
        }
        let request = verify_request(4, [0xfe, 0xff], &[4; 20], &[]);
        let error = Error::Misbehaved(PeerMisbehaved::TooManyHelloVerifyRequests);
        assert_eq!(next_hello(&mut client, request), Err(error));
    });
}

#[test]
fn a_request_with_bytes_left_over_or_missing_is_malformed() {
    World::unchecked().run(|| {
        for (request, error) in [
            (verify_request(0, [0xfe, 0xff], &[7; 20], &[0]), DecodeError::Trailing),
            (verify_request(0, [0xfe, 0xff], &[], &[])[..27].to_vec(), DecodeError::Truncated),
        ] {
            let mut request = request;
            let len = request.len();
            request[12] = (len - 13) as u8;
            request[16] = (len - 25) as u8;
            request[24] = (len - 25) as u8;
            let setup = setup();
            let mut client = client_for(&setup);
            assert_eq!(next_hello(&mut client, request), Err(Error::Decode(error)));
        }
    });
}

/// Where only a group is asked for, the cookie that comes back proves the address all the same.
#[test]
fn a_cookie_proves_the_address_whatever_it_was_asked_for() {
    let mut recipe = Recipe::new13(PROVIDER, PskMode::PskDhe);
    recipe.listener.cookies = false;
    for (asks, client) in
        [(false, vec![NamedGroup::X25519]), (true, vec![NamedGroup::SECP256R1, NamedGroup::X25519])]
    {
        let groups = [client, vec![NamedGroup::X25519]];
        let mut script = Script::new(&Recipe { groups, ..recipe.clone() }.setup());
        while script.ends.end(Side::Server).is_none() {
            script.apply(&Step::Deliver(0));
        }
        let server = script.ends.end(Side::Server).unwrap().connection();
        assert_eq!(server.is_address_proven(), asks);
    }
}
