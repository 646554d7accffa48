use core::time::Duration;

use dtls_core::Instant;

use super::{MOST_OBSERVERS, Moment, Sessions};
use crate::coap::{Always, Epochs};

const EPOCHS: Epochs = Epochs { read: 1, write: 1 };
/// Confirmable requests for `/example_data`, without the first four bytes.
const EXAMPLE: &[u8] = b"\xbcexample_data";

/// A server of which two peers, 1 and 2, have a session.
struct Fixture(Sessions<u8, Always>);

impl Fixture {
    fn new() -> Self {
        let mut sessions = Sessions::new(Always(0));
        sessions.begin(1, EPOCHS);
        sessions.begin(2, EPOCHS);
        Self(sessions)
    }

    fn receive(&mut self, peer: u8, bytes: &[u8], seconds: u64) {
        self.receive_in(EPOCHS, peer, bytes, EPOCHS.read, seconds);
    }

    /// Takes in a message that was sent in `epoch`, when the session has `epochs`.
    fn receive_in(&mut self, epochs: Epochs, peer: u8, bytes: &[u8], epoch: u16, seconds: u64) {
        let epochs = |_| Some(epochs);
        self.0.receive(peer, bytes, epoch, &Moment { now: at(seconds), epochs: &epochs });
    }

    fn sent(&mut self) -> Vec<(u8, Vec<u8>)> {
        core::iter::from_fn(|| self.0.poll_transmit()).collect()
    }

    /// What the only message in answer to this one is.
    fn answer(&mut self, peer: u8, bytes: &[u8]) -> Vec<u8> {
        self.receive(peer, bytes, 0);
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:02x?}");
        let (to, bytes) = sent.remove(0);
        assert_eq!(to, peer);
        bytes
    }

    /// Lets `peer` observe `/example_data` with the token 0x70.
    fn observe(&mut self, peer: u8) {
        let answer = self.answer(peer, b"\x41\x01\x0f\x01\x70\x60\x5cexample_data");
        assert_eq!(answer, b"\x61\x45\x0f\x01\x70\x61\x01\x60\xff21.5 C");
    }

    /// Lets the other peer write a text to `/example_data` and returns what else is sent because of that.
    fn change(&mut self, id: u8, text: &str, seconds: u64) -> Vec<(u8, Vec<u8>)> {
        let mut put = vec![0x40, 3, 0, id];
        put.extend(EXAMPLE);
        put.push(0xff);
        put.extend(text.bytes());
        self.receive(2, &put, seconds);
        let mut sent = self.sent();
        assert_eq!(sent.pop(), Some((2, vec![0x60, 0x44, 0, id])));
        sent
    }

    fn timeout(&mut self, seconds: u64) -> Vec<(u8, Vec<u8>)> {
        self.timeout_in(EPOCHS, seconds)
    }

    fn timeout_in(&mut self, epochs: Epochs, seconds: u64) -> Vec<(u8, Vec<u8>)> {
        let epochs = |_| Some(epochs);
        self.0.handle_timeout(&Moment { now: at(seconds), epochs: &epochs });
        self.sent()
    }
}

fn at(seconds: u64) -> Instant {
    Instant::START.after(Duration::from_secs(seconds))
}

fn with(head: &[u8], rest: &[u8]) -> Vec<u8> {
    [head, rest].concat()
}

/// A notification with this message id and Observe value.
fn notification(id: u8, value: u8, text: &str) -> (u8, Vec<u8>) {
    let mut bytes = vec![0x41, 0x45, 0, id, 0x70, 0x61, value, 0xff];
    bytes.extend(text.bytes());
    (1, bytes)
}

#[test]
fn a_response_is_of_the_kind_of_its_request() {
    let mut server = Fixture::new();
    let get = with(b"\x42\x01\x12\x34ab", EXAMPLE);
    assert_eq!(server.answer(1, &get), b"\x62\x45\x12\x34ab\xc0\xff21.5 C");
    let get = with(b"\x52\x01\x12\x35ab", EXAMPLE);
    assert_eq!(server.answer(1, &get), b"\x52\x45\x00\x01ab\xc0\xff21.5 C");
}

#[test]
fn a_resource_is_created_read_added_to_and_removed() {
    let mut server = Fixture::new();
    for (id, code, rest, answer) in [
        (1, 1, &b"\xb1x"[..], &b"\x60\x84\x00\x01"[..]),
        // application/octet-stream is 42.
        (2, 3, b"\xb1x\x11\x2a\xffone", b"\x60\x41\x00\x02"),
        (3, 1, b"\xb1x", b"\x60\x45\x00\x03\xc1\x2a\xffone"),
        (4, 2, b"\xb1x\xff two", b"\x60\x44\x00\x04"),
        (5, 1, b"\xb1x", b"\x60\x45\x00\x05\xc1\x2a\xffone two"),
        (6, 1, b"\xb1x\x61\x2a", b"\x60\x45\x00\x06\xc1\x2a\xffone two"),
        (7, 1, b"\xb1x\x60", b"\x60\x86\x00\x07"),
        (8, 4, b"\xb1x", b"\x60\x42\x00\x08"),
        (9, 4, b"\xb1x", b"\x60\x42\x00\x09"),
        (10, 1, b"\xb1x", b"\x60\x84\x00\x0a"),
        (11, 2, b"\xb1x\xffnew", b"\x60\x41\x00\x0b"),
    ] {
        assert_eq!(server.answer(1, &with(&[0x40, code, 0, id], rest)), answer, "message {id}");
    }
}

#[test]
fn the_directory_lists_what_is_there_percent_encoded() {
    let mut server = Fixture::new();
    server.answer(1, b"\x40\x03\x00\x01\xb3a/b\x05\xc3\xa4\x20\x22\x3e\xffx");
    let directory = server.answer(1, b"\x40\x01\x00\x02\xbb.well-known\x04core");
    let links = b"</>;ct=0,</a%2Fb/%C3%A4%20%22%3E>;obs,</example_data>;obs;ct=0";
    assert_eq!(directory, with(b"\x60\x45\x00\x02\xc1\x28\xff", links));
}

#[test]
fn what_is_fixed_cannot_be_written() {
    let mut server = Fixture::new();
    assert!(server.answer(1, b"\x40\x01\x00\x01").starts_with(b"\x60\x45\x00\x01\xc0\xff"));
    for (id, code) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 0x1f)] {
        assert_eq!(server.answer(1, &[0x40, code, 0, id]), [0x60, 0x85, 0, id]);
    }
}

#[test]
fn a_repeated_request_is_carried_out_once_in_its_session_and_epoch() {
    let mut server = Fixture::new();
    let post = with(&with(b"\x40\x02\x12\x34", EXAMPLE), b"\xff!");
    let text = |server: &mut Fixture, id| {
        let answer = server.answer(1, &with(&[0x40, 1, 0, id], EXAMPLE));
        String::from_utf8_lossy(answer.strip_prefix(&[0x60, 0x45, 0, id, 0xc0, 0xff][..]).unwrap())
            .into_owned()
    };
    let first = server.answer(1, &post);
    assert_eq!((first.as_slice(), &server.answer(1, &post)), (&b"\x60\x44\x12\x34"[..], &first));
    assert_eq!(text(&mut server, 1), "21.5 C!");
    // Another session.
    server.answer(2, &post);
    assert_eq!(text(&mut server, 2), "21.5 C!!");
    // Another epoch.
    let next = Epochs { read: 2, write: 1 };
    server.receive_in(next, 1, &post, 2, 0);
    assert_eq!(server.sent().len(), 1);
    server.receive_in(next, 1, &with(b"\x40\x01\x00\x03", EXAMPLE), 2, 0);
    assert!(server.sent()[0].1.ends_with(b"21.5 C!!!"));
    // The same again, not to be confirmed: silence. And much later it is new.
    let mut server = Fixture::new();
    let post = with(&with(b"\x50\x02\x12\x34", EXAMPLE), b"\xff!");
    server.answer(1, &post);
    server.receive(1, &post, 246);
    assert_eq!(server.sent(), []);
    server.receive(1, &post, 247);
    assert_eq!(server.sent().len(), 1);
}

#[test]
fn a_request_from_before_new_keys_is_left_unanswered() {
    let mut server = Fixture::new();
    server.receive_in(Epochs { read: 2, write: 1 }, 1, b"\x40\x01\x00\x01", 1, 0);
    assert_eq!(server.sent(), []);
}

#[test]
fn what_is_no_request_is_reset_if_confirmable() {
    let mut server = Fixture::new();
    for bytes in [&b"\x40\x00\x12\x34"[..], b"\x40\x45\x12\x34", b"\x40\x01\x12\x34\xff", b"\x49\x01\x12\x34"]
    {
        assert_eq!(server.answer(1, bytes), b"\x70\x00\x12\x34");
        let mut bytes = bytes.to_vec();
        bytes[0] |= 0x10;
        server.receive(1, &bytes, 0);
        assert_eq!(server.sent(), []);
    }
    server.receive(3, b"\x40\x00\x12\x34", 0);
    assert_eq!(server.sent(), [], "there is no session with 3");
}

#[test]
fn options_that_ask_for_more_than_there_is() {
    let mut server = Fixture::new();
    // Block2 (23), If-None-Match (5), an unknown critical one (9).
    assert_eq!(server.answer(1, b"\x40\x01\x00\x01\xd0\x0a"), b"\x60\x82\x00\x01\xffoption 23");
    assert_eq!(server.answer(1, b"\x40\x01\x00\x02\x50"), b"\x60\x82\x00\x02\xffoption 5");
    assert_eq!(server.answer(1, b"\x40\x01\x00\x03\x90"), b"\x60\x82\x00\x03\xffoption 9");
    // Proxy-Uri (35); an unknown elective one (10) changes nothing.
    assert_eq!(server.answer(1, b"\x40\x01\x00\x04\xd1\x16x"), b"\x60\xa5\x00\x04");
    assert!(server.answer(1, b"\x40\x01\x00\x05\xa0").starts_with(b"\x60\x45"));
    // A path that is not UTF-8.
    assert!(server.answer(1, b"\x40\x01\x00\x06\xb1\xff").starts_with(b"\x60\x80"));
}

#[test]
fn peers_can_fill_only_so_much() {
    let mut server = Fixture::new();
    let put = |id: u8, path: &[u8], length: usize| {
        let mut bytes = vec![0x40, 3, 1, id, 0xb0 | path.len() as u8];
        bytes.extend(path);
        bytes.push(0xff);
        bytes.extend(vec![b'x'; length]);
        bytes
    };
    assert_eq!(server.answer(1, &put(0, b"x", 1025)), b"\x60\x8d\x01\x00\xffat most 1024 bytes");
    for id in 1..64 {
        assert_eq!(server.answer(1, &put(id, &[b'a', b'0' + id], 1024)), [0x60, 0x41, 1, id]);
    }
    assert!(server.answer(1, &put(64, b"one more", 1)).starts_with(b"\x60\x83"));
    assert_eq!(server.answer(1, &put(65, b"a1", 1)), [0x60, 0x44, 1, 65]);
}

#[test]
fn a_change_is_told_to_observers_once_it_is_one() {
    let mut server = Fixture::new();
    server.observe(1);
    assert_eq!(server.change(1, "22 C", 0), [notification(1, 2, "22 C")]);
    server.receive(1, b"\x60\x00\x00\x01", 1);
    assert_eq!(server.change(2, "22 C", 1), []);
    assert_eq!(server.change(3, "23 C", 1), [notification(2, 3, "23 C")]);
}

#[test]
fn an_unacknowledged_notification_is_repeated_and_then_the_observer_is_forgotten() {
    let mut server = Fixture::new();
    server.observe(1);
    let first = server.change(1, "22 C", 0);
    for seconds in [2, 6, 14, 30] {
        assert_eq!(server.0.poll_timeout(), Some(at(seconds)));
        assert_eq!(server.timeout(seconds - 1), []);
        assert_eq!(server.timeout(seconds), first);
    }
    assert_eq!((server.timeout(62), server.0.poll_timeout()), (vec![], None));
    assert_eq!(server.change(2, "23 C", 63), []);
}

#[test]
fn changes_while_a_notification_is_under_way_come_as_one() {
    let mut server = Fixture::new();
    server.observe(1);
    server.change(1, "22 C", 0);
    assert_eq!(server.change(2, "23 C", 1), []);
    // The retransmission carries what is true now (RFC 7641 §4.5.2).
    assert_eq!(server.timeout(2), [notification(2, 3, "23 C")]);
    assert_eq!(server.change(3, "24 C", 3), []);
    assert_eq!(server.change(4, "25 C", 3), []);
    server.receive(1, b"\x60\x00\x00\x02", 4);
    assert_eq!(server.sent(), [notification(3, 5, "25 C")]);
    server.receive(1, b"\x60\x00\x00\x03", 4);
    assert_eq!((server.sent(), server.0.poll_timeout()), (vec![], None));
}

#[test]
fn a_reset_or_a_request_ends_an_observation() {
    let mut server = Fixture::new();
    server.observe(1);
    server.change(1, "22 C", 0);
    server.receive(1, b"\x70\x00\x00\x01", 1);
    assert_eq!((server.change(2, "23 C", 1), server.0.poll_timeout()), (vec![], None));
    let mut server = Fixture::new();
    server.observe(1);
    let leave = b"\x41\x01\x0f\x02\x70\x61\x01\x5cexample_data";
    assert_eq!(server.answer(1, leave), b"\x61\x45\x0f\x02\x70\xc0\xff21.5 C");
    assert_eq!(server.change(1, "22 C", 0), []);
}

#[test]
fn a_resource_that_goes_ends_its_observations_with_an_error() {
    let mut server = Fixture::new();
    server.observe(1);
    server.receive(2, &with(b"\x40\x04\x00\x01", EXAMPLE), 0);
    assert_eq!(server.sent(), [(1, b"\x41\x84\x00\x01\x70".to_vec()), (2, b"\x60\x42\x00\x01".to_vec())]);
    server.receive(1, b"\x60\x00\x00\x01", 1);
    server.receive(2, &with(&with(b"\x40\x03\x00\x02", EXAMPLE), b"\xffx"), 1);
    assert_eq!(server.sent(), [(2, b"\x60\x41\x00\x02".to_vec())]);
}

#[test]
fn what_is_not_there_or_never_changes_cannot_be_observed() {
    let mut server = Fixture::new();
    assert_eq!(server.answer(1, b"\x41\x01\x00\x01\x70\x60\x51x"), b"\x61\x84\x00\x01\x70");
    assert!(server.answer(1, b"\x41\x01\x00\x02\x70\x60").starts_with(b"\x61\x45\x00\x02\x70\xc0\xff"));
}

#[test]
fn observations_have_a_bound() {
    let mut server = Fixture::new();
    for token in 0..=MOST_OBSERVERS as u8 {
        let get = with(&[0x41, 1, 0, token, token, 0x60], b"\x5cexample_data");
        let observes = server.answer(1, &get)[5] == 0x61;
        assert_eq!(observes, usize::from(token) < MOST_OBSERVERS, "observation {token}");
    }
}

#[test]
fn observations_end_with_their_session_and_epoch() {
    let mut server = Fixture::new();
    server.observe(1);
    server.0.begin(1, EPOCHS);
    assert_eq!(server.change(1, "22 C", 0), []);
    let mut server = Fixture::new();
    server.observe(1);
    server.0.end(1);
    assert_eq!(server.change(1, "22 C", 0), []);
    for next in [Epochs { read: 2, write: 1 }, Epochs { read: 1, write: 2 }] {
        let mut server = Fixture::new();
        server.observe(1);
        server.change(1, "22 C", 0);
        assert_eq!((server.timeout_in(next, 2), server.change(2, "23 C", 2)), (vec![], vec![]));
        let mut server = Fixture::new();
        server.observe(1);
        server.receive_in(next, 1, b"\x50\x00\x00\x09", next.read, 0);
        assert_eq!(server.change(1, "22 C", 0), []);
    }
}

#[test]
fn an_acknowledgement_of_another_epoch_counts_for_nothing() {
    let mut server = Fixture::new();
    server.observe(1);
    let first = server.change(1, "22 C", 0);
    server.receive_in(EPOCHS, 1, b"\x60\x00\x00\x01", 0, 1);
    server.receive_in(EPOCHS, 1, b"\x70\x00\x00\x01", 0, 1);
    server.receive(2, b"\x60\x00\x00\x01", 1);
    assert_eq!(server.timeout(2), first);
}
