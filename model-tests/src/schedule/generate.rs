//! Schedules from a seed.

use simulated_network::{Prng, Side};

use super::{Forgery, Schedule, Step};

/// How often each kind of step is drawn, relative to the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings, built with functional update")]
pub struct Mix {
    /// Plain deliveries.
    pub deliver: u8,
    /// Losses, duplicates, reorderings, delays, cuts and joins at record boundaries: what networks do.
    pub weather: u8,
    /// Changed, cut or grown datagrams, replays and forgeries: what attackers do.
    pub attack: u8,
    /// Time passing.
    pub time: u8,
    /// Applications sending.
    pub send: u8,
    /// Applications closing.
    pub close: u8,
}

impl Default for Mix {
    fn default() -> Self {
        Self { deliver: 12, weather: 6, attack: 4, time: 4, send: 4, close: 0 }
    }
}

impl Schedule {
    /// The schedule of `len` steps that belongs to `seed`, drawn from `mix`.
    pub fn generate(seed: u64, len: usize, mix: &Mix) -> Self {
        let mut rng = Prng::new(seed);
        Self((0..len).map(|_| step(&mut rng, mix)).collect())
    }
}

fn step(rng: &mut Prng, mix: &Mix) -> Step {
    type Draw = fn(&mut Prng) -> Step;
    let kinds: [(u8, Draw); 6] = [
        (mix.deliver, |rng| Step::Deliver(index(rng))),
        (mix.weather, weather),
        (mix.attack, attack),
        (mix.time, time),
        (mix.send, |rng| Step::Send(side(rng), len(rng))),
        (mix.close, |rng| Step::Close(side(rng))),
    ];
    let mut ticket = rng.below(kinds.iter().map(|(weight, _)| u64::from(*weight)).sum());
    for (weight, draw) in kinds {
        match ticket.checked_sub(u64::from(weight)) {
            Some(left) => ticket = left,
            None => return draw(rng),
        }
    }
    Step::Deliver(0)
}

fn weather(rng: &mut Prng) -> Step {
    let i = index(rng);
    match rng.below(6) {
        0 => Step::Drop(i),
        1 => Step::Duplicate(i),
        2 => Step::Reorder(i, index(rng)),
        3 => Step::Delay(i, micros(rng)),
        4 => Step::Coalesce(i, index(rng)),
        _ => Step::Split(i, rng.below(4) as u8),
    }
}

fn attack(rng: &mut Prng) -> Step {
    let i = index(rng);
    match rng.below(5) {
        // Headers are short and decide most, so half the changes go there.
        0 => Step::Corrupt(
            i,
            if rng.chance(0.5) { rng.below(32) } else { rng.below(1 << 16) } as u16,
            rng.below(8) as u8,
        ),
        1 => Step::Truncate(i, rng.below(1 << 11) as u16),
        2 => Step::Extend(i, bytes(rng, 24)),
        3 => Step::Replay(rng.below(32) as u16),
        _ => Step::Forge(forgery(rng)),
    }
}

fn time(rng: &mut Prng) -> Step {
    if rng.chance(0.5) { Step::NextTimer } else { Step::Advance(micros(rng)) }
}

fn forgery(rng: &mut Prng) -> Forgery {
    let known_type = 20 + rng.below(4) as u8;
    Forgery {
        to: side(rng),
        content_type: if rng.chance(0.9) { known_type } else { rng.below(256) as u8 },
        epoch: rng.below(3) as u16,
        sequence: rng.below(1 << 8),
        body: match known_type {
            20 => vec![1],
            21 => vec![1 + rng.below(2) as u8, *pick(rng, &[0, 10, 20, 40, 50, 80, 90])],
            22 => handshake(rng),
            _ => bytes(rng, 40),
        },
    }
}

/// A handshake message of a random type and a body that means nothing, in one fragment.
fn handshake(rng: &mut Prng) -> Vec<u8> {
    let message_type = *pick(rng, &[0, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 20, 99]);
    let body = bytes(rng, 40);
    let len = body.len() as u8;
    let header = [message_type, 0, 0, len, 0, rng.below(6) as u8, 0, 0, 0, 0, 0, len];
    [header.as_slice(), &body].concat()
}

/// An index into the live datagrams; small, so that it often names the same one before and after a deletion.
const fn index(rng: &mut Prng) -> u8 {
    rng.below(8) as u8
}

fn side(rng: &mut Prng) -> Side {
    *pick(rng, &Side::BOTH)
}

/// From a microsecond to about a minute, each order of magnitude as likely.
const fn micros(rng: &mut Prng) -> u32 {
    let magnitude = rng.below(26);
    rng.below(1 << magnitude) as u32 + 1
}

/// From no byte to about a kilobyte, small ones more likely.
const fn len(rng: &mut Prng) -> u16 {
    let magnitude = rng.below(11);
    rng.below(1 << magnitude) as u16
}

fn bytes(rng: &mut Prng, most: u64) -> Vec<u8> {
    (0..=rng.below(most)).map(|_| rng.below(256) as u8).collect()
}

fn pick<'a, T>(rng: &mut Prng, from: &'a [T]) -> &'a T {
    &from[rng.below(from.len() as u64) as usize]
}
