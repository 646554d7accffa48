//! Replay windows, and the order in which a record is checked: how late a record may come, what a forged number moves, and
//! that what is bad leaves everything else alone. In both versions.

use core::time::Duration;

use dtls_core::{CipherSuite, Discard, Instant, Limits, PskMode};
use ideal_crypto::{PROVIDER, World};
use model_tests::{Pair, Prng, Recipe, Watched};
use simulated_network::Faults;

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
    CipherSuite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_AES_128_CCM_SHA256,
];

/// Two connected ends without anything left of the handshake.
struct Link {
    client: Watched,
    server: Watched,
    now: Instant,
}

impl Link {
    fn new(suite: CipherSuite, replay_window: u16) -> Self {
        let mut limits = Limits::default();
        limits.replay_window = replay_window;
        // One byte would leave a record that is late by more than 127 without a number.
        limits.wide_record_numbers = true;
        let recipe = Recipe { suites: vec![suite], limits, ..Recipe::new13(PROVIDER, PskMode::PskOnly) };
        let mut pair = Pair::new(&recipe.setup(), Faults::default());
        pair.connect();
        pair.run_for(Duration::from_secs(300));
        let now = pair.ends.now();
        let [client, server] = pair.ends.into_watched().expect("both exist");
        Self { client, server, now }
    }

    fn is13(&self) -> bool {
        self.client.write_epoch() > 1
    }

    fn send(&mut self, number: u32) -> Vec<u8> {
        let mut out = [0; 128];
        let len = self.client.send(&number.to_be_bytes(), &mut out).unwrap();
        out[..len].to_vec()
    }

    /// The numbers delivered from a datagram. Nothing is ever answered, and nobody waits for anything.
    fn receive(&mut self, datagram: &[u8]) -> Vec<u32> {
        let mut datagram = datagram.to_vec();
        let mut rng = Prng::new(0);
        let mut incoming = self.server.handle_datagram(self.now, &mut rng, &mut datagram);
        let mut delivered = Vec::new();
        while let Some(data) = incoming.next_data().unwrap() {
            delivered.push(u32::from_be_bytes((&*data.bytes).try_into().unwrap()));
        }
        assert!(self.server.poll_transmit(self.now, &mut [0; 2048]).is_none(), "an answer");
        assert_eq!((self.server.poll_event(), self.server.poll_timeout()), (None, None));
        delivered
    }

    fn discarded(&self, reason: Discard) -> u64 {
        u64::from(self.server.stats().discarded(reason))
    }
}

fn in_a_world(suite: CipherSuite, window: u16, test: impl FnOnce(&mut Link)) {
    let mut link = Link::new(suite, window);
    World::unchecked().run(|| test(&mut link));
}

/// 6347-4.1.2.6-replay-5, 6347-4.1.2.6-replay-6, 6347-4.1.2.6-replay-7, 9147-4.5.1-replay-5, 9147-4.5.1-replay-6
#[test]
fn a_record_may_be_late_by_less_than_the_window() {
    assert_eq!(Limits::default().replay_window, 64);
    for suite in SUITES {
        for window in [64, 128, 1024] {
            for late in [1, 31, 32, 63, 64, 127, 128, 1023, 1024] {
                in_a_world(suite, window, |link| {
                    let delayed = link.send(7);
                    for number in 0..late {
                        let record = link.send(number);
                        assert_eq!(link.receive(&record), [number]);
                    }
                    let fits = late < u32::from(window);
                    let expected: &[u32] = if fits { &[7] } else { &[] };
                    assert_eq!(link.receive(&delayed), expected, "{suite:?} late by {late} of {window}");
                    assert_eq!(link.receive(&delayed), [], "a second time");
                    assert_eq!(link.discarded(Discard::TooOld), if fits { 0 } else { 2 });
                });
            }
        }
    }
}

/// RFC 6347 looks for duplicates first, for they cost nothing then; rfc9147bis last, so that time says nothing about numbers.
///
/// 6347-4.1.2.6-replay-4, 9147-4.5.1-replay-4
#[test]
fn a_replay_is_found_before_the_tag_in_dtls12_and_after_it_in_dtls13() {
    for suite in SUITES {
        in_a_world(suite, 64, |link| {
            let record = link.send(1);
            assert_eq!(link.receive(&record), [1]);
            let mut broken = record.clone();
            *broken.last_mut().unwrap() ^= 1;
            assert_eq!(link.receive(&broken), []);
            let reason = if link.is13() { Discard::BadTag } else { Discard::Replay };
            assert_eq!(link.discarded(reason), 1, "{suite:?}");
            assert_eq!(link.receive(&record), []);
            assert_eq!(link.discarded(Discard::Replay), 1 + u64::from(!link.is13()), "{suite:?}");
        });
    }
}

/// 6347-4.1.2.6-replay-8, 9147-4.5.1-replay-7, 9147-4.2.2-recon-2
#[test]
fn a_forged_number_moves_nothing() {
    for suite in SUITES {
        in_a_world(suite, 64, |link| {
            let mut rng = Prng::new(3);
            let late = link.send(1_000);
            for number in 0..50 {
                for _ in 0..20 {
                    let forged = forged_ahead(link, &mut rng);
                    assert_eq!(link.receive(&forged), []);
                }
                let record = link.send(number);
                assert_eq!(link.receive(&record), [number], "{suite:?}");
            }
            assert_eq!(link.receive(&late), [1_000], "{suite:?}");
        });
    }
}

/// A record with a number far ahead that nobody has sealed.
fn forged_ahead(link: &Link, rng: &mut Prng) -> Vec<u8> {
    let mut body = [0; 40];
    body.iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
    if link.is13() {
        // Whatever the mask makes of it, half of all two-byte numbers are ahead.
        return [&[0x20 | 8 | (link.client.write_epoch() & 3) as u8][..], &body].concat();
    }
    let ahead = (10_000 + rng.below(1 << 40)).to_be_bytes();
    [&[23, 0xfe, 0xfd, 0, 1][..], &ahead[2..], &[0, 40], &body].concat()
}

/// 6347-4.1.1-multi-2, 6347-4.1.2.7-invalid-3, 6347-4.1.2.1-mac-3
#[test]
fn a_bad_record_leaves_the_others_of_its_datagram_alone() {
    for suite in SUITES {
        in_a_world(suite, 64, |link| {
            // What can stand in front of the record of a stranger, and says how long it is.
            let plain = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 3][..], &[1, 2, 3]].concat();
            let unknown = [&[23, 0xfe, 0xfd, 0, 9, 0, 0, 0, 0, 0, 9, 0, 20][..], &[7; 20]].concat();
            let flags = 0x20 | 4 | (link.client.write_epoch() & 3) as u8;
            let unified = [&[flags, 1, 0, 20][..], &[7; 20]].concat();
            for (number, bad) in (1..).zip([plain, unknown, unified]) {
                let record = link.send(number);
                assert_eq!(link.receive(&[&bad[..], &record].concat()), [number], "{suite:?}");
            }
            if !link.is13() {
                let records: Vec<Vec<u8>> = (10..13).map(|number| link.send(number)).collect();
                for bad in 0..3 {
                    let mut broken = records.clone();
                    *broken[bad].last_mut().unwrap() ^= 1;
                    let expected: Vec<u32> = (10..13).filter(|n| *n != 10 + bad as u32).collect();
                    let mut other =
                        Link { client: link.client.clone(), server: link.server.clone(), now: link.now };
                    assert_eq!(other.receive(&broken.concat()), expected);
                    assert_eq!(
                        other.receive(&records[bad]),
                        [10 + bad as u32],
                        "the genuine one still counts"
                    );
                }
            }
        });
    }
}
