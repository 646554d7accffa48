//! Two endpoints that connect to each other: two connections between the same addresses, told apart by their keys.

use core::time::Duration;

use dtls_core::{
    AddressBytes, AlertDescription, CloseReason, ConnectionHandle, Discard, EndpointLimits, Event,
    ListenerLimits, PeerEvent, ProtocolVersion, Routed,
};
use ideal_crypto::World;
use model_tests::crowd::{Crowd, VERSIONS, address};

/// handshake_failure, unprotected (RFC 6347 §4.1, RFC 5246 §7.2).
const ALERT: [u8; 15] = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];

/// Two endpoints by number, each at the address of that number.
struct Two {
    ends: [Crowd; 2],
    /// Datagrams under way, with where they go to.
    wire: Vec<(usize, Vec<u8>)>,
    delivered: [Vec<(ConnectionHandle, Vec<u8>)>; 2],
}

fn at(end: usize) -> AddressBytes {
    address(end as u32)
}

impl Two {
    fn new() -> Self {
        Self::under(&ListenerLimits::default())
    }

    fn under(listener: &ListenerLimits) -> Self {
        let limits = EndpointLimits::default();
        let mut ends = [0, 1].map(|_| Crowd::under(ideal_crypto::PROVIDER, limits.clone(), listener));
        ends[1].rng = ends[0].rng.split();
        Self { ends, wire: Vec::new(), delivered: [Vec::new(), Vec::new()] }
    }

    fn connect(&mut self, from: usize, version: ProtocolVersion) -> ConnectionHandle {
        let config = self.ends[1 - from].config(version);
        let Crowd { endpoint, rng, now, .. } = &mut self.ends[from];
        endpoint.connect(config, at(1 - from), *now, rng).unwrap()
    }

    /// Lets both speak until nothing is under way.
    fn run(&mut self) {
        self.run_without(|_, _| false);
    }

    /// The same over a network that loses what goes to this end and looks like this.
    fn run_without(&mut self, is_lost: impl Fn(usize, &[u8]) -> bool) {
        loop {
            let Self { ends, wire, .. } = self;
            for (end, crowd) in ends.iter_mut().enumerate() {
                crowd.transmit(|to, datagram| {
                    assert_eq!(*to, at(1 - end));
                    wire.push((1 - end, datagram.to_vec()));
                });
            }
            if self.wire.is_empty() {
                return;
            }
            for (to, mut datagram) in core::mem::take(&mut self.wire) {
                if !is_lost(to, &datagram) {
                    self.receive(to, &mut datagram);
                }
            }
        }
    }

    fn established(&self) -> [u64; 2] {
        [0, 1].map(|end| self.ends[end].endpoint.stats().established)
    }

    fn receive(&mut self, to: usize, datagram: &mut [u8]) {
        let wire = &mut self.wire;
        let handle =
            self.ends[to].receive(&at(1 - to), datagram, |_, answer| wire.push((1 - to, answer.to_vec())));
        let data = core::mem::take(&mut self.ends[to].data);
        if !data.is_empty() {
            self.delivered[to].push((handle.unwrap(), data));
        }
    }

    fn send(&mut self, from: usize, handle: ConnectionHandle, data: &[u8]) -> Vec<u8> {
        let mut out = [0; 256];
        let len = self.ends[from].endpoint.send(handle, data, &mut out).unwrap();
        out[..len].to_vec()
    }

    /// The connections of one end: the one it began, and the other.
    fn handles(&self, end: usize, begun: ConnectionHandle) -> [ConnectionHandle; 2] {
        let handles = self.ends[end].endpoint.connections().map(|(handle, ..)| handle);
        let others: Vec<_> = handles.filter(|handle| *handle != begun).collect();
        assert_eq!(others.len(), 1);
        [begun, others[0]]
    }
}

/// Both at the same moment, or one after the other, in every mixture of versions.
///
/// 9147-5.11-assoc-4
#[test]
fn two_connections_between_the_same_addresses() {
    for first in VERSIONS {
        for second in VERSIONS {
            for simultaneous in [false, true] {
                World::default().run(|| cross(first, second, simultaneous));
            }
        }
    }
}

fn cross(first: ProtocolVersion, second: ProtocolVersion, simultaneous: bool) {
    let mut two = Two::new();
    let begun = [two.connect(0, first), {
        if !simultaneous {
            two.run();
        }
        two.connect(1, second)
    }];
    two.run();
    for end in [0, 1] {
        assert_eq!(two.ends[end].endpoint.stats().established, 2, "{first:?} {second:?} {simultaneous}");
        let (own, other) = (two.handles(end, begun[end]), two.handles(1 - end, begun[1 - end]));
        for (from, to) in [(own[0], other[1]), (own[1], other[0])] {
            let datagram = two.send(end, from, b"to the right one");
            two.receive(1 - end, &mut datagram.clone());
            assert_eq!(two.delivered[1 - end].pop(), Some((to, b"to the right one".to_vec())));
            // Again, and forged.
            two.receive(1 - end, &mut datagram.clone());
            let mut forged = datagram;
            *forged.last_mut().unwrap() ^= 1;
            two.receive(1 - end, &mut forged);
            assert_eq!(two.delivered[1 - end].pop(), None);
        }
    }
    if first == second {
        let endpoint = &two.ends[0].endpoint;
        assert!(endpoint.stats().trials > 0, "only keys tell them apart");
        for (_, _, connection) in endpoint.connections() {
            let of = |reason| connection.stats().discarded(reason);
            assert_eq!(
                of(Discard::BadTag) + of(Discard::Replay),
                4,
                "what fits no key counts against every key"
            );
        }
    }
    // One ends; the other goes on.
    two.ends[0].endpoint.close(begun[0]);
    two.run();
    let left = two.ends[0].endpoint.connections().map(|(handle, ..)| handle).next().unwrap();
    let mut datagram = two.send(0, left, b"still here");
    two.receive(1, &mut datagram);
    assert_eq!(two.delivered[1].pop(), Some((begun[1], b"still here".to_vec())));
}

/// What has no business there is not tried: it would have to count against a key of DTLS 1.3, and it would not.
fn behind_plaintext(two: &mut Two, forgeries: &[u8]) {
    // A ChangeCipherSpec, and a fragment of ClientKeyExchange (RFC 6347 §4.1, §4.2.2).
    let change = [20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1];
    let exchange = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12, 16, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let before = two.ends[0].endpoint.stats().trials;
    for plain in [&change[..], &exchange] {
        two.receive(0, &mut [plain, forgeries].concat());
        assert_eq!(two.ends[0].endpoint.stats().trials, before);
    }
}

/// However many records a forger puts into a datagram, each is tried once under the keys of each connection it may be of.
#[test]
fn forgeries_are_tried_once_for_each_record_and_connection() {
    const RECORDS: u32 = 50;
    let forgeries: [&[u8]; 2] =
        [&[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 16], &[0b0010_1111, 0, 99, 0, 16]];
    for (version, header) in VERSIONS.into_iter().zip(forgeries) {
        World::unchecked().run(|| {
            let mut two = Two::new();
            two.connect(0, version);
            two.run();
            two.connect(1, version);
            two.run();
            let stats = two.ends[0].endpoint.stats();
            assert_eq!((stats.established, stats.trials), (2, 0));
            let mut datagram = [header, &[0x5a; 16]].concat().repeat(RECORDS as usize);
            two.receive(0, &mut datagram);
            let endpoint = &two.ends[0].endpoint;
            assert_eq!(endpoint.stats().trials, u64::from(2 * RECORDS), "to find whose they are");
            for (_, _, connection) in endpoint.connections() {
                assert_eq!(connection.stats().discarded(Discard::BadTag), RECORDS, "{version:?}");
            }
            if version == ProtocolVersion::DTLS1_3 {
                behind_plaintext(&mut two, &datagram);
            }
        });
    }
}

/// The client's side of a new handshake on a known path: the old connection serves until the new one does.
#[test]
fn a_second_connect_replaces_the_first_when_it_is_done() {
    for version in VERSIONS {
        World::default().run(|| {
            let mut two = Two::new();
            let old = two.connect(0, version);
            two.run();
            let new = two.connect(0, version);
            let mut datagram = two.send(0, old, b"over the old one");
            two.receive(1, &mut datagram);
            assert_eq!(two.delivered[1].pop().unwrap().1, b"over the old one");
            assert_eq!(two.ends[0].endpoint.established(&at(1)), Some(old));
            two.ends[0].events.clear();
            two.run();
            assert_eq!(two.ends[0].endpoint.established(&at(1)), Some(new));
            let told: Vec<_> = two.ends[0].events.drain(..).map(|e| (e.connection, e.event)).collect();
            assert_eq!(told, [(old, Event::Closed(CloseReason::Replaced)), (new, Event::Connected)]);
            assert_eq!(two.ends[1].endpoint.stats().connections, 1);
        });
    }
}

#[test]
fn an_endpoint_without_a_server_answers_nobody() {
    let mut crowd = Crowd::new(ideal_crypto::PROVIDER, EndpointLimits::default());
    let mut client = crowd.client(ProtocolVersion::DTLS1_2);
    let mut deaf = dtls_core::Endpoint::client(EndpointLimits::default());
    let (mut buffer, mut out) = ([0; 2048], [0; 2048]);
    let hello = client.poll_transmit(crowd.now, &mut buffer).unwrap();
    let routed = deaf.handle_datagram(crowd.now, &mut crowd.rng, &at(1), hello, &mut out);
    assert!(matches!(routed, Routed::Dropped(Discard::UnknownPeer)));
    assert_eq!(deaf.stats().dropped, 1);
}

/// Who has a connection that the peer began answers the peer's last flight again, also while it connects to the peer itself.
///
/// 6347-4.2.4-final-1
#[test]
fn the_last_flight_is_repeated_beside_an_own_handshake() {
    for version in VERSIONS {
        World::default().run(|| repeat_beside(version));
    }
}

fn repeat_beside(version: ProtocolVersion) {
    let is_last = |to: usize, datagram: &[u8]| to == 0 && datagram[0] == 20;
    let mut two = Two::new();
    two.connect(0, ProtocolVersion::DTLS1_2);
    two.run_without(is_last);
    assert_eq!(two.established(), [0, 1]);
    two.connect(1, version);
    two.run_without(|to, _| to == 0);
    for crowd in &mut two.ends {
        crowd.now = crowd.now.after(Duration::from_secs(1));
        crowd.endpoint.handle_timeout(crowd.now);
    }
    // Of the own handshake nothing arrives yet.
    two.run_without(|to, datagram| to == 0 && !is_last(to, datagram));
    assert_eq!(two.established(), [1, 1]);
    for crowd in &mut two.ends {
        crowd.now = crowd.now.after(Duration::from_secs(3));
        crowd.endpoint.handle_timeout(crowd.now);
    }
    two.run();
    assert_eq!(two.established(), [2, 2]);
}

/// A handshake that the peer began and gave up, or that failed, does not keep what belongs to one that was begun here.
#[test]
fn a_handshake_that_goes_nowhere_is_in_nobodys_way() {
    for fails in [false, true] {
        World::default().run(|| {
            let mut two = Two::new();
            let given_up = two.connect(0, ProtocolVersion::DTLS1_2);
            // Nothing arrives behind the request for a cookie, which is in record 0.
            two.run_without(|to, datagram| to == 0 && datagram[10] > 0);
            let (handle, ..) = two.ends[1].endpoint.connections().next().unwrap();
            let ended = if fails { (1, handle) } else { (0, given_up) };
            let connection = two.ends[ended.0].endpoint.connection_mut(ended.1).unwrap();
            connection.abort(AlertDescription::InternalError);
            two.run_without(|_, _| true);
            two.connect(1, ProtocolVersion::DTLS1_2);
            two.run();
            assert_eq!(two.established(), [1, 1]);
            if !fails {
                return;
            }
            // Nor is an alert for the one that has failed, which does not say whose it is either.
            let other = two.connect(1, ProtocolVersion::DTLS1_2);
            two.run_without(|_, _| true);
            two.receive(1, &mut ALERT.to_vec());
            let failed = |event: &PeerEvent<_>| {
                event.connection == other && matches!(event.event, Event::Closed(CloseReason::Failed(_)))
            };
            assert!(two.ends[1].events.iter().any(failed));
        });
    }
}

/// A hello that claims to be from the address of a client is served where no cookies are asked for. The client's last flight, which
/// it repeats, is for its own connection all the same.
///
/// 6347-4.2.4-final-1
#[test]
fn the_last_flight_is_repeated_beside_a_forged_handshake() {
    World::default().run(|| {
        let mut trusting = ListenerLimits::default();
        trusting.cookies = false;
        let mut two = Two::under(&trusting);
        two.connect(0, ProtocolVersion::DTLS1_2);
        two.run_without(|to, datagram| to == 0 && datagram[0] == 20);
        assert_eq!(two.established(), [0, 1]);
        let mut elsewhere = two.ends[1].client(ProtocolVersion::DTLS1_2);
        let mut buffer = [0; 2048];
        let hello = elsewhere.poll_transmit(two.ends[1].now, &mut buffer).unwrap();
        two.receive(1, hello);
        two.run_without(|to, _| to == 0);
        assert_eq!(two.ends[1].endpoint.stats().handshakes, 1);
        let crowd = &mut two.ends[0];
        crowd.now = crowd.now.after(Duration::from_secs(1));
        crowd.endpoint.handle_timeout(crowd.now);
        two.run();
        assert_eq!(two.established(), [1, 1]);
    });
}

/// A ChangeCipherSpec is for whoever waits for one, if it is one.
#[test]
fn a_change_cipher_spec_is_for_all_who_wait_for_it() {
    World::default().run(|| {
        let mut two = Two::new();
        two.connect(0, ProtocolVersion::DTLS1_2);
        two.run_without(|to, datagram| to == 0 && datagram[10] > 0);
        let handle = two.connect(1, ProtocolVersion::DTLS1_2);
        two.run_without(|to, datagram| to == 1 && datagram[0] == 20);
        let mut epoch_after = |body: &[u8]| {
            let header = [20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, body.len() as u8];
            two.receive(1, &mut [&header, body].concat());
            two.ends[1].endpoint.connection(handle).unwrap().read_epoch()
        };
        assert_eq!([&[2][..], &[], &[1, 1], &[1]].map(&mut epoch_after), [0, 0, 0, 1]);
    });
}
