//! A socket in memory, for streams that the system does not know: somebody else moves their bytes.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read},
    sync::{Arc, Condvar, Mutex, OnceLock},
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, event::Source};

use crate::{
    seam::{LinkId, Order, Runner, lock},
    socket::Socket,
};

/// Bytes that wait to be read by the connection, beyond which no more should be [fed](Pipe::feed).
const INPUT_ROOM: usize = 64 * 1024;
/// Bytes that wait to be written to the stream, beyond which the connection writes no more.
const OUTPUT_ROOM: usize = 64 * 1024;

/// The outer end: whoever holds it moves bytes between the stream and here. All calls are short and wait for nobody, but
/// [`let_work`](Self::let_work).
#[derive(Debug)]
pub struct Pipe(Arc<Middle>);

/// The inner end, which a connection uses as its socket.
#[derive(Debug)]
pub struct PipeSocket {
    middle: Arc<Middle>,
    is_secure: bool,
}

#[derive(Debug, Default)]
struct Middle {
    state: Mutex<State>,
    /// The connection has had the turn that was asked for.
    worked: Condvar,
    /// Whom to tell that there is something for the connection to do.
    connection: OnceLock<(Arc<dyn Runner>, LinkId)>,
}

#[derive(Debug, Default)]
struct State {
    input: VecDeque<u8>,
    /// The stream has ended behind that; an error is one phrase.
    input_end: Option<Result<(), String>>,
    output: VecDeque<u8>,
    /// The connection writes nothing more.
    is_output_ended: bool,
    /// The connection has found no room.
    is_waiting_for_room: bool,
    turn: TurnAsked,
}

/// Whether somebody waits for the connection to have a whole turn.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum TurnAsked {
    #[default]
    No,
    Asked,
    Begun,
}

impl Pipe {
    /// A pipe; `is_secure`: the stream is encrypted, so that the connection counts as `wss://`.
    pub fn new(is_secure: bool) -> (Self, PipeSocket) {
        let middle = Arc::<Middle>::default();
        (Self(Arc::clone(&middle)), PipeSocket { middle, is_secure })
    }

    /// How many bytes may be fed now.
    pub fn input_room(&self) -> usize {
        let state = lock(&self.0.state);
        if state.is_output_ended && state.input_end.is_some() {
            return 0;
        }
        INPUT_ROOM.saturating_sub(state.input.len())
    }

    /// Bytes that the stream has brought.
    pub fn feed(&self, bytes: &[u8]) {
        lock(&self.0.state).input.extend(bytes);
        self.notify();
    }

    /// The stream brings nothing more, or is broken: one phrase.
    pub fn end_input(&self, end: Result<(), String>) {
        let is_new = {
            let mut state = lock(&self.0.state);
            let is_new = state.input_end.is_none();
            if end.is_err() {
                state.output.clear();
            }
            state.input_end.get_or_insert(end);
            is_new
        };
        if is_new {
            self.notify();
        }
    }

    /// What is to be written to the stream next, at most that much.
    pub fn output(&self, most: usize) -> Vec<u8> {
        let state = lock(&self.0.state);
        state.output.range(..state.output.len().min(most)).copied().collect()
    }

    /// The stream has taken that much of it.
    pub fn wrote(&self, count: usize) {
        let had_to_wait = {
            let mut state = lock(&self.0.state);
            let count = count.min(state.output.len());
            state.output.drain(..count);
            count > 0 && std::mem::take(&mut state.is_waiting_for_room)
        };
        if had_to_wait {
            self.notify();
        }
    }

    /// Whether the connection is through with the stream, and all that it had to say is taken.
    pub fn is_over(&self) -> bool {
        let state = lock(&self.0.state);
        state.is_output_ended && state.output.is_empty()
    }

    /// Whether the connection has nothing more to say than what is still to be taken.
    pub fn is_output_ended(&self) -> bool {
        lock(&self.0.state).is_output_ended
    }

    /// Waits until the connection has done all that it can with what was fed and ordered before, or for as long as `patience`.
    pub fn let_work(&self, patience: Duration) {
        let mut state = lock(&self.0.state);
        if state.is_output_ended || self.0.connection.get().is_none() {
            return;
        }
        state.turn = TurnAsked::Asked;
        drop(state);
        if let Some((runner, link)) = self.0.connection.get() {
            // Behind all that was ordered. This thread may be the one that runs connections, and will not while it waits.
            runner.order(*link, Order::BeginTurn);
            runner.recall();
            runner.wake();
        }
        let until = Instant::now() + patience;
        let mut state = lock(&self.0.state);
        while state.turn != TurnAsked::No && !state.is_output_ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = match self.0.worked.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn notify(&self) {
        if let Some((runner, link)) = self.0.connection.get() {
            runner.notify(*link);
        }
    }
}

/// Nobody brings anything more.
impl Drop for Pipe {
    fn drop(&mut self) {
        self.end_input(Err("the stream was let go".to_owned()));
    }
}

impl PipeSocket {
    /// Bytes that were read from the stream before.
    pub fn prefill(&self, bytes: &[u8]) {
        lock(&self.middle.state).input.extend(bytes);
    }

    /// Whose socket it is.
    pub(crate) fn attach(&self, runner: Arc<dyn Runner>, link: LinkId) {
        _ = self.middle.connection.set((runner, link));
    }

    fn end_output(&self) {
        lock(&self.middle.state).is_output_ended = true;
        self.middle.worked.notify_all();
    }
}

impl Drop for PipeSocket {
    fn drop(&mut self) {
        self.end_output();
    }
}

impl Socket for PipeSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.middle.state);
        if !state.input.is_empty() {
            return state.input.read(buffer);
        }
        match &state.input_end {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Ok(())) => Ok(0),
            Some(Err(error)) => Err(io::Error::other(error.clone())),
        }
    }

    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = lock(&self.middle.state);
        if let Some(Err(error)) = &state.input_end {
            return Err(io::Error::other(error.clone()));
        }
        let mut taken = 0;
        for slice in slices {
            let room = OUTPUT_ROOM.saturating_sub(state.output.len()).min(slice.len());
            state.output.extend(slice.get(..room).unwrap_or_default());
            taken += room;
        }
        if taken == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            state.is_waiting_for_room = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn shut_down_writing(&self) -> io::Result<()> {
        self.end_output();
        Ok(())
    }

    fn set_no_delay(&self, _enabled: bool) -> io::Result<()> {
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn is_ending(&self) -> bool {
        lock(&self.middle.state).input_end.is_some()
    }

    fn is_secure(&self) -> bool {
        self.is_secure
    }

    fn turn_begins(&mut self) {
        let mut state = lock(&self.middle.state);
        if state.turn == TurnAsked::Asked {
            state.turn = TurnAsked::Begun;
        }
    }

    fn turn_ends(&mut self) {
        let mut state = lock(&self.middle.state);
        if state.turn == TurnAsked::Begun {
            state.turn = TurnAsked::No;
            drop(state);
            self.middle.worked.notify_all();
        }
    }
}

/// There is nothing that the system could watch: whoever moves the bytes says when there are some.
impl Source for PipeSocket {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(socket: &mut PipeSocket, most: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; most];
        let count = socket.read(&mut buffer)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_comes_behind_them() {
        let (pipe, mut socket) = Pipe::new(false);
        assert_eq!(read(&mut socket, 9).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        pipe.feed(b"abc");
        pipe.end_input(Ok(()));
        assert_eq!(read(&mut socket, 2).unwrap(), b"ab");
        assert_eq!(read(&mut socket, 2).unwrap(), b"c");
        assert_eq!(read(&mut socket, 2).unwrap(), b"");
        let sent = socket.send(&[IoSlice::new(b"de"), IoSlice::new(b"f")]).unwrap();
        assert_eq!((sent, pipe.output(2), pipe.output(9)), (3, b"de".to_vec(), b"def".to_vec()));
        pipe.wrote(1);
        socket.shut_down_writing().unwrap();
        assert!(!pipe.is_over());
        assert_eq!(pipe.output(9), b"ef");
        pipe.wrote(2);
        assert!(pipe.is_over());
    }

    #[test]
    fn neither_way_holds_more_than_there_is_room_for() {
        let (pipe, mut socket) = Pipe::new(true);
        pipe.feed(&vec![0; INPUT_ROOM - 1]);
        assert_eq!(pipe.input_room(), 1);
        pipe.feed(b"..");
        assert_eq!(pipe.input_room(), 0);
        let much = vec![1; OUTPUT_ROOM + 5];
        assert_eq!(socket.send(&[IoSlice::new(&much)]).unwrap(), OUTPUT_ROOM);
        let full = socket.send(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        pipe.wrote(3);
        assert_eq!(socket.send(&[IoSlice::new(b"wxyz")]).unwrap(), 3);
    }

    #[test]
    fn a_broken_stream_takes_nothing_more() {
        let (pipe, mut socket) = Pipe::new(false);
        assert_eq!(socket.send(&[IoSlice::new(b"x")]).unwrap(), 1);
        pipe.end_input(Err("it broke".to_owned()));
        pipe.end_input(Ok(()));
        assert_eq!(pipe.output(9), b"");
        assert_eq!(socket.send(&[IoSlice::new(b"x")]).unwrap_err().to_string(), "it broke");
        assert_eq!(read(&mut socket, 1).unwrap_err().to_string(), "it broke");
        drop(socket);
        assert!(pipe.is_over());
        assert_eq!(pipe.input_room(), 0);
        pipe.let_work(Duration::from_secs(60));
    }
}
