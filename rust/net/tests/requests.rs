//! Requests that are decided on before they are answered, over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{Admission, How, ListenOptions, Listener, ListenerEvent, Reporting};
use rust_websocket_proto::{
    MessageKind,
    http::{Answer, Decision},
};
use util::*;

const UPGRADE: &str = "GET /room HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const PLAIN: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

fn asking(timeout: Duration) -> Server {
    let server = Server::new(options());
    server.listener.set_admission(Admission { asks_owner: Some(timeout), ..Admission::default() });
    server
}

fn raw(server: &Server, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

fn text(status: i64, body: &str) -> Decision {
    Decision::Answer(Answer::text(status, body, Vec::new()).unwrap())
}

fn wait_for_requests(server: &mut Server, count: usize) {
    wait_until("requests", || {
        server.poll();
        server.asked.len() >= count
    });
}

#[test]
fn the_owner_decides_when_it_likes() {
    let mut server = asking(PATIENCE);
    let mut client = Client::connect(request(server.address()), options());
    wait_for_requests(&mut server, 1);
    assert!(server.links.is_empty() && !client.open);
    let asked = server.asked.pop().unwrap();
    assert_eq!((asked.request().path().as_ref(), asked.request().is_upgrade()), ("/", true));
    assert_eq!(asked.remote().client.address.to_string(), "127.0.0.1");
    let id = asked.id();
    asked.decide(Decision::accept(), None);
    wait_until("the upgrade", || {
        server.poll();
        client.poll();
        client.open && server.links.contains_key(&id)
    });
    assert!(server.over.is_empty());
}

#[test]
fn a_plain_request_is_answered_and_its_connection_ends() {
    let mut server = asking(PATIENCE);
    let stream = raw(&server, PLAIN);
    wait_for_requests(&mut server, 1);
    let asked = server.asked.pop().unwrap();
    let id = asked.id();
    asked.decide(text(200, "ok"), None);
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    wait_until("its end", || {
        server.poll();
        server.over == [id]
    });
}

#[test]
fn who_is_dropped_gets_500_and_who_waits_too_long_503() {
    let mut server = asking(Duration::from_millis(50));
    let dropped = raw(&server, PLAIN);
    wait_for_requests(&mut server, 1);
    server.asked.clear();
    assert!(rest(dropped).starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
    let late = raw(&server, UPGRADE);
    wait_for_requests(&mut server, 1);
    assert!(rest(late).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    wait_until("both ends", || {
        server.poll();
        server.over.len() == 2
    });
    server.asked.pop().unwrap().decide(Decision::accept(), None);
    server.poll();
    assert!(server.links.is_empty(), "too late");
}

#[test]
fn a_client_that_leaves_while_it_waits_is_reported() {
    let mut server = asking(PATIENCE);
    let stream = raw(&server, UPGRADE);
    wait_for_requests(&mut server, 1);
    stream.shutdown(Shutdown::Both).unwrap();
    let id = server.asked[0].id();
    wait_until("its end", || {
        server.poll();
        server.over == [id]
    });
    server.asked.pop().unwrap().decide(Decision::accept(), None);
}

#[test]
fn a_listener_that_is_dropped_answers_who_waits() {
    let mut server = asking(PATIENCE);
    let (waiting, answered, accepted) = (raw(&server, PLAIN), raw(&server, PLAIN), raw(&server, UPGRADE));
    wait_for_requests(&mut server, 3);
    let mut asked = std::mem::take(&mut server.asked);
    let answered_port = answered.local_addr().unwrap().port();
    let upgrade = asked.iter().position(|asked| asked.request().is_upgrade()).unwrap();
    asked.remove(upgrade).decide(Decision::accept(), None);
    let second = asked.iter().position(|asked| asked.remote().client.port == answered_port).unwrap();
    asked.remove(second).decide(text(200, "bye"), None);
    let began = Instant::now();
    drop(server);
    assert!(rest(answered).ends_with("bye"));
    assert!(rest(waiting).starts_with("HTTP/1.1 503 "));
    let mut accepted_answer = [0; 512];
    let mut accepted = accepted;
    let count = accepted.read(&mut accepted_answer).unwrap();
    assert!(accepted_answer[..count].starts_with(b"HTTP/1.1 101 "));
    assert!(began.elapsed() < PATIENCE / 2);
}

#[test]
fn rules_that_change_count_for_requests_that_are_not_complete() {
    let mut server = Server::new(options());
    let (head, end) = UPGRADE.split_at(UPGRADE.len() - 2);
    let mut stream = raw(&server, head);
    std::thread::sleep(Duration::from_millis(20));
    server.listener.set_admission(Admission { asks_owner: Some(PATIENCE), ..Admission::default() });
    stream.write_all(end.as_bytes()).unwrap();
    wait_for_requests(&mut server, 1);
    assert!(server.links.is_empty());
}

#[test]
fn no_more_than_max_pending_wait() {
    let mut server = Server::new(options());
    let admission = Admission { asks_owner: Some(PATIENCE), max_pending: 2, ..Admission::default() };
    server.listener.set_admission(admission.clone());
    let mut streams: Vec<_> = (0..4).map(|_| raw(&server, PLAIN)).collect();
    wait_for_requests(&mut server, 2);
    std::thread::sleep(Duration::from_millis(50));
    server.poll();
    assert_eq!(server.asked.len(), 2);
    server.listener.set_admission(Admission { max_pending: 3, ..admission });
    wait_for_requests(&mut server, 3);
    let asked = server.asked.pop().unwrap();
    let port = asked.remote().client.port;
    asked.decide(text(200, "ok"), None);
    let answered = streams.iter().position(|stream| stream.local_addr().unwrap().port() == port).unwrap();
    rest(streams.remove(answered));
    wait_for_requests(&mut server, 3);
}

/// Who asks and goes leaves no more behind than may wait, however long nobody looks.
#[test]
fn requests_of_clients_that_have_gone_count_until_they_are_seen() {
    let mut server = Server::new(options());
    let admission = Admission { asks_owner: Some(PATIENCE), max_pending: 3, ..Admission::default() };
    server.listener.set_admission(admission);
    for _ in 0..12 {
        drop(raw(&server, PLAIN));
        std::thread::sleep(Duration::from_millis(5));
    }
    server.poll();
    assert!((1..=3).contains(&server.asked.len()), "{}", server.asked.len());
    wait_for_requests(&mut server, 12);
}

fn routed() -> Server {
    let listener = Listener::bind(ListenOptions {
        address: Some("127.0.0.1".parse().unwrap()),
        port: 0,
        link: options(),
        tls: None,
        admission: Admission::default(),
        reporting: Reporting::Each,
    });
    Server::of(listener.unwrap())
}

fn client_at(server: &Server, path: &str) -> Client {
    Client::connect(request_for(&format!("ws://{}{path}", server.address())), options())
}

#[test]
fn each_link_may_report_for_itself() {
    let mut server = routed();
    let mut client = client_at(&server, "/any");
    wait_until("the upgrade", || {
        server.poll();
        client.poll();
        client.open && server.links.len() == 1
    });
    client.link.push(MessageKind::Text, Bytes::from_static(b"own"), How::Now).unwrap();
    let link = server.only();
    wait_until("the message", || {
        link.poll();
        !link.messages.is_empty()
    });
    drop(client);
    wait_until("the end", || {
        link.poll();
        link.closed.is_some()
    });
}

#[test]
fn rooms_take_the_connections_of_their_path() {
    let mut server = routed();
    let mut one = Server::of(server.listener.room("/one").unwrap());
    let mut two = Server::of(server.listener.room("/two").unwrap());
    assert!(server.listener.room("/one").is_none(), "taken");
    assert!(one.listener.room("/three").is_none(), "a room has none");
    let mut clients: Vec<_> =
        ["/one", "/two", "/one?a=b", "/other"].iter().map(|path| client_at(&server, path)).collect();
    wait_until("all", || {
        server.poll();
        one.poll();
        two.poll();
        clients.iter_mut().for_each(Client::poll);
        clients.iter().all(|client| client.open || client.closed.is_some())
            && (one.links.len(), two.links.len()) == (2, 1)
    });
    assert!(server.links.is_empty());
    let cause = clients[3].closed.as_ref().unwrap().cause.to_string();
    assert!(cause.contains("404"), "{cause}");
    one.echoes = true;
    clients[2].link.push(MessageKind::Text, Bytes::from_static(b"hi"), How::Now).unwrap();
    wait_until("the echo", || {
        one.poll();
        clients[2].poll();
        !clients[2].messages.is_empty()
    });
    drop(two);
    assert!(server.listener.room("/two").is_some(), "free again");
    drop(server);
    clients[0].link.push(MessageKind::Text, Bytes::from_static(b"still here"), How::Now).unwrap();
    wait_until("the echo without the server", || {
        one.poll();
        clients[0].poll();
        !clients[0].messages.is_empty()
    });
}

#[test]
fn what_the_owner_accepts_goes_to_the_room_with_its_tag() {
    let mut server = routed();
    server.listener.set_admission(Admission { asks_owner: Some(PATIENCE), ..Admission::default() });
    let mut room = server.listener.room("/room").unwrap();
    let streams = [raw(&server, UPGRADE), raw(&server, &UPGRADE.replace("/room", "/elsewhere"))];
    wait_for_requests(&mut server, 2);
    let mut ids = Vec::new();
    for asked in std::mem::take(&mut server.asked) {
        ids.push(asked.id());
        let path = asked.request().path().into_owned();
        asked.decide(Decision::accept(), Some(Arc::new(path)));
    }
    let mut events = Vec::new();
    wait_until("both", || {
        server.poll();
        room.take_events(&mut events);
        server.links.len() == 1 && events.len() == 1
    });
    let ListenerEvent::Accepted(link, _, _, Some(tag)) = &events[0] else { panic!("{events:?}") };
    assert_eq!(tag.downcast_ref::<String>().unwrap(), "/room");
    wait_until("the report", || {
        server.poll();
        server.over == [link.id()]
    });
    drop(streams);
}

#[test]
fn a_room_that_accepts_nobody_and_one_for_the_rest() {
    let server = routed();
    let closed = server.listener.room("/closed").unwrap();
    let mut rest_of = Server::of(server.listener.room("").unwrap());
    closed.set_accepting(false);
    assert!(rest(raw(&server, &UPGRADE.replace("/room", "/closed"))).starts_with("HTTP/1.1 503 "));
    assert!(rest(raw(&server, PLAIN)).starts_with("HTTP/1.1 426 "));
    let _client = raw(&server, UPGRADE);
    wait_until("the room for the rest", || {
        rest_of.poll();
        rest_of.links.len() == 1
    });
}
