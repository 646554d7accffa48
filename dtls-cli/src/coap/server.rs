//! `dtls server --app coap`.

use core::time::Duration;

use dtls_udp::{Clock, Peer, Server, ServerEvent, SystemRng};

use crate::{note, server::Application};

use super::{
    Epochs,
    sessions::{Moment, Sessions},
};

/// The CoAP server on a DTLS server.
pub(crate) struct Service {
    clock: Clock,
    sessions: Sessions<Peer, SystemRng>,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self { clock: Clock::start(), sessions: Sessions::new(SystemRng) }
    }

    fn transmit(&mut self, server: &mut Server) {
        while let Some((peer, bytes)) = self.sessions.poll_transmit() {
            if let Err(error) = server.send(peer, &bytes) {
                note(format_args!("{peer} not answered: {error}"));
            }
        }
    }
}

impl Application for Service {
    fn on_event(&mut self, server: &mut Server, event: &ServerEvent) {
        let epochs = |peer| epochs_of(server, peer);
        match event {
            ServerEvent::Connected { peer } => {
                if let Some(epochs) = epochs(*peer) {
                    self.sessions.begin(*peer, epochs);
                }
            }
            ServerEvent::Data { peer, data, epoch } => {
                let when = Moment { now: self.clock.now(), epochs: &epochs };
                self.sessions.receive(*peer, data, *epoch, &when);
            }
            ServerEvent::Closed { peer, .. } => self.sessions.end(*peer),
            _ => {}
        }
        self.transmit(server);
    }

    fn wait(&self) -> Option<Duration> {
        self.sessions.poll_timeout().map(|due| due.since(self.clock.now()))
    }

    fn on_timeout(&mut self, server: &mut Server) {
        let epochs = |peer| epochs_of(server, peer);
        self.sessions.handle_timeout(&Moment { now: self.clock.now(), epochs: &epochs });
        self.transmit(server);
    }
}

fn epochs_of(server: &Server, peer: Peer) -> Option<Epochs> {
    server.connection(peer).filter(|connection| connection.is_established()).map(Epochs::of)
}
