//! The missing byte ranges of one message.

use alloc::vec::Vec;

/// Half-open ranges of `0..length` that are still missing, sorted and disjoint.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Holes {
    holes: Vec<(usize, usize)>,
}

impl Holes {
    /// Everything of a message of `length` bytes is missing.
    pub(crate) fn whole(length: usize) -> Self {
        let mut holes = Self { holes: Vec::new() };
        holes.reset(length);
        holes
    }

    /// Nothing is missing yet, with memory for `capacity` ranges: as long as [`Self::count_after`] stays within it, nothing is
    /// allocated.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { holes: Vec::with_capacity(capacity) }
    }

    /// Everything of another message, of `length` bytes, is missing.
    pub(crate) fn reset(&mut self, length: usize) {
        self.holes.clear();
        if length > 0 {
            self.holes.push((0, length));
        }
    }

    /// The ranges.
    #[cfg(feature = "__model")]
    pub(crate) fn ranges(&self) -> &[(usize, usize)] {
        &self.holes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.holes.is_empty()
    }

    /// Bytes missing in `0..end`.
    fn missing_before(&self, end: usize) -> usize {
        self.holes.iter().fold(0, |sum, &(from, to)| sum.saturating_add(to.min(end).saturating_sub(from)))
    }

    /// Bytes present in `0..offset`.
    pub(crate) fn present_before(&self, offset: usize) -> usize {
        offset.saturating_sub(self.missing_before(offset))
    }

    /// The first missing range inside `start..end`.
    pub(crate) fn first_in(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        self.holes.iter().map(|&(from, to)| (from.max(start), to.min(end))).find(|&(from, to)| from < to)
    }

    /// Bytes missing inside `start..end`.
    pub(crate) fn missing_in(&self, start: usize, end: usize) -> usize {
        self.missing_before(end).saturating_sub(self.missing_before(start))
    }

    /// How many separate ranges would be missing once `start..end` is present.
    pub(crate) fn count_after(&self, start: usize, end: usize) -> usize {
        if start >= end {
            return self.holes.len();
        }
        self.holes.iter().fold(0, |n: usize, &(from, to)| {
            let left = usize::from(from < to.min(start));
            let right = usize::from(from.max(end) < to);
            n.saturating_add(left).saturating_add(right)
        })
    }

    /// Notes that `start..end` is present. An empty range changes nothing; in particular it splits no hole.
    pub(crate) fn fill(&mut self, start: usize, end: usize) {
        if start >= end {
            return;
        }
        let mut split = None;
        for hole in &mut self.holes {
            let (from, to) = *hole;
            if to <= start || from >= end {
                continue;
            }
            if from < start && to > end {
                *hole = (from, start);
                split = Some((end, to));
                break;
            }
            *hole = if from < start { (from, start) } else { (end.min(to), to) };
        }
        self.holes.retain(|&(from, to)| from < to);
        if let Some(right) = split {
            let at = self.holes.partition_point(|&(from, _)| from < right.0);
            self.holes.insert(at, right);
        }
    }
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    fn missing(present: &[bool]) -> Vec<(usize, usize)> {
        let mut out: Vec<(usize, usize)> = Vec::new();
        for (i, _) in present.iter().enumerate().filter(|(_, p)| !**p) {
            match out.last_mut() {
                Some(last) if last.1 == i => last.1 = i + 1,
                _ => out.push((i, i + 1)),
            }
        }
        out
    }

    #[test]
    fn an_empty_range_changes_nothing() {
        let mut holes = Holes::whole(4);
        assert_eq!(holes.count_after(1, 1), 1);
        holes.fill(1, 1);
        assert_eq!(holes, Holes::whole(4));
    }

    proptest! {
        #[test]
        fn equals_a_bit_map(length in 0usize..40, fills in prop::collection::vec((0usize..45, 0usize..12), 0..20)) {
            let mut holes = Holes::whole(length);
            let mut present = vec![false; length];
            for (start, n) in fills {
                let (start, end) = (start.min(length), (start + n).min(length));
                prop_assert_eq!(holes.missing_in(start, end), present[start..end].iter().filter(|p| !**p).count());
                prop_assert_eq!(holes.present_before(start), present[..start].iter().filter(|p| **p).count());
                let count = holes.count_after(start, end);
                holes.fill(start, end);
                present[start..end].fill(true);
                prop_assert_eq!(&holes.holes, &missing(&present));
                prop_assert_eq!(holes.holes.len(), count);
                prop_assert_eq!(holes.is_empty(), present.iter().all(|p| *p));
            }
        }
    }
}
