//! One datagram in: record by record, each acted on before the next is opened, so that a flight and the keys it leads to may
//! share a datagram.

use core::mem;

use super::{Connection, Handshake, Side};
use crate::{
    alert::{Alert, AlertDescription},
    error::{Discard, Error, PeerMisbehaved},
    event::CloseReason,
    flow::{allowance::Allowance, outbox::Delivery},
    handshake::State,
    rand::Rng,
    record::{epoch::Opened, number::RecordNumber},
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
        let claimed = record.claimed_number();
        if matches!(self.state, State::Closed) && self.handshake.is_none() {
            self.discard(Discard::Closed, claimed);
            return Ok(None);
        }
        let opened = match self.records.open(record) {
            Ok(opened) => opened,
            Err(reason) => {
                self.discard(reason, claimed);
                return self.check_integrity_limit().map(|()| None);
            }
        };
        let number = opened.number;
        if number.epoch() > 0 {
            // Only who saw our flight can have made these keys: the address is real.
            self.allowance = Allowance::Unlimited;
        }
        self.trace.note(TraceEvent::RecordReceived { content: opened.typ, number, len: opened.body.len() });
        if let State::Failed(error) = self.state {
            self.repeat_alert(opened.typ);
            return Err(error);
        }
        if matches!(self.state, State::Closed) {
            self.on_record_when_closed(&opened, now)?;
            return Ok(None);
        }
        match opened.typ {
            ContentType::APPLICATION_DATA => return Ok(self.on_application_data(opened)),
            ContentType::HANDSHAKE => self.on_handshake(&opened, now, rng)?,
            ContentType::CHANGE_CIPHER_SPEC => self.on_change_cipher_spec(&opened),
            ContentType::ALERT => self.on_alert(&opened)?,
            ContentType::ACK => self.on_ack(&opened)?,
            _ => self.discard(Discard::UnexpectedContent, Some(number)),
        }
        Ok(None)
    }

    /// All that still counts is a peer that has not got the end of the handshake (RFC 6347 §4.2.4, RFC 9147 §5.8.1), and what
    /// shows that it has.
    fn on_record_when_closed(&mut self, opened: &Opened<'_>, now: Instant) -> Result<(), Error> {
        match opened.typ {
            ContentType::ACK if self.acks.is_some() => return self.on_ack(opened),
            ContentType::HANDSHAKE => self.discard(Discard::Closed, Some(opened.number)),
            typ => {
                self.discard(Discard::Closed, Some(opened.number));
                if typ == ContentType::ALERT && opened.number.epoch() == self.records.read_epoch() {
                    self.end_handshake();
                }
                return Ok(());
            }
        }
        let repeats = self.stats.repeats;
        for fragment in Fragments::new(opened.body).flatten() {
            let message_seq = fragment.header.message_seq;
            if !self.handshake.as_ref().is_some_and(|h| h.inbox.is_old(message_seq)) {
                return Ok(());
            }
            self.on_repeated_fragment(&fragment, opened.number, now);
        }
        // What the own flight answers is acknowledged by it (RFC 9147 §7.1).
        let answered = self.handshake.as_ref().is_some_and(|h| !h.sending.outbox.is_empty());
        let mut repeated = self.stats.repeats > repeats;
        if let (Some(acks), false) = (&mut self.acks, answered) {
            acks.note(opened.number);
            acks.request();
            repeated = true;
        }
        if repeated {
            self.alerts.queued = Some(AlertDescription::CloseNotify);
        }
        Ok(())
    }

    /// Nothing is handed out before the peer's Finished was checked, and nothing ever that did not come under the keys made
    /// for it: not from epoch 0 (RFC 6347 §4.1), and not from those of the handshake (RFC 9147 §6.1).
    fn on_application_data<'d>(&mut self, opened: Opened<'d>) -> Option<ApplicationData<'d>> {
        let Opened { number, body, newest, .. } = opened;
        let reason = match self.established() {
            _ if number.epoch() == 0 => Some(Discard::UnexpectedContent),
            None => Some(Discard::EarlyData),
            Some(established) if number.epoch() < established.epoch() => Some(Discard::UnexpectedContent),
            Some(_) => None,
        };
        if let Some(reason) = reason {
            self.discard(reason, Some(number));
            return None;
        }
        self.alerts.warnings = 0;
        self.stats.data_received = self.stats.data_received.saturating_add(1);
        self.trace.note(TraceEvent::Delivered { number });
        Some(ApplicationData { bytes: body, epoch: number.epoch(), newest })
    }

    fn on_handshake(&mut self, opened: &Opened<'_>, now: Instant, rng: &mut dyn Rng) -> Result<(), Error> {
        self.reopen_handshake(now);
        let number = opened.number;
        // A record without any message is nothing to acknowledge.
        let mut kept = !opened.body.is_empty();
        for fragment in Fragments::new(opened.body) {
            match fragment {
                Ok(fragment) => kept &= self.on_fragment(&fragment, number, now)?,
                Err(_) => {
                    kept = false;
                    self.discard(Discard::MalformedFragment, Some(number));
                }
            }
        }
        self.acknowledge(number, kept, now, rng)
    }

    /// Takes in a fragment. Returns whether it was kept or was known: only then may its record be acknowledged.
    fn on_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        number: RecordNumber,
        now: Instant,
    ) -> Result<bool, Error> {
        if self.asks_for_renegotiation(fragment) {
            return self.refuse_renegotiation(number).map(|()| false);
        }
        let expected = number.epoch() == self.state.next_epoch()
            && (self.state.takes_messages() || self.state.is_suspended());
        let Some(handshake) = &mut self.handshake else {
            self.discard(Discard::OldMessage, Some(number));
            return Ok(false);
        };
        let Handshake { inbox, sending, .. } = &mut **handshake;
        let is_answered = !sending.outbox.is_empty();
        let old = inbox.is_old(fragment.header.message_seq);
        let refused = if old {
            Some(Discard::OldMessage)
        } else if expected {
            let acknowledged = self.acks.is_some() && number.epoch() > 0;
            inbox.insert(fragment, number.epoch(), acknowledged).err()
        } else if self.acks.is_some() && number.epoch() > 0 {
            // What comes next must come under the keys that the handshake has reached by now (RFC 9147 §6.1).
            let error = PeerMisbehaved::UnexpectedMessage.into();
            self.fail(error);
            return Err(error);
        } else {
            Some(Discard::UnexpectedContent)
        };
        if let Some(reason) = refused {
            self.discard(reason, Some(number));
        } else if self.state.is_handshaking() && number.epoch() > 0 {
            self.on_implicit_ack();
        }
        if old {
            self.on_repeated_fragment(fragment, number, now);
        }
        // What the own flight answers is acknowledged by it, also when it comes again (RFC 9147 §7.1).
        let in_handshake = self.established().is_none_or(|e| number.epoch() < e.epoch());
        Ok(if old { !(is_answered && in_handshake) } else { refused.is_none() })
    }

    /// The peer sends its last flight again: it has not got ours. Answered once per repeated flight, at its last fragment
    /// (RFC 6347 §4.2.4), or under keys of DTLS 1.3 at its first, because parts that were acknowledged do not come again.
    fn on_repeated_fragment(&mut self, fragment: &Fragment<'_>, number: RecordNumber, now: Instant) {
        let Some(handshake) = &mut self.handshake else { return };
        let Handshake { inbox, sending, .. } = &mut **handshake;
        let header = &fragment.header;
        // A message of a flight that is still coming in is the last so far, but not the end of anything (RFC 6347 §4.2.4).
        let is_last_message = inbox.is_last(header.message_seq) && !self.state.is_within_flight();
        let is_end = header.fragment_offset.saturating_add(header.fragment_length) == header.length;
        let is_partial = number.epoch() > 0 && sending.outbox.delivery() == Delivery::UntilAcked;
        let is_flight = is_partial || (is_last_message && is_end);
        // Another message with the last number is no retransmission (RFC 6347 §4.2.4, RFC 9147 §5.8.1). Of those before it
        // nothing is kept to tell.
        let is_other = inbox.contradicts_last(fragment, number.epoch());
        if !is_flight || is_other || sending.outbox.is_empty() || sending.outbox.has_pending() {
            return;
        }
        // A flight with its own timer is not hurried by copies the network made; the back-off does not count, because a peer
        // that has sent its flight again has waited as long as it should. The last flight has no timer, but there the
        // repetition is authentic: it is a Finished in a new record.
        let hurried = now.since(sending.last_sent).saturating_mul(2) < sending.backoff.initial();
        if sending.outbox.delivery() != Delivery::OnDemand && hurried {
            return;
        }
        sending.outbox.rewind();
        self.stats.repeats = self.stats.repeats.saturating_add(1);
        self.trace.note(TraceEvent::RetransmitOnRequest);
        self.back_off_mtu();
    }

    /// A HelloRequest, or a ClientHello under the keys of an established connection. In DTLS 1.3 both are messages out of
    /// order like any other (RFC 8446 §4.1.2).
    fn asks_for_renegotiation(&self, fragment: &Fragment<'_>) -> bool {
        match &self.side {
            _ if self.acks.is_some() => false,
            Side::Client(_) => fragment.header.typ == HandshakeType::HELLO_REQUEST && self.may_be_older(),
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

    /// A key that so many forgeries were tried under must not be used any more (RFC 9147 §4.5.3).
    fn check_integrity_limit(&mut self) -> Result<(), Error> {
        if self.records.is_worn_out() && !self.is_closed() {
            self.fail(Error::IntegrityLimit);
            return Err(Error::IntegrityLimit);
        }
        Ok(())
    }

    /// Alerts are honoured only in the newest epoch that is read: a peer that has gone on to it alerts there, and unprotected
    /// ones can come from anyone.
    fn on_alert(&mut self, opened: &Opened<'_>) -> Result<(), Error> {
        if opened.number.epoch() < self.records.read_epoch() {
            self.discard(Discard::UnexpectedContent, Some(opened.number));
            return Ok(());
        }
        let Ok(alert) = Alert::decode(opened.body) else {
            self.discard(Discard::MalformedAlert, Some(opened.number));
            return Ok(());
        };
        let description = alert.description;
        let closes = description == AlertDescription::CloseNotify;
        if !alert.is_fatal(self.records.alert_levels_count() && self.may_be_older()) {
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

    /// Whether the version is, or may still become, an older one than that with ACKs: one in which the level of an alert counts
    /// (RFC 8446 §6) and a server may ask for a hello (RFC 5246 §7.4.1.1).
    fn may_be_older(&self) -> bool {
        self.acks.is_none() && self.state.may_be_older(self.side.settings())
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
