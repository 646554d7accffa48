//! The `dtls` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    dtls_cli::main()
}
