//! Hostile datagrams against an endpoint with live sessions: none is lost, the heap stays flat, and no more bytes go out than
//! came in.

use core::time::Duration;

use allocation_counter::measure;
use dtls_core::{AddressBytes, Connection, EndpointLimits};
use ideal_crypto::World;
use model_tests::{
    Prng,
    crowd::{Crowd, VERSIONS, address},
};

const SESSIONS: u32 = 1_000;
const DATAGRAMS: u32 = 200_000;
/// Room for every datagram here.
const ROOM: usize = 2048;

/// The sessions, and everything that ever went from them to the endpoint.
struct Target {
    crowd: Crowd,
    sessions: Vec<(AddressBytes, Connection)>,
    /// The datagrams of each session.
    history: Vec<Vec<Vec<u8>>>,
    /// First contacts of strangers: one hello without a cookie and one with, for each version.
    hellos: Vec<Vec<u8>>,
}

impl Target {
    fn new() -> Self {
        let mut limits = EndpointLimits::default();
        limits.connections = SESSIONS as usize + 100;
        let mut crowd = Crowd::new(ideal_crypto::PROVIDER, limits).unwatched();
        let (mut sessions, mut history) = (Vec::new(), Vec::new());
        for n in 0..SESSIONS {
            let mut client = crowd.client(VERSIONS[n as usize % 2]);
            history.push(crowd.converse(&address(n), &mut client));
            assert!(client.is_established());
            sessions.push((address(n), client));
        }
        let mut hellos = Vec::new();
        for (version, n) in VERSIONS.into_iter().zip(SESSIONS..) {
            let mut stranger = crowd.client(version);
            hellos.extend(crowd.converse(&address(n), &mut stranger).into_iter().take(2));
            let handle = crowd.endpoint.established(&address(n)).expect("it connects");
            crowd.endpoint.close(handle);
            crowd.transmit(|_, _| {});
        }
        let mut target = Self { crowd, sessions, history, hellos };
        target.echo_all();
        // Last flights are not kept any longer, so that forgetting them does not look like a leak in reverse.
        target.crowd.now = target.crowd.now.after(Duration::from_secs(300));
        target.crowd.endpoint.handle_timeout(target.crowd.now);
        target.crowd.transmit(|_, _| {});
        target.crowd.events.clear();
        target
    }

    /// Every session still works.
    fn echo_all(&mut self) {
        for (n, (from, client)) in self.sessions.iter_mut().enumerate() {
            let mut buffer = [0; ROOM];
            let len = client.send(&n.to_be_bytes(), &mut buffer).expect("the session lives");
            self.history[n].push(buffer[..len].to_vec());
            let handle = self.crowd.receive(from, &mut buffer[..len], |_, _| {}).expect("it is known");
            assert_eq!(self.crowd.data, n.to_be_bytes());
            let len = self.crowd.endpoint.send(handle, &n.to_be_bytes(), &mut buffer).expect("it lives");
            assert_eq!(self.crowd.tell(client, &mut buffer[..len]), n.to_be_bytes());
        }
    }

    /// Writes a hostile datagram into `buffer` and says from whom it pretends to be. Allocates nothing.
    fn forge<'b>(&self, rng: &mut Prng, buffer: &'b mut [u8; ROOM]) -> (AddressBytes, &'b mut [u8]) {
        let victim = rng.below(u64::from(SESSIONS)) as usize;
        let stranger = address(rng.next_u64() as u32 | 1 << 31);
        let from = if rng.chance(0.5) { self.sessions[victim].0 } else { stranger };
        let history = &self.history[victim];
        let old = &history[rng.below(history.len() as u64) as usize];
        let hello = &self.hellos[rng.below(self.hellos.len() as u64) as usize];
        let (from, source): (_, &[u8]) = match rng.below(5) {
            // Hellos with no cookie or with that of another address, and with random bytes where the random is.
            0 | 1 => (from, hello),
            // Replays, from where they came from or from elsewhere.
            2 | 3 => (from, old),
            _ => (from, &[]),
        };
        let mut len = source.len();
        buffer[..len].copy_from_slice(source);
        match rng.below(5) {
            // Cut off.
            0 if len > 0 => len = rng.below(len as u64) as usize,
            // One byte changed.
            1 if len > 0 => buffer[rng.below(len as u64) as usize] ^= 1 << rng.below(8),
            // Noise, half of it with a plausible first record.
            _ if len == 0 => {
                len = rng.below(200) as usize + 1;
                buffer[..len].iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
                if rng.chance(0.5) && len > 13 {
                    let typ = 20 + rng.below(7) as u8;
                    let rest = (len - 13) as u8;
                    buffer[..13].copy_from_slice(&[
                        typ,
                        254,
                        253,
                        0,
                        rng.below(4) as u8,
                        0,
                        0,
                        0,
                        0,
                        0,
                        9,
                        0,
                        rest,
                    ]);
                }
            }
            _ => {}
        }
        (from, &mut buffer[..len])
    }

    /// Takes hostile datagrams in, with time going on and timers served.
    fn attack(&mut self, rng: &mut Prng, datagrams: u32) {
        let mut buffer = [0; ROOM];
        for number in 0..datagrams {
            self.crowd.now = self.crowd.now.after(Duration::from_millis(1));
            let (from, datagram) = self.forge(rng, &mut buffer);
            let [bytes_in, bytes_out] = self.crowd.bytes;
            self.crowd.receive(&from, datagram, |_, _| {});
            self.crowd.endpoint.handle_timeout(self.crowd.now);
            self.crowd.transmit(|_, _| {});
            assert!(self.crowd.data.is_empty(), "hostile data was delivered");
            assert!(self.crowd.bytes[1] - bytes_out <= self.crowd.bytes[0] - bytes_in, "more out than in");
            if number % 100 == 0 {
                let n = rng.below(u64::from(SESSIONS)) as usize;
                let (from, client) = &mut self.sessions[n];
                self.crowd.echo(from, client, b"business as usual", &mut buffer);
            }
        }
    }
}

#[test]
fn no_session_is_lost_and_nothing_grows() {
    World::unchecked().run(|| {
        let mut target = Target::new();
        let mut rng = Prng::new(4);
        // Twice, with a new cookie secret between: from then on there is always one before the current one.
        for _ in 0..2 {
            target.attack(&mut rng, 1_000);
            target.crowd.now = target.crowd.now.after(Duration::from_secs(61));
        }
        let (before, stats) = (target.crowd.bytes, target.crowd.endpoint.stats().clone());
        let info = measure(|| target.attack(&mut rng, DATAGRAMS));
        let [bytes_in, bytes_out] = [0, 1].map(|i| target.crowd.bytes[i] - before[i]);
        let after = target.crowd.endpoint.stats();
        println!(
            "{DATAGRAMS} hostile datagrams, {SESSIONS} sessions: {bytes_in} bytes in, {bytes_out} out, {} replies, \
             heap {:+} bytes, peak {:+}",
            after.replies - stats.replies,
            info.bytes_current,
            info.bytes_max,
        );
        assert_eq!(target.crowd.events, [], "nobody is told anything");
        assert_eq!(info.bytes_current, 0, "the heap is as it was");
        assert!(bytes_out <= bytes_in);
        assert_eq!((after.connections, after.accepted), (SESSIONS as usize, stats.accepted));
        assert!(after.replies > stats.replies, "the listener was reached");
        target.echo_all();
    });
}
