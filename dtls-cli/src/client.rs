//! `dtls client`.

use core::time::Duration;
use std::{
    io::{self, BufRead, Write},
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
};

use dtls_core::{AlertDescription, Arc, ClientConfig, HandshakeType};
use dtls_udp::{Client, Error};

use crate::{
    Failure, args::ClientArgs, config, failure::reader_has_gone, note, server::describe, trace::Trace,
};

/// How long to wait for replies before looking for new input.
const TICK: Duration = Duration::from_millis(20);

/// Connects, sends, prints replies, closes.
pub(crate) fn run(args: &ClientArgs) -> Result<(), Failure> {
    args.coap.refuse()?;
    let trace = Trace::new(args.common.trace);
    let config = config::client(args, &trace)?;
    let mut client = connect(args, &args.server, config, &trace)?;
    let done = converse(args, &mut client);
    client.close();
    done
}

/// A client that is connected to `server`, given as `HOST:PORT`.
pub(crate) fn connect(
    args: &ClientArgs,
    server: &str,
    config: Arc<ClientConfig>,
    trace: &Arc<Trace>,
) -> Result<Client, Failure> {
    let mut client = Client::start(server, config).map_err(|error| match error {
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidInput => Failure::usage(format!(
            "'{server}' is not HOST:PORT, such as example.org:4433, 127.0.0.1:4433 or [::1]:4433"
        )),
        Error::Io(error) => Failure::network(format!("cannot reach '{server}': {error}")),
        error => Failure::network(error.to_string()),
    })?;
    trace.turn_to(client.peer_addr());
    client.handshake().map_err(|error| explain(&error, &client, trace, args.timeout))?;
    note(format_args!("connected to {}: {}", client.peer_addr(), describe(client.connection())));
    Ok(client)
}

/// One sentence for a handshake that failed.
fn explain(error: &Error, client: &Client, trace: &Arc<Trace>, timeout: u32) -> Failure {
    use dtls_core::Error as E;
    let peer = client.peer_addr();
    Failure::network(match error {
        Error::Dtls(E::PeerAlert(alert)) => {
            let hint = match alert {
                AlertDescription::DecryptError | AlertDescription::UnknownPskIdentity => {
                    ": unknown identity or wrong key?"
                }
                AlertDescription::HandshakeFailure => ": no cipher suite in common?",
                _ => "",
            };
            format!("{peer} refused the connection with the alert {alert} ({}){hint}", alert.code())
        }
        Error::Dtls(E::HandshakeTimeout | E::NoAnswer) => match trace.last_message() {
            HandshakeType::FINISHED => format!("{peer}: no answer to Finished: wrong key?"),
            _ if client.reported_unreachable() => format!(
                "{peer}: no answer to ClientHello within {timeout} s; the network says nothing listens there"
            ),
            HandshakeType::CLIENT_HELLO => format!("{peer}: no answer to ClientHello within {timeout} s"),
            _ => format!("{peer}: the handshake did not complete within {timeout} s"),
        },
        error => format!("{peer}: {error}"),
    })
}

/// What there is to send, as it comes.
struct Input {
    lines: Receiver<io::Result<Vec<u8>>>,
}

impl Input {
    /// The texts of the arguments, or else the lines of standard input, read by a thread of its own.
    fn new(texts: &[String]) -> Self {
        let (send, lines) = mpsc::channel();
        if texts.is_empty() {
            thread::spawn(move || {
                let mut lines = io::stdin().lock().split(b'\n');
                // The other end has gone when the connection is over.
                while lines.next().is_some_and(|line| send.send(line).is_ok()) {}
            });
        } else {
            for text in texts {
                let _ = send.send(Ok(text.clone().into_bytes()));
            }
        }
        Self { lines }
    }
}

/// Sends all input and prints what comes back, until the end of the input and of the wait for replies.
fn converse(args: &ClientArgs, client: &mut Client) -> Result<(), Failure> {
    let input = Input::new(&args.send);
    let wait = Duration::from_secs(args.wait.into());
    let (mut sent, mut received, mut open) = (0u64, 0u64, true);
    loop {
        while open {
            match input.lines.try_recv() {
                Ok(Ok(line)) => {
                    sent += 1;
                    send(client, &line, sent)?;
                }
                Ok(Err(error)) => {
                    return Err(Failure::usage(format!("standard input cannot be read: {error}")));
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => open = false,
            }
        }
        if !open && received >= sent {
            return Ok(());
        }
        match client.receive(Some(if open { TICK } else { wait })) {
            Ok(Some(data)) => {
                received += 1;
                if let Err(error) = print(&data) {
                    return if reader_has_gone(&error) { Ok(()) } else { Err(error.into()) };
                }
            }
            Ok(None) if open => {}
            Ok(None) => return Ok(()),
            Err(Error::Closed) => {
                note(format_args!("{} has closed the connection", client.peer_addr()));
                return Ok(());
            }
            Err(error) => return Err(lost(client, &error)),
        }
    }
}

fn send(client: &mut Client, line: &[u8], number: u64) -> Result<(), Failure> {
    let max = client.connection().max_application_data();
    if line.len() > max {
        return Err(Failure::usage(format!(
            "datagram {number} to send has {} bytes: at most {max} fit into the MTU, which --mtu raises",
            line.len()
        )));
    }
    client.send(line).map_err(|error| lost(client, &error))
}

/// The failure of an established connection, or of one datagram on it.
pub(crate) fn lost(client: &Client, error: &Error) -> Failure {
    if matches!(error, Error::DatagramTooLarge { .. }) {
        return Failure::network(format!("nothing was sent to {}: {error}", client.peer_addr()));
    }
    Failure::network(format!("the connection to {} is lost: {error}", client.peer_addr()))
}

fn print(data: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data)?;
    out.write_all(b"\n")?;
    out.flush()
}
