//! The reference model learned: what explores it and what learns it agree, and its suites miss nothing in it.

use model_tests::learned::{Learned, Reference, differences, drawing};
use reference_model::mode::Mode;

#[test]
fn the_reference_is_learned_as_it_is() {
    for mode in Mode::all() {
        let system = Reference::new(mode);
        let reference = system.explicit();
        let learned = Learned::of(&system, &reference, 0).expect("the model is deterministic");
        assert_eq!(learned.machine, reference, "{mode}");
        assert_eq!(differences(&reference, &learned.machine), []);
        let explored = reference_model::explore(mode);
        assert_eq!(explored.states(), reference.states(), "{mode}: as its own exploration has it");
        println!(
            "{mode}: {} states, {} transitions, {} drawn, {} queries, {} tests",
            reference.states(),
            reference.transitions(),
            drawing(&mode.to_string(), &reference).lines().count(),
            learned.counts.queries,
            learned.counts.tests,
        );
    }
}
