//! Both ends driven by a schedule: what arrives, and when, is what the steps say.
//!
//! With the feature `model` it also checks that records which cannot be authentic change nothing (S9): those of a protected
//! epoch that the peer never sent, and unprotected ones once protected ones are read; and that no hello of DTLS 1.3 that was
//! changed on its way is accepted (S3).

use dtls_core::Instant;
use simulated_network::Side;

#[cfg(feature = "model")]
use crate::wire::{RawRecord, records};
use crate::{
    Setup,
    ends::Ends,
    mailbox::{Letter, Mailbox},
    schedule::{Schedule, Step},
};

/// Ends, the datagrams between them, and nothing that happens by itself.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Script {
    /// The two ends.
    pub ends: Ends,
    /// What is under way.
    pub mailbox: Mailbox,
    messages: u16,
}

impl Script {
    /// Both ends, just started; the first ClientHello is live.
    pub fn new(setup: &Setup) -> Self {
        let mut script = Self { ends: Ends::new(setup), mailbox: Mailbox::default(), messages: 0 };
        script.post();
        script
    }

    /// Lets every step happen in turn.
    pub fn play(&mut self, schedule: &Schedule) {
        schedule.0.iter().for_each(|step| self.apply(step));
    }

    /// Lets one step happen. Timers that are due by it fire.
    pub fn apply(&mut self, step: &Step) {
        if let Some(letter) = self.mailbox.apply(step, self.ends.now()) {
            self.deliver(&letter);
        }
        match step {
            Step::NextTimer => self.next_timer(),
            Step::Advance(micros) => {
                self.pass(Instant::from_micros(self.ends.now().as_micros() + u64::from(*micros)));
            }
            Step::Send(side, len) => {
                self.messages = self.messages.wrapping_add(1);
                let data: Vec<u8> =
                    self.messages.to_be_bytes().into_iter().cycle().take(usize::from(*len)).collect();
                // Before the handshake has completed, and after the end, nothing can be sent.
                let _refused = self.ends.send(*side, &data);
            }
            Step::Close(side) => self.ends.close(*side),
            Step::Psk(found) => {
                // Whoever was not asked has no use for it.
                let _refused = self.ends.provide_psk(found.then_some(crate::KEY));
            }
            _ => {}
        }
        self.post();
    }

    /// Delivers everything in order, and lets timers fire when nothing is left, until both ends are connected or one
    /// is over. Bounded by `rounds`.
    pub fn finish(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let over = Side::BOTH
                .into_iter()
                .filter_map(|side| self.ends.end(side))
                .any(|end| end.closed().is_some());
            if self.ends.connected() || over {
                return;
            }
            let idle = self.mailbox.live().is_empty();
            self.apply(if idle { &Step::NextTimer } else { &Step::Deliver(0) });
        }
    }

    fn deliver(&mut self, letter: &Letter) {
        #[cfg(feature = "model")]
        let before =
            self.cannot_matter(letter).then(|| self.ends.end(letter.to).map(crate::End::fingerprint));
        #[cfg(feature = "model")]
        let is_first = self.ends.end(letter.to).is_none();
        // A fatal error stays with the end, where the test finds it.
        let _told = self.ends.deliver(letter.to, &letter.bytes);
        #[cfg(feature = "model")]
        if is_first {
            self.check_bound(letter);
        }
        #[cfg(feature = "model")]
        if let Some(before) = before {
            let after = self.ends.end(letter.to).map(crate::End::fingerprint);
            assert_eq!(
                after, before,
                "S9: a record that is not authentic had an effect: {:02x?}",
                letter.bytes
            );
        }
    }

    /// Whether every record of the datagram is one that its receiver must take for noise.
    #[cfg(feature = "model")]
    fn cannot_matter(&self, letter: &Letter) -> bool {
        let Some(end) = self.ends.end(letter.to) else { return false };
        // Until then every datagram allows more bytes in answer.
        if !end.connection().is_address_proven() {
            return false;
        }
        let reads = end.connection().read_epoch();
        let noise = |record: RawRecord<'_>| {
            let sent = || self.mailbox.sent().iter().filter(|sent| sent.to == letter.to);
            let genuine = || sent().any(|sent| records(&sent.bytes).any(|genuine| genuine == record));
            match record.epoch() {
                0 if !record.is_unified() => reads > 0,
                _ => !genuine(),
            }
        };
        records(&letter.bytes).all(noise)
    }

    /// A server of DTLS 1.3 that goes on with the hello in this datagram goes on with one that its client sent: binders cover
    /// all of it. In DTLS 1.2 Finished does.
    #[cfg(feature = "model")]
    fn check_bound(&self, letter: &Letter) {
        let Some(server) = self.ends.end(letter.to).filter(|end| end.closed().is_none()) else { return };
        if server.connection().write_epoch() <= 1 {
            return;
        }
        // Of several, one that cannot be read is passed over.
        let genuine: Vec<_> = self.mailbox.sent().iter().flat_map(client_hellos).collect();
        let mut hellos = client_hellos(letter).peekable();
        let bound = hellos.peek().is_none() || hellos.any(|hello| genuine.contains(&hello));
        assert!(bound, "S3: a hello that nobody bound was answered: {:02x?}", letter.bytes);
    }

    fn next_timer(&mut self) {
        let next = [self.ends.next_timer(), self.mailbox.next_wake()].into_iter().flatten().min();
        if let Some(next) = next {
            self.pass(next);
        }
    }

    fn pass(&mut self, now: Instant) {
        self.ends.set_now(now);
        self.mailbox.wake(now);
        self.ends.fire();
    }

    fn post(&mut self) {
        for datagram in self.ends.take_outgoing() {
            self.mailbox.send(datagram.from, &datagram.bytes);
        }
    }
}

/// The bodies of the ClientHellos that come whole, in a record of their own each, in a datagram.
#[cfg(feature = "model")]
fn client_hellos(letter: &Letter) -> impl Iterator<Item = &[u8]> {
    records(&letter.bytes).filter(|record| record.content_type() == Some(22)).filter_map(|record| {
        let (header, body) = record.body().split_at_checked(12)?;
        let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        // What follows a hello in its record is not part of it.
        body.get(..length).filter(|_| header[0] == 1 && header[1..4] == header[9..12])
    })
}
