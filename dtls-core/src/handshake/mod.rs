//! The handshake: states that take whole messages in order. Must not know records, fragments, timers or datagrams.
//!
//! ```text
//! client: hello::ExpectServerHello ┬ v12::ExpectKeyExchange ─ v12::ExpectFinished ─────────── Established
//!                                  └ v13::ExpectEncryptedExtensions ─ v13::ExpectFinished ─── Established
//! server: hello::ExpectClientHello ┬ v12::ExpectClientKeyExchange ─ (v12::AwaitPsk) ─ v12::ExpectFinished ─ Established
//!                                  └ (v13::AwaitPsk) ─ v13::ExpectFinished ──────────────────────────────── Established
//! ```
//!
//! Each state is a type that holds exactly what it needs and consumes itself; an order the RFC forbids does not compile or
//! ends in [`unexpected`]. Effects go through [`Cx`].

pub(crate) mod client;
pub(crate) mod negotiate;
pub(crate) mod server;
pub(crate) mod session12;
pub(crate) mod session13;
pub(crate) mod share;
pub(crate) mod suites;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use crate::{
    Arc,
    config::Settings,
    error::{DecodeError, Error, PeerMisbehaved},
    event::{Event, Negotiated},
    flow::{
        acks::Acks,
        outbox::{Delivery, Outbox},
        timers::{Backoff, Timer, Timers},
    },
    rand::Rng,
    record::{
        epoch::{ReadEpoch, WriteEpoch},
        layer::RecordLayer,
    },
    schedule::{exporter::Exporter, v12::Role},
    trace::{TraceEvent, Tracer},
    wire::{
        codec::{Writer, encode_to_vec},
        enums::{HandshakeType, ProtocolVersion},
        handshake::Message,
    },
};

use session13::{HANDSHAKE_EPOCH, TRAFFIC_EPOCH};

/// Where a connection stands.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) enum State {
    /// Client: a hello is on its way.
    ExpectServerHello(Box<client::hello::ExpectServerHello>),
    /// Client, 1.2: ServerKeyExchange if the suite has one, then ServerHelloDone.
    ExpectKeyExchange12(Box<client::v12::ExpectKeyExchange>),
    /// Client, 1.2.
    ClientExpectFinished12(Box<client::v12::ExpectFinished>),
    /// Client, 1.3.
    ExpectEncryptedExtensions13(Box<client::v13::ExpectEncryptedExtensions>),
    /// Client, 1.3.
    ClientExpectFinished13(Box<client::v13::ExpectFinished>),
    /// Server: nothing received yet.
    ExpectClientHello(server::hello::ExpectClientHello),
    /// Server, 1.2.
    ExpectClientKeyExchange12(Box<server::v12::ExpectClientKeyExchange>),
    /// Server, 1.2: the application is looking for the key.
    AwaitPsk12(Box<server::v12::AwaitPsk>),
    /// Server, 1.2.
    ServerExpectFinished12(Box<server::v12::ExpectFinished>),
    /// Server, 1.3: the application is looking for the key.
    AwaitPsk13(Box<server::v13::AwaitPsk>),
    /// Server, 1.3.
    ServerExpectFinished13(Box<server::v13::ExpectFinished>),
    /// The handshake is done.
    Established(Box<Established>),
    /// Closed in order.
    Closed,
    /// Ended by an error, which is returned again from every call.
    Failed(Error),
}

/// What is left of a completed handshake.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Established {
    pub(crate) role: Role,
    /// The message_seqs to expect, if any is left, and to send after the handshake.
    pub(crate) message_seqs: (Option<u16>, u16),
    pub(crate) negotiated: Negotiated,
    pub(crate) exporter: Exporter,
}

/// A shared configuration, which never differs between clones of a connection.
#[derive(Debug)]
pub(crate) struct ConfigRef<C>(pub(crate) Arc<C>);

impl<C> Clone for ConfigRef<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(feature = "__model")]
impl<C> core::hash::Hash for ConfigRef<C> {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

/// What a state may do to the rest of the connection.
pub(crate) struct Cx<'a> {
    pub(crate) records: &'a mut RecordLayer,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) timers: &'a mut Timers,
    pub(crate) backoff: &'a mut Backoff,
    /// `None` until DTLS 1.3 is certain.
    pub(crate) acks: &'a mut Option<Acks>,
    /// The read epoch to switch to when the peer's ChangeCipherSpec is there.
    pub(crate) pending_read: &'a mut Option<ReadEpoch>,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) trace: &'a mut Tracer,
    pub(crate) rng: &'a mut dyn Rng,
}

impl Cx<'_> {
    /// The peer has answered the flight before; a new one begins, with no timer until it is written.
    pub(crate) fn begin_flight(&mut self, delivery: Delivery) {
        self.end_flight();
        self.backoff.new_flight();
        self.outbox.begin_flight(delivery);
        // A flight acknowledges all of the peer's flight that it answers (RFC 9147 §7.1).
        self.timers.disarm(Timer::Ack);
        if let Some(acks) = self.acks {
            acks.clear();
        }
    }

    /// The peer has answered the flight; nothing of it is sent again.
    pub(crate) fn end_flight(&mut self) {
        self.timers.disarm(Timer::Retransmit);
        self.outbox.clear();
    }

    /// Adds a message to the flight in the current write epoch; `sent` sees it as it goes into the transcript.
    pub(crate) fn push(
        &mut self,
        typ: HandshakeType,
        body: impl Fn(&mut Writer<'_>) -> Result<(), crate::wire::codec::Full>,
        sent: impl FnOnce(&Message<'_>),
    ) -> Result<(), Error> {
        let body: Vec<u8> = encode_to_vec(body).map_err(|_| Error::Internal("message too long"))?;
        self.push_encoded(typ, body, sent)
    }

    /// As [`Self::push`], for a message that is encoded already.
    pub(crate) fn push_encoded(
        &mut self,
        typ: HandshakeType,
        body: Vec<u8>,
        sent: impl FnOnce(&Message<'_>),
    ) -> Result<(), Error> {
        let seq = self.outbox.next_seq();
        // The count does not wrap: the last number is never given out.
        if seq == u16::MAX {
            return Err(Error::SequenceExhausted);
        }
        sent(&Message { typ, seq, body: &body });
        self.outbox.push_message(self.records.write_epoch(), typ, body);
        self.trace.note(TraceEvent::MessageQueued { typ, seq });
        Ok(())
    }

    /// Adds a ChangeCipherSpec to the flight.
    pub(crate) fn send_ccs(&mut self) {
        self.outbox.push_ccs();
    }

    /// Writes in `epoch` from now on.
    pub(crate) fn advance_write(&mut self, epoch: WriteEpoch) {
        self.trace.note(TraceEvent::WriteEpoch { epoch: epoch.number() });
        self.records.advance_write(epoch);
    }

    /// Reads in `epoch` from now on, and late records in the one before.
    pub(crate) fn advance_read(&mut self, epoch: ReadEpoch) {
        self.trace.note(TraceEvent::ReadEpoch { epoch: epoch.number() });
        self.records.advance_read(epoch);
    }

    /// DTLS 1.3 is certain: records may be acknowledged from now on, and not before (rfc9147bis §7).
    pub(crate) fn enable_acks(&mut self) {
        self.acks.get_or_insert_default();
    }
}

impl Established {
    /// Whether there are messages after the handshake.
    pub(crate) fn takes_messages(&self) -> bool {
        self.negotiated.version == ProtocolVersion::DTLS1_3
    }

    /// The first epoch of application data, and of messages after the handshake.
    pub(crate) const fn epoch(&self) -> u16 {
        match self.exporter {
            Exporter::V12 { .. } => 1,
            Exporter::V13 { .. } => TRAFFIC_EPOCH,
        }
    }

    /// A message after the handshake of DTLS 1.3. Tickets are of no use to this client yet (RFC 8446 §4.6.1 lets it ignore
    /// them); nothing else is expected.
    fn on_message(self: Box<Self>, message: &Message<'_>) -> Result<State, Error> {
        match (message.typ, self.role) {
            (HandshakeType::NEW_SESSION_TICKET, Role::Client) => Ok(State::Established(self)),
            _ => Err(unexpected()),
        }
    }
}

impl State {
    /// Takes in the next message of the peer.
    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<Self, Error> {
        match self {
            Self::ExpectServerHello(s) => s.on_message(message, cx),
            Self::ExpectKeyExchange12(s) => s.on_message(message, cx),
            Self::ClientExpectFinished12(s) => s.on_message(message),
            Self::ExpectEncryptedExtensions13(s) => s.on_message(message),
            Self::ClientExpectFinished13(s) => s.on_message(message, cx),
            Self::ServerExpectFinished13(s) => s.on_message(message, cx),
            Self::Established(s) => s.on_message(message),
            Self::ExpectClientHello(s) => s.on_message(message, cx),
            Self::ExpectClientKeyExchange12(s) => s.on_message(message, cx),
            Self::ServerExpectFinished12(s) => s.on_message(message, cx),
            Self::AwaitPsk12(_) | Self::AwaitPsk13(_) | Self::Closed => Err(unexpected()),
            Self::Failed(e) => Err(e),
        }
    }

    /// Takes in the answer to [`Event::NeedPsk`].
    pub(crate) fn on_psk(self, psk: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<Self, Error> {
        match self {
            Self::AwaitPsk12(s) => s.on_psk(psk, cx),
            Self::AwaitPsk13(s) => s.on_psk(psk, cx),
            other => Ok(other),
        }
    }

    /// The state's name, for traces and test matrices.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::ExpectServerHello(_) => "client: ServerHello",
            Self::ExpectKeyExchange12(_) => "client: ServerKeyExchange or ServerHelloDone",
            Self::ClientExpectFinished12(_) => "client: Finished",
            Self::ExpectEncryptedExtensions13(_) => "client: EncryptedExtensions (1.3)",
            Self::ClientExpectFinished13(_) => "client: Finished (1.3)",
            Self::AwaitPsk13(_) => "server: PSK from the application (1.3)",
            Self::ServerExpectFinished13(_) => "server: Finished (1.3)",
            Self::ExpectClientHello(_) => "server: ClientHello",
            Self::ExpectClientKeyExchange12(_) => "server: ClientKeyExchange",
            Self::AwaitPsk12(_) => "server: PSK from the application",
            Self::ServerExpectFinished12(_) => "server: Finished",
            Self::Established(_) => "established",
            Self::Closed => "closed",
            Self::Failed(_) => "failed",
        }
    }

    /// The epoch in which the peer's next handshake message must arrive.
    pub(crate) const fn next_epoch(&self) -> u16 {
        match self {
            Self::ExpectServerHello(_)
            | Self::ExpectKeyExchange12(_)
            | Self::ExpectClientHello(_)
            | Self::ExpectClientKeyExchange12(_) => 0,
            Self::ClientExpectFinished12(_)
            | Self::AwaitPsk12(_)
            | Self::ServerExpectFinished12(_)
            | Self::Closed
            | Self::Failed(_) => 1,
            Self::ExpectEncryptedExtensions13(_)
            | Self::ClientExpectFinished13(_)
            | Self::AwaitPsk13(_)
            | Self::ServerExpectFinished13(_) => HANDSHAKE_EPOCH,
            Self::Established(established) => established.epoch(),
        }
    }

    /// Whether a ChangeCipherSpec may come now: the peer has what it needs to make keys.
    pub(crate) const fn takes_ccs(&self) -> bool {
        // In DTLS 1.3 it has no meaning (RFC 9147 §5).
        matches!(
            self,
            Self::ClientExpectFinished12(_)
                | Self::ExpectClientKeyExchange12(_)
                | Self::AwaitPsk12(_)
                | Self::ServerExpectFinished12(_)
        )
    }

    /// Whether the peer's messages wait for the application.
    pub(crate) const fn is_suspended(&self) -> bool {
        matches!(self, Self::AwaitPsk12(_) | Self::AwaitPsk13(_))
    }

    /// Whether the peer may send handshake messages that are not repetitions.
    pub(crate) fn takes_messages(&self) -> bool {
        match self {
            Self::Established(established) => established.takes_messages(),
            _ => self.is_handshaking() && !self.is_suspended(),
        }
    }

    /// Whether some but not all of the peer's current flight was processed. It answers the own flight, which the peer has got
    /// then, and a repetition of its part asks for nothing (RFC 6347 §4.2.4, RFC 9147 §5.8.1).
    pub(crate) const fn is_within_flight(&self) -> bool {
        matches!(
            self,
            Self::ExpectKeyExchange12(_)
                | Self::AwaitPsk12(_)
                | Self::ServerExpectFinished12(_)
                | Self::ClientExpectFinished13(_)
        )
    }

    /// Whether another version than DTLS 1.3 is possible, as far as the settings and a key that is still to be found say.
    pub(crate) fn may_be_older(&self, settings: &Settings) -> bool {
        settings.speaks12() && !matches!(self, Self::AwaitPsk13(_))
    }

    /// Whether the handshake is still going on.
    pub(crate) const fn is_handshaking(&self) -> bool {
        !matches!(self, Self::Established(_) | Self::Closed | Self::Failed(_))
    }
}

/// The length of a Finished is part of its form: wrong, it cannot be decoded (RFC 5246 §7.2.2, RFC 8446 §6.2).
fn check_verify_data_len(message: &Message<'_>, expected: usize) -> Result<(), Error> {
    if message.body.len() == expected { Ok(()) } else { Err(DecodeError::Length.into()) }
}

/// A message that this state does not take.
pub(crate) const fn unexpected() -> Error {
    Error::Misbehaved(PeerMisbehaved::UnexpectedMessage)
}
