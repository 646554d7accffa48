//! A server flooded from spoofed addresses keeps its heap as it is and sends no more than it gets.

use allocation_counter::measure;
use dtls_core::{Arc, Instant, Listener, NamedGroup, PskMode, Verdict};
use ideal_crypto::World;
use model_tests::{Pair, Prng, Recipe, Side};
use simulated_network::Faults;

const HELLOS: u32 = 10_000;

/// The first flight of a client whose datagrams have at most `room` bytes: one ClientHello, whole or in fragments.
fn hello(recipe: &Recipe, room: usize) -> Vec<Vec<u8>> {
    let mut setup = recipe.setup();
    setup.seed = 1;
    setup.room[0] = room;
    let pair = Pair::new(&setup, Faults::default());
    pair.network
        .sent()
        .iter()
        .filter(|sent| sent.from == Side::Client)
        .map(|sent| sent.bytes.clone())
        .collect()
}

/// Bytes in and out, and the number of replies, when each of `HELLOS` addresses sends `datagrams`.
fn flood(recipe: &Recipe, datagrams: &[Vec<u8>]) -> (usize, usize, usize) {
    let setup = recipe.setup();
    let mut rng = Prng::new(1);
    let now = Instant::from_micros(1);
    let mut listener = Listener::new(Arc::clone(&setup.server)).unwrap();
    let (mut bytes_in, mut bytes_out, mut replies) = (0, 0, 0);
    let (mut buffer, mut out) = ([0; 2048], [0; 2048]);
    // One address first, so that whatever is made once is there.
    for datagram in datagrams {
        let _reply = listener.handle(now, &mut rng, b"first", copy(&mut buffer, datagram), &mut out);
    }
    let info = measure(|| {
        for address in 0..HELLOS {
            for datagram in datagrams {
                bytes_in += datagram.len();
                match listener.handle(
                    now,
                    &mut rng,
                    &address.to_be_bytes(),
                    copy(&mut buffer, datagram),
                    &mut out,
                ) {
                    Verdict::Reply(reply) => {
                        bytes_out += reply.len();
                        replies += 1;
                        assert!(bytes_out <= bytes_in, "more out than in");
                    }
                    Verdict::Accept(_) => panic!("accepted without a cookie"),
                    _ => {}
                }
            }
        }
    });
    println!(
        "{HELLOS} hellos of {} datagrams: {bytes_in} bytes in, {bytes_out} out, {replies} replies, heap {:+} bytes",
        datagrams.len(),
        info.bytes_current
    );
    assert_eq!((info.bytes_current, info.count_current), (0, 0), "the heap grew or shrank");
    (bytes_in, bytes_out, replies)
}

/// `datagram` in a buffer that may be changed.
fn copy<'b>(buffer: &'b mut [u8], datagram: &[u8]) -> &'b mut [u8] {
    let copy = &mut buffer[..datagram.len()];
    copy.copy_from_slice(datagram);
    copy
}

/// Servers of either version.
fn recipes() -> [Recipe; 3] {
    let provider = ideal_crypto::PROVIDER;
    let dhe = Recipe::new13(provider, PskMode::PskDhe);
    // The client's first group is not the server's, so that the request asks for both, group and cookie.
    let groups = [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]];
    [Recipe::new(provider), dhe.clone(), Recipe { groups, ..dhe }]
}

#[test]
fn whole_hellos() {
    for recipe in recipes() {
        let datagrams = hello(&recipe, 2048);
        assert_eq!(datagrams.len(), 1);
        let (_, _, replies) = World::unchecked().run(|| flood(&recipe, &datagrams));
        assert_eq!(replies, HELLOS as usize, "each gets its cookie");
    }
}

#[test]
fn fragmented_hellos() {
    for recipe in recipes() {
        let datagrams = hello(&recipe, 50);
        assert!(datagrams.len() >= 2);
        let (_, _, replies) = World::unchecked().run(|| flood(&recipe, &datagrams));
        assert_eq!(
            replies, HELLOS as usize,
            "each gets its cookie, since its fragments come one after the other"
        );
    }
}

/// The worst case for reassembly: no hello is ever completed.
#[test]
fn hellos_that_never_end() {
    for recipe in recipes() {
        let datagrams = &hello(&recipe, 50)[..1];
        let (_, bytes_out, _) = World::unchecked().run(|| flood(&recipe, datagrams));
        assert_eq!(bytes_out, 0);
    }
}
