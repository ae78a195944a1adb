//! The command line.

use std::{error::Error, path::PathBuf, time::Duration};

use rust_websocket_bench::{read, seconds};

/// What to do; see the usage text in `main.rs`.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) port: u16,
    /// The server's socket file, in place of a port.
    pub(crate) file: Option<PathBuf>,
    pub(crate) clients: usize,
    /// Messages under way per client; a client sends the next when one came back.
    pub(crate) window: usize,
    /// Messages per second and client, instead of a window.
    pub(crate) rate: f64,
    pub(crate) size: usize,
    /// Length of the measured part, after everybody is in.
    pub(crate) time: Duration,
    /// Limit for getting everybody in.
    pub(crate) connect_time: Duration,
    /// Connections that may be under way at once.
    pub(crate) at_once: usize,
    /// The server's first message is a peer id and no message.
    pub(crate) expects_id: bool,
    /// Clients speak TLS.
    pub(crate) is_secure: bool,
    /// Clients offer compression.
    pub(crate) offers_deflate: bool,
    pub(crate) result: Option<PathBuf>,
}

const MOST_CLIENTS: usize = 30_000;
const LARGEST_MESSAGE: usize = 64 << 20;

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            port: 0,
            file: None,
            clients: 1,
            window: 0,
            rate: 0.0,
            size: 64,
            time: Duration::from_secs(3),
            connect_time: Duration::from_secs(30),
            at_once: usize::MAX,
            expects_id: false,
            is_secure: false,
            offers_deflate: false,
            result: None,
        };
        for argument in arguments {
            let (name, value) = argument
                .split_once('=')
                .ok_or_else(|| format!("'{argument}' is not of the form name=value"))?;
            match name {
                "port" => options.port = read(name, value)?,
                "unix" if cfg!(unix) => options.file = Some(PathBuf::from(value)),
                "clients" => options.clients = read::<usize>(name, value)?.min(MOST_CLIENTS),
                "window" => options.window = read(name, value)?,
                "rate" => options.rate = read(name, value)?,
                "size" => options.size = read::<usize>(name, value)?.min(LARGEST_MESSAGE),
                "seconds" => options.time = seconds(name, value)?,
                "connect-seconds" => options.connect_time = seconds(name, value)?,
                "at-once" => options.at_once = read(name, value)?,
                "id" => options.expects_id = read::<u8>(name, value)? != 0,
                "tls" => options.is_secure = read::<u8>(name, value)? != 0,
                "deflate" => options.offers_deflate = read::<u8>(name, value)? != 0,
                "result" => options.result = Some(PathBuf::from(value)),
                _ => return Err(format!("unknown argument '{name}'").into()),
            }
        }
        Ok(options)
    }
}
