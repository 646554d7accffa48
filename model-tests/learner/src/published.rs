//! State machines of DTLS implementations as learned and published by others.
//!
//! From `vectors/data/learned-models.json`, which names repository and commit: learned with dtls-fuzzer (MIT), over sockets,
//! messages in order, nothing lost, no timers. An input is a message sent to the implementation; an output is what came
//! back, `|` between messages, a trailing `+` for "and again", `TIMEOUT` for silence.

use crate::Mealy;

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

    /// Whether the implementation was the client.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.file.contains("/clients/")
    }
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
