//! The end under test: a client, or a listener and the server it leads to.

use core::time::Duration;

use dtls_core::{
    ApiMisuse, Arc, ClientConfig, CloseReason, Connection, Event, Instant, Listener, SendError, ServerConfig,
    Verdict,
};
use ideal_crypto::World;
use simulated_network::Prng;

/// The address of the peer as a listener sees it.
const ADDRESS: &[u8] = &[192, 0, 2, 1, 0x16, 0x33];
/// Deadlines that are farther away are no retransmissions: they end things.
const FAR: Duration = Duration::from_secs(3600);
/// No end writes more datagrams than this at one moment.
const BURST: usize = 1000;

/// One end of a conversation, driven by hand.
#[derive(Clone, Debug)]
pub struct Subject {
    door: Option<Box<Door>>,
    connection: Option<Connection>,
    rng: Prng,
    now: Instant,
    pause: Duration,
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
        let pause = Duration::ZERO;
        let mut subject = Self { door: None, connection: Some(connection), rng, now, pause, world };
        let first = subject.act(|_| {});
        (subject, first)
    }

    /// A server that nobody has spoken to yet.
    ///
    /// # Panics
    /// If the provider cannot make cookies.
    pub fn server(config: Arc<ServerConfig>, seed: u64, world: World) -> Self {
        let listener = Listener::new(Arc::clone(&config)).expect("the provider has SHA-256");
        let door = Some(Box::new(Door { listener, config }));
        let now = Instant::from_micros(1_000_000);
        Self { door, connection: None, rng: Prng::new(seed), now, pause: Duration::ZERO, world }
    }

    /// Lets this much time pass before each datagram that arrives, without firing timers.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The connection: of a server, from the hello on that it accepts.
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// A datagram arrives. Its bytes are of no use afterwards.
    pub fn receive(&mut self, datagram: &mut [u8]) -> Reaction {
        self.now = self.now.after(self.pause);
        let mut delivered = Vec::new();
        let mut replies = Vec::new();
        let now = self.now;
        self.world.run(|| match (&mut self.connection, &mut self.door) {
            (Some(connection), _) => {
                let mut incoming = connection.handle_datagram(now, &mut self.rng, datagram);
                // An error is sticky and told as an event.
                while let Ok(Some(data)) = incoming.next_data() {
                    delivered.push(data.bytes.to_vec());
                }
            }
            (connection @ None, Some(door)) => {
                let mut out = [0; 2048];
                match door.listener.handle(now, &mut self.rng, ADDRESS, datagram, &mut out) {
                    Verdict::Reply(reply) => replies.push(reply.to_vec()),
                    Verdict::Accept(accepted) => {
                        let config = Arc::clone(&door.config);
                        *connection = Some(Connection::server(config, &accepted, now, &mut self.rng));
                    }
                    _ => {}
                }
            }
            (None, None) => {}
        });
        let mut reaction = self.act(|_| {});
        replies.append(&mut reaction.datagrams);
        Reaction { datagrams: replies, delivered, ..reaction }
    }

    /// The next deadline comes, unless it is one that only gives up.
    pub fn fire(&mut self) -> Reaction {
        let next = self.connection.as_ref().and_then(Connection::poll_timeout);
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
        reaction
    }
}
