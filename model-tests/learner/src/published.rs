//! State machines of DTLS implementations as learned and published by others.
//!
//! From `vectors/data/learned-models.json`, which names repository and commit: learned with dtls-fuzzer (MIT), over sockets,
//! messages in order, nothing lost, no timers. An input is a message sent to the implementation; an output is what came
//! back, `|` between messages, a trailing `+` for "and again", `TIMEOUT` for silence.

use crate::{Mealy, Pattern};

/// Bug patterns over the messages of these machines.
const PATTERNS: &str = include_str!("patterns.txt");

const MODELS: &str = include_str!("../../../vectors/data/learned-models.json");

/// One learned machine.
#[derive(Clone, Debug)]
pub struct Published {
    /// The path in dtls-fuzzer's repository.
    pub file: String,
    /// As learned, not minimised.
    pub machine: Mealy<String, String>,
}

impl Published {
    /// Implementation, version and what was configured.
    #[must_use]
    pub fn name(&self) -> &str {
        let directory = self.file.rsplit_once('/').map_or("", |(directory, _)| directory);
        directory.rsplit_once('/').map_or(directory, |(_, name)| name)
    }

    /// The machine without the first ClientHello: the older machines of clients have it in the first output, whatever the
    /// input, the newer ones not at all. Minimised.
    #[must_use]
    pub fn after_first_hello(&self) -> Mealy<String, String> {
        let machine = &self.machine;
        let inputs = 0..machine.inputs().len();
        if !self.is_client() || !inputs.clone().all(|input| without_hello(machine.output(0, input)).is_some())
        {
            return machine.minimised();
        }
        let row = |state: usize, strip: bool| {
            let cell = |input| {
                let output = machine.output(state, input);
                let output =
                    if strip { without_hello(output) } else { None }.unwrap_or_else(|| output.clone());
                // The stripped state comes first.
                (machine.next(state, input) + 1, output)
            };
            inputs.clone().map(cell).collect::<Vec<_>>()
        };
        let rows = core::iter::once(row(0, true)).chain((0..machine.states()).map(|state| row(state, false)));
        Mealy::new(machine.inputs().to_vec(), rows.collect()).minimised()
    }

    /// Whether the implementation was the client.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.file.contains("/clients/")
    }
}

/// What an output stands for, message by message.
#[must_use]
pub fn messages(output: &str) -> Vec<String> {
    let message = |part: &str| match part.strip_suffix('+') {
        Some(repeated) => vec![repeated.to_owned(); 2],
        None if part == "TIMEOUT" || part == "DISABLED" => Vec::new(),
        None => vec![part.to_owned()],
    };
    output.split('|').flat_map(message).collect()
}

/// The bug patterns.
///
/// # Panics
/// If their text is damaged.
#[must_use]
pub fn patterns() -> Vec<Pattern> {
    Pattern::parse_all(PATTERNS).expect("patterns.txt is a list of patterns")
}

/// Repository and commit of the machines.
///
/// # Panics
/// If the file is damaged.
#[must_use]
pub fn source() -> String {
    document()["source"].as_str().expect("the source is named").to_owned()
}

/// All machines with an initial state. The others of the file are specifications whose edges are either inputs or outputs.
///
/// # Panics
/// If the file is damaged.
#[must_use]
pub fn machines() -> Vec<Published> {
    let document = document();
    let models = document["models"].as_array().expect("a list of machines");
    models.iter().filter_map(machine).collect()
}

fn document() -> serde_json::Value {
    serde_json::from_str(MODELS).expect("learned-models.json is JSON")
}

fn machine(model: &serde_json::Value) -> Option<Published> {
    let initial = model["initial"].as_str()?;
    let file = model["file"].as_str()?.to_owned();
    let edges = model["transitions"].as_array()?.iter();
    // State, next state, input, output.
    let transitions: Vec<[&str; 4]> = edges
        .map(|edge| [0, 2, 3, 1].map(|field| edge[field].as_str().expect("a transition is four strings")))
        .collect();
    let (first, others): (Vec<_>, Vec<_>) = transitions.into_iter().partition(|edge| edge[0] == initial);
    let machine =
        Mealy::from_transitions(first.into_iter().chain(others)).expect("published machines are complete");
    Some(Published { file, machine })
}

/// An output of a client without the ClientHello at its beginning.
fn without_hello(output: &str) -> Option<String> {
    match output.strip_prefix("CLIENT_HELLO")? {
        "" => Some("TIMEOUT".into()),
        "+" => Some("CLIENT_HELLO".into()),
        rest => rest.strip_prefix('|').map(str::to_owned),
    }
}
