//! What happens inside connections, as lines on standard error; and how far a handshake has come, for error messages.
//!
//! A line is `SECONDS PEER WHAT`, parted by single spaces but for those in front that align it: the time since the start with
//! three decimals; the peer's address and port, which a client's first lines lack; and a [`TraceEvent`] as it is displayed, or
//! one of `datagram in, LENGTH bytes`, `datagram out, LENGTH bytes` and `datagram dropped: REASON`. Lines about a connection
//! come in the order of what happened to it. Tests read them back.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicU8, Ordering},
};
use std::sync::Mutex;

use dtls_core::{Arc, Discard, HandshakeType, TraceEvent, TraceSink};
use dtls_udp::{Clock, Observer};

use crate::note;

/// Receives the events of connections and of a server's socket.
#[derive(Debug)]
pub(crate) struct Trace {
    clock: Clock,
    print: bool,
    /// Whom the events of connections are about; one thread works on one peer at a time.
    peer: Mutex<Option<SocketAddr>>,
    last_queued: AtomicU8,
}

impl Trace {
    /// A sink that prints if told so.
    pub(crate) fn new(print: bool) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::start(),
            print,
            peer: Mutex::new(None),
            last_queued: AtomicU8::new(HandshakeType::CLIENT_HELLO.0),
        })
    }

    /// The last handshake message that was made.
    pub(crate) fn last_message(&self) -> HandshakeType {
        HandshakeType(self.last_queued.load(Ordering::Relaxed))
    }

    /// Says whom the following events are about.
    pub(crate) fn turn_to(&self, peer: SocketAddr) {
        if let Ok(mut current) = self.peer.lock() {
            *current = Some(peer);
        }
    }

    fn print(&self, what: core::fmt::Arguments<'_>) {
        if !self.print {
            return;
        }
        let seconds = self.clock.now().as_micros() as f64 / 1e6;
        match self.peer.lock().ok().and_then(|peer| *peer) {
            Some(peer) => note(format_args!("{seconds:9.3} {peer} {what}")),
            None => note(format_args!("{seconds:9.3} {what}")),
        }
    }
}

impl TraceSink for Trace {
    fn event(&self, event: &TraceEvent) {
        if let TraceEvent::MessageQueued { typ, .. } = event {
            self.last_queued.store(typ.0, Ordering::Relaxed);
        }
        if self.print {
            self.print(format_args!("{event}"));
        }
    }
}

/// Lets the events of a server's socket go to its trace.
#[derive(Debug)]
pub(crate) struct Watch(pub(crate) Arc<Trace>);

impl Observer for Watch {
    fn received(&mut self, peer: SocketAddr, len: usize) {
        self.0.turn_to(peer);
        self.0.print(format_args!("datagram in, {len} bytes"));
    }

    fn sent(&mut self, peer: SocketAddr, len: usize) {
        self.0.turn_to(peer);
        self.0.print(format_args!("datagram out, {len} bytes"));
    }

    fn timer(&mut self, peer: SocketAddr) {
        self.0.turn_to(peer);
    }

    fn acting(&mut self, peer: SocketAddr) {
        self.0.turn_to(peer);
    }

    fn dropped(&mut self, peer: SocketAddr, reason: Discard) {
        self.0.turn_to(peer);
        self.0.print(format_args!("datagram dropped: {reason}"));
    }
}
