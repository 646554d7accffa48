//! The properties hold on every trace of the model, and each guard that is left out breaks one of them.

use std::collections::{BTreeMap, HashSet};

use reference_model::choices::PlaintextAcks;
use reference_model::explore::explore_machine;
use reference_model::properties::{Observer, Property};
use reference_model::{Choices, ExplicitMealy, Guard, Input, Machine, Mode};

/// Walks over all pairs of a state and what an observer can have seen, breadth first. The first word to each property
/// that is violated; no further than to the one that is looked for, if there is one.
fn violations(initial: &Machine, wanted: Option<Property>) -> BTreeMap<Property, Vec<Input>> {
    violations_of(initial.mode(), &explore_machine(initial).minimised(), wanted)
}

fn violations_of(
    mode: Mode,
    machine: &ExplicitMealy,
    wanted: Option<Property>,
) -> BTreeMap<Property, Vec<Input>> {
    let start = (0, Observer::new(mode));
    let mut seen = HashSet::from([start]);
    // Each with the number of the one before and the input between them.
    let mut queue = vec![(start, 0, Input::Timer)];
    let mut found = BTreeMap::new();
    let mut at = 0;
    while let Some(((state, before), _, _)) = queue.get(at).copied() {
        for (column, input) in machine.inputs.iter().enumerate() {
            let mut observer = before;
            let after = machine.next[state][column];
            if let Err(property) = observer.watch(*input, &machine.outputs[state][column]) {
                found.entry(property).or_insert_with(|| word(&queue, at, *input));
                if wanted == Some(property) {
                    return found;
                }
            } else if seen.insert((after, observer)) {
                queue.push(((after, observer), at, *input));
            }
        }
        at += 1;
    }
    found
}

fn word<T>(queue: &[(T, usize, Input)], mut at: usize, last: Input) -> Vec<Input> {
    let mut word = vec![last];
    while at > 0 {
        let (_, before, input) = &queue[at];
        word.push(*input);
        at = *before;
    }
    word.reverse();
    word
}

fn text(word: &[Input]) -> String {
    word.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn all_properties_hold_on_all_traces() {
    for mode in Mode::all() {
        let found = violations(&Machine::new(mode), None);
        let words: Vec<_> =
            found.iter().map(|(property, word)| format!("{property}: {}", text(word))).collect();
        assert!(words.is_empty(), "{mode}: {words:#?}");
    }
}

/// Each guard and the property that its absence violates.
const EXPECTED: [(Guard, Property); 43] = [
    (Guard::FinishedVerified, Property::Authentication),
    (Guard::FinishedAfterCcs, Property::MessageOrder),
    (Guard::CcsInPlace, Property::MessageOrder),
    (Guard::SealChecked, Property::DataAuthentic),
    (Guard::ReplayDropped, Property::AtMostOnce),
    (Guard::PlaintextAfterKeys, Property::NoiseIsSilent),
    (Guard::DataUnderKeys, Property::DataAfterFinished),
    (Guard::DataWhenConnected, Property::DataAfterFinished),
    (Guard::SeqChecked, Property::AtMostOnce),
    (Guard::CookieAsked, Property::CookieFirst),
    (Guard::CookieChecked, Property::CookieFirst),
    (Guard::ShareAfterRetry, Property::OnlyOffered),
    (Guard::RetryOnce, Property::MessageOrder),
    (Guard::RetryChanges, Property::MessageOrder),
    (Guard::SuiteOffered, Property::OnlyOffered),
    (Guard::PskOffered, Property::OnlyOffered),
    (Guard::SessionIdEmpty, Property::OnlyOffered),
    (Guard::EmsRequired, Property::OnlyOffered),
    (Guard::SentinelChecked, Property::NoDowngrade),
    (Guard::NewestVersion, Property::NoDowngrade),
    (Guard::BinderChecked, Property::Authentication),
    (Guard::KeyExchangeRequired, Property::MessageOrder),
    (Guard::EncryptedExtensionsRequired, Property::MessageOrder),
    (Guard::UnexpectedRefused, Property::MessageOrder),
    (Guard::RenegotiationRefused, Property::OnlyOffered),
    (Guard::AckInKnownVersion, Property::TimerRuns),
    (Guard::AckEpochBound, Property::AlertDue),
    (Guard::AckedOmitted, Property::AckedStaysAcked),
    (Guard::SilentWhenClosed, Property::SilentAfterEnd),
    (Guard::FlightTimer, Property::TimerRuns),
    (Guard::LastFlightKept, Property::LastFlightAnswered),
    (Guard::LastFlightAcked, Property::LastFlightAnswered),
    (Guard::LastAckRepeated, Property::LastFlightAnswered),
    (Guard::OrderKept, Property::ReorderingHarmless),
    (Guard::RetryFixesVersion, Property::NoDowngrade),
    (Guard::RetryGroupChecked, Property::OnlyOffered),
    (Guard::OldVersionRefused, Property::NoDowngrade),
    (Guard::VersionOffered, Property::NoDowngrade),
    (Guard::ServerKeyExchangeChecked, Property::Authentication),
    (Guard::ClientKeyExchangeChecked, Property::Authentication),
    (Guard::PskNeeded, Property::Authentication),
    (Guard::MalformedRefused, Property::AlertDue),
    (Guard::AlertSent, Property::AlertDue),
];

#[test]
fn each_guard_left_out_violates_its_property() {
    assert_eq!(EXPECTED.map(|(guard, _)| guard), Guard::ALL);
    let mut table = Vec::new();
    let mut unnoticed = Vec::new();
    for (guard, property) in EXPECTED {
        let choices = match guard {
            // Where no plaintext ACK stops a timer it does not matter either when it comes.
            Guard::AckInKnownVersion => {
                Choices { plaintext_acks: PlaintextAcks::Honoured, ..Choices::DEFAULT }
            }
            _ => Choices::DEFAULT,
        };
        let noticed = Mode::all().into_iter().find_map(|mode| {
            let found = violations(&Machine::with(mode, choices).without(guard), Some(property));
            found.get(&property).map(|word| format!("{guard:?} -> {property}: {mode}: {}", text(word)))
        });
        match noticed {
            Some(line) => table.push(line),
            None => unnoticed.push(guard),
        }
    }
    println!("{}", table.join("\n"));
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

/// Each choice can be seen, and none of them breaks a property.
#[test]
fn every_choice_matters_and_is_safe() {
    let explored = |choices| {
        let modes = Mode::all().into_iter();
        modes.map(|mode| explore_machine(&Machine::with(mode, choices))).collect::<Vec<_>>()
    };
    let same = |one: &ExplicitMealy, other: &ExplicitMealy| {
        (&one.outputs, &one.next) == (&other.outputs, &other.next)
    };
    let bases = [Choices::DEFAULT, Choices::HURRIED].map(|choices| {
        let machines = explored(choices).into_iter();
        machines.map(|machine| (machine.minimised(), machine)).collect::<Vec<_>>()
    });
    for (name, choices) in Choices::alternatives() {
        let mut modes = Vec::new();
        let hurried = choices.repeats_hurry && name != "repeats_hurry";
        let base = &bases[usize::from(hurried)];
        for ((mode, machine), (small, base)) in Mode::all().into_iter().zip(explored(choices)).zip(base) {
            // What is the same before states are merged is the same afterwards.
            if same(&machine, base) {
                continue;
            }
            let machine = machine.minimised();
            if !same(&machine, small) {
                modes.push(mode.to_string());
                let found = violations_of(mode, &machine, None);
                let words: Vec<_> =
                    found.iter().map(|(property, word)| format!("{property}: {}", text(word))).collect();
                assert!(words.is_empty(), "{name}, {mode}: {words:#?}");
            }
        }
        println!("{name}: {}", modes.join(" "));
        assert!(!modes.is_empty(), "{name} changes nothing");
    }
}
