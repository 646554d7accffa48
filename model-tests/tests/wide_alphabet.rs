//! The alphabets of the modes are small, so that ends can be learned. Here each end is tried in every state with every symbol that
//! stands for something: every message in every epoch, in order and ahead, every kind of hello, every ACK and alert. None answers
//! otherwise than the reference model, and what an alphabet leaves out can't hide a difference.

use std::collections::BTreeSet;

use model_tests::{
    learning::{Sul, differences},
    tell,
};
use reference_model::{
    Input, Machine,
    mode::{Mode, Role, Versions},
};

/// Messages for either role.
const ANYBODY: &[&str] = &[
    "Finished",
    "Finished+bad",
    "Certificate",
    "CertificateRequest",
    "CertificateVerify",
    "NewSessionTicket",
    "KeyUpdate",
    "EndOfEarlyData",
    "HelloRequest",
    "UnknownMessage",
    "EncryptedExtensions",
    "ServerHelloDone",
    "HelloVerifyRequest",
    "Malformed",
];

const ACKS: &[&str] = &["empty", "all", "plain", "unknown", "higher-epoch", "malformed"];

const ALERTS: &[&str] =
    &["close_notify", "handshake_failure", "user_canceled", "no_renegotiation", "internal_error"];

#[test]
fn clients_of_one_version() {
    walk(|mode| mode.role == Role::Client && mode.versions != Versions::Both);
}

#[test]
fn clients_of_both_versions() {
    walk(|mode| mode.role == Role::Client && mode.versions == Versions::Both);
}

#[test]
fn servers_of_one_version() {
    walk(|mode| mode.role == Role::Server && mode.versions != Versions::Both);
}

#[test]
fn servers_of_both_versions() {
    walk(|mode| mode.role == Role::Server && mode.versions == Versions::Both);
}

fn walk(which: impl Fn(&Mode) -> bool) {
    let mut found = Vec::new();
    for mode in Mode::all().into_iter().filter(which) {
        let alphabet = alphabet(mode);
        let list = differences(&Sul::for_alphabet(mode, &alphabet), &Machine::new(mode), &alphabet, false);
        tell!(
            "{mode}: {} symbols, {} of them in the mode's own alphabet",
            alphabet.len(),
            mode.alphabet().len()
        );
        found.extend(list.iter().map(|one| format!("{mode}: {one}")));
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// All symbols, with those of the mode's own alphabet.
fn alphabet(mode: Mode) -> Vec<Input> {
    let mut epochs = vec![0];
    epochs.extend(mode.has_12().then_some(1));
    epochs.extend(mode.has_13().then_some([2, 3]).into_iter().flatten());
    let (messages, ahead) = messages(mode);
    let mut names = BTreeSet::new();
    for epoch in epochs {
        names.extend(messages.iter().map(|message| format!("{message}@{epoch}")));
        names.extend(ahead.iter().map(|message| format!("{message}~ahead@{epoch}")));
        names.extend(ACKS.iter().map(|ack| format!("Ack+{ack}@{epoch}")));
        let levels = ["warning", "fatal"].into_iter();
        let alerts =
            levels.flat_map(|level| ALERTS.iter().map(move |alert| format!("Alert+{level}+{alert}")));
        for content in alerts.chain(["Data", "UnknownType", "CCS"].map(str::to_owned)) {
            names.extend((epoch > 0).then(|| format!("{content}@{epoch}!")));
            names.insert(format!("{content}@{epoch}"));
        }
    }
    match mode.role {
        Role::Client => names.extend(["ServerHello+12/first@0", "ServerHello+12/rest@0"].map(str::to_owned)),
        Role::Server => names.extend(client_hellos(mode).iter().map(|hello| format!("{hello}~start@0"))),
    }
    let mut inputs = mode.alphabet();
    for name in names {
        let input = name.parse().unwrap_or_else(|error| panic!("{error}"));
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    inputs
}

/// Messages that come in order, and those of them that come ahead as well. The others would wait as these do, and of hellos two
/// may happen to be of one length: then they are pieces of one message.
fn messages(mode: Mode) -> (Vec<String>, Vec<&'static str>) {
    let mut messages: Vec<_> = ANYBODY.iter().map(|message| (*message).to_owned()).collect();
    let mut ahead = vec!["Finished", "Finished+bad", "CertificateVerify", "UnknownMessage"];
    match mode.role {
        Role::Client => {
            messages.extend(server_hellos(mode));
            messages.push("ServerKeyExchange".to_owned());
            messages.extend(mode.ephemeral.then(|| "ServerKeyExchange+bad".to_owned()));
            // What only a client says.
            messages.extend(["ClientHello+both", "ClientKeyExchange"].map(str::to_owned));
            let own = ["HelloVerifyRequest", "ServerHello+12", "ServerKeyExchange", "ServerHelloDone"];
            ahead.extend(own.into_iter().chain(["EncryptedExtensions"]));
        }
        Role::Server => {
            // What only a server says.
            let turned =
                ["ServerHello+12", "ServerHello+13", "HelloRetryRequest+cookie", "ServerKeyExchange"];
            messages.extend(turned.map(str::to_owned));
            let own = ["ClientKeyExchange", "ClientKeyExchange+bad"].into_iter();
            let hellos = ["ClientHello+10", "ClientHello+12", "ClientHello+13", "ClientHello+both"];
            messages.extend(own.chain(hellos).map(str::to_owned));
            ahead.extend(["ClientKeyExchange", "ClientHello+12"]);
        }
    }
    (messages, ahead)
}

/// What the server may begin with. What a group is is known only with a Diffie-Hellman exchange.
fn server_hellos(mode: Mode) -> Vec<String> {
    let mut groups = vec![""];
    groups.extend(mode.ephemeral.then_some(["+group", "+same-group", "+other-group"]).into_iter().flatten());
    let mut hellos = vec!["ServerHello+10".to_owned()];
    for group in groups {
        hellos.extend(["", "+cookie"].map(|cookie| format!("HelloRetryRequest{cookie}{group}")));
    }
    hellos.extend(["", "+other-suite", "+no-ems", "+sentinel"].map(|flaw| format!("ServerHello+12{flaw}")));
    let flaws = ["", "+other-suite", "+bad-psk", "+no-psk", "+session-id"].into_iter();
    let share = mode.ephemeral.then_some("+bad-share");
    hellos.extend(flaws.chain(share).map(|flaw| format!("ServerHello+13{flaw}")));
    hellos
}

/// Every hello with at most one flaw, with every cookie that can be had.
fn client_hellos(mode: Mode) -> Vec<String> {
    let retried = mode.has_13() && mode.ephemeral;
    let mut hellos = vec!["ClientHello+10".to_owned()];
    for offers in ["+12", "+13", "+both"] {
        let has_13 = offers != "+12";
        let mut cookies = vec![""];
        cookies.extend(mode.cookie.then_some(["+cookie", "+bad-cookie"]).into_iter().flatten());
        cookies.extend((has_13 && retried).then_some("+retry-cookie"));
        cookies.extend(has_13.then_some("+legacy-cookie"));
        for cookie in cookies {
            let mut flaws = vec!["", "+no-suite"];
            flaws.extend((offers == "+12").then_some("+no-ems"));
            flaws.extend(has_13.then_some(["+unknown-psk", "+bad-binder"]).into_iter().flatten());
            flaws.extend((has_13 && retried).then_some("+no-share"));
            hellos.extend(flaws.into_iter().map(|flaw| format!("ClientHello{offers}{cookie}{flaw}")));
        }
    }
    hellos
}
