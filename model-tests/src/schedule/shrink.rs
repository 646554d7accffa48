//! Schedules for proptest: drawn by the one generator, shrunk with knowledge of what steps mean.

use core::ops::Range;

use proptest::{
    prelude::Rng as _,
    strategy::{NewTree, Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{Mix, Schedule, Step};

/// Schedules of `len` steps drawn from `mix`.
#[derive(Clone, Debug)]
pub struct ScheduleStrategy {
    len: Range<usize>,
    draw: Draw,
}

/// Where the steps come from.
#[derive(Clone, Debug)]
enum Draw {
    Mix(Mix),
    From(fn(u64, usize) -> Schedule),
}

impl Schedule {
    /// A strategy for schedules of `len` steps drawn from `mix`.
    ///
    /// Shrinking deletes steps, in large pieces first, then replaces faults by plain deliveries of the same datagram,
    /// then makes numbers smaller, until no single change keeps the test failing.
    pub const fn strategy(len: Range<usize>, mix: Mix) -> ScheduleStrategy {
        ScheduleStrategy { len, draw: Draw::Mix(mix) }
    }

    /// The same for schedules that `draw` makes of a seed and a number of steps.
    pub const fn strategy_from(len: Range<usize>, draw: fn(u64, usize) -> Self) -> ScheduleStrategy {
        ScheduleStrategy { len, draw: Draw::From(draw) }
    }
}

impl Strategy for ScheduleStrategy {
    type Tree = ScheduleTree;
    type Value = Schedule;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let span = self.len.end.saturating_sub(self.len.start).max(1) as u64;
        let len = self.len.start + (runner.rng().next_u64() % span) as usize;
        let seed = runner.rng().next_u64();
        Ok(ScheduleTree::new(match &self.draw {
            Draw::Mix(mix) => Schedule::generate(seed, len, mix),
            Draw::From(draw) => draw(seed, len),
        }))
    }
}

/// A schedule that is being shrunk.
#[derive(Clone, Debug)]
pub struct ScheduleTree {
    /// The smallest schedule known to fail.
    failing: Schedule,
    /// The schedule on trial; `None` when `failing` itself is current.
    trial: Option<Schedule>,
    next: Edit,
    /// Whether any trial since the last start from `Edit::FIRST` failed, so that another round may help.
    progress: bool,
}

/// A change to try. The order of variants is the order of trial.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Deletes `len` steps from `at` on.
    Delete {
        len: usize,
        at: usize,
    },
    /// Replaces the step at `at` by its `choice`th simpler form.
    Simplify {
        at: usize,
        choice: usize,
    },
    Done,
}

impl ScheduleTree {
    const fn new(failing: Schedule) -> Self {
        let next = Edit::Delete { len: failing.0.len(), at: 0 };
        Self { failing, trial: None, next, progress: false }
    }

    /// Puts the next change on trial; `false` when none is left.
    fn advance(&mut self) -> bool {
        self.trial = None;
        let steps = &self.failing.0;
        loop {
            match self.next {
                Edit::Delete { len: 0, .. } => self.next = Edit::Simplify { at: 0, choice: 0 },
                Edit::Delete { len, at } if at >= steps.len() => {
                    self.next = Edit::Delete { len: len / 2, at: 0 }
                }
                Edit::Delete { len, at } => {
                    self.next = Edit::Delete { len, at: at + len };
                    let kept = steps.iter().take(at).chain(steps.iter().skip(at + len));
                    self.trial = Some(Schedule(kept.cloned().collect()));
                    return true;
                }
                Edit::Simplify { at, .. } if at >= steps.len() => {
                    let again = self.progress && !steps.is_empty();
                    self.progress = false;
                    self.next = if again { Edit::Delete { len: steps.len() / 2, at: 0 } } else { Edit::Done };
                }
                Edit::Simplify { at, choice } => match simpler(&steps[at]).into_iter().nth(choice) {
                    None => self.next = Edit::Simplify { at: at + 1, choice: 0 },
                    Some(step) => {
                        self.next = Edit::Simplify { at, choice: choice + 1 };
                        let mut changed = self.failing.clone();
                        changed.0[at] = step;
                        self.trial = Some(changed);
                        return true;
                    }
                },
                Edit::Done => return false,
            }
        }
    }
}

impl ValueTree for ScheduleTree {
    type Value = Schedule;

    fn current(&self) -> Schedule {
        self.trial.as_ref().unwrap_or(&self.failing).clone()
    }

    /// The schedule on trial failed too: it is the one to shrink from now on.
    fn simplify(&mut self) -> bool {
        if let Some(failed) = self.trial.take() {
            self.failing = failed;
            self.progress = true;
            self.next = match self.next {
                // What followed the deleted steps stands in their place now.
                Edit::Delete { len, at } => Edit::Delete { len, at: at.saturating_sub(len) },
                Edit::Simplify { at, .. } => Edit::Simplify { at, choice: 0 },
                Edit::Done => Edit::Done,
            };
        }
        self.advance()
    }

    /// The schedule on trial passed: it is forgotten.
    fn complicate(&mut self) -> bool {
        self.advance()
    }
}

/// Simpler forms of a step, the simplest first. Every chain of them ends.
fn simpler(step: &Step) -> Vec<Step> {
    /// Smaller numbers: zero first, then half, then one less.
    fn less(n: u64) -> impl Iterator<Item = u64> {
        [0, n / 2, n.saturating_sub(1)].into_iter().filter(move |m| *m < n)
    }
    let mut forms = Vec::new();
    match step {
        Step::Deliver(i) => forms.extend(less(u64::from(*i)).map(|i| Step::Deliver(i as u8))),
        Step::Drop(i) | Step::Duplicate(i) | Step::Split(i, _) | Step::Extend(i, _) => {
            forms.push(Step::Deliver(*i))
        }
        Step::Reorder(i, _) | Step::Coalesce(i, _) => forms.push(Step::Deliver(*i)),
        Step::Delay(i, micros) => {
            forms.push(Step::Deliver(*i));
            forms.extend(less(u64::from(*micros)).map(|n| Step::Delay(*i, n as u32)));
        }
        Step::Corrupt(i, byte, bit) => {
            forms.push(Step::Deliver(*i));
            forms.extend(less(u64::from(*byte)).map(|n| Step::Corrupt(*i, n as u16, *bit)));
        }
        Step::Truncate(i, len) => {
            forms.push(Step::Deliver(*i));
            forms.extend(less(u64::from(*len)).map(|n| Step::Truncate(*i, n as u16)));
        }
        Step::Replay(k) => forms.extend(less(u64::from(*k)).map(|k| Step::Replay(k as u16))),
        Step::Forge(forgery) => {
            let mut shorter = forgery.clone();
            if shorter.body.pop().is_some() {
                forms.push(Step::Forge(shorter));
            }
        }
        Step::Advance(micros) => forms.extend(less(u64::from(*micros)).map(|n| Step::Advance(n as u32))),
        Step::Send(side, len) => forms.extend(less(u64::from(*len)).map(|n| Step::Send(*side, n as u16))),
        Step::Foreign(k) => forms.extend(less(u64::from(*k)).map(|k| Step::Foreign(k as u16))),
        Step::NextTimer | Step::Close(_) | Step::Rebind | Step::Psk(_) => {}
    }
    forms
}
