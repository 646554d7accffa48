//! `dtls demo`: a sensor and a gateway in one process, over a simulated link in virtual time.
//!
//! Everything follows from the settings and their seed: no clock, socket or random source of the system is used. The keys are
//! made from the seed too and protect nothing.

mod diagram;
mod link;
mod wire;

use core::time::Duration;
use std::io::{self, Write};

use dtls_core::{
    Arc, ClientConfig, Connection, Error, Event, Instant, Limits, ProtocolVersion, ServerConfig, Stats,
};
use simulated_network::{Faults, Prng, Side};

use crate::{DemoArgs, DemoVersion, Failure, failure::reader_has_gone, server::describe};
use diagram::{Content, Diagram};
use link::{Gateway, Link, Received};
use wire::Recorder;

const IDENTITY: &str = "sensor-1";
const READING: &str = "temperature 21.5 C";
const CONFIRMATION: &str = "confirmed";
/// How often the reading is sent before the sensor gives up.
const READING_SENDS: u32 = 20;
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Runs the demonstration and writes it to `out`.
///
/// # Errors
/// [`Failure`] if the sensor could not connect or its reading was not acknowledged, which a bad enough link can do.
pub fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match show(args, out) {
        Ok(result) => result,
        Err(error) if reader_has_gone(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn show(args: &DemoArgs, out: &mut dyn Write) -> io::Result<Result<(), Failure>> {
    writeln!(
        out,
        "A sensor sends one reading to a gateway over DTLS. Link: 10 ms, {}% lost, {}% twice, {}% reordered, seed {}.\n",
        percent(args.loss),
        percent(args.duplicate),
        percent(args.reorder),
        args.seed
    )?;
    let mut demo = match Demo::new(args) {
        Ok(demo) => demo,
        Err(failure) => return Ok(Err(failure)),
    };
    let end = demo.play();
    demo.diagram.print(out)?;
    if let Err(failure) = end {
        return Ok(Err(failure));
    }
    demo.summarise(out)?;
    try_next(&demo.key, out)?;
    Ok(Ok(()))
}

/// Both ends and the link between them.
struct Demo {
    now: Instant,
    rng: Prng,
    link: Link,
    diagram: Diagram,
    /// What sensor and gateway have sealed.
    sealed: [Arc<Recorder>; 2],
    key: [u8; 16],
    sensor: Connection,
    gateway: Gateway,
    reading: Reading,
    connected_at: Option<Instant>,
}

/// The sensor's side of getting the reading across: the application's own retransmission.
struct Reading {
    sends: u32,
    next: Option<Instant>,
    confirmed_at: Option<Instant>,
}

impl Demo {
    fn new(args: &DemoArgs) -> Result<Self, Failure> {
        let mut rng = Prng::new(args.seed);
        let mut key = [0; 16];
        let bad = |error: &dyn core::fmt::Display| Failure::usage(error.to_string());
        dtls_core::Rng::try_fill(&mut rng, &mut key).map_err(|_| bad(&"no randomness"))?;
        let version = match args.version {
            DemoVersion::V1_2 => ProtocolVersion::DTLS1_2,
            DemoVersion::V1_3 => ProtocolVersion::DTLS1_3,
        };
        let sealed = [true, false].map(|is_client| Arc::new(Recorder::new(is_client)));
        let [client_sealed, server_sealed] = sealed.clone();
        let client = ClientConfig::builder(dtls_crypto::PROVIDER)
            .versions(&[version])
            .limits(limits(args))
            .trace(client_sealed)
            .psk(IDENTITY.as_bytes(), &key)
            .build()
            .map_err(|error| bad(&error))?;
        let server = ServerConfig::builder(dtls_crypto::PROVIDER)
            .versions(&[version])
            .limits(limits(args))
            .trace(server_sealed)
            .psk_table([(IDENTITY.as_bytes(), &key[..])])
            .build()
            .map_err(|error| bad(&error))?;
        let faults =
            Faults { loss: args.loss, duplicate: args.duplicate, reorder: args.reorder, ..Faults::default() };
        Ok(Self {
            now: Instant::START,
            link: Link::new(rng.next_u64(), faults),
            diagram: Diagram::default(),
            sealed,
            key,
            sensor: Connection::client(client, Instant::START, &mut rng).map_err(|error| bad(&error))?,
            gateway: Gateway::new(Arc::clone(&server)).map_err(|error| bad(&error))?,
            rng,
            reading: Reading { sends: 0, next: None, confirmed_at: None },
            connected_at: None,
        })
    }

    /// Lets virtual time run until the reading is confirmed and both ends are done.
    fn play(&mut self) -> Result<(), Failure> {
        loop {
            // The end of the handshake goes out before the events it leads to are acted upon.
            self.transmit();
            self.look_at_events()?;
            self.send_reading()?;
            self.transmit();
            let timers = [
                self.link.next_arrival(),
                self.sensor.poll_timeout(),
                self.gateway.poll_timeout(),
                self.reading.next,
            ];
            let done = self.reading.confirmed_at.is_some();
            // Once all is done only what is still under way is waited for.
            let next = if done { timers[0] } else { timers.into_iter().flatten().min() };
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.arrive();
            let _ = self.sensor.handle_timeout(self.now);
            self.gateway.handle_timeout(self.now);
        }
        if self.reading.confirmed_at.is_some() {
            return Ok(());
        }
        Err(Failure::network("nothing is under way and nobody waits for anything"))
    }

    fn look_at_events(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.sensor.poll_event() {
            match event {
                Event::Connected => {
                    self.connected_at = Some(self.now);
                    self.reading.next = Some(self.now);
                    self.diagram.remark(self.now, &format!("sensor connected: {}", describe(&self.sensor)));
                }
                Event::Closed(dtls_core::CloseReason::Failed(error)) => return Err(self.gave_up(error)),
                _ => {}
            }
        }
        for remark in self.gateway.news() {
            self.diagram.remark(self.now, &remark);
        }
        Ok(())
    }

    fn gave_up(&self, error: Error) -> Failure {
        let seconds = self.now.as_micros() / 1_000_000;
        Failure::network(format!("the sensor gave up after {seconds} virtual seconds: {error}"))
    }

    /// Sends the reading when it is due.
    fn send_reading(&mut self) -> Result<(), Failure> {
        if self.reading.next.is_none_or(|due| due > self.now) {
            return Ok(());
        }
        if self.reading.sends == READING_SENDS {
            return Err(Failure::network(format!(
                "the reading was sent {READING_SENDS} times and never acknowledged"
            )));
        }
        let mut buffer = [0; 256];
        let sent = self.sensor.send(READING.as_bytes(), &mut buffer);
        let len = sent.map_err(|error| Failure::network(format!("the reading was not sent: {error}")))?;
        let label = format!("reading '{READING}'");
        self.link.send(&mut self.diagram, self.now, Side::Client, &buffer[..len], Content::Named(&label));
        let wait = FIRST_RETRY * 2u32.saturating_pow(self.reading.sends.min(8));
        self.reading.next = Some(self.now.after(wait.min(LONGEST_RETRY)));
        self.reading.sends += 1;
        Ok(())
    }

    /// Puts on the link what the connections have to send.
    fn transmit(&mut self) {
        let mut buffer = [0; 65_535];
        let [sensor, gateway] = &self.sealed;
        let closing = self.reading.confirmed_at.is_some();
        sensor.take();
        while let Some(datagram) = self.sensor.poll_transmit(self.now, &mut buffer) {
            let notes = sensor.take();
            let content = if closing { Content::Named("close_notify") } else { Content::Records(&notes) };
            self.link.send(&mut self.diagram, self.now, Side::Client, datagram, content);
        }
        let closing = self.gateway.is_closed();
        gateway.take();
        while let Some(datagram) = self.gateway.poll_transmit(self.now, &mut buffer) {
            let notes = gateway.take();
            let content = if closing { Content::Named("close_notify") } else { Content::Records(&notes) };
            self.link.send(&mut self.diagram, self.now, Side::Server, datagram, content);
        }
    }

    /// Hands over everything that has arrived.
    fn arrive(&mut self) {
        while let Some(mut arrival) = self.link.receive(self.now) {
            match arrival.to {
                Side::Client => {
                    let mut incoming =
                        self.sensor.handle_datagram(self.now, &mut self.rng, &mut arrival.bytes);
                    let mut confirmed = false;
                    while let Ok(Some(data)) = incoming.next_data() {
                        confirmed |= *data.bytes == *CONFIRMATION.as_bytes();
                    }
                    if confirmed && self.reading.confirmed_at.is_none() {
                        self.reading.confirmed_at = Some(self.now);
                        self.reading.next = None;
                        self.diagram.remark(self.now, "sensor has its reading acknowledged and closes");
                        self.sensor.close();
                    }
                }
                Side::Server => match self.gateway.receive(self.now, &mut self.rng, &mut arrival.bytes) {
                    Received::Nothing => {}
                    Received::Answer(reply) => {
                        let content = Content::Records(&[]);
                        self.link.send(&mut self.diagram, self.now, Side::Server, &reply, content);
                    }
                    Received::Readings(readings) => self.confirm(&readings),
                },
            }
        }
    }

    /// The gateway confirms each copy of a reading, since the sensor may have missed the confirmation before.
    fn confirm(&mut self, readings: &[String]) {
        for reading in readings {
            if self.gateway.take_note(reading) {
                self.diagram.remark(self.now, &format!("gateway has the reading '{reading}'"));
            }
            let mut buffer = [0; 256];
            if let Some(len) = self.gateway.send(CONFIRMATION.as_bytes(), &mut buffer) {
                let content = Content::Named("confirmation");
                self.link.send(&mut self.diagram, self.now, Side::Server, &buffer[..len], content);
            }
        }
    }

    fn summarise(&self, out: &mut dyn Write) -> io::Result<()> {
        let again = |stats: &Stats| stats.timeouts + stats.repeats;
        let flights = again(self.sensor.stats()) + self.gateway.stats().map_or(0, again);
        let total = self.link.total();
        writeln!(out, "\nThe reading was delivered and acknowledged.")?;
        writeln!(out, "  agreed           {}", self.gateway.agreed())?;
        writeln!(
            out,
            "  datagrams        {} sent, {} bytes; {} lost, {} arrived twice, {} were overtaken",
            total.datagrams, total.bytes, total.lost, total.twice, total.overtaken
        )?;
        writeln!(
            out,
            "  retransmissions  {flights} flights, {} times the reading",
            self.reading.sends.saturating_sub(1)
        )?;
        let at = |moment: Option<Instant>| moment.unwrap_or(self.now).as_micros() as f64 / 1e6;
        writeln!(
            out,
            "  virtual time     {:.3} s until connected, {:.3} s until acknowledged",
            at(self.connected_at),
            at(self.reading.confirmed_at)
        )
    }
}

fn limits(args: &DemoArgs) -> Limits {
    let mut limits = Limits::default();
    limits.mtu = args.mtu.into();
    limits.max_rto = Duration::from_secs(10);
    limits.max_retransmissions = 100;
    limits.handshake_timeout = Duration::from_secs(600);
    limits
}

fn percent(probability: f64) -> f64 {
    (probability * 1e4).round() / 1e2
}

fn try_next(key: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let key = hex::encode(key);
    writeln!(out, "\nNow over real sockets, with the key of this demonstration; in two terminals:")?;
    writeln!(out, "  dtls server --listen 127.0.0.1:4433 --psk {IDENTITY}={key}")?;
    writeln!(
        out,
        "  openssl s_client -dtls1_2 -connect 127.0.0.1:4433 -psk_identity {IDENTITY} -psk {key} \
         -cipher PSK-AES128-GCM-SHA256"
    )?;
    writeln!(
        out,
        "Type a line and it comes back. In a source tree, 'cargo run --release --' stands for 'dtls'."
    )
}

#[cfg(test)]
mod tests;
