//! Record numbers of DTLS 1.3 past every width they have on the wire, with losses and out of order: one byte for the first
//! 128 records, then two, of which 65,536 make a round (RFC 9147 §4.2.2).

use dtls_core::{CipherSuite, Discard, Instant, Limits, PskMode, SendError, crypto::AeadAlgorithm};
use ideal_crypto::World;
use model_tests::{Pair, Prng, Recipe, Watched};
use simulated_network::Faults;

/// Two connected connections, client first.
fn connected(limits: Limits) -> ([Watched; 2], Instant) {
    let suites = vec![CipherSuite::TLS_AES_128_GCM_SHA256];
    let recipe = Recipe { suites, limits, ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly) };
    let mut pair = Pair::new(&recipe.setup(), Faults::default());
    pair.connect();
    pair.run_for(core::time::Duration::from_millis(100));
    let now = pair.ends.now();
    (pair.ends.into_watched().expect("both exist"), now)
}

fn send(from: &mut Watched, number: u32) -> Vec<u8> {
    let mut out = [0; 64];
    let len = from.send(&number.to_be_bytes(), &mut out).unwrap();
    out[..len].to_vec()
}

/// The number in the record, if it was delivered.
fn receive(to: &mut Watched, now: Instant, record: &[u8]) -> Option<u32> {
    let mut datagram = record.to_vec();
    let mut rng = Prng::new(0);
    let mut incoming = to.handle_datagram(now, &mut rng, &mut datagram);
    let data = incoming.next_data().unwrap()?;
    Some(u32::from_be_bytes((&*data.bytes).try_into().unwrap()))
}

/// All that is late by less than the window arrives, once.
#[test]
fn two_hundred_thousand_records_with_losses_and_out_of_order() {
    for (seed, loss, window) in [(1, 0.0, 64), (2, 0.1, 64), (3, 0.5, 64), (4, 0.1, 1024)] {
        let mut limits = Limits::default();
        limits.replay_window = window;
        let ([mut client, mut server], now) = connected(limits);
        World::unchecked().run(|| {
            let mut rng = Prng::new(seed);
            let mut waiting: Vec<(u32, Vec<u8>)> = Vec::new();
            for number in 0..200_000_u32 {
                let record = send(&mut client, number);
                if !rng.chance(loss) {
                    waiting.push((number, record));
                }
                // At most 40 are on their way, in no order, and now and then one comes twice.
                while waiting.len() > 20 || waiting.first().is_some_and(|(oldest, _)| number - oldest > 40) {
                    let overdue = waiting.iter().position(|(sent, _)| number - sent > 40);
                    let which = overdue.unwrap_or_else(|| rng.below(waiting.len() as u64) as usize);
                    let (sent, record) = waiting.remove(which);
                    assert_eq!(receive(&mut server, now, &record), Some(sent), "seed {seed}");
                    if rng.chance(0.01) {
                        assert_eq!(receive(&mut server, now, &record), None, "a replay");
                    }
                }
            }
        });
        assert_eq!(server.stats().discarded(Discard::BadTag), 0, "seed {seed}");
    }
}

/// At a key's limit data ends, and close_notify still goes out.
#[test]
fn the_last_numbers_are_left_for_closing() {
    let ([mut client, mut server], now) = connected(Limits::default());
    World::unchecked().run(|| {
        let limit = AeadAlgorithm::Aes128Gcm.confidentiality_limit();
        let mut next = 0;
        while next + 100 < limit {
            let record = send(&mut client, 7);
            assert_eq!(receive(&mut server, now, &record), Some(7));
            // As many at a time as a number of two bytes can bridge.
            let skipped = (limit - 100 - next).min(30_000);
            client.skip_record_numbers(skipped);
            next += 1 + skipped;
        }
        let mut out = [0; 64];
        while client.send(b"reading", &mut out).is_ok() {
            next += 1;
        }
        assert_eq!(client.send(b"reading", &mut out), Err(SendError::SequenceExhausted));
        assert_eq!(limit - next, 16);
        client.close();
        let mut out = [0; 64];
        let closing = client.poll_transmit(now, &mut out).expect("close_notify");
        let mut rng = Prng::new(0);
        assert!(server.handle_datagram(now, &mut rng, closing).next_data().unwrap().is_none());
        assert!(server.is_closed(), "it was read");
    });
}

/// However many are lost in a row, up to half a round, the next one is understood.
#[test]
fn long_gaps() {
    for before in [0, 1, 127, 128, 129, 70_000] {
        for gap in [0, 1, 126, 127, 128, 129, 255, 256, 257, 32_000] {
            let ([mut client, mut server], now) = connected(Limits::default());
            World::unchecked().run(|| {
                for number in 0..before {
                    let record = send(&mut client, number);
                    assert_eq!(receive(&mut server, now, &record), Some(number));
                }
                for number in before..before + gap {
                    send(&mut client, number);
                }
                let record = send(&mut client, before + gap);
                assert_eq!(receive(&mut server, now, &record), Some(before + gap), "{before} and {gap}");
            });
        }
    }
}

/// The header says how wide the number is.
#[test]
fn one_byte_as_long_as_that_is_safe() {
    let widths = |limits| {
        let ([mut client, _], _) = connected(limits);
        World::unchecked()
            .run(|| (0..200).map(|number| 1 + (send(&mut client, number)[0] >> 3 & 1)).collect::<Vec<_>>())
    };
    let short = widths(Limits::default());
    assert_eq!(short.iter().position(|width| *width == 2), Some(128));
    assert!(short[128..].iter().all(|width| *width == 2));
    let mut wide = Limits::default();
    wide.wide_record_numbers = true;
    assert!(widths(wide).iter().all(|width| *width == 2));
}
