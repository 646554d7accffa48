//! What keeps an endpoint's books in order: who is there, who comes next, who has to go.

use super::{
    address::Address,
    arena::ConnectionHandle,
    demux::{Endpoint, PeerEvent},
    entry::{Entry, Place, Rank},
    routes::Route,
};
use crate::{
    event::{CloseReason, Event},
    time::Instant,
};

impl<A: Address> Endpoint<A> {
    /// Starts every call: looks at what the connection last lent has done meanwhile.
    pub(super) fn begin(&mut self, now: Instant) {
        if let Some(handle) = self.lent.take() {
            self.settle(handle);
        }
        self.now = self.now.max(now);
    }

    /// Notes that a connection is lent to the caller, who may do anything to it.
    pub(super) fn lend(&mut self, handle: ConnectionHandle) {
        self.enqueue(handle);
        self.lent = Some(handle);
    }

    /// Notes that a connection may have something to send.
    pub(super) fn enqueue(&mut self, handle: ConnectionHandle) {
        if let Some(entry) = self.connections.get_mut(handle).filter(|entry| !entry.queued) {
            entry.queued = true;
            self.ready.push_back(handle);
        }
    }

    /// Takes a connection in as the newest with its peer. An unfinished one of the same kind ends.
    pub(super) fn add(&mut self, entry: Entry<A>) -> Option<ConnectionHandle> {
        let hash = self.routes.hash(&entry.peer)?;
        let (peer, post) = (entry.peer.clone(), entry.origin.handshaking());
        let handle = self.connections.insert(entry)?;
        self.stats.connections = self.connections.len();
        let Self { connections, routes, .. } = self;
        let is_peer = |other| connections.get(other).is_some_and(|entry| entry.peer == peer);
        let older = match routes.get_mut(hash, is_peer) {
            Some(route) => route.set(post, Some(handle)),
            None => {
                routes.insert(hash, Route::One(post, handle));
                None
            }
        };
        if let Some(older) = older {
            self.supersede(older);
        }
        self.enqueue(handle);
        self.settle(handle);
        Some(handle)
    }

    /// Takes a connection's events and brings everything kept about it up to date.
    pub(super) fn settle(&mut self, handle: ConnectionHandle) {
        while let Some(entry) = self.connections.get_mut(handle) {
            let Some(event) = entry.connection.poll_event() else { break };
            entry.on_event(&event, &self.limits, self.now);
            let peer = entry.peer.clone();
            if event == Event::Connected {
                self.promote(handle);
            }
            self.events.push_back(PeerEvent { connection: handle, peer, event });
        }
        let Some(entry) = self.connections.get_mut(handle) else { return };
        entry.listen(self.now);
        entry.schedule(handle, &mut self.agenda);
        let rank = entry.rank();
        let bytes = match rank {
            Some(Rank::Handshake) => entry.connection.handshake_bytes(),
            _ => 0,
        };
        let others = self.stats.handshake_bytes.saturating_sub(entry.handshake_bytes);
        self.stats.handshake_bytes = others.saturating_add(bytes);
        entry.handshake_bytes = bytes;
        self.set_rank(handle, rank);
        while self.stats.handshake_bytes > self.limits.handshake_bytes {
            let Some(oldest) = self.oldest_handshake() else { break };
            self.evict(oldest);
        }
    }

    /// An established connection takes the place of the one before it.
    fn promote(&mut self, handle: ConnectionHandle) {
        self.stats.established = self.stats.established.saturating_add(1);
        let Some(entry) = self.connections.get(handle) else { return };
        let Some(hash) = self.routes.hash(&entry.peer) else { return };
        let Some(route) = self.routes.get_mut(hash, |other| other == handle) else { return };
        let post = entry.origin.handshaking();
        if route.get(post) == Some(handle) {
            route.set(post, None);
        }
        let older = route.set(entry.origin.established(), Some(handle));
        if let Some(older) = older {
            self.supersede(older);
        }
    }

    /// Ends a connection whose place a newer one has taken, without a word to the peer, who knows.
    fn supersede(&mut self, handle: ConnectionHandle) {
        if self.end(handle, CloseReason::Replaced) {
            self.stats.replaced = self.stats.replaced.saturating_add(1);
        }
    }

    /// Makes room for a handshake that a peer begins; `None` if there is none.
    pub(super) fn make_room_for_handshake(&mut self) -> Option<()> {
        while self.stats.handshakes >= self.limits.handshakes {
            let oldest = self.oldest_handshake()?;
            self.evict(oldest);
        }
        self.make_room()
    }

    /// Makes room for one more connection; `None` if there is none.
    pub(super) fn make_room(&mut self) -> Option<()> {
        while self.connections.len() >= self.limits.connections {
            let (_, first) = *self.expendable.first()?;
            self.evict(first);
        }
        Some(())
    }

    fn oldest_handshake(&self) -> Option<ConnectionHandle> {
        self.expendable
            .range((Place { rank: Rank::Handshake, order: 0 }, ConnectionHandle::FIRST)..)
            .next()
            .map(|(_, handle)| *handle)
    }

    fn evict(&mut self, handle: ConnectionHandle) {
        if self.end(handle, CloseReason::Evicted) {
            self.stats.evicted = self.stats.evicted.saturating_add(1);
        }
    }

    /// Forgets a connection, and says so unless it was over already. Returns whether it was not.
    fn end(&mut self, handle: ConnectionHandle, reason: CloseReason) -> bool {
        let Some(entry) = self.remove(handle).filter(|entry| entry.over.is_none()) else { return false };
        let event = Event::Closed(reason);
        self.events.push_back(PeerEvent { connection: handle, peer: entry.peer, event });
        true
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, handle: ConnectionHandle) -> Option<Entry<A>> {
        self.set_rank(handle, None);
        let mut entry = self.connections.remove(handle)?;
        entry.unschedule(handle, &mut self.agenda);
        self.stats.connections = self.connections.len();
        self.stats.handshake_bytes = self.stats.handshake_bytes.saturating_sub(entry.handshake_bytes);
        if let Some(hash) = self.routes.hash(&entry.peer) {
            self.routes.remove(hash, handle);
        }
        Some(entry)
    }

    fn set_rank(&mut self, handle: ConnectionHandle, rank: Option<Rank>) {
        let Some(entry) = self.connections.get_mut(handle) else { return };
        let known = entry.place.map(|place| place.rank);
        if known == rank {
            return;
        }
        if let Some(place) = entry.place.take() {
            self.expendable.remove(&(place, handle));
        }
        if let Some(rank) = rank {
            let place = Place { rank, order: self.order };
            self.order = self.order.saturating_add(1);
            entry.place = Some(place);
            self.expendable.insert((place, handle));
        }
        let (was, is) = (known == Some(Rank::Handshake), rank == Some(Rank::Handshake));
        let handshakes = self.stats.handshakes.saturating_sub(usize::from(was));
        self.stats.handshakes = handshakes.saturating_add(usize::from(is));
    }
}
