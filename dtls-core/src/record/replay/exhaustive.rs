//! Windows against the set of numbers marked, for every order in which a few numbers can come.

use std::{println, vec::Vec};

use super::*;
use crate::record::number::MAX_SEQ;

/// Every number marked, and nothing else.
#[derive(Clone)]
struct Set {
    width: u64,
    marked: Vec<u64>,
}

impl Set {
    fn check(&self, seq: u64) -> Result<(), Discard> {
        // A window of `width` numbers ends at the highest one.
        match self.marked.iter().max() {
            Some(top) if seq + self.width <= *top => Err(Discard::TooOld),
            _ if self.marked.contains(&seq) => Err(Discard::Replay),
            _ => Ok(()),
        }
    }

    fn mark(&mut self, seq: u64) -> bool {
        let newest = self.marked.iter().all(|n| *n < seq);
        self.marked.push(seq);
        newest
    }
}

/// Compares the two for every sequence of up to `depth` of `numbers`, and counts the comparisons. What was refused is not
/// marked, so that it need not be followed any further.
fn compare(window: &Window, set: &Set, numbers: &[u64], depth: u32) -> u64 {
    let mut cases = 0;
    for &seq in numbers {
        let verdict = set.check(seq);
        assert_eq!(window.check(seq), verdict, "{seq} after {:?}", set.marked);
        cases += 1;
        if verdict.is_ok() && depth > 0 {
            let (mut window, mut set) = (window.clone(), set.clone());
            assert_eq!(window.mark(seq), set.mark(seq), "{seq} after {:?}", set.marked);
            assert_eq!(Some(&(window.next() - 1)), set.marked.iter().max());
            cases += compare(&window, &set, numbers, depth - 1);
        }
    }
    cases
}

#[test]
fn every_order_of_nine_numbers_around_the_edges() {
    let mut cases = 0;
    for width in [64u16, 128] {
        let w = u64::from(width);
        for base in [0, 5, MAX_SEQ - 2 * w - 1] {
            let numbers = [0, 1, w - 2, w - 1, w, w + 1, 2 * w - 1, 2 * w, 2 * w + 1].map(|n| base + n);
            let set = Set { width: w, marked: Vec::new() };
            cases += compare(&Window::new(width), &set, &numbers, 8);
        }
    }
    println!("replay windows, every order of nine numbers: {cases} cases");
}

#[test]
fn every_three_numbers() {
    let mut cases = 0;
    // Widths are rounded up to whole words; 192 is no power of two.
    for (asked, width) in [(0, 64), (1, 64), (64, 64), (65, 128), (129, 192)] {
        let numbers: Vec<u64> = (0..2 * width + 8).collect();
        let set = Set { width, marked: Vec::new() };
        cases += compare(&Window::new(asked), &set, &numbers, 2);
    }
    println!("replay windows, every three numbers: {cases} cases");
}
