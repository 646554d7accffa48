//! Which version two ends come to, whole or in fragments; and what of versions nobody looks at.

use dtls_core::{CipherSuite, CloseReason, Error, NamedGroup, ProtocolVersion, PskMode};
use ideal_crypto::PROVIDER;
use model_tests::{
    Pair, Recipe, Setup, Side,
    schedule::Step,
    wire::records,
    wrong_peer::{ClientHello, WrongPeer, get},
};
use simulated_network::Faults;

const SUPPORTED_VERSIONS: u16 = 43;

const V12: ProtocolVersion = ProtocolVersion::DTLS1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS1_3;

/// Ends that speak these versions, with a key share of 65 bytes in the client's hello.
fn recipe(client: &[ProtocolVersion], server: &[ProtocolVersion]) -> Recipe {
    Recipe {
        versions: [client.to_vec(), server.to_vec()],
        suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM],
        groups: [(); 2].map(|()| vec![NamedGroup::SECP256R1]),
        ..Recipe::new13(PROVIDER, PskMode::PskDhe)
    }
}

/// 9147-13-dual-1, 9147-13-dual-2, 9147-5.2-hvr-2
#[test]
fn the_newest_that_both_speak_however_the_hello_is_cut() {
    let choices: [&[ProtocolVersion]; 3] = [&[V12], &[V13], &[V13, V12]];
    for client in choices {
        for server in choices {
            for cookies in [true, false] {
                for room in [2048, 70, 60, 52] {
                    let mut recipe = recipe(client, server);
                    recipe.listener.cookies = cookies;
                    let setup = Setup { room: [room, 2048], ..recipe.setup() };
                    let mut pair = Pair::new(&setup, Faults::default());
                    let pieces = pair.network.sent().len();
                    assert_eq!(pieces > 1, room < 2048, "{pieces} of {room}");
                    let what = format!("{client:?} {server:?} cookies {cookies}, {room}");
                    match [V13, V12].into_iter().find(|v| client.contains(v) && server.contains(v)) {
                        Some(version) => {
                            pair.connect();
                            let agreed = pair.ends.end(Side::Client).unwrap().connection().negotiated();
                            assert_eq!(agreed.unwrap().version, version, "{what}");
                        }
                        None => {
                            pair.run_for(core::time::Duration::from_secs(2));
                            let alert = Error::PeerAlert(dtls_core::AlertDescription::ProtocolVersion);
                            let closed = pair.ends.end(Side::Client).unwrap().closed();
                            assert_eq!(closed, Some(CloseReason::Failed(alert)), "{what}");
                        }
                    }
                }
            }
        }
    }
}

/// The hello with the cookie of a server that knows nothing newer says all that the first one said.
///
/// 9147-5.2-hvr-2
#[test]
fn a_hello_verify_request_says_nothing_about_the_version() {
    let mut peer = WrongPeer::new(&recipe(&[V13, V12], &[V12]).setup(), Side::Client);
    let first = ClientHello::parse(peer.next_body()).unwrap();
    for _ in 0..2 {
        peer.script.apply(&Step::Deliver(0));
    }
    let second = ClientHello::parse(peer.next_body()).unwrap();
    assert_eq!(get(&first.extensions, SUPPORTED_VERSIONS), Some(&[4, 0xfe, 0xfc, 0xfe, 0xfd][..]));
    assert!(!second.legacy_cookie.is_empty());
    // The binder covers the whole hello.
    let without_binder = |mut hello: ClientHello| {
        let binders = &mut hello.extensions.last_mut().unwrap().1;
        binders.truncate(binders.len() - 32);
        ClientHello { legacy_cookie: Vec::new(), ..hello }
    };
    assert_eq!(without_binder(second), without_binder(first));
}

/// In plaintext records any minor version will do, from the first hello on. In protected ones of DTLS 1.2 it is authenticated.
///
/// 9147-4-plain-4, 6347-4.1-version-2
#[test]
fn the_version_of_a_plaintext_record_is_not_looked_at() {
    for versions in [V12, V13] {
        for minor in [0xff, 0xfd, 0xfc, 0, 0x80] {
            let setup = recipe(&[versions], &[versions]).setup();
            let mut peer = WrongPeer::new(&setup, Side::Server);
            for _ in 0..10 {
                let live = peer.script.mailbox.live().first().cloned();
                let Some(letter) = live else { break };
                let mut bytes = letter.bytes.clone();
                let mut at = 0;
                for record in records(&letter.bytes) {
                    if record.content_type().is_some() && record.epoch() == 0 {
                        bytes[at + 2] = minor;
                    }
                    at += record.bytes.len();
                }
                peer.script.mailbox.replace(0, &bytes);
                peer.script.apply(&Step::Deliver(0));
            }
            assert!(peer.script.ends.connected(), "{versions:?} {minor:x}: {:?}", peer.script);
        }
    }
}
