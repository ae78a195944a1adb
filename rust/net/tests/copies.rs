//! Messages that go to many links, among others that go to one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use bytes::Bytes;
use rust_websocket_net::{Batch, How, LinkId, Outbox};
use rust_websocket_proto::{Delivery, MessageKind};
use util::{Client, Server, options, request, wait_until};

/// Adds a client. The name of the server's link to it is returned too.
fn join(server: &mut Server) -> (Client, LinkId) {
    let known: Vec<LinkId> = server.links.keys().copied().collect();
    let mut client = Client::connect(request(server.address()), options());
    wait_until("the handshake", || {
        client.poll();
        server.poll();
        client.open && server.links.len() > known.len()
    });
    let new = server.links.keys().copied().find(|id| !known.contains(id));
    (client, new.unwrap())
}

fn copy(to: &Outbox, payload: &Bytes, batch: &mut Batch) {
    to.push(MessageKind::Binary, payload, Delivery::Reliable, How::With(batch)).unwrap();
}

fn received(client: &Client) -> Vec<&[u8]> {
    client.messages.iter().map(|message| &message.payload[..]).collect()
}

#[test]
fn copies_keep_their_place_among_other_messages_and_before_a_close() {
    let mut server = Server::new(options());
    let [(mut first, to_first), (mut second, to_second)] = [join(&mut server), join(&mut server)];
    let links = [to_first, to_second].map(|id| &server.links[&id].link);
    let [for_first, for_second] = links.map(|link| link.outbox());
    let state = Bytes::from_static(b"state");
    let same_bytes_elsewhere = Bytes::copy_from_slice(&state);

    let mut batch = Batch::default();
    copy(&for_first, &state, &mut batch);
    copy(&for_second, &state, &mut batch);
    copy(&for_first, &state, &mut batch);
    links[0].push(MessageKind::Binary, Bytes::from_static(b"own"), How::With(&mut batch)).unwrap();
    copy(&for_first, &state.slice(..2), &mut batch);
    copy(&for_first, &same_bytes_elsewhere, &mut batch);
    copy(&for_second, &state, &mut batch);
    links[1].close(4000, "enough");
    let refused = for_second.push(MessageKind::Binary, &state, Delivery::Reliable, How::Now);
    assert!(refused.is_err(), "nothing goes behind a close");
    copy(&for_first, &state, &mut batch);
    drop(batch);

    wait_until("all of it", || {
        first.poll();
        second.poll();
        first.messages.len() == 6 && second.closed.is_some()
    });
    assert_eq!(received(&first), [&b"state"[..], b"state", b"own", b"st", b"state", b"state"]);
    assert_eq!(received(&second), [&b"state"[..], b"state"]);
    assert_eq!(second.closed.unwrap().code, Some(4000));
}

#[test]
fn copies_count_against_the_limits_of_each_link_alone() {
    let mut server = Server::new(options());
    let [(_reads_nothing, to_slow), (mut quick, to_quick)] = [join(&mut server), join(&mut server)];
    let [for_slow, for_quick] = [to_slow, to_quick].map(|id| server.links[&id].link.outbox());
    let payload = Bytes::from(vec![7; 16 * 1024]);
    let mut accepted = 0;
    wait_until("the slow one's limit", || {
        let is_full = for_slow.push(MessageKind::Binary, &payload, Delivery::Reliable, How::Now).is_err();
        while for_quick.push(MessageKind::Binary, &payload, Delivery::Reliable, How::Now).is_err() {
            quick.poll();
        }
        accepted += 1;
        quick.poll();
        is_full
    });
    wait_until("all that the quick one was sent", || {
        quick.poll();
        quick.messages.len() == accepted
    });
    let quick_link = &server.links[&to_quick].link;
    wait_until("the account of it", || quick_link.buffered_amount() == 0);
    assert!(server.links[&to_slow].link.buffered_amount() > 0);
}
