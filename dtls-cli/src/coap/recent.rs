//! Messages of the recent past, to know a repeated one again (RFC 7252 §4.5).

use core::time::Duration;
use std::collections::VecDeque;

use dtls_core::Instant;

/// EXCHANGE_LIFETIME (RFC 7252 §4.8.2): how long the sender of a message may repeat it.
const LIFETIME: Duration = Duration::from_secs(247);
/// More than a peer has under way at a time.
const MOST: usize = 16;

/// The last messages of one session.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    epoch: u16,
    id: u16,
    at: Instant,
    answer: Option<Vec<u8>>,
}

impl Recent {
    /// What this message was answered with, if it was there before; the inner `None` is silence.
    pub(super) fn find(&self, now: Instant, epoch: u16, id: u16) -> Option<Option<&[u8]>> {
        let same = |e: &&Entry| (e.epoch, e.id) == (epoch, id) && now.since(e.at) < LIFETIME;
        self.0.iter().find(same).map(|entry| entry.answer.as_deref())
    }

    /// Keeps the answer to a message, in place of the oldest if there are many.
    pub(super) fn keep(&mut self, now: Instant, epoch: u16, id: u16, answer: Option<Vec<u8>>) {
        self.0.retain(|e| (e.epoch, e.id) != (epoch, id));
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(Entry { epoch, id, at: now, answer });
    }
}
