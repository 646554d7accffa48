//! The task that owns a socket and all its connections.

use core::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc as StdArc, OnceLock},
};

use ::tokio::{
    sync::{mpsc, oneshot},
    time::{Sleep, sleep},
};
use dtls_core::{Arc, ClientConfig, CloseReason, Connection, Discard, Instant};

use super::{Incoming, PskRequest, Session, socket::Socket};
use crate::{
    Clock, Error, Peer, SystemRng,
    hub::{Hub, Outlet, ServerEvent},
    socket::{MAX_DATAGRAM, Path},
};

/// Records that wait for a session to ask for them.
const RECEIVED: usize = 64;
/// Sessions that wait to be accepted.
const BACKLOG: usize = 128;

/// Whom to tell what came of sending.
type Done = oneshot::Sender<Result<(), Error>>;

/// What endpoints and sessions want.
pub(super) enum Command {
    Connect { address: SocketAddr, config: Arc<ClientConfig>, done: oneshot::Sender<Result<Session, Error>> },
    Send { peer: Peer, data: Vec<u8>, done: Done },
    With { peer: Peer, act: Box<dyn FnOnce(&mut Connection) + Send> },
    Psk { peer: Peer, psk: Option<Vec<u8>> },
    Close { peer: Peer },
}

/// The driver's side of a session.
struct Subscriber {
    received: mpsc::Sender<(Vec<u8>, u16)>,
    ended: StdArc<OnceLock<CloseReason>>,
}

pub(super) struct Driver {
    socket: Socket,
    clock: Clock,
    hub: Hub,
    orders: mpsc::UnboundedReceiver<Command>,
    /// For new sessions. Weak: when only the driver is left, it ends.
    commands: mpsc::WeakUnboundedSender<Command>,
    incoming: mpsc::Sender<Incoming>,
    sessions: BTreeMap<Peer, Subscriber>,
    connecting: BTreeMap<Peer, oneshot::Sender<Result<Session, Error>>>,
    outgoing: Outgoing,
    buffer: Box<[u8]>,
    peers_first: bool,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// Datagrams on their way to the socket, some of which somebody asks after.
#[derive(Default)]
struct Outgoing(VecDeque<(Path, Vec<u8>, Option<Done>)>);

/// What the driver waits for.
enum Wake {
    Datagram(usize, Path),
    Order(Command),
    Timer,
    /// Nobody is left who could want anything.
    Abandoned,
}

impl Driver {
    pub(super) fn new(
        socket: Socket,
        endpoint: dtls_core::Endpoint<Path>,
        commands: mpsc::WeakUnboundedSender<Command>,
        orders: mpsc::UnboundedReceiver<Command>,
    ) -> (Self, mpsc::Receiver<Incoming>) {
        let (incoming, accepted) = mpsc::channel(BACKLOG);
        let driver = Self {
            socket,
            clock: Clock::start(),
            hub: Hub::new(endpoint),
            orders,
            commands,
            incoming,
            sessions: BTreeMap::new(),
            connecting: BTreeMap::new(),
            outgoing: Outgoing::default(),
            buffer: vec![0; MAX_DATAGRAM].into(),
            peers_first: false,
            timer: None,
        };
        (driver, accepted)
    }

    /// Serves until nobody wants anything any more, or the socket has failed for good.
    pub(super) async fn run(mut self) {
        loop {
            while let Some(event) = self.hub.poll_event() {
                self.on_event(event);
            }
            while let Some((path, datagram, done)) = self.outgoing.0.pop_front() {
                let sent = self.socket.send(path, &datagram).await;
                // What nobody asks after is lost if it cannot be sent; flights that stay unanswered shrink by themselves.
                done.map(|done| done.send(sent));
            }
            let Ok(wake) = poll_fn(|cx| self.poll_wake(cx)).await else { return };
            let now = self.clock.now();
            match wake {
                Wake::Datagram(len, path) => {
                    let datagram = self.buffer.get_mut(..len).unwrap_or_default();
                    self.hub.handle(now, path, datagram, &mut self.outgoing);
                }
                Wake::Order(command) => self.on_command(command, now),
                Wake::Timer => {}
                Wake::Abandoned => return,
            }
            self.hub.handle_timeout(self.clock.now(), &mut self.outgoing);
        }
    }

    fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Wake>> {
        // By turns, so that neither peers nor sessions can shut the others out.
        self.peers_first = !self.peers_first;
        for peers in [self.peers_first, !self.peers_first] {
            let wake = if peers { self.poll_peers(cx) } else { self.poll_orders(cx).map(Ok) };
            if wake.is_ready() {
                return wake;
            }
        }
        let next = self.hub.poll_timeout();
        if self.timer.as_ref().map(|(at, _)| *at) != next {
            self.timer = next.map(|at| (at, Box::pin(sleep(at.since(self.clock.now())))));
        }
        let Some((_, sleep)) = &mut self.timer else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(Ok(Wake::Timer))
    }

    fn poll_peers(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Wake>> {
        let received = ready!(self.socket.poll_receive(cx, &mut self.buffer));
        Poll::Ready(received.map(|(len, path)| Wake::Datagram(len, path)))
    }

    fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        self.orders.poll_recv(cx).map(|order| order.map_or(Wake::Abandoned, Wake::Order))
    }

    fn on_command(&mut self, command: Command, now: Instant) {
        let Self { hub, outgoing, .. } = self;
        match command {
            Command::Connect { address, config, done } => {
                let path = self.socket.path_to(address).map_err(Error::from);
                match path.and_then(|path| hub.connect(path, config, now, outgoing)) {
                    Ok(peer) => drop(self.connecting.insert(peer, done)),
                    // Whoever has given up need not know why.
                    Err(error) => drop(done.send(Err(error))),
                }
            }
            Command::Send { peer, data, done } => match hub.protect(peer, &data) {
                Ok((path, datagram)) => outgoing.0.push_back((path, datagram.to_vec(), Some(done))),
                // Whoever has given up need not know why.
                Err(error) => drop(done.send(Err(error.into()))),
            },
            Command::With { peer, act } => drop(hub.with(peer, now, outgoing, act)),
            Command::Psk { peer, psk } => {
                hub.with(peer, now, outgoing, |connection| {
                    if connection.provide_psk(&mut SystemRng, psk.as_deref()).is_err() {
                        // A key that cannot be one is none. If none is wanted any more, nothing happens.
                        let _ = connection.provide_psk(&mut SystemRng, None);
                    }
                });
            }
            Command::Close { peer } => {
                self.sessions.remove(&peer);
                hub.with(peer, now, outgoing, Connection::close);
            }
        }
    }

    fn on_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Connected { peer } => self.on_connected(peer),
            ServerEvent::Data { peer, data, epoch } => {
                if let Some(session) = self.sessions.get(&peer) {
                    // What does not fit is lost, as on the network.
                    let _ = session.received.try_send((data, epoch));
                }
            }
            ServerEvent::PskWanted { peer, identity } => {
                let request = PskRequest { peer, identity, commands: self.commands.upgrade() };
                // One that nobody takes says no.
                let _ = self.incoming.try_send(Incoming::PskWanted(request));
            }
            ServerEvent::Closed { peer, reason, .. } => {
                if let Some(done) = self.connecting.remove(&peer) {
                    let error = match reason {
                        CloseReason::Failed(error) => error.into(),
                        _ => Error::Closed,
                    };
                    let _ = done.send(Err(error));
                }
                if let Some(session) = self.sessions.remove(&peer) {
                    // Before the channel closes, which is what the session waits for.
                    let _ = session.ended.set(reason);
                }
            }
        }
    }

    /// A session that nobody takes closes its connection when it is dropped.
    fn on_connected(&mut self, peer: Peer) {
        let connection = self.hub.endpoint().connection(peer.handle());
        let negotiated = connection.and_then(Connection::negotiated).cloned();
        let (Some(negotiated), Some(commands)) = (negotiated, self.commands.upgrade()) else { return };
        let (sender, received) = mpsc::channel(RECEIVED);
        let ended = StdArc::new(OnceLock::new());
        self.sessions.insert(peer, Subscriber { received: sender, ended: StdArc::clone(&ended) });
        let session = Session { peer, negotiated, commands, received, ended };
        match self.connecting.remove(&peer) {
            Some(done) => drop(done.send(Ok(session))),
            None => drop(self.incoming.try_send(Incoming::Session(session))),
        }
    }
}

impl Outlet for Outgoing {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.0.push_back((path, datagram.to_vec(), None));
    }

    fn dropped(&mut self, _: SocketAddr, _: Discard) {}

    fn timer(&mut self, _: SocketAddr) {}
}

impl core::fmt::Debug for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Command")
    }
}
