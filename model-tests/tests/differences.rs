//! Where an end answers otherwise than the reference model: every input in every state of the model. Each difference is of a
//! kind that is known here, with its reason; another one fails, with the shortest word that shows it.

use model_tests::learning::{Difference, Sul, differences};
use reference_model::{Machine, mode::Mode, outputs_to_string};

/// A difference as text.
struct Case {
    /// The state of the model.
    state: String,
    /// The inputs before the last.
    before: Vec<String>,
    /// The last input.
    last: String,
    /// What the model answers.
    model: String,
    /// What the end answers.
    end: String,
}

impl Case {
    fn new(difference: &Difference) -> Self {
        let mut before: Vec<_> = difference.word.iter().map(ToString::to_string).collect();
        Self {
            state: difference.state.clone(),
            last: before.pop().unwrap_or_default(),
            before,
            model: outputs_to_string(&difference.model),
            end: outputs_to_string(&difference.end),
        }
    }

    /// Whether a piece of a message was waiting for the rest of it.
    fn has_piece(&self) -> bool {
        self.before.iter().any(|input| input.contains("/first") || input.contains("/rest"))
    }

    fn has(&self, input: &str) -> bool {
        self.before.iter().any(|other| other == input)
    }

    /// Whether the last input is a handshake message of this epoch.
    fn message_of(&self, epoch: u8) -> bool {
        let other = ["Alert", "Data", "Ack", "CCS", "UnknownType"];
        self.last.ends_with(&format!("@{epoch}")) && !other.iter().any(|name| self.last.starts_with(name))
    }

    fn fails(outputs: &str) -> bool {
        outputs.ends_with("<Failed>")
    }
}

type Kind = (&'static str, fn(&Case) -> bool);

/// Kinds of differences: why, and which.
const KINDS: &[Kind] = &[
    (
        "RFC 6347 4.2.3: of plaintext pieces that contradict each other the newer counts, because either may be forged",
        |c| c.has_piece() && c.message_of(0) && (c.model == "-" || c.end == "-" || Case::fails(&c.end)),
    ),
    (
        "RFC 9147 5.8.1: a client that closes goes on to say so, with its Finished, until that is acknowledged",
        |c| c.state == "Closed" && c.has("Close") && c.model == "-" && c.end.ends_with("close_notify@3"),
    ),
];

#[test]
fn every_difference_has_a_reason() {
    // Every input after every input, too: about ten seconds.
    let deep = std::env::var_os("DEEP").is_some();
    let mut counts = vec![0; KINDS.len()];
    let mut unknown = Vec::new();
    for mode in Mode::all() {
        for difference in differences(&Sul::new(mode), &Machine::new(mode), deep) {
            let case = Case::new(&difference);
            match KINDS.iter().position(|(_, is)| is(&case)) {
                Some(kind) => counts[kind] += 1,
                None => unknown.push(format!("{mode}: {difference}")),
            }
        }
    }
    for ((reason, _), count) in KINDS.iter().zip(&counts) {
        println!("{count:5} {reason}");
    }
    unknown.sort_by_key(String::len);
    assert!(unknown.is_empty(), "{} differences without a reason:\n{}", unknown.len(), unknown.join("\n"));
}
