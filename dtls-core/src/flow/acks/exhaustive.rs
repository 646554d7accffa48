//! Every short history of records received, and every small ACK.

use std::{println, vec::Vec};

use super::*;

/// The list as RFC 9147 §7 has it: two bytes of length, then epoch and sequence number, eight bytes each.
fn encoded(numbers: &[(u64, u64)]) -> Vec<u8> {
    let entries = numbers.iter().flat_map(|(epoch, seq)| [epoch.to_be_bytes(), seq.to_be_bytes()].concat());
    [&((numbers.len() * 16) as u16).to_be_bytes()[..], &entries.collect::<Vec<_>>()].concat()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Note(u16, u64),
    Request,
    Write(usize),
    Repeat,
    Clear,
}

#[derive(Clone, Default)]
struct Model {
    /// Sorted.
    numbers: Vec<(u16, u64)>,
    due: bool,
    written: u32,
}

/// Does `step` to both and compares what they say.
fn assert_step(acks: &mut Acks, model: &mut Model, step: Step) {
    match step {
        Step::Note(epoch, seq) => {
            let is_new = !model.numbers.contains(&(epoch, seq));
            if is_new {
                model.numbers.push((epoch, seq));
                model.numbers.sort_unstable();
                let surplus = model.numbers.len().saturating_sub(32);
                model.numbers.drain(..surplus);
            }
            assert_eq!(acks.is_repeated(), model.written > 0);
            if is_new {
                model.written = 0;
            }
            assert_eq!(acks.note(RecordNumber::new(epoch, seq)), is_new);
        }
        Step::Request => {
            model.due = !model.numbers.is_empty();
            acks.request();
        }
        Step::Write(room) => {
            model.due = false;
            let newest = model.numbers.iter().rev().take((room - 2) / 16).rev();
            let newest: Vec<_> = newest.map(|(epoch, seq)| (u64::from(*epoch), *seq)).collect();
            let mut out = std::vec![0; room];
            let n = acks.write(&mut out);
            assert_eq!(out[..n], encoded(&newest));
            assert_eq!(parse(&out[..n]).unwrap().collect::<Vec<_>>(), newest);
        }
        Step::Repeat => {
            let max = Duration::from_secs(20);
            let expected = Duration::from_secs(3 << model.written).min(max);
            assert_eq!(acks.repeat_after(Duration::from_secs(3), max), expected);
            model.written += 1;
        }
        Step::Clear => {
            *model = Model::default();
            acks.clear();
        }
    }
    assert_eq!((acks.is_empty(), acks.is_due()), (model.numbers.is_empty(), model.due));
}

/// Goes on with every sequence of up to `depth` steps, and counts the steps.
fn assert_histories(acks: &Acks, model: &Model, steps: &[Step], depth: u32) -> u64 {
    let mut cases = 0;
    for step in steps {
        let (mut acks, mut model) = (acks.clone(), model.clone());
        assert_step(&mut acks, &mut model, *step);
        assert!(acks.numbers.len() <= MAX_ACKS);
        cases += 1;
        if depth > 1 {
            cases += assert_histories(&acks, &model, steps, depth - 1);
        }
    }
    cases
}

#[test]
fn every_history_of_six_steps() {
    const STEPS: [Step; 10] = [
        Step::Note(2, 0),
        Step::Note(2, 1 << 47),
        Step::Note(3, 0),
        Step::Note(u16::MAX, 7),
        Step::Request,
        Step::Write(18),
        Step::Write(49),
        Step::Write(600),
        Step::Repeat,
        Step::Clear,
    ];
    let mut cases = 0u64;
    // With and without so many numbers before that one more or two more are too many.
    for (before, depth) in [(0, 6), (31, 5)] {
        let (mut acks, mut model) = (Acks::default(), Model::default());
        for seq in 0..before {
            assert_step(&mut acks, &mut model, Step::Note(2, 100 + seq));
        }
        cases += assert_histories(&acks, &model, &STEPS, depth);
    }
    println!("records to acknowledge: {cases} cases");
}

#[test]
fn every_room_for_every_number_of_entries() {
    assert_eq!(Acks::MIN_LEN, 2 + 16);
    let mut cases = 0u64;
    for count in 0..40 {
        for room in 18..600 {
            let (mut acks, mut model) = (Acks::default(), Model::default());
            for seq in 0..count {
                // Neither rising nor falling.
                assert_step(&mut acks, &mut model, Step::Note(3, seq * 7 % 40));
            }
            assert_step(&mut acks, &mut model, Step::Write(room));
            cases += 1;
        }
    }
    println!("ACKs written: {cases} cases");
}

#[test]
fn every_small_body() {
    let mut cases = 0u64;
    let numbers = [(0, 0), (3, 0x0102_0304_0506_0708), (u64::MAX, u64::MAX), (1, 2)];
    for length in 0..=66 {
        for prefix in (0..=80).chain([255, 256, u16::MAX]) {
            let mut body = encoded(&numbers);
            body.truncate(length);
            if let Some(front) = body.first_chunk_mut::<2>() {
                *front = prefix.to_be_bytes();
            }
            // Exactly the bytes that the prefix says, and whole entries.
            let is_whole = length == 2 + usize::from(prefix) && prefix % 16 == 0;
            let expected = is_whole.then(|| numbers[..usize::from(prefix) / 16].to_vec());
            assert_eq!(parse(&body).map(Iterator::collect), expected, "{length} bytes, {prefix} said");
            cases += 1;
        }
    }
    println!("ACKs parsed: {cases} cases");
}
