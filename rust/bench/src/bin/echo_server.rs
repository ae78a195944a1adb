//! An echo server without an engine, on the same listener, transport and protocol as the engine classes.
//!
//! `echo_server [PORT] [--compression | --no-context-takeover] [--commands]`: listens on 127.0.0.1, port 0 or none lets the system
//! choose; prints `LISTENING port`; runs until it is ended from outside. `--spin` looks for events all the time, as a script in a tight
//! loop does. With `--commands` a message
//! `close:CODE:REASON` closes its connection instead of being sent back.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "how the program tells where it listens")]

use std::{
    collections::HashMap,
    env,
    error::Error,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    thread,
    time::Duration,
};

use rust_websocket_net::{
    Admission, How, Link, LinkId, LinkOptions, ListenOptions, Listener, ListenerEvent, ReceiveLimits,
    Reporting, SendLimits,
};
use rust_websocket_proto::{Config, DeflateConfig, Event, Message};

/// The Autobahn test suite's largest messages have 16 MiB.
const BUFFER_SIZE: usize = 64 << 20;

/// How long to wait for events when there were none.
const PAUSE: Duration = Duration::from_micros(50);

fn main() -> Result<(), Box<dyn Error>> {
    let mut echo = Echo::default();
    let mut port = 0;
    let mut deflate = None;
    let mut spins = false;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--compression" => {
                deflate = Some(DeflateConfig { threshold: 0, context_takeover: true, ..Default::default() });
            }
            "--commands" => echo.has_commands = true,
            "--no-context-takeover" => {
                deflate = Some(DeflateConfig { threshold: 0, ..Default::default() });
            }
            "--spin" => spins = true,
            other => port = other.parse()?,
        }
    }
    let address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let mut listener = Listener::bind(ListenOptions {
        address,
        port,
        tls: None,
        link: link_options(deflate),
        admission: Admission::default(),
        reporting: Reporting::Together,
    })?;
    println!("LISTENING {}", listener.local_address().port());
    loop {
        if !echo.turn(&mut listener) && !spins {
            thread::sleep(PAUSE);
        }
    }
}

fn link_options(deflate: Option<DeflateConfig>) -> LinkOptions {
    LinkOptions {
        config: Arc::new(Config { max_message_size: BUFFER_SIZE, deflate, ..Config::default() }),
        send_limits: SendLimits { bytes: 2 * BUFFER_SIZE, messages: 0 },
        receive_limits: ReceiveLimits { bytes: BUFFER_SIZE, messages: 4096 },
        no_delay: true,
        way: None,
        trace: None,
    }
}

#[derive(Default)]
struct Echo {
    links: HashMap<LinkId, Link>,
    events: Vec<ListenerEvent>,
    has_commands: bool,
}

impl Echo {
    /// Sends back what has arrived; false if nothing has.
    fn turn(&mut self, listener: &mut Listener) -> bool {
        listener.take_events(&mut self.events);
        let is_busy = !self.events.is_empty();
        for event in self.events.drain(..) {
            match event {
                ListenerEvent::Accepted(link, ..) => {
                    self.links.insert(link.id(), link);
                }
                ListenerEvent::Link(id, Event::Message(message)) => {
                    if let Some(link) = self.links.get(&id) {
                        link.consumed(message.payload.len());
                        if let Some((code, reason)) = close_command(&message).filter(|_| self.has_commands) {
                            link.close(code, reason);
                            continue;
                        }
                        // Refused once the other side has closed, or does not read what it asked for.
                        _ = link.push(message.kind, message.payload, How::Now);
                    }
                }
                ListenerEvent::Link(id, Event::Closed(_)) => {
                    self.links.remove(&id);
                }
                ListenerEvent::Link(_, Event::Opened(_))
                | ListenerEvent::Asked(_)
                | ListenerEvent::Over(_) => {}
            }
        }
        is_busy
    }
}

/// The code and reason of `close:CODE:REASON`.
fn close_command(message: &Message) -> Option<(u16, &str)> {
    let rest = message.payload.strip_prefix(b"close:")?;
    let (code, reason) = str::from_utf8(rest).ok()?.split_once(':')?;
    Some((code.parse().ok()?, reason))
}
