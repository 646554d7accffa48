//! Checks of the model itself.
use reference_model::explore::explore_machine;
use reference_model::{Machine, Mode};

#[test]
fn counts() {
    for mode in Mode::all() {
        let raw = explore_machine(&Machine::new(mode));
        let small = raw.minimised();
        println!(
            "{mode}: {} inputs, {} explored, {} states, {} transitions",
            small.inputs.len(),
            raw.states(),
            small.states(),
            small.transitions()
        );
    }
}
