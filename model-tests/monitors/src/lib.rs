//! What must hold of every connection in every run, checked from its trace as the run goes on.
//!
//! A [`Monitor`] watches one connection and panics with the id of the property that does not hold. A [`Watch`] is a monitor in
//! the place of a configuration's trace sink, for tests that have nothing but a configuration, such as those with wolfSSL.
//! [`Successive`] is for servers that know of events no more than the peer's address. [`parse`] reads the lines that
//! `dtls --trace` prints, for tests that have nothing but the command, such as those with OpenSSL, GnuTLS and libcoap.
//!
//! Every test that drives a connection has one, but for: tests that count allocations, where it would be counted too; a
//! `Crowd` that measures (`unwatched`); a server of dtls-udp's tokio driver with many clients, which has no observer to tell them
//! apart; the demonstration when the `dtls` command plays it (its own unit tests watch it); the examples in documentation; what
//! a listener answers, which is in no trace; and dtls-core's own unit tests, which take single steps. What an endpoint's connection
//! does last, when it is given up for another, is in no trace that is left.
//!
//! Ids that one connection's trace can decide are checked here; the others by the harness that sees both ends, the time, or the
//! provider, under the same ids, or by tests of their own (in `model-tests/tests` unless another crate is named):
//!
//! | id | what holds | where |
//! |---|---|---|
//! | S1 | two ends that connect agree on everything negotiated, and on exported keys | `model_tests::Ends` |
//! | S2 | secrets reach nobody but the two ends | test `debug_output`: no datagram and no `Debug` output has a key that a provider was given; `forward_secrecy`: with an ephemeral exchange no key can be had from the pre-shared one; `ideal_crypto`: nothing is delivered that was not opened |
//! | S3 | nobody gets further with a hello that no holder of the key has bound | `model_tests::Script`; the fuzz body `dolev_yao` |
//! | S4 | no application data before the peer's Finished was checked, and none but under the keys made for it | here |
//! | S5 | what is delivered was sent by the peer's application | `model_tests::Ends` |
//! | S6 | every record counts once | here, and `model_tests::Ends` |
//! | S7 | record numbers rise and never repeat; no nonce is used twice | here, and `ideal_crypto` |
//! | S8 | epochs only rise; nothing is read in an epoch that is over | here |
//! | S9 | what is not authentic changes nothing | `model_tests::Script` |
//! | S10 | nothing is kept for an address before it is proven, and no more is sent there than came | bytes and cookies: `model_tests::Ends`, `model_tests::crowd`; what is kept: tests `flood` and `endpoint`, the fuzz body `server_unauth` |
//! | S11 | memory for a peer has a bound, and is freed | tests `allocations` (an idle connection), `flood` (an endpoint under fire) and `after_the_end` |
//! | S12 | work for a datagram has a bound | test `bounded_work` |
//! | S13 | after the end nothing goes on | here |
//! | S14 | two ends that can speak DTLS 1.3 do, or fail | `model_tests::Ends` |
//! | S15 | only what was offered is accepted, and no renegotiation | tests `wrong_server`, `wrong_server12`, `wrong_client` and `wrong_client12`; patterns of renegotiation here |
//! | S16 | the transcript is the one of the version | dtls-core's vectors, and the peers in `interop`: two ends of ours could agree on a wrong one |
//! | S17 | datagrams fit, and can be taken apart | `model_tests::Ends` |
//! | S18 | a fatal alert goes out when the connection failed, and never else | "never else" here; that one goes out, and which: tests `learned`, `wrong_*`, and the model's own S18 |
//! | S19 | the same seed gives the same bytes | test `weather`; the learner stops if the same word has two answers |
//! | S20 | none of the bug patterns of others ([`Pattern`], [`BESIDE_PATTERNS`]) | here |
//! | L1 | no more timers run out than datagrams are lost, and one | test `loss` |
//! | L2 | connecting takes as long as the back-off of the losses, and four round trips | test `loss` |
//! | L3 | whoever waits has a timer, and none is left in the past | `model_tests::Ends` |
//! | L4 | from every state the handshake can still complete | `model_tests::explore` |
//! | L5 | who spoke last answers for as long as it must, and then forgets | test `silence` |
//! | L6 | who gives up does so in time, and says so | test `silence` |
//! | L7 | closing is complete under loss too | test `silence`; KeyUpdate and tickets are not built yet |
//!
//! Early data, connection ids and certificates, which the ids are about as well, are not built yet.

mod line;
mod pattern;
mod successive;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use dtls_core::{AlertDescription, ContentType, HandshakeType, Negotiated, ProtocolVersion, TraceEvent};
#[cfg(feature = "model")]
use dtls_core::{Connection, StateKind};

pub use line::parse;
use pattern::Messages;
pub use pattern::{Pattern, Step, patterns};
pub use successive::Successive;
pub use watch::Watch;

/// What a [`Monitor`] finds of the bugs of others besides [`patterns`], because it takes more than the order of things.
pub const BESIDE_PATTERNS: [&str; 2] =
    ["(EC)DH without ServerKeyExchange", "handshake completed with invalid message_seq"];

/// No anti-replay window is wider: a record further behind must not be taken in.
const WIDEST_WINDOW: u64 = 1024;

/// Which end a monitor watches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(clippy::exhaustive_enums, reason = "there are two")]
pub enum Role {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// Watches one connection.
#[derive(Clone, Debug)]
pub struct Monitor {
    established: bool,
    failed: bool,
    /// The peer's alert that ended it.
    ended: bool,
    /// The own close_notify was sent.
    closed: bool,
    read_epoch: u16,
    write_epoch: u16,
    /// The newest number sent, by epoch.
    sent: BTreeMap<u16, u64>,
    /// Records taken in, as far back as a window reaches, by epoch.
    received: BTreeMap<u16, BTreeSet<u64>>,
    messages: Messages,
    /// The message_seq that is accepted next, if it is known: 2^16, which none has, after the last (RFC 9147 §5.2).
    next_seq: Option<u32>,
    /// Whether the server has sent its part of a key.
    ephemeral: bool,
    role: Role,
    /// Of each pattern the state of its automaton.
    patterns: [u8; pattern::COUNT],
}

impl Monitor {
    /// For a connection that has just begun.
    pub fn new(role: Role) -> Self {
        Self {
            established: false,
            failed: false,
            ended: false,
            closed: false,
            read_epoch: 0,
            write_epoch: 0,
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            messages: Messages::default(),
            next_seq: (role == Role::Client).then_some(0),
            ephemeral: false,
            role,
            patterns: [0; pattern::COUNT],
        }
    }

    /// For a connection that has taken its first steps unwatched: a server, when it is handed out, has answered the hello,
    /// unless it waits for a key, and may have failed at that.
    #[cfg(feature = "model")]
    pub fn resumed(role: Role, connection: &Connection) -> Self {
        let mut monitor = Self::new(role);
        monitor.failed = connection.is_closed();
        if let (Role::Server, Some(seq)) = (role, connection.next_message_seq()) {
            monitor.next_seq = Some(seq.into());
            if connection.state_kind() != StateKind::AwaitPsk13 {
                // With the number of the hello that it answers.
                let (typ, seq) = (HandshakeType::SERVER_HELLO, seq.wrapping_sub(1));
                monitor.note(&TraceEvent::MessageQueued { typ, seq });
            }
        }
        let (read_epoch, write_epoch) = (connection.read_epoch(), connection.write_epoch());
        if read_epoch > 0 {
            monitor.note(&TraceEvent::ReadEpoch { epoch: read_epoch });
        }
        if write_epoch > 0 {
            monitor.note(&TraceEvent::WriteEpoch { epoch: write_epoch });
        }
        monitor
    }

    /// Takes note of what happened.
    ///
    /// # Panics
    /// With the id of the property that does not hold.
    #[track_caller]
    pub fn note(&mut self, event: &TraceEvent) {
        for step in self.messages.steps(event) {
            self.match_patterns(&step);
        }
        match *event {
            TraceEvent::RecordSent { content, number, .. } => {
                self.on_sent(content, number.epoch(), number.seq())
            }
            TraceEvent::RecordReceived { number, .. } => self.on_received(number.epoch(), number.seq()),
            TraceEvent::ReadEpoch { epoch } => {
                require("S8", epoch > self.read_epoch, || {
                    format!("epoch {epoch} is read after {}", self.read_epoch)
                });
                self.read_epoch = epoch;
            }
            TraceEvent::WriteEpoch { epoch } => {
                require("S8", epoch > self.write_epoch, || {
                    format!("epoch {epoch} is written after {}", self.write_epoch)
                });
                self.write_epoch = epoch;
            }
            TraceEvent::Delivered { number } => {
                require("S4", self.established, || {
                    format!("{number:?} was delivered before Finished was checked")
                });
                let first = if self.read_epoch == 1 { 1 } else { 3 };
                require("S4", number.epoch() >= first, || {
                    format!("{number:?} was delivered from the handshake's keys")
                });
                let goes_on = !(self.failed || self.ended || self.closed);
                require("S13", goes_on, || format!("{number:?} was delivered after the end"));
            }
            TraceEvent::Established => self.established = true,
            TraceEvent::MessageProcessed { typ, .. } | TraceEvent::MessageQueued { typ, .. } => {
                let goes_on = !(self.failed || self.ended || self.closed);
                require("S13", goes_on, || format!("{typ:?} after the end"));
                if let (HandshakeType::SERVER_HELLO, TraceEvent::MessageQueued { seq, .. }) = (typ, *event) {
                    // It has the number of the hello it answers (RFC 6347 §4.2.2, RFC 9147 §5.2).
                    self.next_seq = self.next_seq.or_else(|| Some(u32::from(seq) + 1));
                }
            }
            TraceEvent::AlertReceived { description, .. } => {
                self.ended |= description != AlertDescription::NoRenegotiation;
            }
            TraceEvent::AlertSent { description } => self.on_alert_sent(description),
            TraceEvent::Failed { .. } => self.failed = true,
            _ => {}
        }
    }

    /// Nothing more is to be told: the message that had its turn last was accepted. Done when the monitor is dropped, unless
    /// the thread panics.
    ///
    /// # Panics
    /// With the id of the property that does not hold.
    #[track_caller]
    pub fn finish(&mut self) {
        if let Some(step) = self.messages.last() {
            self.match_patterns(&step);
        }
    }

    /// The trace was cut off, as of a process that was killed: what became of the message that had its turn last was not told.
    pub fn cut_off(&mut self) {
        self.messages = Messages::default();
    }

    #[track_caller]
    fn on_sent(&mut self, content: ContentType, epoch: u16, seq: u64) {
        if let Some(last) = self.sent.insert(epoch, seq) {
            require("S7", seq > last, || format!("record {epoch}/{seq} is sent after {epoch}/{last}"));
        }
        let may = !self.failed || content == ContentType::ALERT;
        require("S13", may, || format!("{content:?} was sent after the connection failed"));
        let may = !self.closed || content != ContentType::APPLICATION_DATA;
        require("S13", may, || "application data was sent after close_notify".to_owned());
    }

    #[track_caller]
    fn on_received(&mut self, epoch: u16, seq: u64) {
        let newest = self.read_epoch;
        // One epoch of keys stays readable behind the newest, for what is repeated.
        let oldest = if newest < 3 { newest } else { newest - 1 };
        require("S8", (oldest..=newest).contains(&epoch), || {
            format!("record {epoch}/{seq} was taken in while epoch {newest} is read")
        });
        // Unprotected numbers are anybody's: repeated messages are told by message_seq.
        if epoch == 0 {
            return;
        }
        let known = self.received.entry(epoch).or_default();
        let edge = known.last().map_or(0, |last| (last + 1).saturating_sub(WIDEST_WINDOW));
        require("S6", seq >= edge && known.insert(seq), || {
            format!("record {epoch}/{seq} was taken in twice")
        });
        *known = known.split_off(&edge);
    }

    #[track_caller]
    fn on_alert_sent(&mut self, description: AlertDescription) {
        match description {
            AlertDescription::CloseNotify => self.closed = true,
            AlertDescription::NoRenegotiation => {}
            _ => require("S18", self.failed, || {
                format!("alert {description:?} was sent by a connection that goes on")
            }),
        }
    }

    #[track_caller]
    fn match_patterns(&mut self, step: &Step) {
        for (pattern, state) in patterns().zip(&mut self.patterns) {
            if pattern.role.is_none_or(|role| role == self.role) {
                require("S20", !pattern.step(state, step), || format!("{}: {step:?}", pattern.name));
            }
        }
        if let Step::Did(TraceEvent::MessageProcessed { typ, seq, .. }) = *step {
            let next_seq = self.next_seq;
            require("S20", next_seq.is_none_or(|next| next == seq.into()), || {
                format!("{}: {typ:?} #{seq}, not #{next_seq:?}", BESIDE_PATTERNS[1])
            });
            self.next_seq = Some(u32::from(seq) + 1);
            self.ephemeral |= typ == HandshakeType::SERVER_KEY_EXCHANGE;
        }
    }

    /// Takes note of what a connection that is established says was negotiated, which is in no trace.
    ///
    /// # Panics
    /// With the id of the property that does not hold.
    #[track_caller]
    pub fn note_negotiated(&self, negotiated: &Negotiated) {
        let needed = self.role == Role::Client
            && negotiated.version == ProtocolVersion::DTLS1_2
            && negotiated.group.is_some();
        require("S20", !needed || self.ephemeral, || format!("{}: {negotiated:?}", BESIDE_PATTERNS[0]));
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.finish();
        }
    }
}

/// Panics with the id unless `holds`.
///
/// # Panics
/// That is what it is for.
#[track_caller]
pub fn require(id: &str, holds: bool, what: impl FnOnce() -> String) {
    assert!(holds, "{id}: {}", what());
}
