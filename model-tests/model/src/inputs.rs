//! One end, continued: everything that is not a handshake message in order.

use crate::alphabet::*;
use crate::choices::PlaintextAcks;
use crate::ending::By;
use crate::guard::Guard;
use crate::handshake::{Control, Effect, Rules};
use crate::machine::{Machine, Turn};
use crate::mode::{Mode, Role};
use crate::reliability::{PeerFlight, Place, Repeated};
use crate::server;

impl Turn {
    /// Notes why.
    pub(crate) fn rule(&mut self, rules: Rules) {
        self.rules.extend(rules);
    }

    /// Sends records.
    pub(crate) fn send(&mut self, records: Vec<(u8, Sent)>) {
        self.sent.extend(records);
    }
}

impl Machine {
    /// Messages that were processed come again.
    pub(crate) fn on_again(&mut self, which: Again, turn: &mut Turn) {
        let flight = self.flow.complete.map(PeerFlight::records).unwrap_or_default();
        let last = self.flow.last.map(|(epoch, place)| Repeated { epoch, place: Some(place) });
        let records = match which {
            Again::First => flight.into_iter().filter(|record| record.place.is_some()).take(1).collect(),
            Again::Last => last.into_iter().collect(),
            Again::Flight => flight,
        };
        for Repeated { epoch, place } in records {
            match place {
                Some(place) => self.on_repeated(epoch, place, turn),
                None if self.records.hears_plaintext(&self.setting) => {
                    self.on_change_cipher_spec(epoch, turn)
                }
                None => turn.rule(&["6347-4.2.5-ccs-2"]),
            }
        }
        self.repeat_close(turn);
    }

    /// A message below the next `message_seq` (RFC 6347 §4.2.4, RFC 9147 §5.8.1).
    pub(crate) fn on_repeated(&mut self, epoch: u8, place: Place, turn: &mut Turn) {
        if self.failure.is_some() {
            return if self.hears(epoch) {
                self.repeat_alert(turn)
            };
        }
        let choices = &self.setting.choices;
        let any = choices.any_message_repeats || choices.any_protected_message_repeats && epoch == 2;
        let begun = matches!(self.flow.last, Some((_, Place::Current))) && !choices.outdated_flight_repeats;
        let end = (place == Place::FlightEnd || place == Place::FlightPart && any) && !begun;
        let heard = self.hears(epoch) || epoch == 0 && end && self.setting.choices.answers_plaintext_repeats;
        if !heard || self.control == Control::Closed && !self.flow.kept {
            return turn.rule(&["9147-6.1-epoch-2", "6347-4.1-oldepoch-1"]);
        }
        turn.rule(&["6347-4.2.2-seq-3", "9147-5.2-seq-4"]);
        if !self.setting.holds(Guard::SeqChecked) {
            return self.effect(Effect::Fail(Description::UNEXPECTED_MESSAGE), turn);
        }
        if end && self.flow.complete == Some(PeerFlight::ClientFinish13) {
            turn.rule(&["9147-5.8.1-fin-1"]);
            if self.setting.holds(Guard::LastAckRepeated) {
                self.acknowledge(turn);
            }
        } else if self.flow.flight.is_some() && epoch < 3 {
            // What the own flight answers is acknowledged by it, also when it comes again.
            let hello = matches!(self.control, Control::ServerHello { .. });
            if end && (!hello || self.setting.choices.repeats_second_hello) {
                turn.rule(if self.flow.kept && self.flow.timer.is_none() {
                    &["6347-4.2.4-final-1", "6347-4.2.4-final-2"]
                } else {
                    &["6347-4.2.4-flight-3", "9147-5.8.1-wait-3"]
                });
                turn.send(self.flow.repeat(&self.setting));
            }
        } else if self.acknowledges() {
            turn.rule(&["9147-7-ack-3"]);
            self.owe_ack(turn);
        }
    }

    /// The next deadline. The clock moves by a quarter of the retransmission timeout for an ACK and by the whole of it
    /// for a flight.
    pub(crate) fn on_timer(&mut self, turn: &mut Turn) {
        let next = self.flow.ack.into_iter().chain(self.flow.timer).min();
        let after = |quarters: u8| quarters - next.unwrap_or(0);
        self.flow.ack = self.flow.ack.map(after);
        self.flow.timer = self.flow.timer.map(after);
        if self.flow.ack == Some(0) {
            turn.rule(&["9147-7.1-send-3"]);
            self.acknowledge(turn);
        }
        if self.flow.timer == Some(0) {
            turn.rule(&["6347-4.2.4-flight-2", "9147-5.8.1-wait-1", "9147-7.2-recv-1", "6347-4.1-epoch-2"]);
            self.flow.timer = Some(4);
            let forged = self.records.hears_plaintext(&self.setting);
            if forged && self.setting.choices.plaintext_acks == PlaintextAcks::UntilTimer {
                self.flow.acked = 0;
            }
            if self.setting.holds(Guard::FlightTimer) {
                turn.send(self.flow.outstanding(&self.setting));
                self.repeat_close(turn);
            }
        } else if next.is_none() && self.flow.kept {
            turn.rule(&["6347-4.2.4-final-1", "9147-5.8.1-fin-1", "9147-4.2.1-old-1"]);
            self.flow.kept = false;
            self.records.forget(2);
            if self.control == Control::Closed {
                self.silence();
            } else if self.control == Control::Connected(Version::V12) {
                self.flow.answered();
            }
        }
    }

    pub(crate) fn on_app(&mut self, app: App, turn: &mut Turn) {
        match (app, self.control) {
            (App::Send, Control::Connected(_)) => {
                turn.rule(&["RFC 5246 10", "RFC 8446 2"]);
                turn.send(vec![(self.records.sending(), Sent::Data)]);
            }
            (App::Close, Control::Listening | Control::Closed) => {}
            (App::Close, state) => {
                turn.rule(&["RFC 5246 7.2.1", "RFC 8446 6.1"]);
                if matches!(state, Control::Connected(_)) || self.setting.choices.close_in_handshake {
                    self.close_notify(turn);
                }
                self.close(By::Application);
            }
            (App::PskFound | App::PskNotFound, Control::Psk { version, binder }) => {
                let found = app == App::PskFound;
                self.react(server::on_psk(&self.setting, version, binder, found), turn);
                self.early_change_cipher_spec(turn);
                if let Some((message, epoch)) = self.flow.waiting[0] {
                    self.on_messages(message, epoch, turn);
                    self.acknowledge_kept(epoch, turn);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn on_change_cipher_spec(&mut self, epoch: u8, turn: &mut Turn) {
        turn.rule(&["6347-4.2.5-ccs-2", "9147-5-ccs-2"]);
        let known = self.control.version();
        let waits = match self.control {
            Control::ChangeCipherSpec => epoch == 0,
            // RFC 6347 §4.2.5 lets it go where it can't be in place; the planted fault does not.
            Control::ServerHello { .. } | Control::ClientKeyExchange => {
                !self.setting.holds(Guard::CcsInPlace) && self.setting.mode.has_12()
            }
            _ => false,
        };
        if waits {
            turn.rule(&["6347-4.2.5-ccs-1", "6347-4.1-epoch-1"]);
            self.control = Control::Finished(Version::V12);
            self.effect(Effect::Read(1), turn);
        } else if epoch > 0 && known == Some(Version::V12) {
            if self.setting.choices.protected_ccs_is_fatal {
                self.effect(Effect::Fail(Description::UNEXPECTED_MESSAGE), turn);
            }
        } else if matches!(
            self.control,
            Control::ClientKeyExchange | Control::Psk { version: Version::V12, .. }
        ) {
            self.flow.early_ccs = self.setting.choices.remembers_early_ccs;
        }
    }

    /// A ChangeCipherSpec that came too early counts once the message in front of it is there.
    pub(crate) fn early_change_cipher_spec(&mut self, turn: &mut Turn) {
        if self.control == Control::ChangeCipherSpec && core::mem::take(&mut self.flow.early_ccs) {
            self.on_change_cipher_spec(0, turn);
        }
    }

    pub(crate) fn on_alert(&mut self, level: Level, description: Description, epoch: u8, turn: &mut Turn) {
        let version = self.control.version();
        let levels_count = match version {
            Some(version) => version == Version::V12,
            None => self.setting.mode.has_12(),
        };
        let old =
            version == Some(Version::V13) && epoch == 2 && matches!(self.control, Control::Connected(_));
        if old && !self.setting.choices.honours_old_alerts {
            return turn.rule(&["9147-4.2.1-old-1"]);
        }
        turn.rule(&["RFC 5246 7.2.2", "RFC 8446 6"]);
        let connected = matches!(self.control, Control::Connected(_));
        let closes = connected || self.setting.choices.closes_in_handshake;
        if description == Description::CLOSE_NOTIFY && closes {
            if self.setting.choices.answers_close {
                self.close_notify(turn);
            }
            turn.events.push(Event::ClosedByPeer);
            self.close(By::Peer);
        } else if description != Description::USER_CANCELED
            && (!levels_count || level == Level::Fatal || description == Description::CLOSE_NOTIFY)
        {
            turn.events.push(Event::FatalAlert);
            self.silence();
        }
    }

    pub(crate) fn on_data(&mut self, epoch: u8, turn: &mut Turn) {
        let connected = matches!(self.control, Control::Connected(_) | Control::Closed);
        let in_place = match self.control.version() {
            Some(Version::V13) => epoch == 3,
            _ => epoch == 1 || self.records.has(3),
        };
        let unprotected = epoch == 0 && !self.setting.holds(Guard::DataUnderKeys);
        let early = !self.setting.holds(Guard::DataWhenConnected) && epoch > 0;
        turn.rule(&["6347-4.1-early-2", "6347-4.2.4-appdata-1", "9147-5.8.1-app-1"]);
        if connected && in_place && epoch > 0 || unprotected || early {
            turn.events.push(Event::Delivered);
        } else if epoch == 2 && self.setting.choices.early_data_is_fatal {
            turn.rule(&["RFC 8446 6.2"]);
            self.effect(Effect::Fail(Description::UNEXPECTED_MESSAGE), turn);
        }
    }

    /// RFC 9147 §7.2.
    pub(crate) fn on_ack(&mut self, acked: Acked, epoch: u8, turn: &mut Turn) {
        let known = self.control.version() == Some(Version::V13);
        if !known && (self.setting.holds(Guard::AckInKnownVersion) || !self.setting.mode.has_13()) {
            return turn.rule(&["9147-7-ver-2"]);
        }
        let faulty = matches!(acked, Acked::Malformed | Acked::HigherEpoch);
        match self.setting.choices.plaintext_acks {
            PlaintextAcks::Ignored if epoch == 0 => return turn.rule(&["9147-7-ver-3"]),
            PlaintextAcks::UntilTimer if epoch == 0 && faulty => return turn.rule(&["9147-7-ver-3"]),
            _ => {}
        }
        match acked {
            Acked::Malformed => {
                turn.rule(&["9147-7.2-recv-7"]);
                self.effect(Effect::Fail(Description::DECODE_ERROR), turn);
            }
            Acked::HigherEpoch => {
                turn.rule(&["9147-7.2-recv-6"]);
                if self.setting.holds(Guard::AckEpochBound) {
                    self.effect(Effect::Fail(Description::ILLEGAL_PARAMETER), turn);
                }
            }
            Acked::All | Acked::Plain => {
                turn.rule(&["9147-7.2-recv-1", "9147-7.2-recv-2", "9147-7.2-recv-3", "9147-5.8.1-wait-2"]);
                let up_to = if acked == Acked::Plain { 0 } else { epoch };
                self.peer_has(epoch, |sent_in, _| sent_in <= up_to, turn);
            }
            Acked::Empty if self.setting.choices.empty_ack_repeats && self.flow.timer.is_some() => {
                turn.rule(&["9147-7.1-empty-1"]);
                self.flow.timer = Some(4);
                turn.send(self.flow.outstanding(&self.setting));
            }
            Acked::Empty => {
                turn.rule(&["9147-7.1-empty-1"]);
                self.peer_has(epoch, |_, _| false, turn);
            }
            Acked::Unknown => {
                turn.rule(&["9147-7.2-recv-7"]);
                self.peer_has(epoch, |_, _| false, turn);
            }
        }
    }

    /// An ACK of this epoch says that the peer has these messages of the own flight.
    pub(crate) fn peer_has(&mut self, epoch: u8, has: impl Fn(u8, Sent) -> bool, turn: &mut Turn) {
        let choices = &self.setting.choices;
        let proven = epoch > 0 && choices.any_ack_proves_keys;
        let ends = epoch > 0 || choices.plaintext_acks == PlaintextAcks::Honoured;
        let has = |sent_in, sent| proven && sent_in == 0 || has(sent_in, sent);
        turn.send(self.flow.acknowledged(&self.setting, ends, has));
        let client = self.control == Control::Connected(Version::V13) && self.flow.kept;
        let done = client && self.setting.mode.role == Role::Client && self.flow.flight.is_none();
        if done && choices.forgets_keys_when_acked {
            turn.rule(&["9147-4.2.1-old-1"]);
            self.records.forget(2);
            self.flow.kept = false;
        }
    }

    /// A record whose message was kept acknowledges the own flight, and is to be acknowledged (RFC 9147 §7.1).
    pub(crate) fn acknowledge_kept(&mut self, epoch: u8, turn: &mut Turn) {
        if !self.acknowledges() {
            return;
        }
        let choices = &self.setting.choices;
        let answers = matches!(self.control, Control::ServerHello { .. } | Control::Finished(_));
        let counts = choices.any_record_acknowledges && (epoch > 0 || choices.plaintext_acknowledges);
        if answers && counts && !turn.answered {
            turn.rule(&["9147-7.2-recv-5"]);
            self.flow.answered();
        }
        // A flight that was sent acknowledges what it answers.
        if !turn.answered {
            self.owe_ack(turn);
        }
    }

    /// A record is to be acknowledged that was not before: at once, or in a while (RFC 9147 §7.1).
    fn owe_ack(&mut self, turn: &mut Turn) {
        // The same record is no news.
        if turn.copy {
            return;
        }
        if core::mem::take(&mut self.flow.ack_again) {
            self.flow.ack = None;
        }
        let choices = &self.setting.choices;
        let gap = choices.acks_gaps_at_once && self.flow.has_gap();
        let connected = matches!(self.control, Control::Connected(_)) && !turn.connected;
        let after = choices.acks_at_once_when_connected && connected && self.flow.partial.is_none();
        if turn.acknowledge || gap || after {
            turn.rule(&["9147-7.1-send-2", "9147-7.1-send-4"]);
            self.acknowledge(turn);
        } else if self.flow.ack.is_none() {
            turn.rule(&["9147-7.1-send-3"]);
            self.flow.ack = Some(1);
        }
    }

    /// Whether what comes in now would be acknowledged.
    fn acknowledges(&self) -> bool {
        match self.control {
            Control::Psk { .. } if !self.setting.choices.acks_while_suspended => false,
            state => state.version() == Some(Version::V13),
        }
    }

    fn acknowledge(&mut self, turn: &mut Turn) {
        turn.rule(&["9147-7-epoch-1", "9147-7-epoch-3", "9147-7-ver-1"]);
        let over = matches!(self.control, Control::Connected(_) | Control::Closed);
        let alone = !over && self.flow.flight.is_none();
        self.flow.ack_again = alone && self.setting.choices.repeats_acks;
        self.flow.ack = self.flow.ack_again.then_some(4);
        turn.send(vec![(self.records.sending(), Sent::Ack { empty: false })]);
    }

    /// The peer's last flight is complete. Who spoke last has to answer it when it comes again; in 1.3 both ends keep
    /// the keys of epoch 2.
    pub(crate) fn connected(&mut self) {
        let Mode { role, .. } = self.setting.mode;
        let is_13 = self.control == Control::Connected(Version::V13);
        match (role, is_13) {
            (Role::Client, false) => self.flow.complete = Some(PeerFlight::ServerFinish12),
            (Role::Server, true) => self.flow.complete = Some(PeerFlight::ClientFinish13),
            // Set when the own last flight was sent.
            (Role::Client, true) | (Role::Server, false) => {}
        }
        self.flow.end_of_flight();
        self.flow.kept = is_13 || role == Role::Server;
        if !self.setting.holds(Guard::LastFlightKept) && !is_13 {
            self.flow.answered();
        }
    }
}
