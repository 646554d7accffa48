//! Our connection and wolfSSL's, each behind a UDP socket of its own on the loopback, in one thread and in lock step.
//!
//! What is sent on the loopback is there at once, so every run takes the same course. Time passes only when nothing is under
//! way: then the next timer of either end runs out. Application data and close_notify are never lost.

use core::time::Duration;
use std::{
    collections::VecDeque,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

use dtls_core::{
    AlertDescription, CloseReason, Connection, Event, Instant, Listener, ServerConfig, TraceEvent, TraceSink,
    Verdict,
};
use dtls_udp::SystemRng;
use monitors::Watch;

use crate::wolf::{Progress, Role, Setup, Wolf};

/// The random value that makes a ServerHello a HelloRetryRequest (RFC 8446 §4.1.3), its first bytes.
const HRR_RANDOM: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];
/// Timers after which a test has failed.
const PATIENCE: usize = 50;
/// wolfSSL sends a flight again at most this often, by a clock of its own.
const WOLFSSL_PAUSE: Duration = Duration::from_millis(110);

/// A datagram's direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// We have sent it.
    FromUs,
    /// wolfSSL has sent it.
    FromWolf,
}

/// Which datagrams are lost: the least significant bit stands for the first in its direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Loss {
    /// Those we send.
    pub from_us: u64,
    /// Those wolfSSL sends.
    pub from_wolf: u64,
}

impl Loss {
    /// Whether the datagram with this number in its direction, from 0, is lost.
    fn hits(self, way: Way, number: usize) -> bool {
        let mask = if way == Way::FromUs { self.from_us } else { self.from_wolf };
        u32::try_from(number).ok().and_then(|number| mask.checked_shr(number)).unwrap_or_default() & 1 == 1
    }
}

/// A datagram that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Who has sent it.
    pub way: Way,
    /// The whole of it.
    pub bytes: Vec<u8>,
    /// Whether it never arrives.
    pub lost: bool,
}

/// Remembers what happened inside our connection, and watches that nothing did which never must.
#[derive(Clone, Debug)]
pub struct Notes(Arc<(Mutex<Vec<TraceEvent>>, Watch)>);

impl TraceSink for Notes {
    fn event(&self, event: &TraceEvent) {
        self.0.1.event(event);
        self.0.0.lock().expect("no panic").push(*event);
    }
}

impl Notes {
    /// Of a connection that is `ours`.
    #[must_use]
    pub fn new(ours: monitors::Role) -> Self {
        Self(Arc::new((Mutex::default(), Watch::new(ours))))
    }

    /// How many events there were for which `matches` says so.
    pub fn count(&self, matches: impl Fn(&TraceEvent) -> bool) -> usize {
        self.0.0.lock().expect("no panic").iter().filter(|event| matches(event)).count()
    }
}

/// Our end.
enum Ours {
    Listening(Box<Listener>, Arc<ServerConfig>),
    Connected(Box<Connection>),
}

/// Both ends and the link between them.
pub struct Pair {
    ours: Ours,
    wolf: Wolf,
    socket: UdpSocket,
    wolf_socket: UdpSocket,
    loss: Loss,
    now: Instant,
    /// When wolfSSL's timer will run out.
    wolf_due: Option<Instant>,
    /// Everything that was sent.
    pub sent: Vec<Sent>,
    /// Application data that we have received.
    received: VecDeque<Vec<u8>>,
    wolf_received: VecDeque<Vec<u8>>,
    wolf_done: bool,
    wolf_closed: bool,
    connected: bool,
    closed: Option<CloseReason>,
    /// How the handshake or the connection of wolfSSL failed.
    pub wolf_error: Option<String>,
}

impl Pair {
    /// Our client against a server by wolfSSL.
    pub fn client(config: Arc<dtls_core::ClientConfig>, setup: &Setup, loss: Loss) -> Self {
        assert_eq!(setup.role, Role::Server);
        let client = Connection::client(config, Instant::START, &mut SystemRng).expect("random bytes");
        Self::new(Ours::Connected(Box::new(client)), setup, loss)
    }

    /// Our server against a client by wolfSSL.
    pub fn server(config: Arc<ServerConfig>, setup: &Setup, loss: Loss) -> Self {
        assert_eq!(setup.role, Role::Client);
        let listener = Listener::new(Arc::clone(&config)).expect("a hash");
        Self::new(Ours::Listening(Box::new(listener), config), setup, loss)
    }

    fn new(ours: Ours, setup: &Setup, loss: Loss) -> Self {
        let [socket, wolf_socket] =
            [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket"));
        socket.connect(wolf_socket.local_addr().expect("bound")).expect("the loopback");
        wolf_socket.connect(socket.local_addr().expect("bound")).expect("the loopback");
        for socket in [&socket, &wolf_socket] {
            socket.set_nonblocking(true).expect("a socket");
        }
        Self {
            ours,
            wolf: Wolf::new(setup),
            socket,
            wolf_socket,
            loss,
            now: Instant::START,
            wolf_due: None,
            sent: Vec::new(),
            received: VecDeque::new(),
            wolf_received: VecDeque::new(),
            wolf_done: false,
            wolf_closed: false,
            connected: false,
            closed: None,
            wolf_error: None,
        }
    }

    /// Lets both ends work until they are connected.
    ///
    /// # Panics
    /// If one fails, or nothing comes of it.
    pub fn connect(&mut self) {
        self.run_until("connected", |pair| pair.connected && pair.wolf_done);
    }

    /// Lets both ends work until one has failed, and the other had a chance to hear of it.
    ///
    /// # Panics
    /// If neither does.
    pub fn fail(&mut self) {
        for _ in 0..PATIENCE {
            self.settle();
            if self.closed.is_some() || self.wolf_error.is_some() {
                self.settle();
                return;
            }
            self.pass_time();
        }
        panic!("no end fails\n{}", self.log());
    }

    /// Sends a line each way.
    ///
    /// # Panics
    /// If one does not arrive.
    pub fn exchange(&mut self) {
        let loss = core::mem::take(&mut self.loss);
        let mut buffer = [0; 1500];
        let length = self.connection().send(b"from us to wolfSSL", &mut buffer).expect("connected");
        self.send(Way::FromUs, &buffer[..length]);
        self.run_until("data to wolfSSL", |pair| !pair.wolf_received.is_empty());
        assert_eq!(self.wolf_received.pop_front().as_deref(), Some(&b"from us to wolfSSL"[..]));
        assert_eq!(self.wolf.write(b"from wolfSSL to us"), Ok(Progress::Done(())));
        self.run_until("data from wolfSSL", |pair| !pair.received.is_empty());
        assert_eq!(self.received.pop_front().as_deref(), Some(&b"from wolfSSL to us"[..]));
        self.loss = loss;
    }

    /// Lets the timers of both ends run out until no end has anything to send any more.
    ///
    /// # Panics
    /// If they never become silent.
    pub fn fall_silent(&mut self) {
        for _ in 0..PATIENCE {
            self.settle();
            let before = self.sent.len();
            // wolfSSL's first timer may be one that only sends an ACK.
            for _ in 0..2 {
                while !self.pass_time() {
                    self.settle();
                }
                self.settle();
            }
            if self.sent.len() == before {
                return;
            }
        }
        panic!("something is sent again and again: {:02x?}", self.sent.last());
    }

    /// We close; wolfSSL is to see it.
    ///
    /// # Panics
    /// If it does not.
    pub fn we_close(&mut self) {
        self.loss = Loss::default();
        self.connection().close();
        self.run_until("closed at wolfSSL", |pair| pair.wolf_closed);
    }

    /// wolfSSL closes; we are to see it.
    ///
    /// # Panics
    /// If we don't.
    pub fn wolf_closes(&mut self) {
        self.loss = Loss::default();
        self.wolf.close();
        self.run_until("closed here", |pair| pair.closed == Some(CloseReason::CloseNotify));
    }

    /// Our connection.
    ///
    /// # Panics
    /// If a server has none yet.
    pub fn connection(&mut self) -> &mut Connection {
        match &mut self.ours {
            Ours::Connected(connection) => connection,
            Ours::Listening(..) => panic!("there is no connection yet"),
        }
    }

    /// wolfSSL's end.
    pub fn wolf(&self) -> &Wolf {
        &self.wolf
    }

    /// How our end is over.
    pub fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Whether wolfSSL has failed because of this unprotected alert of ours.
    pub fn wolf_was_told(&self, alert: AlertDescription) -> bool {
        let body = [2, alert.code()];
        let sent = self.sent.iter().any(|sent| sent.way == Way::FromUs && sent.bytes.ends_with(&body));
        sent && self.wolf_error.as_ref().is_some_and(|error| error.contains("received alert"))
    }

    /// How many HelloRetryRequests were sent.
    pub fn retries(&self) -> usize {
        let is_retry = |sent: &&Sent| sent.bytes.windows(HRR_RANDOM.len()).any(|w| w == HRR_RANDOM);
        self.sent.iter().filter(is_retry).count()
    }

    fn run_until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            self.settle();
            if reached(self) {
                return;
            }
            if let Some(CloseReason::Failed(error)) = self.closed {
                panic!("not {what}: we failed: {error}; wolfSSL: {:?}\n{}", self.wolf_error, self.log());
            }
            if let Some(error) = &self.wolf_error {
                panic!("not {what}: wolfSSL failed: {error}; ours {:?}\n{}", self.ours, self.log());
            }
            self.pass_time();
        }
        panic!("not {what} for a long time; ours {:?}\n{}", self.ours, self.log());
    }

    /// Lets both ends work until nothing is under way.
    fn settle(&mut self) {
        loop {
            self.work();
            self.wolf_works();
            let mut buffer = [0; 2048];
            let mut quiet = true;
            while let Some(length) = receive(&self.wolf_socket, &mut buffer) {
                self.wolf.deliver(&buffer[..length]);
                self.wolf_due = None;
                quiet = false;
            }
            while let Some(length) = receive(&self.socket, &mut buffer) {
                self.take_in(&mut buffer[..length]);
                quiet = false;
            }
            if quiet {
                return;
            }
        }
    }

    /// The next timer of either end runs out. Returns whether it was wolfSSL's.
    fn pass_time(&mut self) -> bool {
        let wolf_due = *self.wolf_due.get_or_insert(self.now.after(self.wolf.timer()));
        if let Ours::Connected(connection) = &mut self.ours
            && let Some(due) = connection.poll_timeout().filter(|due| *due <= wolf_due)
        {
            self.now = due.max(self.now);
            let _ = connection.handle_timeout(self.now);
            return false;
        }
        thread::sleep(WOLFSSL_PAUSE);
        self.now = wolf_due;
        self.wolf_due = None;
        if let Err(error) = self.wolf.timeout() {
            self.wolf_error = Some(error);
        }
        true
    }

    fn work(&mut self) {
        let Ours::Connected(connection) = &mut self.ours else { return };
        let mut out = Vec::new();
        let mut buffer = [0; 2048];
        while let Some(datagram) = connection.poll_transmit(self.now, &mut buffer) {
            out.push(datagram.to_vec());
        }
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected => self.connected = true,
                Event::Closed(reason) => self.closed = Some(reason),
                other => panic!("{other:?}"),
            }
        }
        for datagram in out {
            self.send(Way::FromUs, &datagram);
        }
    }

    /// wolfSSL goes on until it has nothing left to take in.
    fn wolf_works(&mut self) {
        loop {
            let result = match self.wolf_done {
                false => self.wolf.handshake().map(|progress| match progress {
                    Progress::Done(()) => {
                        self.wolf_done = true;
                        Progress::Done(Vec::new())
                    }
                    Progress::Waiting => Progress::Waiting,
                    Progress::Closed => Progress::Closed,
                }),
                true => self.wolf.read(),
            };
            match result {
                Ok(Progress::Done(data)) if data.is_empty() => {}
                Ok(Progress::Done(data)) => self.wolf_received.push_back(data),
                Ok(Progress::Waiting) => break,
                Ok(Progress::Closed) => {
                    self.wolf_closed = true;
                    break;
                }
                Err(error) => {
                    self.wolf_error = Some(error);
                    break;
                }
            }
        }
        while let Some(datagram) = self.wolf.transmit() {
            self.send(Way::FromWolf, &datagram);
        }
    }

    fn send(&mut self, way: Way, datagram: &[u8]) {
        let number = self.sent.iter().filter(|sent| sent.way == way).count();
        let lost = self.loss.hits(way, number);
        self.sent.push(Sent { way, bytes: datagram.to_vec(), lost });
        if !lost {
            let socket = if way == Way::FromUs { &self.socket } else { &self.wolf_socket };
            socket.send(datagram).expect("the loopback");
        }
    }

    fn take_in(&mut self, datagram: &mut [u8]) {
        let connection = match &mut self.ours {
            Ours::Connected(connection) => connection,
            Ours::Listening(listener, config) => {
                let mut reply = [0; 2048];
                let address = address_bytes(self.socket.peer_addr().expect("connected"));
                match listener.handle(self.now, &mut SystemRng, &address, datagram, &mut reply) {
                    Verdict::Accept(hello) => {
                        let config = Arc::clone(config);
                        let connection = Connection::server(config, &hello, self.now, &mut SystemRng);
                        self.ours = Ours::Connected(Box::new(connection));
                    }
                    Verdict::Reply(bytes) => {
                        let bytes = bytes.to_vec();
                        self.send(Way::FromUs, &bytes);
                    }
                    Verdict::Drop(reason) => panic!("wolfSSL's hello was dropped: {reason}"),
                    other => panic!("{other:?}"),
                }
                return;
            }
        };
        let mut rng = SystemRng;
        let mut incoming = connection.handle_datagram(self.now, &mut rng, datagram);
        while let Ok(Some(data)) = incoming.next_data() {
            self.received.push_back(data.bytes.to_vec());
        }
    }

    /// All datagrams, for a test that fails.
    fn log(&self) -> String {
        let line = |sent: &Sent| {
            let hex: String = sent.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{:?}{} {hex}\n", sent.way, if sent.lost { ", lost" } else { "" })
        };
        self.sent.iter().map(line).collect()
    }
}

impl core::fmt::Debug for Ours {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Listening(..) => f.write_str("Listening"),
            Self::Connected(connection) => connection.fmt(f),
        }
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<usize> {
    match socket.recv(buffer) {
        Ok(length) => Some(length),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("the loopback: {error}"),
    }
}

fn address_bytes(address: SocketAddr) -> Vec<u8> {
    address.to_string().into_bytes()
}
