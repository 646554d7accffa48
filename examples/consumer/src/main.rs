//! A DTLS 1.2 handshake with a pre-shared key and one reading, in memory: no socket, no clock, no thread.
use dtls_core::{ClientConfig, Connection, Error, Instant, Listener, Rng, RngError, ServerConfig, Verdict};

const NOW: Instant = Instant::START; // nothing gets lost here, so no timer has to run
const KEY: (&[u8], &[u8]) = (b"sensor", b"sixteen or more random bytes");
struct Random;
impl Rng for Random {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        getrandom::fill(out).map_err(|_| RngError)
    }
}
fn deliver(from: &mut Connection, to: &mut Connection, buffer: &mut [u8]) -> Result<(), Error> {
    while let Some(datagram) = from.poll_transmit(NOW, buffer) {
        to.handle_datagram(NOW, &mut Random, datagram).next_data()?;
    }
    Ok(())
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut buffer, mut reply) = ([0; 1500], [0; 1500]);
    let config = ServerConfig::builder(dtls_crypto::PROVIDER).psk_table([KEY]).build()?;
    let mut listener = Listener::new(config.clone())?;
    let client = ClientConfig::builder(dtls_crypto::PROVIDER).psk(KEY.0, KEY.1).build()?;
    let mut client = Connection::client(client, NOW, &mut Random)?;
    let accepted = loop {
        let hello = client.poll_transmit(NOW, &mut buffer).ok_or("no hello")?;
        match listener.handle(NOW, &mut Random, b"its address", hello, &mut reply) {
            Verdict::Accept(accepted) => break accepted,
            Verdict::Reply(cookie) => _ = client.handle_datagram(NOW, &mut Random, cookie).next_data()?,
            dropped => return Err(format!("{dropped:?}").into()),
        }
    };
    let mut server = Connection::server(config, &accepted, NOW, &mut Random);
    while !(client.is_established() && server.is_established()) {
        deliver(&mut server, &mut client, &mut buffer)?;
        deliver(&mut client, &mut server, &mut buffer)?;
    }
    let length = client.send(b"21.5 C", &mut buffer)?;
    let reading = server.handle_datagram(NOW, &mut Random, &mut buffer[..length]).next_data()?;
    reading.map(|r| println!("{:?}\n{:?}", client.negotiated(), r.bytes)).ok_or("nothing arrived".into())
}
