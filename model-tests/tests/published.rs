//! Our model against state machines that others learned from other implementations (`vectors/data/learned-models.json`).
//!
//! Every word of a published machine over the common alphabet is put into our model until the answers part. Every
//! difference is a line of `published/differences.tsv`: where our model is, the input, what they answer, what we answer, who
//! they are, and why we differ. The reasons are in `published/reasons.tsv`; a difference for which there is none fails the
//! test. `UPDATE_SNAPSHOTS=1 cargo test -p model-tests --test published` writes the list anew.

#[path = "published/translation.rs"]
mod translation;

use core::fmt::Write as _;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use learner::{
    Mealy, System,
    published::{self, Published, messages},
};
use reference_model::{
    Machine,
    mode::{Mode, Role},
};
use translation::{Translator, without_application};

/// Mode, where our model is, input, their answer, ours.
type Key = [String; 5];

/// Which of our modes a published machine is compared with, if it is one with pre-shared keys.
fn mode_for(published: &Published) -> Option<Mode> {
    let name = published.name();
    let has = |input: &str| published.machine.inputs().iter().any(|known| known == input);
    let dtls13 = name.ends_with("DTLS13");
    let mode = match published.is_client() {
        true if has("PSK_SERVER_HELLO") && dtls13 => "client-13-ke",
        true if has("PSK_SERVER_HELLO") => "client-12-psk",
        false if has("PSK_CLIENT_HELLO") && dtls13 => "server-13-ke-cookie",
        false if has("PSK_CLIENT_HELLO") => "server-12-psk-cookie",
        _ => return None,
    };
    Mode::named(mode)
}

/// Walks a published machine and our model together over all words, as long as they agree.
fn compare(published: &Published, mode: Mode, found: &mut BTreeMap<Key, BTreeSet<String>>) -> usize {
    let theirs: Mealy<String, String> = published.after_first_hello();
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([(0, Machine::new(mode), Translator::new(mode))]);
    let mut steps = 0;
    while let Some((state, ours, translator)) = queue.pop_front() {
        for (number, name) in theirs.inputs().iter().enumerate() {
            let (mut ours, mut translator) = (ours.clone(), translator.clone());
            let place = Translator::place(&ours);
            let Some(input) = translator.input(name) else { continue };
            steps += 1;
            let answer = translator.outputs(&ours.step(input));
            let their_answer = messages(theirs.output(state, number));
            let their_answer: Vec<String> =
                their_answer.into_iter().filter(|out| out != "SOCKET_CLOSED").collect();
            if answer != their_answer {
                let text = |answer: &[String]| if answer.is_empty() { "-".into() } else { answer.join("|") };
                let key = [mode.to_string(), place, input.to_string(), text(&their_answer), text(&answer)];
                found.entry(key).or_default().insert(published.name().to_owned());
                if without_application(&answer) != without_application(&their_answer) {
                    continue;
                }
            }
            let next = (theirs.next(state, number), ours, translator);
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    steps
}

#[test]
fn differences_have_reasons() {
    let mut found = BTreeMap::new();
    let mut compared = 0;
    for published in published::machines() {
        match mode_for(&published) {
            Some(mode) => {
                let before = found.values().map(BTreeSet::len).sum::<usize>();
                let steps = compare(&published, mode, &mut found);
                let after = found.values().map(BTreeSet::len).sum::<usize>();
                println!(
                    "{:44} against {mode}: {steps} steps, {} differences",
                    published.name(),
                    after - before
                );
                compared += 1;
            }
            None => println!("{:44} has no mode with pre-shared keys", published.name()),
        }
    }
    let reasons = reasons();
    let mut used = vec![0; reasons.len()];
    let mut table =
        String::from("# mode\twhere our model is\tinput\tthey answer\twe answer\twho\twhy we differ\n");
    let mut without = Vec::new();
    for (key, who) in &found {
        let reason =
            reasons.iter().position(|(globs, _)| globs.iter().zip(key).all(|(glob, text)| fits(glob, text)));
        if let Some(number) = reason {
            used[number] += 1;
        }
        let who = who.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let why = reason.map_or("", |number| &reasons[number].1);
        let line = format!("{}\t{who}\t{why}", key.join("\t"));
        if why.is_empty() {
            without.push(line.clone());
        }
        let _ = writeln!(table, "{line}");
    }
    println!("{compared} machines compared, {} differences, {} without a reason", found.len(), without.len());
    for (count, (_, why)) in used.iter().zip(&reasons) {
        println!("{count:>4}  {why}");
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(file("differences.tsv"), &table).expect("the list can be written");
    }
    assert!(without.is_empty(), "no reason:\n{}", without.join("\n"));
    let list = fs::read_to_string(file("differences.tsv")).expect("the list is there");
    assert!(list == table, "differences.tsv is not what was found");
}

/// Our model in the language of the published machines.
struct Translated {
    mode: Mode,
    inputs: Vec<String>,
}

impl System for Translated {
    type Input = String;
    type Output = Vec<String>;
    type State = (Machine, Translator);

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn start(&self) -> Self::State {
        (Machine::new(self.mode), Translator::new(self.mode))
    }

    fn step(&self, (ours, translator): &mut Self::State, input: usize) -> Vec<String> {
        match translator.input(&self.inputs[input]) {
            Some(input) => translator.outputs(&ours.step(input)),
            None => Vec::new(),
        }
    }
}

const CCS: &str = "a ChangeCipherSpec that is not due is ignored, in DTLS it may come twice (RFC 6347 4.2.4): no keys change again";
const START: &str = "a listener without state ignores what comes before a ClientHello (RFC 6347 4.2.1): it cannot tell that it is early";
const SEQUENCE: &str = "a HelloRequest is ignored (RFC 5246 7.4.1.1), and several HelloVerifyRequests are answered (RFC 6347 4.2.1)";
const ALERT: &str =
    "the alert is that of the failure before, repeated for a peer that goes on (RFC 6347 4.2.7)";
const PLAINTEXT: &str = "plaintext where the next message is due under keys is dropped (RFC 6347 4.1): only what comes under keys is taken in";

/// Mode, what dtls-fuzzer calls a bug, and why it is none here.
const NO_BUGS: [(&str, &str, &str); 9] = [
    ("client-12-psk", "Multiple ChangeCipherSpec", CCS),
    ("client-12-psk", "Handshake completed with invalid message sequence", SEQUENCE),
    ("client-12-psk", "ServerHello Flight Restart", PLAINTEXT),
    ("client-12-psk", "Premature HelloRequest", ALERT),
    ("server-12-psk-cookie", "Finished before ChangeCipherSpec", PLAINTEXT),
    ("server-12-psk-cookie", "Multiple ChangeCipherSpec", CCS),
    ("server-12-psk-cookie", "Invalid Handshake Start", START),
    ("server-12-psk-cookie", "Multiple Certificate", PLAINTEXT),
    ("server-13-ke-cookie", "Invalid Handshake Start", START),
];

#[test]
fn our_model_has_no_bug_pattern_without_a_reason() {
    let mut inputs: BTreeMap<Mode, BTreeSet<String>> = BTreeMap::new();
    for published in published::machines() {
        if let Some(mode) = mode_for(&published) {
            inputs.entry(mode).or_default().extend(published.machine.inputs().iter().cloned());
        }
    }
    let mut found = Vec::new();
    for (mode, inputs) in inputs {
        let system = Translated { mode, inputs: inputs.into_iter().collect() };
        let machine = Mealy::explore(&system, 10_000).expect("a small machine").minimised();
        let who = if mode.role == Role::Client { "client" } else { "server" };
        let patterns = published::patterns();
        let patterns: Vec<_> = patterns.iter().filter(|pattern| pattern.who == who).collect();
        println!(
            "{mode}: {} states, {} inputs, {} patterns",
            machine.states(),
            machine.inputs().len(),
            patterns.len()
        );
        for pattern in patterns {
            let Some(finding) = pattern.find(&machine, |input| Some(input.clone()), Vec::clone) else {
                continue;
            };
            let outputs = machine.run(0, &finding.word);
            let steps: Vec<String> = (finding.word.iter().zip(outputs))
                .map(|(input, output)| format!("{}/{}", machine.inputs()[*input], output.join("|")))
                .collect();
            let reason = NO_BUGS.iter().find(|known| known.0 == mode.to_string() && known.1 == pattern.name);
            println!(
                "    {}: {}\n        {}",
                pattern.name,
                steps.join(" "),
                reason.map_or("no reason", |known| known.2)
            );
            found.push((mode.to_string(), pattern.name.clone()));
        }
    }
    let known = NO_BUGS.map(|(mode, pattern, _)| (mode.to_owned(), pattern.to_owned()));
    assert_eq!(found, known);
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/published").join(name)
}

/// Globs for the fields of a difference, and why.
fn reasons() -> Vec<(Key, String)> {
    let text = fs::read_to_string(file("reasons.tsv")).expect("the reasons are there");
    let line = |line: &str| {
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [mode, place, input, theirs, ours, why] =
            <[String; 6]>::try_from(fields).expect("a line of reasons.tsv has six fields");
        assert!(!why.is_empty(), "{line}");
        ([mode, place, input, theirs, ours], why)
    };
    text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

/// Whether a text is the glob with something in the place of each `*`.
fn fits(glob: &str, text: &str) -> bool {
    let Some((before, rest)) = glob.split_once('*') else { return glob == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    (0..=text.len()).any(|skipped| text.get(skipped..).is_some_and(|text| fits(rest, text)))
}
