//! What holds for every input and every schedule. The monitors of `Ends` and `Script` watch each run; these tests choose
//! the runs and say how they must end.

use dtls_core::{
    Arc, CipherSuite, CloseReason, Connection, Error, Event, Instant, Listener, NamedGroup, ProtocolVersion,
    PskMode, StateKind, Verdict, crypto::Provider,
};
use model_tests::{
    FailingRng, Outgoing, Pair, Recipe, Script, Setup, Side, Watched,
    schedule::{Mix, Schedule, Step},
};
use monitors::Role;
use proptest::{collection::vec, prelude::*};
use simulated_network::{Faults, Prng};

const IDEAL: Provider = ideal_crypto::PROVIDER;
/// What networks do, and nothing that needs an attacker.
const WEATHER: Mix = Mix { deliver: 12, weather: 8, attack: 0, time: 2, send: 4, close: 0 };
/// Everything.
const ATTACK: Mix = Mix { deliver: 12, weather: 6, attack: 8, time: 2, send: 4, close: 1 };

/// How many kinds of handshake [`setup`] chooses from.
const KINDS: u64 = 7;

/// A set-up chosen by `seed`: either version and key exchange, whole or fragmented flights.
fn setup(provider: Provider, seed: u64) -> Setup {
    use CipherSuite as S;
    let both = vec![S::TLS_AES_128_GCM_SHA256, S::TLS_PSK_WITH_AES_128_GCM_SHA256];
    let in12 = |suite| Recipe { suites: vec![suite], ..Recipe::new(provider) };
    let recipe = match seed % KINDS {
        0 => in12(S::TLS_PSK_WITH_AES_128_CCM_8),
        1 => in12(S::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256),
        2 => in12(S::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256),
        3 => Recipe::new13(provider, PskMode::PskOnly),
        4 => Recipe::new13(provider, PskMode::PskDhe),
        // The server wants another group than the client's first.
        5 => Recipe {
            suites: vec![S::TLS_CHACHA20_POLY1305_SHA256],
            groups: [vec![NamedGroup::X25519, NamedGroup::SECP256R1], vec![NamedGroup::SECP256R1]],
            ..Recipe::new(provider)
        },
        // The client speaks both versions, the server the older one.
        _ => {
            let recipe = Recipe { suites: both, ..Recipe::new(provider) };
            Recipe { versions: [recipe.versions[0].clone(), vec![ProtocolVersion::DTLS1_2]], ..recipe }
        }
    };
    let room = [2048, 60, 120][(seed / KINDS) as usize % 3];
    Setup { seed, room: [room; 2], ..recipe.setup() }
}

fn play(provider: Provider, seed: u64, schedule: &Schedule) -> Script {
    let mut script = Script::new(&setup(provider, seed));
    script.play(schedule);
    script
}

/// How each end is over, if it is.
fn endings(script: &Script) -> [Option<CloseReason>; 2] {
    Side::BOTH.map(|side| script.ends.end(side).and_then(model_tests::End::closed))
}

/// After any weather a fair network lets both ends connect, talk and forget the handshake; only running out of time excuses
/// them.
fn weather_ends_well(provider: Provider, seed: u64, schedule: &Schedule) -> Result<(), TestCaseError> {
    let mut script = play(provider, seed, schedule);
    script.finish(500);
    let late = Some(CloseReason::Failed(Error::HandshakeTimeout));
    if endings(&script).contains(&late) {
        prop_assert!(script.ends.now() >= Instant::from_micros(61_000_000), "gave up early");
        return Ok(());
    }
    prop_assert!(script.ends.connected(), "{:?}\n{script:?}", endings(&script));
    for side in Side::BOTH {
        script.apply(&Step::Send(side, 17));
    }
    while !script.mailbox.live().is_empty() {
        script.apply(&Step::Deliver(0));
    }
    let delivered = Side::BOTH.map(|side| script.ends.end(side).unwrap().delivered().last().map(Vec::len));
    prop_assert_eq!(delivered, [Some(17); 2]);
    // In the end nobody keeps anything of the handshake, and nothing is left to wait for.
    for _ in 0..100 {
        script.apply(&Step::NextTimer);
        while !script.mailbox.live().is_empty() {
            script.apply(&Step::Deliver(0));
        }
    }
    prop_assert_eq!(endings(&script), [None; 2]);
    prop_assert_eq!(script.ends.next_timer(), None);
    let kept = Side::BOTH.map(|side| script.ends.end(side).unwrap().connection().holds_handshake());
    prop_assert_eq!(kept, [false; 2]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_weather_ends_well(seed: u64, schedule in Schedule::strategy(0..120, WEATHER)) {
        weather_ends_well(IDEAL, seed, &schedule)?;
    }

    /// The monitors hold whatever an attacker does, and nobody is left hanging.
    #[test]
    fn any_attack_ends(seed: u64, schedule in Schedule::strategy(0..120, ATTACK)) {
        let mut script = play(IDEAL, seed, &schedule);
        script.finish(2_000);
        let over = endings(&script).iter().any(Option::is_some);
        prop_assert!(script.ends.connected() || over, "neither connected nor over: {script:?}");
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes(seed: u64, schedule in Schedule::strategy(0..120, ATTACK)) {
        let [one, other] = [(); 2].map(|()| play(IDEAL, seed, &schedule));
        prop_assert_eq!(one.mailbox.sent(), other.mailbox.sent());
        prop_assert_eq!(endings(&one), endings(&other));
    }

    /// At any point of a handshake: bytes that look like records, and bytes that do not.
    #[test]
    fn arbitrary_bytes_never_panic(
        seed: u64,
        progress in 0..16_usize,
        datagrams in vec((any::<bool>(), datagram()), 1..20),
    ) {
        let mut script = Script::new(&setup(IDEAL, seed));
        (0..progress).for_each(|_| script.apply(&Step::Deliver(0)));
        for (to_client, bytes) in datagrams {
            let _told = script.ends.deliver(if to_client { Side::Client } else { Side::Server }, &bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_in_a_listener(seed: u64, datagrams in vec((0..3_u8, datagram()), 1..50)) {
        let setup = setup(IDEAL, seed);
        let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
        let mut rng = Prng::new(seed);
        let mut out = [0; 2048];
        for (address, mut bytes) in datagrams {
            let received = bytes.len();
            match listener.handle(Instant::START, &mut rng, &[address], &mut bytes, &mut out) {
                Verdict::Accept(_) => prop_assert!(false, "a cookie was guessed"),
                Verdict::Reply(reply) => prop_assert!(reply.len() <= received),
                _ => {}
            }
        }
    }

    /// Once connected, nothing that the peer did not seal has any effect but on statistics.
    #[test]
    fn unauthenticated_bytes_change_nothing(seed: u64, datagrams in vec(datagram(), 1..20)) {
        let mut pair = Pair::new(&setup(IDEAL, seed), Faults::default());
        pair.connect();
        let before = fingerprints(&pair);
        for bytes in datagrams {
            Side::BOTH.iter().for_each(|side| pair.inject(*side, &bytes));
        }
        prop_assert_eq!(fingerprints(&pair), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_weather_ends_well_with_real_cryptography(seed: u64, schedule in Schedule::strategy(0..120, WEATHER)) {
        weather_ends_well(dtls_crypto::PROVIDER, seed, &schedule)?;
    }
}

/// Bytes, half the time behind a record header that fits them, with small epochs and message types that exist.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let record =
        (18..28_u8, 0..3_u8, any::<u8>(), vec(any::<u8>(), 0..80)).prop_map(|(content, epoch, seq, body)| {
            let header = [content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 1, seq, 0, body.len() as u8];
            [&header[..], &body].concat()
        });
    let message = (0..21_u8, 0..5_u8, vec(any::<u8>(), 0..80)).prop_map(|(typ, seq, body)| {
        let len = body.len() as u8;
        let header = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 2, seq, 0, len + 12];
        [&header[..], &[typ, 0, 0, len, 0, seq, 0, 0, 0, 0, 0, len], &body].concat()
    });
    let unified =
        (0x20..0x40_u8, vec(any::<u8>(), 0..80)).prop_map(|(first, rest)| [&[first][..], &rest].concat());
    prop_oneof![vec(any::<u8>(), 0..100), record, message, unified]
}

fn fingerprints(pair: &Pair) -> [Option<u64>; 2] {
    Side::BOTH.map(|side| pair.ends.end(side).map(model_tests::End::fingerprint))
}

/// Exhaustive: no bit of a protected record can change without making it noise.
#[test]
fn every_flipped_bit_of_a_protected_record_makes_it_noise() {
    for seed in 0..KINDS {
        let mut pair = Pair::new(&setup(IDEAL, seed), Faults::default());
        pair.connect();
        let before = fingerprints(&pair);
        pair.ends.send(Side::Client, b"21.5 degrees").unwrap();
        let [Outgoing { bytes: record, .. }] = &pair.ends.take_outgoing()[..] else { panic!("one datagram") };
        let client_sent = fingerprints(&pair)[0];
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            pair.inject(Side::Server, &flipped);
            assert_eq!(fingerprints(&pair), [client_sent, before[1]], "bit {bit}");
        }
        pair.inject(Side::Server, record);
        assert_eq!(pair.ends.end(Side::Server).unwrap().delivered(), [b"21.5 degrees"]);
        let received = fingerprints(&pair);
        pair.inject(Side::Server, record);
        assert_eq!(fingerprints(&pair), received, "its replay is noise as well");
    }
}

#[test]
fn a_failing_random_source_is_a_local_error() {
    let setup =
        Recipe { suites: vec![CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256], ..Recipe::new(IDEAL) }
            .setup();
    let started = Connection::client(Arc::clone(&setup.client), Instant::START, &mut FailingRng::after(0));
    assert_eq!(started.err(), Some(Error::Rng), "there is no end to watch");

    let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
    let mut out = [0; 2048];
    let [mut hello, mut answer] = hellos(&setup, &mut listener);
    let verdict = listener.handle(Instant::START, &mut FailingRng::after(0), b"a", &mut hello, &mut out);
    assert!(matches!(verdict, Verdict::Reply(_)), "the secret is there already");
    let verdict = listener.handle(Instant::START, &mut FailingRng::after(0), b"a", &mut answer, &mut out);
    let Verdict::Accept(accepted) = verdict else { panic!("not accepted: {verdict:?}") };
    for calls in 0..2 {
        let rng = &mut FailingRng::after(calls);
        let server = Connection::server(Arc::clone(&setup.server), &accepted, Instant::START, rng);
        let mut server = Watched::new(Role::Server, server);
        let closed = core::iter::from_fn(|| server.poll_event()).last();
        assert!(
            matches!(closed, Some(Event::Closed(CloseReason::Failed(Error::Rng | Error::Crypto)))),
            "{closed:?}"
        );
    }
}

/// A client's two hellos, the second with the listener's cookie.
fn hellos(setup: &Setup, listener: &mut Listener) -> [Vec<u8>; 2] {
    let mut rng = Prng::new(1);
    let (mut out, mut reply) = ([0; 2048], [0; 2048]);
    let client = Connection::client(Arc::clone(&setup.client), Instant::START, &mut rng).unwrap();
    let mut client = Watched::new(Role::Client, client);
    let hello = client.poll_transmit(Instant::START, &mut out).unwrap().to_vec();
    let verdict = listener.handle(Instant::START, &mut rng, b"a", &mut hello.clone(), &mut reply);
    let Verdict::Reply(request) = verdict else { panic!("no reply: {verdict:?}") };
    assert!(client.handle_datagram(Instant::START, &mut rng, request).next_data().unwrap().is_none());
    [hello, client.poll_transmit(Instant::START, &mut out).unwrap().to_vec()]
}

/// The schedules above are worth something: they reach every state that needs no deferred key.
#[test]
fn generated_schedules_reach_every_state() {
    let mut reached = std::collections::HashSet::new();
    for seed in 0..300 {
        let mut script = Script::new(&setup(IDEAL, seed));
        for step in Schedule::generate(seed, 120, &ATTACK).0 {
            script.apply(&step);
            let ends = Side::BOTH.into_iter().filter_map(|side| script.ends.end(side));
            reached.extend(ends.map(|end| end.connection().state_kind()));
        }
    }
    let missed: Vec<_> = StateKind::ALL.iter().filter(|kind| !reached.contains(kind)).collect();
    assert_eq!(missed, [&StateKind::ExpectClientHello, &StateKind::AwaitPsk12, &StateKind::AwaitPsk13]);
}

/// What was due to be acknowledged when the connection failed was acknowledged after that.
#[test]
fn a_connection_that_fails_acknowledges_nothing_any_more() {
    let text = "deliver 0\ndeliver 0\ndelay 2 0\ndeliver 0\nnext-timer\n".to_owned()
        + &"deliver 0\n".repeat(10)
        + "corrupt 1 22945 3\ndeliver 2\ncoalesce 0 1\ndeliver 0\n";
    let script = play(IDEAL, 11_234_016_029_966_596_745, &text.parse().unwrap());
    assert!(endings(&script).iter().any(|end| matches!(end, Some(CloseReason::Failed(_)))));
}
