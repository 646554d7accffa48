//! The link does what its settings say, and the same each time.

use core::time::Duration;

use dtls_core::Instant;
use simulated_network::{Fate, Faults, Network, Plan, Side};

/// An application data record whose body is `mark`.
fn datagram(mark: u8) -> Vec<u8> {
    vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, mark, 0, 1, mark]
}

/// Sends `count` marked datagrams a millisecond apart; the marks and times of what arrives at the server.
fn arrivals(network: &mut Network, count: u8) -> Vec<(u8, u64)> {
    for mark in 0..count {
        network.send(Instant::from_micros(1_000 * u64::from(mark)), Side::Client, &datagram(mark));
    }
    let mut arrived = Vec::new();
    while let Some(at) = network.next_arrival() {
        let arrival = network.receive(at).unwrap();
        assert_eq!(arrival.to, Side::Server);
        arrived.push((*arrival.bytes.last().unwrap(), at.as_micros()));
    }
    arrived
}

#[test]
fn a_perfect_link_keeps_order_and_delay() {
    let arrived = arrivals(&mut Network::new(1, Faults::default()), 5);
    assert_eq!(arrived, (0..5_u8).map(|m| (m, 10_000 + 1_000 * u64::from(m))).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let faults = Faults {
        jitter: Duration::from_millis(5),
        loss: 0.3,
        duplicate: 0.1,
        reorder: 0.2,
        ..Faults::default()
    };
    let run = |seed| arrivals(&mut Network::new(seed, faults), 100);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn faults_happen_about_as_often_as_asked() {
    let faults = Faults { loss: 0.3, duplicate: 0.1, reorder: 0.2, ..Faults::default() };
    let mut network = Network::new(3, faults);
    for i in 0..10_000 {
        network.send(Instant::from_micros(i), Side::Server, &datagram(0));
    }
    let count = |fate| network.sent().iter().filter(|sent| sent.fate == fate).count();
    assert!((2_800..3_200).contains(&count(Fate::Lost)));
    assert!((600..800).contains(&count(Fate::Duplicated)), "a tenth of what is not lost");
    assert!((1_150..1_370).contains(&count(Fate::Reordered)), "a fifth of what is neither");
}

#[test]
fn a_datagram_beyond_the_mtu_vanishes() {
    let mut network = Network::new(1, Faults { mtu: 13, ..Faults::default() });
    assert_eq!(network.send(Instant::START, Side::Client, &datagram(1)), Fate::TooBig);
    assert_eq!(network.next_arrival(), None);
    network.set_faults(Side::Client, Faults { mtu: 14, ..Faults::default() });
    assert_eq!(network.send(Instant::START, Side::Client, &datagram(1)), Fate::Passed);
}

#[test]
fn a_plan_loses_and_orders_first_transmissions() {
    let mut network = Network::new(1, Faults::default());
    network.set_plan(Side::Client, Plan { lose_first: 0b10, ..Plan::default() });
    assert_eq!(arrivals(&mut network, 3).iter().map(|a| a.0).collect::<Vec<_>>(), [0, 2]);

    let mut network = Network::new(1, Faults::default());
    network.set_plan(Side::Client, Plan::default().in_order(1, &[2, 0, 1]));
    for mark in 0..4 {
        network.send(Instant::START, Side::Client, &datagram(mark));
    }
    let late = Instant::from_micros(u64::MAX);
    let order: Vec<u8> = core::iter::from_fn(|| network.receive(late)).map(|a| a.bytes[13]).collect();
    assert_eq!(order, [0, 3, 1, 2]);
}

#[test]
fn anything_ever_sent_can_be_replayed() {
    let mut network = Network::new(1, Faults { loss: 1.0, ..Faults::default() });
    assert!(arrivals(&mut network, 2).is_empty());
    assert!(network.replay(Instant::START, 1, Duration::from_secs(1)));
    assert!(!network.replay(Instant::START, 2, Duration::ZERO));
    assert!(network.receive(Instant::from_micros(999_999)).is_none());
    assert_eq!(network.receive(Instant::from_micros(1_000_000)).unwrap().number, 1);
}
