//! The committed tables are those of the model.

use std::fs;
use std::path::Path;

use reference_model::{Mode, explore, tables};

#[test]
fn committed_tables_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables");
    for mode in Mode::all() {
        let machine = explore(mode);
        for (ending, expected) in
            [("txt", tables::text(mode, &machine)), ("dot", tables::dot(mode, &machine))]
        {
            let committed = fs::read_to_string(folder.join(format!("{mode}.{ending}"))).unwrap_or_default();
            let stale = "run `cargo run -p reference-model --example tables` and look at the difference";
            assert!(committed == expected, "{mode}.{ending}: {stale}");
        }
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, 2 * Mode::all().len(), "a table of no mode");
}
