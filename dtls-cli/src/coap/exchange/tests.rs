use core::time::Duration;

use coap_lite::{ObserveOption, RequestType};
use dtls_core::Instant;

use super::{Event, Exchange, Failed, request};
use crate::coap::{Always, Epochs};

const EPOCHS: Epochs = Epochs { read: 3, write: 3 };
/// Message id and token of everything that `Always(0x11)` makes first.
const GET: &[u8] = b"\x44\x01\x11\x11\x11\x11\x11\x11";

fn at(seconds: u64) -> Instant {
    Instant::START.after(Duration::from_secs(seconds))
}

fn asked(method: RequestType, observe: Option<ObserveOption>) -> Exchange<Always> {
    let mut exchange = Exchange::new(Always(0x11));
    exchange.send(request(method, observe), at(0), EPOCHS);
    exchange
}

fn get() -> Exchange<Always> {
    let mut exchange = asked(RequestType::Get, None);
    assert_eq!(exchange.poll_transmit().unwrap(), GET);
    exchange
}

fn payload(exchange: &mut Exchange<Always>) -> Option<String> {
    match exchange.poll_event()? {
        Event::Response(packet) => Some(String::from_utf8(packet.payload).unwrap()),
        Event::Failed(why) => panic!("{why:?}"),
    }
}

/// The moments at which the request is repeated, and the moment of giving up.
fn attempts(chance: u8) -> (Vec<Duration>, Duration) {
    let mut exchange = Exchange::new(Always(chance));
    exchange.send(request(RequestType::Get, None), at(0), EPOCHS);
    let first = exchange.poll_transmit().unwrap();
    let mut times = Vec::new();
    loop {
        let now = exchange.poll_timeout().unwrap();
        exchange.handle_timeout(now, EPOCHS);
        match exchange.poll_transmit() {
            Some(again) => {
                assert_eq!(again, first);
                times.push(now.since(at(0)));
            }
            None => {
                assert_eq!(exchange.poll_event(), Some(Event::Failed(Failed::NoAcknowledgement)));
                assert_eq!(exchange.poll_timeout(), None);
                return (times, now.since(at(0)));
            }
        }
    }
}

#[test]
fn four_retransmissions_after_doubling_times() {
    let seconds = |list: [u64; 4]| list.map(Duration::from_secs).to_vec();
    assert_eq!(attempts(0), (seconds([2, 6, 14, 30]), Duration::from_secs(62)));
    // MAX_TRANSMIT_SPAN and MAX_TRANSMIT_WAIT of RFC 7252 §4.8.2.
    assert_eq!(attempts(0xff), (seconds([3, 9, 21, 45]), Duration::from_secs(93)));
}

#[test]
fn no_retransmission_in_another_epoch() {
    let mut exchange = get();
    exchange.handle_timeout(at(4), Epochs { read: 3, write: 4 });
    assert_eq!(exchange.poll_transmit(), None);
    assert_eq!(exchange.poll_event(), Some(Event::Failed(Failed::EpochOver)));
}

#[test]
fn a_response_in_its_acknowledgement() {
    let mut exchange = get();
    exchange.receive(b"\x64\x45\x11\x11\x11\x11\x11\x11\xff22.3 C", at(1), 3);
    assert_eq!(payload(&mut exchange).as_deref(), Some("22.3 C"));
    assert_eq!((exchange.poll_timeout(), exchange.poll_transmit()), (None, None));
}

#[test]
fn what_comes_in_another_epoch_answers_nothing() {
    let mut exchange = get();
    for other in [0, 2, 4] {
        for bytes in [
            &b"\x64\x45\x11\x11\x11\x11\x11\x11\xff22.3 C"[..],
            b"\x60\x00\x11\x11",
            b"\x70\x00\x11\x11",
            b"\x54\x45\x00\x01\x11\x11\x11\x11\xff22.3 C",
        ] {
            exchange.receive(bytes, at(1), other);
        }
    }
    assert_eq!(exchange.poll_event(), None);
    exchange.handle_timeout(at(4), EPOCHS);
    assert_eq!(exchange.poll_transmit().unwrap(), GET);
}

#[test]
fn another_message_id_or_token_answers_nothing() {
    let mut exchange = get();
    exchange.receive(b"\x64\x45\x11\x12\x11\x11\x11\x11\xffx", at(1), 3);
    exchange.receive(b"\x64\x45\x11\x11\x11\x11\x11\x12\xffx", at(1), 3);
    exchange.receive(b"\x60\x00\x11\x12", at(1), 3);
    exchange.receive(b"\x70\x00\x11\x12", at(1), 3);
    exchange.receive(b"\x54\x45\x00\x01\x11\x11\x11\x12\xffx", at(1), 3);
    assert_eq!((exchange.poll_event(), exchange.poll_transmit()), (None, None));
}

#[test]
fn a_separate_response_is_acknowledged_each_time_and_taken_once() {
    let mut exchange = get();
    exchange.receive(b"\x60\x00\x11\x11", at(1), 3);
    exchange.handle_timeout(at(100), EPOCHS);
    assert_eq!((exchange.poll_event(), exchange.poll_transmit()), (None, None));
    for time in [101, 103] {
        exchange.receive(b"\x44\x45\x70\x01\x11\x11\x11\x11\xff22.3 C", at(time), 3);
        assert_eq!(exchange.poll_transmit().unwrap(), b"\x60\x00\x70\x01");
    }
    assert_eq!(payload(&mut exchange).as_deref(), Some("22.3 C"));
    assert_eq!(payload(&mut exchange), None);
}

#[test]
fn a_response_does_without_the_acknowledgement_that_was_lost() {
    let mut exchange = get();
    exchange.receive(b"\x54\x45\x70\x01\x11\x11\x11\x11\xffx", at(1), 3);
    assert_eq!(payload(&mut exchange).as_deref(), Some("x"));
    assert_eq!((exchange.poll_timeout(), exchange.poll_transmit()), (None, None));
}

#[test]
fn an_acknowledged_request_without_response_ends() {
    let mut exchange = get();
    exchange.receive(b"\x60\x00\x11\x11", at(1), 3);
    exchange.handle_timeout(at(248), EPOCHS);
    assert_eq!(exchange.poll_event(), Some(Event::Failed(Failed::NoResponse)));
}

#[test]
fn a_reset_ends_the_request() {
    let mut exchange = get();
    exchange.receive(b"\x70\x00\x11\x11", at(1), 3);
    assert_eq!(exchange.poll_event(), Some(Event::Failed(Failed::Rejected)));
    assert_eq!(exchange.poll_timeout(), None);
}

#[test]
fn what_is_not_understood_is_reset_if_confirmable() {
    let mut exchange = get();
    // An empty one, a request, a response nobody asked for, a token of nine bytes.
    for bytes in [&b"\x40\x00\x70\x01"[..], b"\x40\x01\x70\x01", b"\x40\x45\x70\x01", b"\x49\x45\x70\x01"] {
        exchange.receive(bytes, at(1), 3);
        assert_eq!(exchange.poll_transmit().unwrap(), b"\x70\x00\x70\x01");
    }
    for bytes in [&b"\x50\x00\x70\x01"[..], b"\x50\x01\x70\x01", b"\x50\x45\x70\x01", b"\x59\x45\x70\x01"] {
        exchange.receive(bytes, at(1), 3);
        assert_eq!((exchange.poll_transmit(), exchange.poll_event()), (None, None));
    }
}

/// A notification with this Observe value, which is its payload too.
fn notify(exchange: &mut Exchange<Always>, id: u8, value: u32, seconds: u64) -> Option<String> {
    let [_, value @ ..] = value.to_be_bytes();
    let mut bytes = b"\x54\x45\x70".to_vec();
    bytes.extend([id, 0x11, 0x11, 0x11, 0x11, 0x63]);
    bytes.extend(value);
    bytes.extend(b"\xff");
    bytes.extend(id.to_string().bytes());
    exchange.receive(&bytes, at(seconds), 3);
    payload(exchange)
}

#[test]
fn notifications_that_were_overtaken_are_left_out() {
    let mut exchange = asked(RequestType::Get, Some(ObserveOption::Register));
    assert_eq!(exchange.poll_transmit().unwrap(), b"\x44\x01\x11\x11\x11\x11\x11\x11\x60");
    let mut notify = |id, value, seconds| notify(&mut exchange, id, value, seconds).is_some();
    assert!(notify(1, 0xff_fffe, 1));
    assert!(notify(2, 1, 2), "the number wraps around");
    assert!(!notify(3, 0xff_ffff, 3));
    assert!(!notify(4, 1, 4), "the same number again");
    assert!(notify(5, 2, 5));
    assert!(!notify(6, 1, 133));
    assert!(notify(7, 1, 134), "nothing is on its way for more than 128 s");
}

#[test]
fn a_second_request_has_its_own_message_id_and_the_same_token() {
    let mut exchange = get();
    exchange.receive(b"\x64\x45\x11\x11\x11\x11\x11\x11\xffx", at(1), 3);
    exchange.send(request(RequestType::Get, Some(ObserveOption::Deregister)), at(2), EPOCHS);
    assert_eq!(exchange.poll_transmit().unwrap(), b"\x44\x01\x11\x12\x11\x11\x11\x11\x61\x01");
}
