//! A slow link: passes on connections to a server on loopback, and takes no more than so many bytes a second of what one side sends.
//! Its own receive buffer is small there, as what lies in it is out of the sender's reach.
//!
//! `slow_link to=PORT [port=0] [from=server | from=client] [rate=32768] [buffer=2304] [seconds=600] [result=FILE]`: listens on
//! 127.0.0.1, passes on to 127.0.0.1:PORT, and ends after that many seconds. `port N` goes to FILE (complete once it exists) or to the
//! standard output as soon as it listens. What the other side than `from` sends is passed on as it comes.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "how the program answers")]

use std::{
    env,
    error::Error,
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process, thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

/// Bytes that are taken at once: small, or the rate would come in bursts.
const PIECE: usize = 512;
/// How late a piece may be without the next ones being late too.
const SLACK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
struct Options {
    to: u16,
    port: u16,
    /// It is the server's bytes that are taken slowly, else the client's.
    is_server_slow: bool,
    /// Bytes a second.
    rate: f64,
    /// What the system is asked for, which doubles it for its own needs.
    buffer: usize,
    time: Duration,
    result: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            to: 0,
            port: 0,
            is_server_slow: true,
            rate: 32.0 * 1024.0,
            buffer: 2304,
            time: Duration::from_secs(600),
            result: None,
        };
        for argument in arguments {
            let (name, value) = argument
                .split_once('=')
                .ok_or_else(|| format!("'{argument}' is not of the form name=value"))?;
            match name {
                "to" => options.to = value.parse()?,
                "port" => options.port = value.parse()?,
                "from" => options.is_server_slow = value == "server",
                "rate" => options.rate = value.parse::<f64>()?.max(1.0),
                "buffer" => options.buffer = value.parse()?,
                "seconds" => options.time = Duration::from_secs(value.parse()?),
                "result" => options.result = Some(PathBuf::from(value)),
                _ => return Err(format!("unknown argument '{name}'").into()),
            }
        }
        Ok(options)
    }
}

/// When the next piece may be taken.
#[derive(Debug)]
struct Pace {
    rate: f64,
    due: Instant,
}

impl Pace {
    fn new(rate: f64, now: Instant) -> Self {
        Self { rate, due: now }
    }

    /// How long to wait for the next piece.
    fn wait(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    /// So many bytes were taken. Time in which there was nothing to take is lost.
    fn took(&mut self, count: usize, now: Instant) {
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        self.due = self.due.max(earliest) + Duration::from_secs_f64(count as f64 / self.rate);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(env::args().skip(1))?;
    let listener = listen(&options)?;
    tell(&options, &format!("port {}\n", listener.local_addr()?.port()))?;
    let time = options.time;
    thread::spawn(move || {
        thread::sleep(time);
        process::exit(0);
    });
    for client in listener.incoming() {
        let (client, options) = (client?, options.clone());
        // One that goes wrong ends, which both of its sides see.
        thread::spawn(move || pass_on(client, &options));
    }
    Ok(())
}

/// Accepted connections have the listener's receive buffer.
fn listen(options: &Options) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if !options.is_server_slow {
        socket.set_recv_buffer_size(options.buffer)?;
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)).into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn tell(options: &Options, text: &str) -> io::Result<()> {
    let Some(path) = &options.result else {
        print!("{text}");
        return io::stdout().flush();
    };
    let unfinished = path.with_extension("part");
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, path)
}

fn pass_on(client: TcpStream, options: &Options) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if options.is_server_slow {
        socket.set_recv_buffer_size(options.buffer)?;
    }
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, options.to)).into())?;
    let server = TcpStream::from(socket);
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (slow, other) = if options.is_server_slow { (server, client) } else { (client, server) };
    let (mut from, mut to) = (other.try_clone()?, slow.try_clone()?);
    thread::spawn(move || {
        _ = io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Write)
    });
    take_slowly(slow, other, options.rate)
}

fn take_slowly(mut from: TcpStream, mut to: TcpStream, rate: f64) -> io::Result<()> {
    let mut piece = [0; PIECE];
    let mut pace = Pace::new(rate, Instant::now());
    loop {
        thread::sleep(pace.wait(Instant::now()));
        let count = from.read(&mut piece)?;
        if count == 0 {
            return to.shutdown(Shutdown::Write);
        }
        pace.took(count, Instant::now());
        to.write_all(&piece[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_exact_however_late_each_piece_is() {
        let begin = Instant::now();
        let mut pace = Pace::new(1000.0, begin);
        let mut now = begin;
        for _ in 0..100 {
            now += pace.wait(now) + Duration::from_millis(3);
            pace.took(100, now);
        }
        assert_eq!(pace.due - begin, Duration::from_secs(10));
    }

    #[test]
    fn time_without_anything_to_take_is_lost() {
        let begin = Instant::now();
        let mut pace = Pace::new(1000.0, begin);
        let later = begin + Duration::from_secs(5);
        assert_eq!(pace.wait(later), Duration::ZERO);
        pace.took(100, later);
        assert_eq!(pace.wait(later), Duration::from_millis(80));
    }
}
