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
use crate::{
    rand::Rng,
    time::Instant,
    wire::{
        enums::HandshakeType,
        record::{RawRecord, split_first},
    },
};

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
            _ => {}
        }
        let mut trial = Trial { connections, datagram, scratch, stats };
        match first {
            First::Protected => {
                if let Some(owner) = trial.owner(route.candidates(), first) {
                    return Some(owner);
                }
            }
            // Of all that wait for it: it does not say whose it is, and is a flag that harms none (RFC 6347 §4.2.5). What is
            // protected behind it can be told apart then.
            First::ChangeCipherSpec => {
                for handle in route.candidates() {
                    if let Some(entry) = trial.connections.get_mut(handle) {
                        entry.connection.on_shared_ccs();
                    }
                }
                return trial.owner(route.candidates(), first).or_else(|| trial.for_plain(route, None));
            }
            // A client repeats its last flight to who has it already (RFC 6347 §4.2.4), and may be in a new handshake as well.
            First::Plain(message @ Some(HandshakeType::CLIENT_KEY_EXCHANGE)) => {
                return trial.owner(route.begun_by_peer(), first).or_else(|| trial.for_plain(route, message));
            }
            First::Plain(message) => return trial.for_plain(route, message),
            First::ClientHello | First::Noise => return trial.for_plain(route, None),
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

/// A datagram that may be for any of several connections.
struct Trial<'a, A> {
    connections: &'a mut Arena<Entry<A>>,
    datagram: &'a mut [u8],
    scratch: &'a mut Vec<u8>,
    stats: &'a mut EndpointStats,
}

impl<A> Trial<'_, A> {
    /// Whose the first protected record is that belongs to any: the only one that reads its epoch, or else the one under whose keys
    /// it authenticates. Behind a ClientKeyExchange nothing but keys can tell.
    ///
    /// Behind plaintext of DTLS 1.2 there are no records of 1.3 to try, whose keys wear out by forgeries (RFC 9147 §4.5.3).
    fn owner(
        &mut self,
        among: impl Iterator<Item = ConnectionHandle> + Clone,
        first: First,
    ) -> Option<ConnectionHandle> {
        let has_to_authenticate = matches!(first, First::Plain(_));
        let Self { connections, datagram, scratch, stats } = self;
        let mut at = 0;
        loop {
            let rest = datagram.get_mut(at..)?;
            let length = rest.len();
            let (record, tail) = split_first(rest).ok()?;
            let record_len = length.saturating_sub(tail.len());
            at = at.saturating_add(record_len);
            match &record {
                RawRecord::Legacy { header, .. } if header.number.epoch() == 0 => continue,
                RawRecord::Unified { .. } if first != First::Protected => return None,
                _ => {}
            }
            let reads = |handle: &ConnectionHandle| {
                connections.get(*handle).is_some_and(|entry| entry.connection.reads(&record))
            };
            let readers: [Option<ConnectionHandle>; Route::POSTS] = {
                let mut readers = among.clone().filter(reads);
                core::array::from_fn(|_| readers.next())
            };
            if let ([Some(only), None, ..], false) = (readers, has_to_authenticate) {
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

    /// Whose an unprotected record is.
    fn for_plain(&self, route: &Route, message: Option<HandshakeType>) -> Option<ConnectionHandle> {
        let is_over = |handle| self.connections.get(handle).is_none_or(|entry| entry.over.is_some());
        route.for_plain(message, is_over)
    }
}
