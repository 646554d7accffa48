//! No end answers otherwise than the reference model: every input in every state of the model. `learned.rs` asks for more, and
//! takes longer; what fails there fails here first, with the shortest word that shows it.

use model_tests::learning::{Sul, differences};
use reference_model::{Machine, mode::Mode};

#[test]
fn every_end_answers_as_the_reference() {
    // Every input after every input, too: about ten seconds.
    let deep = std::env::var_os("DEEP").is_some();
    let mut found = Vec::new();
    for mode in Mode::all() {
        let list = differences(&Sul::new(mode), &Machine::new(mode), &mode.alphabet(), deep);
        found.extend(list.iter().map(|one| format!("{mode}: {one}")));
    }
    found.sort_by_key(String::len);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
