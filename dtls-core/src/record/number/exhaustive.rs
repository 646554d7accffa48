//! Every case of small domains, and every boundary of large ones. For all pairs of numbers see `model-tests/smt`.

use std::println;

use super::*;

/// One more than the largest number: what is expected after it.
const END: u64 = MAX_SEQ + 1;

/// The model: the numbers that differ from `expected` by less than half a period, and the one exactly half a period later, are
/// a whole period in a row. Near 0 there are none below, so that the row begins there.
fn first_of_row(expected: u64, period: u64) -> u64 {
    (expected + 1).saturating_sub(period / 2)
}

/// Asserts that the `at`th number of the row around `expected` is the one its low bits stand for.
fn assert_reconstructed(expected: u64, at: u64, bits: u32) {
    let period = 1 << bits;
    let number = first_of_row(expected, period) + at;
    assert_eq!(reconstruct(expected, number % period, bits), number, "{expected} {bits}");
    // Only as many bits as are on the wire count.
    assert_eq!(reconstruct(expected, number, bits), number, "{expected} {bits}");
}

#[test]
fn eight_bits_for_every_expected_number_of_a_long_start_and_at_the_end() {
    let mut cases = 0u64;
    for expected in (0..1 << 18).chain((1 << 47) - 1024..(1 << 47) + 1024).chain(END - 4096..=END) {
        for at in 0..1 << 8 {
            assert_reconstructed(expected, at, 8);
        }
        cases += 1 << 8;
    }
    println!("numbers of 8 bits: {cases} cases");
}

#[test]
fn sixteen_bits_around_every_boundary() {
    let mut cases = 0u64;
    for half_periods in [0, 1, 2, 3, 4, 5, 1 << 16, 1 << 32, (1 << 33) - 2, (1 << 33) - 1, 1 << 33] {
        let boundary: u64 = half_periods << 15;
        for expected in boundary.saturating_sub(9)..=(boundary + 9).min(END) {
            for at in 0..1 << 16 {
                assert_reconstructed(expected, at, 16);
            }
            cases += 1 << 16;
        }
    }
    // And for every expected number of four periods the ends, the middle and the number itself.
    for expected in 0..1 << 18 {
        let itself = expected - first_of_row(expected, 1 << 16);
        for at in [0, 1, itself.saturating_sub(1), itself, itself + 1, (1 << 16) - 2, (1 << 16) - 1] {
            assert_reconstructed(expected, at, 16);
        }
        cases += 7;
    }
    println!("numbers of 16 bits: {cases} cases");
}

#[test]
fn parts_of_every_epoch_survive() {
    let mut cases = 0u64;
    let edges = (0..48).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    let seqs: std::vec::Vec<u64> = edges.chain([MAX_SEQ]).collect();
    for epoch in 0..=u16::MAX {
        for &seq in &seqs {
            let number = RecordNumber::new(epoch, seq);
            assert_eq!((number.epoch(), number.seq()), (epoch, seq));
            let [e0, e1, s @ ..] = number.to_be_bytes();
            let wire = s.iter().fold(u64::from(e0) << 8 | u64::from(e1), |n, byte| n << 8 | u64::from(*byte));
            assert_eq!(wire, u64::from(epoch) << 48 | seq);
        }
        cases += 145;
    }
    println!("record numbers: {cases} cases");
}
