//! Writes the first inputs of each fuzz target into `fuzz/corpus`: datagrams of the captures, and of our own client.
//!
//! `cargo run -p fuzz-bodies --example seeds`

use std::{collections::BTreeSet, fs, io, path::Path};

use dtls_core::{
    Arc, ClientConfig, Connection, Instant, Limits, Listener, Rng as _, ServerConfig, Verdict, all_suites,
};
use fuzz_bodies::{IDENTITY, Script, Step};
use ideal_crypto::World;
use serde_json::Value;
use simulated_network::Prng;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Captures whose datagrams are worth having: one per kind of handshake.
const CAPTURES: [&str; 8] = [
    "ossl12-psk-aes128ccm8",
    "gnutls12-psk-aes128gcm",
    "ossl12-ecdhe-psk-chacha20",
    "coap-gnutls-psk",
    "tinydtls-client-openssl-server",
    "mbed12-mtu256",
    "mbed12-psk-ccm8-cid",
    "wolf13-cid",
];
/// In `server_unauth`: put the cookie in that the server has given.
const INSERT_COOKIE: u16 = 4;
/// In `server_unauth`: a quarter of a second passes for each unit of the first byte.
const LET_TIME_PASS: u16 = 8;
/// In `server_unauth`: in two fragments.
const SPLIT_HELLO: u16 = 128;
/// In `server_unauth`: with [`INSERT_COOKIE`], the one given to the next address.
const STRANGERS_COOKIE: u16 = 256;

fn main() -> io::Result<()> {
    let mut datagrams = BTreeSet::new();
    let mut scripts = Vec::new();
    for name in CAPTURES {
        let capture = read(name)?;
        let mut steps = Vec::new();
        for (from_client, datagram) in &capture {
            datagrams.insert(datagram.clone());
            if *from_client {
                steps.push(Step { choices: INSERT_COOKIE, datagram: datagram.clone() });
            }
        }
        scripts.push(Script { options: 0, steps });
    }
    for mtu in [1232, 228] {
        // Each in a world of its own: the same randomness gives the same nonces.
        let (flights, steps) = World::default().run(|| own_client(mtu));
        datagrams.extend(flights);
        scripts.push(Script { options: 0, steps });
    }
    // The second hello in two fragments.
    let split = |script: &Script| {
        let mut script = script.clone();
        script.steps.iter_mut().skip(1).take(1).for_each(|step| step.choices |= SPLIT_HELLO);
        script
    };
    scripts.extend(scripts.iter().map(split).collect::<Vec<_>>());
    // A cookie that another address was given.
    scripts.extend(scripts.first().map(stolen_cookie));
    scripts.extend(scripts.first().map(late_cookie));
    // The same without cookies, and with a key that comes later.
    for options in [1, 2, 8 | 16] {
        let more = scripts.iter().take(10).map(|script| Script { options, ..script.clone() });
        scripts.extend(more.collect::<Vec<_>>());
    }
    datagrams.extend(fragment_edges());
    write("record_parse", datagrams.into_iter())?;
    write("dolev_yao", talks())?;
    write("server_unauth", scripts.iter().map(Script::to_bytes))
}

/// The first hello from two addresses; then the second from each, with the cookie of the other.
fn stolen_cookie(script: &Script) -> Script {
    let (hello, second) = (&script.steps[0].datagram, &script.steps[1].datagram);
    let step = |choices, datagram: &Vec<u8>| Step { choices, datagram: datagram.clone() };
    let stolen = INSERT_COOKIE | STRANGERS_COOKIE;
    Script {
        options: 0,
        steps: vec![step(0, hello), step(1, hello), step(stolen, second), step(3 | stolen, second)],
    }
}

/// The second hello more than two minutes after the first.
fn late_cookie(script: &Script) -> Script {
    let wait = Step { choices: LET_TIME_PASS, datagram: vec![255] };
    let [first, second, ..] = script.steps.as_slice() else { return Script::default() };
    Script { options: 0, steps: vec![first.clone(), wait.clone(), wait, second.clone()] }
}

/// Fragments that just fit into their message and record, and such that just do not.
fn fragment_edges() -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    for (total, offset, length, body) in [
        (4, 0, 4, 4),
        (4, 1, 3, 3),
        (4, 1, 4, 4),
        (4, 4, 0, 0),
        (0, 0, 0, 0),
        (0, 1, 0, 0),
        (4, 0, 4, 3),
        (4, 0, 3, 4),
    ] {
        let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 7, 0, 12 + body];
        datagram.extend([14, 0, 0, total, 0, 0, 0, 0, offset, 0, 0, length]);
        datagram.extend(vec![0; usize::from(body)]);
        datagrams.push(datagram);
    }
    datagrams
}

/// The datagrams of a capture and whether the client sent them.
fn read(name: &str) -> io::Result<Vec<(bool, Vec<u8>)>> {
    let capture: Value =
        serde_json::from_slice(&fs::read(format!("{ROOT}/vectors/data/captures/{name}.json"))?)?;
    let datagrams = capture["datagrams"].as_array().into_iter().flatten();
    let read = |datagram: &Value| {
        let hex = datagram["hex"].as_str().unwrap_or_default();
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or_default();
        (datagram["dir"] == "c2s", (0..hex.len()).step_by(2).map(byte).collect())
    };
    Ok(datagrams.map(read).collect())
}

/// All datagrams of a handshake of our own, and as steps those that the client sends. It has another key than the server.
fn own_client(mtu: usize) -> (Vec<Vec<u8>>, Vec<Step>) {
    let suites: Vec<_> = all_suites().collect();
    let mut limits = Limits::default();
    limits.mtu = mtu;
    let provider = ideal_crypto::PROVIDER;
    let client =
        ClientConfig::builder(provider).limits(limits.clone()).suites(&suites).psk(IDENTITY, b"guessed");
    let server =
        ServerConfig::builder(provider).limits(limits).suites(&suites).psk_table([(IDENTITY, &b"other"[..])]);
    let client = client.build().expect("the settings fit");
    let server = server.build().expect("the settings fit");
    let (now, mut rng) = (Instant::from_micros(1_000_000), Prng::new(1));
    let mut listener = Listener::new(Arc::clone(&server)).expect("the provider has SHA-256");
    let mut client = Connection::client(client, now, &mut Prng::new(2)).expect("the generator works");
    let mut connection: Option<Connection> = None;
    let (mut all, mut steps) = (Vec::new(), Vec::new());
    let mut buffer = [0; 2048];
    let mut reply = [0; 2048];
    while let Some(datagram) = client.poll_transmit(now, &mut buffer).map(|d| d.to_vec()) {
        all.push(datagram.clone());
        steps.push(Step { choices: INSERT_COOKIE, datagram: datagram.clone() });
        let mut incoming = datagram;
        if let Some(server) = &mut connection {
            let _told = server.handle_datagram(now, &mut rng, &mut incoming).next_data();
        } else {
            match listener.handle(now, &mut rng, &[0], &mut incoming, &mut reply) {
                Verdict::Reply(bytes) => {
                    all.push(bytes.to_vec());
                    let _told = client.handle_datagram(now, &mut rng, bytes).next_data();
                }
                Verdict::Accept(hello) => {
                    connection = Some(Connection::server(Arc::clone(&server), &hello, now, &mut rng));
                }
                _ => {}
            }
        }
        while let Some(bytes) = connection.as_mut().and_then(|c| c.poll_transmit(now, &mut reply)) {
            all.push(bytes.to_vec());
            let _told = client.handle_datagram(now, &mut rng, bytes).next_data();
        }
    }
    (all, steps)
}

/// For each mode and kind of peer, of many random inputs the shortest that gets farthest.
fn talks() -> impl Iterator<Item = Vec<u8>> {
    let mut rng = Prng::new(5);
    (0..=u8::MAX).step_by(2).map(move |options| {
        // Every other run is one with datagrams of a small path.
        let options = options.rotate_right(1);
        let worth = |input: &Vec<u8>| {
            let met = fuzz_bodies::dolev_yao(input);
            (
                [met.connected, met.delivered, met.closed].into_iter().filter(|met| *met).count(),
                usize::MAX - input.len(),
            )
        };
        let inputs = (0..200).map(|_| {
            let mut input = vec![0; 40 + rng.below(120) as usize];
            // The generator does not fail.
            let _filled = rng.try_fill(&mut input);
            input[0] = options;
            input
        });
        inputs.max_by_key(worth).unwrap_or_default()
    })
}

fn write(target: &str, inputs: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    let dir = Path::new(ROOT).join("fuzz/corpus").join(target);
    fs::create_dir_all(&dir)?;
    let mut count = 0;
    for (i, input) in inputs.enumerate() {
        fs::write(dir.join(format!("seed-{i:03}")), input)?;
        count += 1;
    }
    println!("{target}: {count} seeds");
    Ok(())
}
