//! Every state × every kind of input × every epoch, against a reviewed snapshot.
//!
//! A change of behaviour shows as a change of `matrix.txt`. `UPDATE_SNAPSHOTS=1 cargo test -p model-tests --test matrix`
//! writes it anew; the reviewer reads the difference.

use core::{fmt::Write as _, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use dtls_core::{
    CipherSuite, ContentType, HandshakeType, ProtocolVersion, PskMode, StateKind, TraceEvent,
    crypto::Provider,
};
use model_tests::{
    Ends, KEY, Recipe, Script, Setup, Side,
    schedule::{Forgery, Step},
    wire::records,
};

const PROVIDER: Provider = ideal_crypto::PROVIDER;
const PSK: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
const PSK13: CipherSuite = CipherSuite::TLS_AES_128_CCM_SHA256;
const ECDHE: CipherSuite = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256;

/// Handshake messages without a name in this library.
const UNKNOWN: [(u8, &str); 4] = [
    (5, "end_of_early_data"),
    (9, "request_connection_id"),
    (10, "new_connection_id"),
    (99, "handshake type 99"),
];

/// A way to a state, and what is there besides the state's name.
struct Row {
    about: &'static str,
    /// Who is in the state.
    side: Side,
    script: Script,
}

/// Every way to be in a state of this kind that differs in what it takes. A new state does not compile without its rows.
fn rows(kind: StateKind) -> Vec<Row> {
    use Side::{Client, Server};
    let client = |about, suite, until: fn(&Script) -> bool| row(about, Client, suite, until);
    let server = |about, suite, until: fn(&Script) -> bool| row(about, Server, suite, until);
    let client13 = |about, mode, until: fn(&Script) -> bool| row13(about, Client, mode, until);
    let server13 = |about, mode, until: fn(&Script) -> bool| row13(about, Server, mode, until);
    match kind {
        StateKind::ExpectServerHello => vec![
            client("the first hello was sent", PSK, |_| true),
            client("the hello with the cookie was sent", PSK, |script| seq(script, Client) == Some(1)),
            client13("1.3, the first hello was sent", PskMode::PskDhe, |_| true),
            client13("1.3, HelloRetryRequest was answered", PskMode::PskDhe, |script| {
                seq(script, Client) == Some(1)
            }),
            both_versions("both versions were offered", |_| true),
            both_versions("both versions were offered, and the cookie of 1.2 was asked for", |script| {
                seq(script, Client) == Some(1)
            }),
            both_versions13("both versions were offered, and HelloRetryRequest was answered"),
        ],
        StateKind::ExpectEncryptedExtensions13 => vec![client13("nothing yet", PskMode::PskDhe, |script| {
            is(script, Client, StateKind::ExpectEncryptedExtensions13)
        })],
        StateKind::ClientExpectFinished13 => {
            vec![client13("with a part of Finished", PskMode::PskOnly, |script| {
                is(script, Client, StateKind::ClientExpectFinished13)
            })]
        }
        StateKind::AwaitPsk13 => vec![await_psk(true)],
        StateKind::ServerExpectFinished13 => vec![
            server13("psk_dhe_ke", PskMode::PskDhe, |script| {
                is(script, Server, StateKind::ServerExpectFinished13)
            }),
            server13("psk_ke, with a part of Finished", PskMode::PskOnly, |script| {
                is(script, Client, StateKind::Established) && read_epoch(script, Server) == Some(2)
            }),
        ],
        StateKind::ExpectKeyExchange12 => vec![
            client("PSK, nothing yet", PSK, |script| seq(script, Client) == Some(2)),
            client("ECDHE_PSK, nothing yet", ECDHE, |script| seq(script, Client) == Some(2)),
            client("ECDHE_PSK, after ServerKeyExchange", ECDHE, |script| seq(script, Client) == Some(3)),
        ],
        StateKind::ClientExpectFinished12 => vec![
            client("before ChangeCipherSpec", PSK, |script| is(script, Server, StateKind::Established)),
            client("after ChangeCipherSpec", PSK, |script| read_epoch(script, Client) == Some(1)),
        ],
        // Only inside Connection::server, which takes the hello that the listener accepted.
        StateKind::ExpectClientHello => vec![],
        StateKind::ExpectClientKeyExchange12 => vec![
            server("PSK", PSK, |script| is(script, Server, StateKind::ExpectClientKeyExchange12)),
            server("ECDHE_PSK", ECDHE, |script| is(script, Server, StateKind::ExpectClientKeyExchange12)),
        ],
        StateKind::AwaitPsk12 => vec![await_psk(false)],
        StateKind::ServerExpectFinished12 => vec![
            server("before ChangeCipherSpec", PSK, |script| {
                is(script, Server, StateKind::ServerExpectFinished12)
            }),
            server("after ChangeCipherSpec", PSK, |script| read_epoch(script, Server) == Some(1)),
        ],
        StateKind::Established | StateKind::Closed | StateKind::Failed => rows_after(kind),
    }
}

/// Of states after the handshake.
fn rows_after(kind: StateKind) -> Vec<Row> {
    use Side::{Client, Server};
    let client = |about, suite, until: fn(&Script) -> bool| row(about, Client, suite, until);
    let server = |about, suite, until: fn(&Script) -> bool| row(about, Server, suite, until);
    let client13 = |about, mode, until: fn(&Script) -> bool| row13(about, Client, mode, until);
    let server13 = |about, mode, until: fn(&Script) -> bool| row13(about, Server, mode, until);
    match kind {
        StateKind::Established => vec![
            client("client", PSK, |script| script.ends.connected()),
            server("server that keeps its last flight", PSK, |script| script.ends.connected()),
            server_after_last_flight(PSK),
            client13("1.3, client whose Finished is not acknowledged", PskMode::PskDhe, |script| {
                is(script, Client, StateKind::Established)
            }),
            idle13("1.3, idle client", Client),
            server13("1.3, server that still reads epoch 2", PskMode::PskDhe, |script| {
                script.ends.connected()
            }),
            server_after_last_flight(PSK13),
        ],
        StateKind::Closed => vec![
            closed(server("closed here", PSK, |script| script.ends.connected())),
            closed(server13("1.3, closed here", PskMode::PskDhe, |script| script.ends.connected())),
            closed(client13("1.3, closed here, Finished is not acknowledged", PskMode::PskDhe, |script| {
                is(script, Client, StateKind::Established)
            })),
        ],
        StateKind::Failed => rows_failed(),
        _ => Vec::new(),
    }
}

/// Of ends that have sent a fatal alert, and of those that have received one.
fn rows_failed() -> Vec<Row> {
    use Side::{Client, Server};
    let client = |about, until: fn(&Script) -> bool| row(about, Client, PSK, until);
    let server = |about, until: fn(&Script) -> bool| row(about, Server, PSK, until);
    let client13 = |about, until: fn(&Script) -> bool| row13(about, Client, PskMode::PskDhe, until);
    let server13 = |about, until: fn(&Script) -> bool| row13(about, Server, PskMode::PskDhe, until);
    let server_waits =
        |script: &Script| is(script, Client, StateKind::Established) && read_epoch(script, Server) == Some(2);
    vec![
        failed(server("by an unexpected message", |script| read_epoch(script, Server) == Some(1))),
        failed(server13("1.3, by an unexpected message", server_waits)),
        failed(client("client, by an unexpected message in the clear", |_| true)),
        failed(client("client, by an unexpected message under keys", |script| {
            read_epoch(script, Client) == Some(1)
        })),
        failed(client13("1.3, client, by an unexpected message in the clear", |_| true)),
        failed(client13("1.3, client, by an unexpected message under the keys of the handshake", |script| {
            read_epoch(script, Client) == Some(2)
        })),
        failed(idle13("1.3, client, by an unexpected message after the handshake", Client)),
        failed(both_versions("client of both versions, by an unexpected message", |_| true)),
        alerted(server("by an alert", |script| read_epoch(script, Server) == Some(1))),
        alerted(server13("1.3, by an alert", server_waits)),
        alerted(client("client, by an alert in the clear", |_| true)),
        alerted(client("client, by an alert under keys", |script| read_epoch(script, Client) == Some(1))),
        alerted(client("client, by an alert after the handshake", |script| script.ends.connected())),
        alerted(client13("1.3, client, by an alert in the clear", |script| seq(script, Client) == Some(1))),
        alerted(client13("1.3, client, by an alert under the keys of the handshake", |script| {
            read_epoch(script, Client) == Some(2)
        })),
        alerted(idle13("1.3, client, by an alert after the handshake", Client)),
        alerted(both_versions("client of both versions, by an alert", |_| true)),
        given_up(client("client, by its deadline", |_| true)),
    ]
}

fn row(about: &'static str, side: Side, suite: CipherSuite, until: fn(&Script) -> bool) -> Row {
    let mut script = Script::new(&Recipe { suites: vec![suite], ..Recipe::new(PROVIDER) }.setup());
    deliver_until(&mut script, until);
    Row { about, side, script }
}

/// In DTLS 1.3. Datagrams are short, so that messages arrive one by one.
fn row13(about: &'static str, side: Side, mode: PskMode, until: fn(&Script) -> bool) -> Row {
    let setup = Recipe::new13(PROVIDER, mode).setup();
    let mut script = Script::new(&Setup { room: [50, 70], ..setup });
    deliver_until(&mut script, until);
    Row { about, side, script }
}

/// A client of both versions and a server of 1.2.
fn both_versions(about: &'static str, until: fn(&Script) -> bool) -> Row {
    let recipe = Recipe { suites: vec![PSK13, PSK], ..Recipe::new(PROVIDER) };
    let versions = [recipe.versions[0].clone(), vec![ProtocolVersion::DTLS1_2]];
    let mut script = Script::new(&Recipe { versions, ..recipe }.setup());
    deliver_until(&mut script, until);
    Row { about, side: Side::Client, script }
}

/// Clients and server of both versions.
fn both_versions13(about: &'static str) -> Row {
    let mut script = Script::new(&Recipe { suites: vec![PSK13, PSK], ..Recipe::new(PROVIDER) }.setup());
    deliver_until(&mut script, |script| seq(script, Side::Client) == Some(1));
    Row { about, side: Side::Client, script }
}

fn await_psk(is13: bool) -> Row {
    let suites = vec![if is13 { PSK13 } else { PSK }];
    let mut script = Script::new(&Recipe { deferred: true, suites, ..Recipe::new(PROVIDER) }.setup());
    let kind = if is13 { StateKind::AwaitPsk13 } else { StateKind::AwaitPsk12 };
    deliver_until(&mut script, |script| is(script, Side::Server, kind));
    Row { about: "the key was asked for", side: Side::Server, script }
}

/// Everything was acknowledged.
fn idle13(about: &'static str, side: Side) -> Row {
    let mut row = row13(about, side, PskMode::PskDhe, |script| script.ends.connected());
    (0..10).for_each(|_| row.script.apply(&Step::Deliver(0)));
    assert!(!row.script.ends.end(Side::Client).unwrap().connection().holds_handshake());
    row
}

fn server_after_last_flight(suite: CipherSuite) -> Row {
    let about = match suite {
        PSK13 => "1.3, server that has forgotten epoch 2",
        _ => "server whose last flight is forgotten",
    };
    let mut row = row(about, Side::Server, suite, |script| script.ends.connected());
    row.script.apply(&Step::Advance(Duration::from_secs(240).as_micros() as u32));
    assert!(!row.script.ends.end(Side::Server).unwrap().connection().holds_handshake());
    row
}

fn closed(mut row: Row) -> Row {
    row.script.apply(&Step::Close(row.side));
    row
}

/// The server has got a ServerHello, or the client a ClientHello.
fn failed(row: Row) -> Row {
    let typ =
        if row.side == Side::Server { HandshakeType::SERVER_HELLO } else { HandshakeType::CLIENT_HELLO };
    let seq = seq(&row.script, row.side).unwrap() as u8;
    ended_by(row, ContentType::HANDSHAKE, &[typ.0, 0, 0, 0, 0, seq, 0, 0, 0, 0, 0, 0])
}

/// The peer has sent handshake_failure.
fn alerted(row: Row) -> Row {
    ended_by(row, ContentType::ALERT, &[2, 40])
}

fn ended_by(mut row: Row, content: ContentType, body: &[u8]) -> Row {
    let epoch = read_epoch(&row.script, row.side).unwrap();
    let record = record(&mut row.script.ends, row.side, epoch, content, body);
    assert!(row.script.ends.deliver(row.side, &record).is_err());
    row
}

/// Nobody has answered for too long.
fn given_up(mut row: Row) -> Row {
    while !is(&row.script, row.side, StateKind::Failed) {
        row.script.apply(&Step::NextTimer);
    }
    row
}

/// Delivers in order, record by record, until `done`.
fn deliver_until(script: &mut Script, done: impl Fn(&Script) -> bool) {
    for _ in 0..100 {
        if done(script) {
            return;
        }
        script.apply(&Step::Split(0, 1));
        script.apply(&Step::Deliver(0));
    }
    panic!("the state was not reached");
}

fn seq(script: &Script, side: Side) -> Option<u16> {
    script.ends.end(side)?.connection().next_message_seq()
}

fn read_epoch(script: &Script, side: Side) -> Option<u16> {
    script.ends.end(side).map(|end| end.connection().read_epoch())
}

fn is(script: &Script, side: Side, kind: StateKind) -> bool {
    script.ends.end(side).is_some_and(|end| end.connection().state_kind() == kind)
}

/// What can arrive, with the name it has in the snapshot.
fn inputs(row: &Row) -> Vec<(String, ContentType, Vec<u8>)> {
    // The run goes on in a copy, so that each message has the body it really has there, if it occurs at all.
    let mut whole = row.script.clone();
    whole.finish(100);
    let genuine = genuine_bodies(&whole);
    let seq = seq(&row.script, row.side).unwrap_or(100);
    // Of those states that tell a Finished of one version from one of the other.
    let is13 = row.script.ends.end(row.side).is_some_and(|end| {
        let kind = end.connection().state_kind();
        matches!(kind, StateKind::ClientExpectFinished13 | StateKind::ServerExpectFinished13)
    });
    let mut inputs = Vec::new();
    for typ in (0..=u8::MAX).map(HandshakeType) {
        // All that have a name, and some that this library does not know.
        let unknown = UNKNOWN.iter().find(|(other, _)| *other == typ.0).map(|(_, name)| *name);
        if let Some(name) = typ.name().or(unknown) {
            let body = genuine.get(&typ.0).cloned().unwrap_or_else(|| invented_body(typ, is13));
            let [_, _, hi, lo] = (body.len() as u32).to_be_bytes();
            let [seq_hi, seq_lo] = seq.to_be_bytes();
            let header = [typ.0, 0, hi, lo, seq_hi, seq_lo, 0, 0, 0, 0, hi, lo];
            inputs.push((name.to_owned(), ContentType::HANDSHAKE, [&header[..], &body].concat()));
        }
    }
    inputs.push(("ChangeCipherSpec".to_owned(), ContentType::CHANGE_CIPHER_SPEC, vec![1]));
    for (name, level, description) in
        [("fatal alert", 2, 40), ("warning alert", 1, 90), ("close_notify", 1, 0), ("malformed alert", 3, 40)]
    {
        inputs.push((name.to_owned(), ContentType::ALERT, vec![level, description]));
    }
    let ack = |epoch: u8, sequence: u8| [&[0, 16][..], &[0; 7], &[epoch], &[0; 7], &[sequence]].concat();
    for (name, body) in [
        ("empty ACK", vec![0, 0]),
        ("ACK of a record never sent", ack(0, 200)),
        ("ACK of a higher epoch", ack(9, 0)),
        ("malformed ACK", vec![0, 16, 0]),
    ] {
        inputs.push((name.to_owned(), ContentType::ACK, body));
    }
    inputs.push(("application data".to_owned(), ContentType::APPLICATION_DATA, b"reading".to_vec()));
    inputs.push(("content type 99".to_owned(), ContentType(99), vec![0]));
    inputs
}

/// The body of each plaintext handshake message either end has sent so far.
fn genuine_bodies(script: &Script) -> BTreeMap<u8, Vec<u8>> {
    let mut bodies = BTreeMap::new();
    for letter in script.mailbox.sent() {
        for record in records(&letter.bytes) {
            if let (Some(22), 0, [typ, _, _, _, _, _, _, _, _, _, _, _, body @ ..]) =
                (record.content_type(), record.epoch(), record.body())
            {
                bodies.insert(*typ, body.to_vec());
            }
        }
    }
    bodies
}

/// Something well-formed for messages that the run has not shown yet; empty for those this library has no codec for.
fn invented_body(typ: HandshakeType, is13: bool) -> Vec<u8> {
    match typ {
        HandshakeType::HELLO_VERIFY_REQUEST => vec![0xfe, 0xff, 2, 7, 7],
        HandshakeType::SERVER_HELLO => {
            [&[0xfe, 0xfd][..], &[5; 32], &[0, 0xc0, 0xa8, 0, 0, 4, 0, 23, 0, 0]].concat()
        }
        HandshakeType::SERVER_KEY_EXCHANGE => vec![0, 1, b'h'],
        HandshakeType::CLIENT_KEY_EXCHANGE => vec![0, 1, b'i'],
        HandshakeType::FINISHED => vec![0; if is13 { 32 } else { 12 }],
        HandshakeType::ENCRYPTED_EXTENSIONS => vec![0, 0],
        HandshakeType::KEY_UPDATE => vec![0],
        _ => Vec::new(),
    }
}

/// What one record does to the end that receives it.
fn outcome(row: &Row, epoch: u16, content: ContentType, body: &[u8]) -> String {
    let mut ends = row.script.ends.clone();
    let record = record(&mut ends, row.side, epoch, content, body);
    describe(&mut ends, row.side, &record)
}

/// A record for this end. Epoch 0 can be forged by anybody; what the peer has no keys for can only be forged badly.
fn record(ends: &mut Ends, to: Side, epoch: u16, content: ContentType, body: &[u8]) -> Vec<u8> {
    let plain =
        || Forgery { to, content_type: content.0, epoch, sequence: 1 << 20, body: body.to_vec() }.datagram();
    let sealed = (epoch > 0).then(|| ends.forge(to.peer(), epoch, content, body)).flatten();
    sealed.unwrap_or_else(plain)
}

/// Delivers `record` and says what it did.
fn describe(ends: &mut Ends, side: Side, record: &[u8]) -> String {
    let state = |ends: &Ends| ends.end(side).map(|end| end.connection().state_name()).unwrap_or("none");
    let before = (state(ends), ends.end(side).map(model_tests::End::fingerprint));
    ends.take_trace(side);
    let result = ends.deliver(side, record);
    let mut said = Vec::new();
    if state(ends) != before.0 {
        said.push(format!("goes to \"{}\"", state(ends)));
    }
    for event in ends.take_trace(side) {
        match event {
            TraceEvent::Discarded { reason, .. } => said.push(format!("drops it, {reason:?}")),
            TraceEvent::Failed { error } => said.push(format!("{error:?}")),
            TraceEvent::AlertSent { description } => said.push(format!("sends alert {description:?}")),
            TraceEvent::Delivered { .. } => said.push("delivers it".to_owned()),
            TraceEvent::RetransmitOnRequest => said.push("sends its flight again".to_owned()),
            TraceEvent::MessageProcessed { .. } => said.push("takes the message".to_owned()),
            TraceEvent::ReadEpoch { epoch } => said.push(format!("reads epoch {epoch}")),
            _ => {}
        }
    }
    if said.is_empty() {
        said.push(match result {
            Err(error) => format!("says again {error:?}"),
            Ok(()) => "takes note".to_owned(),
        });
    }
    let changed = ends.end(side).map(model_tests::End::fingerprint) != before.1;
    if !changed {
        said.push("unchanged".to_owned());
    }
    said.join("; ")
}

/// The whole matrix as text: for each row and epoch the outcomes, and which inputs have them.
fn matrix() -> String {
    let mut text = String::new();
    for kind in StateKind::ALL {
        for row in rows(*kind) {
            let end = row.script.ends.end(row.side).unwrap();
            assert_eq!(end.connection().state_kind(), *kind, "{}", row.about);
            let reads = end.connection().read_epoch();
            writeln!(text, "{kind:?}: {} (reads epoch {reads})", row.about).unwrap();
            // Plaintext, what was read before, and what comes next.
            let epochs = BTreeSet::from([0, reads.saturating_sub(1), reads, reads + 1]);
            for epoch in epochs {
                let mut outcomes: Vec<(String, Vec<String>)> = Vec::new();
                for (input, content, body) in inputs(&row) {
                    let outcome = outcome(&row, epoch, content, &body);
                    match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
                        Some((_, inputs)) => inputs.push(input),
                        None => outcomes.push((outcome, vec![input])),
                    }
                }
                writeln!(text, "  epoch {epoch}").unwrap();
                let all: Vec<String> = inputs(&row).into_iter().map(|(name, ..)| name).collect();
                for (outcome, inputs) in outcomes {
                    writeln!(text, "    {outcome}\n      <- {}", list(&inputs, &all)).unwrap();
                }
            }
            if let Some(outcome) = honest_next(&row) {
                writeln!(text, "  next record of the honest peer\n    {outcome}").unwrap();
            }
            text.push('\n');
        }
    }
    text
}

/// `some` of `all`, in few words.
fn list(some: &[String], all: &[String]) -> String {
    let rest: Vec<&str> = all.iter().filter(|name| !some.contains(name)).map(String::as_str).collect();
    match rest.len() {
        0 => "everything".to_owned(),
        n if n < some.len() => format!("everything but {}", rest.join(", ")),
        _ => some.join(", "),
    }
}

/// What the next record under way does, if there is one.
fn honest_next(row: &Row) -> Option<String> {
    let mut script = row.script.clone();
    let index = script.mailbox.live().iter().position(|letter| letter.to == row.side)?;
    script.apply(&Step::Split(index as u8, 1));
    let record = script.mailbox.live()[index].bytes.clone();
    Some(describe(&mut script.ends, row.side, &record))
}

#[test]
fn every_state_and_input_is_as_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt");
    let found = matrix();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (found, reviewed)) in found.lines().zip(reviewed.lines()).enumerate() {
        assert_eq!(found, reviewed, "matrix.txt, line {}", number + 1);
    }
    assert_eq!(found.lines().count(), reviewed.lines().count(), "matrix.txt has another length");
    let cells: usize = StateKind::ALL.iter().flat_map(|kind| rows(*kind)).map(|row| inputs(&row).len()).sum();
    println!(
        "{} rows, {cells} inputs in each epoch",
        StateKind::ALL.iter().map(|kind| rows(*kind).len()).sum::<usize>()
    );
}

#[test]
fn the_key_that_arrives_late_completes_the_handshake() {
    for is13 in [false, true] {
        let Row { mut script, .. } = await_psk(is13);
        // The client goes on sending its flight, to no effect.
        for _ in 0..3 {
            script.apply(&Step::NextTimer);
            (0..10).for_each(|_| script.apply(&Step::Deliver(0)));
        }
        let kind = if is13 { StateKind::AwaitPsk13 } else { StateKind::AwaitPsk12 };
        assert!(is(&script, Side::Server, kind));
        script.ends.provide_psk(Some(KEY)).unwrap();
        script.finish(100);
        assert!(script.ends.connected());
    }
}
