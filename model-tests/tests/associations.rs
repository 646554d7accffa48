//! Peers of an endpoint are told apart by their addresses: nothing that comes from elsewhere moves one, no datagram has records
//! for two of them, and nobody's hello gets in the way of another's handshake.

use dtls_core::{Connection, EndpointLimits, Event, ProtocolVersion};
use ideal_crypto::World;
use model_tests::{
    crowd::{Crowd, VERSIONS, address},
    wire::records,
};

fn crowd() -> Crowd {
    Crowd::new(ideal_crypto::PROVIDER, EndpointLimits::default())
}

/// A record that only the peer can have sealed, from another address.
///
/// 9147-11-addr-1
#[test]
fn a_genuine_record_from_elsewhere_moves_nobody() {
    for version in VERSIONS {
        World::unchecked().run(|| {
            let mut crowd = crowd();
            let (home, elsewhere, mut buffer) = (address(1), address(2), [0; 256]);
            let mut client = crowd.client(version);
            let handle = crowd.connect(&home, &mut client);
            // Somebody else has a connection there, or nobody has.
            for there in [None, Some(crowd.client(version))] {
                if let Some(mut other) = there {
                    crowd.connect(&elsewhere, &mut other);
                }
                for _ in 0..3 {
                    let len = client.send(b"on the move", &mut buffer).unwrap();
                    crowd.receive(&elsewhere, &mut buffer[..len], |to, _| panic!("an answer to {to:?}"));
                    assert_eq!(crowd.data, b"");
                    assert_eq!(crowd.endpoint.peer(handle), Some(&home));
                    crowd.echo(&home, &mut client, b"at home", &mut buffer);
                }
                // What the endpoint has to say goes to where the peer is.
                crowd.endpoint.connection_mut(handle).unwrap();
                crowd.transmit(|to, _| assert_eq!(*to, home));
            }
            crowd.endpoint.close(handle);
            let mut sent = 0;
            crowd.transmit(|to, _| {
                assert_eq!(*to, home);
                sent += 1;
            });
            assert_eq!(sent, 1);
        });
    }
}

/// Two connections with one address, both with something to send at the same moment.
///
/// 9147-4-hdr-5
#[test]
fn no_datagram_has_records_of_two_connections() {
    for version in VERSIONS {
        World::unchecked().run(|| {
            let mut crowd = crowd();
            let from = address(7);
            let mut client = crowd.client(version);
            let accepted = crowd.connect(&from, &mut client);
            let config = crowd.config(version);
            let begun = crowd.endpoint.connect(config, from, crowd.now, &mut crowd.rng).unwrap();
            crowd.endpoint.close(accepted);
            let mut sent = Vec::new();
            crowd.transmit(|to, datagram| {
                assert_eq!(*to, from);
                sent.push(datagram.to_vec());
            });
            // A ClientHello in plaintext and a protected close_notify.
            let mut epochs: Vec<Vec<u16>> = sent
                .iter()
                .map(|datagram| records(datagram).map(|record| record.epoch()).collect())
                .collect();
            epochs.sort();
            let protected = if version == ProtocolVersion::DTLS1_2 { 1 } else { 3 };
            assert_eq!(epochs, [vec![0], vec![protected]], "{version:?}");
            assert!(crowd.endpoint.connection(begun).is_some());
        });
    }
}

/// Hellos that nobody could answer, from the address of a handshake that is going on: with a suite that nobody knows, with an old
/// version, without a cookie or with that of another address, in numbers.
#[test]
fn forged_hellos_do_not_disturb_a_handshake() {
    for version in VERSIONS {
        for forged in VERSIONS {
            World::default().run(|| race(version, forged));
        }
    }
}

fn race(version: ProtocolVersion, forged: ProtocolVersion) {
    let mut crowd = crowd();
    let from = address(7);
    let hellos = forgeries(&mut crowd, forged);
    let mut client = crowd.client(version);
    let mut buffer = [0; 2048];
    while let Some(datagram) = client.poll_transmit(crowd.now, &mut buffer) {
        for hello in &hellos {
            crowd.receive(&from, &mut hello.clone(), |_, _| {});
        }
        let mut replies = Vec::new();
        crowd.receive(&from, datagram, |_, reply| replies.push(reply.to_vec()));
        for hello in &hellos {
            crowd.receive(&from, &mut hello.clone(), |_, _| {});
        }
        for mut reply in replies {
            crowd.tell(&mut client, &mut reply);
        }
    }
    assert!(client.is_established(), "{version:?} {forged:?}");
    let handle = crowd.endpoint.established(&from).expect("the endpoint, too");
    crowd.echo(&from, &mut client, b"undisturbed", &mut buffer);
    let told: Vec<_> =
        crowd.events.iter().filter(|event| event.peer == from).map(|e| (e.connection, &e.event)).collect();
    assert_eq!(told, [(handle, &Event::Connected)]);
    assert_eq!(crowd.endpoint.stats().connections, 1);
}

/// Hellos made from those of a client elsewhere.
fn forgeries(crowd: &mut Crowd, version: ProtocolVersion) -> Vec<Vec<u8>> {
    let mut elsewhere = crowd.client(version);
    let contact = first_two(crowd, &mut elsewhere);
    let mut hellos = contact.to_vec();
    for hello in contact {
        let mut bad_suite = hello.clone();
        // Behind version, random, session_id: cookie, then suites.
        let cookie = usize::from(hello[60]);
        bad_suite[61 + cookie + 2..][..2].fill(0xee);
        let mut bad_version = hello.clone();
        bad_version[26] = 0xff;
        let mut cut = hello.clone();
        cut.truncate(hello.len() - 5);
        let mut later = hello;
        later[18] = 9;
        hellos.extend([bad_suite, bad_version, cut, later]);
    }
    hellos
}

/// The hello without a cookie and the one with it, of a client at another address.
fn first_two(crowd: &mut Crowd, client: &mut Connection) -> [Vec<u8>; 2] {
    let mut buffer = [0; 2048];
    let first = client.poll_transmit(crowd.now, &mut buffer).unwrap().to_vec();
    let mut replies = Vec::new();
    crowd.receive(&address(9), &mut first.clone(), |_, reply| replies.push(reply.to_vec()));
    crowd.tell(client, &mut replies[0]);
    let second = client.poll_transmit(crowd.now, &mut buffer).unwrap().to_vec();
    [first, second]
}
