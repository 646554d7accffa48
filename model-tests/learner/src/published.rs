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
pub fn source() -> &'static str {
    let [key, source] = strings().take(2).collect::<Vec<_>>()[..] else { panic!("an empty file") };
    assert_eq!(key, "source");
    source
}

/// All machines with an initial state. The others of the file are specifications whose edges are either inputs or outputs.
///
/// # Panics
/// If the file is damaged.
#[must_use]
pub fn machines() -> Vec<Published> {
    let strings: Vec<&str> = strings().collect();
    let models = strings.split(|string| *string == "file").skip(1);
    models.filter_map(machine).collect()
}

/// All strings of the file, keys and values. It is JSON without escapes, whose strings alone say everything; a library for
/// that would bring comparisons with its own types into every test.
fn strings() -> impl Iterator<Item = &'static str> {
    assert!(!MODELS.contains('\\'), "strings with escapes");
    MODELS.split('"').skip(1).step_by(2)
}

/// From the path, the initial state if there is one, and four strings a transition.
fn machine(strings: &[&'static str]) -> Option<Published> {
    let (&file, rest) = strings.split_first()?;
    let (key, rest) = rest.split_first()?;
    assert_eq!(*key, "initial");
    let (&initial, rest) = rest.split_first()?;
    // null is no string.
    if initial == "transitions" {
        return None;
    }
    let (key, rest) = rest.split_first()?;
    assert_eq!(*key, "transitions");
    let transitions = rest.chunks(4).map(|edge| {
        let &[state, next, input, output] = edge else { panic!("a transition is four strings") };
        [state, input, output, next]
    });
    let (first, others): (Vec<_>, Vec<_>) = transitions.partition(|edge| edge[0] == initial);
    let machine =
        Mealy::from_transitions(first.into_iter().chain(others)).expect("published machines are complete");
    Some(Published { file: file.to_owned(), machine })
}

/// An output of a client without the ClientHello at its beginning.
fn without_hello(output: &str) -> Option<String> {
    match output.strip_prefix("CLIENT_HELLO")? {
        "" => Some("TIMEOUT".into()),
        "+" => Some("CLIENT_HELLO".into()),
        rest => rest.strip_prefix('|').map(str::to_owned),
    }
}
