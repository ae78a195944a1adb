//! The keys of sessions in a file, for programs that look at what passes (the format of `SSLKEYLOGFILE`).

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use data_encoding::HEXLOWER;
use rustls::KeyLog;

use crate::seam::lock;

static KEY_LOG: OnceLock<Arc<dyn KeyLog>> = OnceLock::new();

/// Has the sessions of all settings that are made from now on write their keys into a file, behind what it holds. Whoever
/// reads it can read what they send.
///
/// # Errors
/// The file cannot be written; nothing changes then.
pub fn log_tls_keys(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    // For the owner alone.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    KEY_LOG.get_or_init(|| Arc::new(KeyFile(Mutex::new(file))));
    Ok(())
}

/// Where keys go, if they go anywhere.
pub(super) fn key_log() -> Option<Arc<dyn KeyLog>> {
    KEY_LOG.get().cloned()
}

#[derive(Debug)]
struct KeyFile(Mutex<File>);

impl KeyLog for KeyFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", HEXLOWER.encode(client_random), HEXLOWER.encode(secret));
        // A disk that is full must not end a connection.
        _ = lock(&self.0).write_all(line.as_bytes());
    }
}
