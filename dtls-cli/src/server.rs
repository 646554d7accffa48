//! `dtls server`.

use core::{net::SocketAddr, time::Duration};

use dtls_core::{CloseReason, Connection, EndpointLimits, PeerIdentity};
use dtls_udp::{Server, ServerEvent};

use crate::{
    Failure,
    args::{App, ServerArgs},
    coap, config, note,
    trace::{Trace, Watch},
};

/// What a server does with the application data of its peers.
pub(crate) trait Application {
    /// Takes in what has happened.
    fn on_event(&mut self, server: &mut Server, event: &ServerEvent);

    /// How long to wait for events before [`on_timeout`](Self::on_timeout) is due; `None` is for ever.
    fn wait(&self) -> Option<Duration> {
        None
    }

    /// Does what is due.
    fn on_timeout(&mut self, server: &mut Server) {
        let _ = server;
    }
}

/// Serves until the socket fails or the process ends.
pub(crate) fn run(args: &ServerArgs) -> Result<(), Failure> {
    let trace = Trace::new(args.common.trace);
    let config = config::server(args, &trace)?;
    let listen = listen_address(args)?;
    let mut server = Server::bind(listen, config, EndpointLimits::default())
        .map_err(|error| Failure::usage(format!("cannot listen on {listen}: {error}")))?;
    server.observe(Box::new(Watch(trace)));
    let address =
        server.local_addr().map_err(|error| Failure::network(format!("no local address: {error}")))?;
    note(format_args!("listening on {address}"));
    let mut app: Box<dyn Application> = match args.app {
        App::Echo => Box::new(Echo),
        App::Coap => Box::new(coap::server::Service::new()),
    };
    loop {
        let event = server
            .next_event(app.wait())
            .map_err(|error| Failure::network(format!("the socket failed: {error}")))?;
        if let Some(event) = event {
            report(&server, &event);
            app.on_event(&mut server, &event);
        }
        app.on_timeout(&mut server);
    }
}

/// The address to listen on; CoAP has a port of its own.
fn listen_address(args: &ServerArgs) -> Result<SocketAddr, Failure> {
    match (args.listen.port, args.app) {
        (Some(port), _) => Ok(SocketAddr::new(args.listen.ip, port)),
        (None, App::Coap) => Ok(SocketAddr::new(args.listen.ip, coap::DEFAULT_PORT)),
        (None, App::Echo) => {
            let ip = SocketAddr::new(args.listen.ip, 4433);
            Err(Failure::usage(format!("--listen names no port: write, for example, {ip}")))
        }
    }
}

/// Sends data back.
struct Echo;

impl Application for Echo {
    fn on_event(&mut self, server: &mut Server, event: &ServerEvent) {
        if let ServerEvent::Data { peer, data, .. } = event
            && let Err(error) = server.send(*peer, data)
        {
            note(format_args!("{peer} not answered: {error}"));
        }
    }
}

fn report(server: &Server, event: &ServerEvent) {
    match event {
        ServerEvent::Connected { peer } => {
            let agreed = server.connection(*peer).map(describe).unwrap_or_default();
            note(format_args!("{peer} connected: {agreed}"));
        }
        ServerEvent::Closed { peer, reason, was_connected } => {
            let what = if *was_connected { "closed" } else { "handshake failed" };
            note(format_args!("{peer} {what}: {}", reason_text(*reason)));
        }
        _ => {}
    }
}

fn reason_text(reason: CloseReason) -> String {
    match reason {
        CloseReason::Local => "idle".into(),
        CloseReason::CloseNotify => "close_notify from the peer".into(),
        CloseReason::Failed(error) => match error.alert() {
            Some(alert) => format!("{error}; sent the alert {alert}"),
            None => error.to_string(),
        },
        CloseReason::Replaced => "replaced by a newer connection".into(),
        CloseReason::Evicted => "gave way to other handshakes".into(),
        _ => "over".into(),
    }
}

/// Version, suite and identity of an established connection.
pub(crate) fn describe(connection: &Connection) -> String {
    let Some(agreed) = connection.negotiated() else { return String::new() };
    let identity = match &agreed.peer {
        PeerIdentity::Psk(identity) => String::from_utf8_lossy(identity).escape_debug().to_string(),
        _ => "?".into(),
    };
    format!("{:?}, {:?}, identity '{identity}'", agreed.version, agreed.suite)
}
