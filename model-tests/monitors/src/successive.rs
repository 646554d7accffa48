//! Connections at one address, one after the other.

use dtls_core::{AlertDescription, Error, HandshakeType, TraceEvent};

use crate::{Monitor, Role};

/// Watches the connections of a server with one address as they follow each other, for those who know of events no more than
/// the address. For a client, its one connection.
#[derive(Debug)]
pub struct Successive {
    role: Role,
    /// Of the latest connection.
    monitor: Monitor,
    /// Whether the own hello was sent.
    begun: bool,
    over: bool,
}

impl Successive {
    /// For an address from which nothing has come yet.
    pub fn new(role: Role) -> Self {
        Self { role, monitor: Monitor::new(role), begun: false, over: false }
    }

    /// Takes note of what happened.
    ///
    /// # Panics
    /// With the id of the property that does not hold, and if a second connection begins before the end of the first.
    #[track_caller]
    pub fn note(&mut self, event: &TraceEvent) {
        let answers =
            matches!(event, TraceEvent::MessageQueued { typ, .. } if *typ == HandshakeType::SERVER_HELLO);
        // One may fail at the hello, before it has said anything; but not by an alert, which is told first.
        let fails_at_once = match event {
            TraceEvent::Failed { error } => self.over && !matches!(error, Error::PeerAlert(_)),
            _ => false,
        };
        if fails_at_once || answers && (self.begun || self.over) {
            assert!(self.over, "two connections at one address cannot be told apart");
            *self = Self::new(self.role);
        }
        self.begun |= answers;
        self.over |= match event {
            TraceEvent::Failed { .. } => true,
            TraceEvent::AlertReceived { description, .. } | TraceEvent::AlertSent { description } => {
                *description != AlertDescription::NoRenegotiation
            }
            _ => false,
        };
        self.monitor.note(event);
    }

    /// As [`Monitor::cut_off`].
    pub fn cut_off(&mut self) {
        self.monitor.cut_off();
    }
}
