//! Every state of the timers with every call, and every short history of a back-off.

use std::{println, vec::Vec};

use super::*;

const ALL: [Timer; TIMERS] = [Timer::Retransmit, Timer::Handshake, Timer::Ack, Timer::LastFlight];

/// The deadlines as a list of what is armed.
fn armed(state: &[Option<u64>; TIMERS]) -> Timers {
    let mut timers = Timers::default();
    for (timer, at) in ALL.into_iter().zip(state) {
        if let Some(at) = at {
            timers.arm(timer, Instant::from_micros(*at));
        }
    }
    timers
}

fn assert_equal(timers: &Timers, state: &[Option<u64>; TIMERS]) {
    for (timer, at) in ALL.into_iter().zip(state) {
        assert_eq!(timers.is_armed(timer), at.is_some(), "{timer:?} of {state:?}");
    }
    assert_eq!(timers.next(), state.iter().flatten().min().copied().map(Instant::from_micros));
}

#[test]
fn every_state_of_the_timers_with_every_call() {
    const MOMENTS: [Option<u64>; 5] = [None, Some(0), Some(1), Some(2), Some(u64::MAX)];
    let mut cases = 0u64;
    for code in 0..MOMENTS.len().pow(4) {
        let state: [_; TIMERS] = core::array::from_fn(|i| MOMENTS[code / 5usize.pow(i as u32) % 5]);
        assert_equal(&armed(&state), &state);
        for (i, timer) in ALL.into_iter().enumerate() {
            for moment in MOMENTS {
                let (mut timers, mut changed) = (armed(&state), state);
                changed[i] = moment;
                match moment {
                    Some(at) => timers.arm(timer, Instant::from_micros(at)),
                    None => timers.disarm(timer),
                }
                assert_equal(&timers, &changed);
                cases += 1;
            }
            for now in [0, 1, 2, 3, u64::MAX] {
                let (mut timers, mut changed) = (armed(&state), state);
                let is_due = state[i].is_some_and(|at| now >= at);
                if is_due {
                    changed[i] = None;
                }
                assert_eq!(timers.take_due(timer, Instant::from_micros(now)), is_due);
                assert_equal(&timers, &changed);
                cases += 1;
            }
        }
    }
    println!("timers: {cases} cases");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Expired,
    Resent,
    NewFlight,
    SetInitial(u64),
}

/// The model: what happened, newest last. Nothing is counted until it is asked for.
struct History<'h> {
    steps: &'h [Step],
    limit: usize,
}

impl History<'_> {
    /// The steps of each flight, the current one last.
    fn flights(&self) -> Vec<&[Step]> {
        self.steps.split(|step| *step == Step::NewFlight).collect()
    }

    /// Expiries that led to a retransmission.
    fn expiries(&self, flight: &[Step]) -> usize {
        flight.iter().filter(|step| **step == Step::Expired).count().min(self.limit)
    }

    fn initial(&self) -> u64 {
        let set = self.steps.iter().rev().find_map(|step| match step {
            Step::SetInitial(seconds) => Some(*seconds),
            _ => None,
        });
        set.unwrap_or(1)
    }

    /// RFC 6347 §4.2.4.1: doubled with each retransmission, at most the maximum; reset once a flight passed without loss.
    fn current(&self, max: u64) -> u64 {
        let flights = self.flights();
        let (_, before) = flights.split_last().unwrap();
        let clean = before.iter().rposition(|flight| self.expiries(flight) == 0);
        let since = clean.map_or(0, |at| at + 1);
        let doublings: usize = flights[since..].iter().map(|flight| self.expiries(flight)).sum();
        let mut timeout = self.initial();
        for _ in 0..doublings {
            timeout = (timeout * 2).min(max.max(self.initial()));
        }
        timeout
    }
}

#[test]
fn every_history_of_eight_steps() {
    const STEPS: [Step; 5] =
        [Step::Expired, Step::Resent, Step::NewFlight, Step::SetInitial(3), Step::SetInitial(70)];
    let mut cases = 0u64;
    for (limit, max) in [(0, 60), (2, 60), (12, 60), (12, 5)] {
        for code in 0..5usize.pow(8) {
            let steps: [Step; 8] = core::array::from_fn(|i| STEPS[code / 5usize.pow(i as u32) % 5]);
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(max), limit);
            // Shorter histories are the beginnings of others; looking at the end of each is enough.
            for (i, step) in steps.into_iter().enumerate() {
                let before = History { steps: &steps[..i], limit: limit.into() };
                match step {
                    Step::Expired => {
                        let flight = *before.flights().last().unwrap();
                        let tried = flight.iter().filter(|step| **step == Step::Expired).count();
                        assert_eq!(backoff.expired(), tried < before.limit, "{steps:?} at {i}");
                    }
                    Step::Resent => backoff.resent(),
                    Step::NewFlight => backoff.new_flight(),
                    Step::SetInitial(seconds) => backoff.set_initial(Duration::from_secs(seconds)),
                }
            }
            let history = History { steps: &steps, limit: limit.into() };
            let flight = *history.flights().last().unwrap();
            assert_eq!(backoff.current().as_secs(), history.current(max), "{steps:?}");
            assert_eq!(backoff.initial().as_secs(), history.initial());
            assert_eq!(usize::from(backoff.expiries()), history.expiries(flight));
            let resends = flight.iter().filter(|step| **step == Step::Resent).count();
            assert_eq!(usize::from(backoff.resends()), resends);
            cases += 1;
        }
    }
    println!("back-off: {cases} cases");
}

/// Whatever the settings: nothing overflows, no timeout is shorter than the one before it, none is longer than the maximum.
#[test]
fn long_histories_stay_within_bounds() {
    let seconds = |n| [Duration::from_micros(n), Duration::from_secs(n)];
    let durations: Vec<_> =
        [1, 60, 1 << 40, u64::MAX].into_iter().flat_map(seconds).chain([Duration::MAX]).collect();
    let mut cases = 0u64;
    for (initial, max) in durations.iter().flat_map(|a| durations.iter().map(move |b| (*a, *b))) {
        let mut backoff = Backoff::new(initial, max, u8::MAX);
        let (mut last, mut doublings) = (backoff.current(), 0);
        for _ in 0..3 {
            for n in 0..=255 {
                assert_eq!(backoff.expired(), n < 255);
                let current = backoff.current();
                assert!(current >= last && current >= initial && current <= max.max(initial), "{current:?}");
                doublings += 1;
                // A factor of 2^31 is more than any maximum leaves room for in practice.
                if doublings < 32 {
                    assert_eq!(current, last.saturating_mul(2).min(max.max(initial)));
                }
                last = current;
                cases += 1;
            }
            backoff.new_flight();
        }
    }
    println!("long back-off: {cases} cases");
}
