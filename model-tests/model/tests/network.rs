//! Model client and model server over a network that loses, copies, reorders and delays as it likes.

use reference_model::network::{Pairing, explore};
use reference_model::{Choices, Guard};

#[test]
fn every_pairing_can_always_complete() {
    let (mut states, mut transitions) = (0, 0);
    for pairing in Pairing::all() {
        let report = explore(pairing);
        println!(
            "{pairing}: {} states ({} without the network), {} transitions, {} rounds of timers at most",
            report.states, report.ends, report.transitions, report.rounds
        );
        assert!(report.violations.is_empty(), "{pairing}: {:?}", report.violations);
        // One timeout for whatever was lost; one more where the application's answer comes after it.
        assert!(report.rounds <= 2, "{pairing}: {}", report.rounds);
        (states, transitions) = (states + report.states, transitions + report.transitions);
    }
    println!("{states} states, {transitions} transitions");
}

/// Guards whose absence can be seen between two honest ends, and the property that shows it.
const EXPECTED: [(Guard, &str); 6] = [
    (Guard::SeqChecked, "L4: honest ends broke off"),
    (Guard::OrderKept, "L4: honest ends broke off"),
    (Guard::NewestVersion, "S14: 1.2 although both have 1.3"),
    (Guard::FlightTimer, "L4: a state from which the handshake can't complete"),
    (Guard::LastFlightKept, "L4: a state from which the handshake can't complete"),
    (Guard::LastAckRepeated, "L4: a state from which the handshake can't complete"),
];

#[test]
fn guards_left_out_are_seen_between_honest_ends() {
    for (guard, property) in EXPECTED {
        let seen = Pairing::all().into_iter().find_map(|pairing| {
            let report = explore(Pairing { without: Some(guard), ..pairing });
            report.violations.get(property).map(|states| format!("{pairing}: in {states} states"))
        });
        println!("{guard:?} -> {property}: {seen:?}");
        assert!(seen.is_some(), "{guard:?}");
    }
}

/// All of it holds under every other choice, but for two: who is closed, and answers nothing or does not send its
/// Finished again, leaves a peer that missed the end of the handshake alone.
#[test]
fn choices_leave_honest_ends_alone() {
    for (name, choices) in Choices::alternatives() {
        // The ones that differ most; all of them take half a minute.
        let pairings = Pairing::all().into_iter().filter(|pairing| {
            let both = pairing.client.has_12() && pairing.client.has_13();
            pairing.server.cookie && pairing.share && !both
        });
        let broken = pairings.into_iter().find_map(|pairing| {
            let report = explore(Pairing { choices, ..pairing });
            (!report.violations.is_empty()).then(|| format!("{pairing}: {:?}", report.violations))
        });
        println!("{name}: {broken:?}");
        let leaves = ["answers_when_closed", "persists_when_closed"].contains(&name);
        assert_eq!(broken.is_some(), leaves, "{name}");
    }
}
