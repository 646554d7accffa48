//! Handshake control, the part both ends share: the states, and what a state can ask the layers below to do.
//!
//! This layer sees whole messages in order, each with the epoch it came in. It knows no records, fragments or timers. The
//! transitions are in [`crate::client`] and [`crate::server`]: functions of the state and one message.

use crate::alphabet::*;
use crate::choices::Choices;
use crate::guard::Guard;
use crate::mode::{Mode, Role};
use crate::reliability::Flight;

/// Ids of `requirements.tsv`, or `RFC section` where that table has no row.
pub type Rules = &'static [&'static str];

/// What does not change during a trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Setting {
    /// The mode.
    pub mode: Mode,
    /// What the RFCs leave open.
    pub choices: Choices,
    /// The guard that is left out.
    pub without: Option<Guard>,
}

impl Setting {
    /// Whether a guard is in place.
    #[must_use]
    pub fn holds(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }
}

/// The state of the handshake: what is expected next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Control {
    /// Server: no connection; any ClientHello.
    Listening,
    /// Server: the application's answer to `NeedPsk`.
    Psk {
        /// The version that was chosen.
        version: Version,
        /// Whether the hello's binder is right (1.3).
        binder: bool,
    },
    /// Server, 1.2.
    ClientKeyExchange,
    /// Client: also a HelloVerifyRequest or a HelloRetryRequest.
    ServerHello {
        /// How many HelloVerifyRequests were answered, as far as that matters.
        verified: u8,
        /// The HelloRetryRequest that was answered: whether it had a cookie, and a group.
        retried: Option<(bool, bool)>,
    },
    /// Client, 1.2. Without a Diffie-Hellman exchange it may be missing (RFC 4279 §2).
    ServerKeyExchange,
    /// Client, 1.2.
    ServerHelloDone,
    /// 1.2: both ends.
    ChangeCipherSpec,
    /// Client, 1.3.
    EncryptedExtensions,
    /// The peer's Finished.
    Finished(Version),
    /// The handshake is complete.
    Connected(Version),
    /// The connection is over.
    Closed,
}

impl Control {
    /// The version, once it is known to this end.
    #[must_use]
    pub fn version(self) -> Option<Version> {
        match self {
            Self::Listening | Self::Closed | Self::ServerHello { retried: None, .. } => None,
            Self::ServerHello { retried: Some(_), .. } | Self::EncryptedExtensions => Some(Version::V13),
            Self::Psk { version, .. } | Self::Finished(version) | Self::Connected(version) => Some(version),
            Self::ClientKeyExchange
            | Self::ServerKeyExchange
            | Self::ServerHelloDone
            | Self::ChangeCipherSpec => Some(Version::V12),
        }
    }

    /// The epoch in which the next message is due.
    fn epoch(self) -> u8 {
        match self {
            Self::Psk { version: Version::V12, .. }
            | Self::ChangeCipherSpec
            | Self::Finished(Version::V12)
            | Self::Connected(Version::V12) => 1,
            Self::Psk { .. } | Self::EncryptedExtensions | Self::Finished(_) => 2,
            Self::Connected(_) => 3,
            _ => 0,
        }
    }
}

/// What a message leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reaction {
    /// The next state.
    pub to: Control,
    /// What the layers below do, in this order.
    pub effects: Vec<Effect>,
    /// Why.
    pub rules: Rules,
}

/// What the handshake asks of the layers below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a flight; the peer's is complete with the message just processed.
    Send(Flight),
    /// The own flight has been answered: it needs no repetition any more.
    Answered,
    /// The epoch is keyed for reading.
    Read(u8),
    /// What is sent from now on that belongs to no flight goes into this epoch.
    Write(u8),
    /// Acknowledge at once.
    Acknowledge,
    /// The handshake is complete; the peer's last flight may come again.
    Connected,
    /// Ask for the key.
    AskForPsk,
    /// Send a fatal alert and end.
    Fail(Description),
}

impl Reaction {
    /// To the next state with these effects.
    #[must_use]
    pub fn new(to: Control, effects: &[Effect], rules: Rules) -> Self {
        Self { to, effects: effects.to_vec(), rules }
    }

    /// The message is processed without any effect.
    #[must_use]
    pub fn ignore(state: Control, rules: Rules) -> Self {
        Self::new(state, &[], rules)
    }

    /// The connection ends with an alert.
    #[must_use]
    pub fn fail(description: Description, rules: Rules) -> Self {
        Self::new(Control::Closed, &[Effect::Fail(description)], rules)
    }
}

/// Whether the next message is due in another epoch than this one.
#[must_use]
pub fn is_misplaced(setting: &Setting, state: Control, epoch: u8) -> bool {
    let early_finished = state == Control::ChangeCipherSpec && !setting.holds(Guard::FinishedAfterCcs);
    epoch != state.epoch() && setting.holds(Guard::PlaintextAfterKeys) && !early_finished
}

/// The next message in order, in the epoch that it is due in.
#[must_use]
pub fn on_message(setting: &Setting, state: Control, message: Message) -> Reaction {
    let early_finished = !setting.holds(Guard::FinishedAfterCcs)
        && matches!((state, message), (Control::ChangeCipherSpec, Message::Finished(Params::Ok)));
    if early_finished {
        return finished_12(setting);
    }
    if message == Message::Malformed && has_next(state) {
        if !setting.holds(Guard::MalformedRefused) {
            return Reaction::ignore(state, &[]);
        }
        return Reaction::fail(Description::DECODE_ERROR, &["9147-4.5.2-inv-6", "RFC 5246 7.2.2"]);
    }
    let reaction = match setting.mode.role {
        Role::Client => crate::client::on_message(setting, state, message),
        Role::Server => crate::server::on_message(setting, state, message),
    };
    reaction.unwrap_or_else(|| unexpected(setting, state, message))
}

/// A Finished that verifies in 1.2: the client is done, the server sends its last flight.
#[must_use]
pub fn finished_12(setting: &Setting) -> Reaction {
    const CONNECTED: Control = Control::Connected(Version::V12);
    match setting.mode.role {
        Role::Client => {
            Reaction::new(CONNECTED, &[Effect::Answered, Effect::Connected], &["6347-4.1-early-2"])
        }
        Role::Server => Reaction::new(
            CONNECTED,
            &[Effect::Send(Flight::ServerFinish12), Effect::Write(1), Effect::Connected],
            &["6347-4.2.5-ccs-1", "6347-4.2.4-final-1"],
        ),
    }
}

/// A Finished that does not verify.
#[must_use]
pub fn bad_finished() -> Reaction {
    Reaction::fail(Description::DECRYPT_ERROR, &["RFC 5246 7.4.9", "RFC 8446 4.4.4"])
}

/// The states in which a message is next that has a form to be wrong in.
fn has_next(state: Control) -> bool {
    !matches!(state, Control::Psk { .. } | Control::ChangeCipherSpec | Control::Connected(_))
}

fn unexpected(setting: &Setting, state: Control, message: Message) -> Reaction {
    if !setting.holds(Guard::UnexpectedRefused) {
        return Reaction::ignore(state, &[]);
    }
    if message == Message::Unknown {
        return Reaction::fail(setting.choices.unknown_message, &["RFC 5246 7.2.2", "RFC 8446 6.2"]);
    }
    Reaction::fail(Description::UNEXPECTED_MESSAGE, &["RFC 5246 7.2.2", "RFC 8446 4"])
}
