//! Every short history of an address that has not proved it is real.

use std::println;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Received(usize),
    /// Of what is left: nothing, one byte, all.
    Sent(fn(usize) -> usize),
}

/// Goes on with every sequence of up to `depth` steps, and counts the steps. Never is more sent than three times what came.
fn assert_histories(allowance: &Allowance, received: u128, sent: u128, depth: u32) -> u64 {
    let steps = [0, 1, 7, 1200].map(Step::Received).into_iter().chain(
        [(|_| 0) as fn(usize) -> usize, |left| left.min(1), |left| left / 2, |left| left].map(Step::Sent),
    );
    let mut cases = 0;
    for step in steps {
        let (mut allowance, mut received, mut sent) = (allowance.clone(), received, sent);
        match step {
            Step::Received(bytes) => {
                received += bytes as u128;
                allowance.on_received(bytes);
            }
            Step::Sent(of) => {
                let bytes = of(allowance.left());
                sent += bytes as u128;
                allowance.on_sent(bytes);
            }
        }
        assert_eq!(allowance.left() as u128, 3 * received - sent, "{received} received, {sent} sent");
        cases += 1;
        if depth > 1 {
            cases += assert_histories(&allowance, received, sent, depth - 1);
        }
    }
    cases
}

#[test]
fn every_history_of_six_steps() {
    let mut cases = 0;
    for first in [0, 1, 100] {
        let allowance = Allowance::limited(first);
        assert_eq!(allowance.left(), 3 * first);
        cases += assert_histories(&allowance, first as u128, 0, 6);
    }
    println!("allowances: {cases} cases");
}

#[test]
fn a_real_address_has_no_limit_and_nothing_overflows() {
    let mut unlimited = Allowance::Unlimited;
    let mut full = Allowance::limited(usize::MAX);
    for allowance in [&mut unlimited, &mut full] {
        allowance.on_received(usize::MAX);
        assert_eq!(allowance.left(), usize::MAX);
    }
    unlimited.on_sent(usize::MAX);
    assert_eq!(unlimited.left(), usize::MAX);
    full.on_sent(usize::MAX);
    full.on_sent(1);
    assert_eq!(full.left(), 0);
}
