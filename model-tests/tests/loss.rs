//! Handshakes over a bad network, exhaustively: every pattern of lost first transmissions and acknowledgements, every order
//! of delivery within each flight, and every datagram replayed at every later moment; for each kind of handshake.
//!
//! Datagrams are so short that flights take three where they can: HelloVerifyRequest, HelloRetryRequest and ACK are always
//! one, and the Finished of a DTLS 1.3 client alone is one as well.

use core::{ops::Range, time::Duration};

use dtls_core::{CipherSuite, ListenerLimits, NamedGroup, ProtocolVersion, PskMode};
use model_tests::{Pair, Recipe, Setup, Side};
use simulated_network::{Fate, Faults, Network, Plan};

/// One kind of handshake.
struct Case {
    name: &'static str,
    setup: Setup,
    version: ProtocolVersion,
    /// Whether the server answers only addresses that have returned a cookie.
    validates: bool,
    /// Datagrams of each flight, client's first.
    flights: &'static [usize],
}

const PSK12: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
const PSK13: CipherSuite = CipherSuite::TLS_AES_128_CCM_SHA256;

/// As [`Faults::default`] has it.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The shortest DTLS 1.2 handshake; a second suite makes the hello longer.
fn case12() -> Case {
    let recipe = Recipe {
        suites: vec![PSK12, CipherSuite::TLS_PSK_WITH_AES_256_CCM_8],
        ..Recipe::new(ideal_crypto::PROVIDER)
    };
    case("1.2, cookie", recipe, [50, 50], &[3, 1, 3, 3, 3, 3])
}

/// DTLS 1.3 with each mode and each reason for another hello.
fn cases13() -> Vec<Case> {
    let plain = |mode| Recipe::new13(ideal_crypto::PROVIDER, mode);
    let other_group = || Recipe {
        groups: [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]],
        ..plain(PskMode::PskDhe)
    };
    let without_cookies = |recipe: Recipe| {
        let mut listener = ListenerLimits::default();
        listener.cookies = false;
        Recipe { listener, ..recipe }
    };
    // The longer hash makes Finished take two datagrams and its acknowledgement two numbers.
    let long = Recipe { suites: vec![CipherSuite::TLS_AES_256_GCM_SHA384], ..plain(PskMode::PskOnly) };
    vec![
        case("1.3 psk_ke, cookie", plain(PskMode::PskOnly), [67, 67], &[3, 1, 4, 4, 1, 1]),
        case("1.3 psk_ke, no cookie", without_cookies(plain(PskMode::PskOnly)), [61, 61], &[3, 4, 2, 1]),
        case("1.3 psk_ke, SHA-384, no cookie", without_cookies(long), [67, 67], &[3, 4, 2, 1]),
        case("1.3 psk_dhe_ke, cookie", plain(PskMode::PskDhe), [80, 67], &[3, 1, 4, 4, 1, 1]),
        case("1.3 psk_dhe_ke, group", without_cookies(other_group()), [92, 67], &[3, 1, 4, 4, 1, 1]),
        case("1.3 psk_dhe_ke, group and cookie", other_group(), [92, 80], &[3, 1, 4, 3, 1, 1]),
    ]
}

/// One end speaks both versions, the other the older one.
fn cases_of_fallback() -> Vec<Case> {
    let both = vec![ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    let old = vec![ProtocolVersion::DTLS1_2];
    let recipe = |versions| Recipe {
        versions,
        suites: vec![PSK13, PSK12, CipherSuite::TLS_PSK_WITH_AES_256_CCM_8],
        ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly)
    };
    vec![
        case(
            "client of both, server of 1.2",
            recipe([both.clone(), old.clone()]),
            [67, 50],
            &[3, 1, 4, 3, 2, 3],
        ),
        case("client of 1.2, server of both", recipe([old, both]), [50, 50], &[3, 1, 3, 3, 3, 3]),
    ]
}

fn case(name: &'static str, recipe: Recipe, room: [usize; 2], flights: &'static [usize]) -> Case {
    let is13 = name.starts_with("1.3");
    let version = if is13 { ProtocolVersion::DTLS1_3 } else { ProtocolVersion::DTLS1_2 };
    let validates = recipe.listener.cookies;
    Case { name, setup: Setup { room, ..recipe.setup() }, version, validates, flights }
}

fn all_cases() -> Vec<Case> {
    [vec![case12()], cases13(), cases_of_fallback()].into_iter().flatten().collect()
}

impl Case {
    fn with_plans(&self, client: Plan, server: Plan) -> Pair {
        let mut network = Network::new(self.setup.seed, Faults::default());
        network.set_plan(Side::Client, client);
        network.set_plan(Side::Server, server);
        Pair::on(&self.setup, network)
    }

    /// First transmissions of one side, flight by flight.
    fn ordinals(&self, side: Side) -> Vec<Range<usize>> {
        let mut start = 0;
        let own = self.flights.iter().skip(side as usize).step_by(2);
        own.map(|count| {
            start += count;
            start - count..start
        })
        .collect()
    }

    fn count(&self, side: Side) -> usize {
        self.ordinals(side).last().map_or(0, |flight| flight.end)
    }
}

/// Both ends have what they need, and whoever must be told so was told.
fn is_done(pair: &Pair) -> bool {
    let waits = |side| {
        let connection = pair.ends.end(side).map(model_tests::End::connection);
        connection.is_none_or(|c| !c.is_established() || (side == Side::Client && c.holds_handshake()))
    };
    pair.ends.connected() && !Side::BOTH.into_iter().any(waits)
}

fn finish(pair: &mut Pair, case: &Case) {
    let done = pair.run_until(Duration::from_secs(120), is_done);
    assert!(done, "{}:\n{}", case.name, pair.diagram());
    let version =
        pair.ends.end(Side::Client).and_then(|end| end.connection().negotiated()).map(|n| n.version);
    assert_eq!(version, Some(case.version), "{}", case.name);
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
    for case in all_cases() {
        let mut pair = case.with_plans(Plan::default(), Plan::default());
        finish(&mut pair, &case);
        pair.run_for(Duration::from_secs(1));
        let mut flights: Vec<(Side, usize)> = Vec::new();
        for sent in pair.network.sent() {
            assert!(sent.first.is_some(), "{}", pair.diagram());
            match flights.last_mut() {
                Some((side, count)) if *side == sent.from => *count += 1,
                _ => flights.push((sent.from, 1)),
            }
        }
        let flights: Vec<usize> = flights.into_iter().map(|(_, count)| count).collect();
        println!("{} {flights:?}", case.name);
        assert_eq!((&flights[..], timeouts(&pair)), (case.flights, 0), "{}\n{}", case.name, pair.diagram());
    }
}

/// Both ends are done before the deadline, whatever is lost. In DTLS 1.3 acknowledgements that only losses cause count as
/// first transmissions too: the next one or two of each side.
fn every_subset_of_lost_first_transmissions(case: &Case) {
    let extra = match (case.version, case.flights.len()) {
        (ProtocolVersion::DTLS1_3, 4) => 2,
        (ProtocolVersion::DTLS1_3, _) => 1,
        _ => 0,
    };
    let client_bits = case.count(Side::Client) + extra;
    let bits = client_bits + case.count(Side::Server) + extra;
    let (mut timeouts_at_worst, mut millis_at_worst, mut millis_in_all) = (0, 0, 0);
    for pattern in 0..1_u64 << bits {
        let plan = |lose_first| Plan { lose_first, ..Plan::default() };
        let mut pair =
            case.with_plans(plan(pattern & ((1 << client_bits) - 1)), plan(pattern >> client_bits));
        let start = pair.ends.now();
        finish(&mut pair, case);
        let millis = pair.ends.now().since(start).as_millis();
        timeouts_at_worst = timeouts_at_worst.max(timeouts(&pair));
        millis_at_worst = millis_at_worst.max(millis);
        millis_in_all += millis;
        let lost = pair.network.sent().iter().filter(|sent| sent.fate == Fate::Planned).count() as u32;
        assert!(timeouts(&pair) <= most_timeouts(lost), "L1: {lost} lost\n{}", pair.diagram());
        assert!(millis <= most_millis(lost), "L2: {lost} lost, {millis} ms\n{}", pair.diagram());
    }
    assert!(timeouts_at_worst <= 7 && millis_at_worst <= 40_000, "the worst that is known");
    let patterns = 1_u64 << bits;
    println!(
        "{}: {patterns} patterns of lost first transmissions: {timeouts_at_worst} timeouts at worst, \
         {millis_at_worst} ms at worst, {} ms on average",
        case.name,
        millis_in_all / u128::from(patterns)
    );
}

/// L1: no more timers run out than datagrams are lost, and one for the end that missed the last one.
fn most_timeouts(lost: u32) -> u32 {
    lost + 1
}

/// L2: what as many timeouts take with back-off (RFC 6347 §4.2.4.1), and four round trips.
fn most_millis(lost: u32) -> u128 {
    let waited: u128 = (0..lost).map(|i| (1_000_u128 << i.min(20)).min(60_000)).sum();
    waited + 4 * ROUND_TRIP.as_millis()
}

#[test]
fn every_subset_of_lost_first_transmissions_of_dtls12() {
    every_subset_of_lost_first_transmissions(&case12());
}

#[test]
fn every_subset_of_lost_first_transmissions_of_dtls13() {
    cases13().iter().for_each(every_subset_of_lost_first_transmissions);
}

#[test]
fn every_subset_of_lost_first_transmissions_of_a_fallback() {
    cases_of_fallback().iter().for_each(every_subset_of_lost_first_transmissions);
}

/// Runs every combination of one order for each flight and returns how many there are, and how many had a timeout although
/// `in_time` says that nothing was out of reach, or none although something was.
fn orders(case: &Case, in_time: impl Fn(&[Vec<usize>]) -> Option<bool>) -> (usize, usize) {
    let choices: Vec<Vec<Vec<usize>>> = case.flights.iter().map(|count| permutations(*count)).collect();
    let combinations: usize = choices.iter().map(Vec::len).product();
    let mut slow = 0;
    for combination in 0..combinations {
        let mut rest = combination;
        let chosen: Vec<Vec<usize>> = choices
            .iter()
            .map(|orders| {
                let order = orders[rest % orders.len()].clone();
                rest /= orders.len();
                order
            })
            .collect();
        let plan = |side: Side| {
            let flights = case.ordinals(side).into_iter().zip(chosen.iter().skip(side as usize).step_by(2));
            flights.fold(Plan::default(), |plan, (flight, order)| plan.in_order(flight.start, order))
        };
        let mut pair = case.with_plans(plan(Side::Client), plan(Side::Server));
        finish(&mut pair, case);
        if let Some(in_time) = in_time(&chosen) {
            assert_eq!(timeouts(&pair) == 0, in_time, "{chosen:?} {}", pair.diagram());
        }
        slow += usize::from(timeouts(&pair) > 0);
    }
    (combinations, slow)
}

#[test]
fn every_order_of_delivery_within_each_flight() {
    for case in [vec![case12()], cases_of_fallback()].into_iter().flatten() {
        // In both flights that end with Finished its key change comes in the first datagram, or with Finished. A Finished
        // that arrives before it cannot be opened and costs a timeout; nothing else may.
        let (runs, slow) = orders(&case, |orders| Some(orders[4][0] == 0 && orders[5][0] == 0));
        println!("{}: {runs} combinations connect, {slow} with a timeout", case.name);
    }
}

#[test]
fn every_order_of_delivery_within_each_flight_of_dtls13() {
    for case in cases13() {
        // What cannot be opened yet is asked for by an acknowledgement of the rest.
        let (runs, slow) = orders(&case, |_| Some(true));
        println!("{}: {runs} combinations connect, {slow} with a timeout", case.name);
    }
}

/// A replay changes nothing but statistics, or makes an end send its last flight again.
#[test]
fn every_datagram_replayed_at_every_later_moment() {
    for case in all_cases() {
        assert_eq!(replays(&case, Duration::from_millis(10)), 0, "on a fast link no replay needs an answer");
        let slow = replays(&case, Duration::from_millis(600));
        // Only in epoch 0 a repetition can be the network's.
        assert!(slow > 0 || case.version == ProtocolVersion::DTLS1_3, "on a slow one a repeated flight does");
    }
}

/// How many replays made a flight go out again when the way back to the client takes `delay`.
fn replays(case: &Case, delay: Duration) -> usize {
    let mut pair = case.with_plans(Plan::default(), Plan::default());
    pair.network.set_faults(Side::Server, Faults { delay, ..Faults::default() });
    let (mut replays, mut resends, mut sent) = (0, 0, false);
    let end = pair.ends.now().after(Duration::from_secs(600));
    let mut goes_on = true;
    while goes_on {
        for arrived in 0..pair.network.arrived().len() {
            resends += usize::from(replay(case, &pair, arrived));
            replays += 1;
        }
        if is_done(&pair) && !sent {
            pair.send(Side::Client, b"reading");
            pair.send(Side::Server, b"thanks");
            sent = true;
        }
        goes_on = pair.step(end);
    }
    println!(
        "{}, {delay:?} from server to client: {replays} replays; {resends} made a flight go out again",
        case.name
    );
    let delivered = Side::BOTH.map(|side| pair.ends.end(side).map(|end| end.delivered().len()));
    assert_eq!(delivered, [Some(1); 2]);
    resends
}

/// Replays what arrived as number `arrived` in a copy of `pair` and checks what comes of it; whether a flight was sent
/// again.
fn replay(case: &Case, pair: &Pair, arrived: usize) -> bool {
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
    // To an address that is not validated any datagram allows more bytes.
    if answer.is_empty() && (case.validates || to == Side::Client) {
        assert_eq!(fingerprint(&branch), fingerprint(pair), "replay of {arrived}:\n{}", branch.diagram());
    }
    let resent = !answer.is_empty();
    branch.connect();
    assert!(timeouts(&branch) == timeouts(pair), "a replay cost a timeout:\n{}", branch.diagram());
    resent
}

#[test]
fn every_datagram_duplicated() {
    for case in all_cases() {
        for seed in 0..100 {
            let jitter = Duration::from_millis(seed % 50);
            let faults = Faults { duplicate: 1.0, jitter, ..Faults::default() };
            finish(&mut Pair::on(&case.setup, Network::new(seed, faults)), &case);
        }
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
