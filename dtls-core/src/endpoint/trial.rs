//! Which connection of one peer a datagram is for. Nearly always there is one, and nothing is tried.

use alloc::vec::Vec;

use super::{
    address::Address,
    arena::{Arena, ConnectionHandle},
    demux::Endpoint,
    entry::Entry,
    limits::EndpointStats,
    listener::Accepted,
    routes::{First, Origin, Route},
};
use crate::{rand::Rng, time::Instant, wire::record::split_first};

impl<A: Address> Endpoint<A> {
    /// The connection that a datagram belongs to; `None` if the listener is to judge it.
    ///
    /// Once connection IDs are negotiated, the one in the first record is to be looked up before the address.
    pub(super) fn find(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        from: &A,
        datagram: &mut [u8],
    ) -> Option<ConnectionHandle> {
        let Self { routes, connections, scratch, stats, server, .. } = self;
        let is_peer = |handle| connections.get(handle).is_some_and(|entry| entry.peer == *from);
        let route = routes.get(routes.hash(from)?, is_peer)?;
        let first = First::of(datagram);
        match (first, route.only()) {
            (First::ClientHello, _) if server.is_some() => return None,
            (_, Some(only)) => return Some(only),
            (First::Plain(message), None) => return route.for_plain(message),
            (First::ClientHello | First::Noise, None) => return route.for_plain(None),
            (First::Protected, None) => {}
        }
        if let Some(owner) = owner(connections, route, datagram, scratch, stats) {
            return Some(owner);
        }
        // A forgery counts against every key that it might have fitted (RFC 9147 §4.5.3).
        let candidates = route.candidates();
        let last = candidates.clone().last()?;
        for handle in candidates.filter(|handle| *handle != last) {
            self.scratch.clear();
            self.scratch.extend_from_slice(datagram);
            if let Some(entry) = self.connections.get_mut(handle) {
                // None of its records is authentic, so that there is no data; an error comes as an event.
                let _ = entry.connection.handle_datagram(now, rng, &mut self.scratch).next_data();
            }
            self.enqueue(handle);
            self.settle(handle);
        }
        Some(last)
    }

    /// The connections with one peer.
    pub(super) fn route_of(&self, peer: &A) -> Option<&Route> {
        let is_peer = |handle| self.connections.get(handle).is_some_and(|entry| entry.peer == *peer);
        self.routes.get(self.routes.hash(peer)?, is_peer)
    }

    /// The connection that was begun with this very hello: it has been sent, or has come, again.
    pub(super) fn answering(&self, from: &A, accepted: &Accepted) -> Option<ConnectionHandle> {
        let origin = Origin::Peer(accepted.random());
        let has_it = |handle: &ConnectionHandle| {
            self.connections.get(*handle).is_some_and(|entry| entry.origin == origin)
        };
        self.route_of(from)?.candidates().find(has_it)
    }
}

/// The connection to which the first record belongs that belongs to any: the only one that reads its epoch, or else the one
/// under whose keys it authenticates.
fn owner<A>(
    connections: &Arena<Entry<A>>,
    route: &Route,
    datagram: &mut [u8],
    scratch: &mut Vec<u8>,
    stats: &mut EndpointStats,
) -> Option<ConnectionHandle> {
    let mut at = 0;
    loop {
        let rest = datagram.get_mut(at..)?;
        let length = rest.len();
        let (record, tail) = split_first(rest).ok()?;
        at = at.saturating_add(length.saturating_sub(tail.len()));
        let record_len = length.saturating_sub(tail.len());
        let reads = |handle: &ConnectionHandle| {
            connections.get(*handle).is_some_and(|entry| entry.connection.reads(&record))
        };
        let readers: [Option<ConnectionHandle>; Route::POSTS] = {
            let mut readers = route.candidates().filter(reads);
            core::array::from_fn(|_| readers.next())
        };
        if let [Some(only), None, ..] = readers {
            return Some(only);
        }
        let record = datagram.get(at.saturating_sub(record_len)..at)?;
        let authenticates = |handle: &ConnectionHandle| {
            stats.trials = stats.trials.saturating_add(1);
            scratch.clear();
            scratch.extend_from_slice(record);
            let connection = connections.get(*handle).map(|entry| &entry.connection);
            let copy = split_first(scratch).ok().map(|(record, _)| record);
            connection.zip(copy).is_some_and(|(connection, copy)| connection.authenticates(copy))
        };
        if let Some(owner) = readers.into_iter().flatten().find(authenticates) {
            return Some(owner);
        }
    }
}
