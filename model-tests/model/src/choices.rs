//! What the RFCs leave open. The model is a function of these choices and of nothing else.
//!
//! The default of each is the documented policy of this library, or what the RFC recommends. Two things are no choices
//! because only one way is built: a HelloRetryRequest always has a cookie, so that the server keeps no state even
//! where it does not ask for one (RFC 9147 §5.1), and a KeyUpdate of the peer ends the connection
//! (unexpected_message).

use crate::alphabet::Description;

/// One answer to each open question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Choices {
    /// RFC 6347 §4.2.4, RFC 9147 §5.8.1: a repeated flight makes this end repeat its own; whether one that has a timer
    /// is hurried by it, or goes out again only once half an initial timeout has passed since it last did. Default no
    /// (SECURITY.md); the last flight of 1.2, which has no timer, is repeated as often as it is asked for.
    pub repeats_hurry: bool,
    /// RFC 6347 §4.2.1: how many HelloVerifyRequests a client answers in one handshake before one more is fatal
    /// (unexpected_message). `None`: all. Default 4: a server that has changed its secret asks twice, more are a loop
    /// (SECURITY.md).
    pub verify_requests: Option<u8>,
    /// RFC 6347 §4.2.4, RFC 9147 §5.8.1 speak of "a retransmitted flight": whether any message of it counts for it,
    /// not only its last. Default no.
    pub any_message_repeats: bool,
    /// RFC 9147 §5.8.1, §7: the same for messages under the keys of 1.3, where the last one may have been acknowledged and
    /// not come again. Default yes.
    pub any_protected_message_repeats: bool,
    /// RFC 6347 §4.2.4: whether the peer's last complete flight is answered again when its next one has begun to come, which
    /// shows that it has got the answer. Default no.
    pub outdated_flight_repeats: bool,
    /// RFC 9147 §5.1, RFC 6347 §4.2.1: whether a HelloVerifyRequest or HelloRetryRequest that comes again makes the
    /// client send its second hello again, as any flight would, or is only dropped. Default yes.
    pub repeats_second_hello: bool,
    /// RFC 6347 §4.1, RFC 9147 §5.8.1: whether a repeated flight in epoch 0 is answered although epoch 1 or 2 is keyed
    /// for reading. Default no: plaintext is dropped then (SECURITY.md); the timers of both ends suffice.
    pub answers_plaintext_repeats: bool,
    /// RFC 6347 §4.2.5: whether a server remembers a ChangeCipherSpec that overtook the ClientKeyExchange of its
    /// flight. Default yes.
    pub remembers_early_ccs: bool,
    /// RFC 5246 §7.2.2, RFC 6347 §4.2.5: whether a ChangeCipherSpec under keys ends the connection
    /// (unexpected_message). Default no: ignored.
    pub protected_ccs_is_fatal: bool,
    /// RFC 6347 §4.2.3, RFC 9147 §5.5: a fragment whose type or length contradicts those of the same `message_seq`.
    /// Default the newer counts in epoch 0, where either may be forged (SECURITY.md).
    pub contradiction: Contradiction,
    /// RFC 6347 §4.2.3, RFC 9147 §5.5: overlapping bytes that differ: whether the later ones win. Default no.
    pub later_bytes_win: bool,
    /// RFC 6347 §4.1, RFC 9147 §6.1: a message in plaintext where the next one is due under keys, also if it waited for
    /// that place: fatal (unexpected_message), or dropped, as anybody can forge it. Default dropped (SECURITY.md).
    pub late_plaintext_is_fatal: bool,
    /// RFC 5246 §7.4.1.1, RFC 6347 §4.2.4: a new handshake message after a handshake of 1.2 that begins no new one:
    /// fatal (unexpected_message) or dropped. Default dropped.
    pub message_after_12_is_fatal: bool,
    /// RFC 5746 §4.5, RFC 5246 §7.4.1.1: a renegotiation is refused by the warning no_renegotiation, or by silence.
    /// Default the warning.
    pub warns_of_no_renegotiation: bool,
    /// RFC 6347 §4.2.2: a new handshake begins with `message_seq` 0. Whether a HelloRequest or ClientHello after a handshake
    /// of 1.2 that has another one begins it too, or is a new message that begins none. Default it does: it is refused in
    /// any case.
    pub any_seq_begins_anew: bool,
    /// RFC 5246 §7.4.1.1: a HelloRequest during the handshake is ignored, or fatal (unexpected_message). It
    /// is no message of this handshake (its `message_seq` is that of one it would begin, RFC 6347 §4.2.2). Default
    /// ignored.
    pub hello_request_is_fatal: bool,
    /// RFC 5246 §7.2.2, RFC 8446 §6.2: the alert for a handshake type nobody knows. Default unexpected_message.
    pub unknown_message: Description,
    /// RFC 4279 §2, RFC 7925 §4.2, RFC 8446 §6.2: the alert for an identity without a key. Default decrypt_error.
    pub unknown_psk: Description,
    /// RFC 8446 §4.2.11 does not say what a client that can only do PSK answers to a ServerHello without one. Default
    /// handshake_failure.
    pub server_without_psk: Description,
    /// RFC 9147 §5.2, RFC 8446 §4.2.1: the alert for a HelloVerifyRequest to a client of 1.3 alone, which only a server
    /// of 1.2 sends. Default protocol_version.
    pub verify_request_to_13: Description,
    /// Whether a hello of 1.3 that nobody could answer (a legacy_cookie, no suite in common), refused before its cookie
    /// is looked at, costs a connection that fails where there are no cookies. Default no: the listener answers.
    pub rejection_needs_connection: bool,
    /// RFC 9147 §5.1, RFC 8446 §4.1.2: whether a cookie covers the key share of a hello that was asked for no other, so
    /// that a listener sees by itself that it is gone. Default yes.
    pub cookie_covers_share: bool,
    /// Whether a hello that is refused for anything else but its version or its cookie, after it is proven, costs a
    /// connection that fails (with its event), or is answered by the listener. Default a connection.
    pub refusal_needs_connection: bool,
    /// Whether a hello without a common version costs a connection where there are no cookies. Default no: the
    /// listener answers.
    pub version_refusal_needs_connection: bool,
    /// RFC 9147 §7.1: whether a client's hello is acknowledged while the server waits for the key. Default no.
    pub acks_while_suspended: bool,
    /// RFC 9147 §7.1: whether messages after the handshake, which no flight will answer, are acknowledged at once, or
    /// after a quarter of the timeout like others. Default at once.
    pub acks_at_once_when_connected: bool,
    /// RFC 9147 §7.1: whether each record that leaves a gap is acknowledged at once. Default yes, as it recommends.
    pub acks_gaps_at_once: bool,
    /// RFC 9147 §7.1: whether an ACK is sent again after a retransmission timeout without anything new, if there is no
    /// flight of its own that would show the peer that it is there. Default yes: a server that may not send any more
    /// to an address that is not proven waits for that sign (§5.1).
    pub repeats_acks: bool,
    /// RFC 9147 §7: what ACKs in epoch 0 are worth once 1.3 is known (they MAY be honoured).
    pub plaintext_acks: PlaintextAcks,
    /// RFC 9147 §7.2: whether "any record responding to a flight" acknowledges it in epoch 0, too. Default no: anybody
    /// can forge it, only a message that is acted on ends the wait.
    pub plaintext_acknowledges: bool,
    /// RFC 9147 §7.2: whether any ACK under the keys of the handshake shows that the ServerHello they come from has
    /// arrived, whatever it names. Default yes.
    pub any_ack_proves_keys: bool,
    /// RFC 9147 §4.2.1: whether a client forgets the keys of the handshake as soon as its Finished is acknowledged, or
    /// keeps them as long as a server does. Default at once: the server has nothing to repeat any more.
    pub forgets_keys_when_acked: bool,
    /// RFC 9147 §7.1: whether an empty ACK makes an end repeat what is not acknowledged. Default no.
    pub empty_ack_repeats: bool,
    /// RFC 9147 §7.2: whether a piece of a message implicitly acknowledges the flight it answers, or only a whole
    /// message. Default any record, as §7.2 says.
    pub any_record_acknowledges: bool,
    /// RFC 8446 §4.6.1: whether a NewSessionTicket, which can only follow the client's Finished, acknowledges it.
    /// Default no.
    pub ticket_acknowledges: bool,
    /// RFC 9147 §7: the epoch in which a 1.3 server that has sent its Finished sends alerts and ACKs until the
    /// client's comes. Default 3, the highest it can send in.
    pub server_epoch: u8,
    /// RFC 8446 §6.2, RFC 9147 §4.5.2: whether application data in epoch 2 is fatal (unexpected_message) or dropped.
    /// Default dropped, like any data before the handshake is complete.
    pub early_data_is_fatal: bool,
    /// RFC 9147 §6.1: a new message, or a piece of one, under the handshake keys after the handshake: fatal
    /// (unexpected_message) or dropped. Default fatal.
    pub late_message_is_fatal: bool,
    /// RFC 8446 §5.1: what came under the old keys ahead of the message that changes them is dropped with the change, or
    /// is the next message, in the wrong epoch, which is fatal (unexpected_message). Default dropped.
    pub messages_outlive_keys: bool,
    /// RFC 9147 §4.2.1: whether alerts of the retained epoch 2 count after the handshake. Default no: alerts count in the
    /// newest epoch that is read.
    pub honours_old_alerts: bool,
    /// RFC 5246 §7.2.1: whether a close_notify is answered by one. Default yes (1.2 MUST, 1.3 may).
    pub answers_close: bool,
    /// RFC 5246 §7.2.1, RFC 8446 §6.1: a close_notify before the handshake is complete: closes in good order and is
    /// answered, or ends the handshake as an error. Default an error: there is nothing to be closed yet, and in epoch 0
    /// anybody can have sent it.
    pub closes_in_handshake: bool,
    /// RFC 6347 §4.2.4, RFC 9147 §5.8.1: whether an end that its application has closed still repeats its last flight or
    /// ACK. Default yes.
    pub answers_when_closed: bool,
    /// The same for an end that the peer has closed. Default no: who closes has what it needs.
    pub answers_when_closed_by_peer: bool,
    /// RFC 9147 §5.8.1: whether a client that its application has closed goes on to send its Finished, without which the
    /// server could not read the close_notify, until it is acknowledged. Default yes.
    pub persists_when_closed: bool,
    /// RFC 5246 §7.2.1: whether it then says close_notify again, which the peer could not read either. Default yes.
    pub repeats_close: bool,
    /// RFC 6347 §4.2.7, RFC 9147 §5.10: how often a fatal alert is sent again to a peer that goes on with the handshake
    /// (SHOULD). Default 3.
    pub alert_repeats: u8,
    /// RFC 6347 §4.1.2.6 protects authenticated records: whether copies of records in plaintext are dropped, too.
    /// Default no: a forger could shut out genuine records.
    pub drops_plaintext_copies: bool,
    /// Whether a flight still goes out that a message which waited for its turn has settled at once: by another flight, an
    /// answer, or an error. Default no.
    pub sends_settled_flight: bool,
    /// RFC 8446 §6.1: whether close_notify is sent by an end that closes before it is connected. Default yes.
    pub close_in_handshake: bool,
}

/// What counts of two fragments of one `message_seq` that can't be of one message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Contradiction {
    /// The newer one in epoch 0; under keys it is dropped.
    NewerInPlaintext,
    /// The older one.
    Dropped,
    /// Neither: the connection ends (illegal_parameter).
    Fatal,
}

/// What an ACK in epoch 0 is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PlaintextAcks {
    /// Nothing.
    Ignored,
    /// What is missing is sent at once, but the timer runs on, and what it then sends is the whole flight: anybody can
    /// forge the ACK. One that breaks a rule is ignored.
    UntilTimer,
    /// As much as any other.
    Honoured,
}

impl Choices {
    /// The documented policy.
    pub const DEFAULT: Self = Self {
        repeats_hurry: false,
        verify_requests: Some(4),
        any_message_repeats: false,
        any_protected_message_repeats: true,
        outdated_flight_repeats: false,
        repeats_second_hello: true,
        answers_plaintext_repeats: false,
        remembers_early_ccs: true,
        protected_ccs_is_fatal: false,
        contradiction: Contradiction::NewerInPlaintext,
        later_bytes_win: false,
        late_plaintext_is_fatal: false,
        message_after_12_is_fatal: false,
        warns_of_no_renegotiation: true,
        any_seq_begins_anew: true,
        hello_request_is_fatal: false,
        unknown_message: Description::UNEXPECTED_MESSAGE,
        unknown_psk: Description::DECRYPT_ERROR,
        server_without_psk: Description::HANDSHAKE_FAILURE,
        verify_request_to_13: Description::PROTOCOL_VERSION,
        rejection_needs_connection: false,
        cookie_covers_share: true,
        refusal_needs_connection: true,
        version_refusal_needs_connection: false,
        acks_while_suspended: false,
        acks_at_once_when_connected: true,
        acks_gaps_at_once: true,
        repeats_acks: true,
        plaintext_acks: PlaintextAcks::UntilTimer,
        plaintext_acknowledges: false,
        any_ack_proves_keys: true,
        forgets_keys_when_acked: true,
        empty_ack_repeats: false,
        any_record_acknowledges: true,
        ticket_acknowledges: false,
        server_epoch: 3,
        early_data_is_fatal: false,
        late_message_is_fatal: true,
        messages_outlive_keys: false,
        honours_old_alerts: false,
        answers_close: true,
        closes_in_handshake: false,
        answers_when_closed: true,
        answers_when_closed_by_peer: false,
        persists_when_closed: true,
        repeats_close: true,
        alert_repeats: 3,
        drops_plaintext_copies: false,
        sends_settled_flight: false,
        close_in_handshake: true,
    };

    /// The same for ends that a repeated flight hurries: what else depends on it can be seen where time stands still.
    pub const HURRIED: Self = Self { repeats_hurry: true, ..Self::DEFAULT };

    /// The default, or [`Self::HURRIED`] where that matters, with one choice made otherwise, each with the name of that
    /// choice.
    #[must_use]
    pub fn alternatives() -> Vec<(&'static str, Self)> {
        vec![
            ("verify_requests", Self { verify_requests: None, ..Self::DEFAULT }),
            ("any_message_repeats", Self { any_message_repeats: true, ..Self::HURRIED }),
            ("any_protected_message_repeats", Self { any_protected_message_repeats: false, ..Self::HURRIED }),
            ("outdated_flight_repeats", Self { outdated_flight_repeats: true, ..Self::HURRIED }),
            ("repeats_second_hello", Self { repeats_second_hello: false, ..Self::HURRIED }),
            ("answers_plaintext_repeats", Self { answers_plaintext_repeats: true, ..Self::HURRIED }),
            ("remembers_early_ccs", Self { remembers_early_ccs: false, ..Self::DEFAULT }),
            ("protected_ccs_is_fatal", Self { protected_ccs_is_fatal: true, ..Self::DEFAULT }),
            ("contradiction: dropped", Self { contradiction: Contradiction::Dropped, ..Self::DEFAULT }),
            ("contradiction: fatal", Self { contradiction: Contradiction::Fatal, ..Self::DEFAULT }),
            ("late_plaintext_is_fatal", Self { late_plaintext_is_fatal: true, ..Self::DEFAULT }),
            ("message_after_12_is_fatal", Self { message_after_12_is_fatal: true, ..Self::DEFAULT }),
            ("later_bytes_win", Self { later_bytes_win: true, ..Self::DEFAULT }),
            ("warns_of_no_renegotiation", Self { warns_of_no_renegotiation: false, ..Self::DEFAULT }),
            ("any_seq_begins_anew", Self { any_seq_begins_anew: false, ..Self::DEFAULT }),
            ("hello_request_is_fatal", Self { hello_request_is_fatal: true, ..Self::DEFAULT }),
            (
                "verify_request_to_13",
                Self { verify_request_to_13: Description::UNEXPECTED_MESSAGE, ..Self::DEFAULT },
            ),
            ("rejection_needs_connection", Self { rejection_needs_connection: true, ..Self::DEFAULT }),
            ("cookie_covers_share", Self { cookie_covers_share: false, ..Self::DEFAULT }),
            ("refusal_needs_connection", Self { refusal_needs_connection: false, ..Self::DEFAULT }),
            (
                "version_refusal_needs_connection",
                Self { version_refusal_needs_connection: true, ..Self::DEFAULT },
            ),
            ("acks_while_suspended", Self { acks_while_suspended: true, ..Self::DEFAULT }),
            ("acks_at_once_when_connected", Self { acks_at_once_when_connected: false, ..Self::DEFAULT }),
            ("acks_gaps_at_once", Self { acks_gaps_at_once: false, ..Self::DEFAULT }),
            ("repeats_acks", Self { repeats_acks: false, ..Self::DEFAULT }),
            ("plaintext_acks: ignored", Self { plaintext_acks: PlaintextAcks::Ignored, ..Self::DEFAULT }),
            ("plaintext_acks: honoured", Self { plaintext_acks: PlaintextAcks::Honoured, ..Self::DEFAULT }),
            ("plaintext_acknowledges", Self { plaintext_acknowledges: true, ..Self::DEFAULT }),
            ("any_ack_proves_keys", Self { any_ack_proves_keys: false, ..Self::DEFAULT }),
            ("forgets_keys_when_acked", Self { forgets_keys_when_acked: false, ..Self::DEFAULT }),
            ("empty_ack_repeats", Self { empty_ack_repeats: true, ..Self::DEFAULT }),
            ("any_record_acknowledges", Self { any_record_acknowledges: false, ..Self::DEFAULT }),
            ("ticket_acknowledges", Self { ticket_acknowledges: true, ..Self::DEFAULT }),
            ("early_data_is_fatal", Self { early_data_is_fatal: true, ..Self::DEFAULT }),
            ("late_message_is_fatal", Self { late_message_is_fatal: false, ..Self::DEFAULT }),
            ("messages_outlive_keys", Self { messages_outlive_keys: true, ..Self::DEFAULT }),
            ("honours_old_alerts", Self { honours_old_alerts: true, ..Self::DEFAULT }),
            ("answers_close", Self { answers_close: false, ..Self::DEFAULT }),
            ("closes_in_handshake", Self { closes_in_handshake: true, ..Self::DEFAULT }),
            ("answers_when_closed", Self { answers_when_closed: false, ..Self::DEFAULT }),
            ("answers_when_closed_by_peer", Self { answers_when_closed_by_peer: true, ..Self::DEFAULT }),
            ("persists_when_closed", Self { persists_when_closed: false, ..Self::DEFAULT }),
            ("repeats_close", Self { repeats_close: false, ..Self::DEFAULT }),
            ("alert_repeats", Self { alert_repeats: 0, ..Self::DEFAULT }),
            ("drops_plaintext_copies", Self { drops_plaintext_copies: true, ..Self::DEFAULT }),
            ("sends_settled_flight", Self { sends_settled_flight: true, ..Self::DEFAULT }),
            ("close_in_handshake", Self { close_in_handshake: false, ..Self::DEFAULT }),
            ("repeats_hurry", Self::HURRIED),
            ("unknown_message", Self { unknown_message: Description::DECODE_ERROR, ..Self::DEFAULT }),
            ("unknown_psk", Self { unknown_psk: Description::UNKNOWN_PSK_IDENTITY, ..Self::DEFAULT }),
            (
                "server_without_psk",
                Self { server_without_psk: Description::MISSING_EXTENSION, ..Self::DEFAULT },
            ),
            ("server_epoch", Self { server_epoch: 2, ..Self::DEFAULT }),
        ]
    }
}

impl Default for Choices {
    fn default() -> Self {
        Self::DEFAULT
    }
}
