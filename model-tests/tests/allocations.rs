//! An established connection sends and receives without allocating, and its heap stays flat.

use allocation_counter::{AllocationInfo, measure};
use dtls_core::{CipherSuite, Connection, Instant, crypto::Provider};
use ideal_crypto::World;
use model_tests::{Pair, Prng, Recipe, Setup, Side};
use simulated_network::Faults;

const RECORDS: usize = 100_000;

/// Two connected connections, client first, the time, and what they share with others.
fn connected(provider: Provider, suite: CipherSuite) -> ([Connection; 2], Instant, Setup) {
    let setup: Setup = Recipe { suites: vec![suite], ..Recipe::new(provider) }.setup();
    let mut pair = Pair::new(&setup, Faults::default());
    pair.connect();
    pair.run_for(core::time::Duration::from_millis(100));
    let now = pair.ends.now();
    (pair.ends.into_connections().expect("both exist"), now, setup)
}

/// One record from `from` to `to`, opened and compared.
fn transfer(from: &mut Connection, to: &mut Connection, now: Instant, buffer: &mut [u8], data: &[u8]) {
    let len = from.send(data, buffer).unwrap();
    let mut rng = Prng::new(0);
    let mut incoming = to.handle_datagram(now, &mut rng, &mut buffer[..len]);
    let received = incoming.next_data().unwrap().expect("one record");
    assert_eq!(received.bytes, data);
    assert!(incoming.next_data().unwrap().is_none());
}

fn assert_nothing_allocated(info: &AllocationInfo, what: &str) {
    println!("{what}: {} allocations, {} bytes live more than before", info.count_total, info.bytes_current);
    assert_eq!((info.count_total, info.bytes_current), (0, 0), "{what}");
}

/// Sends records by turns in the directions of `from`, measured.
fn run(provider: Provider, suite: CipherSuite, from: &[Side], records: usize) -> AllocationInfo {
    let ([mut client, mut server], now, _setup) = connected(provider, suite);
    let mut buffer = [0; 256];
    World::unchecked().run(|| {
        measure(|| {
            for i in 0..records {
                let data = i.to_be_bytes();
                match from[i % from.len()] {
                    Side::Client => transfer(&mut client, &mut server, now, &mut buffer, &data),
                    Side::Server => transfer(&mut server, &mut client, now, &mut buffer, &data),
                }
            }
        })
    })
}

#[test]
fn a_hundred_thousand_records_allocate_nothing() {
    for from in [&Side::BOTH[..], &[Side::Client], &[Side::Server]] {
        let info = run(ideal_crypto::PROVIDER, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, from, RECORDS);
        assert_nothing_allocated(&info, &format!("{RECORDS} records, ideal provider, sent by {from:?}"));
    }
}

/// Record numbers take a second byte on the way, and pass the 65,536th.
#[test]
fn a_hundred_thousand_records_of_dtls13_allocate_nothing() {
    for from in [&Side::BOTH[..], &[Side::Client], &[Side::Server]] {
        let info = run(ideal_crypto::PROVIDER, CipherSuite::TLS_AES_128_CCM_SHA256, from, RECORDS);
        assert_nothing_allocated(
            &info,
            &format!("{RECORDS} records of DTLS 1.3, ideal provider, sent by {from:?}"),
        );
    }
    let info = run(dtls_crypto::PROVIDER, CipherSuite::TLS_AES_128_GCM_SHA256, &Side::BOTH, RECORDS);
    assert_nothing_allocated(&info, &format!("{RECORDS} records of DTLS 1.3, RustCrypto, both directions"));
}

#[test]
fn no_real_cipher_allocates() {
    for suite in dtls_core::all_suites() {
        let info = run(dtls_crypto::PROVIDER, suite, &Side::BOTH, 1_000);
        assert_nothing_allocated(&info, &format!("1000 records, {suite:?}"));
    }
}

#[test]
fn a_hundred_thousand_records_of_the_real_provider_allocate_nothing() {
    let info = run(dtls_crypto::PROVIDER, CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256, &Side::BOTH, RECORDS);
    assert_nothing_allocated(&info, &format!("{RECORDS} records, RustCrypto, both directions"));
}

#[test]
fn the_counter_counts() {
    let info = measure(|| core::mem::forget(vec![0_u8; 100]));
    assert_eq!((info.count_total, info.bytes_current), (1, 100));
}

/// Bytes on the heap that belong to one connection alone.
fn heap(connection: Connection) -> i64 {
    -measure(|| drop(connection)).bytes_current
}

/// Prints what an idle session costs; the bound only catches a connection that keeps its handshake.
#[test]
fn an_idle_connection_keeps_no_more_than_its_keys() {
    for suite in [
        CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
        CipherSuite::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_AES_128_CCM_8_SHA256,
        CipherSuite::TLS_AES_128_GCM_SHA256,
        CipherSuite::TLS_AES_256_GCM_SHA384,
        CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
    ] {
        let ([client, mut server], now, _setup) = connected(dtls_crypto::PROVIDER, suite);
        let flight =
            -measure(|| server.handle_timeout(now.after(core::time::Duration::from_secs(240))).unwrap())
                .bytes_current;
        let (client, server) = (heap(client), heap(server));
        let inline = size_of::<Connection>();
        println!(
            "{suite:?}: {inline} bytes and, on the heap, client {client}, server {server}, and {flight} as long as it keeps its last flight"
        );
        assert!(client < 2048 && server < 2048);
    }
}
