//! Shared by the loopback tests: options, waiting, and an owner that collects what it is told.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{
    Admission, Asked, How, Link, LinkEvent, LinkId, LinkOptions, ListenOptions, Listener, ListenerEvent,
    ReceiveLimits, Reporting, SendLimits,
};
use rust_websocket_proto::{
    ClientRequest, Closed, Event, Message, MessageKind, Opened, Target, admission::Endpoint,
};

/// Longer than anything here takes on a loaded machine. Wine's server, which all sockets of a process go through, looks at each one
/// with something unread for every request: hundreds of them at once make it a thousand times slower.
pub const PATIENCE: Duration = Duration::from_secs(if cfg!(windows) { 60 } else { 20 });

pub fn options() -> LinkOptions {
    LinkOptions {
        config: Arc::default(),
        send_limits: SendLimits { bytes: 65535, messages: 4096 },
        receive_limits: ReceiveLimits { bytes: 65535, messages: 4096 },
        no_delay: true,
        way: None,
        trace: None,
    }
}

pub fn listen(link: LinkOptions) -> Listener {
    let address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    Listener::bind(ListenOptions {
        address,
        port: 0,
        link,
        tls: None,
        admission: Admission::default(),
        reporting: Reporting::Together,
    })
    .expect("a free port")
}

pub fn request(address: SocketAddr) -> ClientRequest {
    request_for(&format!("ws://{address}/"))
}

pub fn request_for(url: &str) -> ClientRequest {
    ClientRequest { target: Target::parse(url).expect("a valid URL") }
}

/// Calls `done` until it says true.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// A client link and what it reported.
pub struct Client {
    pub link: Link,
    pub connected: bool,
    pub open: bool,
    pub messages: Vec<Message>,
    pub closed: Option<Closed>,
    /// Whether messages are consumed as they come.
    pub consumes: bool,
}

impl Client {
    pub fn connect(request: ClientRequest, options: LinkOptions) -> Self {
        Self::of(Link::connect(request, options))
    }

    pub fn of(link: Link) -> Self {
        Self { link, connected: false, open: false, messages: Vec::new(), closed: None, consumes: true }
    }

    pub fn poll(&mut self) {
        let mut events = Vec::new();
        self.link.take_events(&mut events);
        for event in events {
            match event {
                LinkEvent::Connected(_) => self.connected = true,
                LinkEvent::Protocol(event) => self.handle(event),
            }
        }
    }

    pub fn handle(&mut self, event: Event) {
        assert!(self.closed.is_none(), "nothing follows Closed");
        match event {
            Event::Opened(_) => self.open = true,
            Event::Message(message) => {
                if self.consumes {
                    self.link.consumed(message.payload.len());
                }
                self.messages.push(message);
            }
            Event::Closed(closed) => self.closed = Some(closed),
        }
    }
}

/// A listener and the links that came in.
pub struct Server {
    pub listener: Listener,
    pub links: std::collections::HashMap<LinkId, Client>,
    pub echoes: bool,
    /// Requests to be decided on.
    pub asked: Vec<Asked>,
    /// Requests that are over.
    pub over: Vec<LinkId>,
    /// Of all links that came in, in that order.
    pub ends: Vec<Endpoint>,
    pub opened: Vec<Opened>,
}

impl Server {
    pub fn new(link: LinkOptions) -> Self {
        Self::of(listen(link))
    }

    pub fn of(listener: Listener) -> Self {
        Self {
            listener,
            links: std::collections::HashMap::new(),
            echoes: false,
            asked: Vec::new(),
            over: Vec::new(),
            ends: Vec::new(),
            opened: Vec::new(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_address()
    }

    pub fn poll(&mut self) {
        let mut events = Vec::new();
        self.listener.take_events(&mut events);
        for event in events {
            match event {
                ListenerEvent::Asked(asked) => self.asked.push(asked),
                ListenerEvent::Over(id) => self.over.push(id),
                ListenerEvent::Accepted(link, end, opened, _) => {
                    self.ends.push(end);
                    self.opened.push(opened);
                    let id = link.id();
                    let mut client = Client::of(link);
                    client.open = true;
                    assert!(self.links.insert(id, client).is_none(), "a link comes in once");
                }
                ListenerEvent::Link(id, event) => {
                    let client = self.links.get_mut(&id).expect("accepted before");
                    if let (true, Event::Message(message)) = (self.echoes, &event) {
                        client
                            .link
                            .push(message.kind, message.payload.clone(), How::Now)
                            .expect("room for the echo");
                    }
                    client.handle(event);
                }
            }
        }
    }

    /// The only link.
    pub fn only(&mut self) -> &mut Client {
        assert_eq!(self.links.len(), 1);
        self.links.values_mut().next().expect("one")
    }
}

/// A connected pair: the client and the server with the one link to it.
pub fn pair(client_options: LinkOptions, server_options: LinkOptions) -> (Client, Server) {
    let mut server = Server::new(server_options);
    let mut client = Client::connect(request(server.address()), client_options);
    wait_until("the handshake", || {
        client.poll();
        server.poll();
        client.open && server.links.len() == 1
    });
    (client, server)
}

pub fn binary(bytes: impl Into<Bytes>) -> (MessageKind, Bytes) {
    (MessageKind::Binary, bytes.into())
}
