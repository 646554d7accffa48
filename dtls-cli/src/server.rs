//! `dtls server`.

use dtls_core::{CloseReason, Connection, PeerIdentity};
use dtls_udp::{Server, ServerEvent, ServerLimits};

use crate::{
    Failure,
    args::{App, ServerArgs},
    config, note,
    trace::{Trace, Watch},
};

/// Serves until the socket fails or the process ends.
pub(crate) fn run(args: &ServerArgs) -> Result<(), Failure> {
    let trace = Trace::new(args.common.trace);
    let config = config::server(args, &trace)?;
    let mut server = Server::bind(args.listen, config, ServerLimits::default())
        .map_err(|error| Failure::usage(format!("cannot listen on {}: {error}", args.listen)))?;
    server.observe(Box::new(Watch(trace)));
    let address =
        server.local_addr().map_err(|error| Failure::network(format!("no local address: {error}")))?;
    note(format_args!("listening on {address}"));
    loop {
        let event = server
            .next_event(None)
            .map_err(|error| Failure::network(format!("the socket failed: {error}")))?;
        if let Some(event) = event {
            serve(&mut server, args.app, &event);
        }
    }
}

fn serve(server: &mut Server, app: App, event: &ServerEvent) {
    match event {
        ServerEvent::Connected { peer } => {
            let agreed = server.connection(*peer).map(describe).unwrap_or_default();
            note(format_args!("{peer} connected: {agreed}"));
        }
        ServerEvent::Data { peer, data, .. } => match app {
            App::Echo => {
                if let Err(error) = server.send(*peer, data) {
                    note(format_args!("{peer} not answered: {error}"));
                }
            }
        },
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
