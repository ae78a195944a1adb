//! The command line.

use std::{error::Error, time::Duration};

use rust_websocket_bench::{read, seconds};

/// What to do; see the usage text in `main.rs`.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) class: String,
    pub(crate) port: u16,
    /// The server's process.
    pub(crate) pid: u32,
    pub(crate) peers: usize,
    pub(crate) time: Duration,
    pub(crate) is_secure: bool,
    /// The server sends no peer id.
    pub(crate) is_raw: bool,
    pub(crate) hang: Duration,
    /// How long the server may take until it is as it was before.
    pub(crate) settle: Duration,
    pub(crate) broadcast: usize,
    pub(crate) opens_files: bool,
}

/// Longer than the server's timeouts together, and than it takes to read what attackers have left behind.
const SETTLE: Duration = Duration::from_secs(90);
const MOST_PEERS: usize = 10_000;

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            class: String::new(),
            port: 0,
            pid: 0,
            peers: 20,
            time: Duration::from_secs(2),
            is_secure: false,
            is_raw: false,
            hang: Duration::ZERO,
            settle: SETTLE,
            broadcast: 0,
            opens_files: false,
        };
        for argument in arguments {
            let (name, value) = argument
                .split_once('=')
                .ok_or_else(|| format!("'{argument}' is not of the form name=value"))?;
            match name {
                "class" => value.clone_into(&mut options.class),
                "port" => options.port = read(name, value)?,
                "pid" => options.pid = read(name, value)?,
                "peers" => options.peers = read::<usize>(name, value)?.min(MOST_PEERS),
                "seconds" => options.time = seconds(name, value)?,
                "tls" => options.is_secure = read::<u8>(name, value)? != 0,
                "raw" => options.is_raw = read::<u8>(name, value)? != 0,
                "settle" => options.settle = seconds(name, value)?,
                "hang" => options.hang = seconds(name, value)?,
                "broadcast" => options.broadcast = read(name, value)?,
                "opens" => options.opens_files = read::<u8>(name, value)? != 0,
                _ => return Err(format!("unknown argument '{name}'").into()),
            }
        }
        options.is_secure |= options.class.starts_with("tls_");
        Ok(options)
    }
}
