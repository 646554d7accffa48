//! What goes out again, when and how often: flights in answer to repeated ones, timers that noise and parts of flights leave
//! alone, alerts to a peer that goes on.

use core::time::Duration;

use dtls_core::{
    AlertDescription as Alert, Arc, CipherSuite, Connection, ContentType, HandshakeType as Type, Instant,
    Limits, PskMode, StateKind, TraceEvent,
};
use ideal_crypto::{PROVIDER, World};
use model_tests::{
    End, Pair, Prng, Recipe, Script, Setup, Side, Watched,
    wrong_peer::{WrongPeer, message},
};
use monitors::Role;
use simulated_network::{Faults, Network, Plan, Sent};

const PSK12: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;

fn setup12() -> Setup {
    Recipe { suites: vec![PSK12, CipherSuite::TLS_PSK_WITH_AES_256_CCM_8], ..Recipe::new(PROVIDER) }.setup()
}

fn setup13() -> Setup {
    Recipe::new13(PROVIDER, PskMode::PskOnly).setup()
}

/// With a server whose own timer is far away.
fn patient_server(setup: Setup, of_server: &Recipe, timeout: Duration) -> Setup {
    let mut limits = Limits::default();
    limits.initial_rto = timeout;
    let server = Recipe { limits, ..of_server.clone() }.setup().server;
    Setup { server, ..setup }
}

fn from(pair: &Pair, side: Side) -> impl Iterator<Item = &Sent> {
    pair.network.sent().iter().filter(move |sent| sent.from == side)
}

/// Seconds after the start at which `side` sent something.
fn sent_at(pair: &Pair, side: Side) -> Vec<f64> {
    from(pair, side).map(|sent| (sent.at.as_micros() - 1_000_000) as f64 / 1e6).collect()
}

fn lose(setup: &Setup, side: Side, lose_first: u64) -> Pair {
    let mut network = Network::new(0, Faults::default());
    network.set_plan(side, Plan { lose_first, ..Plan::default() });
    Pair::on(setup, network)
}

/// A message of a flight that is still coming in ends nothing: when it comes again, even late, nothing goes out for it.
///
/// 6347-4.2.4-flight-3
#[test]
fn a_message_repeated_in_mid_flight_is_no_repeated_flight() {
    let mut script = Script::new(&setup12());
    // ServerHello, and a copy of it half a timeout later.
    let text = "deliver 0\ndeliver 0\ndeliver 0\nsplit 0 1\nduplicate 0\ndeliver 0\nadvance 500000\n";
    script.play(&text.parse().unwrap());
    let sent = script.mailbox.sent().len();
    script.play(&"deliver 1".parse().unwrap());
    assert_eq!(script.mailbox.sent().len(), sent, "the hello went out again");
    script.finish(100);
    assert!(script.ends.connected());
}

/// The client's flight of three datagrams comes again as a whole, because the server's last one of three was lost: three
/// datagrams answer it, not three for each.
///
/// 6347-4.2.4-flight-3
#[test]
fn a_repeated_flight_is_answered_once() {
    let setup = Setup { room: [50; 2], ..setup12() };
    // HelloVerifyRequest, a flight of three, and the last one of three.
    let mut pair = lose(&setup, Side::Server, 0b111 << 4);
    pair.connect();
    assert_eq!(from(&pair, Side::Server).count(), 1 + 3 + 3 + 3, "{}", pair.diagram());
    assert_eq!(from(&pair, Side::Client).count(), 3 + 3 + 3 + 3, "{}", pair.diagram());
    let server = pair.ends.end(Side::Server).unwrap().connection().stats();
    assert_eq!((server.repeats, server.timeouts), (1, 0));
}

/// Copies that the network makes of every datagram are not worth an answer.
///
/// 6347-4.2.4-flight-3
#[test]
fn copies_of_every_datagram_make_no_storm() {
    for setup in [setup12(), setup13()] {
        for room in [2048, 67] {
            let setup = Setup { room: [room; 2], ..setup.clone() };
            let counts = [0.0, 1.0].map(|duplicate| {
                let mut pair = Pair::new(&setup, Faults { duplicate, ..Faults::default() });
                pair.connect();
                pair.run_for(Duration::from_secs(300));
                Side::BOTH.map(|side| {
                    // The link notes a copy as sent when it makes one.
                    let stats = pair.ends.end(side).unwrap().connection().stats();
                    assert_eq!((stats.repeats, stats.timeouts), (0, 0), "{}", pair.diagram());
                    stats.datagrams_sent
                })
            });
            assert_eq!(counts[0], counts[1], "datagrams of {room}");
        }
    }
}

/// 9147-4.5.2-inv-5, 6347-4.1.2.7-invalid-1
#[test]
fn noise_leaves_the_timers_alone() {
    for setup in [setup12(), setup13()] {
        let mut pair = Pair::new(&setup, Faults { loss: 1.0, ..Faults::default() });
        let mut rng = Prng::new(1);
        for round in 0..1_500_u32 {
            let mut noise = [0; 40];
            noise.iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
            let record: &[u8] = match round % 5 {
                0 => &noise,
                1 => &[&[0x2f][..], &noise].concat(),
                2 => &[&[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 40][..], &noise].concat(),
                3 => &[&[23, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 40][..], &noise].concat(),
                _ => &[&[26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 40][..], &noise].concat(),
            };
            pair.inject(Side::Client, record);
            pair.run_for(Duration::from_millis(10));
        }
        assert_eq!(
            sent_at(&pair, Side::Client),
            [0.0, 1.0, 3.0, 7.0, 15.0][..sent_at(&pair, Side::Client).len()]
        );
        assert!(sent_at(&pair, Side::Client).len() >= 4, "{}", pair.diagram());
    }
}

/// All but the last datagram of the server's flight arrive, shortly before the client's timer runs out: it runs out all the same.
///
/// 6347-4.2.4-flight-4
#[test]
fn a_part_of_a_flight_does_not_postpone_the_timeout() {
    let recipe = Recipe { suites: vec![PSK12], ..Recipe::new(PROVIDER) };
    let setup = Setup { room: [2048, 50], ..recipe.setup() };
    let setup = patient_server(setup, &recipe, Duration::from_secs(30));
    let mut network = Network::new(0, Faults::default());
    let late = Faults { delay: Duration::from_millis(900), ..Faults::default() };
    // HelloVerifyRequest, then a flight of three.
    network.set_plan(Side::Server, Plan { lose_first: 1 << 3, ..Plan::default() });
    let mut pair = Pair::on(&setup, network);
    pair.run_for(Duration::from_millis(25));
    pair.network.set_faults(Side::Server, late);
    pair.run_for(Duration::from_secs(2));
    let second = sent_at(&pair, Side::Client)[1];
    let client = pair.ends.end(Side::Client).unwrap();
    assert_eq!(client.connection().state_kind(), StateKind::ExpectKeyExchange12, "{}", pair.diagram());
    assert_eq!(sent_at(&pair, Side::Client), [0.0, second, second + 1.0], "{}", pair.diagram());
}

/// A peer that goes on after a fatal alert has not got it: it is told again, in new records, and not for ever.
///
/// 6347-4.2.7-alert-2, 6347-4.2.7-alert-3, 9147-5.10-alert-2, 9147-5.10-alert-3
#[test]
fn an_alert_is_repeated_to_a_peer_that_goes_on() {
    let finishing12 = || {
        WrongPeer::new(&setup12(), Side::Server).until(|script| {
            script.ends.end(Side::Server).is_some_and(|end| end.connection().read_epoch() == 1)
        })
    };
    let finishing13 = || {
        WrongPeer::new(&setup13(), Side::Server)
            .until(|script| script.ends.end(Side::Client).is_some_and(End::connected))
    };
    for (start, epoch, body) in [(finishing12(), 1, &[0; 12][..]), (finishing13(), 2, &[0; 32])] {
        let mut peer = start.message(epoch, Type::FINISHED, body);
        assert_eq!(alerts(&peer), 1);
        let again = message(Type::FINISHED, 2, body);
        for expected in [2, 3, 4, 4, 4, 4] {
            // Other records are no sign that the peer is waiting.
            peer = peer.record(epoch, ContentType::APPLICATION_DATA, b"reading");
            peer = peer.record(epoch, ContentType::HANDSHAKE, &again);
            assert_eq!(alerts(&peer), expected, "epoch {epoch}");
        }
        let times = peer.end().unwrap().connection().poll_timeout();
        assert_eq!(times, None, "no timer repeats an alert");
    }
}

fn alerts(peer: &WrongPeer) -> usize {
    let sent = TraceEvent::AlertSent { description: Alert::DecryptError };
    peer.log().iter().filter(|event| **event == sent).count()
}

/// 9147-5.8.2-timer-2
#[test]
fn a_round_trip_time_from_elsewhere_sets_the_timer() {
    World::unchecked().run(|| {
        for setup in [setup12(), setup13()] {
            let start = Instant::from_micros(1_000_000);
            let client = Connection::client(Arc::clone(&setup.client), start, &mut Prng::new(1)).unwrap();
            let mut client = Watched::new(Role::Client, client);
            assert!(client.poll_transmit(start, &mut [0; 2048]).is_some());
            // RFC 9147 §5.8.2: one and a half times of what was measured.
            client.set_initial_rto(Duration::from_millis(200) * 3 / 2);
            let mut at = start;
            for waited in [300, 600, 1_200] {
                at = at.after(Duration::from_millis(waited));
                assert_eq!(client.poll_timeout(), Some(at));
                assert_eq!(client.handle_timeout(at), Ok(()));
                assert!(client.poll_transmit(at, &mut [0; 2048]).is_some());
            }
        }
    });
}
