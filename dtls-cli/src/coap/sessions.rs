//! The server's side of all sessions: requests in, responses and notifications out (RFC 7252 §4, §5; RFC 7641 §4).
//!
//! `P` names a session's peer. A session that is over takes everything with it that belonged to it (RFC 7252 §9.1).

use std::collections::{BTreeMap, VecDeque};

use coap_lite::{CoapOption, MessageClass, MessageType, ObserveOption, Packet, RequestType, ResponseType};
use dtls_core::{Instant, Rng};

use super::{
    Epochs,
    message::{self, Malformed},
    random,
    recent::Recent,
    resources::{Answer, Resources, path_of},
    transmission::{Due, Transmission},
};

/// Observations that a session may have at a time.
const MOST_OBSERVERS: usize = 8;

/// The sessions of a server and what they work on.
#[derive(Debug)]
pub(super) struct Sessions<P, R> {
    rng: R,
    resources: Resources,
    sessions: BTreeMap<P, Session>,
    /// The Observe value of the next notification: it grows with every change of anything (RFC 7641 §4.4).
    sequence: u32,
    transmits: VecDeque<(P, Vec<u8>)>,
}

#[derive(Debug)]
struct Session {
    epochs: Epochs,
    next_id: u16,
    recent: Recent,
    observers: Vec<Observer>,
    /// The notification under way, one at a time: NSTART (RFC 7252 §4.7).
    notification: Option<Notification>,
}

/// A registration. Another one with the same token takes its place.
#[derive(Debug)]
struct Observer {
    token: Vec<u8>,
    path: String,
    /// Whether the resource has changed since the last notification was made.
    behind: bool,
}

#[derive(Debug)]
struct Notification {
    token: Vec<u8>,
    transmission: Transmission,
}

/// When something happens: the time, and what tells a session's epochs then, if there still is one.
pub(super) struct Moment<'a, P> {
    pub(super) now: Instant,
    pub(super) epochs: &'a dyn Fn(P) -> Option<Epochs>,
}

impl<P: Ord + Copy, R: Rng> Sessions<P, R> {
    /// No sessions, and the resources at the start.
    pub(super) fn new(rng: R) -> Self {
        Self {
            rng,
            resources: Resources::new(),
            sessions: BTreeMap::new(),
            sequence: 1,
            transmits: VecDeque::new(),
        }
    }

    /// A session begins; what there was with this peer is over.
    pub(super) fn begin(&mut self, peer: P, epochs: Epochs) {
        let session = Session {
            epochs,
            next_id: random(&mut self.rng),
            recent: Recent::default(),
            observers: Vec::new(),
            notification: None,
        };
        self.sessions.insert(peer, session);
    }

    /// A session is over.
    pub(super) fn end(&mut self, peer: P) {
        self.sessions.remove(&peer);
    }

    /// The next message to send.
    pub(super) fn poll_transmit(&mut self) -> Option<(P, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let notifications = self.sessions.values().filter_map(|session| session.notification.as_ref());
        notifications.map(|notification| notification.transmission.due()).min()
    }

    /// Repeats notifications that are due, or gives them up.
    pub(super) fn handle_timeout(&mut self, when: &Moment<'_, P>) {
        let due = |s: &Session| s.notification.as_ref().is_some_and(|n| n.transmission.due() <= when.now);
        let peers: Vec<P> = self.sessions.iter().filter(|(_, s)| due(s)).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.repeat(peer, when);
            self.notify(peer, when);
        }
    }

    /// Takes in a message that was sent in `epoch`.
    pub(super) fn receive(&mut self, peer: P, bytes: &[u8], epoch: u16, when: &Moment<'_, P>) {
        let Some(session) = self.current(peer, when) else { return };
        match message::decode(bytes) {
            Ok(packet) => match packet.header.get_type() {
                MessageType::Confirmable | MessageType::NonConfirmable => {
                    self.on_message(peer, &packet, epoch, when);
                }
                typ => session.on_acknowledgement(packet.header.message_id, typ, epoch),
            },
            Err(Malformed::Reject(id)) => self.reset(peer, id),
            Err(Malformed::Ignore) => {}
        }
        self.notify(peer, when);
    }

    fn on_message(&mut self, peer: P, packet: &Packet, epoch: u16, when: &Moment<'_, P>) {
        let id = packet.header.message_id;
        let confirmable = packet.header.get_type() == MessageType::Confirmable;
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if let Some(answer) = session.recent.find(when.now, epoch, id) {
            let again = answer.filter(|_| confirmable).map(<[u8]>::to_vec);
            return self.transmits.extend(again.map(|bytes| (peer, bytes)));
        }
        if u8::from(packet.header.code) >> 5 != 0 || packet.header.code == MessageClass::Empty {
            // No request. An empty one asks whether anyone is there (RFC 7252 §4.3).
            if confirmable {
                self.reset(peer, id);
            }
            return;
        }
        // What was sent before the keys changed gets no response after (RFC 7252 §9.1.2).
        if epoch != session.epochs.read {
            return;
        }
        let own_id = session.take_id();
        let mut response = self.respond(peer, packet, when);
        if confirmable {
            response.header.set_type(MessageType::Acknowledgement);
            response.header.message_id = id;
        } else {
            response.header.set_type(MessageType::NonConfirmable);
            response.header.message_id = own_id;
        }
        let bytes = message::encode(&response);
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.recent.keep(when.now, epoch, id, Some(bytes.clone()));
        }
        self.transmits.push_back((peer, bytes));
    }

    /// Carries out a request.
    fn respond(&mut self, peer: P, request: &Packet, when: &Moment<'_, P>) -> Packet {
        let refusal = |code, why: &str| response_to(request.get_token(), Answer::refusal(code, why));
        if message::is_for_a_proxy(request) {
            return refusal(ResponseType::ProxyingNotSupported, "");
        }
        if let Some(number) = message::bad_option(request) {
            return refusal(ResponseType::BadOption, &format!("option {number}"));
        }
        let Some(path) = path_of(request) else {
            return refusal(ResponseType::BadRequest, "the path is not UTF-8");
        };
        let MessageClass::Request(method) = request.header.code else {
            return refusal(ResponseType::MethodNotAllowed, "");
        };
        let answer = self.resources.handle(method, &path, request);
        if answer.changed {
            self.changed(&path, when);
        }
        let read = answer.code == ResponseType::Content;
        let mut response = response_to(request.get_token(), answer);
        if method == RequestType::Get && self.observes(peer, request, &path, read) {
            response.set_observe_value(self.sequence);
        }
        response
    }

    /// Registers or deregisters as a GET asks (RFC 7641 §4.1), and says whether the peer observes now.
    fn observes(&mut self, peer: P, request: &Packet, path: &str, read: bool) -> bool {
        let Some(Ok(value)) = request.get_observe_value() else { return false };
        let Some(session) = self.sessions.get_mut(&peer) else { return false };
        let token = request.get_token();
        match usize::try_from(value).ok().and_then(|value| ObserveOption::try_from(value).ok()) {
            Some(ObserveOption::Register) if read && self.resources.is_observable(path) => {
                session.observe(token, path)
            }
            Some(ObserveOption::Deregister) => {
                session.forget(token);
                false
            }
            _ => false,
        }
    }

    /// Tells all who observe `path`.
    fn changed(&mut self, path: &str, when: &Moment<'_, P>) {
        self.sequence = (self.sequence + 1) & 0xff_ffff;
        for session in self.sessions.values_mut() {
            for observer in session.observers.iter_mut().filter(|observer| observer.path == path) {
                observer.behind = true;
            }
        }
        let peers: Vec<P> = self.sessions.keys().copied().collect();
        for peer in peers {
            self.notify(peer, when);
        }
    }

    /// Starts the next notification of a session, unless one is under way.
    fn notify(&mut self, peer: P, when: &Moment<'_, P>) {
        self.current(peer, when);
        let Self { rng, resources, sessions, sequence, transmits } = self;
        let Some(session) = sessions.get_mut(&peer).filter(|s| s.notification.is_none()) else { return };
        let Some(position) = session.observers.iter().position(|observer| observer.behind) else { return };
        let (id, token, bytes) = session.make_notification(position, resources, *sequence);
        transmits.push_back((peer, bytes.clone()));
        let transmission = Transmission::new(id, bytes, session.epochs.write, when.now, random(rng));
        session.notification = Some(Notification { token, transmission });
    }

    /// The notification of this session was not acknowledged in time.
    fn repeat(&mut self, peer: P, when: &Moment<'_, P>) {
        self.current(peer, when);
        let Self { resources, sessions, sequence, transmits, .. } = self;
        let Some(session) = sessions.get_mut(&peer) else { return };
        let Some(mut notification) = session.notification.take() else { return };
        match notification.transmission.poll(when.now, session.epochs.write) {
            Some(Due::Again) => {
                let news = |o: &Observer| o.behind && o.token == notification.token;
                if let Some(position) = session.observers.iter().position(news) {
                    let (id, _, bytes) = session.make_notification(position, resources, *sequence);
                    notification.transmission.replace(id, bytes);
                }
                transmits.push_back((peer, notification.transmission.bytes().to_vec()));
                session.notification = Some(notification);
            }
            Some(Due::GiveUp | Due::EpochOver) => session.forget(&notification.token),
            None => session.notification = Some(notification),
        }
    }

    /// The session with this peer, as its epochs have it now; none if it has just ended.
    fn current(&mut self, peer: P, when: &Moment<'_, P>) -> Option<&mut Session> {
        match (when.epochs)(peer) {
            Some(epochs) => {
                let session = self.sessions.get_mut(&peer)?;
                session.enter(epochs);
                Some(session)
            }
            None => {
                self.sessions.remove(&peer);
                None
            }
        }
    }

    fn reset(&mut self, peer: P, id: u16) {
        self.transmits.push_back((peer, message::encode(&message::empty(MessageType::Reset, id))));
    }
}

impl Session {
    /// Registrations end with the epoch they were made in: what followed would match no request (RFC 7252 §9.1.2).
    fn enter(&mut self, epochs: Epochs) {
        if self.epochs != epochs {
            self.epochs = epochs;
            self.observers.clear();
            self.notification = None;
        }
    }

    fn take_id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    /// Adds an observer; `false` if there are too many.
    fn observe(&mut self, token: &[u8], path: &str) -> bool {
        self.forget(token);
        if self.observers.len() >= MOST_OBSERVERS {
            return false;
        }
        self.observers.push(Observer { token: token.to_vec(), path: path.into(), behind: false });
        true
    }

    fn forget(&mut self, token: &[u8]) {
        self.observers.retain(|observer| observer.token != token);
        self.notification.take_if(|notification| notification.token == token);
    }

    fn on_acknowledgement(&mut self, id: u16, typ: MessageType, epoch: u16) {
        let matches = |n: &mut Notification| n.transmission.id() == id && epoch == self.epochs.read;
        if let Some(notification) = self.notification.take_if(matches)
            && typ == MessageType::Reset
        {
            self.forget(&notification.token);
        }
    }

    /// The resource as it is now, for the observer at `position`, who is one no longer if it has gone.
    fn make_notification(
        &mut self,
        position: usize,
        resources: &Resources,
        sequence: u32,
    ) -> (u16, Vec<u8>, Vec<u8>) {
        let id = self.take_id();
        let observer = &mut self.observers[position];
        observer.behind = false;
        let token = observer.token.clone();
        let answer = resources.get(&observer.path);
        let there = answer.code == ResponseType::Content;
        let mut packet = response_to(&token, answer);
        if there {
            packet.set_observe_value(sequence);
        } else {
            self.observers.remove(position);
        }
        packet.header.set_type(MessageType::Confirmable);
        packet.header.message_id = id;
        (id, token, message::encode(&packet))
    }
}

fn response_to(token: &[u8], answer: Answer) -> Packet {
    let mut packet = Packet::new();
    packet.header.code = MessageClass::Response(answer.code);
    packet.set_token(token.to_vec());
    if let Some(format) = answer.body.format {
        packet.add_option(CoapOption::ContentFormat, format);
    }
    packet.payload = answer.body.payload;
    packet
}

#[cfg(test)]
mod tests;
