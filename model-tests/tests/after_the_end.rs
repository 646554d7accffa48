//! After a fatal alert or close_notify, at whatever step of a handshake of either version, an end goes on with nothing: it
//! completes no handshake, sends nothing but an alert, and delivers nothing. And a server that has failed with one client serves the next.

use core::cell::Cell;

use dtls_core::{AlertDescription, CipherSuite, ContentType, EndpointLimits, PskMode, TraceEvent};
use ideal_crypto::{PROVIDER, World};
use model_tests::{
    Recipe, Setup, Side,
    crowd::{Crowd, VERSIONS, address},
    schedule::Step,
    wrong_peer::WrongPeer,
};

fn setups() -> [Setup; 2] {
    let in12 = Recipe { suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8], ..Recipe::new(PROVIDER) };
    [in12.setup(), Recipe::new13(PROVIDER, PskMode::PskDhe).setup()]
}

/// The honest peer, unaware, goes on until it has nothing to say any more.
fn go_on(peer: &mut WrongPeer) {
    for _ in 0..200 {
        let idle = peer.script.mailbox.live().is_empty();
        peer.script.apply(if idle { &Step::NextTimer } else { &Step::Deliver(0) });
    }
}

#[test]
fn nothing_goes_on_after_an_alert() {
    let mut steps = 0;
    for setup in setups() {
        for victim in Side::BOTH {
            let mut peer = WrongPeer::new(&setup, victim);
            loop {
                let before = peer.clone();
                let is_last = before.script.ends.connected();
                if before.end().is_some() {
                    steps += 1;
                    for alert in [[2, 40], [1, 0], [2, 0]] {
                        end(before.clone(), victim, alert);
                    }
                }
                if is_last {
                    break;
                }
                let count = Cell::new(0);
                peer = peer.until(|_| count.replace(count.get() + 1) == 1);
            }
        }
    }
    println!("{steps} steps, three alerts each");
    assert!(steps > 20);
}

fn end(peer: WrongPeer, victim: Side, alert: [u8; 2]) {
    let epoch = peer.end().unwrap().connection().read_epoch();
    // A peer that cannot alert under the keys which the victim reads has not got there itself.
    let can = epoch == 0
        || peer.clone().script.ends.forge(victim.peer(), epoch, ContentType::ALERT, &alert).is_some();
    if !can {
        return;
    }
    let mut peer = peer.record(epoch, ContentType::ALERT, &alert);
    let what = format!("{victim} {alert:?} in epoch {epoch}");
    assert!(peer.end().unwrap().closed().is_some(), "{what}");
    let connected = peer.end().unwrap().connected();
    peer.script.ends.take_trace(victim);
    go_on(&mut peer);
    let end = peer.end().unwrap();
    assert_eq!(end.connected(), connected, "{what}");
    assert!(end.delivered().is_empty(), "{what}");
    for event in peer.script.ends.take_trace(victim) {
        // A server that was connected may still owe its last flight to a client that closes without having got it.
        let of_no_weight = match event {
            TraceEvent::RecordSent { content, .. } => content == ContentType::ALERT,
            TraceEvent::MessageProcessed { .. } | TraceEvent::MessageQueued { .. } => false,
            TraceEvent::Delivered { .. } | TraceEvent::Established => false,
            _ => true,
        };
        assert!(of_no_weight, "{what}: {event:?}");
    }
}

/// Handshakes that end at each of their steps, by an alert of either side or because the client is gone; then one that does not.
#[test]
fn a_failed_handshake_leaves_nothing_behind() {
    for version in VERSIONS {
        for by in [Some(Side::Client), Some(Side::Server), None] {
            World::unchecked().run(|| {
                let mut crowd = Crowd::new(PROVIDER, EndpointLimits::default());
                let from = address(7);
                let mut buffer = [0; 2048];
                for datagrams in 1..4 {
                    let mut client = crowd.client(version);
                    let mut handle = None;
                    for _ in 0..datagrams {
                        let Some(datagram) = client.poll_transmit(crowd.now, &mut buffer) else { break };
                        let mut replies = Vec::new();
                        handle = crowd
                            .receive(&from, datagram, |_, reply| replies.push(reply.to_vec()))
                            .or(handle);
                        for mut reply in replies {
                            crowd.tell(&mut client, &mut reply);
                        }
                    }
                    match (by, handle) {
                        (Some(Side::Client), _) => {
                            client.abort(AlertDescription::InternalError);
                            while let Some(datagram) = client.poll_transmit(crowd.now, &mut buffer) {
                                crowd.receive(&from, datagram, |_, _| {});
                            }
                        }
                        (Some(Side::Server), Some(handle)) => {
                            let connection = crowd.endpoint.connection_mut(handle).unwrap();
                            connection.abort(AlertDescription::InternalError);
                            crowd.transmit(|_, _| {});
                        }
                        _ => {}
                    }
                    let mut next = crowd.client(version);
                    crowd.connect(&from, &mut next);
                    let handle = crowd.echo(&from, &mut next, b"served", &mut buffer);
                    crowd.endpoint.close(handle);
                    crowd.transmit(|_, _| {});
                }
                crowd.now = crowd.now.after(core::time::Duration::from_secs(600));
                crowd.endpoint.handle_timeout(crowd.now);
                crowd.transmit(|_, _| {});
                let stats = crowd.endpoint.stats();
                assert_eq!((stats.connections, stats.handshakes, stats.handshake_bytes), (0, 0, 0));
                assert_eq!(crowd.endpoint.poll_timeout(), None, "{version:?} {by:?}");
            });
        }
    }
}
