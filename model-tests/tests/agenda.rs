//! The next timeout of an endpoint is exactly the earliest of all its connections, whatever happens.

use core::time::Duration;

use dtls_core::{AddressBytes, Connection, EndpointLimits, Instant};
use ideal_crypto::World;
use model_tests::crowd::{Crowd, VERSIONS, address};
use proptest::prelude::*;

const CLIENTS: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A client starts, or starts again.
    Start(usize),
    /// A client's datagrams are delivered, so many of them lost.
    Speak(usize, usize),
    /// The answers that a client has got so far are delivered to it.
    Hear(usize),
    /// A client's connection is closed by the endpoint.
    Close(usize),
    /// Milliseconds pass, and all timers are served.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..CLIENTS).prop_map(Step::Start),
        6 => (0..CLIENTS, 0..3_usize).prop_map(|(i, lost)| Step::Speak(i, lost)),
        6 => (0..CLIENTS).prop_map(Step::Hear),
        1 => (0..CLIENTS).prop_map(Step::Close),
        3 => prop_oneof![0..2_000_u64, Just(70_000), Just(250_000)].prop_map(Step::Wait),
    ]
}

/// What a scan over all connections says.
fn scan(crowd: &Crowd) -> Option<Instant> {
    crowd.endpoint.connections().filter_map(|(_, _, connection)| connection.poll_timeout()).min()
}

fn run(steps: &[Step]) {
    let mut limits = EndpointLimits::default();
    limits.failed_kept = Duration::ZERO;
    limits.idle = None;
    limits.handshakes = 4;
    let mut crowd = Crowd::new(ideal_crypto::PROVIDER, limits);
    let mut clients: Vec<Option<Connection>> = (0..CLIENTS).map(|_| None).collect();
    let mut answers: Vec<(AddressBytes, Vec<u8>)> = Vec::new();
    let mut buffer = [0; 2048];
    for step in steps {
        match *step {
            Step::Start(i) => clients[i] = Some(crowd.client(VERSIONS[i % 2])),
            Step::Speak(i, lost) => {
                let Some(client) = &mut clients[i] else { continue };
                let mut number = 0;
                while let Some(datagram) = client.poll_transmit(crowd.now, &mut buffer) {
                    number += 1;
                    if number > lost {
                        crowd.receive(&address(i as u32), datagram, |to, answer| {
                            answers.push((*to, answer.to_vec()))
                        });
                    }
                }
            }
            Step::Hear(i) => {
                let Some(client) = &mut clients[i] else { continue };
                let to = address(i as u32);
                for (_, answer) in answers.iter_mut().filter(|(address, _)| *address == to) {
                    crowd.tell(client, answer);
                }
                answers.retain(|(address, _)| *address != to);
            }
            Step::Close(i) => {
                if let Some(handle) = crowd.endpoint.established(&address(i as u32)) {
                    crowd.endpoint.close(handle);
                }
            }
            Step::Wait(millis) => {
                crowd.now = crowd.now.after(Duration::from_millis(millis));
                crowd.endpoint.handle_timeout(crowd.now);
                for client in clients.iter_mut().flatten() {
                    let _ = client.handle_timeout(crowd.now);
                }
            }
        }
        crowd.transmit(|to, answer| answers.push((*to, answer.to_vec())));
        assert_eq!(crowd.endpoint.poll_timeout(), scan(&crowd), "after {step:?}");
        if matches!(step, Step::Wait(_)) {
            assert!(scan(&crowd).is_none_or(|at| at > crowd.now), "nothing due was passed over");
        }
        let handshakes =
            crowd.endpoint.connections().filter(|(_, _, c)| !c.is_established() && !c.is_closed()).count();
        assert_eq!(crowd.endpoint.stats().handshakes, handshakes);
        assert!(handshakes <= 4);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_timeout_is_exact(steps in prop::collection::vec(step(), 1..80)) {
        World::default().run(|| run(&steps));
    }
}
