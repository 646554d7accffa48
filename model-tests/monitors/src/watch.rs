//! A monitor where a configuration's trace goes.

use std::sync::{Mutex, PoisonError};

use dtls_core::{Negotiated, TraceEvent, TraceSink};

use crate::{Monitor, Role};

/// Watches the one connection of a configuration.
#[derive(Debug)]
pub struct Watch(Mutex<Monitor>);

impl Watch {
    /// For a configuration with which one connection will be made.
    pub fn new(role: Role) -> Self {
        Self(Mutex::new(Monitor::new(role)))
    }

    /// As [`Monitor::note_negotiated`].
    ///
    /// # Panics
    /// As that.
    #[track_caller]
    pub fn note_negotiated(&self, negotiated: &Negotiated) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note_negotiated(negotiated);
    }
}

impl TraceSink for Watch {
    fn event(&self, event: &TraceEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(event);
    }
}
