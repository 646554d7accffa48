//! What is learned of the reference model is the reference model, and the committed table in `model/tables`.

use std::{fs, path::Path};

use model_tests::learned::{Learned, Reference, differences, table};
use reference_model::mode::Mode;

/// The reference is learned too: what explores it and what learns it agree.
#[test]
fn the_reference_is_learned_as_it_is() {
    for mode in Mode::all() {
        let system = Reference::new(mode);
        let reference = system.explicit();
        let learned = Learned::of(&system, &reference, 0).expect("the model is deterministic");
        assert_eq!(learned.machine, reference, "{mode}");
        assert_eq!(differences(&reference, &learned.machine), []);
        check_table(mode, &learned);
    }
}

fn check_table(mode: Mode, learned: &Learned) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("model/tables/{mode}.txt"));
    let committed = fs::read_to_string(file).expect("the model's table is there");
    assert!(table(mode, &learned.machine) == committed, "{mode}: not the committed table");
}
