//! `vectors check DIR`: compares every capture of a directory with what this library computes.

use std::{io::Write, path::Path, process::ExitCode};

const USAGE: &str = "\
usage: vectors check DIR

Checks every *.json in DIR, a line a file:
  verified NAME (N records)
  failed NAME: record N field F expected X found Y   (X: in the file, Y: computed; records count from 1)
  unsupported NAME: SUITE
  unreadable NAME: WHY
and a last line with the totals. Exit code: 0 if nothing failed and everything could be read, 1 otherwise, 2 for wrong
usage or a directory that cannot be read.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [help] if help == "--help" || help == "-h" => print(&format!("{USAGE}\n"), ExitCode::SUCCESS),
        [command, dir] if command == "check" => check(Path::new(dir)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn check(dir: &Path) -> ExitCode {
    match vectors::Report::of(dir) {
        Ok(report) if report.files.is_empty() => {
            eprintln!("error: there is no .json file in {}", dir.display());
            ExitCode::from(2)
        }
        Ok(report) => {
            let code = if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) };
            print(&report.to_string(), code)
        }
        Err(e) => {
            eprintln!("error: cannot read {}: {e}", dir.display());
            ExitCode::from(2)
        }
    }
}

/// A reader that went away early, such as `head`, does not change the verdict.
fn print(text: &str, code: ExitCode) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}
