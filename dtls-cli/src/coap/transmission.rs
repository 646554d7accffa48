//! One Confirmable message on its way (RFC 7252 §4.2).

use core::time::Duration;

use dtls_core::Instant;

/// ACK_TIMEOUT (RFC 7252 §4.8).
pub(super) const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// MAX_RETRANSMIT (RFC 7252 §4.8).
pub(super) const MAX_RETRANSMIT: u8 = 4;

/// A message that is sent until it is acknowledged.
#[derive(Debug)]
pub(super) struct Transmission {
    id: u16,
    bytes: Vec<u8>,
    /// The write epoch it belongs to.
    epoch: u16,
    wait: Duration,
    due: Instant,
    retransmitted: u8,
}

/// What to do when a timer has run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Send the message again.
    Again,
    /// Nobody acknowledged it.
    GiveUp,
    /// The keys have changed, and no retransmission may cross that (RFC 7252 §9.1.1).
    EpochOver,
}

impl Transmission {
    /// A message that was sent at `now`. `chance` spreads the first timeout over ACK_RANDOM_FACTOR, 1.5.
    pub(super) fn new(id: u16, bytes: Vec<u8>, epoch: u16, now: Instant, chance: u16) -> Self {
        let wait = ACK_TIMEOUT + ACK_TIMEOUT * u32::from(chance) / u32::from(u16::MAX) / 2;
        Self { id, bytes, epoch, wait, due: now.after(wait), retransmitted: 0 }
    }

    /// The message id.
    pub(super) const fn id(&self) -> u16 {
        self.id
    }

    /// The message.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// When to look at it again.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Goes on with a newer message in place of this one; count and timer stay (RFC 7641 §4.5.2).
    pub(super) fn replace(&mut self, id: u16, bytes: Vec<u8>) {
        self.id = id;
        self.bytes = bytes;
    }

    /// What to do at `now`, if the time has come.
    pub(super) fn poll(&mut self, now: Instant, write_epoch: u16) -> Option<Due> {
        if now < self.due {
            return None;
        }
        if self.epoch != write_epoch {
            return Some(Due::EpochOver);
        }
        if self.retransmitted == MAX_RETRANSMIT {
            return Some(Due::GiveUp);
        }
        self.retransmitted += 1;
        self.wait *= 2;
        self.due = now.after(self.wait);
        Some(Due::Again)
    }
}
