//! A peer that owns valid keys does everything it can in every state: each end stands it, and what it does is watched by the
//! monitors of its trace and by the provider that panics on misuse. What must come of it is for the comparison with the model.

use ideal_crypto::World;
use model_tests::learning::Sul;
use reference_model::{explore::explore, mode::Mode};

/// Every two inputs after the shortest way to each state of the model.
#[test]
fn everything_twice_in_every_state() {
    for mode in Mode::all() {
        let alphabet = mode.alphabet();
        let (mut states, mut runs) = (0_u64, 0_u64);
        for access in explore(mode).minimised().access() {
            let mut end = Sul::with(mode, ideal_crypto::PROVIDER, World::default()).watched();
            for input in access {
                end.step(input);
            }
            for first in &alphabet {
                let mut end = end.clone();
                end.step(*first);
                for second in &alphabet {
                    end.clone().step(*second);
                    runs += 1;
                }
            }
            states += 1;
        }
        println!("{mode}: {states} states, {} inputs, {runs} runs", alphabet.len());
    }
}
