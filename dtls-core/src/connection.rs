//! One DTLS association: bytes, time and randomness in; datagrams, deadlines, events and plaintext out.
//!
//! Wires the parts together and holds no rule of the protocol itself.

mod acks;
mod candidate;
mod incoming;
#[cfg(feature = "__model")]
mod model;
mod outgoing;

use alloc::{boxed::Box, collections::VecDeque};
use core::ops::Range;

pub use incoming::{ApplicationData, Incoming};
#[cfg(feature = "__model")]
pub use model::StateKind;

use crate::{
    Arc,
    alert::AlertDescription,
    config::{ClientConfig, Limits, ServerConfig, Settings},
    endpoint::listener::Accepted,
    error::{ApiMisuse, Discard, Error, SendError},
    event::{CloseReason, Event, Negotiated},
    flow::{
        acks::Acks,
        allowance::Allowance,
        inbox::{Inbox, InboxLimits},
        outbox::{Delivery, Outbox, Packing},
        timers::{Backoff, Timer, Timers},
    },
    handshake::{
        ConfigRef, Cx, Established, State, client::hello::ExpectServerHello, server::hello::ExpectClientHello,
    },
    psk::MAX_PSK_LEN,
    rand::Rng,
    record::{epoch::ReadEpoch, layer::RecordLayer, number::RecordNumber, protect::Overhead},
    stats::Stats,
    time::Instant,
    trace::{TraceEvent, Tracer},
    wire::{
        enums::{ContentType, HandshakeType, ProtocolVersion},
        handshake::Message,
        record::{FIRST_VERSION, MAX_PLAINTEXT, RECORD_VERSION},
    },
};

/// One end of a DTLS association.
///
/// After any call that changes it (`handle_datagram`, `handle_timeout`, `close`, `abort`, `provide_psk`), call
/// [`poll_transmit`](Self::poll_transmit) until `None` and [`poll_event`](Self::poll_event) until `None`, then read
/// [`poll_timeout`](Self::poll_timeout). Stopping early delays things but corrupts nothing.
///
/// A connection is a function of its configuration, the random bytes and the sequence of timed inputs: the same inputs give
/// the same datagrams. No call panics on any input. Once established, sending and receiving records allocates nothing.
#[cfg_attr(feature = "__model", derive(Clone))]
pub struct Connection {
    side: Side,
    records: RecordLayer,
    state: State,
    /// Present while handshake messages may still come or go; freed as a whole.
    handshake: Option<Box<Handshake>>,
    events: VecDeque<Event>,
    alerts: Alerts,
    /// `None` until DTLS 1.3 is certain.
    acks: Option<Acks>,
    allowance: Allowance,
    /// Largest datagram to send: the configured MTU, or less after repeated loss.
    mtu: usize,
    stats: Stats,
    trace: Tracer,
}

/// The configuration, which says which side this is.
#[derive(Clone, Debug)]
enum Side {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

/// What only a handshake needs.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
struct Handshake {
    inbox: Inbox,
    ccs_seen: bool,
    sending: Sending,
}

/// The sending half of a handshake, which states act on.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
struct Sending {
    outbox: Outbox,
    timers: Timers,
    backoff: Backoff,
    /// The read epoch that waits for the peer's ChangeCipherSpec.
    pending_read: Option<ReadEpoch>,
    /// When a datagram of the flight was last written.
    last_sent: Instant,
    /// When the timer of the next ACK was started.
    ack_started: Instant,
    /// The largest datagram when the current flight was last sent.
    largest: usize,
}

/// Alerts to send, and bounds on what a peer can make happen with its own.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "__model", derive(Hash))]
struct Alerts {
    queued: Option<AlertDescription>,
    /// The fatal alert sent, and how often it was sent again.
    fatal: Option<AlertDescription>,
    repeats: u8,
    /// Warning alerts and requests for renegotiation since the handshake completed or data last came.
    warnings: u8,
}

/// Where a new connection's numbers start.
struct Start {
    version: ProtocolVersion,
    record_seq: u64,
    expect_message_seq: Option<u16>,
    send_message_seq: u16,
}

impl Connection {
    /// A client that begins a handshake at `now`. Its ClientHello is ready to be polled.
    ///
    /// # Errors
    /// [`Error::Rng`] if the random source failed.
    pub fn client(config: Arc<ClientConfig>, now: Instant, rng: &mut dyn Rng) -> Result<Self, Error> {
        let start =
            Start { version: FIRST_VERSION, record_seq: 0, expect_message_seq: Some(0), send_message_seq: 0 };
        let mut connection = Self::new(Side::Client(Arc::clone(&config)), State::Closed, &start, now);
        connection.step(|_, cx| ExpectServerHello::start(config, cx), rng)?;
        Ok(connection)
    }

    /// A server for a client whose hello a [`crate::Listener`] accepted. Its first flight, or an alert, is ready to be polled;
    /// a hello that cannot be answered shows as [`Event::Closed`].
    pub fn server(config: Arc<ServerConfig>, accepted: &Accepted, now: Instant, rng: &mut dyn Rng) -> Self {
        let seq = accepted.message_seq;
        let start = Start {
            version: RECORD_VERSION,
            // The first ServerHello carries the record number of the hello it answers (RFC 6347 §4.2.1).
            record_seq: accepted.record_seq,
            expect_message_seq: seq.checked_add(1),
            send_message_seq: seq,
        };
        let state = State::ExpectClientHello(ExpectClientHello {
            config: ConfigRef(Arc::clone(&config)),
            retry: accepted.retry.clone(),
        });
        let mut connection = Self::new(Side::Server(config), state, &start, now);
        if !accepted.validated {
            connection.allowance = Allowance::limited(accepted.received);
        }
        let hello = Message { typ: HandshakeType::CLIENT_HELLO, seq, body: &accepted.body };
        // An error is sticky and was queued as an event.
        let _ = connection.step(|state, cx| state.on_message(&hello, cx), rng);
        connection
    }

    fn new(side: Side, state: State, start: &Start, now: Instant) -> Self {
        let limits = &side.settings().limits;
        let seqs = (start.expect_message_seq, start.send_message_seq);
        let mut handshake = Box::new(Handshake::new(limits, seqs, now));
        handshake.sending.timers.arm(Timer::Handshake, now.after(limits.handshake_timeout));
        Self {
            records: RecordLayer::new(start.version, start.record_seq, limits.wide_record_numbers),
            state,
            handshake: Some(handshake),
            events: VecDeque::new(),
            alerts: Alerts::default(),
            acks: None,
            allowance: Allowance::Unlimited,
            mtu: limits.mtu,
            stats: Stats::default(),
            trace: Tracer::new(side.settings().trace.clone()),
            side,
        }
    }

    /// The next event, oldest first.
    #[must_use = "an event that is not looked at is lost"]
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            // An idle connection holds no capacity.
            self.events = VecDeque::new();
        }
        event
    }

    /// Whether application data may be sent.
    pub const fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// Whether the connection is over; what `poll_transmit` still returns should be sent all the same.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed(_))
    }

    /// Whether the connection is over, everything is sent that may be, and no peer needs an answer any more: it can be dropped.
    /// Until then a peer that missed the end of the handshake can still get it, as long as datagrams are handed in. An alert that
    /// an address which has not proved itself may not be sent yet is not waited for (RFC 9147 §5.1).
    pub fn is_drained(&self) -> bool {
        let acks_due = self.acks.as_ref().is_some_and(Acks::is_due);
        self.is_closed() && self.handshake.is_none() && !self.owes_alert() && !acks_due
    }

    /// What was agreed, once established.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.established().map(|e| &e.negotiated)
    }

    /// Counters since the start.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Largest datagram the handshake sends now, in bytes of UDP payload: the configured MTU, or less after repeated loss.
    pub const fn mtu(&self) -> usize {
        self.mtu
    }

    /// The newest epoch whose records can be read, once the handshake has got there. The one of a record comes with its
    /// data: [`ApplicationData::epoch`].
    pub const fn read_epoch(&self) -> u16 {
        self.records.read_epoch()
    }

    /// The epoch that records are sent in now. RFC 7252 §9.1.1 keeps CoAP retransmissions within one.
    pub const fn write_epoch(&self) -> u16 {
        self.records.write_epoch()
    }

    /// Bytes that a record of the current write epoch adds before and after its plaintext. In DTLS 1.3 the record number
    /// takes one byte more from the 129th record on, and very short records are padded.
    pub fn overhead(&self) -> Overhead {
        self.records.overhead()
    }

    /// Most application data that fits into one datagram of [`mtu`](Self::mtu) bytes.
    pub fn max_application_data(&self) -> usize {
        self.mtu.saturating_sub(self.overhead().total()).min(MAX_PLAINTEXT)
    }

    /// Exports keying material for `label` and an optional `context` (RFC 5705 §4).
    ///
    /// # Errors
    /// [`ApiMisuse`] before the handshake has completed, for a label of the handshake itself, or for lengths out of bounds.
    pub fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), ApiMisuse> {
        let established = self.established().ok_or(ApiMisuse::NotEstablished)?;
        established.exporter.export(&self.side.settings().provider, label, context, out)
    }

    /// Writes one record of application data to the front of `out` and returns its length. It must be alone in its datagram,
    /// or the last: a DTLS 1.3 record does not say how long it is.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent then, and no record number used except when the provider failed.
    pub fn send(&mut self, data: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        let overhead = self.check_send(data.len())?;
        let needed = self.records.record_len(data.len());
        let too_small = SendError::BufferTooSmall { needed };
        let out = out.get_mut(..needed).ok_or(too_small)?;
        let slot = out.get_mut(overhead.head..).ok_or(too_small)?;
        for (to, from) in slot.iter_mut().zip(data) {
            *to = *from;
        }
        self.seal(out, data.len())
    }

    /// Turns the application data at `body` of `buffer` into a record in place and returns it. The record takes
    /// [`overhead`](Self::overhead) bytes before and after the data; nothing is copied.
    ///
    /// # Errors
    /// [`SendError`]; `BufferTooSmall` if there is not enough room before or after the data.
    pub fn seal_in_place<'b>(
        &mut self,
        buffer: &'b mut [u8],
        body: Range<usize>,
    ) -> Result<&'b mut [u8], SendError> {
        let length = body.end.saturating_sub(body.start);
        let overhead = self.check_send(length)?;
        let needed = self.records.record_len(length);
        let too_small = SendError::BufferTooSmall { needed };
        let start = body.start.checked_sub(overhead.head).ok_or(too_small)?;
        let record = buffer.get_mut(start..start.saturating_add(needed)).ok_or(too_small)?;
        self.seal(record, length)?;
        Ok(record)
    }

    /// Ends the connection in order: close_notify is ready to be polled (RFC 5246 §7.2.1). Without effect once it is over.
    pub fn close(&mut self) {
        if !self.is_closed() {
            self.shut(CloseReason::Local);
        }
    }

    /// Ends the connection with `alert`, which is ready to be polled: a fatal one unless it is always a warning. After
    /// `user_canceled` close_notify follows (RFC 5246 §7.2.2, RFC 8446 §6.1). Without effect once it is over.
    pub fn abort(&mut self, alert: AlertDescription) {
        if !self.is_closed() {
            self.fail(Error::Aborted(alert));
        }
    }

    /// Answers [`Event::NeedPsk`] with the key of that identity, or `None` if there is none; the handshake goes on at once.
    /// A handshake that ends here shows as [`Event::Closed`]. The key is used as it is: imported ones (RFC 9258) have to be in the
    /// configuration.
    ///
    /// # Errors
    /// [`ApiMisuse`] if no key was asked for, or if it has not 1 to 256 bytes.
    pub fn provide_psk(&mut self, rng: &mut dyn Rng, psk: Option<&[u8]>) -> Result<(), ApiMisuse> {
        if !self.state.is_suspended() {
            return Err(ApiMisuse::NoPskWanted);
        }
        if psk.is_some_and(|key| key.is_empty() || key.len() > MAX_PSK_LEN) {
            return Err(ApiMisuse::PskLength);
        }
        let answered = self.step(|state, cx| state.on_psk(psk, cx), rng);
        if answered.is_ok() {
            // Errors are sticky and were queued as events.
            let _ = self.advance(rng);
        }
        Ok(())
    }

    fn check_send(&self, length: usize) -> Result<Overhead, SendError> {
        match &self.state {
            State::Established(_) => {}
            State::Closed | State::Failed(_) => return Err(SendError::Closed),
            _ => return Err(SendError::NotEstablished),
        }
        if length > MAX_PLAINTEXT {
            return Err(SendError::TooLarge { max: MAX_PLAINTEXT });
        }
        Ok(self.overhead())
    }

    /// Seals a record whose plaintext stands in place.
    fn seal(&mut self, record: &mut [u8], length: usize) -> Result<usize, SendError> {
        let sealed = self.records.seal_application_data(record, length)?;
        self.stats.data_sent = self.stats.data_sent.saturating_add(1);
        let content = ContentType::APPLICATION_DATA;
        self.trace.note(TraceEvent::RecordSent { content, number: sealed.number, len: sealed.len });
        Ok(sealed.len)
    }

    /// Takes in every message that is whole and in order.
    fn advance(&mut self, rng: &mut dyn Rng) -> Result<(), Error> {
        while self.state.takes_messages() {
            let Some(handshake) = &mut self.handshake else { break };
            let Handshake { inbox, sending, .. } = &mut **handshake;
            let Some((message, epoch)) = inbox.front() else { break };
            if epoch != self.state.next_epoch() {
                // It came early, in the clear, and must come under the keys the handshake has reached since.
                inbox.clear();
                self.discard(Discard::UnexpectedContent, None);
                break;
            }
            let (typ, seq) = (message.typ, message.seq);
            self.trace.note(TraceEvent::MessageProcessed { typ, seq, epoch });
            let read_epoch = self.records.read_epoch();
            let shared = Shared {
                records: &mut self.records,
                acks: &mut self.acks,
                events: &mut self.events,
                trace: &mut self.trace,
            };
            let was_handshaking = self.state.is_handshaking();
            let result = take(&mut self.state).on_message(&message, &mut sending.cx(shared, rng));
            inbox.pop();
            if self.records.read_epoch() != read_epoch {
                // No message spans a change of keys (RFC 8446 §5.1).
                inbox.clear();
            }
            self.settle(result, was_handshaking)?;
        }
        Ok(())
    }

    /// Runs one transition of the state that no queued message causes.
    fn step(
        &mut self,
        transition: impl FnOnce(State, &mut Cx<'_>) -> Result<State, Error>,
        rng: &mut dyn Rng,
    ) -> Result<(), Error> {
        let Some(handshake) = &mut self.handshake else { return Ok(()) };
        let shared = Shared {
            records: &mut self.records,
            acks: &mut self.acks,
            events: &mut self.events,
            trace: &mut self.trace,
        };
        let result = transition(take(&mut self.state), &mut handshake.sending.cx(shared, rng));
        self.settle(result, true)
    }

    /// Puts the state that a transition ended in into place, with what follows from it.
    fn settle(&mut self, result: Result<State, Error>, was_handshaking: bool) -> Result<(), Error> {
        match result {
            Ok(state) => self.state = state,
            Err(error) => {
                self.fail(error);
                return Err(error);
            }
        }
        self.switch_read_epoch();
        if was_handshaking && self.is_established() {
            self.on_established();
        }
        Ok(())
    }

    /// Reads in the next epoch once its keys are known and the peer said it has switched. No message spans the change.
    fn switch_read_epoch(&mut self) {
        let Some(handshake) = self.handshake.as_mut().filter(|h| h.ccs_seen) else { return };
        let Some(epoch) = handshake.sending.pending_read.take() else { return };
        handshake.inbox.clear();
        self.records.replace_read(epoch);
        self.trace.note(TraceEvent::ReadEpoch { epoch: self.records.read_epoch() });
    }

    fn on_established(&mut self) {
        self.events.push_back(Event::Connected);
        self.trace.note(TraceEvent::Established);
        // Until now anybody could forge them.
        self.alerts.warnings = 0;
        let Some(handshake) = &mut self.handshake else { return };
        let sending = &mut handshake.sending;
        sending.timers.disarm(Timer::Handshake);
        sending.timers.disarm(Timer::Retransmit);
        // Whoever speaks last keeps its flight for a peer that missed it, or until it is acknowledged; the other side of a 1.2
        // handshake is done.
        if sending.outbox.delivery() == Delivery::UntilReply {
            self.end_handshake();
        }
    }

    /// Frees everything that only the handshake needed; messages after it go on with the numbers that were reached.
    fn end_handshake(&mut self) {
        if let (State::Established(established), Some(handshake)) = (&mut self.state, &self.handshake) {
            established.message_seqs = (handshake.inbox.next_seq(), handshake.sending.outbox.next_seq());
        }
        self.handshake = None;
        self.records.retire_old();
    }

    /// Makes room for messages after the handshake.
    fn reopen_handshake(&mut self, now: Instant) {
        let State::Established(established) = &self.state else { return };
        if self.handshake.is_none() && established.takes_messages() {
            self.handshake =
                Some(Box::new(Handshake::new(&self.side.settings().limits, established.message_seqs, now)));
        }
    }

    /// The connection ends without error: close_notify goes out after what is still to be sent.
    fn shut(&mut self, reason: CloseReason) {
        self.alerts.queued = Some(AlertDescription::CloseNotify);
        // A peer that has not got the last flight would wait for it in vain; nothing else of a handshake matters any more.
        let owed = reason == CloseReason::Local && self.owes_last_flight();
        if !owed {
            self.end_handshake();
        }
        self.state = State::Closed;
        if let Some(handshake) = &mut self.handshake {
            handshake.sending.timers.disarm(Timer::Ack);
        }
        self.events.push_back(Event::Closed(reason));
    }

    /// Whether the peer may still need the end of the handshake: the last flight of DTLS 1.2, the Finished that it has not
    /// acknowledged, or the ACK of its own in DTLS 1.3.
    fn owes_last_flight(&self) -> bool {
        let Some(handshake) = self.handshake.as_ref().filter(|_| self.is_established()) else { return false };
        let outbox = &handshake.sending.outbox;
        let ack_due = self.acks.as_ref().is_some_and(Acks::is_due) && self.peer_may_repeat();
        !outbox.is_empty() || ack_due || handshake.sending.timers.is_armed(Timer::LastFlight)
    }

    fn fail(&mut self, error: Error) {
        self.alerts.fatal = error.alert();
        self.alerts.queued = self.alerts.fatal;
        // A closed connection has said so already.
        if !matches!(self.state, State::Closed) {
            self.events.push_back(Event::Closed(CloseReason::Failed(error)));
        }
        self.state = State::Failed(error);
        if let Some(acks) = &mut self.acks {
            // Nothing goes out any more but the alert.
            acks.clear();
        }
        self.end_handshake();
        self.trace.note(TraceEvent::Failed { error });
    }

    fn discard(&mut self, reason: Discard, number: Option<RecordNumber>) {
        self.stats.discard(reason);
        self.trace.note(TraceEvent::Discarded { reason, number });
    }

    fn established(&self) -> Option<&Established> {
        match &self.state {
            State::Established(established) => Some(established),
            _ => None,
        }
    }
}

/// Takes the state out for a transition, which always puts one back.
fn take(state: &mut State) -> State {
    core::mem::replace(state, State::Failed(Error::Internal("a state was lost")))
}

const fn inbox_limits(limits: &Limits) -> InboxLimits {
    InboxLimits {
        bytes: limits.inbox_bytes,
        message: limits.max_handshake_message,
        window: limits.message_window,
        holes: limits.holes,
    }
}

impl Handshake {
    /// Nothing received or sent yet; the message_seqs to expect and to send first.
    fn new(limits: &Limits, (expect, send): (Option<u16>, u16), now: Instant) -> Self {
        let sending = Sending {
            outbox: Outbox::new(send, Packing { plain: limits.pack_plain_records, burst: limits.burst }),
            timers: Timers::default(),
            backoff: Backoff::new(limits.initial_rto, limits.max_rto, limits.max_retransmissions),
            pending_read: None,
            last_sent: now,
            ack_started: now,
            largest: 0,
        };
        Self { inbox: Inbox::new(expect, inbox_limits(limits)), ccs_seen: false, sending }
    }
}

/// The parts of a connection that states act on besides [`Sending`].
struct Shared<'a> {
    records: &'a mut RecordLayer,
    acks: &'a mut Option<Acks>,
    events: &'a mut VecDeque<Event>,
    trace: &'a mut Tracer,
}

impl Sending {
    /// Lends these and the other parts of a connection to a state.
    fn cx<'a>(&'a mut self, shared: Shared<'a>, rng: &'a mut dyn Rng) -> Cx<'a> {
        let Self { outbox, timers, backoff, pending_read, .. } = self;
        let Shared { records, acks, events, trace } = shared;
        Cx { records, outbox, timers, backoff, acks, pending_read, events, trace, rng }
    }
}

impl Side {
    fn settings(&self) -> &Settings {
        match self {
            Self::Client(config) => &config.settings,
            Self::Server(config) => &config.settings,
        }
    }
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection").field("state", &self.state.name()).finish_non_exhaustive()
    }
}
