//! Streams of any class, whose bytes the polls of this library's objects move: between the stream and a pipe, at whose other
//! end the connection is one like all others.
//!
//! Streams may be scripts. They are called while nothing is locked, and by name, so that a script's own functions are met.

use std::{
    cell::{Cell, RefCell},
    mem::ManuallyDrop,
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use godot::builtin::{Callable, GString, PackedByteArray, VarArray, Variant};
use godot::classes::{Engine, SceneTree, StreamPeer};
use godot::meta::{FromGodot, ToGodot};
use godot::obj::{Gd, Singleton};
use rust_websocket_net::{Pipe, PipeSocket};
use rust_websocket_peers::Rotation;
use rust_websocket_proto::admission::Endpoint;

use crate::{
    frame_share,
    report::{fence, quietly},
};

/// Most bytes that change hands in one call; a TLS stream takes no more.
const CHUNK: usize = 16 * 1024;

/// What one stream may bring in one poll, and what it may be offered.
const READS_PER_POLL: usize = 4;
const WRITES_PER_POLL: usize = 8;

/// For the last words of a connection whose peer is freed.
const PATIENCE: Duration = Duration::from_millis(20);

/// How long a stream may take nothing of them before it is let go.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a stream's `get_status` answers, the same for all classes of the engine.
const IN_PROGRESS: i64 = 1;
const CONNECTED: i64 = 2;

/// Of the engine's `Error`.
const OK: i64 = 0;
const END_OF_FILE: i64 = 18;

thread_local! {
    /// Those that were started on this thread. Never dropped with the thread: by then there may be no engine.
    static PUMPS: ManuallyDrop<RefCell<Rotation<Pump>>> = const { ManuallyDrop::new(RefCell::new(Rotation::new())) };
    /// Whether there are any, for the many polls that have none.
    static IS_IN_USE: Cell<bool> = const { Cell::new(false) };
    static NEXT: Cell<u64> = const { Cell::new(1) };
}

/// Whether the end of the game is watched for.
static IS_WATCHING: AtomicBool = AtomicBool::new(false);
/// The scene tree goes: nobody polls any more, and soon there are no scripts.
static GAME_ENDS: AtomicBool = AtomicBool::new(false);

/// A stream and the pipe that it is emptied into and filled from.
pub(crate) struct Pump {
    number: u64,
    /// A peer of the script is the connection's from the beginning, and has it [flushed](flush) when it is freed.
    has_peer: bool,
    stream: Gd<StreamPeer>,
    pipe: Pipe,
    /// A TLS stream has to be asked for exactly what it has.
    is_tls: bool,
    /// And none of a script is below it.
    is_tls_over_tcp: bool,
    /// It has a script, which can be freed only while there are scripts.
    is_script: bool,
    has_poll: bool,
    has_status: bool,
    /// What a TLS stream has to be offered again: it holds that already, encrypted.
    repeated: Option<usize>,
    has_input_ended: bool,
    /// The connection is over, and since then the stream has taken nothing of its last words.
    stuck_since: Option<Instant>,
}

/// How a stream is.
enum State {
    InProgress,
    Open,
    Ended,
}

impl Pump {
    /// A pump for a stream whose other end has begun to speak, `received` being what was read of that. Its bytes move once it is
    /// [started](start).
    pub(crate) fn new(stream: &Gd<StreamPeer>, received: &PackedByteArray) -> (Self, PipeSocket) {
        let is_tls = is_class(stream, "StreamPeerTLS");
        let (pipe, socket) = Pipe::new(is_tls);
        socket.prefill(received.as_slice());
        let mut stream = stream.clone();
        if stream.has_method("set_no_delay") {
            stream.call("set_no_delay", &[true.to_variant()]);
        }
        let pump = Self {
            number: NEXT.replace(NEXT.get() + 1),
            has_peer: false,
            has_poll: stream.has_method("poll"),
            has_status: stream.has_method("get_status"),
            is_script: stream.get_script().is_some(),
            is_tls_over_tcp: is_tls && below(&stream).is_some_and(|below| is_class(&below, "StreamPeerTCP")),
            stream,
            pipe,
            is_tls,
            repeated: None,
            has_input_ended: false,
            stuck_since: None,
        };
        (pump, socket)
    }

    /// Moves what can be moved now. False once the connection is through with the stream, which is let go.
    fn run(&mut self) -> bool {
        self.take_in();
        let has_given = self.give_out();
        if !self.pipe.is_over() && !self.is_stuck(has_given) {
            return true;
        }
        self.let_go();
        false
    }

    /// Whether nobody is left who would end the connection, and the stream takes nothing.
    fn is_stuck(&mut self, has_given: bool) -> bool {
        if has_given || !self.pipe.is_output_ended() {
            self.stuck_since = None;
            return false;
        }
        self.stuck_since.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS
    }

    /// What is there is read before the stream is looked at: the engine's drop what was not read when they notice the end.
    fn take_in(&mut self) {
        if self.has_input_ended {
            return;
        }
        let has_read = matches!(self.state(), State::Open) && self.read();
        if has_read || self.has_input_ended {
            return;
        }
        if self.pipe.input_room() == 0 {
            // Polled it would drop what is not read yet, if this is its end.
            if matches!(self.state(), State::Ended) {
                self.end_input(Ok(()));
            }
            return;
        }
        if self.has_poll {
            self.poll_stream();
        }
        match self.state() {
            State::Open => _ = self.read(),
            State::InProgress => {}
            State::Ended => self.end_input(Ok(())),
        }
    }

    fn poll_stream(&mut self) {
        match self.state() {
            State::Ended => {}
            // The engine complains of a handshake that fails, as often as others like.
            State::InProgress if self.is_tls_over_tcp => quietly(|| _ = self.stream.call("poll", &[])),
            State::InProgress | State::Open => _ = self.stream.call("poll", &[]),
        }
    }

    /// True if there was something.
    fn read(&mut self) -> bool {
        for has_read in [false, true].into_iter().chain([true; READS_PER_POLL - 2]) {
            let wanted = self.wanted();
            if wanted == 0 {
                return has_read;
            }
            let most = i64::try_from(wanted).unwrap_or(i64::MAX);
            let answer = self.stream.call("get_partial_data", &[most.to_variant()]);
            let Some((error, data)) = split::<PackedByteArray>(&answer) else {
                self.end_input(Err(
                    "get_partial_data of its stream has answered no Array of an Error and bytes".to_owned(),
                ));
                return has_read;
            };
            if !data.is_empty() {
                self.pipe.feed(data.as_slice());
            }
            match error {
                OK => {}
                END_OF_FILE => self.end_input(Ok(())),
                error => self.end_input(Err(format!("reading from the stream failed (error {error})"))),
            }
            if data.len() < wanted || self.has_input_ended {
                return has_read || !data.is_empty();
            }
        }
        true
    }

    fn wanted(&mut self) -> usize {
        let room = self.pipe.input_room().min(CHUNK);
        if !self.is_tls || room == 0 {
            return room;
        }
        let available = || usize::try_from(self.stream.get_available_bytes()).unwrap_or(0);
        available().min(room)
    }

    /// True if the stream has taken something. What the connection adds meanwhile may wait for the next poll.
    fn give_out(&mut self) -> bool {
        let mut has_given = false;
        for _ in 0..WRITES_PER_POLL {
            match self.state() {
                State::Open => {}
                State::InProgress => return has_given,
                State::Ended => {
                    // Nobody takes it any more: waiting for that would keep the stream for ever.
                    self.pipe.wrote(usize::MAX);
                    return has_given;
                }
            }
            let data = self.pipe.output(self.repeated.unwrap_or(CHUNK));
            if data.is_empty() {
                return has_given;
            }
            match self.offer(&data) {
                Ok(taken) => {
                    has_given |= taken > 0;
                    if taken < data.len() {
                        return has_given;
                    }
                }
                Err(problem) => {
                    // What has arrived before is met first: an end that was read says more.
                    self.take_in();
                    self.end_input(Err(problem));
                    return has_given;
                }
            }
        }
        has_given
    }

    /// How much of it the stream has taken. The error is one phrase.
    fn offer(&mut self, data: &[u8]) -> Result<usize, String> {
        let answer = self.stream.call("put_partial_data", &[PackedByteArray::from(data).to_variant()]);
        match split::<i64>(&answer) {
            Some((OK, taken)) => {
                let taken = usize::try_from(taken).unwrap_or(0).min(data.len());
                self.pipe.wrote(taken);
                let left = data.len() - taken;
                self.repeated = (left > 0).then_some(left);
                Ok(taken)
            }
            Some((error, _)) => Err(format!("writing to the stream failed (error {error})")),
            None => {
                Err("put_partial_data of its stream has answered no Array of an Error and a number"
                    .to_owned())
            }
        }
    }

    fn end_input(&mut self, end: Result<(), String>) {
        if !std::mem::replace(&mut self.has_input_ended, true) || end.is_err() {
            self.pipe.end_input(end);
        }
    }

    fn state(&mut self) -> State {
        if !self.has_status {
            return State::Open;
        }
        match self.stream.call("get_status", &[]).try_to::<i64>() {
            Ok(CONNECTED) => State::Open,
            Ok(IN_PROGRESS) => State::InProgress,
            _ => State::Ended,
        }
    }

    /// Closing over unread input would send a reset, which destroys what is in flight.
    fn let_go(&mut self) {
        for _ in 0..READS_PER_POLL {
            if self.has_input_ended || !matches!(self.state(), State::Open) {
                break;
            }
            let wanted = if self.is_tls { self.stream.get_available_bytes() } else { CHUNK as i32 };
            let answer = (wanted > 0).then(|| self.stream.call("get_partial_data", &[wanted.to_variant()]));
            let is_more = answer.and_then(|answer| split::<PackedByteArray>(&answer));
            if !is_more.is_some_and(|(error, data)| error == OK && !data.is_empty()) {
                break;
            }
        }
        disconnect(&mut self.stream);
        self.end_input(Ok(()));
    }
}

/// Moves its bytes from now on, in every poll on this thread, for a connection that comes in through a server.
pub(crate) fn start(pump: Pump) {
    if pump.is_script && !IS_WATCHING.swap(true, Ordering::Relaxed) {
        watch_for_the_end_of_the_game();
    }
    IS_IN_USE.set(true);
    PUMPS.with(|pumps| pumps.borrow_mut().push(pump));
}

/// The same for a peer's connection. The answer is the number by which it can be [flushed](flush).
pub(crate) fn start_for_peer(mut pump: Pump) -> u64 {
    let number = pump.number;
    pump.has_peer = true;
    start(pump);
    number
}

/// What a script's variables hold can be freed only while there are scripts, and nobody polls once the tree is gone.
fn watch_for_the_end_of_the_game() {
    let tree =
        Engine::singleton().get_main_loop().and_then(|main_loop| main_loop.try_cast::<SceneTree>().ok());
    if let Some(mut root) = tree.and_then(|tree| tree.get_root()) {
        let ends = Callable::from_sync_fn("the game ends", |_| fence((), the_game_ends));
        root.connect("tree_exiting", &ends);
    }
}

/// Streams of scripts are let go, but those of peers: they are flushed when these are freed, which is later.
fn the_game_ends() {
    GAME_ENDS.store(true, Ordering::Relaxed);
    let end = |pump: &mut Pump| {
        fenced(pump, |pump| {
            if !pump.is_script || (pump.has_peer && pump.run()) {
                return true;
            }
            _ = pump.give_out();
            pump.let_go();
            false
        })
    };
    with_all(|pumps| pumps.turn(end, || false));
}

/// Moves what can be moved now, as long as this thread's share of the frame lasts; streams take turns, so that those that are left
/// out come first in the next poll. To be called at the beginning of polls, while nothing is locked.
pub(crate) fn run() {
    if !IS_IN_USE.get() {
        return;
    }
    let begun = Instant::now();
    let share = frame_share::left(begun);
    with_all(|pumps| pumps.turn(|pump| fenced(pump, Pump::run), || begun.elapsed() >= share));
    frame_share::spend(begun, begun.elapsed());
}

/// A stream whose functions cannot be called ends its connection, and no other.
fn fenced(pump: &mut Pump, work: impl FnOnce(&mut Pump) -> bool) -> bool {
    fence(None, || Some(work(pump))).unwrap_or_else(|| {
        pump.end_input(Err("the stream's functions cannot be called".to_owned()));
        false
    })
}

/// A stream's own code may come here again: it finds none.
fn with_all(work: impl FnOnce(&mut Rotation<Pump>)) {
    let mut taken = PUMPS.with(|pumps| pumps.take());
    work(&mut taken);
    PUMPS.with(|pumps| {
        let mut pumps = pumps.borrow_mut();
        let begun_meanwhile = std::mem::replace(&mut *pumps, taken);
        pumps.append(begun_meanwhile);
        IS_IN_USE.set(!pumps.is_empty());
    });
}

/// Has a connection say its last words, whose peer is freed and polled by nobody.
pub(crate) fn flush(number: u64) {
    if !IS_IN_USE.get() {
        return;
    }
    let flush = |pump: &mut Pump| {
        if pump.number != number {
            return true;
        }
        if pump.is_script && Engine::singleton().get_main_loop().is_none() {
            // The scripts are going: none can be called any more.
            return false;
        }
        fenced(pump, |pump| {
            let begun = Instant::now();
            pump.take_in();
            pump.pipe.let_work(PATIENCE);
            while pump.give_out() && begun.elapsed() < PATIENCE {
                pump.pipe.let_work(PATIENCE);
            }
            // All is said, and what the other side answers would be heard by nobody.
            if pump.pipe.output(1).is_empty() || (pump.is_script && GAME_ENDS.load(Ordering::Relaxed)) {
                pump.let_go();
                return false;
            }
            pump.has_peer = false;
            pump.run()
        })
    };
    with_all(|pumps| pumps.turn(flush, || false));
}

/// The library ends, and the connections have said their last words.
pub(crate) fn end() {
    let end = |pump: &mut Pump| {
        if pump.is_script {
            // There are no scripts any more: what a script's variables hold could not be freed, and is left to the system.
            std::mem::forget(pump.stream.clone());
            return false;
        }
        fenced(pump, |pump| {
            _ = pump.give_out();
            disconnect(&mut pump.stream);
            false
        })
    };
    with_all(|pumps| pumps.turn(end, || false));
}

/// Whose stream it is, as far as it tells.
pub(crate) fn remote_of(stream: &Gd<StreamPeer>) -> Endpoint {
    let mut stream = stream.clone();
    if is_class(&stream, "StreamPeerUDS") {
        return Endpoint::UNIX;
    }
    if is_class(&stream, "StreamPeerTLS") {
        return below(&stream).map_or(Endpoint::UNKNOWN, |below| remote_of(&below));
    }
    if !stream.has_method("get_connected_host") {
        return Endpoint::UNKNOWN;
    }
    let host = stream.call("get_connected_host", &[]).try_to::<GString>().unwrap_or_default();
    let port = stream.call("get_connected_port", &[]).try_to::<i64>().unwrap_or(0);
    match host.to_string().parse::<IpAddr>() {
        Ok(address) => Endpoint { address: address.into(), port: u16::try_from(port).unwrap_or(0) },
        Err(_) => Endpoint::UNKNOWN,
    }
}

/// What a TLS stream talks over.
fn below(stream: &Gd<StreamPeer>) -> Option<Gd<StreamPeer>> {
    stream.clone().call("get_stream", &[]).try_to::<Gd<StreamPeer>>().ok()
}

fn is_class(stream: &Gd<StreamPeer>, class: &str) -> bool {
    stream.is_class(class)
}

fn disconnect(stream: &mut Gd<StreamPeer>) {
    let below = if is_class(stream, "StreamPeerTLS") {
        let below = below(stream);
        stream.call("disconnect_from_stream", &[]);
        below
    } else {
        Some(stream.clone())
    };
    if let Some(mut below) = below
        && below.has_method("disconnect_from_host")
    {
        below.call("disconnect_from_host", &[]);
    }
}

/// `[error, value]`, as the partial reads and writes of streams answer.
fn split<T: FromGodot>(answer: &Variant) -> Option<(i64, T)> {
    let answer = answer.try_to::<VarArray>().ok()?;
    Some((answer.get(0)?.try_to().ok()?, answer.get(1)?.try_to().ok()?))
}
