//! Everything that was done with keys so far, and the rules it must obey.

use core::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};
use std::collections::{HashMap, HashSet, VecDeque};

use dtls_core::crypto::NONCE_LEN;

use crate::mixer::{Domain, Mixer};

/// How many of the last opened plaintexts [`World::assert_released`] remembers.
const REMEMBERED: usize = 256;

/// The history of one closed system of connections, against which every use of a key is checked.
///
/// Each thread has a current world, which is where uses are recorded; a test that makes one system per thread needs to
/// do nothing. [`World::run`] makes another world current for the length of a closure. Repeating a run from the same
/// seed in one thread needs a new world, or its nonces would count as repeated.
///
/// Cloning copies the history. Exploration that clones connections clones their world with them, so that each branch
/// may seal the nonce that its sibling sealed too.
#[derive(Clone, Debug, Default)]
pub struct World {
    sealed: HashSet<(u128, [u8; NONCE_LEN])>,
    sealer: HashMap<u128, u64>,
    uses: HashMap<u64, Use>,
    agreed: HashMap<u64, u128>,
    released: VecDeque<u128>,
    failed_opens: u64,
    unchecked: bool,
    /// What was sealed, by its ciphertext with tag, once somebody listens.
    overheard: Option<HashMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Seals,
    Opens,
}

thread_local! {
    static CURRENT: RefCell<World> = RefCell::new(World::default());
}

impl World {
    /// A world that records and checks nothing, and so never allocates: for measurements.
    pub fn unchecked() -> Self {
        Self { unchecked: true, ..Self::default() }
    }

    /// Runs `f` with this world as the thread's current one. Not reentrant for the same world.
    pub fn run<T>(&mut self, f: impl FnOnce() -> T) -> T {
        /// Puts the outer world back, also when `f` panics.
        struct Restore<'w> {
            inner: &'w mut World,
        }
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                CURRENT.with_borrow_mut(|current| core::mem::swap(current, self.inner));
            }
        }
        CURRENT.with_borrow_mut(|current| core::mem::swap(current, self));
        let _restore = Restore { inner: self };
        f()
    }

    /// Checks that `data`, which a connection of this world handed to its application, came out of one of the last
    /// 256 successful `open`s: as the whole plaintext (DTLS 1.2) or without the content type and padding that end it
    /// (DTLS 1.3, RFC 9147 §4). A world in which no ideal key was used knows nothing and lets everything pass.
    ///
    /// # Panics
    /// If it did not.
    pub fn assert_released(&self, data: &[u8]) {
        let digest = released_digest(data);
        assert!(
            self.sealed.is_empty() || self.released.contains(&digest),
            "ideal-crypto: {} bytes were released that no open produced",
            data.len()
        );
    }

    /// From now on [`Self::plaintext_of`] knows what was sealed.
    pub fn listen(&mut self) {
        self.overheard.get_or_insert_default();
    }

    /// What was sealed into this ciphertext with its tag since [`Self::listen`]: what a witness knows who needs no keys.
    pub fn plaintext_of(&self, sealed: &[u8]) -> Option<&[u8]> {
        self.overheard.as_ref()?.get(sealed).map(|plaintext| &plaintext[..])
    }

    /// How many records were sealed.
    pub fn sealed(&self) -> usize {
        self.sealed.len()
    }

    /// How many `open`s failed.
    pub const fn failed_opens(&self) -> u64 {
        self.failed_opens
    }

    pub(crate) fn seal(&mut self, key: u128, handle: u64, nonce: &[u8; NONCE_LEN]) {
        if self.unchecked {
            return;
        }
        self.claim(handle, Use::Seals);
        let sealer = *self.sealer.entry(key).or_insert(handle);
        assert_eq!(sealer, handle, "ideal-crypto: two handles seal under the same key");
        assert!(
            self.sealed.insert((key, *nonce)),
            "ideal-crypto: nonce {nonce:02x?} was used twice with one key"
        );
    }

    /// Whether [`Self::overhear`] is to be told.
    pub(crate) const fn listens(&self) -> bool {
        self.overheard.is_some()
    }

    pub(crate) fn overhear(&mut self, plaintext: Vec<u8>, ciphertext: &[u8], tag: &[u8]) {
        if let Some(overheard) = &mut self.overheard {
            overheard.insert([ciphertext, tag].concat(), plaintext);
        }
    }

    pub(crate) fn open(&mut self, handle: u64) {
        if !self.unchecked {
            self.claim(handle, Use::Opens);
        }
    }

    pub(crate) fn opened(&mut self, plaintext: &[u8]) {
        if self.unchecked {
            return;
        }
        self.remember(released_digest(plaintext));
        // The inner plaintext of DTLS 1.3 ends with its content type and zeros.
        let padded = plaintext.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        self.remember(released_digest(&plaintext[..padded]));
    }

    pub(crate) const fn open_failed(&mut self) {
        self.failed_opens += 1;
    }

    pub(crate) fn agree(&mut self, share: u64, peer: u128) {
        if self.unchecked {
            return;
        }
        let first = *self.agreed.entry(share).or_insert(peer);
        assert_eq!(first, peer, "ideal-crypto: an ephemeral share agreed with two peers");
    }

    fn claim(&mut self, handle: u64, now: Use) {
        let first = *self.uses.entry(handle).or_insert(now);
        assert_eq!(first, now, "ideal-crypto: a key is used in both directions");
    }

    fn remember(&mut self, digest: u128) {
        if self.released.len() == REMEMBERED {
            self.released.pop_front();
        }
        self.released.push_back(digest);
    }
}

/// Lets `f` see and change the thread's current world.
pub(crate) fn current<T>(f: impl FnOnce(&mut World) -> T) -> T {
    CURRENT.with_borrow_mut(f)
}

/// A number no other handle of this process has.
pub(crate) fn new_handle() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn released_digest(data: &[u8]) -> u128 {
    let mut mixer = Mixer::new(Domain::Released, 0);
    mixer.update(data);
    mixer.digest()
}
