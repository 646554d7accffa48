//! Reliability: the order of messages, their pieces, flights and their repetition, ACKs.
//!
//! It knows messages by name and `message_seq`, not what they mean, and no keys. An ACK is a set of messages here:
//! which of the own flight the peer has.

use crate::alphabet::*;
use crate::choices::Contradiction;
use crate::guard::Guard;
use crate::handshake::Setting;

/// A flight of this end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flight {
    /// A ClientHello.
    Hello {
        /// With a cookie.
        cookie: bool,
        /// With a share for the group that was asked for.
        group: bool,
    },
    /// 1.2: ServerHello, ServerKeyExchange, ServerHelloDone.
    ServerHello12 {
        /// The ServerKeyExchange is there: with a Diffie-Hellman exchange.
        key_exchange: bool,
    },
    /// 1.2: ClientKeyExchange, ChangeCipherSpec, Finished.
    ClientFinish12,
    /// 1.2: ChangeCipherSpec, Finished: the last one, repeated on demand only.
    ServerFinish12,
    /// 1.3: ServerHello, EncryptedExtensions, Finished.
    Server13,
    /// 1.3: Finished.
    ClientFinish13,
}

impl Flight {
    /// Its messages, each with its epoch.
    #[must_use]
    pub fn messages(self) -> Vec<(u8, Sent)> {
        match self {
            Self::Hello { cookie, group } => vec![(0, Sent::ClientHello { cookie, group })],
            Self::ServerHello12 { key_exchange } => {
                let mut messages = vec![(0, Sent::ServerHello(Version::V12))];
                messages.extend(key_exchange.then_some((0, Sent::ServerKeyExchange)));
                messages.push((0, Sent::ServerHelloDone));
                messages
            }
            Self::ClientFinish12 => {
                vec![(0, Sent::ClientKeyExchange), (0, Sent::ChangeCipherSpec), (1, Sent::Finished)]
            }
            Self::ServerFinish12 => vec![(0, Sent::ChangeCipherSpec), (1, Sent::Finished)],
            Self::Server13 => vec![
                (0, Sent::ServerHello(Version::V13)),
                (2, Sent::EncryptedExtensions),
                (2, Sent::Finished),
            ],
            Self::ClientFinish13 => vec![(2, Sent::Finished)],
        }
    }
}

/// What a message that comes again was, the first time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// The last of the last complete flight.
    FlightEnd,
    /// Another one of it.
    FlightPart,
    /// Of the flight that is coming in, or after the handshake.
    Current,
}

/// Messages that wait for the one in front of them.
const WINDOW: usize = 3;

/// Quarters of a timeout that are left when half of it has passed.
const HALF: u8 = 2;

/// The state of this layer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Reliability {
    /// Pieces of the next message: its epoch, and which piece is there.
    pub partial: Option<(Message, u8, Piece)>,
    /// Whole messages by their distance from the next one, with their epochs. The first one waits only while the
    /// server is suspended.
    pub waiting: [Option<(Message, u8)>; WINDOW],
    /// A ChangeCipherSpec came before the message in front of it.
    pub early_ccs: bool,
    /// The own flight that is being repeated, or kept for repetition on demand.
    pub flight: Option<Flight>,
    /// One bit for each of its messages that the peer has acknowledged.
    pub acked: u8,
    /// Quarters of a retransmission timeout until the flight is sent again.
    pub timer: Option<u8>,
    /// Quarters of a retransmission timeout until an ACK is sent.
    pub ack: Option<u8>,
    /// That ACK was sent before: it is sent again because nothing has come since.
    pub ack_again: bool,
    /// What is needed to answer the peer's last flight is kept until four minutes are over.
    pub kept: bool,
    /// The peer's last complete flight.
    pub complete: Option<PeerFlight>,
    /// The last message that was processed: its epoch and its place.
    pub last: Option<(u8, Place)>,
    /// Servers: the `message_seq` of the hello that made the connection, and the next one. 0 for clients.
    pub seq: (u8, u8),
}

/// A complete flight of the peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerFlight {
    /// One message in epoch 0: a hello, a HelloVerifyRequest, a HelloRetryRequest.
    Single,
    /// ServerHello to ServerHelloDone.
    ServerHello12,
    /// ClientKeyExchange, ChangeCipherSpec, Finished.
    ClientFinish12,
    /// ChangeCipherSpec, Finished.
    ServerFinish12,
    /// ServerHello, EncryptedExtensions, Finished.
    Server13,
    /// Finished.
    ClientFinish13,
}

/// What comes in a record, as far as this layer looks: an epoch, and whether it is a message (or a ChangeCipherSpec).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repeated {
    /// The epoch of the record.
    pub epoch: u8,
    /// The place of the message; `None` for a ChangeCipherSpec.
    pub place: Option<Place>,
}

impl PeerFlight {
    /// The flight that an own flight answers.
    #[must_use]
    pub fn answered_by(flight: Flight) -> Self {
        match flight {
            Flight::Hello { .. } | Flight::ServerHello12 { .. } | Flight::Server13 => Self::Single,
            Flight::ClientFinish12 => Self::ServerHello12,
            Flight::ServerFinish12 => Self::ClientFinish12,
            Flight::ClientFinish13 => Self::Server13,
        }
    }

    /// Its records in order.
    #[must_use]
    pub fn records(self) -> Vec<Repeated> {
        let (parts, end): (&[(u8, bool)], u8) = match self {
            Self::Single => (&[], 0),
            Self::ServerHello12 => (&[(0, true)], 0),
            Self::ClientFinish12 => (&[(0, true), (0, false)], 1),
            Self::ServerFinish12 => (&[(0, false)], 1),
            Self::Server13 => (&[(0, true), (2, true)], 2),
            Self::ClientFinish13 => (&[], 2),
        };
        let part =
            |&(epoch, message): &(u8, bool)| Repeated { epoch, place: message.then_some(Place::FlightPart) };
        let last = Repeated { epoch: end, place: Some(Place::FlightEnd) };
        parts.iter().map(part).chain([last]).collect()
    }
}

/// What became of a piece of the next message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assembled {
    /// It is complete.
    Whole(Message),
    /// A part is still missing.
    Part,
    /// The piece contradicts the others.
    Mismatch,
}

impl Reliability {
    /// A piece of the next message.
    pub fn assemble(&mut self, setting: &Setting, handshake: Handshake, epoch: u8) -> Assembled {
        let Handshake { message, piece, .. } = handshake;
        let whole = match self.partial {
            None if piece == Piece::Whole => message,
            None => {
                self.partial = Some((message, epoch, piece));
                return Assembled::Part;
            }
            Some((held, in_epoch, _)) if shape(held) != shape(message) => {
                let plain = epoch == 0 && in_epoch == 0;
                if !plain || setting.choices.contradiction != Contradiction::NewerInPlaintext {
                    return Assembled::Mismatch;
                }
                self.partial = None;
                return self.assemble(setting, handshake, epoch);
            }
            Some((_, _, held)) if held == piece => return Assembled::Part,
            // The first byte of messages of one shape is the same, except in a Finished, where it decides.
            Some((_, _, Piece::First)) => message,
            Some((held, _, _)) if setting.choices.later_bytes_win => {
                if piece == Piece::Whole {
                    message
                } else {
                    held
                }
            }
            Some(_) if message == Message::Finished(Params::Bad) => message,
            Some((held, _, _)) => held,
        };
        self.partial = None;
        Assembled::Whole(whole)
    }

    /// Takes the message that is next now, after one was processed.
    pub fn advance(&mut self) {
        self.waiting.rotate_left(1);
        if let Some(last) = self.waiting.last_mut() {
            *last = None;
        }
        // A server's count, as far as hellos can reach; clients have no use for one.
        if self.seq.1 > 0 {
            self.seq.1 = (self.seq.1 + 1).min(9);
        }
    }

    /// Forgets what came ahead of its turn or in part.
    pub fn purge(&mut self) {
        (self.partial, self.waiting) = (None, [None; WINDOW]);
    }

    /// Forgets what came in plaintext and was not processed.
    pub fn purge_plaintext(&mut self) {
        self.partial = self.partial.filter(|(_, epoch, _)| *epoch > 0);
        for waiting in &mut self.waiting {
            *waiting = waiting.filter(|(_, epoch)| *epoch > 0);
        }
    }

    /// The clock moves by half a retransmission timeout at least, without a deadline of this end.
    pub fn time_passes(&mut self) {
        self.timer = self.timer.map(|left| left.min(HALF));
    }

    /// A new flight: the peer's is complete, and its ACK is not owed any more.
    pub fn send(&mut self, flight: Flight) -> Vec<(u8, Sent)> {
        // The last flight of 1.2 is repeated on demand only (RFC 6347 §4.2.4).
        let timer = if flight == Flight::ServerFinish12 { None } else { Some(4) };
        self.complete = Some(PeerFlight::answered_by(flight));
        self.end_of_flight();
        (self.flight, self.acked, self.timer) = (Some(flight), 0, timer);
        (self.ack, self.ack_again) = (None, false);
        flight.messages()
    }

    /// The message processed last was the end of the peer's flight.
    pub fn end_of_flight(&mut self) {
        self.last = self.last.map(|(epoch, _)| (epoch, Place::FlightEnd));
    }

    /// The own flight needs no repetition any more.
    pub fn answered(&mut self) {
        (self.flight, self.acked, self.timer) = (None, 0, None);
    }

    /// What of the own flight is not acknowledged.
    #[must_use]
    pub fn outstanding(&self, setting: &Setting) -> Vec<(u8, Sent)> {
        let omits = setting.holds(Guard::AckedOmitted);
        let messages = self.flight.map(Flight::messages).unwrap_or_default();
        let missing = |index: usize| !omits || self.acked & (1 << index) == 0;
        messages.into_iter().enumerate().filter(|(index, _)| missing(*index)).map(|(_, sent)| sent).collect()
    }

    /// The peer has these messages of the own flight (asked with the epoch each is sent in). What is to be sent at once.
    /// Unless it `ends` the wait, the timer goes on when nothing is missing any more.
    pub fn acknowledged(
        &mut self,
        setting: &Setting,
        ends: bool,
        has: impl Fn(u8, Sent) -> bool,
    ) -> Vec<(u8, Sent)> {
        let Some(flight) = self.flight else { return Vec::new() };
        let messages = flight.messages();
        let bits = messages.iter().enumerate().filter(|(_, (epoch, sent))| has(*epoch, *sent));
        let acked = bits.fold(0, |set, (index, _)| set | 1_u8 << index);
        if self.acked | acked == self.acked {
            return Vec::new();
        }
        self.acked |= acked;
        if self.acked.count_ones() as usize == messages.len() {
            if ends {
                self.answered();
            }
            return Vec::new();
        }
        self.timer = Some(4);
        self.outstanding(setting)
    }

    /// Whether something is there while something before it is missing.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        let front = self.partial.is_some_and(|(_, _, piece)| piece == Piece::Rest);
        front || self.waiting.iter().skip(1).any(Option::is_some)
    }

    /// The peer repeats the flight that the own one answers.
    pub fn repeat(&mut self, setting: &Setting) -> Vec<(u8, Sent)> {
        let hurried = !setting.choices.repeats_hurry && self.timer.is_some_and(|left| left > HALF);
        if hurried || self.flight.is_none() || self.acked != 0 {
            return Vec::new();
        }
        self.timer = self.timer.map(|_| 4);
        self.outstanding(setting)
    }
}

/// Type and length of a message: pieces of one message agree in them.
pub(crate) fn shape(message: Message) -> Message {
    match message {
        Message::Finished(_) => Message::Finished(Params::Ok),
        Message::ServerHello(ServerHello { version, flaw }) => {
            let version = if version == Version::V10 { Version::V12 } else { version };
            let flaw = match flaw {
                Flaw::Suite | Flaw::Psk | Flaw::Sentinel => Flaw::None,
                longer_or_shorter => longer_or_shorter,
            };
            Message::ServerHello(ServerHello { version, flaw })
        }
        other => other,
    }
}
