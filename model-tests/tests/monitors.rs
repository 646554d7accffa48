//! What monitors make of connections that they have not seen begin, of what is in no trace, and of an end that is the own
//! end's fault. What they make of traces is tested beside them.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use dtls_core::{
    CipherSuite, Connection, Error, HandshakeType as Type, Instant, Listener, NamedGroup, Negotiated,
    TraceEvent, Verdict,
};
use ideal_crypto::{PROVIDER, World};
use model_tests::{KEY, Pair, Prng, Recipe, Setup, Watched};
use monitors::{BESIDE_PATTERNS, Monitor, Role};
use scripted_peer::{End, Message, Record, ScriptedPeer, Settings, action::ClientForm};

const START: Instant = Instant::from_micros(1_000_000);
const ECDHE: CipherSuite = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256;

/// What a monitor says, if anything.
fn said(watch: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(watch)).err()?;
    Some(*panic.downcast().expect("with a text"))
}

fn without_cookies(recipe: Recipe) -> Setup {
    let mut recipe = recipe;
    recipe.listener.cookies = false;
    recipe.setup()
}

/// The server that answers a hello.
fn handed_out(setup: &Setup, hello: &mut [u8]) -> Connection {
    let mut listener = Listener::new(setup.server.clone()).unwrap();
    let mut rng = Prng::new(1);
    let mut out = [0; 2048];
    let verdict = listener.handle(START, &mut rng, b"an address", hello, &mut out);
    let Verdict::Accept(accepted) = verdict else { panic!("{verdict:?}") };
    Connection::server(setup.server.clone(), &accepted, START, &mut rng)
}

fn hello_of(setup: &Setup) -> Vec<u8> {
    let mut client = Connection::client(setup.client.clone(), START, &mut Prng::new(2)).unwrap();
    client.poll_transmit(START, &mut [0; 2048]).unwrap().to_vec()
}

/// A server of either version has answered the hello before it can be watched, but for one that waits for the key.
#[test]
fn a_second_server_hello_of_a_handed_out_server_is_noticed() {
    let old = Recipe::new(PROVIDER);
    let new = Recipe::new13(PROVIDER, dtls_core::PskMode::PskOnly);
    let deferred = Recipe { deferred: true, ..new.clone() };
    for (recipe, answered) in [(old, true), (new, true), (deferred, false)] {
        World::unchecked().run(|| {
            let setup = without_cookies(recipe);
            let server = handed_out(&setup, &mut hello_of(&setup));
            assert!(!server.is_closed());
            let mut monitor = Monitor::resumed(Role::Server, &server);
            let again = TraceEvent::MessageQueued { typ: Type::SERVER_HELLO, seq: 0 };
            let said = said(|| monitor.note(&again));
            assert_eq!(said.is_some_and(|said| said.starts_with("S20: multiple ServerHello")), answered);
        });
    }
}

#[test]
fn the_first_message_of_a_handed_out_server_has_the_number_after_the_hello() {
    World::unchecked().run(|| {
        let setup = without_cookies(Recipe::new(PROVIDER));
        let server = handed_out(&setup, &mut hello_of(&setup));
        for (seq, fits) in [(0, false), (1, true), (2, false)] {
            let said = said(|| {
                let mut monitor = Monitor::resumed(Role::Server, &server);
                let typ = Type::CLIENT_KEY_EXCHANGE;
                monitor.note(&TraceEvent::MessageProcessed { typ, seq, epoch: 0 });
            });
            assert_eq!(said.is_none(), fits, "{said:?}");
            assert!(said.is_none_or(|said| said.contains(BESIDE_PATTERNS[1])));
        }
    });
}

#[test]
fn an_ephemeral_key_that_no_message_brought_is_noticed() {
    let mut pair =
        Pair::new(&Recipe { suites: vec![ECDHE], ..Recipe::new(PROVIDER) }.setup(), <_>::default());
    pair.connect();
    let [client, _] = pair.ends.into_watched().unwrap();
    let negotiated: &Negotiated = client.negotiated().unwrap();
    assert_eq!(negotiated.group, Some(NamedGroup::X25519));
    let exchange = TraceEvent::MessageProcessed { typ: Type::SERVER_KEY_EXCHANGE, seq: 1, epoch: 0 };
    for (with_exchange, role) in [(true, Role::Client), (false, Role::Client), (false, Role::Server)] {
        let said = said(|| {
            let mut monitor = Monitor::new(role);
            let hello = TraceEvent::MessageProcessed { typ: Type::SERVER_HELLO, seq: 0, epoch: 0 };
            if role == Role::Client {
                monitor.note(&hello);
            }
            if with_exchange {
                monitor.note(&exchange);
            }
            monitor.finish();
            monitor.note_negotiated(negotiated);
        });
        let noticed = said.is_some_and(|said| said.contains(BESIDE_PATTERNS[0]));
        assert_eq!(noticed, role == Role::Client && !with_exchange, "{role:?}");
    }
}

/// A server that has no number left for its own Finished says so with internal_error, and the client's was right.
#[test]
fn numbers_that_are_used_up_at_finished_are_no_fault() {
    World::unchecked().run(|| {
        let setup = without_cookies(Recipe { suites: vec![ECDHE], ..Recipe::new(PROVIDER) });
        let mut peer = ScriptedPeer::new(Settings {
            suites12: vec![ECDHE],
            suites13: vec![],
            dhe: true,
            hello_len: 500,
            seed: 7,
            ..Settings::new(PROVIDER, End::Client, b"test", KEY)
        });
        // ServerHello, ServerKeyExchange and ServerHelloDone have the numbers up to the last but one.
        peer.start_over(u16::MAX - 3);
        let mut hello = peer.emit(&Record::message(0, Message::ClientHello(ClientForm::default())));
        let mut server = Watched::new(Role::Server, handed_out(&setup, &mut hello));
        let (mut rng, mut out, mut told) = (Prng::new(1), [0; 2048], Ok(()));
        for _ in 0..4 {
            peer.assume_taken();
            while let Some(datagram) = server.poll_transmit(START, &mut out) {
                peer.receive(datagram);
            }
            for record in peer.honest() {
                let mut datagram = peer.emit(&record);
                peer.assume_taken();
                let result = server.handle_datagram(START, &mut rng, &mut datagram).next_data().map(|_| ());
                told = told.and(result);
            }
        }
        assert_eq!(told, Err(Error::SequenceExhausted));
        assert!(server.is_drained(), "the alert was sent");
    });
}
