//! Both ends driven by a schedule: what arrives, and when, is what the steps say.
//!
//! With the feature `model` it also checks that records which cannot be authentic change nothing (S9): those of a protected
//! epoch that the peer never sent, and unprotected ones once protected ones are read; and that no hello of DTLS 1.3 that was
//! changed on its way is accepted (S3). [`Step::Rebind`] needs it too: then a hello brings a cookie that its own address was
//! given (S10).

use dtls_core::Instant;
#[cfg(feature = "model")]
use scripted_peer::cookies;
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
    /// Which cookie was given to the client at which of its addresses, where the listener demands them.
    #[cfg(feature = "model")]
    cookies: Option<Vec<(usize, Vec<u8>)>>,
    /// How often the client's address has changed.
    #[cfg(feature = "model")]
    address: usize,
    /// What came from others who have the key.
    #[cfg(feature = "model")]
    foreign: Vec<Letter>,
}

impl Script {
    /// Both ends, just started; the first ClientHello is live.
    pub fn new(setup: &Setup) -> Self {
        let mut script = Self {
            ends: Ends::new(setup),
            mailbox: Mailbox::default(),
            messages: 0,
            #[cfg(feature = "model")]
            cookies: setup.cookies.then(Vec::new),
            #[cfg(feature = "model")]
            address: 0,
            #[cfg(feature = "model")]
            foreign: Vec::new(),
        };
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
            #[cfg(feature = "model")]
            Step::Rebind => {
                self.address += 1;
                self.ends.rebind();
            }
            _ => {}
        }
        self.post();
    }

    /// A datagram that neither end has sent arrives at `to`.
    pub fn inject(&mut self, to: Side, bytes: &[u8]) {
        self.deliver(&Letter { to, bytes: bytes.to_vec(), genuine: false });
        self.post();
    }

    /// A datagram of another connection between two who have the same key arrives where its kind goes.
    pub fn splice(&mut self, letter: &Letter) {
        #[cfg(feature = "model")]
        self.foreign.push(letter.clone());
        self.deliver(letter);
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
            self.check_cookie(letter);
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
        let genuine: Vec<_> =
            self.mailbox.sent().iter().chain(&self.foreign).flat_map(client_hellos).collect();
        let mut hellos = client_hellos(letter).peekable();
        let bound = hellos.peek().is_none() || hellos.any(|hello| genuine.contains(&hello));
        assert!(bound, "S3: a hello that nobody bound was answered: {:02x?}", letter.bytes);
    }

    /// A listener that goes on with a hello goes on with one whose cookie it has given to that address.
    #[cfg(feature = "model")]
    fn check_cookie(&self, letter: &Letter) {
        let Some(given) = self.cookies.as_ref().filter(|_| self.ends.end(Side::Server).is_some()) else {
            return;
        };
        let mut hellos = cookies::returned(&letter.bytes).peekable();
        let is_own = |cookie: Option<Vec<u8>>| cookie.is_some_and(|c| given.contains(&(self.address, c)));
        let accepted = hellos.peek().is_none() || hellos.any(is_own);
        assert!(accepted, "S10: a hello without a cookie of its address was taken: {:02x?}", letter.bytes);
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
            #[cfg(feature = "model")]
            if let (Side::Server, Some(given)) = (datagram.from, &mut self.cookies) {
                given.extend(cookies::given(&datagram.bytes).map(|cookie| (self.address, cookie)));
            }
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
