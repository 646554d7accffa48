//! One datagram in: record by record, each acted on before the next is opened, so that a flight and the keys it leads to may
//! share a datagram.

use core::mem;

use super::{Connection, Handshake, Side};
use crate::{
    alert::{Alert, AlertDescription, AlertLevel},
    error::{Discard, Error, PeerMisbehaved},
    event::CloseReason,
    flow::{allowance::Allowance, outbox::Delivery},
    handshake::State,
    rand::Rng,
    record::{layer::Opened, number::RecordNumber},
    time::Instant,
    trace::TraceEvent,
    wire::{
        enums::{ContentType, HandshakeType},
        handshake::{Fragment, Fragments},
        record::{RawRecord, split_first},
    },
};

/// Warning alerts and requests for renegotiation that are put up with in the handshake, and then between records of data.
const MAX_WARNINGS: u8 = 16;
/// How often a fatal alert is sent again to a peer that does not take it (RFC 6347 §4.2.7).
const MAX_ALERT_REPEATS: u8 = 3;

/// A datagram being taken in. Pull it empty: what is not pulled is lost, as if the network had dropped it.
#[must_use = "records that are not pulled are lost, as if the network had dropped them"]
pub struct Incoming<'c, 'd> {
    connection: &'c mut Connection,
    rest: &'d mut [u8],
    now: Instant,
    rng: &'c mut dyn Rng,
}

/// One record of application data, in place in the caller's datagram.
#[derive(PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ApplicationData<'d> {
    /// The plaintext. May be empty.
    pub bytes: &'d mut [u8],
    /// The epoch it was sent in. RFC 7252 §9.1 ties CoAP responses to it.
    pub epoch: u16,
    /// Whether no later record of this epoch was received before. RFC 9146 §6 lets only such records move a peer's address.
    pub newest: bool,
}

impl<'d> Incoming<'_, 'd> {
    /// The next record of application data, or `None` when the datagram is used up.
    ///
    /// # Errors
    /// The fatal [`Error`] that ended the connection, now or earlier.
    pub fn next_data(&mut self) -> Result<Option<ApplicationData<'d>>, Error> {
        loop {
            let rest = mem::take(&mut self.rest);
            if rest.is_empty() {
                return self.connection.failure().map_or(Ok(None), Err);
            }
            match split_first(rest) {
                Ok((record, tail)) => {
                    self.rest = tail;
                    if let Some(data) = self.connection.on_record(record, self.now, self.rng)? {
                        return Ok(Some(data));
                    }
                }
                Err(reason) => self.connection.discard(reason, None),
            }
        }
    }
}

impl core::fmt::Debug for Incoming<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Incoming").field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Takes in one datagram received at `now`. It is decrypted in place; application data comes out of the returned cursor
    /// and lives as long as the datagram.
    pub fn handle_datagram<'c, 'd>(
        &'c mut self,
        now: Instant,
        rng: &'c mut dyn Rng,
        datagram: &'d mut [u8],
    ) -> Incoming<'c, 'd> {
        self.allowance.on_received(datagram.len());
        Incoming { connection: self, rest: datagram, now, rng }
    }

    fn on_record<'d>(
        &mut self,
        record: RawRecord<'d>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<Option<ApplicationData<'d>>, Error> {
        let number = record.header.number;
        if matches!(self.state, State::Closed) {
            self.discard(Discard::Closed, Some(number));
            return Ok(None);
        }
        let opened = match self.records.open(record) {
            Ok(opened) => opened,
            Err(reason) => {
                self.discard(reason, Some(number));
                return Ok(None);
            }
        };
        if number.epoch() > 0 {
            // Only who saw our flight can have made these keys: the address is real.
            self.allowance = Allowance::Unlimited;
        }
        self.trace.note(TraceEvent::RecordReceived { content: opened.typ, number, len: opened.body.len() });
        if let State::Failed(error) = self.state {
            self.repeat_alert(opened.typ);
            return Err(error);
        }
        match opened.typ {
            ContentType::APPLICATION_DATA => return Ok(self.on_application_data(opened)),
            ContentType::HANDSHAKE => self.on_handshake(&opened, now, rng)?,
            ContentType::CHANGE_CIPHER_SPEC => self.on_change_cipher_spec(&opened),
            ContentType::ALERT => self.on_alert(&opened)?,
            _ => self.discard(Discard::UnexpectedContent, Some(number)),
        }
        Ok(None)
    }

    /// Nothing is handed out before the peer's Finished was checked, and nothing from epoch 0 ever (RFC 6347 §4.1).
    fn on_application_data<'d>(&mut self, opened: Opened<'d>) -> Option<ApplicationData<'d>> {
        let Opened { number, body, newest, .. } = opened;
        if number.epoch() == 0 {
            self.discard(Discard::UnexpectedContent, Some(number));
            return None;
        }
        if !self.is_established() {
            self.discard(Discard::EarlyData, Some(number));
            return None;
        }
        self.alerts.warnings = 0;
        self.stats.data_received = self.stats.data_received.saturating_add(1);
        self.trace.note(TraceEvent::Delivered { number });
        Some(ApplicationData { bytes: body, epoch: number.epoch(), newest })
    }

    fn on_handshake(&mut self, opened: &Opened<'_>, now: Instant, rng: &mut dyn Rng) -> Result<(), Error> {
        for fragment in Fragments::new(opened.body) {
            match fragment {
                Ok(fragment) => self.on_fragment(&fragment, opened.number, now)?,
                Err(_) => self.discard(Discard::MalformedFragment, Some(opened.number)),
            }
        }
        self.advance(rng)
    }

    fn on_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        number: RecordNumber,
        now: Instant,
    ) -> Result<(), Error> {
        let handshaking = self.state.is_handshaking();
        if self.asks_for_renegotiation(fragment) {
            return self.refuse_renegotiation(number);
        }
        let Some(handshake) = &mut self.handshake else {
            self.discard(Discard::OldMessage, Some(number));
            return Ok(());
        };
        let Handshake { inbox, .. } = &mut **handshake;
        let old = fragment.header.message_seq < inbox.next_seq();
        let refused = if old {
            Some(Discard::OldMessage)
        } else if !handshaking || number.epoch() != self.state.next_epoch() {
            // What comes next must come under the keys that the handshake has reached by now.
            Some(Discard::UnexpectedContent)
        } else {
            inbox.insert(fragment, number.epoch()).err()
        };
        if let Some(reason) = refused {
            self.discard(reason, Some(number));
        }
        if old {
            self.on_repeated_fragment(fragment, now);
        }
        Ok(())
    }

    /// The peer sends its last flight again: it has not got ours. Answered once per repeated flight, at its last fragment
    /// (RFC 6347 §4.2.4).
    fn on_repeated_fragment(&mut self, fragment: &Fragment<'_>, now: Instant) {
        let Some(handshake) = &mut self.handshake else { return };
        let Handshake { inbox, sending, .. } = &mut **handshake;
        let header = &fragment.header;
        let is_last_message = header.message_seq.saturating_add(1) == inbox.next_seq();
        let is_end = header.fragment_offset.saturating_add(header.fragment_length) == header.length;
        if !is_last_message || !is_end || sending.outbox.is_empty() || sending.outbox.has_pending() {
            return;
        }
        // A flight with its own timer is not hurried by copies the network made; the back-off does not count, because a peer
        // that has sent its flight again has waited as long as it should. The last flight has no timer, but there the
        // repetition is authentic: it is a Finished in a new record.
        let hurried = now.since(sending.last_sent).saturating_mul(2) < sending.backoff.initial();
        if sending.outbox.delivery() == Delivery::UntilReply && hurried {
            return;
        }
        sending.outbox.rewind();
        self.stats.repeats = self.stats.repeats.saturating_add(1);
        self.trace.note(TraceEvent::RetransmitOnRequest);
        self.back_off_mtu();
    }

    /// A HelloRequest, or a ClientHello under the keys of an established connection.
    fn asks_for_renegotiation(&self, fragment: &Fragment<'_>) -> bool {
        match &self.side {
            Side::Client(_) => fragment.header.typ == HandshakeType::HELLO_REQUEST,
            Side::Server(_) => self.is_established() && fragment.header.typ == HandshakeType::CLIENT_HELLO,
        }
    }

    /// Renegotiation is refused with a warning (RFC 5246 §7.2.2); a client in the middle of a handshake ignores the request
    /// (§7.4.1.1).
    fn refuse_renegotiation(&mut self, number: RecordNumber) -> Result<(), Error> {
        self.discard(Discard::UnexpectedContent, Some(number));
        if self.is_established() {
            self.count_warning()?;
            self.alerts.queued = Some(AlertDescription::NoRenegotiation);
        }
        Ok(())
    }

    /// A ChangeCipherSpec is a flag: it lets keys be used that the handshake has made, and makes none (RFC 6347 §4.2.5).
    fn on_change_cipher_spec(&mut self, opened: &Opened<'_>) {
        let number = Some(opened.number);
        if *opened.body != [1] {
            self.discard(Discard::MalformedCcs, number);
        } else if opened.number.epoch() != 0 || !self.state.takes_ccs() {
            self.discard(Discard::UnexpectedContent, number);
        } else if let Some(handshake) = &mut self.handshake {
            handshake.ccs_seen = true;
            self.switch_read_epoch();
        }
    }

    /// Unprotected alerts are honoured only as long as unprotected records are read at all: until the next epoch is keyed.
    fn on_alert(&mut self, opened: &Opened<'_>) -> Result<(), Error> {
        let Ok(alert) = Alert::decode(opened.body) else {
            self.discard(Discard::MalformedAlert, Some(opened.number));
            return Ok(());
        };
        let description = alert.description;
        let closes = description == AlertDescription::CloseNotify;
        if alert.level == AlertLevel::Warning && !closes {
            self.discard(Discard::WarningAlert, Some(opened.number));
            return self.count_warning();
        }
        self.trace.note(TraceEvent::AlertReceived { description, epoch: opened.number.epoch() });
        if closes && self.is_established() {
            // Answered in kind (RFC 5246 §7.2.1).
            self.shut(CloseReason::CloseNotify);
            return Ok(());
        }
        let error = Error::PeerAlert(description);
        self.fail(error);
        Err(error)
    }

    fn count_warning(&mut self) -> Result<(), Error> {
        self.alerts.warnings = self.alerts.warnings.saturating_add(1);
        if self.alerts.warnings <= MAX_WARNINGS {
            return Ok(());
        }
        let error = PeerMisbehaved::TooManyWarnings.into();
        self.fail(error);
        Err(error)
    }

    /// A peer that goes on with a failed handshake has missed the alert (RFC 6347 §4.2.7).
    fn repeat_alert(&mut self, content: ContentType) {
        if content == ContentType::HANDSHAKE
            && self.alerts.queued.is_none()
            && self.alerts.repeats < MAX_ALERT_REPEATS
        {
            self.alerts.queued = self.alerts.fatal;
            self.alerts.repeats = self.alerts.repeats.saturating_add(1);
        }
    }

    fn failure(&self) -> Option<Error> {
        match self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }
}
