//! No end answers otherwise than the reference model: every input in every state of the model. `learned.rs` asks for more, and
//! takes longer; what fails there fails here first, with the shortest word that shows it.

use dtls_core::AckPolicy;
use model_tests::learning::{Sul, differences};
use reference_model::{Choices, Machine, mode::Mode};

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

/// RFC 9147 §7.1 recommends an ACK at once for each gap; an end may wait for what is missing, too.
#[test]
fn ends_that_acknowledge_later_answer_as_the_reference_that_does() {
    let choices = Choices { acks_gaps_at_once: false, ..Choices::DEFAULT };
    let mut found = Vec::new();
    for mode in Mode::all().into_iter().filter(|mode| mode.has_13()) {
        let end = Sul::with_acks(mode, AckPolicy::Delayed);
        let list = differences(&end, &Machine::with(mode, choices), &mode.alphabet(), false);
        found.extend(list.iter().map(|one| format!("{mode}: {one}")));
        assert!(!differences(&end, &Machine::new(mode), &mode.alphabet(), false).is_empty(), "{mode}");
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
