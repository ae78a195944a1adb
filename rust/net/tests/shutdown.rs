//! The end of the I/O thread; in a process of its own, since it ends every connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::time::{Duration, Instant};

use bytes::Bytes;
use rust_websocket_net::{How, ReceiveLimits, shutdown};
use rust_websocket_proto::MessageKind;
use util::{Client, Server, options, pair, request, wait_until};

#[test]
fn shutting_down_under_load_ends_every_link_and_the_next_use_starts_again() {
    let mut server = Server::new(options());
    let mut clients: Vec<Client> =
        (0..50).map(|_| Client::connect(request(server.address()), options())).collect();
    wait_until("all of them", || {
        server.poll();
        clients.iter_mut().for_each(Client::poll);
        server.links.len() == 50 && clients.iter().all(|client| client.open)
    });
    for client in &clients {
        for _ in 0..200 {
            _ = client.link.push(MessageKind::Binary, Bytes::from(vec![1; 4096]), How::Now);
        }
    }
    // One is still looking for a name, one still connecting.
    let mut seeking = Client::connect(util::request_for("ws://does-not-exist.invalid/"), options());
    let begun = Instant::now();
    _ = shutdown();
    assert!(begun.elapsed() < Duration::from_secs(2), "waited for the network");
    for client in &mut clients {
        client.poll();
        assert!(client.closed.is_some());
        assert!(client.link.push(MessageKind::Text, Bytes::new(), How::Now).is_err());
    }
    seeking.poll();
    assert!(seeking.closed.is_some());
    _ = shutdown();

    let (again, mut new_server) = pair(options(), options());
    new_server.echoes = true;
    let mut again = again;
    again.link.push(MessageKind::Text, Bytes::from_static(b"again"), How::Now).unwrap();
    wait_until("the echo", || {
        new_server.poll();
        again.poll();
        !again.messages.is_empty()
    });

    // What was accepted is offered to the kernel on the way out.
    let mut roomy = options();
    roomy.receive_limits = ReceiveLimits { bytes: usize::MAX, messages: usize::MAX };
    let raw = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = raw.local_addr().unwrap();
    let reader = std::thread::spawn(move || {
        use std::io::Read;
        let (mut stream, _) = raw.accept().unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut leaving = Client::connect(request(address), options());
    wait_until("TCP", || {
        leaving.poll();
        leaving.connected
    });
    std::thread::sleep(Duration::from_millis(20));
    _ = shutdown();
    let request = String::from_utf8(reader.join().unwrap()).unwrap();
    assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
}
