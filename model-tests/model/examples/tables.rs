//! Writes the table and the graph of every mode, the counts and the index of requirements into `model-tests/model/tables/`.

use std::path::Path;
use std::{fs, io};

use reference_model::{Mode, explore, tables};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables");
    fs::create_dir_all(&folder)?;
    for mode in Mode::all() {
        let machine = explore(mode);
        fs::write(folder.join(format!("{mode}.txt")), tables::text(mode, &machine))?;
        fs::write(folder.join(format!("{mode}.dot")), tables::dot(mode, &machine))?;
        println!("{mode}: {} states, {} transitions", machine.states(), machine.transitions());
    }
    fs::write(folder.join("counts.txt"), tables::counts())?;
    fs::write(folder.join("requirements.tsv"), tables::requirements())?;
    Ok(())
}
