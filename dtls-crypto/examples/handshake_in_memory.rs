//! A whole handshake and one reading, in memory: `cargo run -p dtls-crypto --example handshake_in_memory`.

use dtls_core::{
    ClientConfig, Connection, Error, Event, Instant, Listener, Rng, RngError, ServerConfig, Verdict,
};

/// Not random at all: this example needs no secrets. Use the operating system's generator.
struct Counter(u8);

impl Rng for Counter {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let (now, mut rng) = (Instant::START, Counter(1));
    let key = [0x5a; 16];
    let client = ClientConfig::builder(dtls_crypto::PROVIDER).psk(b"sensor-1", &key).build()?;
    let server =
        ServerConfig::builder(dtls_crypto::PROVIDER).psk_table([(&b"sensor-1"[..], &key[..])]).build()?;
    let mut listener = Listener::new(server.clone())?;
    let mut client = Connection::client(client, now, &mut rng)?;
    let mut accepted = None;
    let mut buffer = [0; 1500];

    while let Some(datagram) = client.poll_transmit(now, &mut buffer) {
        println!("client -> {} bytes", datagram.len());
        let mut reply = [0; 1500];
        match listener.handle(now, &mut rng, b"sensor's address", datagram, &mut reply) {
            Verdict::Reply(reply) => {
                println!("       <- {} bytes", reply.len());
                client.handle_datagram(now, &mut rng, reply).next_data()?;
            }
            Verdict::Accept(hello) => {
                let mut server = Connection::server(server.clone(), &hello, now, &mut rng);
                exchange(&mut client, &mut server, &mut rng)?;
                accepted = Some(server);
            }
            other => return Err(format!("refused: {other:?}").into()),
        }
    }

    let mut server = accepted.ok_or("no connection")?;
    assert_eq!(client.poll_event(), Some(Event::Connected));
    assert_eq!(server.poll_event(), Some(Event::Connected));
    println!("{:?}", client.negotiated());
    let len = client.send(b"21.5 degrees", &mut buffer)?;
    let mut incoming = server.handle_datagram(now, &mut rng, &mut buffer[..len]);
    println!(
        "server read {:?}",
        incoming.next_data()?.map(|data| String::from_utf8_lossy(data.bytes).into_owned())
    );
    Ok(())
}

/// Hands datagrams to and fro until both are silent.
fn exchange(client: &mut Connection, server: &mut Connection, rng: &mut Counter) -> Result<(), Error> {
    let mut buffer = [0; 1500];
    loop {
        let mut silent = true;
        while let Some(datagram) = server.poll_transmit(Instant::START, &mut buffer) {
            println!("       <- {} bytes", datagram.len());
            silent = false;
            client.handle_datagram(Instant::START, rng, datagram).next_data()?;
        }
        while let Some(datagram) = client.poll_transmit(Instant::START, &mut buffer) {
            println!("client -> {} bytes", datagram.len());
            silent = false;
            server.handle_datagram(Instant::START, rng, datagram).next_data()?;
        }
        if silent {
            return Ok(());
        }
    }
}
