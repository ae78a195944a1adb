//! The load generator of the benchmark: many raw clients, or an echo server, on one thread and on loopback only.
//!
//! `load clients port=P | unix=PATH [clients=N] [window=K | rate=R] [size=S] [seconds=T] [connect-seconds=T] [at-once=N] [id=1]
//! [tls=1] [result=FILE]` connects N clients; when all are in, each keeps K messages of S bytes under way, or sends R a second,
//! for T seconds. Without either it only listens. `id=1`: the first message of the server is a peer id.
//! `tls=1`: over TLS, with a handshake of its own for each client and whatever certificate the server has: there is nobody on
//! loopback to be protected from, and checking it is not what is measured.
//!
//! `unix=PATH`: the server listens at that socket file in place of a port of loopback.
//!
//! `deflate=1`: clients offer compression; what they get they count and do not inflate.
//!
//! `load server [port=P] [seconds=T] [result=FILE]` echoes until everybody who came has gone, or T seconds.
//!
//! The result, one `name value` per line, goes to FILE (complete once it exists) or to the standard output. A server
//! writes its port there when it listens.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "how the program answers")]

mod clients;
mod histogram;
mod options;
mod server;
mod stream;
mod wire;

use std::{env, error::Error, fmt::Write as _, fs, io};

use options::Options;

/// What the program says at its end.
#[derive(Debug, Default)]
struct Report(String);

impl Report {
    fn add(&mut self, name: &str, value: f64) {
        // Writing to a String does not fail.
        _ = writeln!(self.0, "{name} {value}");
    }

    fn write(&self, options: &Options) -> io::Result<()> {
        let Some(path) = &options.result else {
            print!("{}", self.0);
            return Ok(());
        };
        let unfinished = path.with_extension("part");
        fs::write(&unfinished, &self.0)?;
        fs::rename(unfinished, path)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let options = Options::parse(arguments)?;
    match role.as_str() {
        "clients" => clients::run(&options),
        "server" => server::run(&options),
        _ => Err(format!("'{role}' is no role; see the beginning of the source: clients, server").into()),
    }
}
