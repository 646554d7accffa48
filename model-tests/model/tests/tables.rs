//! The committed tables are those of the model.

use std::fs;
use std::path::Path;

use reference_model::{Mode, explore, tables};

fn check(name: &str, expected: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables");
    let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
    let advice = "run `cargo run -p reference-model --example tables` and look at the difference";
    assert!(committed == expected, "{name}: {advice}");
}

#[test]
fn committed_machines_are_up_to_date() {
    for mode in Mode::all() {
        let machine = explore(mode);
        check(&format!("{mode}.txt"), &tables::text(mode, &machine));
        check(&format!("{mode}.dot"), &tables::dot(mode, &machine));
    }
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tables")).unwrap().count();
    assert_eq!(files, 2 * Mode::all().len() + 2, "a table of no mode");
}

#[test]
fn committed_counts_and_requirements_are_up_to_date() {
    check("counts.txt", &tables::counts());
    check("requirements.tsv", &tables::requirements());
}
