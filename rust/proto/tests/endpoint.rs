//! Endpoints in memory, with virtual time: backpressure and reading ahead, budgets, send accounting, leaving.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "util/ends.rs"]
mod ends;
mod util;

use ends::{
    Ends, NARROW, WIDE, all_written, end_of, events, lossless, messages, options, polled, send, written,
};
use rust_websocket_proto::{
    Amount, Budget, CloseCause, Compressor, Endpoint, EndpointOptions, Farewell, MessageKind, Offered,
    Polled, Scheme, SendError, SendLimits, TransportEnd,
};
use util::{MS, SECOND, config, frame};

/// A server has got twenty messages and handed out the four that its limits allow.
fn with_sixteen_behind_the_limits(read_ahead: usize) -> Ends {
    let mut ends = Ends::new(options(NARROW, read_ahead));
    for _ in 0..20 {
        send(&mut ends.client, b"x");
    }
    assert_eq!(messages(&ends.drive_server()), 4);
    ends
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
    let mut ends = with_sixteen_behind_the_limits(0);
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

/// Writing may find that the transport is broken before reading does; what had come and was not decoded counts all the same.
#[test]
fn a_transport_that_broke_behind_unread_input_is_given_up() {
    let mut ends = with_sixteen_behind_the_limits(0);
    ends.server.handle_end(TransportEnd::Error("it was reset".to_owned()));
    assert!(end_of(&events(&mut ends.server, ends.now)).is_none(), "sixteen messages are before it");
    assert!(ends.server.awaits_owner());
    assert_eq!(ends.server.next_deadline(), None, "an owner that is stuck loses nothing");
    ends.server.settle(ends.now);
    assert!(!ends.server.awaits_owner());
    ends.now += 3 * SECOND;
    assert_eq!(messages(&ends.consume(1, 1)), 1);
    assert!(ends.server.awaits_owner(), "it takes some");
    ends.server.settle(ends.now);
    assert_eq!(ends.server.next_deadline(), Some(ends.now + 5 * SECOND));
    ends.now += 5 * SECOND;
    ends.server.handle_timeout(ends.now);
    let rest = events(&mut ends.server, ends.now);
    assert!(matches!(end_of(&rest).unwrap().cause, CloseCause::TransportLost(_)));
    assert_eq!(ends.server.farewell(ends.now), Some(Farewell::Done));
}

#[test]
fn a_transport_that_broke_behind_input_that_is_taken_ends_after_all_of_it() {
    let mut ends = with_sixteen_behind_the_limits(0);
    ends.server.handle_end(TransportEnd::Error("it was reset".to_owned()));
    let mut seen = 4;
    while seen < 20 {
        let events = ends.consume(4, 1);
        assert!(messages(&events) == 4 && end_of(&events).is_none(), "{events:?}");
        seen += 4;
    }
    let rest = ends.consume(4, 1);
    assert_eq!(end_of(&rest).unwrap().cause.to_string(), lost("it was reset"));
}

fn lost(error: &str) -> String {
    CloseCause::TransportLost(error.to_owned()).to_string()
}

#[test]
fn our_own_close_drops_what_nobody_expects_any_more() {
    let mut ends = with_sixteen_behind_the_limits(64 * 1024);
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

/// Two bytes end a stream, and the next begins with the whole window: what takes that long is not done at once, nor without end.
#[test]
fn few_streams_that_begin_anew_behind_final_blocks_fit_into_a_turn_and_1024_into_a_message() {
    for (streams, is_refused) in [(1024, false), (1025, false), (1026, true)] {
        let mut ends = lossless(frame(0xc2, &[3, 0].repeat(streams), true));
        let mut turns = 0;
        let end = loop {
            match polled(&mut ends.server, &mut Budget::new(20 * MS / 1000), ends.now) {
                (_, Polled::BudgetSpent) => turns += 1,
                (events, _) => break end_of(&events).cloned(),
            }
        };
        assert!(turns > streams / 25, "{} at once", streams / turns);
        assert_eq!(end.map(|closed| closed.code), is_refused.then_some(Some(1007)), "{streams}");
    }
}

/// What costs little in between does not bring the large steps back.
#[test]
fn streams_that_begin_anew_are_met_in_small_steps_from_then_on() {
    let stored = [&[0x00, 0xfb, 0x01, 0x04, 0xfe][..], &[b'a'; 507]].concat(); // as long as a large step
    let message = [stored, [3, 0].repeat(256)].concat().repeat(3);
    let mut ends = lossless(frame(0xc2, &message, true));
    let (mut overdrawn, mut seen) = (Vec::new(), 0);
    loop {
        let mut budget = Budget::new(20 * MS / 1000);
        let (events, why) = polled(&mut ends.server, &mut budget, ends.now);
        overdrawn.push(budget.overdrawn());
        seen += messages(&events);
        if !matches!(why, Polled::BudgetSpent) {
            break;
        }
    }
    assert_eq!(seen, 1);
    let large: Vec<_> = overdrawn.iter().filter(|by| **by > 20 * MS / 1000).collect();
    assert_eq!(large.len(), 1, "the first cannot be known: {large:?}");
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
