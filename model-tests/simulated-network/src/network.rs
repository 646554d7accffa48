//! The queue of datagrams under way.

use core::{cmp::Reverse, time::Duration};
use std::collections::BinaryHeap;

use dtls_core::Instant;

use crate::{Faults, Novelty, Plan, Prng, Side};

/// What the link did to a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Fate {
    /// Arrives once, in its time.
    Passed,
    /// Arrives once, later than its successors may.
    Reordered,
    /// Arrives twice.
    Duplicated,
    /// Lost at random.
    Lost,
    /// Lost because the [`Plan`] says so.
    Planned,
    /// Lost because it is larger than the path's MTU.
    TooBig,
}

/// A datagram as it was sent.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Sent {
    /// Who sent it.
    pub from: Side,
    /// When.
    pub at: Instant,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its ordinal among the datagrams of its direction that carry something new; `None` for retransmissions.
    pub first: Option<usize>,
    /// What became of it.
    pub fate: Fate,
}

/// A datagram as it arrives.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Arrival {
    /// Where it arrives.
    pub to: Side,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its index in [`Network::sent`].
    pub number: usize,
}

/// Both directions of the link.
#[derive(Clone, Debug)]
pub struct Network {
    directions: [Direction; 2],
    queue: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    queued: u64,
    sent: Vec<Sent>,
    arrived: Vec<usize>,
}

impl Network {
    /// A link whose randomness follows from `seed`, with the same `faults` in both directions.
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut rng = Prng::new(seed);
        let directions = [(); 2].map(|()| Direction {
            faults,
            plan: Plan::default(),
            novelty: Novelty::default(),
            rng: rng.split(),
        });
        Self { directions, queue: BinaryHeap::new(), queued: 0, sent: Vec::new(), arrived: Vec::new() }
    }

    /// Sets what happens at random to datagrams sent by `from` from now on.
    pub const fn set_faults(&mut self, from: Side, faults: Faults) {
        self.directions[from as usize].faults = faults;
    }

    /// Sets what happens to chosen datagrams sent by `from`.
    pub fn set_plan(&mut self, from: Side, plan: Plan) {
        self.directions[from as usize].plan = plan;
    }

    /// Takes a datagram that `from` sends `now`.
    pub fn send(&mut self, now: Instant, from: Side, bytes: &[u8]) -> Fate {
        self.send_known(now, from, bytes, &[])
    }

    /// As [`Self::send`], by somebody who knows the content type of each record of the datagram.
    pub fn send_known(&mut self, now: Instant, from: Side, bytes: &[u8], contents: &[u8]) -> Fate {
        let direction = &mut self.directions[from as usize];
        let first = direction.novelty.note(now, bytes, contents);
        let (mut fate, delays) = direction.faults.strike(bytes.len(), &mut direction.rng);
        let planned_loss = first.is_some_and(|k| k < 64 && direction.plan.lose_first >> k & 1 == 1);
        let planned_delay =
            first.and_then(|k| direction.plan.delay_first.get(&k)).copied().unwrap_or_default();
        if planned_loss {
            fate = Fate::Planned;
        } else {
            for delay in delays {
                self.enqueue(now.after(delay).after(planned_delay), self.sent.len());
            }
        }
        self.sent.push(Sent { from, at: now, bytes: bytes.to_vec(), first, fate });
        fate
    }

    /// When the next datagram arrives, if any is under way.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, _, _))| *at)
    }

    /// The next datagram that has arrived by `now`. Datagrams due at the same instant arrive in the order of sending.
    pub fn receive(&mut self, now: Instant) -> Option<Arrival> {
        if self.next_arrival()? > now {
            return None;
        }
        let Reverse((_, _, number)) = self.queue.pop()?;
        let sent = self.sent.get(number)?;
        self.arrived.push(number);
        Some(Arrival { to: sent.from.peer(), bytes: sent.bytes.clone(), number })
    }

    /// Everything ever sent, lost or not, in the order of sending.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// The index in [`Self::sent`] of each datagram that has arrived, in the order of arrival.
    pub fn arrived(&self) -> &[usize] {
        &self.arrived
    }

    /// Lets datagram `number` of [`Self::sent`] arrive (again) after `delay`, whatever became of it. `false` if there is
    /// no such datagram.
    pub fn replay(&mut self, now: Instant, number: usize, delay: Duration) -> bool {
        let exists = number < self.sent.len();
        if exists {
            self.enqueue(now.after(delay), number);
        }
        exists
    }

    /// Forgets everything under way.
    pub fn clear(&mut self) {
        self.queue.clear();
    }

    fn enqueue(&mut self, at: Instant, number: usize) {
        self.queue.push(Reverse((at, self.queued, number)));
        self.queued += 1;
    }
}

#[derive(Clone, Debug)]
struct Direction {
    faults: Faults,
    plan: Plan,
    novelty: Novelty,
    rng: Prng,
}
