//! A peer that breaks the rules: an honest one whose messages are changed on their way, left out, or joined by others under
//! the honest peer's own keys.
//!
//! [`WrongPeer`] plays a conversation up to a point, does something wrong, and says what the other end, the victim, made of
//! it. Hellos are taken apart by the codec of the scripted peer, so that what is wrong needs no help of the library's own.

use dtls_core::{
    AlertDescription, CloseReason, ContentType, Discard, Error, HandshakeType, StateKind, TraceEvent,
};
pub use scripted_peer::codec::{ClientHello, ServerHello, get, message, remove, set};
use simulated_network::Side;

use crate::{
    End, Script, Setup,
    mailbox::Letter,
    schedule::{Forgery, Step},
    wire::records,
};

/// A conversation in which one side does wrong to the other.
#[derive(Clone, Debug)]
pub struct WrongPeer {
    /// Both ends, and what is under way between them.
    pub script: Script,
    victim: Side,
    log: Vec<TraceEvent>,
}

impl WrongPeer {
    /// Both ends just started. Datagrams should be long enough for whole messages.
    pub fn new(setup: &Setup, victim: Side) -> Self {
        let mut script = Script::new(setup);
        script.ends.take_trace(victim);
        Self { script, victim, log: Vec::new() }
    }

    /// Lets both ends be honest, record by record, until the victim is in a state of this kind.
    ///
    /// # Panics
    /// If it never is.
    #[must_use]
    pub fn reach(self, kind: StateKind) -> Self {
        let victim = self.victim;
        self.until(|script| script.ends.end(victim).is_some_and(|end| end.connection().state_kind() == kind))
    }

    /// Lets both ends be honest, record by record, until `done`.
    ///
    /// # Panics
    /// If it never is.
    #[must_use]
    pub fn until(mut self, done: impl Fn(&Script) -> bool) -> Self {
        for _ in 0..100 {
            if done(&self.script) {
                self.log.clear();
                self.script.ends.take_trace(self.victim);
                return self;
            }
            self.script.apply(&Step::Split(0, 1));
            self.script.apply(&Step::Deliver(0));
        }
        panic!("never reached: {:?}", self.script);
    }

    /// Lets both ends be honest until a plaintext message of this type is under way to the victim.
    #[must_use]
    pub fn until_sent(self, typ: HandshakeType) -> Self {
        let victim = self.victim;
        self.until(|script| {
            script
                .mailbox
                .live()
                .first()
                .is_some_and(|letter| letter.to == victim && first_type(letter) == Some(typ))
        })
    }

    /// The next datagram under way, which starts with a ClientHello, with other contents.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn client_hello(self, change: impl FnOnce(&mut ClientHello)) -> Self {
        self.change_message(|body| {
            let mut hello = ClientHello::parse(body).expect("well-formed");
            change(&mut hello);
            hello.encode()
        })
    }

    /// The next datagram under way, which starts with a ServerHello or HelloRetryRequest, with other contents.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn server_hello(self, change: impl FnOnce(&mut ServerHello)) -> Self {
        self.change_message(|body| {
            let mut hello = ServerHello::parse(body).expect("well-formed");
            change(&mut hello);
            hello.encode()
        })
    }

    /// The next datagram under way with another body of the plaintext message it starts with.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn change_message(mut self, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let letter = self.script.mailbox.live().first().expect("a datagram is under way").clone();
        let record = records(&letter.bytes).next().expect("a record");
        let (header, body) = record.body().split_at(12);
        assert_eq!(header[1..4], header[9..12], "the message is whole");
        let body = change(body);
        let [_, _, hi, lo] = (body.len() as u32).to_be_bytes();
        let message = [&header[..1], &[0, hi, lo], &header[4..9], &[0, hi, lo], &body].concat();
        let mut bytes = record.bytes[..11].to_vec();
        bytes.extend_from_slice(&(message.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&message);
        bytes.extend_from_slice(&letter.bytes[record.bytes.len()..]);
        self.script.mailbox.replace(0, &bytes);
        self
    }

    /// The body of the plaintext message that the next datagram under way starts with.
    ///
    /// # Panics
    /// If there is none.
    pub fn next_body(&self) -> &[u8] {
        let letter = self.script.mailbox.live().first().expect("a datagram is under way");
        &records(&letter.bytes).next().expect("a record").body()[12..]
    }

    /// The next datagram under way arrives.
    #[must_use]
    pub fn deliver(mut self) -> Self {
        self.script.apply(&Step::Deliver(0));
        self.note();
        self
    }

    /// A handshake message arrives at the victim in one record of `epoch`, with the number of the message it takes next.
    #[must_use]
    pub fn message(self, epoch: u16, typ: HandshakeType, body: &[u8]) -> Self {
        let seq = self.end().and_then(|end| end.connection().next_message_seq()).unwrap_or(0);
        self.record(epoch, ContentType::HANDSHAKE, &message(typ, seq, body))
    }

    /// A record of `epoch` arrives at the victim: under the keys of the honest peer, or by anyone in epoch 0.
    ///
    /// # Panics
    /// If the honest peer has no such keys.
    #[must_use]
    pub fn record(mut self, epoch: u16, content: ContentType, body: &[u8]) -> Self {
        let datagram = match epoch {
            0 => self.plain(epoch, content, body),
            _ => self
                .script
                .ends
                .forge(self.victim.peer(), epoch, content, body)
                .expect("the honest peer has keys of this epoch"),
        };
        self = self.bytes(&datagram);
        self
    }

    /// A record with the header of plaintext arrives at the victim, of whatever epoch.
    #[must_use]
    pub fn plain_record(self, epoch: u16, content: ContentType, body: &[u8]) -> Self {
        let datagram = self.plain(epoch, content, body);
        self.bytes(&datagram)
    }

    /// A datagram arrives at the victim.
    #[must_use]
    pub fn bytes(mut self, datagram: &[u8]) -> Self {
        // A fatal error stays with the end.
        let _told = self.script.ends.deliver(self.victim, datagram);
        self.note();
        self
    }

    /// The victim ended the connection for this reason, and its alert is on its way.
    ///
    /// # Panics
    /// If it did not, or with another alert.
    #[track_caller]
    pub fn assert_refused(&self, error: impl Into<Error>, alert: AlertDescription) {
        let error = error.into();
        let closed = self.end().and_then(End::closed);
        assert_eq!(closed, Some(CloseReason::Failed(error)), "{:?}", self.log);
        let sent: Vec<_> = self
            .log
            .iter()
            .filter_map(|event| match event {
                TraceEvent::AlertSent { description } => Some(*description),
                _ => None,
            })
            .collect();
        assert_eq!(sent, [alert]);
    }

    /// The victim ended the connection for this reason without an alert.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn assert_ended_silently(&self, error: impl Into<Error>) {
        let closed = self.end().and_then(End::closed);
        assert_eq!(closed, Some(CloseReason::Failed(error.into())), "{:?}", self.log);
        assert!(
            !self.log.iter().any(|event| matches!(event, TraceEvent::RecordSent { .. })),
            "{:?}",
            self.log
        );
    }

    /// The victim dropped what it got for this reason, and the conversation ends as if nothing had happened.
    ///
    /// # Panics
    /// If it did not, or if the ends do not connect.
    #[track_caller]
    pub fn assert_ignored(mut self, reason: Discard) {
        let reasons: Vec<_> = self
            .log
            .iter()
            .filter_map(|event| match event {
                TraceEvent::Discarded { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [reason], "{:?}", self.log);
        self.assert_unharmed();
        self.script.finish(200);
        assert!(self.script.ends.connected(), "{:?}", self.script);
    }

    /// The victim goes on.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn assert_unharmed(&self) {
        assert_eq!(self.end().and_then(End::closed), None, "{:?}", self.log);
    }

    /// The listener answered with this alert and keeps nothing.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn assert_turned_away(&self, alert: AlertDescription) {
        assert!(self.script.ends.end(Side::Server).is_none(), "a connection was made");
        let reply = self.script.mailbox.live().last().expect("a reply");
        let record = records(&reply.bytes).next().expect("a record");
        assert_eq!(
            (record.content_type(), record.body()),
            (Some(ContentType::ALERT.0), &[2, alert.code()][..])
        );
    }

    /// What happened inside the victim since the last honest step.
    pub fn log(&self) -> &[TraceEvent] {
        &self.log
    }

    /// The victim.
    pub const fn end(&self) -> Option<&End> {
        self.script.ends.end(self.victim)
    }

    fn plain(&self, epoch: u16, content: ContentType, body: &[u8]) -> Vec<u8> {
        let (to, content_type) = (self.victim, content.0);
        Forgery { to, content_type, epoch, sequence: 1 << 20, body: body.to_vec() }.datagram()
    }

    fn note(&mut self) {
        self.log.extend(self.script.ends.take_trace(self.victim));
    }
}

/// The type of the plaintext message a datagram starts with.
fn first_type(letter: &Letter) -> Option<HandshakeType> {
    let record = records(&letter.bytes).next().filter(|record| record.content_type() == Some(22))?;
    (record.epoch() == 0).then(|| record.body().first().copied().map(HandshakeType))?
}
