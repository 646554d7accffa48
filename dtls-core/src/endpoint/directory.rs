//! The connections of each peer, found by the hash of its address.
//!
//! One look at one place in memory for nearly every datagram, however many peers there are. A tree would take one for each
//! of its levels, and that is what costs time when there are too many peers for the processor's cache.

use alloc::vec::Vec;
use core::hash::Hasher as _;

use super::{address::Address, arena::ConnectionHandle, routes::Route};
use crate::{error::Error, rand::Rng};

/// Fewest places that are kept.
const MIN_PLACES: usize = 8;

/// Routes by hash, in an array with room: each lies at the place its hash names, or at the first free one behind it. Addresses
/// with the same hash are told apart by whoever asks.
#[derive(Default)]
pub(super) struct Directory {
    /// Secret, so that no peer can choose addresses that meet in one place; made with the first connection.
    keys: Option<(u64, u64)>,
    /// As many as a power of two, at most three quarters of them taken.
    places: Vec<Option<Placed>>,
    taken: usize,
}

struct Placed {
    hash: u64,
    route: Route,
}

impl Directory {
    /// The hash of an address; `None` before any was entered.
    pub(super) fn hash(&self, address: &impl Address) -> Option<u64> {
        let (k0, k1) = self.keys?;
        #[allow(deprecated, reason = "without std there is no other hash that withstands chosen keys")]
        let mut hasher = core::hash::SipHasher::new_with_keys(k0, k1);
        hasher.write(address.to_bytes().as_slice());
        Some(hasher.finish())
    }

    /// Sees to it that addresses can be hashed.
    ///
    /// # Errors
    /// [`Error::Rng`] if the random source failed.
    pub(super) fn prepare(&mut self, rng: &mut dyn Rng) -> Result<(), Error> {
        if self.keys.is_none() {
            let (mut k0, mut k1) = ([0; 8], [0; 8]);
            rng.try_fill(&mut k0)?;
            rng.try_fill(&mut k1)?;
            self.keys = Some((u64::from_ne_bytes(k0), u64::from_ne_bytes(k1)));
        }
        Ok(())
    }

    /// The route of the address with this hash. `is_peer` says whether a connection is with it.
    pub(super) fn get(&self, hash: u64, is_peer: impl Fn(ConnectionHandle) -> bool) -> Option<&Route> {
        let at = self.position(hash, is_peer)?;
        self.places.get(at)?.as_ref().map(|placed| &placed.route)
    }

    /// As [`Self::get`], to change it. Whoever empties a route calls [`Self::remove`].
    pub(super) fn get_mut(
        &mut self,
        hash: u64,
        is_peer: impl Fn(ConnectionHandle) -> bool,
    ) -> Option<&mut Route> {
        let at = self.position(hash, is_peer)?;
        self.places.get_mut(at)?.as_mut().map(|placed| &mut placed.route)
    }

    /// Enters the first connection of an address that has no route.
    pub(super) fn insert(&mut self, hash: u64, route: Route) {
        let crowded = self.taken.saturating_mul(4) >= self.places.len().saturating_mul(3);
        if crowded {
            self.resize(self.places.len().saturating_mul(2).max(MIN_PLACES));
        }
        self.put(Placed { hash, route });
    }

    /// Takes a connection out of its route, and the route with its last one.
    pub(super) fn remove(&mut self, hash: u64, handle: ConnectionHandle) {
        let Some(at) = self.position(hash, |other| other == handle) else { return };
        let Some(placed) = self.places.get_mut(at).and_then(Option::as_mut) else { return };
        placed.route.remove(handle);
        if placed.route.is_empty() {
            self.clear(at);
            if self.places.len() > MIN_PLACES && self.taken.saturating_mul(8) < self.places.len() {
                self.resize(self.places.len() >> 1);
            }
        }
    }

    /// Where the route with this hash is that holds a connection for which `is_peer` holds.
    fn position(&self, hash: u64, is_peer: impl Fn(ConnectionHandle) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let placed = self.places.get(at)?.as_ref()?;
            if placed.hash == hash && placed.route.candidates().any(&is_peer) {
                return Some(at);
            }
            at = self.behind(at);
        }
    }

    /// Puts a route into the first free place from its home on, of which there is always one.
    fn put(&mut self, placed: Placed) {
        let mut at = self.home(placed.hash);
        while self.places.get(at).is_some_and(Option::is_some) {
            at = self.behind(at);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = Some(placed);
            self.taken = self.taken.saturating_add(1);
        }
    }

    /// Frees a place, and moves those behind it up that would not be found across the gap.
    fn clear(&mut self, mut gap: usize) {
        self.take(gap);
        let mut at = self.behind(gap);
        while let Some(Some(placed)) = self.places.get(at) {
            let from_home = self.distance(self.home(placed.hash), at);
            if from_home >= self.distance(gap, at) {
                let moved = self.take(at);
                if let (Some(place), Some(moved)) = (self.places.get_mut(gap), moved) {
                    *place = Some(moved);
                    self.taken = self.taken.saturating_add(1);
                }
                gap = at;
            }
            at = self.behind(at);
        }
    }

    fn take(&mut self, at: usize) -> Option<Placed> {
        let placed = self.places.get_mut(at)?.take()?;
        self.taken = self.taken.saturating_sub(1);
        Some(placed)
    }

    fn resize(&mut self, places: usize) {
        let mut larger = Vec::new();
        larger.resize_with(places, || None);
        let old = core::mem::replace(&mut self.places, larger);
        self.taken = 0;
        for placed in old.into_iter().flatten() {
            self.put(placed);
        }
    }

    /// The place that a hash names.
    fn home(&self, hash: u64) -> usize {
        let mask = u64::try_from(self.mask()).unwrap_or(u64::MAX);
        usize::try_from(hash & mask).unwrap_or_default()
    }

    const fn behind(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }

    /// Steps from one place to another.
    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    const fn mask(&self) -> usize {
        self.places.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, vec::Vec};

    use proptest::prelude::*;

    use super::{
        super::{arena::Arena, routes::Post},
        *,
    };

    proptest! {
        /// With eight hashes for all, so that they crowd, across the end of the array too.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0..40_u32, any::<bool>()), 1..200)) {
            let mut arena = Arena::new();
            let mut directory = Directory::default();
            let mut model: BTreeMap<u32, ConnectionHandle> = BTreeMap::new();
            let hash = |n: u32| u64::from(n % 8).wrapping_sub(3);
            for (n, insert) in steps {
                match model.get(&n).copied() {
                    None if insert => {
                        let handle = arena.insert(n).unwrap();
                        directory.insert(hash(n), Route::One(Post::Entered, handle));
                        model.insert(n, handle);
                    }
                    Some(handle) if !insert => {
                        directory.remove(hash(n), handle);
                        arena.remove(handle);
                        model.remove(&n);
                    }
                    _ => {}
                }
                prop_assert_eq!(directory.taken, model.len());
                prop_assert_eq!(directory.places.iter().flatten().count(), model.len());
                for n in 0..40 {
                    let is_peer = |handle| arena.get(handle) == Some(&n);
                    let found = directory.get(hash(n), is_peer).and_then(Route::only);
                    prop_assert_eq!(found, model.get(&n).copied());
                }
            }
        }
    }

    #[test]
    fn a_look_up_takes_as_many_steps_with_many_as_with_few() {
        let mut arena = Arena::new();
        let mut rng = 1_u64;
        for count in [10, 100, 1_000, 10_000, 100_000] {
            let mut directory = Directory::default();
            for _ in 0..count {
                rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let route = Route::One(Post::Entered, arena.insert(()).unwrap());
                directory.insert(rng >> 20, route);
            }
            let steps = |(at, place): (usize, &Option<Placed>)| {
                place.as_ref().map(|placed| directory.distance(directory.home(placed.hash), at) + 1)
            };
            let steps: usize = directory.places.iter().enumerate().filter_map(steps).sum();
            assert!(steps <= count * 5 / 2, "{count} addresses: {steps} steps to find each once");
        }
    }

    #[test]
    fn it_grows_and_shrinks_with_what_it_holds() {
        let mut arena = Arena::new();
        let mut directory = Directory::default();
        let handles: Vec<_> = (0..1000_u64).map(|n| (n * 7919, arena.insert(()).unwrap())).collect();
        for (hash, handle) in &handles {
            directory.insert(*hash, Route::One(Post::Entered, *handle));
        }
        assert_eq!(directory.places.len(), 2048);
        for (hash, handle) in &handles {
            directory.remove(*hash, *handle);
        }
        assert_eq!((directory.taken, directory.places.len()), (0, MIN_PLACES));
    }
}
