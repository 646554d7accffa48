//! Where an end and the reference model differ.
//!
//! `cargo run --release -p model-tests --features model --example differences -- [name of a mode | all] [deep]`

use model_tests::learning::{Sul, differences};
use reference_model::{Machine, mode::Mode};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let which = arguments.next().unwrap_or_else(|| "all".to_owned());
    let deep = arguments.next().is_some();
    for mode in Mode::all().into_iter().filter(|mode| which == "all" || mode.to_string() == which) {
        let found = differences(&Sul::new(mode), &Machine::new(mode), &mode.alphabet(), deep);
        println!("{mode}: {} differences", found.len());
        for difference in found {
            println!("    {difference}");
        }
    }
}
