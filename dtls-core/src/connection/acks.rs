//! Acknowledgements of DTLS 1.3 (RFC 9147 §7): which records of the peer's to acknowledge when, and what the peer's say about
//! the own flight.

use core::time::Duration;

use super::{Connection, Handshake, Side};
use crate::{
    error::{Discard, Error, PeerMisbehaved},
    flow::{
        acks::{AckPolicy, Acks, parse},
        outbox::{Acked, Delivery},
        timers::{Backoff, Timer},
    },
    rand::Rng,
    record::{epoch::Opened, layer::NewRecord, number::RecordNumber},
    time::Instant,
    trace::TraceEvent,
    wire::enums::ContentType,
};

/// A quarter of the retransmission timeout (RFC 9147 §7.1).
pub(super) fn ack_delay(backoff: &Backoff) -> Duration {
    backoff.current().checked_div(4).unwrap_or_default()
}

impl Connection {
    /// A record with handshake messages was taken in; acts on what is whole, and sees to it that it is acknowledged if all of
    /// it was `kept`.
    pub(super) fn acknowledge(
        &mut self,
        number: RecordNumber,
        kept: bool,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<(), Error> {
        let was_enabled = self.acks.is_some();
        let mut news = kept && self.note_record(number);
        self.advance(rng)?;
        if kept && !was_enabled && !self.has_pending_flight() {
            // The ServerHello itself: only now it is known to be one of DTLS 1.3.
            news = self.note_record(number);
        }
        if news {
            self.schedule_ack(now);
        }
        if self.is_established() {
            self.close_handshake_if_idle();
        }
        Ok(())
    }

    /// Notes a record to acknowledge. Returns whether it was not noted before.
    fn note_record(&mut self, number: RecordNumber) -> bool {
        let Some(acks) = &mut self.acks else { return false };
        let is_repeated = acks.is_repeated();
        let news = acks.note(number);
        if let (true, true, Some(handshake)) = (news, is_repeated, &mut self.handshake) {
            // What was to be said again is news now.
            handshake.sending.timers.disarm(Timer::Ack);
        }
        news
    }

    /// A gap is reported at once, and so are whole messages that no flight will answer; anything else after a quarter of the
    /// timeout (RFC 9147 §7.1).
    fn schedule_ack(&mut self, now: Instant) {
        let prompt = self.side.settings().limits.ack_policy == AckPolicy::Prompt;
        let established = self.is_established();
        let (Some(acks), Some(handshake)) = (&mut self.acks, &mut self.handshake) else { return };
        let Handshake { inbox, sending, .. } = &mut **handshake;
        if acks.is_empty() {
            return;
        }
        if (prompt && inbox.has_gap()) || (established && inbox.is_empty()) {
            acks.request();
        }
        if acks.is_due() {
            sending.timers.disarm(Timer::Ack);
        } else if !sending.timers.is_armed(Timer::Ack) {
            sending.ack_started = now;
            sending.timers.arm(Timer::Ack, now.after(ack_delay(&sending.backoff)));
        }
    }

    /// What the peer has received need not be sent again.
    pub(super) fn on_ack(&mut self, opened: &Opened<'_>) -> Result<(), Error> {
        let number = opened.number;
        if self.acks.is_none() {
            // Before the version is known an ACK means nothing (rfc9147bis §7).
            self.discard(Discard::UnexpectedContent, Some(number));
            return Ok(());
        }
        let Some(entries) = parse(opened.body) else {
            return self.on_bad_ack(number, PeerMisbehaved::MalformedAck);
        };
        if entries.clone().any(|(epoch, _)| epoch > u64::from(number.epoch())) {
            return self.on_bad_ack(number, PeerMisbehaved::AckOfHigherEpoch);
        }
        let Some(handshake) = &mut self.handshake else {
            // Nothing is waiting to be acknowledged.
            self.discard(Discard::UnexpectedContent, Some(number));
            return Ok(());
        };
        let outbox = &mut handshake.sending.outbox;
        let mut news = if number.epoch() > 0 { outbox.on_keys_proven() } else { Acked::Nothing };
        for (epoch, seq) in entries {
            if let Ok(epoch) = u16::try_from(epoch) {
                news = news.max(outbox.on_ack(RecordNumber::new(epoch, seq)));
            }
        }
        if news > Acked::Nothing && outbox.delivery() == Delivery::UntilAcked {
            if outbox.is_acked() {
                // Anyone can forge an unprotected one: only the answer, or the timer, ends the wait.
                if number.epoch() > 0 {
                    self.on_flight_acked();
                }
            } else if news == Acked::Latest {
                outbox.rewind();
            }
        }
        Ok(())
    }

    /// An unprotected ACK may come from anyone, so that its faults are noise.
    fn on_bad_ack(&mut self, number: RecordNumber, rule: PeerMisbehaved) -> Result<(), Error> {
        if number.epoch() == 0 || self.is_closed() {
            self.discard(Discard::MalformedAck, Some(number));
            return Ok(());
        }
        let error = rule.into();
        self.fail(error);
        Err(error)
    }

    /// A protected fragment of the peer's next flight acknowledges all of the own one (RFC 9147 §7.1).
    pub(super) fn on_implicit_ack(&mut self) {
        if self.handshake.as_ref().is_some_and(|h| h.sending.outbox.delivery() == Delivery::UntilAcked) {
            self.on_flight_acked();
        }
    }

    /// Nothing of the own flight needs to be sent again.
    fn on_flight_acked(&mut self) {
        let established = self.is_established();
        let Some(handshake) = &mut self.handshake else { return };
        let sending = &mut handshake.sending;
        sending.timers.disarm(Timer::Retransmit);
        sending.outbox.clear();
        if established {
            self.close_handshake_if_idle();
        } else if self.is_closed() {
            self.end_handshake();
        }
    }

    /// Frees the memory of the handshake once nothing in it is needed any more.
    pub(super) fn close_handshake_if_idle(&mut self) {
        let Some(handshake) = &self.handshake else { return };
        let Handshake { inbox, sending, .. } = &**handshake;
        let acks_idle = self.acks.as_ref().is_none_or(|acks| !acks.is_due());
        let idle =
            inbox.is_empty() && sending.outbox.is_empty() && sending.timers.next().is_none() && acks_idle;
        if idle && self.is_established() && self.acks.is_some() {
            self.end_handshake();
        }
    }

    /// Writes a due ACK and returns the record's length.
    pub(super) fn transmit_ack(&mut self, now: Instant, out: &mut [u8], last: bool) -> usize {
        let Some(acks) = self.acks.as_mut().filter(|acks| acks.is_due()) else { return 0 };
        // The highest epoch there is; the peer has its keys if it has sent what is acknowledged (RFC 9147 §7).
        let record = NewRecord { epoch: self.records.write_epoch(), typ: ContentType::ACK, last };
        if self.records.plaintext_room(record, out.len()).is_none_or(|room| room < Acks::MIN_LEN) {
            return 0;
        }
        let sealed = match self.records.seal_with(record, out, |body| acks.write(body)) {
            Ok(sealed) => sealed,
            Err(error) => {
                self.fail(error);
                return 0;
            }
        };
        self.trace.note(TraceEvent::RecordSent {
            content: ContentType::ACK,
            number: sealed.number,
            len: sealed.len,
        });
        self.on_ack_written(now);
        sealed.len
    }

    /// Without a flight to send again nothing but the ACK tells the peer that this end is there: a server that may not send any
    /// more before it is certain of that (RFC 9147 §5.1) would wait for ever if it was lost.
    fn repeat_ack_later(&mut self, now: Instant) {
        let max = self.side.settings().limits.max_rto;
        let (Some(acks), Some(handshake)) = (&mut self.acks, &mut self.handshake) else { return };
        let sending = &mut handshake.sending;
        if sending.outbox.is_empty() {
            sending.ack_started = now;
            let delay = acks.repeat_after(sending.backoff.current(), max);
            sending.timers.arm(Timer::Ack, now.after(delay));
        }
    }

    /// Whether the last flight, which is the client's, may come again, in an epoch that is still read (RFC 9147 §5.8.1).
    pub(super) fn peer_may_repeat(&self) -> bool {
        matches!(self.side, Side::Server(_)) && self.records.reads_old()
    }

    /// After the handshake each record is acknowledged once. The peer's last flight may come again, until its epoch is
    /// forgotten (RFC 9147 §5.8.1).
    fn on_ack_written(&mut self, now: Instant) {
        if self.state.is_handshaking() {
            return self.repeat_ack_later(now);
        }
        if let Some(acks) = &mut self.acks {
            acks.clear();
        }
        let kept = self.side.settings().limits.last_flight_kept;
        let peer_may_repeat = self.peer_may_repeat();
        let Some(handshake) = &mut self.handshake else { return };
        let Handshake { sending, .. } = &mut **handshake;
        sending.timers.disarm(Timer::Ack);
        // As long as the own flight is out, its own timer runs, and what acknowledges it ends all of this.
        if peer_may_repeat && sending.outbox.is_empty() && !sending.timers.is_armed(Timer::LastFlight) {
            sending.timers.arm(Timer::LastFlight, now.after(kept));
        }
        self.close_handshake_if_idle();
    }
}
