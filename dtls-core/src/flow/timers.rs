//! Deadlines and retransmission back-off (RFC 6347 §4.2.4.1). Holds moments, reads no clock.

use core::time::Duration;

use crate::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// The flight has not been answered.
    Retransmit,
    /// The handshake as a whole has taken too long.
    Handshake,
    /// What was received must be acknowledged (RFC 9147 §7.1).
    Ack,
    /// The last flight need not be answered again, and old epochs not be read any more.
    LastFlight,
}

const TIMERS: usize = 4;

/// One optional deadline per [`Timer`].
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Timers([Option<Instant>; TIMERS]);

impl Timers {
    const fn index(timer: Timer) -> usize {
        match timer {
            Timer::Retransmit => 0,
            Timer::Handshake => 1,
            Timer::LastFlight => 2,
            Timer::Ack => 3,
        }
    }

    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        self.set(timer, Some(at));
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.set(timer, None);
    }

    /// Whether `timer` is due at `now`; it is disarmed then.
    pub(crate) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.0.get(Self::index(timer)).copied().flatten().is_some_and(|at| at <= now);
        if due {
            self.disarm(timer);
        }
        due
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.0.get(Self::index(timer)).is_some_and(Option::is_some)
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Counts the deadlines from `now`; all that are `far` or farther away are alike.
    #[cfg(feature = "__model")]
    pub(crate) fn count_from(&mut self, now: Instant, far: Duration) {
        for deadline in self.0.iter_mut().flatten() {
            *deadline = Instant::from_start(deadline.since(now).min(far));
        }
    }

    fn set(&mut self, timer: Timer, value: Option<Instant>) {
        if let Some(slot) = self.0.get_mut(Self::index(timer)) {
            *slot = value;
        }
    }
}

/// The retransmission timeout and how often it ran out.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    /// How often the timeout was doubled.
    doublings: u8,
    /// Expiries since the current flight was begun.
    expiries: u8,
    /// How often the current flight was sent again, by timer or because the peer repeated its own.
    resends: u8,
    limit: u8,
}

impl Backoff {
    pub(crate) const fn new(initial: Duration, max: Duration, limit: u8) -> Self {
        Self { initial, max, doublings: 0, expiries: 0, resends: 0, limit }
    }

    pub(crate) fn current(&self) -> Duration {
        let factor = 1u32.checked_shl(u32::from(self.doublings)).unwrap_or(u32::MAX);
        self.initial.saturating_mul(factor).min(self.max).max(self.initial)
    }

    /// The timeout without back-off.
    pub(crate) const fn initial(&self) -> Duration {
        self.initial
    }

    /// Changes the timeout without back-off; the back-off goes on where it is.
    pub(crate) const fn set_initial(&mut self, initial: Duration) {
        self.initial = initial;
    }

    pub(crate) const fn expiries(&self) -> u8 {
        self.expiries
    }

    /// How often the current flight was sent again.
    pub(crate) const fn resends(&self) -> u8 {
        self.resends
    }

    /// The flight is sent again, for whatever reason.
    pub(crate) const fn resent(&mut self) {
        self.resends = self.resends.saturating_add(1);
    }

    /// The timer ran out: doubles the timeout up to the maximum. `false` when no retransmission is left.
    pub(crate) const fn expired(&mut self) -> bool {
        if self.expiries >= self.limit {
            return false;
        }
        self.expiries = self.expiries.saturating_add(1);
        self.doublings = self.doublings.saturating_add(1);
        true
    }

    /// A new flight begins. The timeout is kept until a flight passed without loss, then it is the initial one again
    /// (RFC 6347 §4.2.4.1).
    pub(crate) const fn new_flight(&mut self) {
        if self.expiries == 0 {
            self.doublings = 0;
        }
        self.expiries = 0;
        self.resends = 0;
    }
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_cap_and_gives_up() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), 12);
        let mut seen = std::vec![backoff.current().as_secs()];
        while backoff.expired() {
            seen.push(backoff.current().as_secs());
        }
        assert_eq!(seen, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60]);
    }

    #[test]
    fn kept_after_loss_and_reset_after_a_clean_flight() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), 12);
        backoff.expired();
        backoff.new_flight();
        assert_eq!(backoff.current().as_secs(), 2, "the last flight had a loss");
        backoff.new_flight();
        assert_eq!(backoff.current().as_secs(), 1, "the last flight had none");
    }

    #[test]
    fn the_earliest_deadline_wins() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.arm(Timer::Handshake, Instant::from_micros(60));
        timers.arm(Timer::Retransmit, Instant::from_micros(1));
        assert_eq!(timers.next(), Some(Instant::from_micros(1)));
        assert!(!timers.take_due(Timer::Retransmit, Instant::from_micros(0)));
        assert!(timers.take_due(Timer::Retransmit, Instant::from_micros(1)));
        assert_eq!(timers.next(), Some(Instant::from_micros(60)));
    }
}
