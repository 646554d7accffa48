//! Sessions of the tokio driver over loopback sockets.

mod harness;

use core::{future::Future, net::SocketAddr, time::Duration};
use std::net::UdpSocket;

use dtls_core::{AlertDescription, Arc, EndpointLimits, Limits, ProtocolVersion, SendError, ServerConfig};
use dtls_udp::{
    Client, Error, ServerEvent,
    tokio::{Endpoint, Incoming},
};
use harness::{KEY, OneVisitor, client, client_config, keyed, server};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, spawn},
    time::timeout,
};

/// Far more than anything here takes; only a bug waits for it.
const LONG: Duration = Duration::from_secs(30);

/// For many clients: this driver has no observer that would tell their connections apart for a monitor.
fn server_config() -> Arc<ServerConfig> {
    keyed().build().unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(LONG, test).await.expect("it hangs") });
}

async fn bind(address: &str, server: Option<Arc<ServerConfig>>) -> Endpoint {
    Endpoint::bind(address, server, EndpointLimits::default()).await.unwrap()
}

/// A server that sends everything back; ends with the number of sessions when its socket is gone.
fn echo(endpoint: Endpoint) -> JoinHandle<()> {
    spawn(async move {
        while let Some(mut session) = endpoint.accept().await {
            spawn(async move {
                while let Ok(data) = session.receive().await {
                    session.send(&data).await.unwrap();
                }
            });
        }
    })
}

#[test]
fn many_sessions_from_one_socket_and_from_many() {
    run(async {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let server = bind(any, Some(server_config())).await;
            let address = server.local_addr();
            echo(server);
            let mut tasks = Vec::new();
            for n in 0..20_u32 {
                tasks.push(spawn(async move {
                    let endpoint = bind(any, None).await;
                    let mut session = endpoint.connect(address, client_config(b"sensor")).await.unwrap();
                    for round in 0..5_u32 {
                        let data = [n.to_be_bytes(), round.to_be_bytes()].concat();
                        session.send(&data).await.unwrap();
                        assert_eq!(session.receive().await.unwrap(), data);
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
}

/// Sockets bound to all addresses, in both families and through mapped addresses.
#[test]
fn answers_leave_from_the_address_that_was_spoken_to() {
    run(async {
        for (any, spoken_to) in [
            ("0.0.0.0:0", "127.0.0.2"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("[::]:0", "::1"),
            ("[::]:0", "127.0.0.3"),
        ] {
            if !cfg!(target_os = "linux") && spoken_to != "127.0.0.1" && spoken_to != "::1" {
                continue;
            }
            let server = bind(any, Some(server_config())).await;
            let address = SocketAddr::new(spoken_to.parse().unwrap(), server.local_addr().port());
            echo(server);
            // A connected socket takes answers from the address it spoke to only.
            let blocking = ::tokio::task::spawn_blocking(move || {
                let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
                client.send(b"from outside").unwrap();
                assert_eq!(client.receive(Some(LONG)).unwrap().as_deref(), Some(&b"from outside"[..]));
                client.close();
            });
            blocking.await.unwrap();
            // And so does an endpoint that is bound to all addresses itself.
            let endpoint = bind(any, None).await;
            let mut session = endpoint.connect(address, client_config(b"sensor")).await.unwrap();
            session.send(b"from everywhere").await.unwrap();
            assert_eq!(session.receive().await.unwrap(), b"from everywhere");
        }
    });
}

#[test]
fn both_ends_learn_how_it_ended() {
    run(async {
        let config = keyed().trace(OneVisitor::trace()).build().unwrap();
        let server = bind("127.0.0.1:0", Some(config)).await;
        let address = server.local_addr();
        let client = bind("127.0.0.1:0", None).await;
        let refused = client.connect(address, client_config(b"stranger")).await.unwrap_err();
        let told = [AlertDescription::DecryptError, AlertDescription::UnknownPskIdentity];
        assert!(matches!(refused, Error::Dtls(dtls_core::Error::PeerAlert(alert)) if told.contains(&alert)));

        let session = client.connect(address, client_config(b"sensor")).await.unwrap();
        let mut accepted = server.accept().await.unwrap();
        assert_eq!(session.negotiated(), accepted.negotiated());
        assert_eq!(session.negotiated().version, ProtocolVersion::DTLS1_3);
        let export = |connection: &mut dtls_core::Connection| {
            let mut out = [0; 16];
            connection.export("EXPORTER-test", None, &mut out).map(|()| out)
        };
        let keys =
            (session.with(export).await.unwrap().unwrap(), accepted.with(export).await.unwrap().unwrap());
        assert_eq!(keys.0, keys.1);
        let refused = session.send(&[0; 70_000]).await;
        assert!(matches!(refused, Err(Error::Send(SendError::TooLarge { max: 16_384 }))));
        session.send(b"last words").await.unwrap();
        drop(session);
        assert_eq!(accepted.receive().await.unwrap(), b"last words");
        assert!(matches!(accepted.receive().await, Err(Error::Closed)));
        assert!(matches!(accepted.send(b"too late").await, Err(Error::Closed)));
    });
}

#[test]
fn nobody_there_ends_at_the_deadline_and_giving_up_ends_at_once() {
    run(async {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut soon = Limits::default();
        soon.handshake_timeout = Duration::from_millis(200);
        let config = client(b"sensor").limits(soon).build().unwrap();
        let endpoint = bind("127.0.0.1:0", None).await;
        let failed = endpoint.connect(address, config).await.unwrap_err();
        assert!(matches!(failed, Error::Dtls(dtls_core::Error::HandshakeTimeout)));

        // Given up while the handshake goes on: when it is done, the server hears that nobody wants it.
        let mut server = server("127.0.0.1:0", keyed(), EndpointLimits::default());
        let address = server.local_addr().unwrap();
        let given_up =
            timeout(Duration::from_millis(20), endpoint.connect(address, client_config(b"sensor")));
        assert!(given_up.await.is_err(), "nobody answers yet");
        let ended = ::tokio::task::spawn_blocking(move || {
            while let Some(event) = server.next_event(Some(LONG)).unwrap() {
                if let ServerEvent::Closed { was_connected, .. } = event {
                    return was_connected;
                }
            }
            panic!("it stays open")
        });
        assert!(ended.await.unwrap());
    });
}

#[test]
fn keys_may_be_looked_up_by_a_task() {
    run(async {
        let config = ServerConfig::builder(dtls_crypto::PROVIDER).trace(OneVisitor::trace());
        let config = config.psk_deferred().build().unwrap();
        let server = bind("127.0.0.1:0", Some(config)).await;
        let address = server.local_addr();
        let client = spawn(async move {
            let endpoint = bind("127.0.0.1:0", None).await;
            let known =
                endpoint.connect(address, client_config(b"sensor")).await.map(|session| session.peer());
            let unknown =
                endpoint.connect(address, client_config(b"stranger")).await.map(|session| session.peer());
            (known, unknown)
        });
        loop {
            match server.next_incoming().await.unwrap() {
                Incoming::PskWanted(request) => {
                    ::tokio::time::sleep(Duration::from_millis(20)).await;
                    match request.identity() {
                        b"sensor" => request.answer(Some(&KEY)),
                        _ => break,
                    }
                }
                Incoming::Session(session) => assert_eq!(session.peer().address().ip(), address.ip()),
                other => panic!("{other:?}"),
            }
        }
        let (known, unknown) = client.await.unwrap();
        assert_eq!(known.unwrap().address(), address);
        assert!(matches!(unknown, Err(Error::Dtls(dtls_core::Error::PeerAlert(_)))));
    });
}
