//! The connections at one address, and which of them a datagram is for.

use alloc::boxed::Box;

use super::arena::ConnectionHandle;
use crate::wire::{
    enums::{ContentType, HandshakeType},
    handshake::Fragments,
    record::{RawRecord, split_first},
};

/// Who began a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// The peer, with a ClientHello that has this random.
    Peer([u8; 32]),
    /// The application here.
    Local,
}

/// A place that a connection can have with its peer. Of each origin there is an established one at most, and a handshake
/// that will replace it (RFC 6347 §4.2.8, RFC 9147 §5.11). Connections of different origins know nothing of each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Post {
    /// In a handshake that the peer began.
    Entering,
    /// In a handshake that was begun here.
    Calling,
    /// Established, begun by the peer.
    Entered,
    /// Established, begun here.
    Called,
}

/// The connections with one peer: nearly always one, which takes no memory of its own.
#[derive(Debug, Default)]
pub(super) enum Route {
    #[default]
    Empty,
    One(Post, ConnectionHandle),
    Several(Box<Posts>),
}

type Posts = [Option<ConnectionHandle>; Route::POSTS];

impl Origin {
    /// Where a connection begins.
    pub(super) const fn handshaking(self) -> Post {
        match self {
            Self::Peer(_) => Post::Entering,
            Self::Local => Post::Calling,
        }
    }

    /// Where it gets to.
    pub(super) const fn established(self) -> Post {
        match self {
            Self::Peer(_) => Post::Entered,
            Self::Local => Post::Called,
        }
    }
}

impl Route {
    /// How many connections there may be.
    pub(super) const POSTS: usize = 4;
    /// Handshakes come first.
    const ORDER: [Post; Self::POSTS] = [Post::Entering, Post::Calling, Post::Entered, Post::Called];

    /// Who is there.
    pub(super) fn get(&self, post: Post) -> Option<ConnectionHandle> {
        match self {
            Self::One(at, handle) if *at == post => Some(*handle),
            Self::Empty | Self::One(..) => None,
            Self::Several(posts) => zip(posts).find(|(at, _)| *at == post).and_then(|(_, handle)| handle),
        }
    }

    /// Puts a connection, or none, there and returns who was there before.
    pub(super) fn set(&mut self, post: Post, handle: Option<ConnectionHandle>) -> Option<ConnectionHandle> {
        let before = self.get(post);
        let all = Self::ORDER.map(|at| (at, if at == post { handle } else { self.get(at) }));
        let mut taken = all.iter().filter_map(|(at, handle)| handle.map(|handle| (*at, handle)));
        *self = match (taken.next(), taken.next()) {
            (None, _) => Self::Empty,
            (Some((at, handle)), None) => Self::One(at, handle),
            _ => Self::Several(Box::new(all.map(|(_, handle)| handle))),
        };
        before
    }

    pub(super) fn remove(&mut self, handle: ConnectionHandle) {
        if let Some(post) = Self::ORDER.into_iter().find(|post| self.get(*post) == Some(handle)) {
            self.set(post, None);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The connection, if there is exactly one.
    pub(super) const fn only(&self) -> Option<ConnectionHandle> {
        match self {
            Self::One(_, handle) => Some(*handle),
            Self::Empty | Self::Several(_) => None,
        }
    }

    /// Every connection there is, handshakes first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = ConnectionHandle> + Clone + use<> {
        Self::ORDER.map(|post| self.get(post)).into_iter().flatten()
    }

    /// Those that the peer began.
    pub(super) fn begun_by_peer(&self) -> impl Iterator<Item = ConnectionHandle> + Clone + use<> {
        [Post::Entering, Post::Entered].map(|post| self.get(post)).into_iter().flatten()
    }

    /// The connection that takes an unprotected record, which only handshakes have a use for, and who repeats its last flight.
    /// What does not tell which of the two began is rather not for one that `is_over`.
    pub(super) fn for_plain(
        &self,
        message: Option<HandshakeType>,
        is_over: impl Fn(ConnectionHandle) -> bool,
    ) -> Option<ConnectionHandle> {
        match message {
            Some(
                HandshakeType::SERVER_HELLO
                | HandshakeType::HELLO_VERIFY_REQUEST
                | HandshakeType::SERVER_KEY_EXCHANGE
                | HandshakeType::SERVER_HELLO_DONE,
            ) => self.get(Post::Calling).or_else(|| self.get(Post::Called)),
            Some(HandshakeType::CLIENT_KEY_EXCHANGE) => {
                self.get(Post::Entering).or_else(|| self.get(Post::Entered))
            }
            _ => {
                let goes_on = self.candidates().find(|handle| !is_over(*handle));
                goes_on.or_else(|| self.candidates().next())
            }
        }
    }

    /// The one that application data goes through, the peer's own first.
    pub(super) fn established(&self) -> Option<ConnectionHandle> {
        self.get(Post::Entered).or_else(|| self.get(Post::Called))
    }
}

fn zip(posts: &Posts) -> impl Iterator<Item = (Post, Option<ConnectionHandle>)> {
    Route::ORDER.into_iter().zip(posts.iter().copied())
}

/// What the first record of a datagram tells about where it belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum First {
    /// A new handshake, or one that was just begun.
    ClientHello,
    /// A change of keys, which does not say whose.
    ChangeCipherSpec,
    /// Something else without protection, and the type of the handshake message it is of.
    Plain(Option<HandshakeType>),
    /// Only keys can tell.
    Protected,
    /// No record.
    Noise,
}

impl First {
    /// Looks at a datagram without changing it.
    pub(super) fn of(datagram: &mut [u8]) -> Self {
        match split_first(datagram) {
            Ok((RawRecord::Legacy { header, body }, _)) if header.number.epoch() == 0 => {
                let message = match header.typ {
                    ContentType::CHANGE_CIPHER_SPEC if *body == [1] => return Self::ChangeCipherSpec,
                    ContentType::HANDSHAKE => Fragments::new(body).next(),
                    _ => None,
                };
                let typ = message.and_then(Result::ok).map(|fragment| fragment.header.typ);
                match typ {
                    Some(HandshakeType::CLIENT_HELLO) => Self::ClientHello,
                    typ => Self::Plain(typ),
                }
            }
            Ok(_) => Self::Protected,
            Err(_) => Self::Noise,
        }
    }
}
