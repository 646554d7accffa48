//! One datagram out, and the timers that make it go out again.

use core::time::Duration;

use super::{Connection, Handshake, Sending, acks::ack_delay};
use crate::{
    alert::{Alert, AlertDescription},
    config::Limits,
    error::Error,
    flow::{outbox::Delivery, timers::Timer},
    handshake::State,
    record::layer::NewRecord,
    time::Instant,
    trace::TraceEvent,
    wire::enums::ContentType,
};

/// Datagram sizes to fall back to, in bytes of UDP payload: the IPv4 minimum less its headers, and the least any peer can
/// count on (RFC 6347 §4.1.1.1).
const MTU_LADDER: [usize; 2] = [548, 228];
/// Unanswered retransmissions before the next smaller size is tried.
const RESENDS_PER_STEP: u8 = 2;

impl Connection {
    /// Writes the next datagram to the front of `out` and returns it, or `None` if there is nothing to send now. `out` should
    /// have at least [`mtu`](Self::mtu) bytes; a shorter one gets shorter datagrams.
    #[must_use = "a datagram that is not sent counts as sent, as if the network had lost it"]
    pub fn poll_transmit<'o>(&mut self, now: Instant, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let room = out.len().min(self.mtu);
        let limit = room.min(self.allowance.left());
        if limit < room && !self.fits_uncut(limit) {
            return None;
        }
        let out = out.get_mut(..limit)?;
        let alert_follows = self.alerts.queued.is_some();
        let mut used = self.transmit_ack(now, out, !self.has_pending_flight() && !alert_follows);
        let rest = out.get_mut(used..).unwrap_or_default();
        used = used.saturating_add(self.transmit_flight(now, rest, alert_follows));
        if !self.has_pending_flight() {
            let rest = out.get_mut(used..).unwrap_or_default();
            used = used.saturating_add(self.transmit_alert(rest));
        }
        if used == 0 {
            return None;
        }
        self.allowance.on_sent(used);
        self.stats.datagrams_sent = self.stats.datagrams_sent.saturating_add(1);
        out.get_mut(..used)
    }

    /// The earliest moment at which [`handle_timeout`](Self::handle_timeout) has something to do; `None` without any timer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.handshake.as_ref().and_then(|h| h.sending.timers.next())
    }

    /// Changes the retransmission timeout that back-off starts from, as when the path turns out to be slower. Timers that are
    /// running keep their start and their back-off; what is overdue then is left to [`handle_timeout`](Self::handle_timeout).
    /// A timeout of zero counts as one microsecond.
    pub fn set_initial_rto(&mut self, rto: Duration) {
        let Some(handshake) = &mut self.handshake else { return };
        let Sending { timers, backoff, last_sent, ack_started, .. } = &mut handshake.sending;
        backoff.set_initial(rto.max(Duration::from_micros(1)));
        if timers.is_armed(Timer::Retransmit) {
            timers.arm(Timer::Retransmit, last_sent.after(backoff.current()));
        }
        if timers.is_armed(Timer::Ack) {
            timers.arm(Timer::Ack, ack_started.after(ack_delay(backoff)));
        }
    }

    /// Does what is due at `now`. Calling it early, late or too often is harmless.
    ///
    /// # Errors
    /// [`Error::HandshakeTimeout`] or [`Error::NoAnswer`] if that ended the connection.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        let Some(handshake) = &mut self.handshake else { return Ok(()) };
        let Sending { timers, backoff, outbox, .. } = &mut handshake.sending;
        if timers.take_due(Timer::Handshake, now) {
            self.fail(Error::HandshakeTimeout);
            return Err(Error::HandshakeTimeout);
        }
        if timers.take_due(Timer::LastFlight, now) {
            self.end_handshake();
            return Ok(());
        }
        if let (true, Some(acks)) = (timers.take_due(Timer::Ack, now), &mut self.acks) {
            acks.request();
        }
        if !timers.take_due(Timer::Retransmit, now) || outbox.goes_on() {
            return Ok(());
        }
        if !backoff.expired() {
            if self.is_closed() {
                self.end_handshake();
                return Ok(());
            }
            self.fail(Error::NoAnswer);
            return Err(Error::NoAnswer);
        }
        if self.records.read_epoch() == 0 {
            // What was acknowledged in the clear may have been forged.
            outbox.forget_acks();
        }
        outbox.rewind();
        if matches!(self.state, State::Closed) {
            // What the peer could not read without this flight.
            self.alerts.queued = Some(AlertDescription::CloseNotify);
        }
        let count = backoff.expiries();
        self.stats.timeouts = self.stats.timeouts.saturating_add(1);
        self.trace.note(TraceEvent::RetransmitTimeout { count });
        self.back_off_mtu();
        Ok(())
    }

    /// The flight goes out again. Unanswered twice with datagrams of this size, the next smaller one may get through (RFC 6347
    /// §4.1.1.1). Those that the peer asked for count as well: it asks because it has got nothing.
    pub(super) fn back_off_mtu(&mut self) {
        let Some(handshake) = &mut self.handshake else { return };
        let Sending { backoff, largest, .. } = &mut handshake.sending;
        backoff.resent();
        let current = self.mtu.min(*largest);
        let due = backoff.resends().checked_rem(RESENDS_PER_STEP) == Some(0);
        let smaller = MTU_LADDER.into_iter().find(|size| *size < current);
        if let (true, Some(size)) = (due, smaller) {
            self.mtu = self.mtu.min(size);
        }
    }

    pub(super) fn has_pending_flight(&self) -> bool {
        self.handshake.as_ref().is_some_and(|h| h.sending.outbox.has_pending())
    }

    /// Whether an unvalidated address may be sent what comes next in one piece. A client that has part of a ServerHello may
    /// take it for an answer to its hello, but cannot acknowledge it yet: nothing would ever come again (RFC 9147 §7.1).
    fn fits_uncut(&self, room: usize) -> bool {
        self.handshake.as_ref().is_none_or(|h| h.sending.outbox.fits_uncut(&self.records, room))
    }

    /// Writes one datagram's worth of the flight and returns its length.
    fn transmit_flight(&mut self, now: Instant, out: &mut [u8], more: bool) -> usize {
        let Some(handshake) = &mut self.handshake else { return 0 };
        let Handshake { sending, .. } = &mut **handshake;
        if !sending.outbox.has_pending() || sending.outbox.is_paused() {
            return 0;
        }
        if sending.outbox.is_at_start() {
            sending.largest = 0;
        }
        let trace = &mut self.trace;
        let filled = sending.outbox.fill(&mut self.records, out, more, |content, record| {
            trace.note(TraceEvent::RecordSent { content, number: record.number, len: record.len });
        });
        let used = match filled {
            Ok(used) => used,
            Err(error) => {
                self.fail(error);
                return 0;
            }
        };
        if used > 0 {
            sending.last_sent = now;
            sending.largest = sending.largest.max(used);
        }
        if !sending.outbox.has_pending() || sending.outbox.is_paused() {
            self.on_flight_written(now);
        }
        used
    }

    fn on_flight_written(&mut self, now: Instant) {
        let Limits { last_flight_kept: kept, handshake_timeout: patience, .. } = self.side.settings().limits;
        let closed = self.is_closed();
        let Some(handshake) = &mut self.handshake else { return };
        let Sending { outbox, timers, backoff, .. } = &mut handshake.sending;
        match outbox.delivery() {
            Delivery::UntilReply | Delivery::UntilAcked => {
                timers.arm(Timer::Retransmit, now.after(backoff.current()))
            }
            Delivery::OnDemand if !timers.is_armed(Timer::LastFlight) => {
                timers.arm(Timer::LastFlight, now.after(kept));
            }
            Delivery::OnDemand => {}
        }
        if closed && !timers.is_armed(Timer::LastFlight) {
            // A peer that has not got the flight by then has given up itself.
            timers.arm(Timer::LastFlight, now.after(patience));
        }
    }

    /// Whether an alert is to be sent. One that an unvalidated address must not be sent is not waited for: it may never say
    /// more (RFC 9147 §5.1).
    pub(super) fn owes_alert(&self) -> bool {
        self.alerts.queued.is_some() && self.has_room_for_alert(self.allowance.left())
    }

    fn has_room_for_alert(&self, room: usize) -> bool {
        self.records.plaintext_room(self.alert_record(), room).is_some_and(|room| room >= Alert::LEN)
    }

    const fn alert_record(&self) -> NewRecord {
        NewRecord { epoch: self.records.write_epoch(), typ: ContentType::ALERT, last: true }
    }

    /// Writes the pending alert, if there is one and it fits, and returns the record's length.
    fn transmit_alert(&mut self, out: &mut [u8]) -> usize {
        let Some(description) = self.alerts.queued else { return 0 };
        if !self.has_room_for_alert(out.len()) {
            return 0;
        }
        let (body, record) = (Alert::new(description).encode(), self.alert_record());
        self.alerts.queued = None;
        let sealed = self.records.seal_with(record, out, |to| {
            for (to, from) in to.iter_mut().zip(body) {
                *to = from;
            }
            body.len()
        });
        // An alert that cannot be sealed has nobody to tell; the connection is over already.
        let Ok(record) = sealed else { return 0 };
        // A warning alone ends nothing (RFC 5246 §7.2.2, RFC 8446 §6.1).
        let warns = description == AlertDescription::UserCanceled;
        self.alerts.queued = warns.then_some(AlertDescription::CloseNotify);
        self.trace.note(TraceEvent::RecordSent {
            content: ContentType::ALERT,
            number: record.number,
            len: record.len,
        });
        self.trace.note(TraceEvent::AlertSent { description });
        record.len
    }
}
