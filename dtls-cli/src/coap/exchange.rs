//! The client's side of one request and of the responses that follow (RFC 7252 §4, §5; RFC 7641 §3).

use core::time::Duration;
use std::collections::VecDeque;

use coap_lite::{CoapOption, MessageClass, MessageType, ObserveOption, Packet, RequestType};
use dtls_core::{Instant, Rng};

use super::{
    Epochs,
    message::{self, Malformed},
    random,
    recent::Recent,
    transmission::{Due, Transmission},
};

/// How long to wait for a response that was promised by an empty acknowledgement: EXCHANGE_LIFETIME (RFC 7252 §4.8.2).
const RESPONSE_WAIT: Duration = Duration::from_secs(247);
/// After this long any notification is newer than the last (RFC 7641 §3.4).
const REORDER_WAIT: Duration = Duration::from_secs(128);

/// One token's worth of messages with a server, in one session.
#[derive(Debug)]
pub(super) struct Exchange<R> {
    rng: R,
    next_id: u16,
    token: Vec<u8>,
    /// The read epoch of responses to the current request.
    epoch: u16,
    waiting: Waiting,
    /// Value and time of the newest notification.
    newest: Option<(u32, Instant)>,
    recent: Recent,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

/// What is still to come for the current request.
#[derive(Debug)]
enum Waiting {
    /// An acknowledgement.
    Acknowledgement(Transmission),
    /// The response, until then.
    Response(Instant),
    /// Nothing, or notifications.
    Nothing,
}

/// What came of a request.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Event {
    /// A response, or a notification if it has an Observe option.
    Response(Packet),
    /// There is no response and there will be none.
    Failed(Failed),
}

/// Why there is no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failed {
    /// The server rejected the message with a Reset.
    Rejected,
    /// The server did not acknowledge.
    NoAcknowledgement,
    /// The server acknowledged and did not respond.
    NoResponse,
    /// The keys of the session changed first: what comes now belongs to no request (RFC 7252 §9.1).
    EpochOver,
}

impl<R: Rng> Exchange<R> {
    /// An exchange with a fresh token, with nothing to send yet.
    pub(super) fn new(mut rng: R) -> Self {
        let token = [random(&mut rng), random(&mut rng)].map(u16::to_be_bytes).concat();
        Self {
            next_id: random(&mut rng),
            rng,
            token,
            epoch: 0,
            waiting: Waiting::Nothing,
            newest: None,
            recent: Recent::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Sends a request, after which only its own responses count.
    pub(super) fn send(&mut self, mut request: Packet, now: Instant, epochs: Epochs) {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        request.header.set_type(MessageType::Confirmable);
        request.header.message_id = id;
        request.set_token(self.token.clone());
        let bytes = message::encode(&request);
        self.transmits.push_back(bytes.clone());
        self.epoch = epochs.read;
        let chance = random(&mut self.rng);
        self.waiting = Waiting::Acknowledgement(Transmission::new(id, bytes, epochs.write, now, chance));
    }

    /// The next message to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// What came of the request, oldest first.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.waiting {
            Waiting::Acknowledgement(transmission) => Some(transmission.due()),
            Waiting::Response(until) => Some(*until),
            Waiting::Nothing => None,
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, epochs: Epochs) {
        let failed = match &mut self.waiting {
            Waiting::Acknowledgement(transmission) => match transmission.poll(now, epochs.write) {
                None => return,
                Some(Due::Again) => return self.transmits.push_back(transmission.bytes().to_vec()),
                Some(Due::GiveUp) => Failed::NoAcknowledgement,
                Some(Due::EpochOver) => Failed::EpochOver,
            },
            Waiting::Response(until) if *until <= now => Failed::NoResponse,
            _ => return,
        };
        self.fail(failed);
    }

    /// Takes in a message that was sent in `epoch`.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant, epoch: u16) {
        let packet = match message::decode(bytes) {
            Ok(packet) => packet,
            Err(Malformed::Reject(id)) => return self.reply(MessageType::Reset, id),
            Err(Malformed::Ignore) => return,
        };
        match packet.header.get_type() {
            MessageType::Acknowledgement => self.on_acknowledgement(packet, now, epoch),
            MessageType::Reset if self.awaits(&packet, epoch) => self.fail(Failed::Rejected),
            MessageType::Reset => {}
            MessageType::Confirmable | MessageType::NonConfirmable => self.on_message(packet, now, epoch),
        }
    }

    fn on_acknowledgement(&mut self, packet: Packet, now: Instant, epoch: u16) {
        if !self.awaits(&packet, epoch) {
            return;
        }
        if packet.header.code == MessageClass::Empty {
            self.waiting = Waiting::Response(now.after(RESPONSE_WAIT));
        } else if self.is_mine(&packet, epoch) {
            self.on_response(packet, now);
        }
    }

    /// A message that is no acknowledgement: a response of its own (RFC 7252 §5.2.2), a notification, or something else.
    fn on_message(&mut self, packet: Packet, now: Instant, epoch: u16) {
        let id = packet.header.message_id;
        let confirmable = packet.header.get_type() == MessageType::Confirmable;
        let mine = self.is_mine(&packet, epoch);
        if mine && self.recent.find(now, epoch, id).is_none() {
            self.recent.keep(now, epoch, id, None);
            self.on_response(packet, now);
        }
        match (confirmable, mine) {
            (true, true) => self.reply(MessageType::Acknowledgement, id),
            // Also the answer to an empty one, which asks whether anyone is there (RFC 7252 §4.3).
            (true, false) => self.reply(MessageType::Reset, id),
            (false, _) => {}
        }
    }

    fn on_response(&mut self, response: Packet, now: Instant) {
        let first = !matches!(self.waiting, Waiting::Nothing);
        self.waiting = Waiting::Nothing;
        if let Some(Ok(value)) = response.get_observe_value() {
            if !first && !self.is_newer(value, now) {
                return;
            }
            self.newest = Some((value, now));
        }
        self.events.push_back(Event::Response(response));
    }

    /// Whether an Observe value says that a notification is newer than those before (RFC 7641 §3.4).
    fn is_newer(&self, value: u32, now: Instant) -> bool {
        let Some((last, at)) = self.newest else { return true };
        let ahead = value.wrapping_sub(last) & 0xff_ffff;
        (1..1 << 23).contains(&ahead) || now.since(at) > REORDER_WAIT
    }

    /// Whether this acknowledges or resets the request that is under way (RFC 7252 §9.1.1).
    fn awaits(&self, packet: &Packet, epoch: u16) -> bool {
        matches!(&self.waiting, Waiting::Acknowledgement(t) if t.id() == packet.header.message_id)
            && epoch == self.epoch
    }

    /// Whether this is a response to the request (RFC 7252 §5.3.2, §9.1.2).
    fn is_mine(&self, packet: &Packet, epoch: u16) -> bool {
        message::is_response(packet.header.code) && packet.get_token() == self.token && epoch == self.epoch
    }

    fn fail(&mut self, why: Failed) {
        self.waiting = Waiting::Nothing;
        self.events.push_back(Event::Failed(why));
    }

    fn reply(&mut self, typ: MessageType, id: u16) {
        self.transmits.push_back(message::encode(&message::empty(typ, id)));
    }
}

/// A request without message id and token.
pub(super) fn request(method: RequestType, observe: Option<ObserveOption>) -> Packet {
    let mut request = Packet::new();
    request.header.code = MessageClass::Request(method);
    match observe {
        Some(ObserveOption::Register) => request.set_observe_value(0),
        Some(ObserveOption::Deregister) => request.set_observe_value(1),
        None => {}
    }
    request
}

/// Adds a text to a request.
pub(super) fn with_text(mut request: Packet, text: &str) -> Packet {
    // text/plain; charset=utf-8 is number 0, which takes no byte (RFC 7252 §3.2, §12.3).
    request.add_option(CoapOption::ContentFormat, Vec::new());
    request.payload = text.as_bytes().to_vec();
    request
}

#[cfg(test)]
mod tests;
