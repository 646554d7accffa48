//! One end: the three layers put together.
//!
//! A record goes through the record layer, its messages through reliability, and what is whole and next through handshake
//! control, whose effects come back down. Everything is a function of the state, the input and the choices.

use crate::alphabet::*;
use crate::choices::{Choices, Contradiction};
use crate::ending::Failure;
use crate::guard::Guard;
use crate::handshake::{self, Control, Effect, Reaction, Setting};
use crate::mode::{Mode, Role, Versions};
use crate::record::RecordLayer;
use crate::reliability::{Assembled, Flight, PeerFlight, Place, Reliability, shape};
use crate::server::{self, Verdict};

/// The reference for one end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Machine {
    pub(crate) setting: Setting,
    pub(crate) control: Control,
    pub(crate) records: RecordLayer,
    pub(crate) flow: Reliability,
    /// What a byte-identical copy would be of, if it could matter: at a listener, and as a sign of a peer that goes on.
    pub(crate) last_record: Option<Record>,
    /// The alert that has ended the connection.
    pub(crate) failure: Option<Failure>,
}

/// What one input leads to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// What can be seen: records in the order they are sent, then events.
    pub outputs: Vec<Output>,
    /// The requirements that were applied: ids of `requirements.tsv`, or `RFC section`.
    pub rules: Vec<&'static str>,
    /// How many handshake messages were processed.
    pub processed: u8,
}

/// Where a handshake message stands, as the network knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// This far after the next message; 0 is the next one.
    Ahead(usize),
    /// It was processed before.
    Again(Place),
    /// It was processed before the peer's last complete flight began.
    Before,
}

/// What happens during one step.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) sent: Vec<(u8, Sent)>,
    pub(crate) events: Vec<Event>,
    pub(crate) rules: Vec<&'static str>,
    pub(crate) processed: u8,
    /// A flight was sent: what came in needs no ACK.
    pub(crate) answered: bool,
    /// An ACK is wanted at once.
    pub(crate) acknowledge: bool,
    /// What could come again before it: the peer's last complete flight, and the last message.
    pub(crate) known: (Option<PeerFlight>, Option<(u8, Place)>),
    /// The handshake has become complete.
    pub(crate) connected: bool,
    /// The record is a copy of one that came before, in plaintext.
    pub(crate) copy: bool,
}

impl Machine {
    /// An end before the first input: a client whose ClientHello is on its way, a server that listens.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self::with(mode, Choices::DEFAULT)
    }

    /// The same under other choices.
    #[must_use]
    pub fn with(mode: Mode, choices: Choices) -> Self {
        let setting = Setting { mode, choices, without: None };
        let mut flow = Reliability::default();
        let control = match mode.role {
            Role::Server => Control::Listening,
            Role::Client => {
                let _ = flow.send(Flight::Hello { cookie: false, group: false });
                flow.complete = None;
                Control::ServerHello { verified: 0, retried: None }
            }
        };
        Self { setting, control, records: RecordLayer::default(), flow, last_record: None, failure: None }
    }

    /// The same with a guard left out.
    #[must_use]
    pub fn without(mut self, guard: Guard) -> Self {
        self.setting.without = Some(guard);
        self
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.setting.mode
    }

    /// The state of the handshake.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control
    }

    /// Whether a timer runs that makes this end send something.
    #[must_use]
    pub fn has_timer(&self) -> bool {
        self.flow.timer.is_some() || self.flow.ack.is_some()
    }

    /// Whether the peer has all that this end sent, as far as it can tell.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.flow.flight.is_none() || self.flow.timer.is_none()
    }

    /// The outputs of one input.
    pub fn step(&mut self, input: Input) -> Vec<Output> {
        self.advance(input).outputs
    }

    /// The same, with the reasons.
    pub fn advance(&mut self, input: Input) -> Step {
        self.turn(|machine, turn| machine.on_input(input, turn))
    }

    /// A whole handshake message in a fresh record, placed by its `message_seq`.
    pub fn deliver(&mut self, epoch: u8, message: Message, arrival: Arrival) -> Step {
        let handshake = Handshake { message, seq: Seq::Next, piece: Piece::Whole };
        let record = Record { epoch, seal: Seal::Genuine, content: Content::Handshake(handshake) };
        self.turn(|machine, turn| match (arrival, machine.records.open(&machine.setting, record)) {
            // Whether plaintext is heard depends on the place.
            (Arrival::Again(place), _) => machine.on_repeated(epoch, place, turn),
            (Arrival::Before, _) => {}
            (_, Err(rules)) => turn.rule(rules),
            (Arrival::Ahead(0), Ok(_)) => machine.on_next(handshake, epoch, turn),
            (Arrival::Ahead(distance), Ok(_)) => machine.on_ahead(distance, message, epoch, turn),
        })
    }

    /// The clock moves by half a retransmission timeout at least, without a deadline of this end.
    pub fn time_passes(&mut self) {
        self.flow.time_passes();
    }

    /// Whether a message this far ahead would be kept.
    #[must_use]
    pub fn keeps(&self, epoch: u8, distance: usize) -> bool {
        self.hears(epoch) && distance < self.flow.waiting.len()
    }

    /// An ACK in this epoch that covers some messages of the current flight.
    pub fn acknowledge_messages(&mut self, epoch: u8, covers: impl Fn(Sent) -> bool) -> Step {
        let heard = self.hears(epoch);
        self.turn(|machine, turn| {
            if heard && machine.control.version() == Some(Version::V13) {
                machine.peer_has(epoch, |_, sent| covers(sent), turn);
            } else if heard && covers(Sent::Finished) {
                machine.on_ack_after_end(turn);
            }
        })
    }

    /// Whether records of an epoch get through.
    #[must_use]
    pub fn hears(&self, epoch: u8) -> bool {
        if epoch == 0 { self.records.hears_plaintext(&self.setting) } else { self.records.has(epoch) }
    }

    /// Runs one step and collects what comes out of it.
    pub(crate) fn turn(&mut self, run: impl FnOnce(&mut Self, &mut Turn)) -> Step {
        let mut turn = Turn { known: (self.flow.complete, self.flow.last), ..Turn::default() };
        let before = self.control.version();
        run(self, &mut turn);
        // A rule of the other version is no reason.
        let version = self.control.version().or(before).or(match self.setting.mode.versions {
            Versions::V12 => Some(Version::V12),
            Versions::V13 => Some(Version::V13),
            Versions::Both => None,
        });
        turn.rules.retain(|rule| match version {
            Some(Version::V13) => !is_of_12(rule),
            Some(_) => !is_of_13(rule),
            None => true,
        });
        let sent = turn.sent.into_iter().map(|(epoch, sent)| Output::Tx(epoch, sent));
        let outputs = sent.chain(turn.events.into_iter().map(Output::Event)).collect();
        Step { outputs, rules: turn.rules, processed: turn.processed }
    }

    fn on_input(&mut self, input: Input, turn: &mut Turn) {
        match input {
            Input::Rx(record) => {
                self.on_record(record, turn);
                self.last_record = self.may_copy(record).then_some(record);
            }
            Input::Replay => match self.last_record {
                Some(record) if !matches!(self.control, Control::Psk { .. }) => {
                    self.on_record(record, turn);
                    if record.epoch > 0 && self.setting.holds(Guard::ReplayDropped) {
                        self.last_record = None;
                    }
                }
                _ => turn.rule(&["6347-4.1.2.6-replay-3", "9147-4.5.1-replay-3"]),
            },
            Input::Again(which) => {
                self.on_again(which, turn);
            }
            Input::Timer => self.on_timer(turn),
            Input::App(app) => self.on_app(app, turn),
        }
    }

    /// Whether a copy of a record that just came does anything, now or once the connection has failed. In plaintext a
    /// message that was taken in is known by its `message_seq`; what came too early under keys that the peer has already
    /// was not authenticated, so its number is not taken (RFC 6347 §4.1.2.6). In 1.3 the peer has no such keys yet.
    fn may_copy(&self, record: Record) -> bool {
        let shows_peer = matches!(record.content, Content::Handshake(_))
            && record.epoch == 0
            && self.hears(0)
            && !self.setting.choices.drops_plaintext_copies;
        match self.control {
            _ if !self.setting.holds(Guard::ReplayDropped) => true,
            Control::Listening => is_hello(record),
            Control::Psk { .. } => {
                shows_peer || record.epoch == 1 && self.control.version() == Some(Version::V12)
            }
            _ => self.failure.is_some() && shows_peer,
        }
    }

    fn on_record(&mut self, record: Record, turn: &mut Turn) {
        if self.control == Control::Listening {
            return self.on_listener(record, turn);
        }
        if self.control == Control::Closed && self.setting.holds(Guard::SilentWhenClosed) {
            return self.on_record_after_end(record, turn);
        }
        match self.records.open(&self.setting, record) {
            Err(rules) => turn.rule(rules),
            Ok(Content::Handshake(handshake)) => self.on_handshake(handshake, record.epoch, turn),
            Ok(Content::ChangeCipherSpec) => self.on_change_cipher_spec(record.epoch, turn),
            Ok(Content::Alert(level, description)) => self.on_alert(level, description, record.epoch, turn),
            Ok(Content::Data) => self.on_data(record.epoch, turn),
            Ok(Content::Ack(acked)) => self.on_ack(acked, record.epoch, turn),
            Ok(Content::Unknown) => {}
        }
    }

    /// The listener hears whole ClientHellos in plaintext and nothing else; its state never changes but by accepting one.
    fn on_listener(&mut self, record: Record, turn: &mut Turn) {
        let Content::Handshake(Handshake {
            message: Message::ClientHello(hello), piece: Piece::Whole, ..
        }) = record.content
        else {
            return turn.rule(&["6347-4.1.2.7-invalid-1", "9147-4.5.2-inv-1"]);
        };
        if record.epoch > 0 {
            return turn.rule(&["9147-6.1-epoch-2"]);
        }
        match server::on_hello(&self.setting, hello) {
            Verdict::Reply(sent, rules) => {
                turn.rule(rules);
                turn.sent.push((0, sent));
            }
            Verdict::Accept(reaction) => {
                let seq = u8::from(hello.cookie != Cookie::None);
                self.flow.seq = (seq, seq + 1);
                self.flow.last = Some((0, Place::Current));
                self.react(reaction, turn);
            }
        }
    }

    /// Whether no new message can come like this now; what follows from that has happened then.
    pub(crate) fn refuses(&mut self, handshake: Handshake, epoch: u8, turn: &mut Turn) -> bool {
        let connected = self.control == Control::Connected(Version::V13);
        if connected && epoch == 2 {
            turn.rule(&["9147-4.2.1-old-1", "9147-6.1-epoch-4"]);
            if self.setting.choices.late_message_is_fatal {
                self.effect(Effect::Fail(Description::UNEXPECTED_MESSAGE), turn);
            }
            return true;
        }
        let version = self.control.version();
        if self.control == Control::Connected(Version::V12)
            && self.begins_anew(handshake.message)
            && (handshake.seq == Seq::Start || self.setting.choices.any_seq_begins_anew)
        {
            self.on_restart(turn);
            return true;
        }
        let is_12 = version == Some(Version::V12) || version.is_none() && self.setting.mode.has_12();
        if handshake.message == Message::HelloRequest
            && self.setting.mode.role == Role::Client
            && is_12
            && self.control != Control::Connected(Version::V12)
        {
            turn.rule(&["5246-7.4.1.1-hello-request-1"]);
            if self.setting.choices.hello_request_is_fatal {
                self.fail(Description::UNEXPECTED_MESSAGE, turn);
            }
            return true;
        }
        if handshake.seq != Seq::Start && self.is_misplaced(epoch) {
            self.on_misplaced(handshake.seq == Seq::Next, epoch, turn);
            return true;
        }
        false
    }

    fn on_handshake(&mut self, handshake: Handshake, epoch: u8, turn: &mut Turn) {
        if self.refuses(handshake, epoch, turn) {
            return;
        }
        let (first, next) = self.flow.seq;
        match (handshake.seq, handshake.message) {
            (Seq::Next, _) => self.on_next(handshake, epoch, turn),
            (Seq::Ahead, message) => self.on_ahead(1, message, epoch, turn),
            (Seq::Start, Message::ClientHello(hello)) if epoch == 0 => {
                let seq = u8::from(hello.cookie != Cookie::None);
                if seq == next {
                    self.on_next(handshake, epoch, turn);
                } else if seq == first && self.flow.complete.is_some() {
                    self.on_repeated(epoch, Place::FlightEnd, turn);
                }
            }
            (Seq::Start, _) => turn.rule(&["6347-4.2.2-seq-3"]),
        }
    }

    /// Whether a message begins a new handshake, once the first one is over. Where none is due, a malformed one is a hello.
    fn begins_anew(&self, message: Message) -> bool {
        match self.setting.mode.role {
            Role::Client => message == Message::HelloRequest,
            Role::Server => matches!(message, Message::ClientHello(_) | Message::Malformed),
        }
    }

    /// A new handshake inside a connection.
    fn on_restart(&self, turn: &mut Turn) {
        turn.rule(&["5246-7.4.1.1-hello-request-1", "RFC 5746 4.5"]);
        if !self.setting.holds(Guard::RenegotiationRefused) {
            turn.sent.push((1, Sent::ServerHello(Version::V12)));
        } else if self.setting.choices.warns_of_no_renegotiation {
            turn.sent.push((1, Sent::Alert(Level::Warning, Description::NO_RENEGOTIATION)));
        }
    }

    /// A message or piece with the `message_seq` that is expected.
    pub(crate) fn on_next(&mut self, handshake: Handshake, epoch: u8, turn: &mut Turn) {
        match self.flow.assemble(&self.setting, handshake, epoch) {
            Assembled::Mismatch => {
                turn.rule(&["6347-4.2.3-frag-4", "9147-5.5-frag-7"]);
                if self.setting.choices.contradiction == Contradiction::Fatal {
                    self.fail(Description::ILLEGAL_PARAMETER, turn);
                }
                return;
            }
            Assembled::Part => turn.rule(&["6347-4.2.3-frag-5", "9147-5.5-frag-3"]),
            Assembled::Whole(message) => self.on_messages(message, epoch, turn),
        }
        self.acknowledge_kept(epoch, turn);
    }

    /// A message whose predecessor is missing (RFC 6347 §4.2.2, RFC 9147 §5.2).
    pub(crate) fn on_ahead(&mut self, distance: usize, message: Message, epoch: u8, turn: &mut Turn) {
        turn.rule(&["6347-4.2.2-seq-4", "9147-5.2-seq-5"]);
        if !self.setting.holds(Guard::OrderKept) {
            return self.on_messages(message, epoch, turn);
        }
        let newer = self.setting.choices.contradiction == Contradiction::NewerInPlaintext;
        let Some(place) = self.flow.waiting.get_mut(distance) else { return };
        match *place {
            Some((held, in_epoch)) if shape(held) != shape(message) => {
                turn.rule(&["6347-4.2.3-frag-4", "9147-5.5-frag-7"]);
                if !(newer && epoch == 0 && in_epoch == 0) {
                    return;
                }
                *place = Some((message, epoch));
            }
            Some(_) => {}
            None => *place = Some((message, epoch)),
        }
        self.acknowledge_kept(epoch, turn);
    }

    /// A whole message that is next, and those that waited for it.
    pub(crate) fn on_messages(&mut self, message: Message, epoch: u8, turn: &mut Turn) {
        let mut next = Some((message, epoch));
        while let Some((message, epoch)) = next {
            if let Control::Psk { .. } = self.control {
                self.flow.waiting[0] = Some((message, epoch));
                return;
            }
            if self.is_misplaced(epoch) {
                self.flow.purge();
                return self.on_misplaced(true, epoch, turn);
            }
            self.flow.waiting[0] = None;
            self.flow.advance();
            self.flow.last = Some((epoch, Place::Current));
            turn.processed += 1;
            let reaction = handshake::on_message(&self.setting, self.control, message);
            self.react(reaction, turn);
            if self.control == Control::Closed {
                return;
            }
            self.early_change_cipher_spec(turn);
            next = self.flow.waiting[0];
        }
    }

    /// Whether a new message can't come in this epoch now.
    fn is_misplaced(&self, epoch: u8) -> bool {
        let is_over = self.control == Control::Connected(Version::V12);
        is_over || handshake::is_misplaced(&self.setting, self.control, epoch)
    }

    /// A new message in another epoch than the one that is due, or after a handshake of 1.2.
    fn on_misplaced(&mut self, is_next: bool, epoch: u8, turn: &mut Turn) {
        turn.rule(&["9147-6.1-epoch-4", "6347-4.1-epoch-1"]);
        let choices = self.setting.choices;
        let is_over = self.control == Control::Connected(Version::V12);
        if is_over && choices.message_after_12_is_fatal
            || !is_over && (epoch > 0 || is_next && choices.late_plaintext_is_fatal)
        {
            self.fail(Description::UNEXPECTED_MESSAGE, turn);
        }
    }

    pub(crate) fn react(&mut self, reaction: Reaction, turn: &mut Turn) {
        turn.rule(reaction.rules);
        self.control = reaction.to;
        for effect in reaction.effects {
            self.effect(effect, turn);
        }
    }

    /// A flight that has not gone out yet is of no use any more.
    pub(crate) fn settle_flight(&self, turn: &mut Turn) {
        if !self.setting.choices.sends_settled_flight {
            turn.sent.retain(|(_, sent)| matches!(sent, Sent::Alert(..) | Sent::Ack { .. } | Sent::Data));
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect, turn: &mut Turn) {
        match effect {
            Effect::Send(flight) => {
                self.settle_flight(turn);
                turn.sent.extend(self.flow.send(flight));
                turn.answered = true;
            }
            Effect::Answered => {
                self.settle_flight(turn);
                self.flow.answered();
            }
            Effect::Read(epoch) => {
                self.records.read(epoch);
                if self.setting.choices.messages_outlive_keys {
                    // What nobody authenticated must not outlive the keys that could have.
                    self.flow.purge_plaintext();
                } else {
                    self.flow.purge();
                }
            }
            Effect::Write(epoch) => self.records.write(epoch),
            Effect::Acknowledge => turn.acknowledge = true,
            Effect::Connected => {
                self.connected();
                turn.connected = true;
                turn.events.push(Event::Connected);
            }
            Effect::AskForPsk => turn.events.push(Event::NeedPsk),
            Effect::Fail(description) => self.fail(description, turn),
        }
    }
}

fn is_of_12(rule: &str) -> bool {
    ["6347-", "5246-", "7627-", "RFC 4279", "RFC 5246", "RFC 5489", "RFC 5746", "RFC 7925", "RFC 8422"]
        .iter()
        .any(|source| rule.starts_with(source))
}

fn is_of_13(rule: &str) -> bool {
    rule.starts_with("9147-") || rule.starts_with("RFC 8446")
}

fn is_hello(record: Record) -> bool {
    matches!(
        record.content,
        Content::Handshake(Handshake { message: Message::ClientHello(_), piece: Piece::Whole, .. })
    )
}
