//! Clients with several pre-shared keys, or with some that DTLS 1.3 has no use for.

use core::time::Duration;

use dtls_core::{
    Arc, CipherSuite, ClientConfig, ConfigError, ProtocolVersion, Psk, PskMode, ServerConfig,
    crypto::HashAlgorithm,
};
use ideal_crypto::PROVIDER;
use model_tests::{
    KEY, Pair, Setup, Side,
    wrong_peer::{ClientHello, WrongPeer, get},
};
use simulated_network::Faults;

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
];

const PRE_SHARED_KEY: u16 = 41;

fn sha384(identity: &[u8]) -> Psk {
    Psk::new(identity, KEY).hash(HashAlgorithm::Sha384)
}

/// Connects and says which version it was, and the identity.
fn connect(setup: &Setup) -> (ProtocolVersion, Vec<u8>) {
    let mut pair = Pair::new(setup, Faults::default());
    pair.connect();
    let negotiated = pair.ends.end(Side::Server).unwrap().connection().negotiated().unwrap();
    let dtls_core::PeerIdentity::Psk(identity) = &negotiated.peer else { panic!("{negotiated:?}") };
    (negotiated.version, identity.clone())
}

#[test]
fn a_server_that_asks_is_asked_only_for_keys_that_fit() {
    let long = vec![b'x'; 600];
    for first in [sha384(b"384"), Psk::new(&long, KEY)] {
        let client = ClientConfig::builder(PROVIDER).suites(&SUITES).psks([first, Psk::new(b"256", KEY)]);
        let server = ServerConfig::builder(PROVIDER).suites(&SUITES).psk_deferred().build().unwrap();
        let mut setup = Setup::new(client.build().unwrap(), server);
        setup.psk = Some(KEY.to_vec());
        assert_eq!(connect(&setup), (ProtocolVersion::DTLS1_3, b"256".to_vec()));
    }
}

/// A hello can hold hundreds of identities, and looking one up may be dear.
#[test]
fn a_server_that_asks_is_asked_for_a_few() {
    for known in [8, 9] {
        let keys: Vec<_> = (1..=20).map(|n| Psk::new(format!("key {n}").as_bytes(), KEY)).collect();
        let client = ClientConfig::builder(PROVIDER).suites(&SUITES[..1]).psks(keys).build().unwrap();
        let server = ServerConfig::builder(PROVIDER).suites(&SUITES[..1]).psk_deferred().build().unwrap();
        let mut pair = Pair::new(&Setup::new(client, server), Faults::default());
        let until = pair.ends.now().after(Duration::from_secs(10));
        let mut asked = 0;
        while !pair.ends.connected() && pair.step(until) {
            while pair.ends.end(Side::Server).is_some_and(|end| end.wants_psk()) {
                asked += 1;
                pair.ends.provide_psk((asked == known).then_some(KEY)).unwrap();
            }
        }
        assert_eq!((asked, pair.ends.connected()), (8, known == 8), "{}", pair.diagram());
    }
}

/// The suite is one whose key the server has, not just one whose hash some offered key has.
#[test]
fn a_server_chooses_a_suite_that_it_has_a_key_for() {
    let client =
        ClientConfig::builder(PROVIDER).suites(&SUITES).psks([Psk::new(b"256", KEY), sha384(b"384")]);
    let client = client.build().unwrap();
    for (identity, known) in [(b"256", Psk::new(b"256", KEY)), (b"384", sha384(b"384"))] {
        let server = ServerConfig::builder(PROVIDER).suites(&SUITES).psks([known]).build().unwrap();
        let setup = Setup::new(Arc::clone(&client), server);
        assert_eq!(connect(&setup), (ProtocolVersion::DTLS1_3, identity.to_vec()));
    }
}

/// RFC 8446 §4.1.4
#[test]
fn after_a_retry_only_keys_for_its_suite_are_offered() {
    let client =
        ClientConfig::builder(PROVIDER).suites(&SUITES).psks([Psk::new(b"256", KEY), sha384(b"384")]);
    let server = ServerConfig::builder(PROVIDER).suites(&SUITES).psks([sha384(b"384")]);
    let setup = Setup::new(client.build().unwrap(), server.build().unwrap());
    let offers = |hello: &ClientHello, identity: &[u8]| {
        get(&hello.extensions, PRE_SHARED_KEY).unwrap().windows(3).any(|bytes| bytes == identity)
    };
    let mut peer = WrongPeer::new(&setup, Side::Server);
    for keys in [[true, true], [false, true]] {
        let hello = ClientHello::parse(peer.next_body()).unwrap();
        assert_eq!([b"256", b"384"].map(|identity| offers(&hello, identity)), keys);
        // The hello, and what is said to it.
        peer = peer.deliver().deliver();
    }
}

#[test]
fn what_has_no_key_for_it_is_not_offered() {
    let suites = [SUITES[0], SUITES[2]];
    for psk in [sha384(b"384"), Psk::new(b"", KEY), Psk::imported(b"", KEY, b"")] {
        let client = ClientConfig::builder(PROVIDER).suites(&suites).psks([psk.clone()]).build().unwrap();
        let server = ServerConfig::builder(PROVIDER).suites(&suites).psks([psk.clone()]).build().unwrap();
        assert_eq!(connect(&Setup::new(client, server)).0, ProtocolVersion::DTLS1_2);
        let only13 = ClientConfig::builder(PROVIDER).versions(&[ProtocolVersion::DTLS1_3]).suites(&suites);
        assert_eq!(only13.psks([psk]).build().unwrap_err(), ConfigError::NoPsk);
    }
}

/// The external key's own hash makes the imported key (RFC 9258 §5.1).
#[test]
fn an_imported_key_depends_on_the_hash_of_the_external_key() {
    let psk = |hash| Psk::imported(b"id", KEY, b"").hash(hash);
    let mut ends = Vec::new();
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
        let client = ClientConfig::builder(PROVIDER).suites(&SUITES).psks([Psk::imported(b"id", KEY, b"")]);
        let server = ServerConfig::builder(PROVIDER).suites(&SUITES).psks([psk(hash)]).build().unwrap();
        let mut pair = Pair::new(&Setup::new(client.build().unwrap(), server), Faults::default());
        ends.push(pair.run_until(Duration::from_secs(5), |pair| pair.ends.connected()));
    }
    assert_eq!(ends, [true, false]);
}

#[test]
fn an_imported_identity_must_fit_its_length() {
    let psk = Psk::imported(&[b'x'; 40_000], KEY, &[b'y'; 40_000]);
    let client = ClientConfig::builder(PROVIDER).psks([psk]).build();
    assert_eq!(client.unwrap_err(), ConfigError::IdentityTooLong);
}

/// Groups never go without shares, if only an empty list of them (RFC 8446 §9.2).
#[test]
fn groups_for_another_version_bring_an_empty_list_of_shares() {
    let client = ClientConfig::builder(PROVIDER).suites(&SUITES).psk_modes(&[PskMode::PskOnly]);
    let client = client.psk(b"id", KEY).build().unwrap();
    let server = ServerConfig::builder(PROVIDER).suites(&SUITES).psk_modes(&[PskMode::PskOnly]);
    let server = server.psk_table([(&b"id"[..], KEY)]).build().unwrap();
    let mut pair = Pair::new(&Setup::new(client, server), Faults::default());
    let hello = pair.network.sent()[0].bytes.clone();
    let empty = [0, 51, 0, 2, 0, 0];
    assert!(hello.windows(6).any(|window| window == empty), "{hello:02x?}");
    pair.connect();
}
