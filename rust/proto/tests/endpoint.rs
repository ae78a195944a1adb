//! Endpoints in memory, with virtual time: backpressure and reading ahead, budgets, send accounting, leaving.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::{io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use rust_websocket_proto::{
    Amount, Budget, CloseCause, Closed, Compressor, Config, DeflateConfig, Endpoint, EndpointOptions, Event,
    Farewell, Message, MessageKind, Offered, Polled, ReceiveLimits, Scheme, SendError, SendLimits,
    TransportEnd,
};
use util::*;

const NARROW: ReceiveLimits = ReceiveLimits { bytes: 10_000, messages: 4 };
const WIDE: ReceiveLimits = ReceiveLimits { bytes: usize::MAX, messages: usize::MAX };

fn options(receive_limits: ReceiveLimits, read_ahead: usize) -> EndpointOptions {
    EndpointOptions {
        send_limits: SendLimits { bytes: 0, messages: 0 },
        receive_limits,
        read_ahead,
        half_close: true,
    }
}

fn written(endpoint: &mut Endpoint, most: usize, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    while endpoint.has_output() && all.len() < most {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = endpoint.output(&mut slices);
        let before = all.len();
        for slice in &slices[..filled] {
            all.extend_from_slice(&slice[..slice.len().min(most - all.len())]);
        }
        endpoint.wrote(all.len() - before, now);
    }
    endpoint.write_refused(now);
    all
}

fn all_written(endpoint: &mut Endpoint, now: Instant) -> Vec<u8> {
    written(endpoint, usize::MAX, now)
}

/// Events until there is nothing more, no room, or the budget is spent; and which of these.
fn polled(endpoint: &mut Endpoint, budget: &mut Budget, now: Instant) -> (Vec<Event>, Polled) {
    let mut events = Vec::new();
    loop {
        match endpoint.poll_event(budget, now) {
            Polled::Event(event) => events.push(event),
            why => return (events, why),
        }
    }
}

fn events(endpoint: &mut Endpoint, now: Instant) -> Vec<Event> {
    polled(endpoint, &mut Budget::unlimited(), now).0
}

fn messages(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Message(_))).count()
}

fn end_of(events: &[Event]) -> Option<&Closed> {
    match events.last() {
        Some(Event::Closed(closed)) => Some(closed),
        _ => None,
    }
}

fn send(endpoint: &mut Endpoint, payload: &[u8]) {
    endpoint.send(MessageKind::Binary, Bytes::copy_from_slice(payload), &mut Compressor::default()).unwrap();
}

/// A client and a server that have completed the upgrade.
struct Ends {
    client: Endpoint,
    server: Endpoint,
    now: Instant,
}

impl Ends {
    fn new(server: EndpointOptions) -> Self {
        Self::with(config(), config(), server)
    }

    fn with(client_config: Config, server_config: Config, server: EndpointOptions) -> Self {
        let now = epoch();
        let mut ends = Self {
            client: Endpoint::client(
                &request("ws://game.example/"),
                client_config,
                Arc::new(Seeded::new(7)),
                options(WIDE, 0),
                now,
            ),
            server: Endpoint::server(Scheme::Ws, server_config, server, now),
            now,
        };
        assert!(matches!(ends.drive_server()[..], [Event::Opened(_)]));
        assert!(matches!(ends.drive_client()[..], [Event::Opened(_)]));
        ends
    }

    fn drive_server(&mut self) -> Vec<Event> {
        let bytes = all_written(&mut self.client, self.now);
        self.server.handle_read(&bytes, self.now);
        events(&mut self.server, self.now)
    }

    fn drive_client(&mut self) -> Vec<Event> {
        let bytes = all_written(&mut self.server, self.now);
        self.client.handle_read(&bytes, self.now);
        events(&mut self.client, self.now)
    }

    /// The server's owner takes messages of `bytes` each.
    fn consume(&mut self, messages: usize, bytes: usize) -> Vec<Event> {
        self.server.consumed(Amount { messages, bytes: messages * bytes }, self.now);
        events(&mut self.server, self.now)
    }
}

#[test]
fn without_reading_ahead_the_limits_stop_decoding() {
    let mut ends = Ends::new(options(NARROW, 0));
    for _ in 0..10 {
        send(&mut ends.client, b"x");
    }
    assert_eq!(messages(&ends.drive_server()), 4);
    assert!(ends.server.is_paused() && !ends.server.wants_read() && !ends.server.is_holding());
    assert_eq!(messages(&ends.consume(3, 1)), 3);
    assert_eq!(messages(&ends.consume(4, 1)), 3);
    assert!(!ends.server.is_paused() && ends.server.wants_read());
    let statistics = ends.server.take_statistics();
    assert_eq!((statistics.messages_in, statistics.bytes_in, statistics.reads_paused), (10, 10, 2));
}

/// F26: what scripts see keeps the limits, and the rest of the connection goes on behind them.
#[test]
fn pings_and_closes_behind_unread_messages_are_met() {
    let mut ends = Ends::new(options(NARROW, 64 * 1024));
    for index in 0..20 {
        send(&mut ends.client, &[index]);
    }
    let ping = frame(0x89, b"there?", true);
    assert_eq!(messages(&ends.drive_server()), 4);
    ends.server.handle_read(&ping, ends.now);
    assert!(matches!(polled(&mut ends.server, &mut Budget::unlimited(), ends.now).1, Polled::Idle));
    assert!(ends.server.wants_read() && ends.server.is_holding() && !ends.server.is_paused());
    assert_eq!(all_written(&mut ends.server, ends.now), frame(0x8a, b"there?", false));

    ends.client.close(4000, "bye", ends.now);
    assert!(ends.drive_server().is_empty(), "the end is behind the messages");
    assert!(ends.server.is_over() && !ends.server.is_open());
    let answer = ends.drive_client();
    assert_eq!(end_of(&answer).unwrap().code, Some(4000), "the other side need not wait for our owner");
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::SendFin));

    let mut seen = 4;
    while seen < 20 {
        let events = ends.consume(4, 1);
        assert!(messages(&events) == 4, "{events:?}");
        seen += 4;
        assert_eq!(end_of(&events).is_some(), seen == 20);
    }
    assert!(ends.server.is_silent());
    assert_eq!(ends.server.take_statistics().reads_paused, 1);
}

#[test]
fn reading_ahead_is_bounded_and_the_heartbeat_rests_beyond() {
    let mut with_heartbeat = config();
    with_heartbeat.heartbeat_interval = Some(SECOND);
    let mut ends = Ends::with(config(), with_heartbeat, options(NARROW, 2000));
    for _ in 0..100 {
        send(&mut ends.client, &[0; 100]);
    }
    assert_eq!(messages(&ends.drive_server()), 4);
    assert!(ends.server.is_paused() && ends.server.read_ahead_size() < 2000 + 200);
    assert_eq!(ends.server.next_deadline(), None, "silence is our own doing");
    ends.consume(4, 100);
    assert!(ends.server.read_ahead_size() < 2000 + 200);
    ends.server.set_read_ahead(0);
    let mut seen = 8;
    while seen < 100 {
        seen += messages(&ends.consume(4, 100));
    }
    ends.consume(4, 100);
    assert!(!ends.server.is_paused());
    assert!(ends.server.next_deadline().is_some());
}

#[test]
fn many_empty_messages_do_not_fill_memory() {
    let mut ends = Ends::new(options(NARROW, 1000));
    for _ in 0..1000 {
        send(&mut ends.client, b"");
    }
    ends.drive_server();
    assert!(ends.server.is_paused() && ends.server.read_ahead_size() <= 1064);
}

/// An owner that takes nothing does not keep the end from showing for ever; one that does not even look is waited for.
#[test]
fn the_end_shows_within_the_close_timeout_although_nothing_is_taken() {
    let mut ends = Ends::new(options(NARROW, 64 * 1024));
    for _ in 0..20 {
        send(&mut ends.client, b"x");
    }
    ends.client.close(1000, "", ends.now);
    assert_eq!(messages(&ends.drive_server()), 4);
    all_written(&mut ends.server, ends.now);
    ends.server.handle_end(TransportEnd::Eof);
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::SendFin));
    ends.server.fin_sent();
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::Done));
    assert!(ends.server.has_parted() && !ends.server.is_silent() && ends.server.awaits_owner());
    assert_eq!(ends.server.next_deadline(), None, "an owner that is stuck loses nothing");

    ends.server.settle(ends.now);
    assert!(!ends.server.awaits_owner());
    ends.now += 4 * SECOND;
    assert_eq!(messages(&ends.consume(1, 1)), 1);
    assert_eq!(ends.server.next_deadline(), Some(ends.now + 5 * SECOND), "it takes some");
    ends.now += 5 * SECOND;
    ends.server.handle_timeout(ends.now);
    let rest = events(&mut ends.server, ends.now);
    assert_eq!((messages(&rest), end_of(&rest).unwrap().code), (15, Some(1000)));
    assert_eq!(ends.server.next_deadline(), None);
}

#[test]
fn a_transport_that_ended_behind_unread_input_is_given_up() {
    let mut ends = Ends::new(options(NARROW, 0));
    for _ in 0..20 {
        send(&mut ends.client, b"x");
    }
    assert_eq!(messages(&ends.drive_server()), 4);
    assert!(!ends.server.awaits_owner());
    ends.server.handle_hangup();
    assert!(ends.server.awaits_owner());
    assert_eq!(ends.server.next_deadline(), None, "an owner that is stuck loses nothing");
    ends.now += 60 * SECOND;
    ends.server.settle(ends.now);
    assert!(!ends.server.awaits_owner());
    ends.now += 3 * SECOND;
    ends.server.handle_hangup();
    ends.server.settle(ends.now);
    assert_eq!(ends.server.next_deadline(), Some(ends.now + 2 * SECOND));
    ends.now += 2 * SECOND;
    ends.server.handle_timeout(ends.now);
    let rest = events(&mut ends.server, ends.now);
    assert!(matches!(end_of(&rest).unwrap().cause, CloseCause::TransportLost(_)));
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::Done));
}

#[test]
fn our_own_close_drops_what_nobody_expects_any_more() {
    let mut ends = Ends::new(options(NARROW, 64 * 1024));
    for _ in 0..20 {
        send(&mut ends.client, b"x");
    }
    assert_eq!(messages(&ends.drive_server()), 4);
    ends.server.close(1000, "", ends.now);
    assert!(!ends.server.is_holding());
    let received = ends.drive_client();
    assert_eq!(end_of(&received).unwrap().code, Some(1000));
    assert_eq!(end_of(&ends.drive_server()).unwrap().code, Some(1000));
}

#[test]
fn an_owner_that_is_gone_gets_the_end_alone() {
    for has_closed in [false, true] {
        let mut ends = Ends::new(options(NARROW, 64 * 1024));
        for _ in 0..20 {
            send(&mut ends.client, b"x");
        }
        ends.drive_server();
        if has_closed {
            ends.server.close(4001, "", ends.now);
        }
        ends.server.abandon();
        let last = events(&mut ends.server, ends.now);
        assert_eq!(end_of(&last).map(|closed| closed.code), (!has_closed).then_some(None));
        assert_eq!(all_written(&mut ends.server, ends.now).is_empty(), !has_closed);
    }
}

#[test]
fn send_limits_count_what_the_transport_has_refused() {
    let mut limited = options(WIDE, 0);
    limited.send_limits = SendLimits { bytes: 1000, messages: 3 };
    let mut ends = Ends::new(limited);
    let compressor = &mut Compressor::default();
    let mut try_send = |server: &mut Endpoint, size: usize| {
        server.send(MessageKind::Binary, vec![0; size].into(), compressor)
    };
    assert_eq!(try_send(&mut ends.server, 900), Ok(()));
    assert_eq!(try_send(&mut ends.server, 900), Ok(()), "nothing was refused yet");
    assert_eq!(written(&mut ends.server, 904, ends.now).len(), 904);
    let offered = Offered { taken: Amount::message(900), left: Amount::message(900) };
    assert_eq!(ends.server.take_offered(), Some(offered));
    assert_eq!(ends.server.take_offered(), None);
    assert_eq!(try_send(&mut ends.server, 101), Err(SendError::BufferFull));
    assert_eq!(try_send(&mut ends.server, 100), Ok(()));
    all_written(&mut ends.server, ends.now);
    let taken = Amount { bytes: 1000, messages: 2 };
    assert_eq!(ends.server.take_offered(), Some(Offered { taken, left: Amount::default() }));
    let statistics = ends.server.take_statistics();
    assert_eq!((statistics.messages_out, statistics.bytes_out, statistics.sends_refused), (3, 1900, 1));
    assert_eq!(ends.server.take_statistics(), rust_websocket_proto::Statistics::default());
    ends.server.close(1000, "", ends.now);
    assert_eq!(try_send(&mut ends.server, 1), Err(SendError::NotOpen));
}

fn lossless(bytes: Vec<u8>) -> Ends {
    let mut large = config();
    large.max_message_size = 1 << 20;
    large.deflate = Some(DeflateConfig { context_takeover: true, ..DeflateConfig::default() });
    let mut ends = Ends::with(large.clone(), large, options(WIDE, 0));
    ends.server.handle_read(&bytes, ends.now);
    ends
}

/// One turn after the other with a small budget: each of them does a little, and together they do all.
#[test]
fn a_budget_ends_every_kind_of_work_and_nothing_is_lost() {
    let barren =
        [&[0x42, 0x80, 0, 0, 0, 0][..], &frame(0x00, &[0, 0, 0, 0xff, 0xff].repeat(4000), true)].concat();
    let floods = [
        ("fragments", [frame(0x02, b"", true), frame(0x00, b"", true).repeat(10_000)].concat()),
        ("pings", frame(0x89, b"", true).repeat(10_000)),
        ("messages", frame(0x82, b"x", true).repeat(10_000)),
        ("barren blocks", barren),
    ];
    for (name, bytes) in floods {
        let mut whole = lossless(bytes.clone());
        let wanted = messages(&events(&mut whole.server, whole.now));
        let mut ends = lossless(bytes);
        let (mut turns, mut seen) = (0, 0);
        loop {
            let (events, why) = polled(&mut ends.server, &mut Budget::new(20 * MS / 1000), ends.now);
            turns += 1;
            seen += messages(&events);
            assert!(messages(&events) <= 200, "{name}: {} at once", messages(&events));
            match why {
                Polled::BudgetSpent => assert!(!ends.server.wants_read(), "{name}"),
                _ => break,
            }
        }
        assert!(turns > 10, "{name}: {turns} turns");
        assert_eq!(seen, wanted, "{name}");
        assert!(ends.server.wants_read());
    }
}

#[test]
fn at_most_32_pongs_wait_and_the_latest_ping_is_answered() {
    let mut ends = Ends::new(options(WIDE, 0));
    for index in 0..1000_u32 {
        ends.server.handle_read(&frame(0x89, &index.to_le_bytes(), true), ends.now);
    }
    events(&mut ends.server, ends.now);
    let pongs = all_written(&mut ends.server, ends.now);
    assert_eq!(pongs.len(), 33 * 6);
    assert_eq!(pongs[32 * 6 + 2..], 999_u32.to_le_bytes());
}

#[test]
fn fragments_and_compressed_bytes_have_limits() {
    let mut fragments = [frame(0x02, b"", true), frame(0x00, b"", true).repeat(131_071)].concat();
    let mut ends = lossless(fragments.clone());
    assert!(events(&mut ends.server, ends.now).is_empty());
    ends.server.handle_read(&frame(0x80, b"", true), ends.now);
    let closed = events(&mut ends.server, ends.now);
    assert_eq!(end_of(&closed).unwrap().code, Some(1009), "131 073 are one too many");
    assert_eq!(end_of(&closed).unwrap().cause, CloseCause::TooManyFragments { limit: 131_072 });
    fragments.truncate(fragments.len() - 6);
    let mut ends = lossless(fragments);
    ends.server.handle_read(&frame(0x80, b"", true), ends.now);
    assert_eq!(messages(&events(&mut ends.server, ends.now)), 1);

    // Empty stored blocks: the message stays empty.
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(13_000);
    let bytes = [frame(0x42, b"", true), frame(0x00, &blocks, true).repeat(20)].concat();
    let mut ends = lossless(bytes);
    let closed = events(&mut ends.server, ends.now);
    assert_eq!(end_of(&closed).unwrap().code, Some(1009));
    assert!(matches!(end_of(&closed).unwrap().cause, CloseCause::MessageTooBig { limit: 0x10_0000, .. }));
}

/// After our own close they are skipped, and the other side's close frame is found behind.
#[test]
fn beyond_these_limits_while_closing() {
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(13_000);
    for bytes in [
        [frame(0x02, b"", true), frame(0x00, b"", true).repeat(140_000), frame(0x80, b"", true)].concat(),
        [frame(0x42, b"", true), frame(0x00, &blocks, true).repeat(20), frame(0x80, b"", true)].concat(),
    ] {
        let mut ends = lossless(Vec::new());
        ends.server.close(1000, "", ends.now);
        ends.server.handle_read(&bytes, ends.now);
        assert!(events(&mut ends.server, ends.now).is_empty());
        ends.server.handle_read(&frame(0x88, &[3, 232], true), ends.now);
        assert_eq!(end_of(&events(&mut ends.server, ends.now)).unwrap().cause, CloseCause::Clean);
    }
}

const LINK: usize = 10_000; // bytes in 10 ms: 1 MB/s

/// A large message takes eight seconds to leave, and the link is healthy.
#[test]
fn a_large_message_on_a_slow_link_survives_the_heartbeat() {
    for (of_client, of_server) in [(true, false), (false, true), (true, true)] {
        for client_sends in [true, false] {
            // What the transport itself holds, and takes at once.
            for buffer in [0, 600_000, 4_000_000] {
                let beating = |beats: bool| {
                    let mut config = config();
                    config.max_message_size = 16 << 20;
                    config.heartbeat_interval = beats.then_some(SECOND);
                    config
                };
                let mut ends = Ends::with(beating(of_client), beating(of_server), options(WIDE, 0));
                let sender = if client_sends { &mut ends.client } else { &mut ends.server };
                send(sender, &vec![0; 8 << 20]);
                let arrived = slow_transfer(&mut ends, client_sends, buffer);
                assert!(arrived, "client sends: {client_sends}, buffer {buffer}");
            }
        }
    }
}

/// Runs for twelve seconds over a link that takes `buffer` bytes at once and then [`LINK`] every 10 ms.
fn slow_transfer(ends: &mut Ends, client_sends: bool, buffer: usize) -> bool {
    let mut in_flight: [Vec<u8>; 2] = Default::default();
    let mut arrived = 0;
    for _ in 0..1200 {
        ends.now += 10 * MS;
        for to_server in [true, false] {
            let flight = &mut in_flight[usize::from(to_server)];
            let (from, to) = match to_server {
                true => (&mut ends.client, &mut ends.server),
                false => (&mut ends.server, &mut ends.client),
            };
            let room = (buffer + LINK).saturating_sub(flight.len());
            flight.extend(written(from, room, ends.now));
            let rest = flight.split_off(flight.len().min(LINK));
            to.handle_read(&std::mem::replace(flight, rest), ends.now);
            let seen = events(to, ends.now);
            if to.next_deadline().is_some_and(|deadline| deadline <= ends.now) {
                to.handle_timeout(ends.now);
            }
            if end_of(&seen).is_some() || end_of(&events(to, ends.now)).is_some() {
                return false;
            }
            arrived += if to_server == client_sends { messages(&seen) } else { 0 };
        }
    }
    arrived == 1
}

/// Bytes that go into a transport's free buffer are no sign of life.
#[test]
fn a_dead_peer_is_found_although_there_is_always_something_to_send() {
    for takes_everything in [true, false] {
        let mut beating = config();
        beating.heartbeat_interval = Some(SECOND);
        let mut ends = Ends::with(beating, config(), options(WIDE, 0));
        let start = ends.now;
        let end = loop {
            ends.now += 10 * MS;
            assert!(ends.now < start + 10 * SECOND, "it lives for ever");
            send(&mut ends.client, &[0; 1000]);
            let most = if takes_everything || ends.now < start + 500 * MS { usize::MAX } else { 0 };
            if most > 0 || ends.client.has_output() {
                written(&mut ends.client, most, ends.now);
            }
            ends.client.handle_timeout(ends.now);
            if let Some(closed) = end_of(&events(&mut ends.client, ends.now)) {
                break closed.cause.clone();
            }
        };
        assert_eq!(end, CloseCause::HeartbeatTimeout { interval: SECOND });
        assert!(ends.now <= start + 3 * SECOND);
    }
}

#[test]
fn parting_with_and_without_half_close() {
    // The other side's close frame: our answer, FIN, its end.
    let mut ends = Ends::new(options(WIDE, 0));
    assert_eq!(ends.server.farewell(ends.now), None);
    ends.client.close(1000, "", ends.now);
    ends.drive_server();
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::WriteMore));
    all_written(&mut ends.server, ends.now);
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::SendFin));
    ends.server.fin_sent();
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::ReadOn));
    assert!(ends.server.wants_read());
    assert_eq!(ends.server.next_deadline(), Some(ends.now + 5 * SECOND));
    let mut patient = ends.now;
    ends.server.handle_end(TransportEnd::Eof);
    assert_eq!(ends.server.farewell(patient), Some(Farewell::Done));

    // Where the transport cannot be half closed: at once if the other side knows, otherwise when it is quiet.
    let closing = EndpointOptions { half_close: false, ..options(WIDE, 0) };
    let mut ends = Ends::new(closing);
    ends.client.close(1000, "", ends.now);
    ends.drive_server();
    all_written(&mut ends.server, ends.now);
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::Done));
    let mut ends = Ends::new(closing);
    ends.server.handle_read(&frame(0x83, b"", true), ends.now);
    assert_eq!(end_of(&events(&mut ends.server, ends.now)).unwrap().code, Some(1002));
    all_written(&mut ends.server, ends.now);
    patient = ends.now;
    for _ in 0..20 {
        patient += 90 * MS;
        assert_eq!(ends.server.farewell(patient), Some(Farewell::ReadOn));
        ends.server.handle_read(b"still talking", patient);
    }
    assert_eq!(ends.server.next_deadline(), Some(patient + 100 * MS));
    assert_eq!(ends.server.farewell(patient + 100 * MS), Some(Farewell::Done));

    // Nobody is waited for beyond the close timeout, and not at all where nothing was said.
    let mut ends = Ends::new(options(WIDE, 0));
    ends.server.leave();
    events(&mut ends.server, ends.now);
    ends.server.fin_sent();
    assert_eq!(ends.server.farewell(ends.now + 5 * SECOND), Some(Farewell::Done));
    let mut silent = Endpoint::server(Scheme::Ws, config(), options(WIDE, 0), ends.now);
    silent.handle_timeout(ends.now + 30 * SECOND);
    events(&mut silent, ends.now);
    assert_eq!(silent.farewell(ends.now), Some(Farewell::Done));
    let mut broken = Ends::new(options(WIDE, 0)).server;
    broken.handle_end(TransportEnd::Error("reset".to_owned()));
    events(&mut broken, ends.now);
    assert_eq!(broken.farewell(ends.now), Some(Farewell::Done));
}

#[test]
fn a_fault_waits_for_answers_and_reads_nothing_meanwhile() {
    let mut ends = Ends::new(options(NARROW, 64 * 1024));
    let bytes = [frame(0x82, b"question", true).repeat(6), frame(0x83, b"", true)].concat();
    ends.server.handle_read(&bytes, ends.now);
    assert_eq!(messages(&events(&mut ends.server, ends.now)), 4);
    assert!(!ends.server.wants_read() && !ends.server.awaits_owner(), "two are held");
    assert_eq!(messages(&ends.consume(4, 8)), 2);
    assert!(ends.server.awaits_owner());
    send(&mut ends.server, b"answer");
    ends.server.settle(ends.now);
    assert_eq!(end_of(&events(&mut ends.server, ends.now)).unwrap().code, Some(1002));
    let output = all_written(&mut ends.server, ends.now);
    assert_eq!(output, [frame(0x82, b"answer", false), frame(0x88, &[3, 234], false)].concat());
    // An owner that does not come back is waited for no longer than a second, although it has messages left.
    let mut ends = Ends::new(options(NARROW, 64 * 1024));
    ends.server.handle_read(&bytes, ends.now);
    events(&mut ends.server, ends.now);
    ends.server.handle_timeout(ends.now + SECOND);
    assert!(events(&mut ends.server, ends.now + SECOND).is_empty() && ends.server.is_over());
    assert!(ends.server.has_output());
}

/// What a receiver makes of a stream: the messages, how it ends, and what it answers.
type Outcome = (Vec<Message>, Option<(Option<u16>, CloseCause)>, Vec<u8>);

/// Hands `bytes` in as they are cut, with a budget for each turn; the owner takes what it gets at once, or now and then.
fn outcome(bytes: &[u8], random: Option<&Seeded>, has_closed: bool) -> Outcome {
    let mut ends = lossless(Vec::new());
    if let Some(random) = random {
        let narrow = ReceiveLimits { bytes: 1 + random.below(1000), messages: 1 + random.below(5) };
        let mut config = config();
        config.max_message_size = 1 << 20;
        config.deflate = Some(DeflateConfig { context_takeover: true, ..DeflateConfig::default() });
        ends = Ends::with(config.clone(), config, options(narrow, random.below(4000)));
    }
    if has_closed {
        ends.server.close(1000, "", ends.now);
    }
    let mut all = (Vec::new(), None, Vec::new());
    let mut rest = bytes;
    for _ in 0..100_000 {
        let budget =
            random.map_or(Budget::unlimited(), |random| Budget::new(MS / 1000 * random.below(20) as u32));
        let (events, _) = polled(&mut ends.server, &mut budget.clone(), ends.now);
        for event in events {
            match event {
                Event::Message(message) => {
                    ends.server.consumed(Amount::message(message.payload.len()), ends.now);
                    all.0.push(message);
                }
                Event::Closed(closed) => all.1 = Some((closed.code, closed.cause)),
                Event::Opened(_) => panic!("opened twice"),
            }
        }
        if !ends.server.is_holding() {
            ends.server.settle(ends.now);
        }
        if ends.server.wants_read() && !rest.is_empty() {
            let count = random.map_or(rest.len(), |random| 1 + random.below(rest.len().min(3000)));
            let (now, later) = rest.split_at(count);
            rest = later;
            ends.server.handle_read(now, ends.now);
        } else if rest.is_empty() && ends.server.wants_read() && !ends.server.is_holding() {
            break;
        }
    }
    all.2 = all_written(&mut ends.server, ends.now);
    all
}

/// Frames of every kind, right and wrong, compressed and corrupt.
fn arbitrary_stream(random: &Seeded) -> Vec<u8> {
    const FIRST: [u8; 14] =
        [0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0xc1, 0xc2, 0xc1, 0x41, 0x89, 0x8a, 0xc1, 0x81];
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(8) {
        let first = FIRST[random.below(FIRST.len())];
        let mut payload: Vec<u8> = match random.below(5) {
            0 => (0..random.below(300)).map(|_| random.next() as u8).collect(),
            1 => "héé€ ".repeat(random.below(40)).into_bytes(),
            _ => packed(random),
        };
        if first & 0x40 != 0 && random.below(3) == 0 && !payload.is_empty() {
            let at = random.below(payload.len());
            payload[at] ^= 1 << random.below(8);
        }
        if first & 0x08 != 0 {
            payload.truncate(125);
        }
        bytes.extend(frame(first, &payload, true));
    }
    if random.below(3) > 0 {
        bytes.extend(frame(0x88, &[3, 232], true));
    }
    bytes
}

/// A compressed text, as a client would send it.
fn packed(random: &Seeded) -> Vec<u8> {
    let mut deflate = config();
    deflate.deflate =
        Some(DeflateConfig { threshold: 0, context_takeover: true, ..DeflateConfig::default() });
    let mut ends = Ends::with(deflate.clone(), deflate, options(WIDE, 0));
    let text: String = (0..random.below(400)).map(|_| ['a', 'b', 'é', '€', ' '][random.below(5)]).collect();
    ends.server.send(MessageKind::Text, text.into(), &mut Compressor::default()).unwrap();
    let output = all_written(&mut ends.server, ends.now);
    let head = if output[1] == 126 { 4 } else { 2 };
    output[head..].to_vec()
}

/// However input is cut, budgets are dealt and the owner takes its time: the same messages, the same end, the same answer.
#[test]
fn arbitrary_cuts_give_the_same_result() {
    for seed in 0..4000 {
        let random = Seeded::new(seed * 2 + 1);
        let bytes = arbitrary_stream(&random);
        for has_closed in [false, true] {
            let whole = outcome(&bytes, None, has_closed);
            for _ in 0..3 {
                let cut = outcome(&bytes, Some(&random), has_closed);
                assert_eq!(cut.1, whole.1, "seed {seed}, closed {has_closed}");
                assert_eq!(cut.2, whole.2, "seed {seed}, closed {has_closed}");
                if !has_closed {
                    assert_eq!(cut.0, whole.0, "seed {seed}");
                }
            }
        }
    }
}
