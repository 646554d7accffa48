//! Which suites there are: none that DTLS forbids, each with all that its version needs, and nobody offers or picks another.

use dtls_core::{
    AlertDescription as Alert, CipherSuite, ClientConfig, ConfigError, PeerIncompatible, ServerConfig,
    all_suites,
    crypto::{Aead, AeadAlgorithm, Hash, HashAlgorithm, Provider},
    internals::SuiteParts,
};
use ideal_crypto::{IdealAead, IdealHash, PROVIDER};
use model_tests::{
    KEY, Recipe, Setup, Side,
    wrong_peer::{ClientHello, WrongPeer},
};

/// RFC 8446 §B.4. All are DTLS-OK in the registry.
const SUITES13: [u16; 5] = [0x1301, 0x1302, 0x1303, 0x1304, 0x1305];
/// PSK and ECDHE_PSK with AEADs: RFC 5487, RFC 6655, RFC 7905, RFC 8442. All are DTLS-OK in the registry.
const SUITES12: [u16; 12] =
    [0x00a8, 0x00a9, 0xc0a4, 0xc0a5, 0xc0a8, 0xc0a9, 0xccab, 0xccac, 0xd001, 0xd002, 0xd003, 0xd005];
/// Suites with 8-byte tags.
const SHORT_TAGS: [u16; 4] = [0x1305, 0xc0a8, 0xc0a9, 0xd003];
/// The signal of secure renegotiation.
const SCSV: u16 = 0x00ff;

/// RC4; static RSA; finite fields; static ECDH; CBC; no encryption; no authentication.
const FORBIDDEN: [u16; 16] = [
    0x008a, 0x0005, 0xc033, 0x009c, 0x002f, 0x00ac, 0x0093, 0x00aa, 0xc0a6, 0x009e, 0xc02d, 0xc005, 0x00ae,
    0xc037, 0x002c, 0x0034,
];

fn all() -> Vec<CipherSuite> {
    SUITES13.into_iter().chain(SUITES12).map(CipherSuite).collect()
}

/// 6347-7-suites-1, 9147-5.3-suite-1, 6347-4.1.2.2-rc4-1, 6347-4.1.2.1-mac-4, 10015-kx-1, 10015-kx-2, 10015-kx-3
#[test]
fn there_are_no_others() {
    let sorted = |mut ids: Vec<CipherSuite>| {
        ids.sort_unstable_by_key(|id| id.0);
        ids
    };
    assert_eq!(sorted(all_suites().collect()), sorted(all()));
    for id in FORBIDDEN.map(CipherSuite) {
        let client = ClientConfig::builder(PROVIDER).suites(&[id]).psk(b"id", KEY).build();
        assert_eq!(client.err(), Some(ConfigError::UnknownSuite), "{id:?}");
        let server = ServerConfig::builder(PROVIDER).suites(&[id]).psk_deferred().build();
        assert_eq!(server.err(), Some(ConfigError::UnknownSuite), "{id:?}");
    }
}

#[test]
fn nobody_offers_or_picks_a_forbidden_one() {
    let recipe = Recipe { suites: all(), importer: Some(Vec::new()), ..Recipe::new(PROVIDER) };
    let offered = offered(&recipe.setup());
    assert!(offered.iter().all(|id| *id == SCSV || all().contains(&CipherSuite(*id))), "{offered:04x?}");

    let mut recipe = recipe;
    recipe.listener.cookies = false;
    let setup = Setup { client: Recipe::new(PROVIDER).setup().client, ..recipe.setup() };
    let suites: Vec<u8> = FORBIDDEN.into_iter().chain([SCSV]).flat_map(u16::to_be_bytes).collect();
    WrongPeer::new(&setup, Side::Server)
        .client_hello(|hello| hello.cipher_suites = suites)
        .deliver()
        .assert_refused(PeerIncompatible::NoCommonSuite, Alert::HandshakeFailure);
}

/// 9147-4.5.3-ccm8-1
#[test]
fn short_tags_are_offered_on_demand_only() {
    let client = ClientConfig::builder(PROVIDER).psk(b"id", KEY).build().unwrap();
    let server = ServerConfig::builder(PROVIDER).psk_table([(&b"id"[..], KEY)]).build().unwrap();
    let by_default = offered(&Setup::new(client, server));
    assert!(!by_default.iter().any(|id| SHORT_TAGS.contains(id)), "{by_default:04x?}");
    let server = || ServerConfig::builder(PROVIDER).psk_table([(&b"id"[..], KEY)]);
    let client = ClientConfig::builder(PROVIDER).coap_suites().psk(b"id", KEY).build().unwrap();
    let for_coap = offered(&Setup::new(client, server().build().unwrap()));
    assert!(for_coap.contains(&0xc0a8) && !for_coap.contains(&0x1305), "{for_coap:04x?}");

    // A server picks none either.
    let client = Recipe { suites: vec![CipherSuite(0x1305)], ..Recipe::new(PROVIDER) }.setup().client;
    WrongPeer::new(&Setup::new(client, server().build().unwrap()), Side::Server)
        .deliver()
        .assert_turned_away(Alert::HandshakeFailure);
}

/// Unless configured otherwise, what is offered is what the provider has.
#[test]
fn what_the_provider_lacks_is_not_offered() {
    static AEADS: [&dyn Aead; 3] = [
        &IdealAead::new(AeadAlgorithm::Aes128Gcm),
        &IdealAead::new(AeadAlgorithm::Aes256Gcm),
        &IdealAead::new(AeadAlgorithm::Aes128Ccm8),
    ];
    static HASHES: [&dyn Hash; 1] = [&IdealHash::new(HashAlgorithm::Sha256)];
    let few = Provider { aeads: &AEADS, hashes: &HASHES, ..PROVIDER };
    let client = ClientConfig::builder(few).psk(b"id", KEY).build().unwrap();
    let server = ServerConfig::builder(PROVIDER).psk_table([(&b"id"[..], KEY)]).build().unwrap();
    let mut offered = offered(&Setup::new(client, server));
    offered.sort_unstable();
    assert_eq!(offered, [0x00a8, SCSV, 0x1301, 0xd001], "{offered:04x?}");
}

/// How many records a key may protect, and how many may fail, as RFC 9147 §4.5.3 and §B.2 have it.
///
/// 9147-4.5.3-suite-1, 9147-4.2.3-suite-1
#[test]
fn every_suite_of_dtls13_has_limits_and_a_mask() {
    use AeadAlgorithm as A;
    let root_of_two = |exponent: f64| exponent.exp2() as u64;
    for id in SUITES13 {
        let (aead, _) = SuiteParts::find13(CipherSuite(id)).unwrap();
        let (protected, failed) = match aead {
            A::Aes128Gcm | A::Aes256Gcm => (root_of_two(24.5), 1 << 36),
            A::Aes128Ccm => (1 << 23, root_of_two(23.5)),
            A::Aes128Ccm8 => (1 << 23, 1 << 7),
            A::ChaCha20Poly1305 => (1 << 48, 1 << 36),
            // A suite that is made of neither AES nor ChaCha20 has no mask (RFC 9147 §4.2.3).
            other => panic!("{other:?} has no figures in the RFC"),
        };
        assert_eq!((aead.confidentiality_limit(), aead.integrity_limit()), (protected, failed), "{aead:?}");
    }
}

/// The suites of the first hello.
fn offered(setup: &Setup) -> Vec<u16> {
    let peer = WrongPeer::new(setup, Side::Client);
    let hello = ClientHello::parse(peer.next_body()).unwrap();
    hello.cipher_suites.chunks(2).map(|id| u16::from_be_bytes([id[0], id[1]])).collect()
}
