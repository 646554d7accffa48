//! Handshakes over a bad network, exhaustively: every pattern of lost first transmissions, every order of delivery
//! within each flight, and every datagram replayed at every later moment.
//!
//! Datagrams have 50 bytes here, so that each flight but the HelloVerifyRequest takes three.

use core::time::Duration;

use dtls_core::CipherSuite;
use model_tests::{Pair, Recipe, Setup, Side};
use simulated_network::{Faults, Network, Plan};

/// Ordinals of the first transmissions of each flight, by sender.
const CLIENT_FLIGHTS: [core::ops::Range<usize>; 3] = [0..3, 3..6, 6..9];
const SERVER_FLIGHTS: [core::ops::Range<usize>; 3] = [0..1, 1..4, 4..7];

/// Three datagrams a flight.
fn setup() -> Setup {
    let recipe = Recipe {
        suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite::TLS_PSK_WITH_AES_256_CCM_8],
        ..Recipe::new(ideal_crypto::PROVIDER)
    };
    Setup { room: [50, 50], ..recipe.setup() }
}

fn with_plans(client: Plan, server: Plan) -> Pair {
    let setup = setup();
    let mut network = Network::new(setup.seed, Faults::default());
    network.set_plan(Side::Client, client);
    network.set_plan(Side::Server, server);
    Pair::on(&setup, network)
}

/// How many datagrams of `from` carried something new.
fn first_transmissions(pair: &Pair, from: Side) -> usize {
    pair.network.sent().iter().filter(|sent| sent.from == from && sent.first.is_some()).count()
}

fn timeouts(pair: &Pair) -> u32 {
    Side::BOTH
        .into_iter()
        .filter_map(|side| pair.ends.end(side))
        .map(|end| end.connection().stats().timeouts)
        .sum()
}

#[test]
fn the_flights_are_as_long_as_this_file_says() {
    let mut pair = with_plans(Plan::default(), Plan::default());
    pair.connect();
    let counts = [Side::Client, Side::Server].map(|side| first_transmissions(&pair, side));
    assert_eq!(counts, [CLIENT_FLIGHTS[2].end, SERVER_FLIGHTS[2].end], "{}", pair.diagram());
    assert_eq!((pair.network.sent().len(), timeouts(&pair)), (16, 0), "{}", pair.diagram());
}

/// Both ends connect before the deadline, whatever is lost.
#[test]
fn every_subset_of_lost_first_transmissions() {
    let client_bits = CLIENT_FLIGHTS[2].end;
    let bits = client_bits + SERVER_FLIGHTS[2].end;
    let (mut timeouts_at_worst, mut millis_at_worst, mut millis_in_all) = (0, 0, 0);
    for pattern in 0..1_u64 << bits {
        let plan = |lose_first| Plan { lose_first, ..Plan::default() };
        let mut pair = with_plans(plan(pattern & ((1 << client_bits) - 1)), plan(pattern >> client_bits));
        let start = pair.ends.now();
        let connected = pair.run_until(Duration::from_secs(60), |pair| pair.ends.connected());
        assert!(connected, "pattern {pattern:#x}:\n{}", pair.diagram());
        let millis = pair.ends.now().since(start).as_millis();
        timeouts_at_worst = timeouts_at_worst.max(timeouts(&pair));
        millis_at_worst = millis_at_worst.max(millis);
        millis_in_all += millis;
    }
    let patterns = 1_u64 << bits;
    println!(
        "{patterns} patterns of lost first transmissions: {timeouts_at_worst} timeouts at worst, \
         {millis_at_worst} ms at worst, {} ms on average",
        millis_in_all / u128::from(patterns)
    );
}

#[test]
fn every_order_of_delivery_within_each_flight() {
    let orders = permutations(3);
    let mut runs = 0;
    let mut slow = 0;
    // Every combination of one order for each of the five flights of three datagrams.
    let flights = 5;
    for combination in 0..orders.len().pow(flights) {
        let order = |flight: u32| &orders[combination / orders.len().pow(flight) % orders.len()];
        let client = [(0, order(0)), (3, order(1)), (6, order(2))];
        let server = [(1, order(3)), (4, order(4))];
        let plan = |flights: &[(usize, &Vec<usize>)]| {
            flights.iter().fold(Plan::default(), |plan, (start, order)| plan.in_order(*start, order))
        };
        let mut pair = with_plans(plan(&client), plan(&server));
        pair.connect();
        // In both flights that end with Finished its key change comes in the first datagram. A Finished that arrives
        // before it cannot be opened and costs a timeout; nothing else may.
        let in_time = order(2)[0] == 0 && order(4)[0] == 0;
        assert_eq!(timeouts(&pair) == 0, in_time, "{}", pair.diagram());
        runs += 1;
        slow += usize::from(!in_time);
    }
    println!(
        "{runs} combinations of orders connect; {slow} with a timeout, Finished before ChangeCipherSpec"
    );
}

/// A replay changes nothing but statistics, or makes an end send its last flight again.
#[test]
fn every_datagram_replayed_at_every_later_moment() {
    assert_eq!(replays(Duration::from_millis(10)), 0, "on a fast link no replay needs an answer");
    assert!(replays(Duration::from_millis(600)) > 0, "on a slow one a repeated flight does");
}

/// How many replays made a flight go out again when the way back to the client takes `delay`.
fn replays(delay: Duration) -> usize {
    let mut pair = with_plans(Plan::default(), Plan::default());
    pair.network.set_faults(Side::Server, Faults { delay, ..Faults::default() });
    let (mut replays, mut resends) = (0, 0);
    let end = pair.ends.now().after(Duration::from_secs(600));
    let mut goes_on = true;
    while goes_on {
        for arrived in 0..pair.network.arrived().len() {
            resends += usize::from(replay(&pair, arrived));
            replays += 1;
        }
        if pair.ends.connected() && pair.network.sent().len() == 16 {
            pair.send(Side::Client, b"reading");
            pair.send(Side::Server, b"thanks");
        }
        goes_on = pair.step(end);
    }
    println!(
        "{delay:?} from server to client: {replays} replays; {resends} made the last flight go out again"
    );
    assert_eq!(pair.network.arrived().len(), 18);
    resends
}

/// Replays what arrived as number `arrived` in a copy of `pair` and checks what comes of it; whether a flight was sent
/// again.
fn replay(pair: &Pair, arrived: usize) -> bool {
    let mut branch = pair.clone();
    let sent = pair.network.sent().len();
    let original = &pair.network.sent()[pair.network.arrived()[arrived]];
    let to = original.from.peer();
    let fingerprint = |pair: &Pair| pair.ends.end(to).map(model_tests::End::fingerprint);
    branch.inject(to, &original.bytes);
    let answer = &branch.network.sent()[sent..];
    assert!(
        answer.iter().all(|sent| sent.first.is_none()),
        "new content in answer to a replay:\n{}",
        branch.diagram()
    );
    if answer.is_empty() {
        assert_eq!(fingerprint(&branch), fingerprint(pair), "replay of {arrived}:\n{}", branch.diagram());
    }
    let resent = !answer.is_empty();
    branch.connect();
    assert!(timeouts(&branch) == timeouts(pair), "a replay cost a timeout:\n{}", branch.diagram());
    resent
}

#[test]
fn every_datagram_duplicated() {
    for seed in 0..100 {
        let faults = Faults { duplicate: 1.0, jitter: Duration::from_millis(seed % 50), ..Faults::default() };
        let mut pair = Pair::on(&setup(), Network::new(seed, faults));
        pair.connect();
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, n - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..n).map(move |at| insert(order, at))).collect()
}
