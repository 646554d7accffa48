//! The end under test: a client, or a listener and the server it leads to.

use core::time::Duration;

use dtls_core::{
    ApiMisuse, Arc, ClientConfig, CloseReason, Connection, Event, Instant, Listener, SendError, ServerConfig,
    Verdict,
};
use ideal_crypto::World;
use monitors::Role;
use simulated_network::Prng;

use crate::Watched;

/// The address of the peer as a listener sees it.
const ADDRESS: &[u8] = &[192, 0, 2, 1, 0x16, 0x33];
/// Deadlines that are farther away never come.
const FAR: Duration = Duration::from_secs(1_000_000);
/// No end writes more datagrams than this at one moment.
const BURST: usize = 1000;

/// One end of a conversation, driven by hand, and watched by a monitor.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Copied only by those who speak to it, since it is large and of no use once there is a connection.
    door: Option<Arc<Door>>,
    connection: Option<Watched>,
    rng: Prng,
    now: Instant,
    world: World,
}

/// What stands at a server's address before there is a connection.
#[derive(Clone, Debug)]
struct Door {
    listener: Listener,
    config: Arc<ServerConfig>,
}

/// What an end did after an input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Reaction {
    /// The datagrams it sent.
    pub datagrams: Vec<Vec<u8>>,
    /// The application data it delivered.
    pub delivered: Vec<Vec<u8>>,
    /// What it told the application.
    pub events: Vec<Event>,
}

impl Subject {
    /// A client, and its first flight. Uses of ideal cryptography are checked in `world`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn client(config: Arc<ClientConfig>, seed: u64, mut world: World) -> (Self, Reaction) {
        let mut rng = Prng::new(seed);
        let now = Instant::from_micros(1_000_000);
        let connection = world.run(|| Connection::client(config, now, &mut rng)).expect("a client starts");
        let connection = Some(Watched::new(Role::Client, connection));
        let mut subject = Self { door: None, connection, rng, now, world };
        let first = subject.act(|_| {});
        (subject, first)
    }

    /// A server that nobody has spoken to yet.
    ///
    /// # Panics
    /// If the provider cannot make cookies.
    pub fn server(config: Arc<ServerConfig>, seed: u64, world: World) -> Self {
        let listener = Listener::new(Arc::clone(&config)).expect("the provider has SHA-256");
        let door = Some(Arc::new(Door { listener, config }));
        let now = Instant::from_micros(1_000_000);
        Self { door, connection: None, rng: Prng::new(seed), now, world }
    }

    /// The connection: of a server, from the hello on that it accepts.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_deref()
    }

    /// Datagrams arrive, one after the other; then everything the end has to say is taken from it. Their bytes are of no use
    /// afterwards.
    pub fn receive(&mut self, datagrams: &mut [Vec<u8>]) -> Reaction {
        let Self { door, connection, rng, now, world, .. } = self;
        let mut delivered = Vec::new();
        let mut replies = Vec::new();
        world.run(|| {
            for datagram in datagrams {
                match (&mut *connection, &mut *door) {
                    (Some(connection), _) => {
                        let mut incoming = connection.handle_datagram(*now, rng, datagram);
                        // An error is sticky and told as an event.
                        while let Ok(Some(data)) = incoming.next_data() {
                            delivered.push(data.bytes.to_vec());
                        }
                    }
                    (None, Some(door)) => {
                        let made = Arc::make_mut(door).receive(*now, rng, datagram, &mut replies);
                        *connection = made.map(|server| Watched::new(Role::Server, server));
                    }
                    (None, None) => {}
                }
            }
        });
        let mut reaction = self.act(|_| {});
        replies.append(&mut reaction.datagrams);
        Reaction { datagrams: replies, delivered, ..reaction }
    }

    /// The next deadline comes, unless it is out of reach.
    pub fn fire(&mut self) -> Reaction {
        let next = self.connection().and_then(Connection::poll_timeout);
        let Some(at) = next.filter(|at| at.since(self.now) < FAR) else { return Reaction::default() };
        self.now = self.now.max(at);
        let now = self.now;
        self.act(|connection| {
            // An error is sticky and told as an event.
            let _told = connection.handle_timeout(now);
        })
    }

    /// The application closes the connection.
    pub fn close(&mut self) -> Reaction {
        self.act(Connection::close)
    }

    /// The application sends data.
    ///
    /// # Errors
    /// What the connection says.
    pub fn send(&mut self, data: &[u8]) -> Result<Reaction, SendError> {
        let Self { connection, world, .. } = self;
        let Some(connection) = connection else { return Err(SendError::NotEstablished) };
        let mut out = vec![0; data.len() + 64];
        let len = world.run(|| connection.send(data, &mut out))?;
        out.truncate(len);
        let mut reaction = self.act(|_| {});
        reaction.datagrams.insert(0, out);
        Ok(reaction)
    }

    /// The application answers the question for a key.
    ///
    /// # Errors
    /// What the connection says if it did not ask.
    pub fn provide_psk(&mut self, psk: Option<&[u8]>) -> Result<Reaction, ApiMisuse> {
        let Self { connection, world, rng, .. } = self;
        let Some(connection) = connection else { return Err(ApiMisuse::NoPskWanted) };
        world.run(|| connection.provide_psk(rng, psk))?;
        Ok(self.act(|_| {}))
    }

    /// Why the connection is over, if events say so.
    pub fn closed(events: &[Event]) -> Option<CloseReason> {
        events.iter().find_map(|event| match event {
            Event::Closed(reason) => Some(*reason),
            _ => None,
        })
    }

    /// Changes the connection, if there is one, and takes what it has to say.
    fn act(&mut self, change: impl FnOnce(&mut Connection)) -> Reaction {
        let Self { connection, world, now, .. } = self;
        let mut reaction = Reaction::default();
        let Some(connection) = connection else { return reaction };
        let mut out = [0; 2048];
        world.run(|| {
            change(connection);
            while let Some(datagram) = connection.poll_transmit(*now, &mut out) {
                reaction.datagrams.push(datagram.to_vec());
                assert!(reaction.datagrams.len() < BURST, "poll_transmit does not end");
            }
        });
        reaction.events = core::iter::from_fn(|| connection.poll_event()).collect();
        connection.check();
        reaction
    }
}

impl Door {
    /// Answers the datagram, or makes a connection for it.
    fn receive(
        &mut self,
        now: Instant,
        rng: &mut Prng,
        datagram: &mut [u8],
        replies: &mut Vec<Vec<u8>>,
    ) -> Option<Connection> {
        let mut out = [0; 2048];
        match self.listener.handle(now, rng, ADDRESS, datagram, &mut out) {
            Verdict::Reply(reply) => {
                replies.push(reply.to_vec());
                None
            }
            Verdict::Accept(accepted) => {
                Some(Connection::server(Arc::clone(&self.config), &accepted, now, rng))
            }
            _ => None,
        }
    }
}
