//! Counters of one connection or listener. Not part of its behaviour: two connections that differ only here are equal.

use crate::error::Discard;

const REASONS: usize = Discard::ALL.len();

/// What was counted since the start. Counters saturate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    discards: [u32; REASONS],
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u32,
    /// Flights sent again because the timer ran out.
    pub timeouts: u32,
    /// Flights sent again because the peer repeated its own.
    pub repeats: u32,
    /// Records of application data sent.
    pub data_sent: u64,
    /// Records of application data handed to the application.
    pub data_received: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            discards: [0; REASONS],
            datagrams_sent: 0,
            timeouts: 0,
            repeats: 0,
            data_sent: 0,
            data_received: 0,
        }
    }
}

impl Stats {
    /// How often something was dropped for `reason`.
    pub fn discarded(&self, reason: Discard) -> u32 {
        Discard::ALL.iter().zip(self.discards).find(|(r, _)| **r == reason).map_or(0, |(_, n)| n)
    }

    /// Every reason that occurred, with its count.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u32)> {
        Discard::ALL.iter().copied().zip(self.discards).filter(|(_, n)| *n > 0)
    }

    /// How often anything was dropped.
    pub fn discarded_total(&self) -> u64 {
        self.discards.iter().fold(0, |sum, n| sum.saturating_add(u64::from(*n)))
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        if let Some((_, n)) = Discard::ALL.iter().zip(&mut self.discards).find(|(r, _)| **r == reason) {
            *n = n.saturating_add(1);
        }
    }
}
