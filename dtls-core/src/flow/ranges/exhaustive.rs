//! Every set of missing bytes of a short message with every range, against a byte map.

use std::println;

use super::*;

/// Longest message.
const LENGTH: usize = 12;

/// The ranges of ones in `mask`, from bit 0 on.
fn ranges(mask: u32) -> Holes {
    let starts = (0..32).filter(|i| mask >> i & 1 == 1 && (*i == 0 || mask >> (i - 1) & 1 == 0));
    let holes = starts.map(|start| (start, start + (mask >> start).trailing_ones() as usize)).collect();
    Holes { holes }
}

/// Ones from `start` to before `end`.
fn ones(start: usize, end: usize) -> u32 {
    (start..end).fold(0, |mask, i| mask | 1 << i)
}

fn count(mask: u32) -> usize {
    mask.count_ones() as usize
}

/// All that can be asked of any set of missing bytes, and that filling any range leads to just the right one: so every
/// sequence of fills is right, however long.
#[test]
fn every_set_with_every_range() {
    let mut cases = 0u64;
    for length in 0..=LENGTH {
        assert_eq!(Holes::whole(length), ranges(ones(0, length)));
    }
    for missing in 0..1u32 << LENGTH {
        let holes = ranges(missing);
        assert_eq!(holes.is_empty(), missing == 0);
        for start in 0..=LENGTH + 1 {
            assert_eq!(holes.present_before(start), count(!missing & ones(0, start)));
            for end in 0..=LENGTH + 2 {
                let asked = ones(start, end);
                assert_eq!(holes.missing_in(start, end), count(missing & asked), "{holes:?} {start}..{end}");
                assert_eq!(holes.first_in(start, end), ranges(missing & asked).holes.first().copied());
                let after = ranges(missing & !asked);
                assert_eq!(holes.count_after(start, end), after.holes.len(), "{holes:?} {start}..{end}");
                let mut filled = holes.clone();
                filled.fill(start, end);
                assert_eq!(filled, after, "{holes:?} {start}..{end}");
                cases += 1;
            }
        }
    }
    println!("missing ranges: {cases} cases");
}
