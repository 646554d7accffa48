//! `dtls client coaps://…`.

use core::{fmt, time::Duration};
use std::io::{self, Write};

use coap_lite::{MessageClass, ObserveOption, Packet, ResponseType};
use dtls_core::{Instant, Rng};
use dtls_udp::{Client, Clock, Error, SystemRng};

use crate::{
    Failure,
    args::ClientArgs,
    client::{connect, lost},
    config,
    failure::reader_has_gone,
    note,
    trace::Trace,
};

use super::{
    Epochs,
    args::Until,
    exchange::{Event, Exchange, Failed, request, with_text},
    message,
    target::Target,
    transmission::ACK_TIMEOUT,
};

/// Asks the server of a resource and prints what it answers.
pub(crate) fn run(args: &ClientArgs) -> Result<(), Failure> {
    let target = Target::parse(&args.server)?;
    let ask = request_of(args, &target)?;
    if !args.send.is_empty() {
        return Err(Failure::usage("--send is not for coaps:// servers: give --method and --payload"));
    }
    let trace = Trace::new(args.common.trace);
    let config = config::client(args, &trace)?;
    let client = connect(args, &target.server, config, &trace)?;
    let clock = Clock::start();
    let mut session = Session { client, clock, exchange: Exchange::new(SystemRng) };
    let done = session.check_length(&ask).and_then(|()| match args.coap.observe {
        None => session.ask_once(ask),
        Some(until) => session.observe(ask, until, &target),
    });
    session.client.close();
    match done {
        Err(Stop::ReaderGone) | Ok(()) => Ok(()),
        Err(Stop::Failure(failure)) => Err(failure),
    }
}

fn request_of(args: &ClientArgs, target: &Target) -> Result<Packet, Failure> {
    let method = args.coap.method()?;
    let mut ask = request(method.into(), args.coap.observe.map(|_| ObserveOption::Register));
    target.add_options(&mut ask);
    Ok(match &args.coap.payload {
        Some(text) => with_text(ask, text),
        None => ask,
    })
}

/// Why to stop early.
enum Stop {
    Failure(Failure),
    /// Nobody reads what is printed.
    ReaderGone,
}

/// A connection and what is asked over it.
struct Session<R> {
    client: Client,
    clock: Clock,
    exchange: Exchange<R>,
}

impl<R: Rng> Session<R> {
    fn ask_once(&mut self, ask: Packet) -> Result<(), Stop> {
        self.send(ask)?;
        loop {
            if let Some(response) = self.next(None)? {
                return self.print(&response);
            }
        }
    }

    /// Prints the resource as it changes, and takes the leave of an observer (RFC 7641 §3.6).
    fn observe(&mut self, ask: Packet, until: Until, target: &Target) -> Result<(), Stop> {
        let (mut left, deadline) = match until {
            Until::Count(count) => (count, None),
            Until::Elapsed(time) => (u32::MAX, Some(self.clock.now().after(time))),
        };
        self.send(ask)?;
        while left > 0 {
            let Some(notification) = self.next(deadline)? else { break };
            self.print(&notification)?;
            if notification.get_observe_value().is_none() {
                return Err(self.failed("does not let this resource be observed"));
            }
            left -= 1;
        }
        let mut leave = request(coap_lite::RequestType::Get, Some(ObserveOption::Deregister));
        target.add_options(&mut leave);
        self.send(leave)?;
        // The end of the session follows and says the same.
        self.next(Some(self.clock.now().after(ACK_TIMEOUT))).map(drop)
    }

    /// Waits for the next response, at most until `deadline`, while repeating what was not acknowledged.
    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Packet>, Stop> {
        loop {
            self.transmit()?;
            match self.exchange.poll_event() {
                Some(Event::Response(response)) => return Ok(Some(response)),
                Some(Event::Failed(why)) => return Err(self.failed(why)),
                None => {}
            }
            let now = self.clock.now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(None);
            }
            let wake = [deadline, self.exchange.poll_timeout()].into_iter().flatten().min();
            let wait: Option<Duration> = wake.map(|wake| wake.since(now));
            match self.client.receive_with_epoch(wait) {
                Ok(Some((data, epoch))) => self.exchange.receive(&data, self.clock.now(), epoch),
                Ok(None) => {}
                Err(Error::Closed) => return Err(self.failed("has closed the connection without an answer")),
                Err(error) => return Err(Stop::Failure(lost(&self.client, &error))),
            }
            self.exchange.handle_timeout(self.clock.now(), Epochs::of(self.client.connection()));
        }
    }

    fn send(&mut self, ask: Packet) -> Result<(), Stop> {
        self.exchange.send(ask, self.clock.now(), Epochs::of(self.client.connection()));
        self.transmit()
    }

    fn transmit(&mut self) -> Result<(), Stop> {
        while let Some(bytes) = self.exchange.poll_transmit() {
            self.client.send(&bytes).map_err(|error| Stop::Failure(lost(&self.client, &error)))?;
        }
        Ok(())
    }

    fn check_length(&self, ask: &Packet) -> Result<(), Stop> {
        /// That of the token.
        const MORE: usize = 4;
        let (length, most) =
            (message::encode(ask).len() + MORE, self.client.connection().max_application_data());
        if length <= most {
            return Ok(());
        }
        Err(Stop::Failure(Failure::usage(format!(
            "the request has {length} bytes: at most {most} fit into the MTU, which --mtu raises, and there is no \
             block-wise transfer"
        ))))
    }

    /// Puts the payload of a success on standard output, and makes a failure of anything else.
    fn print(&self, response: &Packet) -> Result<(), Stop> {
        let code = response.header.code;
        let described = message::describe(code);
        if !message::is_success(code) {
            let diagnosis = String::from_utf8_lossy(&response.payload).escape_debug().to_string();
            // Some say in words again what the code says.
            let more = if described.ends_with(&diagnosis) { String::new() } else { format!(": {diagnosis}") };
            return Err(self.failed(format_args!("answered {described}{more}")));
        }
        note(format_args!("{described}"));
        if code != MessageClass::Response(ResponseType::Content) && response.payload.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let written =
            out.write_all(&response.payload).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        written.map_err(
            |error| {
                if reader_has_gone(&error) { Stop::ReaderGone } else { Stop::Failure(error.into()) }
            },
        )
    }

    fn failed(&self, what: impl fmt::Display) -> Stop {
        Stop::Failure(Failure::network(format!("{} {what}", self.client.peer_addr())))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "rejected the request with a Reset",
            Self::NoAcknowledgement => "did not acknowledge the request, which was sent five times",
            Self::NoResponse => "acknowledged the request and did not answer it",
            Self::EpochOver => "changed the keys of the session before it answered",
        })
    }
}
