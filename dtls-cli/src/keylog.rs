//! Session secrets into a file, in the SSLKEYLOGFILE format that Wireshark and others read.

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

use dtls_core::KeyLog;
use zeroize::Zeroizing;

use crate::Failure;

/// Appends lines to one file.
#[derive(Debug)]
pub(crate) struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    /// The file of the argument, or else the one `SSLKEYLOGFILE` names, or none.
    pub(crate) fn open(argument: Option<&Path>) -> Result<Option<Self>, Failure> {
        let named = env::var_os("SSLKEYLOGFILE").filter(|name| !name.is_empty()).map(PathBuf::from);
        let Some(path) = argument.map(Path::to_path_buf).or(named) else { return Ok(None) };
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // Whoever reads it can read the traffic.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| {
            Failure::usage(format!("the key log {} cannot be written: {error}", path.display()))
        })?;
        Ok(Some(Self(Mutex::new(file))))
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let secret = Zeroizing::new(hex::encode(secret));
        let line = Zeroizing::new(format!("{label} {} {}\n", hex::encode(client_random), &*secret));
        if let Ok(mut file) = self.0.lock() {
            // A full disk is no reason to end a connection.
            let _ = file.write_all(line.as_bytes());
        }
    }
}
