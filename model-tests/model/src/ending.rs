//! The end of a connection, and what one that is over still does.
//!
//! Who failed says so again to a peer that goes on (RFC 6347 §4.2.7, RFC 9147 §5.10). Who was closed in good order may still
//! have to repeat its last flight or ACK (RFC 6347 §4.2.4, RFC 9147 §5.8.1). Nothing else happens.

use crate::alphabet::*;
use crate::guard::Guard;
use crate::handshake::Control;
use crate::machine::{Machine, Turn};
use crate::mode::Role;
use crate::record::RecordLayer;
use crate::reliability::{Flight, Reliability};

/// Who ended a connection in good order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// The own application.
    Application,
    /// The peer.
    Peer,
}

/// The alert that ended the connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Failure {
    /// What it said.
    pub alert: Description,
    /// How often it may still be repeated.
    pub left: u8,
}

impl Machine {
    /// A fatal alert, and the end.
    pub(crate) fn fail(&mut self, alert: Description, turn: &mut Turn) {
        self.settle_flight(turn);
        if self.setting.holds(Guard::AlertSent) {
            turn.sent.push((self.records.sending(), Sent::Alert(Level::Fatal, alert)));
        }
        turn.events.push(Event::Failed);
        // The records of a peer that goes on come in the newest epoch; what can come again is what came before.
        let ((complete, last), seq) = (turn.known, self.flow.seq);
        let mut records = self.records;
        records.forget_old();
        self.silence();
        let left = self.setting.choices.alert_repeats;
        if left > 0 {
            self.failure = Some(Failure { alert, left });
            self.records = records;
            self.flow = Reliability { complete, last, seq, ..Reliability::default() };
        }
    }

    /// The peer has ended the connection by an error: there is nobody to talk to.
    pub(crate) fn silence(&mut self) {
        self.control = Control::Closed;
        self.flow = Reliability::default();
        if self.setting.holds(Guard::SilentWhenClosed) {
            self.records = RecordLayer::default();
        }
    }

    /// The connection is closed in good order. A server may still have to answer the client's last flight.
    pub(crate) fn close(&mut self, by: By) {
        let choices = self.setting.choices;
        let owes = match by {
            By::Application => choices.answers_when_closed,
            By::Peer => choices.answers_when_closed_by_peer,
        };
        let server = self.setting.mode.role == Role::Server && matches!(self.control, Control::Connected(_));
        let unacknowledged = self.control == Control::Connected(Version::V13)
            && self.flow.flight == Some(Flight::ClientFinish13)
            && choices.persists_when_closed
            && by == By::Application;
        self.control = Control::Closed;
        if unacknowledged {
            return;
        }
        if !(owes && server && self.flow.kept) {
            return self.silence();
        }
        let Reliability { flight, complete, last, seq, .. } = self.flow;
        self.flow = Reliability { flight, complete, last, seq, kept: true, ..Reliability::default() };
    }

    /// A record for a connection that is over.
    pub(crate) fn on_record_after_end(&mut self, record: Record, turn: &mut Turn) {
        turn.rule(&["9147-5.10-close-1", "RFC 5246 7.2.1"]);
        match self.records.open(&self.setting, record) {
            Ok(Content::Handshake(_)) => self.repeat_alert(turn),
            // The peer has got to the end of the handshake: it needs nothing of it any more.
            Ok(Content::Alert(..)) if self.failure.is_none() && self.records.is_newest(record.epoch) => {
                self.silence();
            }
            Ok(Content::Ack(Acked::All)) => self.on_ack_after_end(turn),
            _ => {}
        }
    }

    /// The peer has the Finished of a client that was closed before it knew that: it can read the close_notify.
    pub(crate) fn on_ack_after_end(&mut self, turn: &mut Turn) {
        if self.control == Control::Closed && self.flow.flight == Some(Flight::ClientFinish13) {
            turn.rule(&["9147-7.2-recv-1"]);
            self.silence();
        }
    }

    /// The peer goes on with a handshake that has failed: it has missed the alert.
    pub(crate) fn repeat_alert(&mut self, turn: &mut Turn) {
        let Some(Failure { alert, left }) = self.failure else { return };
        turn.rule(&["6347-4.2.7-alert-2", "9147-5.10-alert-2"]);
        if turn.sent.is_empty() {
            turn.sent.push((self.records.sending(), Sent::Alert(Level::Fatal, alert)));
            self.failure = (left > 1).then_some(Failure { alert, left: left - 1 });
            if self.failure.is_none() {
                turn.rule(&["6347-4.2.7-alert-3", "9147-5.10-alert-3"]);
                self.silence();
            }
        }
    }

    /// What was repeated by an end that its application has closed goes on with why nothing will follow.
    pub(crate) fn repeat_close(&self, turn: &mut Turn) {
        let repeated = self.control == Control::Closed && self.failure.is_none() && !turn.sent.is_empty();
        let said = turn.sent.iter().any(|(_, sent)| matches!(sent, Sent::Alert(..)));
        if repeated && !said && self.setting.choices.repeats_close {
            turn.rule(&["RFC 5246 7.2.1"]);
            self.close_notify(turn);
        }
    }

    /// Says that nothing will follow.
    pub(crate) fn close_notify(&self, turn: &mut Turn) {
        let alert = Sent::Alert(Level::Warning, Description::CLOSE_NOTIFY);
        turn.send(vec![(self.records.sending(), alert)]);
    }
}
