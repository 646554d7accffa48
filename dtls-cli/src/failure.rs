//! How the command ends when it does not end well: one sentence and an exit code.

use core::fmt;
use std::io;

/// One sentence for the user and the exit code that goes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// The peer or the network failed: exit code 1.
    pub fn network(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// Wrong usage or unreadable input: exit code 2.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl core::error::Error for Failure {}

/// Writing results failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::network(format!("cannot write the output: {error}"))
    }
}

/// Whether an output error only says that the reader has gone, as `head` does.
pub(crate) fn reader_has_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
