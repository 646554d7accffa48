//! What must hold on every trace, whatever the end is: properties as an observer that sees inputs and outputs only.
//!
//! The observer knows nothing of the model's states, so it can watch an implementation as well. The names S1 to S20
//! (safety) and L1 to L7 (liveness) are those of the project's list of properties, repeated at each check.

use core::fmt;

use crate::alphabet::*;
use crate::mode::{Mode, Role, Versions};

/// A property that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Property {
    /// S3: connected means that a Finished verified under the right keys, and that a binder did where there is one.
    Authentication,
    /// S4: application data is delivered after the peer's Finished and from epoch 1 (1.2) or 3 (1.3) only.
    DataAfterFinished,
    /// S5: nothing is delivered that did not authenticate.
    DataAuthentic,
    /// S6: no record counts twice, no message is processed twice.
    AtMostOnce,
    /// S9: plaintext, forgeries and copies change nothing once there are keys.
    NoiseIsSilent,
    /// S10: no connection before the cookie.
    CookieFirst,
    /// S13: after the end nothing is delivered and nothing is sent, but the answer owed to the peer's last flight, or the
    /// alert again to a peer that goes on.
    SilentAfterEnd,
    /// S14: the newest version both ends have, and no sentinel overlooked.
    NoDowngrade,
    /// S15: only what was offered or asked for; never a new handshake inside the connection.
    OnlyOffered,
    /// S18: the peer's errors that call for an alert get one: who fails sends it, and who has to fail does.
    AlertDue,
    /// S20: none of the order bugs known from other stacks.
    MessageOrder,
    /// RFC 9147 §7.2: what was acknowledged is not sent again.
    AckedStaysAcked,
    /// L3: who waits for the peer's first answer has a timer, and it sends.
    TimerRuns,
    /// L4: reordering ends nothing.
    ReorderingHarmless,
    /// L5: who spoke last answers the peer's last flight when it comes again.
    LastFlightAnswered,
}

impl Property {
    /// Its number in the list.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Authentication => "S3",
            Self::DataAfterFinished => "S4",
            Self::DataAuthentic => "S5",
            Self::AtMostOnce => "S6",
            Self::NoiseIsSilent => "S9",
            Self::CookieFirst => "S10",
            Self::SilentAfterEnd => "S13",
            Self::NoDowngrade => "S14",
            Self::OnlyOffered => "S15",
            Self::AlertDue => "S18",
            Self::MessageOrder => "S20",
            Self::AckedStaysAcked => "L1",
            Self::TimerRuns => "L3",
            Self::ReorderingHarmless => "L4",
            Self::LastFlightAnswered => "L5",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self:?}", self.id())
    }
}

/// Watches one end from its first input on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Observer {
    mode: Mode,
    phase: Phase,
    /// The version of the ServerHello that was sent, or taken without a complaint.
    version: Option<Version>,
    /// The proper messages the peer has sent so far, each in its epoch.
    seen: u16,
    /// A ServerHello with a flaw was taken without a complaint.
    flaw: Option<Flaw>,
    /// The client was asked to retry.
    retried: bool,
    /// The peer has acknowledged the plaintext part of the flight.
    acked: bool,
    /// A HelloRetryRequest was answered.
    answered: bool,
    /// A piece of a message came: what contradicts it is dropped.
    pieced: bool,
    /// The application was asked for a key, and has not said whether there is one.
    asked: bool,
    /// The last flight can be asked for again: nothing has been asked for and no timer has run since.
    owes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Phase {
    Handshake,
    Connected,
    /// Ended by a close_notify in either direction.
    Closed,
    /// Ended by an error.
    Failed,
}

/// Bits of `Observer::seen`.
const SERVER_HELLO: u16 = 1;
const KEY_EXCHANGE: u16 = 2;
const DONE: u16 = 4;
const CCS: u16 = 8;
const EXTENSIONS: u16 = 16;
const FINISHED: u16 = 32;
const FIRST_PIECE: u16 = 64;
const LAST_PIECE: u16 = 128;
/// The ServerHello came whole, so that there is no doubt about when.
const IN_ONE: u16 = 256;
const PIECES: u16 = FIRST_PIECE | LAST_PIECE;

impl Observer {
    /// At the beginning of a trace.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            phase: Phase::Handshake,
            version: None,
            seen: 0,
            flaw: None,
            retried: false,
            acked: false,
            answered: false,
            pieced: false,
            asked: false,
            owes: false,
        }
    }

    /// One step of the trace.
    ///
    /// # Errors
    ///
    /// The property that this step violates.
    pub fn watch(&mut self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        self.check_end(input, outputs)?;
        self.check_noise(input, outputs)?;
        self.check_data(input, outputs)?;
        self.check_refusals(input, outputs)?;
        match self.mode.role {
            Role::Client => self.check_client(input, outputs)?,
            Role::Server => self.check_server(input, outputs)?,
        }
        self.check_acks(input, outputs)?;
        self.note(input, outputs);
        if has_event(outputs, Event::Connected) {
            self.check_connected()?;
        }
        self.note_phase(input, outputs);
        Ok(())
    }

    fn check_end(&self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let repeats = |output: &Output| {
            let answer = matches!(
                output,
                Output::Tx(
                    _,
                    Sent::ChangeCipherSpec
                        | Sent::Finished
                        | Sent::Ack { empty: false }
                        | Sent::Alert(Level::Warning, Description::CLOSE_NOTIFY)
                )
            );
            // RFC 9147 §5.8.1: the Finished of a client has a timer until it is acknowledged.
            let client_13 = self.mode.role == Role::Client && self.version == Some(Version::V13);
            answer && (matches!(input, Input::Again(_)) || client_13 && input == Input::Timer)
        };
        // RFC 6347 §4.2.7, RFC 9147 §5.10: the alert again, for a handshake that goes on.
        let goes_on = matches!(input, Input::Again(_) | Input::Replay) || handshake(input).is_some();
        let alerts = |output: &Output| matches!(output, Output::Tx(_, Sent::Alert(Level::Fatal, _)));
        let silent = match self.phase {
            Phase::Failed => outputs.is_empty() || goes_on && outputs.len() == 1 && alerts(&outputs[0]),
            Phase::Closed => outputs.iter().all(repeats),
            Phase::Handshake | Phase::Connected => true,
        };
        ensure(silent, Property::SilentAfterEnd)?;
        ensure(!has_event(outputs, Event::Failed) || outputs.iter().any(alerts), Property::AlertDue)
    }

    fn check_noise(&self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let noise = match input {
            Input::Rx(record) => record.epoch == 0 || record.seal == Seal::Broken,
            Input::Replay => true,
            _ => false,
        };
        if matches!(input, Input::Again(_)) {
            ensure(!has_event(outputs, Event::Failed), Property::AtMostOnce)?;
        }
        if let Some((Handshake { seq: Seq::Ahead, .. }, epoch)) = handshake(input) {
            // Behind the peer's Finished nothing new comes in its epoch, in whatever order.
            let behind = epoch == 2 && self.phase == Phase::Connected;
            ensure(behind || !has_event(outputs, Event::Failed), Property::ReorderingHarmless)?;
        }
        let delivered = has_event(outputs, Event::Delivered);
        ensure(!(delivered && input == Input::Replay), Property::AtMostOnce)?;
        let silent = !noise || self.phase != Phase::Connected || outputs.is_empty() || delivered;
        ensure(silent, Property::NoiseIsSilent)
    }

    fn check_data(&self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        if !has_event(outputs, Event::Delivered) {
            return Ok(());
        }
        let epoch = if self.version == Some(Version::V13) { 3 } else { 1 };
        let proper = |record: Record| record.epoch == epoch && record.content == Content::Data;
        let Input::Rx(record) = input else { return Err(Property::DataAuthentic) };
        ensure(self.phase == Phase::Connected && proper(record), Property::DataAfterFinished)?;
        ensure(record.seal == Seal::Genuine, Property::DataAuthentic)
    }

    /// What must not be taken in although it comes in its place, and the answer of an application that has no key.
    fn check_refusals(&self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let failed = has_event(outputs, Event::Failed);
        let without_key =
            self.asked && self.phase == Phase::Handshake && input == Input::App(App::PskNotFound);
        ensure(failed || !without_key, Property::Authentication)?;
        let Some((Handshake { message, seq: Seq::Next, piece: Piece::Whole }, 0)) = handshake(input) else {
            return Ok(());
        };
        if self.pieced {
            return Ok(());
        }
        let waits = self.phase == Phase::Handshake && self.seen & (PIECES | KEY_EXCHANGE | DONE) == 0;
        let is_client = self.mode.role == Role::Client;
        let first = is_client && waits && self.flaw.is_none();
        let key = match message {
            Message::ServerKeyExchange(params) if is_client => {
                let in_place = self.seen & (IN_ONE | SERVER_HELLO) == IN_ONE | SERVER_HELLO;
                let left = self.seen & (KEY_EXCHANGE | DONE) == 0 && self.phase == Phase::Handshake;
                params == Params::Ok || !(in_place && left && self.version == Some(Version::V12))
            }
            Message::ClientKeyExchange(params) if !is_client && !self.mode.deferred => {
                params == Params::Ok || !waits || self.version != Some(Version::V12)
            }
            _ => true,
        };
        ensure(key || failed, Property::Authentication)?;
        let offered = match message {
            Message::ServerHello(ServerHello { version: Version::V10, .. }) => false,
            Message::ServerHello(ServerHello { version: Version::V12, .. }) => {
                self.mode.has_12() && !self.answered
            }
            Message::ServerHello(ServerHello { version: Version::V13, .. }) => self.mode.has_13(),
            _ => true,
        };
        ensure(offered || !first || failed, Property::NoDowngrade)?;
        ensure(message != Message::Malformed || !first || failed, Property::AlertDue)
    }

    /// What a client does about hellos of the server, and before there is any.
    fn check_client(&self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let hello = sends(outputs, |sent| matches!(sent, Sent::ClientHello { .. }));
        let waits = self.phase == Phase::Handshake && self.seen & SERVER_HELLO == 0 && self.flaw.is_none();
        if input == Input::Timer && waits && !self.retried && self.seen == 0 {
            ensure(hello, Property::TimerRuns)?;
        }
        let handshake = handshake(input);
        if let Some((Handshake { message: Message::HelloRetryRequest(retry), .. }, _)) = handshake
            && hello
        {
            ensure(!self.retried, Property::MessageOrder)?;
            ensure(retry.cookie || retry.group != RetryGroup::None, Property::MessageOrder)?;
            ensure(!matches!(retry.group, RetryGroup::Same | RetryGroup::NotOffered), Property::OnlyOffered)?;
        }
        let strange = match handshake {
            Some((Handshake { message, seq: Seq::Next, .. }, epoch)) => {
                let first = waits && self.seen == 0 && epoch == 0;
                is_strange(message) && (first || self.established() == Some(epoch))
            }
            _ => false,
        };
        ensure(!strange || has_event(outputs, Event::Failed), Property::MessageOrder)?;
        self.check_restart(input, outputs)
    }

    fn check_server(&mut self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let accepted = sends(outputs, |sent| matches!(sent, Sent::ServerHello(_)));
        if let Some((Handshake { message: Message::ClientHello(hello), .. }, 0)) = handshake(input)
            && self.version.is_none()
            && (accepted || has_event(outputs, Event::NeedPsk))
        {
            let proven = matches!(hello.cookie, Cookie::Good | Cookie::Retry);
            ensure(proven || !self.mode.cookie, Property::CookieFirst)?;
            let answered_13 = sends(outputs, |sent| sent == Sent::ServerHello(Version::V13));
            // In 1.2 the key is asked for later.
            let is_13 = answered_13 || has_event(outputs, Event::NeedPsk);
            let both = hello.offers == Offers::Both && self.mode.versions == Versions::Both;
            ensure(is_13 || !both, Property::NoDowngrade)?;
            let share = hello.share || !self.mode.ephemeral || !is_13;
            ensure(hello.suite && share && (hello.ems || is_13), Property::OnlyOffered)?;
            ensure(hello.psk == Psk::Known || !answered_13, Property::Authentication)?;
        }
        let is_13 = self.version == Some(Version::V13);
        if has_event(outputs, Event::Connected) && is_13 && !has_event(outputs, Event::Failed) {
            let acked = sends(outputs, |sent| matches!(sent, Sent::Ack { .. }));
            ensure(acked, Property::LastFlightAnswered)?;
        }
        if let Input::Again(Again::Last | Again::Flight) = input
            && core::mem::take(&mut self.owes)
        {
            let answered = sends(outputs, |sent| matches!(sent, Sent::Finished | Sent::Ack { .. }));
            ensure(answered, Property::LastFlightAnswered)?;
        }
        self.check_restart(input, outputs)
    }

    /// RFC 6347 §4.2.2, RFC 5746 §4.5: a new handshake inside the connection is refused.
    fn check_restart(&self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let restart = matches!(handshake(input), Some((Handshake { seq: Seq::Start, .. }, 1)));
        let hello = sends(outputs, |sent| matches!(sent, Sent::ClientHello { .. } | Sent::ServerHello(_)));
        ensure(!(restart && hello), Property::OnlyOffered)
    }

    fn check_acks(&mut self, input: Input, outputs: &[Output]) -> Result<(), Property> {
        let hello = sends(outputs, |sent| matches!(sent, Sent::ServerHello(Version::V13)));
        ensure(!(self.acked && hello), Property::AckedStaysAcked)?;
        let Input::Rx(Record { epoch: 2, content: Content::Ack(acked), .. }) = input else { return Ok(()) };
        let known = self.phase == Phase::Handshake && self.version == Some(Version::V13);
        let doubtful = self.mode.role == Role::Client && self.seen & IN_ONE == 0;
        if known && !doubtful && acked == Acked::HigherEpoch {
            ensure(has_event(outputs, Event::Failed), Property::AlertDue)?;
        }
        self.acked |= known && matches!(acked, Acked::Plain | Acked::All);
        Ok(())
    }

    /// What must have come before an end may say that it is connected.
    fn check_connected(&self) -> Result<(), Property> {
        let needed = match (self.mode.role, self.version) {
            (Role::Client, Some(Version::V13)) => SERVER_HELLO | EXTENSIONS,
            (Role::Client, _) if self.mode.ephemeral => SERVER_HELLO | KEY_EXCHANGE | DONE | CCS,
            (Role::Client, _) => SERVER_HELLO | DONE | CCS,
            (Role::Server, Some(Version::V13)) => 0,
            (Role::Server, _) => KEY_EXCHANGE | CCS,
        };
        if self.seen & SERVER_HELLO == 0 && needed & SERVER_HELLO != 0 {
            match self.flaw {
                Some(Flaw::Sentinel) => return Err(Property::NoDowngrade),
                Some(_) => return Err(Property::OnlyOffered),
                None => {}
            }
        }
        ensure(self.seen & needed == needed, Property::MessageOrder)?;
        ensure(self.seen & FINISHED != 0, Property::Authentication)
    }

    /// Notes what came in. A message that was dropped as noise may be noted too early; that makes this observer miss
    /// something, never complain wrongly.
    fn note(&mut self, input: Input, outputs: &[Output]) {
        for output in outputs {
            match *output {
                Output::Tx(_, Sent::ServerHello(version)) => self.version = Some(version),
                // Of pieces of hellos of two versions nobody can see which counted.
                Output::Tx(_, Sent::ClientKeyExchange) => self.version = Some(Version::V12),
                Output::Tx(2, Sent::Finished) => self.version = Some(Version::V13),
                _ => {}
            }
        }
        if let Input::Rx(Record { epoch: 0, content: Content::ChangeCipherSpec, .. }) = input {
            self.seen |= CCS;
        }
        let failed = has_event(outputs, Event::Failed) && !has_event(outputs, Event::Connected);
        let Some((Handshake { message, piece, .. }, epoch)) = handshake(input).filter(|_| !failed) else {
            return;
        };
        match (message, epoch) {
            (Message::ServerHello(hello), 0) if self.mode.role == Role::Client => {
                let pieces = self.seen & PIECES != 0;
                self.seen |= match piece {
                    Piece::Whole => PIECES,
                    Piece::First => FIRST_PIECE,
                    Piece::Rest => LAST_PIECE,
                };
                let first = self.seen & SERVER_HELLO == 0 && self.flaw.is_none();
                if self.seen & PIECES == PIECES && first {
                    // Where pieces of a good one came first, theirs may be the bytes that count.
                    let flaw = if pieces { Flaw::None } else { hello.flaw };
                    self.seen |= if flaw == Flaw::None { SERVER_HELLO } else { 0 };
                    self.seen |= if pieces { 0 } else { IN_ONE };
                    self.flaw = (flaw != Flaw::None).then_some(flaw);
                    self.version = Some(match self.mode.versions {
                        Versions::V12 => Version::V12,
                        Versions::V13 => Version::V13,
                        Versions::Both => hello.version,
                    });
                }
            }
            (Message::HelloRetryRequest(_), 0) => {
                self.retried = true;
                self.answered |= sends(outputs, |sent| matches!(sent, Sent::ClientHello { .. }));
            }
            (Message::ServerKeyExchange(_) | Message::ClientKeyExchange(_), 0) => self.seen |= KEY_EXCHANGE,
            (Message::ServerHelloDone, 0) => self.seen |= DONE,
            (Message::EncryptedExtensions, 2) => self.seen |= EXTENSIONS,
            (Message::Finished(Params::Ok), 1 | 2) => self.seen |= FINISHED,
            _ => {}
        }
    }

    fn note_phase(&mut self, input: Input, outputs: &[Output]) {
        self.pieced |= handshake(input).is_some_and(|(message, _)| message.piece != Piece::Whole);
        self.asked &= !matches!(input, Input::App(App::PskFound | App::PskNotFound | App::Close));
        self.asked |= has_event(outputs, Event::NeedPsk);
        let ended = has_event(outputs, Event::Failed) || has_event(outputs, Event::FatalAlert);
        let closed = has_event(outputs, Event::ClosedByPeer)
            || input == Input::App(App::Close) && !(self.mode.role == Role::Server && self.listening());
        if matches!(self.phase, Phase::Handshake | Phase::Connected) {
            if has_event(outputs, Event::Connected) {
                self.phase = Phase::Connected;
                self.owes = self.mode.role == Role::Server;
            }
            if ended {
                self.phase = Phase::Failed;
                self.owes = false;
            } else if closed {
                self.phase = Phase::Closed;
                self.owes = false;
            }
        }
        if input == Input::Timer {
            self.owes = false;
        }
    }

    /// A server that has neither answered a hello for good nor asked for a key has no connection to close.
    fn listening(&self) -> bool {
        self.version.is_none()
    }

    /// The epoch of application data, once connected.
    fn established(&self) -> Option<u8> {
        let epoch = if self.version == Some(Version::V13) { 3 } else { 1 };
        (self.phase == Phase::Connected).then_some(epoch)
    }
}

/// Messages that no PSK handshake has.
fn is_strange(message: Message) -> bool {
    matches!(
        message,
        Message::Unknown | Message::Certificate | Message::CertificateRequest | Message::CertificateVerify
    )
}

fn handshake(input: Input) -> Option<(Handshake, u8)> {
    match input {
        Input::Rx(Record { epoch, seal: Seal::Genuine, content: Content::Handshake(handshake) }) => {
            Some((handshake, epoch))
        }
        _ => None,
    }
}

fn has_event(outputs: &[Output], event: Event) -> bool {
    outputs.contains(&Output::Event(event))
}

fn sends(outputs: &[Output], which: impl Fn(Sent) -> bool) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Tx(_, sent) if which(*sent)))
}

fn ensure(holds: bool, property: Property) -> Result<(), Property> {
    if holds { Ok(()) } else { Err(property) }
}
