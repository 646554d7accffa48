//! Schedules for two ends with a reference beside each, from a seed.

use simulated_network::{Prng, Side};

use crate::schedule::{Forgery, Schedule, Step};

use super::QUARTER;

/// A record number that nobody gets to.
const NEVER: u64 = 1 << 40;

/// The schedule of `len` steps that belongs to `seed`.
pub fn random(seed: u64, len: usize) -> Schedule {
    let mut rng = Prng::new(seed);
    // Some runs are calm enough to get far, some are stormy, in some the clock runs fast.
    let (weather, attack) = *pick(&mut rng, &[(2, 1), (6, 3), (10, 8), (4, 12)]);
    let time = *pick(&mut rng, &[2, 4, 10]);
    let close = *pick(&mut rng, &[0, 0, 1, 3]);
    let draw = |rng: &mut Prng| {
        let mut ticket = rng.below(24 + weather + attack + time + 3 + close + 2);
        for (weight, kind) in [(24, 0), (weather, 1), (attack, 2), (time, 3), (3, 4), (close, 5)] {
            match ticket.checked_sub(weight) {
                Some(left) => ticket = left,
                None => return step(kind, rng),
            }
        }
        step(6, rng)
    };
    Schedule((0..len).map(|_| draw(&mut rng)).collect())
}

fn step(kind: u8, rng: &mut Prng) -> Step {
    let i = index(rng);
    match kind {
        0 => Step::Deliver(if rng.chance(0.6) { 0 } else { i }),
        1 => match rng.below(7) {
            0 | 1 => Step::Drop(i),
            2 => Step::Duplicate(i),
            3 => Step::Reorder(i, index(rng)),
            4 => Step::Delay(i, ((1 + rng.below(12)) * QUARTER) as u32),
            5 => Step::Coalesce(i, index(rng)),
            _ => Step::Split(i, 1 + rng.below(3) as u8),
        },
        2 => attack(rng, i),
        3 if rng.chance(0.7) => Step::NextTimer,
        3 => Step::Advance(((1 + rng.below(6)) * QUARTER) as u32),
        4 => Step::Send(side(rng), rng.below(64) as u16),
        5 => Step::Close(side(rng)),
        _ => Step::Psk(rng.chance(0.9)),
    }
}

fn attack(rng: &mut Prng, i: u8) -> Step {
    match rng.below(12) {
        // Headers are short and decide most, so half the changes go there.
        0 => {
            let most = if rng.chance(0.5) { 32 } else { 1 << 10 };
            Step::Corrupt(i, rng.below(most) as u16, rng.below(8) as u8)
        }
        1 => Step::Truncate(i, rng.below(1 << 9) as u16),
        2 => Step::Extend(i, (0..=rng.below(24)).map(|_| rng.below(256) as u8).collect()),
        3..=6 => Step::Replay(rng.below(40) as u16),
        7 | 8 => Step::Foreign(rng.below(16) as u16),
        9 if rng.chance(0.3) => Step::Rebind,
        _ => Step::Forge(forgery(rng)),
    }
}

fn forgery(rng: &mut Prng) -> Forgery {
    let (content_type, epoch, body) = match rng.below(17) {
        0 => (20, 0, vec![1]),
        // A fatal alert ends everything: not often.
        1 if rng.chance(0.3) => (21, 0, vec![2, 40]),
        1 | 2 => (21, 0, vec![1, *pick(rng, &[0, 90, 100, 113])]),
        3 | 14 | 15 => (22, 0, message(99, rng, &[1, 2, 3, 4])),
        4 => (22, 0, message(0, rng, &[])),
        5 => (23, 0, vec![7; 5]),
        6 => (30, 0, vec![1, 2, 3, 4]),
        7..=10 => (26, 0, ack(rng)),
        // Sealed by nobody.
        _ => (
            *pick(rng, &[20, 21, 22, 23, 26]),
            1 + rng.below(3) as u16,
            (0..40).map(|_| rng.below(256) as u8).collect(),
        ),
    };
    Forgery { to: side(rng), content_type, epoch, sequence: rng.below(1 << 8), body }
}

fn message(typ: u8, rng: &mut Prng, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u8;
    let header = [typ, 0, 0, len, 0, rng.below(5) as u8, 0, 0, 0, 0, 0, len];
    [&header[..], body].concat()
}

fn ack(rng: &mut Prng) -> Vec<u8> {
    let number = |rng: &mut Prng| (0, rng.below(8));
    let numbers: Vec<(u64, u64)> = match rng.below(6) {
        0 => Vec::new(),
        1 => vec![(1 + rng.below(3), rng.below(3))],
        2 => vec![(0, NEVER)],
        3 => {
            let mut body = vec![0; 17];
            body[1] = 15;
            return body;
        }
        _ => (0..=rng.below(4)).map(|_| number(rng)).collect(),
    };
    scripted_peer::codec::ack(&numbers)
}

/// An index into the live datagrams; small, so that it often names the same one before and after a deletion.
const fn index(rng: &mut Prng) -> u8 {
    rng.below(8) as u8
}

fn side(rng: &mut Prng) -> Side {
    *pick(rng, &Side::BOTH)
}

fn pick<'a, T>(rng: &mut Prng, from: &'a [T]) -> &'a T {
    &from[rng.below(from.len() as u64) as usize]
}
