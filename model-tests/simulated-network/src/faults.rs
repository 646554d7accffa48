//! What one direction of the link does to datagrams.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::{Fate, random::Prng};

/// Random faults of one direction. The default is a perfect link that takes 10 ms.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings, built with functional update")]
pub struct Faults {
    /// How long each datagram takes.
    pub delay: Duration,
    /// Up to this much longer, uniformly; more than the spacing of datagrams reorders them.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Probability that a datagram arrives twice, the copy after a delay of its own.
    pub duplicate: f64,
    /// Probability that a datagram takes `reorder_by` longer, so that later ones overtake it.
    pub reorder: f64,
    /// How much longer a reordered datagram takes.
    pub reorder_by: Duration,
    /// Largest datagram that passes, in bytes; larger ones vanish, as without path MTU discovery.
    pub mtu: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(30),
            mtu: usize::MAX,
        }
    }
}

impl Faults {
    /// The delays of the copies that arrive: none if lost, two if duplicated.
    ///
    /// Draws the same amount of randomness whatever happens, so that two runs that differ in one setting stay alike.
    pub(crate) fn strike(&self, len: usize, rng: &mut Prng) -> (Fate, Vec<Duration>) {
        let lost = rng.chance(self.loss);
        let twice = rng.chance(self.duplicate);
        let late = rng.chance(self.reorder);
        let jitter = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let [first, second] =
            [(); 2].map(|()| self.delay + Duration::from_micros(rng.below(jitter.saturating_add(1))));
        if len > self.mtu {
            return (Fate::TooBig, Vec::new());
        }
        if lost {
            return (Fate::Lost, Vec::new());
        }
        let first = if late { first + self.reorder_by } else { first };
        if twice {
            (Fate::Duplicated, vec![first, second + Duration::from_micros(1)])
        } else if late {
            (Fate::Reordered, vec![first])
        } else {
            (Fate::Passed, vec![first])
        }
    }
}

/// What happens to chosen datagrams of one direction, on top of [`Faults`].
///
/// Datagrams are chosen by the ordinal of their first transmission ([`crate::Novelty`]): 0 is the first datagram of that
/// direction that carries anything new. Retransmissions have no ordinal and are left alone, so a plan means the same
/// whatever was lost before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "plain settings, built with functional update")]
pub struct Plan {
    /// Bit k set: the first transmission of datagram k is lost. Later datagrams than 63 cannot be chosen.
    pub lose_first: u64,
    /// How much later the first transmission of datagram k arrives.
    pub delay_first: BTreeMap<usize, Duration>,
}

impl Plan {
    /// Lets the first transmissions `start..start + order.len()`, which are sent at one instant, arrive in `order`:
    /// `order[0]` names, relative to `start`, the one that arrives first.
    #[must_use]
    pub fn in_order(mut self, start: usize, order: &[usize]) -> Self {
        for (rank, which) in order.iter().enumerate() {
            self.delay_first.insert(start + which, Duration::from_micros(rank as u64));
        }
        self
    }
}
