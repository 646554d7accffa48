//! Configurations that cannot work are refused when they are built; all others, however odd, work or end.

use core::time::Duration;

use dtls_core::{
    Arc, CipherSuite, ClientConfig, ConfigError, Limits, Listener, ListenerLimits, MAX_PSK_LEN, MIN_MTU,
    NamedGroup, ServerConfig, crypto::Provider,
};
use ideal_crypto::{PROVIDER, World};
use model_tests::{Pair, Recipe, Side};
use simulated_network::Faults;

const NANOSECOND: Duration = Duration::from_nanos(1);

fn client(change: impl FnOnce(&mut Limits)) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut limits = Limits::default();
    change(&mut limits);
    ClientConfig::builder(PROVIDER).limits(limits).psk(b"id", b"key").build()
}

fn server(change: impl FnOnce(&mut ListenerLimits)) -> Result<Arc<ServerConfig>, ConfigError> {
    let mut limits = ListenerLimits::default();
    change(&mut limits);
    ServerConfig::builder(PROVIDER).psk_table([(&b"id"[..], &b"key"[..])]).listener(limits).build()
}

/// A setting, what is wrong with it, and how it is refused.
type Refusal = (&'static str, fn(&mut Limits), ConfigError);

#[test]
fn limits_that_cannot_work_are_refused() {
    let refusals: [Refusal; 16] = [
        ("mtu", |l| l.mtu = MIN_MTU - 1, ConfigError::MtuTooSmall),
        ("mtu", |l| l.mtu = 0, ConfigError::MtuTooSmall),
        ("replay_window", |l| l.replay_window = 0, ConfigError::ReplayWindow),
        ("replay_window", |l| l.replay_window = 65, ConfigError::ReplayWindow),
        ("replay_window", |l| l.replay_window = 1088, ConfigError::ReplayWindow),
        ("initial_rto", |l| l.initial_rto = Duration::ZERO, ConfigError::Timeout),
        // Time has microseconds: less is no wait at all, and its retransmissions would go out back to back.
        ("initial_rto", |l| l.initial_rto = NANOSECOND * 999, ConfigError::Timeout),
        ("max_rto", |l| l.max_rto = Duration::from_millis(999), ConfigError::Timeout),
        ("handshake_timeout", |l| l.handshake_timeout = Duration::ZERO, ConfigError::Timeout),
        ("inbox_bytes", |l| l.inbox_bytes = (16 << 10) - 1, ConfigError::Reassembly),
        ("inbox_bytes", |l| (l.inbox_bytes, l.max_handshake_message) = (0, 0), ConfigError::Reassembly),
        ("max_handshake_message", |l| l.max_handshake_message = 127, ConfigError::Reassembly),
        ("message_window", |l| l.message_window = 0, ConfigError::Reassembly),
        ("message_window", |l| l.message_window = u16::MAX, ConfigError::Reassembly),
        ("holes", |l| l.holes = 0, ConfigError::Reassembly),
        ("holes", |l| l.holes = usize::MAX, ConfigError::Reassembly),
    ];
    for (name, change, error) in refusals {
        assert_eq!(client(change).err(), Some(error), "{name}");
    }
    assert_eq!(server(|l| l.cookie_rotation = Duration::ZERO).err(), Some(ConfigError::Timeout));
    assert_eq!(server(|l| l.hello_slots = 4097).err(), Some(ConfigError::PoolLimit));
    assert_eq!(server(|l| l.hello_bytes = usize::MAX).err(), Some(ConfigError::PoolLimit));
}

#[test]
fn keys_suites_and_groups_that_cannot_work_are_refused() {
    let build =
        |identity: &[u8], key: &[u8]| ClientConfig::builder(PROVIDER).psk(identity, key).build().err();
    assert_eq!(build(b"id", b""), Some(ConfigError::PskEmpty));
    assert_eq!(build(b"id", &[1; MAX_PSK_LEN + 1]), Some(ConfigError::PskTooLong));
    assert_eq!(build(b"id", &[1; MAX_PSK_LEN]), None);
    assert_eq!(build(&[1; 65_536], b"key"), Some(ConfigError::IdentityTooLong));
    let table =
        |identity: &[u8]| ServerConfig::builder(PROVIDER).psk_table([(identity, &b"key"[..])]).build().err();
    assert_eq!(table(&[1; 513]), Some(ConfigError::IdentityTooLong));
    assert_eq!(table(&[1; 512]), None);
    let empty: [(&[u8], &[u8]); 0] = [];
    assert_eq!(ServerConfig::builder(PROVIDER).psk_table(empty).build().err(), Some(ConfigError::NoPsk));

    let suites = |provider: Provider, suites: &[CipherSuite]| {
        ClientConfig::builder(provider).suites(suites).psk(b"id", b"key").build().err()
    };
    let ecdhe = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256;
    assert_eq!(suites(PROVIDER, &[]), Some(ConfigError::NoSuites));
    assert_eq!(suites(PROVIDER, &[CipherSuite(0x1399)]), Some(ConfigError::UnknownSuite));
    assert_eq!(
        suites(PROVIDER, &[CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV]),
        Some(ConfigError::UnknownSuite)
    );
    for suite in [ecdhe, CipherSuite::TLS_AES_128_GCM_SHA256] {
        for lacking in [Provider { aeads: &[], ..PROVIDER }, Provider { hashes: &[], ..PROVIDER }] {
            assert_eq!(suites(lacking, &[suite]), Some(ConfigError::UnsupportedSuite), "{suite:?}");
        }
    }
    assert_eq!(suites(Provider { groups: &[], ..PROVIDER }, &[ecdhe]), Some(ConfigError::NoGroups));
    let groups = |groups: &[NamedGroup]| {
        ClientConfig::builder(PROVIDER).groups(groups).psk(b"id", b"key").build().err()
    };
    assert_eq!(groups(&[NamedGroup(0x0018)]), Some(ConfigError::UnsupportedGroup));
    assert_eq!(groups(&[]), Some(ConfigError::NoGroups));
}

/// The largest and the smallest of everything that is accepted, all at once.
#[test]
fn extremes_that_are_accepted_connect() {
    let mut largest = Limits::default();
    largest.mtu = usize::MAX;
    largest.initial_rto = Duration::MAX;
    largest.max_rto = Duration::MAX;
    largest.max_retransmissions = u8::MAX;
    largest.handshake_timeout = Duration::MAX;
    largest.last_flight_kept = Duration::MAX;
    largest.replay_window = 1024;
    largest.inbox_bytes = usize::MAX;
    largest.max_handshake_message = usize::MAX;
    largest.message_window = 64;
    largest.holes = 1024;
    largest.max_psk_identity = usize::MAX;
    largest.pack_plain_records = true;
    let mut smallest = Limits::default();
    smallest.mtu = MIN_MTU;
    smallest.initial_rto = Duration::from_micros(1);
    smallest.max_rto = Duration::from_micros(1);
    smallest.handshake_timeout = Duration::from_secs(1);
    smallest.max_retransmissions = 0;
    smallest.last_flight_kept = Duration::ZERO;
    smallest.inbox_bytes = 256;
    smallest.max_handshake_message = 256;
    smallest.message_window = 1;
    smallest.holes = 1;
    smallest.max_psk_identity = 4;
    let mut listener = ListenerLimits::default();
    listener.cookie_rotation = NANOSECOND;
    (listener.hello_slots, listener.hello_bytes) = (1, 0);
    for limits in [largest, smallest] {
        // On a link without any delay nothing has to be sent twice.
        let listener = listener.clone();
        let link = Faults { delay: Duration::ZERO, ..Faults::default() };
        let mut pair = Pair::new(&Recipe { limits, listener, ..Recipe::new(PROVIDER) }.setup(), link);
        pair.run_for(Duration::from_millis(1));
        assert!(pair.ends.connected(), "{}", pair.diagram());
        pair.send(Side::Client, b"reading");
        pair.run_for(Duration::from_millis(1));
        assert_eq!(pair.ends.end(Side::Server).unwrap().delivered(), [b"reading"]);
    }
}

#[test]
fn the_largest_pool_is_made() {
    World::unchecked().run(|| {
        let config = server(|l| (l.hello_slots, l.hello_bytes) = (2, 128 << 10)).unwrap();
        assert!(Listener::new(config).is_ok());
    });
}
