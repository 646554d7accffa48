//! The simulated link with its counts, and the gateway at its far end.

use dtls_core::{
    Arc, CloseReason, ConfigError, Connection, Event, Instant, Listener, Rng, ServerConfig, Stats, Verdict,
};
use simulated_network::{Arrival, Fate, Faults, Network, Side};

use super::{Diagram, describe, diagram::Content};

/// What went over the link.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Total {
    pub(crate) datagrams: usize,
    pub(crate) bytes: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    pub(crate) overtaken: usize,
}

/// The link between sensor and gateway.
pub(crate) struct Link(Network);

impl Link {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self(Network::new(seed, faults))
    }

    /// Sends a datagram and draws it.
    pub(crate) fn send(
        &mut self,
        diagram: &mut Diagram,
        now: Instant,
        from: Side,
        datagram: &[u8],
        content: Content<'_>,
    ) {
        let fate = self.0.send(now, from, datagram);
        diagram.datagram(now, from, datagram, fate, content);
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.0.next_arrival()
    }

    pub(crate) fn receive(&mut self, now: Instant) -> Option<Arrival> {
        self.0.receive(now)
    }

    pub(crate) fn total(&self) -> Total {
        let mut total = Total::default();
        for sent in self.0.sent() {
            total.datagrams += 1;
            total.bytes += sent.bytes.len();
            match sent.fate {
                Fate::Passed => {}
                Fate::Duplicated => total.twice += 1,
                Fate::Reordered => total.overtaken += 1,
                _ => total.lost += 1,
            }
        }
        total
    }
}

/// What came of a datagram at the gateway.
pub(crate) enum Received {
    Nothing,
    /// A reply before there is a connection.
    Answer(Vec<u8>),
    /// Application data.
    Readings(Vec<String>),
}

/// The server: a listener and, after its cookie exchange, one connection.
pub(crate) struct Gateway {
    config: Arc<ServerConfig>,
    listener: Listener,
    connection: Option<Connection>,
    agreed: String,
    noted: Vec<String>,
}

impl Gateway {
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Self, ConfigError> {
        let listener = Listener::new(Arc::clone(&config))?;
        Ok(Self { config, listener, connection: None, agreed: String::new(), noted: Vec::new() })
    }

    pub(crate) fn receive(&mut self, now: Instant, rng: &mut dyn Rng, datagram: &mut [u8]) -> Received {
        if let Some(connection) = &mut self.connection {
            let mut readings = Vec::new();
            let mut incoming = connection.handle_datagram(now, rng, datagram);
            while let Ok(Some(data)) = incoming.next_data() {
                readings.push(String::from_utf8_lossy(data.bytes).into_owned());
            }
            return if readings.is_empty() { Received::Nothing } else { Received::Readings(readings) };
        }
        let mut out = [0; 2048];
        match self.listener.handle(now, rng, b"sensor", datagram, &mut out) {
            Verdict::Reply(reply) => Received::Answer(reply.to_vec()),
            Verdict::Accept(hello) => {
                let config = Arc::clone(&self.config);
                self.connection = Some(Connection::server(config, &hello, now, rng));
                Received::Nothing
            }
            _ => Received::Nothing,
        }
    }

    /// What has happened since the last call, as remarks.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        let Some(connection) = &mut self.connection else { return news };
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected => {
                    self.agreed = describe(connection);
                    news.push("gateway connected".to_owned());
                }
                Event::Closed(CloseReason::CloseNotify) => news.push("gateway sees the close".to_owned()),
                Event::Closed(CloseReason::Failed(error)) => news.push(format!("gateway gave up: {error}")),
                _ => {}
            }
        }
        news
    }

    /// Keeps a reading; `false` if it is there already.
    pub(crate) fn take_note(&mut self, reading: &str) -> bool {
        let new = !self.noted.iter().any(|noted| noted == reading);
        if new {
            self.noted.push(reading.to_owned());
        }
        new
    }

    pub(crate) fn send(&mut self, data: &[u8], out: &mut [u8]) -> Option<usize> {
        self.connection.as_mut()?.send(data, out).ok()
    }

    pub(crate) fn poll_transmit<'o>(&mut self, now: Instant, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        self.connection.as_mut()?.poll_transmit(now, out)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.connection.as_ref()?.poll_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            // Its end shows as an event.
            let _ = connection.handle_timeout(now);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_closed)
    }

    pub(crate) fn stats(&self) -> Option<&Stats> {
        self.connection.as_ref().map(Connection::stats)
    }

    /// What was agreed when the connection was established.
    pub(crate) fn agreed(&self) -> &str {
        &self.agreed
    }
}
