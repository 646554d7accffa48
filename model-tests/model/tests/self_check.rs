//! Checks of the model itself: names of rules, reachability, no state in which an end waits for ever.

use std::collections::BTreeSet;

use reference_model::alphabet::*;
use reference_model::explore::explore_machine;
use reference_model::handshake::Control;
use reference_model::mode::Role;
use reference_model::{ExplicitMealy, Input, Machine, Mode, explore};

#[test]
fn every_cited_requirement_exists() {
    let table = include_str!("../../../vectors/requirements.tsv");
    let known: BTreeSet<&str> = table.lines().filter_map(|line| line.split('\t').next()).collect();
    let mut cited = BTreeSet::new();
    for mode in Mode::all() {
        for_each_state(&Machine::new(mode), |machine| {
            for input in mode.alphabet() {
                cited.extend(machine.clone().advance(input).rules);
            }
        });
    }
    let rows = cited.iter().filter(|rule| !rule.starts_with("RFC "));
    let missing: Vec<_> = rows.clone().filter(|rule| !known.contains(**rule)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    println!("{} requirements and {} sections of RFCs cited", rows.count(), cited.len());
}

#[test]
fn every_transition_that_can_be_seen_has_a_reason() {
    for mode in Mode::all() {
        for_each_state(&Machine::new(mode), |machine| {
            for input in mode.alphabet() {
                let mut next = machine.clone();
                let step = next.advance(input);
                let silent = step.outputs.is_empty() && next.control() == machine.control();
                assert!(silent || !step.rules.is_empty(), "{mode}: {:?} {input}", machine.control());
            }
        });
    }
}

fn for_each_state(initial: &Machine, mut visit: impl FnMut(&Machine)) {
    let inputs = initial.mode().alphabet();
    let mut seen = BTreeSet::from([initial.clone()]);
    let mut queue = vec![initial.clone()];
    while let Some(machine) = queue.pop() {
        visit(&machine);
        for input in &inputs {
            let mut next = machine.clone();
            let _ = next.step(*input);
            if seen.insert(next.clone()) {
                queue.push(next);
            }
        }
    }
}

#[test]
fn counts() {
    for mode in Mode::all() {
        let raw = explore_machine(&Machine::new(mode));
        let small = raw.minimised();
        assert_eq!(small.access().len(), small.states());
        println!(
            "{mode}: {} inputs, {} explored, {} states, {} transitions",
            small.inputs.len(),
            raw.states(),
            small.states(),
            small.transitions()
        );
    }
}

/// Walks backwards from the states a condition holds in.
fn can_reach(
    machine: &ExplicitMealy,
    uses: impl Fn(&Input) -> bool,
    goal: impl Fn(&str) -> bool,
) -> Vec<bool> {
    let mut reaches: Vec<bool> = machine.names.iter().map(|name| goal(name)).collect();
    loop {
        let before = reaches.clone();
        for (state, row) in machine.next.iter().enumerate() {
            let mut used = machine.inputs.iter().zip(row).filter(|(input, _)| uses(input));
            reaches[state] |= used.any(|(_, next)| before[*next]);
        }
        if reaches == before {
            return reaches;
        }
    }
}

/// Nothing that ends a connection on purpose.
fn ends(input: &Input) -> bool {
    let alert = matches!(input, Input::Rx(Record { content: Content::Alert(..), .. }));
    alert || *input == Input::App(App::Close)
}

/// States from which nobody gets connected any more, and why that is right.
const HOPELESS: [(&str, &str); 1] = [(
    "Psk { version: V13, binder: false }",
    "the hello is bound to another key; that shows once the application has found the right one (RFC 8446 4.2.11.2)",
)];

/// From every state of a handshake, whatever came before, the peer can still get the end connected.
#[test]
fn no_state_waits_for_ever() {
    let mut hopeless = BTreeSet::new();
    for mode in Mode::all() {
        let machine = explore_machine(&Machine::new(mode));
        let reaches = can_reach(&machine, |input| !ends(input), |name| name.starts_with("Connected"));
        let open = machine.names.iter().zip(reaches).filter(|(name, _)| *name != "Closed");
        let stuck: BTreeSet<_> = open.filter(|(_, reaches)| !reaches).map(|(name, _)| name.clone()).collect();
        let known = |name: &&String| HOPELESS.iter().any(|(known, _)| name == known);
        let unknown: Vec<_> = stuck.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{mode}: {unknown:?}");
        hopeless.extend(stuck);
    }
    assert_eq!(hopeless.len(), HOPELESS.len(), "an exception that is none");
}

/// Who waits for the peer has a timer, or knows that the peer has one because everything it sent has arrived.
#[test]
fn who_waits_has_a_timer() {
    for mode in Mode::all() {
        for_each_state(&Machine::new(mode), |machine| {
            let excused = match machine.control() {
                Control::Listening | Control::Closed | Control::Connected(_) | Control::Psk { .. } => true,
                // 1.3: the server's flight is on its way, or the peer acknowledged ours.
                state => state.version() == Some(Version::V13) && machine.is_answered(),
            };
            assert!(excused || machine.has_timer(), "{mode}: {machine:?}");
        });
    }
}

/// Symbols that are there to do nothing.
fn may_be_idle(mode: Mode, record: Record) -> bool {
    let only_13 = !mode.has_12();
    match record.content {
        Content::Unknown => true,
        Content::Data => matches!(record.epoch, 0 | 2) || record.seal == Seal::Broken,
        Content::Alert(_, description) if description == Description::USER_CANCELED => true,
        Content::ChangeCipherSpec => only_13 || record.epoch == 1,
        Content::Ack(Acked::Unknown | Acked::Empty) => true,
        // A server of 1.3 hears plaintext as a listener only, and then nothing but hellos.
        Content::Handshake(Handshake { message: Message::ClientHello(_), .. }) => false,
        _ => only_13 && mode.role == Role::Server && record.epoch == 0,
    }
}

#[test]
fn every_symbol_matters() {
    for mode in Mode::all() {
        let machine = explore(mode);
        for (column, input) in machine.inputs.iter().enumerate() {
            let matters = (0..machine.states()).any(|state| {
                let moves =
                    machine.next[state][column] != state && !machine.names[state].contains("Listening");
                moves || !machine.outputs[state][column].is_empty()
            });
            let excused = match input {
                Input::Rx(record) => may_be_idle(mode, *record),
                // Whoever has a connection drops the copy.
                input => *input == Input::Replay,
            };
            assert!(matters || excused, "{mode}: {input}");
        }
    }
}

/// All states of handshake control occur.
#[test]
fn every_control_state_is_reached() {
    let mut names = BTreeSet::new();
    for mode in Mode::all() {
        names.extend(explore_machine(&Machine::new(mode)).names);
    }
    let words: BTreeSet<_> = names.iter().filter_map(|name| name.split([' ', '(']).next()).collect();
    assert_eq!(
        words.into_iter().collect::<Vec<_>>(),
        [
            "ChangeCipherSpec",
            "ClientKeyExchange",
            "Closed",
            "Connected",
            "EncryptedExtensions",
            "Finished",
            "Listening",
            "Psk",
            "ServerHello",
            "ServerHelloDone",
            "ServerKeyExchange"
        ]
    );
}
