//! One connection of an endpoint, and what the endpoint must remember of it.

use super::{agenda::Agenda, arena::ConnectionHandle, limits::EndpointLimits, routes::Origin};
use crate::{
    connection::Connection,
    event::{CloseReason, Event},
    time::Instant,
};

/// A connection with one peer.
#[derive(Debug)]
pub(super) struct Entry<A> {
    pub(super) connection: Connection,
    pub(super) peer: A,
    pub(super) origin: Origin,
    /// Whether it waits in the queue of those that may have something to send.
    pub(super) queued: bool,
    /// Why it is over.
    pub(super) over: Option<CloseReason>,
    /// Its place among those that can be given up.
    pub(super) place: Option<Place>,
    /// Bytes of handshake messages that were counted last, as long as it is a handshake of a peer.
    pub(super) handshake_bytes: usize,
    /// Where it stands in the agenda.
    deadline: Option<Instant>,
    /// When it is too long idle, or, once over, forgotten.
    expires: Option<Instant>,
    /// When application data was last received, and how many records.
    heard: (Instant, u64),
}

/// Who gives way first: those that are over, then handshakes, each in order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) rank: Rank,
    pub(super) order: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    Over,
    Handshake,
}

impl<A> Entry<A> {
    pub(super) const fn new(connection: Connection, peer: A, origin: Origin) -> Self {
        Self {
            connection,
            peer,
            origin,
            queued: false,
            over: None,
            place: None,
            handshake_bytes: 0,
            deadline: None,
            expires: None,
            heard: (Instant::START, 0),
        }
    }

    /// Notes what an event means for the endpoint.
    pub(super) fn on_event(&mut self, event: &Event, limits: &EndpointLimits, now: Instant) {
        match event {
            Event::Connected => {
                self.heard = (now, 0);
                let peer_began = matches!(self.origin, Origin::Peer(_));
                self.expires = limits.idle.filter(|_| peer_began).map(|idle| now.after(idle));
            }
            Event::Closed(reason) => {
                self.over = Some(*reason);
                self.expires = match reason {
                    CloseReason::Failed(error) if error.alert().is_some() => {
                        Some(now.after(limits.failed_kept))
                    }
                    _ => None,
                };
            }
            Event::NeedPsk { .. } => {}
        }
    }

    /// Notes whether application data has come.
    pub(super) fn listen(&mut self, now: Instant) {
        let received = self.connection.stats().data_received;
        if received != self.heard.1 {
            self.heard = (now, received);
        }
    }

    /// Acts on the own deadlines that have passed. Records that have come put idleness off only now, so that they cost
    /// nothing when they come.
    pub(super) fn expire(&mut self, limits: &EndpointLimits, now: Instant) {
        if self.over.is_some() || self.expires.is_none_or(|at| at > now) {
            return;
        }
        let idle_at = limits.idle.map(|idle| self.heard.0.after(idle));
        self.expires = idle_at.filter(|at| *at > now);
        if self.expires.is_none() {
            self.connection.close();
        }
    }

    /// Whether nothing more is to be expected of it.
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        self.over.is_some() && self.connection.is_drained() && self.expires.is_none_or(|at| at <= now)
    }

    /// Its rank among those that can be given up; `None` if it must not be.
    pub(super) const fn rank(&self) -> Option<Rank> {
        match self.origin {
            _ if self.over.is_some() => Some(Rank::Over),
            Origin::Peer(_) if self.connection.is_handshaking() => Some(Rank::Handshake),
            _ => None,
        }
    }

    /// Puts the next deadline into the agenda.
    pub(super) fn schedule(&mut self, handle: ConnectionHandle, agenda: &mut Agenda) {
        let next = [self.connection.poll_timeout(), self.expires].into_iter().flatten().min();
        agenda.set(handle, &mut self.deadline, next);
    }

    /// Takes it out of the agenda.
    pub(super) fn unschedule(&mut self, handle: ConnectionHandle, agenda: &mut Agenda) {
        agenda.set(handle, &mut self.deadline, None);
    }
}
