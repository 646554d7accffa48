//! Many peers at one endpoint: who is served, who is told apart, who gives way.

use core::time::Duration;
use std::collections::HashSet;

use allocation_counter::measure;
use dtls_core::{
    AddressBytes, AlertDescription, CloseReason, Connection, ConnectionHandle, EndpointLimits, Event,
    ListenerLimits, ProtocolVersion,
};
use ideal_crypto::World;
use model_tests::crowd::{Crowd, VERSIONS, address};

const PEERS: u32 = 10_000;

fn limits(connections: usize) -> EndpointLimits {
    let mut limits = EndpointLimits::default();
    limits.connections = connections;
    limits
}

fn crowd(limits: EndpointLimits) -> Crowd {
    Crowd::new(ideal_crypto::PROVIDER, limits)
}

/// Connected clients, of both versions by turns.
fn connect(crowd: &mut Crowd, peers: u32) -> Vec<(AddressBytes, Connection)> {
    (0..peers)
        .map(|n| {
            let mut client = crowd.client(VERSIONS[n as usize % 2]);
            crowd.connect(&address(n), &mut client);
            crowd.events.clear();
            (address(n), client)
        })
        .collect()
}

fn fingerprint(connection: &Connection) -> u64 {
    use core::hash::Hasher as _;
    let mut hasher = std::hash::DefaultHasher::new();
    connection.fingerprint(&mut hasher);
    hasher.finish()
}

/// The events since the last call, with their connections.
fn events(crowd: &mut Crowd) -> Vec<(ConnectionHandle, Event)> {
    crowd.events.drain(..).map(|event| (event.connection, event.event)).collect()
}

#[test]
fn ten_thousand_peers_connect_and_exchange_data() {
    World::unchecked().run(|| {
        let mut crowd = crowd(limits(PEERS as usize));
        let mut peers = connect(&mut crowd, PEERS);
        let stats = crowd.endpoint.stats();
        assert_eq!((stats.connections, stats.handshakes, stats.evicted), (PEERS as usize, 0, 0));
        assert_eq!((stats.accepted, stats.established), (u64::from(PEERS), u64::from(PEERS)));
        let mut buffer = [0; 256];
        let mut handles = HashSet::new();
        for (n, (from, client)) in peers.iter_mut().enumerate() {
            handles.insert(crowd.echo(from, client, &n.to_be_bytes(), &mut buffer));
        }
        assert_eq!(handles.len(), PEERS as usize);
        assert_eq!(crowd.endpoint.stats().trials, 0, "nothing was tried twice");
    });
}

#[test]
fn established_sessions_allocate_nothing() {
    World::unchecked().run(|| {
        let mut crowd = crowd(limits(100)).unwatched();
        let mut peers = connect(&mut crowd, 100);
        let mut buffer = [0; 256];
        let mut round = |crowd: &mut Crowd| {
            for (n, (from, client)) in peers.iter_mut().enumerate() {
                crowd.echo(from, client, &n.to_be_bytes(), &mut buffer);
            }
        };
        round(&mut crowd);
        let info = measure(|| (0..100).for_each(|_| round(&mut crowd)));
        println!("10,000 echoes of 100 peers: {} allocations", info.count_total);
        assert_eq!((info.count_total, info.bytes_current), (0, 0));
    });
}

/// RFC 6347 §4.2.8, RFC 9147 §5.11: within one handshake, and with the old association alive until then, and not longer.
///
/// 6347-4.2.8-assoc-1, 6347-4.2.8-assoc-3, 9147-5.11-assoc-1, 9147-5.11-assoc-3
#[test]
fn a_client_that_has_rebooted_is_served_within_one_handshake() {
    for old_version in VERSIONS {
        for new_version in VERSIONS {
            World::default().run(|| reboot(old_version, new_version));
        }
    }
}

fn reboot(old_version: ProtocolVersion, new_version: ProtocolVersion) {
    let mut crowd = crowd(limits(10));
    let (from, mut buffer) = (address(7), [0; 2048]);
    let mut first = crowd.client(new_version);
    let expected = crowd.converse(&address(1), &mut first).len();
    let mut old = crowd.client(old_version);
    let old_handle = crowd.connect(&from, &mut old);
    events(&mut crowd);

    let mut new = crowd.client(new_version);
    let mut sent = 0;
    let mut number = 0_u32;
    while let Some(datagram) = new.poll_transmit(crowd.now, &mut buffer) {
        sent += 1;
        let mut replies = Vec::new();
        crowd.receive(&from, datagram, |_, reply| replies.push(reply.to_vec()));
        if crowd.endpoint.connection(old_handle).is_some() {
            number += 1;
            let handle = crowd.echo(&from, &mut old, &number.to_be_bytes(), &mut buffer);
            assert_eq!(handle, old_handle, "the old connection works until the new one is proven");
        }
        for mut reply in replies {
            crowd.tell(&mut new, &mut reply);
        }
    }
    assert!(new.is_established());
    assert_eq!(sent, expected, "{old_version:?} then {new_version:?}: as many datagrams as on first contact");
    assert!(number >= 2, "the old connection was heard during the handshake");
    let new_handle = crowd.endpoint.established(&from).unwrap();
    assert_ne!(new_handle, old_handle);
    let told = events(&mut crowd);
    assert_eq!(told, [(old_handle, Event::Closed(CloseReason::Replaced)), (new_handle, Event::Connected)]);
    assert_eq!(crowd.endpoint.stats().replaced, 1);

    // RFC 6347 §4.2.8: after the new Finished the old association is gone.
    let len = old.send(b"from before", &mut buffer).unwrap();
    let handle = crowd.receive(&from, &mut buffer[..len], |_, _| {});
    assert_eq!((handle, crowd.data.len()), (Some(new_handle), 0), "the old keys open nothing any more");
    crowd.echo(&from, &mut new, b"from after", &mut buffer);
}

/// A hello without a cookie and one with the cookie of another address, from a live peer's address.
///
/// 6347-4.2.8-assoc-2, 9147-5.11-assoc-2
#[test]
fn a_spoofed_client_hello_changes_nothing() {
    for version in VERSIONS {
        World::default().run(|| spoof(version));
    }
}

fn spoof(version: ProtocolVersion) {
    let mut crowd = crowd(limits(10));
    let (from, mut buffer) = (address(7), [0; 2048]);
    let mut client = crowd.client(version);
    let handle = crowd.connect(&from, &mut client);
    events(&mut crowd);
    let before = fingerprint(crowd.endpoint.connection(handle).unwrap());
    for forged in VERSIONS {
        let mut elsewhere = crowd.client(forged);
        let contact = crowd.converse(&address(9), &mut elsewhere);
        let (first, second) = (&contact[0], &contact[1]);
        events(&mut crowd);
        let bytes = crowd.bytes;
        for hello in [first, second] {
            crowd.receive(&from, &mut hello.clone(), |to, _| assert_eq!(*to, from));
        }
        let [more_in, more_out] = [crowd.bytes[0] - bytes[0], crowd.bytes[1] - bytes[1]];
        assert!(more_out <= more_in, "{more_out} bytes out for {more_in} in");
    }
    assert_eq!(events(&mut crowd), []);
    assert_eq!(crowd.endpoint.established(&from), Some(handle));
    assert_eq!(fingerprint(crowd.endpoint.connection(handle).unwrap()), before);
    crowd.echo(&from, &mut client, b"still here", &mut buffer);
}

/// A hello that is repeated belongs to the handshake it began, at every moment.
#[test]
fn repeated_hellos_begin_no_second_handshake() {
    for version in VERSIONS {
        World::default().run(|| repeat(version));
    }
}

fn repeat(version: ProtocolVersion) {
    let mut crowd = crowd(limits(10));
    let from = address(7);
    let mut client = crowd.client(version);
    let hellos = crowd.converse(&from, &mut client);
    let handle = crowd.endpoint.established(&from).unwrap();
    for hello in &hellos {
        crowd.receive(&from, &mut hello.clone(), |_, _| {});
    }
    assert_eq!(crowd.endpoint.established(&from), Some(handle));
    assert_eq!(crowd.endpoint.stats().accepted, 1);
    crowd.echo(&from, &mut client, b"one connection", &mut [0; 256]);
}

/// Begins a handshake from `n` and leaves it when the server has answered the cookie.
fn half_open(crowd: &mut Crowd, n: u32, version: ProtocolVersion) -> ConnectionHandle {
    let mut client = crowd.client(version);
    let mut buffer = [0; 2048];
    for _ in 0..2 {
        let hello = client.poll_transmit(crowd.now, &mut buffer).unwrap();
        let mut replies = Vec::new();
        let handle = crowd.receive(&address(n), hello, |_, reply| replies.push(reply.to_vec()));
        if let Some(handle) = handle {
            return handle;
        }
        crowd.tell(&mut client, &mut replies[0]);
    }
    panic!("not accepted")
}

#[test]
fn the_oldest_handshake_gives_way_and_never_a_connection() {
    for version in VERSIONS {
        World::default().run(|| crush(version));
    }
}

fn crush(version: ProtocolVersion) {
    let mut few = limits(5);
    few.handshakes = 3;
    let mut crowd = crowd(few);
    let mut peers = connect(&mut crowd, 3);
    let half: Vec<_> = (10..14).map(|n| half_open(&mut crowd, n, version)).collect();
    // The first gave way to the third, for want of connections; the second to the fourth.
    let evicted = [half[0], half[1]].map(|handle| (handle, Event::Closed(CloseReason::Evicted)));
    assert_eq!(events(&mut crowd), evicted);
    let stats = crowd.endpoint.stats();
    assert_eq!((stats.connections, stats.handshakes, stats.evicted, stats.refused), (5, 2, 2, 0));
    for (from, client) in &mut peers {
        crowd.echo(from, client, b"established", &mut [0; 256]);
    }
    // Two more that complete fill the endpoint; whoever comes then is refused.
    for n in 20..22 {
        let mut client = crowd.client(version);
        crowd.connect(&address(n), &mut client);
    }
    let mut late = crowd.client(version);
    crowd.converse(&address(30), &mut late);
    assert!(!late.is_established());
    assert_eq!((crowd.endpoint.stats().connections, crowd.endpoint.stats().refused), (5, 1));
    for (from, client) in &mut peers {
        crowd.echo(from, client, b"established", &mut [0; 256]);
    }
}

#[test]
fn bytes_of_handshakes_are_bounded() {
    let mut crowd = crowd(limits(1000));
    half_open(&mut crowd, 0, ProtocolVersion::DTLS1_2);
    let each = crowd.endpoint.stats().handshake_bytes;
    assert!(each > 0);
    let mut tight = limits(1000);
    tight.handshake_bytes = each * 10;
    let mut crowd = Crowd::new(ideal_crypto::PROVIDER, tight);
    for n in 0..100 {
        half_open(&mut crowd, n, ProtocolVersion::DTLS1_2);
        assert!(crowd.endpoint.stats().handshake_bytes <= each * 10);
    }
    let stats = crowd.endpoint.stats();
    assert_eq!((stats.handshakes, stats.evicted), (10, 90));
    let mut client = crowd.client(ProtocolVersion::DTLS1_2);
    crowd.connect(&address(1000), &mut client);
}

/// Lets time pass and serves timers.
fn serve(crowd: &mut Crowd, time: Duration) {
    crowd.now = crowd.now.after(time);
    crowd.endpoint.handle_timeout(crowd.now);
    crowd.transmit(|_, _| {});
}

#[test]
fn handles_end_with_their_connections() {
    let mut crowd = crowd(limits(10));
    let mut seen = HashSet::new();
    for round in 0..20 {
        let mut client = crowd.client(VERSIONS[round % 2]);
        let handle = crowd.connect(&address(7), &mut client);
        assert!(seen.insert(handle), "a handle was given out twice");
        if round % 4 < 2 {
            // Until then a closed connection stays for a peer that may have missed the last flight.
            serve(&mut crowd, Duration::from_secs(241));
        }
        crowd.endpoint.close(handle);
        let mut sent = Vec::new();
        crowd.transmit(|_, datagram| sent.push(datagram.to_vec()));
        assert_eq!(sent.len(), 1, "close_notify");
        crowd.tell(&mut client, &mut sent[0]);
        assert!(client.is_closed());
        let told = events(&mut crowd);
        assert_eq!(told.last(), Some(&(handle, Event::Closed(CloseReason::Local))));
        if round % 4 >= 2 {
            assert!(crowd.endpoint.connection(handle).is_some(), "the last flight may be missed");
            serve(&mut crowd, Duration::from_secs(241));
        }
        assert!(crowd.endpoint.connection(handle).is_none(), "gone with its last datagram");
        assert_eq!(crowd.endpoint.poll_timeout(), None);
    }
    assert_eq!(crowd.endpoint.stats().connections, 0);
}

#[test]
fn idle_peers_are_closed_and_busy_ones_are_not() {
    let mut patient = limits(10);
    patient.idle = Some(Duration::from_secs(60));
    let mut crowd = crowd(patient);
    let mut busy = crowd.client(ProtocolVersion::DTLS1_2);
    let busy_handle = crowd.connect(&address(1), &mut busy);
    let mut idle = crowd.client(ProtocolVersion::DTLS1_2);
    let idle_handle = crowd.connect(&address(2), &mut idle);
    events(&mut crowd);
    for _ in 0..11 {
        serve(&mut crowd, Duration::from_secs(10));
        crowd.echo(&address(1), &mut busy, b"here", &mut [0; 256]);
    }
    assert_eq!(events(&mut crowd), [(idle_handle, Event::Closed(CloseReason::Local))]);
    assert!(crowd.endpoint.connection(busy_handle).is_some());
    serve(&mut crowd, Duration::from_secs(60));
    assert_eq!(events(&mut crowd), [(busy_handle, Event::Closed(CloseReason::Local))]);
}

/// What its first life began is forgotten as soon as its address is proven again.
#[test]
fn a_client_that_reboots_in_its_handshake_is_served_too() {
    for version in VERSIONS {
        World::default().run(|| {
            let mut crowd = crowd(limits(10));
            let first = half_open(&mut crowd, 7, version);
            let mut client = crowd.client(version);
            let second = crowd.connect(&address(7), &mut client);
            let told = [(first, Event::Closed(CloseReason::Replaced)), (second, Event::Connected)];
            assert_eq!(events(&mut crowd), told);
            assert_eq!((crowd.endpoint.stats().connections, crowd.endpoint.stats().handshakes), (1, 0));
            crowd.echo(&address(7), &mut client, b"served", &mut [0; 256]);
        });
    }
}

/// Where the path is said to be valid, a forged hello makes a handshake, and still nothing of it touches what lives.
#[test]
fn without_cookies_a_live_connection_outlasts_forged_hellos() {
    for version in VERSIONS {
        World::default().run(|| forge_without_cookies(version));
    }
}

fn forge_without_cookies(version: ProtocolVersion) {
    let mut trusting = ListenerLimits::default();
    trusting.cookies = false;
    let mut crowd = Crowd::under(ideal_crypto::PROVIDER, limits(10), &trusting);
    let from = address(7);
    let mut client = crowd.client(version);
    let handle = crowd.connect(&from, &mut client);
    events(&mut crowd);
    let before = fingerprint(crowd.endpoint.connection(handle).unwrap());
    let mut buffer = [0; 2048];
    for forged in VERSIONS.into_iter().cycle().take(20) {
        let mut elsewhere = crowd.client(forged);
        let hello = elsewhere.poll_transmit(crowd.now, &mut buffer).unwrap();
        let bytes = crowd.bytes;
        crowd.receive(&from, hello, |_, _| {});
        let [more_in, more_out] = [crowd.bytes[0] - bytes[0], crowd.bytes[1] - bytes[1]];
        assert!(more_out <= 3 * more_in, "RFC 9147 §5.1: at most three times what came");
        assert_eq!(fingerprint(crowd.endpoint.connection(handle).unwrap()), before);
    }
    assert_eq!(
        (crowd.endpoint.stats().connections, crowd.endpoint.stats().handshakes),
        (2, 1),
        "one at most"
    );
    crowd.echo(&from, &mut client, b"still here", &mut buffer);
    // They end by themselves.
    events(&mut crowd);
    for _ in 0..100 {
        serve(&mut crowd, Duration::from_secs(1));
    }
    assert_eq!(crowd.endpoint.stats().connections, 1);
    crowd.echo(&from, &mut client, b"and still", &mut buffer);
}

/// A handshake that failed stays to repeat its alert, and no longer than that.
#[test]
fn a_failed_handshake_stays_for_a_while_and_stands_in_nobodys_way() {
    for version in VERSIONS {
        World::default().run(|| fail(version));
    }
}

fn fail(version: ProtocolVersion) {
    let mut crowd = crowd(limits(2));
    for n in 0..2 {
        let handle = half_open(&mut crowd, n, version);
        crowd.endpoint.connection_mut(handle).unwrap().abort(AlertDescription::InternalError);
        let mut sent = 0;
        crowd.transmit(|to, _| sent += usize::from(*to == address(n)));
        assert_eq!(sent, 1, "the alert");
    }
    assert_eq!((crowd.endpoint.stats().connections, crowd.endpoint.stats().handshakes), (2, 0));
    // Its peer begins again, and another comes as well.
    let mut clients = [1, 5].map(|n| (address(n), crowd.client(version)));
    for (from, client) in &mut clients {
        crowd.connect(from, client);
    }
    assert_eq!(crowd.endpoint.stats().connections, 2);
    assert_eq!(crowd.endpoint.stats().evicted, 0, "what was over already is not told again");
    let mut late = crowd.client(version);
    crowd.converse(&address(6), &mut late);
    assert!(!late.is_established());

    let mut crowd = Crowd::new(ideal_crypto::PROVIDER, limits(2));
    World::default().run(|| {
        let handle = half_open(&mut crowd, 0, version);
        crowd.endpoint.connection_mut(handle).unwrap().abort(AlertDescription::InternalError);
        serve(&mut crowd, Duration::from_secs(9));
        assert_eq!(crowd.endpoint.stats().connections, 1);
        serve(&mut crowd, Duration::from_secs(2));
        assert_eq!((crowd.endpoint.stats().connections, crowd.endpoint.poll_timeout()), (0, None));
    });
}

/// An alert for which an address that has not proved itself has not sent enough (RFC 9147 §5.1) is not waited for.
#[test]
fn an_alert_that_must_not_be_sent_keeps_nothing() {
    for version in VERSIONS {
        for close in [false, true] {
            let left = (0..40).map(|more| World::default().run(|| end_without_means(version, close, more)));
            let unsent = left.filter(|left| *left < 15).count();
            assert!(unsent > 2, "{unsent} had no means");
        }
    }
}

/// Ends a handshake after its flight was sent as often as it may; returns the bytes that were left for the alert.
fn end_without_means(version: ProtocolVersion, close: bool, more: usize) -> usize {
    let mut trusting = ListenerLimits::default();
    trusting.cookies = false;
    let mut crowd = Crowd::under(ideal_crypto::PROVIDER, limits(10), &trusting);
    let mut client = crowd.client(version);
    let mut buffer = [0; 2048];
    let hello = client.poll_transmit(crowd.now, &mut buffer).unwrap();
    let handle = crowd.receive(&address(7), hello, |_, _| {}).unwrap();
    // Noise counts as well.
    crowd.receive(&address(7), &mut buffer[..more], |_, _| {});
    for _ in 0..40 {
        serve(&mut crowd, Duration::from_secs(1));
    }
    let connection = crowd.endpoint.connection_mut(handle).unwrap();
    let left = connection.allowance();
    match close {
        true => connection.close(),
        false => connection.abort(AlertDescription::InternalError),
    }
    for _ in 0..12 {
        serve(&mut crowd, Duration::from_secs(1));
        let due = crowd.endpoint.poll_timeout();
        assert!(due.is_none_or(|at| at > crowd.now), "L3: {left} bytes were left");
    }
    assert_eq!(crowd.endpoint.stats().connections, 0, "{left} bytes were left");
    left
}
