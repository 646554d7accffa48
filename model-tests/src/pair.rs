//! Both ends on the simulated link, in virtual time.

use core::{fmt::Write as _, time::Duration};

use dtls_core::Instant;
use simulated_network::{Faults, Network, Side};

use crate::{
    Setup,
    ends::{Ends, Outgoing},
    wire::{RawRecord, records},
};

/// A client and a server with the link between them. Deterministic: the same setup, faults and seed give the same bytes.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Pair {
    /// The two ends.
    pub ends: Ends,
    /// The link.
    pub network: Network,
}

impl Pair {
    /// Both ends, just started, on a link with the same `faults` in both directions.
    pub fn new(setup: &Setup, faults: Faults) -> Self {
        Self::on(setup, Network::new(setup.seed, faults))
    }

    /// Both ends, just started, on `network`.
    pub fn on(setup: &Setup, network: Network) -> Self {
        let mut pair = Self { ends: Ends::new(setup), network };
        pair.post();
        pair
    }

    /// Goes on to the next arrival or timer, whichever is first, and lets it happen. `false` when nothing is left to
    /// happen at or before `until`; then the time is `until`.
    pub fn step(&mut self, until: Instant) -> bool {
        let arrival = self.network.next_arrival();
        let timer = self.ends.next_timer();
        let Some(next) = [arrival, timer].into_iter().flatten().min().filter(|at| *at <= until) else {
            self.ends.set_now(until);
            return false;
        };
        self.ends.set_now(next);
        // A datagram that arrives as a timer runs out is taken in first, as a socket loop would.
        match self.network.receive(next) {
            Some(arrival) => self.inject(arrival.to, &arrival.bytes),
            None => {
                self.ends.fire();
                self.post();
            }
        }
        true
    }

    /// Steps until `done`, at most for `time`. Whether it was done.
    pub fn run_until(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let until = self.ends.now().after(time);
        loop {
            if done(self) {
                return true;
            }
            if !self.step(until) {
                return done(self);
            }
        }
    }

    /// Lets everything happen that happens within `time`.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until both ends are connected.
    ///
    /// # Panics
    /// If they are not within the handshake's deadline of one minute; prints all datagrams.
    pub fn connect(&mut self) {
        let connected = self.run_until(Duration::from_secs(60), |pair| pair.ends.connected());
        assert!(connected, "not connected:\n{}", self.diagram());
    }

    /// `bytes` arrive at `to` now, wherever they come from.
    pub fn inject(&mut self, to: Side, bytes: &[u8]) {
        // A fatal error stays with the end, where the test finds it.
        let _told = self.ends.deliver(to, bytes);
        self.post();
    }

    /// The application of `side` sends `data`, which goes on its way at once.
    ///
    /// # Panics
    /// If the connection refuses.
    pub fn send(&mut self, side: Side, data: &[u8]) {
        self.ends.send(side, data).expect("a connected end sends");
        self.post();
    }

    /// The application of `side` closes its connection.
    pub fn close(&mut self, side: Side) {
        self.ends.close(side);
        self.post();
    }

    /// Every datagram sent so far, one a line.
    pub fn diagram(&self) -> String {
        let mut text = String::new();
        for (number, sent) in self.network.sent().iter().enumerate() {
            let millis = sent.at.as_micros() / 1_000;
            let arrow = match sent.from {
                Side::Client => "-->",
                Side::Server => "<--",
            };
            let kind = if sent.first.is_some() { "" } else { " again" };
            let len = sent.bytes.len();
            let records = records(&sent.bytes).map(describe).collect::<Vec<_>>().join(" ");
            writeln!(text, "{number:3} {millis:8} ms {arrow} {len:4} bytes {:?}{kind}: {records}", sent.fate)
                .expect("a string takes all");
        }
        for side in Side::BOTH {
            let end =
                self.ends.end(side).map(|end| (end.connected(), end.closed(), end.connection().stats()));
            writeln!(text, "{side}: {end:?}").expect("a string takes all");
        }
        text
    }

    /// Puts what the ends have written on the link.
    fn post(&mut self) {
        for Outgoing { from, bytes, contents } in self.ends.take_outgoing() {
            self.network.send_known(self.ends.now(), from, &bytes, &contents);
        }
    }
}

/// Type, epoch and number of each record, and type and fragment of plaintext handshake messages.
fn describe(record: RawRecord<'_>) -> String {
    let (epoch, len) = (record.epoch(), record.body().len());
    let (Some(content_type), Some(seq)) = (record.content_type(), record.sequence()) else {
        return format!("[{epoch}/? {len}]");
    };
    match (content_type, epoch, record.body()) {
        (22, 0, [message_type, _, _, total, _, message_seq, _, hi, lo, _, _, length, ..]) => {
            let offset = u16::from_be_bytes([*hi, *lo]);
            format!("[{epoch}/{seq} handshake {message_type} seq {message_seq} {offset}+{length} of {total}]")
        }
        _ => format!("[{epoch}/{seq} type {content_type}, {len}]"),
    }
}
