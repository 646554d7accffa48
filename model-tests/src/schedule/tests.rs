use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};

use super::*;

/// A mix in which every kind of step occurs.
const ALL: Mix = Mix { deliver: 1, weather: 6, attack: 6, time: 2, send: 1, close: 1 };

#[test]
fn text_round_trips() {
    for seed in 0..200 {
        let schedule = Schedule::generate(seed, 50, &ALL);
        let text = schedule.to_string();
        assert_eq!(text.parse::<Schedule>().as_ref(), Ok(&schedule), "seed {seed}:\n{text}");
        assert_eq!(text.lines().count(), 50);
    }
}

#[test]
fn every_kind_of_step_is_generated() {
    let schedule = Schedule::generate(1, 1_000, &ALL);
    let text = schedule.to_string();
    let words: std::collections::BTreeSet<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).collect();
    let expected = "advance close coalesce corrupt delay deliver drop duplicate extend forge next-timer reorder replay \
                    send split truncate";
    assert_eq!(words.into_iter().collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn the_text_form_is_stable() {
    let text = "# a comment\n\n deliver 0 # the hello\nforge server 22 0 5 00ff\nextend 1 -\nsend client 12\nnext-timer\n";
    let schedule: Schedule = text.parse().unwrap();
    let forgery = Forgery { to: Side::Server, content_type: 22, epoch: 0, sequence: 5, body: vec![0, 255] };
    assert_eq!(forgery.datagram(), [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5, 0, 2, 0, 255]);
    assert_eq!(
        schedule.0,
        [
            Step::Deliver(0),
            Step::Forge(forgery),
            Step::Extend(1, vec![]),
            Step::Send(Side::Client, 12),
            Step::NextTimer
        ]
    );
}

#[test]
fn what_is_not_a_step_is_named() {
    for (text, line) in [
        ("deliver 0\ndeliver\n", 2),
        ("delver 0", 1),
        ("deliver 256", 1),
        ("extend 0 abc", 1),
        ("close all", 1),
    ] {
        assert_eq!(text.parse::<Schedule>().map_err(|error| error.line), Err(line), "{text}");
    }
}

#[test]
fn a_mix_without_faults_has_none() {
    let calm = Mix { weather: 0, attack: 0, ..Mix::default() };
    assert!(Schedule::generate(5, 500, &calm).0.iter().all(|step| !step.is_fault()));
    assert_eq!(
        Schedule::generate(5, 2, &Mix { deliver: 0, time: 0, send: 0, ..calm }).0,
        vec![Step::Deliver(0); 2]
    );
}

/// What proptest shrinks a failing schedule to, when `fails` says which fail.
fn shrunk(fails: impl Fn(&Schedule) -> bool) -> Schedule {
    let config =
        Config { cases: 1_000, failure_persistence: None, max_shrink_iters: 100_000, ..Config::default() };
    let result = TestRunner::new(config).run(&Schedule::strategy(0..60, ALL), |schedule| {
        if fails(&schedule) { Err(TestCaseError::fail("planted")) } else { Ok(()) }
    });
    match result {
        Err(TestError::Fail(_, schedule)) => schedule,
        other => panic!("the planted failure was not found: {other:?}"),
    }
}

#[test]
fn shrinking_deletes_steps_and_replaces_faults() {
    let drops = |schedule: &Schedule| schedule.0.iter().filter(|step| matches!(step, Step::Drop(_))).count();
    let minimal = shrunk(|schedule| drops(schedule) >= 2);
    assert_eq!((minimal.0.len(), drops(&minimal)), (2, 2), "{minimal}");

    let minimal = shrunk(|schedule| schedule.0.len() >= 7);
    assert_eq!(minimal.0.len(), 7);
    assert!(
        minimal.0.iter().all(|step| !step.is_fault() || matches!(step, Step::Replay(0) | Step::Forge(_))),
        "{minimal}"
    );
}

#[test]
fn shrinking_makes_numbers_smaller() {
    let minimal = shrunk(|schedule| schedule.0.iter().any(|step| matches!(step, Step::Delay(_, 5_000..))));
    assert!(matches!(minimal.0[..], [Step::Delay(_, 5_000)]), "{minimal}");
}

#[test]
fn shrinking_ends_whatever_the_verdicts() {
    for verdicts in 0..64_u64 {
        let mut runner = TestRunner::deterministic();
        let mut tree = Schedule::strategy(20..21, ALL).new_tree(&mut runner).unwrap();
        let mut rounds = 0_u64;
        while if verdicts >> (rounds % 6) & 1 == 1 { tree.simplify() } else { tree.complicate() } {
            rounds += 1;
            assert!(rounds < 1_000_000);
        }
    }
}

#[cfg(feature = "arbitrary")]
#[test]
fn a_fuzzers_bytes_make_a_schedule() {
    let bytes: Vec<u8> = (0..2_000_u32).map(|i| (i * 197 % 251) as u8).collect();
    let schedule: Schedule = arbitrary::Unstructured::new(&bytes).arbitrary().unwrap();
    assert!(schedule.0.len() > 10, "{schedule}");
    assert_eq!(schedule.to_string().parse(), Ok(schedule));
}
