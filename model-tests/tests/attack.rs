//! A peer that owns valid keys does everything it can in every state: each end stands it, and what it does is watched by the
//! monitors of its trace and by the provider that panics on misuse. What must come of it is for the comparison with the model.

use dtls_core::EndpointLimits;
use ideal_crypto::World;
use model_tests::{
    crowd::{Crowd, VERSIONS, address},
    learning::Sul,
    tell,
};
use reference_model::{explore::explore, mode::Mode};

/// Every two inputs after the shortest way to each state of the model.
#[test]
fn everything_twice_in_every_state() {
    for mode in Mode::all() {
        let alphabet = mode.alphabet();
        let (mut states, mut runs) = (0_u64, 0_u64);
        for access in explore(mode).minimised().access() {
            let mut end = Sul::with(mode, ideal_crypto::PROVIDER, World::default());
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
        tell!("{mode}: {states} states, {} inputs, {runs} runs", alphabet.len());
    }
}

/// With an answer that went to one address nobody at another one gets further.
#[test]
fn a_cookie_is_of_no_use_elsewhere() {
    for version in VERSIONS {
        World::unchecked().run(|| {
            let mut crowd = Crowd::new(ideal_crypto::PROVIDER, EndpointLimits::default());
            let mut client = crowd.client(version);
            let mut buffer = [0; 2048];
            let hello = client.poll_transmit(crowd.now, &mut buffer).expect("the first hello");
            let mut reply = Vec::new();
            crowd.receive(&address(1), hello, |_, datagram| reply = datagram.to_vec());
            crowd.tell(&mut client, &mut reply);
            let hello = client.poll_transmit(crowd.now, &mut buffer).expect("the hello with the cookie");
            assert_eq!(crowd.receive(&address(2), &mut hello.to_vec(), |_, _| {}), None);
            assert!(crowd.receive(&address(1), hello, |_, _| {}).is_some());
        });
    }
}
