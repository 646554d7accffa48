//! Independent test vectors, and the checker that compares this library with them.
//!
//! A capture is a JSON file of datagrams that other implementations exchanged, with what an independent decryptor made of
//! them. The checker takes from it only what a wiretap has — the datagrams, who sent them — and the secrets: key log lines
//! and the PSK. All else it computes with `dtls-core`'s own record protection, key schedule, reassembly and transcript and
//! compares with the file: record headers and numbers, nonces, masks, additional data and plaintexts, the secrets that a PSK
//! gives, session hashes, binders, both Finished messages, exported keys, and the very bytes of each record when sealed again.
//!
//! Knows captures and files; must not know how records are protected, except those with connection ids, nor how keys are
//! made, except updated ones ([`Outcome`] says what is not supported yet).

mod capture;
mod check;
mod cid;
mod cid13;
mod hex;
mod observer;
mod session;
mod session13;
mod suites;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

pub use capture::Unreadable;
pub use check::Mismatch;

/// What became of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything in it agrees with this library.
    Verified {
        /// Records compared, protected or not.
        records: usize,
        /// Of these, opened with keys.
        protected: usize,
        /// Of these, sealed again to the very bytes on the wire; some senders choose nonces we would not.
        resealed: usize,
    },
    /// The first disagreement.
    Failed(Mismatch),
    /// It uses a cipher suite this library lacks.
    Unsupported {
        /// The suite's registered name.
        suite: String,
    },
    /// It is not a capture.
    Unreadable(Unreadable),
}

/// Checks one capture, given as the text of a JSON file.
pub fn check(json: &[u8]) -> Outcome {
    match capture::Capture::parse(json) {
        Ok(capture) => check::run(&capture),
        Err(why) => Outcome::Unreadable(why),
    }
}

/// The outcomes of all files of a directory.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Name without `.json`, and outcome, sorted by name.
    pub files: Vec<(String, Outcome)>,
}

impl Report {
    /// Checks every `*.json` in `dir`, not in its subdirectories.
    ///
    /// # Errors
    /// The directory cannot be read. A file that cannot be read is an [`Outcome`].
    pub fn of(dir: &Path) -> io::Result<Self> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
        let files = paths.iter().map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let outcome = match fs::read(path) {
                Ok(json) => check(&json),
                Err(e) => Outcome::Unreadable(Unreadable::new(e.to_string())),
            };
            (name, outcome)
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self { files })
    }

    /// Whether nothing failed and everything could be read.
    pub fn is_clean(&self) -> bool {
        self.files.iter().all(|(_, o)| matches!(o, Outcome::Verified { .. } | Outcome::Unsupported { .. }))
    }
}

/// A line a file and a last line with the totals.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut verified, mut failed, mut unsupported, mut unreadable) = (0, 0, 0, 0);
        for (name, outcome) in &self.files {
            match outcome {
                Outcome::Verified { records, .. } => {
                    verified += 1;
                    writeln!(f, "verified {name} ({records} records)")?;
                }
                Outcome::Failed(mismatch) => {
                    failed += 1;
                    writeln!(f, "failed {name}: {mismatch}")?;
                }
                Outcome::Unsupported { suite } => {
                    unsupported += 1;
                    writeln!(f, "unsupported {name}: {suite}")?;
                }
                Outcome::Unreadable(why) => {
                    unreadable += 1;
                    writeln!(f, "unreadable {name}: {why}")?;
                }
            }
        }
        writeln!(
            f,
            "{verified} verified, {failed} failed, {unsupported} unsupported, {unreadable} unreadable"
        )
    }
}
