//! What a script sees of a connection between two polls.

use std::{collections::VecDeque, mem};

use rust_websocket_proto::{CloseCause, Closed, Event, HttpResponse, Message, MessageKind, Opened};

use crate::held_end::HeldEnd;

/// The engine's `WebSocketPeer.State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyState {
    /// Upgrade under way.
    Connecting,
    /// Messages flow.
    Open,
    /// A close frame went out, the other side's has not come yet.
    Closing,
    /// Over.
    Closed,
}

/// A script's view: changes only by [`apply`](Self::apply) (the script's `poll`) and by the
/// script's own calls.
///
/// While packets are unread and some were taken since the last poll, an end that was met is not
/// shown, so that the usual loops (poll, then read all or some while open) get them all. Packets
/// still unread when it shows stay readable until the next connection starts.
pub struct PeerView {
    state: ReadyState,
    held_end: HeldEnd,
    /// A client's first poll is still to come: it never shows the end, for scripts that look for it
    /// while connecting.
    is_fresh: bool,
    /// A packet was taken since the last poll.
    was_read: bool,
    /// Shown since the state became CLOSED.
    shown: Option<Box<Closed>>,
    packets: VecDeque<Message>,
    last_popped: MessageKind,
    requested_url: String,
    selected_protocol: String,
    is_compressed: bool,
    /// A server's answer that opened the connection.
    response: Option<Box<HttpResponse>>,
}

impl PeerView {
    /// A fresh peer: closed, code -1.
    pub fn new() -> Self {
        Self {
            state: ReadyState::Closed,
            held_end: HeldEnd::default(),
            is_fresh: false,
            was_read: false,
            shown: None,
            packets: VecDeque::new(),
            last_popped: MessageKind::Binary,
            requested_url: String::new(),
            selected_protocol: String::new(),
            is_compressed: false,
            response: None,
        }
    }

    /// `connect_to_url` accepted: everything of the old connection is forgotten.
    pub fn start_client(&mut self, requested_url: String) {
        *self = Self { state: ReadyState::Connecting, requested_url, is_fresh: true, ..Self::new() };
    }

    /// `accept_stream` accepted.
    pub fn start_server(&mut self) {
        *self = Self { state: ReadyState::Connecting, ..Self::new() };
    }

    /// The connection of a multiplayer peer, which decides when the end shows.
    pub(crate) fn start_fed(&mut self, requested_url: String) {
        *self = Self { state: ReadyState::Connecting, requested_url, ..Self::new() };
    }

    /// One poll: takes all events that arrived since the last.
    pub fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        let was_read = mem::take(&mut self.was_read);
        let is_first = mem::take(&mut self.is_fresh);
        if let Some(closed) = self.held_end.poll(self.packets.len(), was_read) {
            self.show(closed);
        }
        for event in events {
            if self.state == ReadyState::Closed {
                return; // What a connection that is over for the script still reports.
            }
            match event {
                Event::Opened(opened) => self.open(opened),
                Event::Message(message) => self.packets.push_back(message),
                Event::Closed(closed) => {
                    // After this side has closed nobody waits for packets.
                    let has_unread = self.state == ReadyState::Open && !self.packets.is_empty();
                    if let Some(closed) = self.held_end.meet(Box::new(closed), is_first || has_unread) {
                        self.show(closed);
                    }
                }
            }
        }
    }

    fn open(&mut self, opened: Opened) {
        self.state = ReadyState::Open;
        self.selected_protocol = opened.selected_protocol;
        self.is_compressed = opened.is_compressed;
        self.response = opened.response;
        if let Some(url) = opened.requested_url {
            self.requested_url = url;
        }
    }

    fn show(&mut self, closed: Box<Closed>) {
        self.state = ReadyState::Closed;
        self.shown = Some(closed);
    }

    /// The script's `close(code)` with a code >= 0: CLOSING at once, CLOSED when still connecting.
    pub fn close_called(&mut self) {
        match self.state {
            ReadyState::Connecting => self.aborted(),
            ReadyState::Open => self.state = ReadyState::Closing,
            ReadyState::Closing | ReadyState::Closed => {}
        }
    }

    /// The script's `close(-1)`.
    pub fn aborted(&mut self) {
        self.state = ReadyState::Closed;
        self.held_end.take();
    }

    /// The state to show.
    pub fn ready_state(&self) -> ReadyState {
        self.state
    }

    /// Whether a message may be sent: shown open, and no close met.
    pub fn can_send(&self) -> bool {
        self.state == ReadyState::Open && self.held_end.get().is_none()
    }

    /// The end, while it is met and not shown.
    pub fn unshown_end(&self) -> Option<&Closed> {
        self.held_end.get()
    }

    /// The next packet, if any.
    pub fn pop(&mut self) -> Option<Message> {
        let message = self.packets.pop_front()?;
        self.last_popped = message.kind;
        self.was_read = true;
        Some(message)
    }

    /// Packets to read.
    pub fn available(&self) -> usize {
        self.packets.len()
    }

    /// Whether the last popped packet was text.
    pub fn was_string_packet(&self) -> bool {
        self.last_popped == MessageKind::Text
    }

    /// The close code to show, -1 for none.
    pub fn close_code(&self) -> i32 {
        self.shown.as_ref().and_then(|closed| closed.code).map_or(-1, i32::from)
    }

    /// The reason that goes with the code.
    pub fn close_reason(&self) -> &str {
        self.shown.as_ref().map_or("", |closed| &closed.reason)
    }

    /// Why the connection ended, once that is shown; `None` too after the script's own `close(-1)`
    /// or `close()` while connecting.
    pub fn close_cause(&self) -> Option<&CloseCause> {
        self.shown.as_ref().map(|closed| &closed.cause)
    }

    /// What a server answered to the handshake, whether it opened the connection or not.
    pub fn handshake_response(&self) -> Option<&HttpResponse> {
        self.close_cause().and_then(CloseCause::http_response).or(self.response.as_deref())
    }

    /// As passed by a client's script, or put together from a request.
    pub fn requested_url(&self) -> &str {
        &self.requested_url
    }

    /// The subprotocol agreed on, or empty.
    pub fn selected_protocol(&self) -> &str {
        &self.selected_protocol
    }

    /// Whether compression was agreed on; false without a connection.
    pub fn is_compressed(&self) -> bool {
        self.is_compressed && matches!(self.state, ReadyState::Open | ReadyState::Closing)
    }
}

impl Default for PeerView {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    fn opened() -> Event {
        Event::Opened(Opened { selected_protocol: "chat".to_owned(), ..Opened::default() })
    }

    fn message(kind: MessageKind, payload: &'static str) -> Event {
        Event::Message(Message { kind, payload: Bytes::from_static(payload.as_bytes()) })
    }

    fn closed(code: Option<u16>) -> Event {
        let cause = if code.is_some() { CloseCause::Clean } else { CloseCause::TransportEof };
        Event::Closed(Closed { code, reason: "reason".to_owned(), cause })
    }

    fn open_view() -> PeerView {
        let mut view = PeerView::new();
        view.start_client("ws://a".to_owned());
        view.apply([opened()]);
        assert_eq!(view.ready_state(), ReadyState::Open);
        view
    }

    #[test]
    fn fresh() {
        let mut view = PeerView::default();
        view.apply([message(MessageKind::Text, "x"), closed(Some(1000))]);
        view.close_called();
        view.aborted();
        assert_eq!(view.ready_state(), ReadyState::Closed);
        assert_eq!((view.close_code(), view.close_reason(), view.close_cause()), (-1, "", None));
        assert_eq!((view.requested_url(), view.selected_protocol(), view.available()), ("", "", 0));
        assert!(!view.can_send() && view.pop().is_none() && !view.was_string_packet());
    }

    #[test]
    fn opening() {
        let mut view = PeerView::new();
        view.start_server();
        assert_eq!(view.ready_state(), ReadyState::Connecting);
        assert!(!view.can_send());
        let requested_url = Some("ws://host/x".to_owned());
        view.apply([Event::Opened(Opened { requested_url, ..Opened::default() })]);
        assert!(view.can_send());
        assert_eq!(view.requested_url(), "ws://host/x");
        assert_eq!(open_view().requested_url(), "ws://a");
        assert_eq!(open_view().selected_protocol(), "chat");
    }

    #[test]
    fn packets() {
        let mut view = open_view();
        view.apply([message(MessageKind::Text, "one"), message(MessageKind::Binary, "three")]);
        assert_eq!(view.available(), 2);
        assert!(!view.was_string_packet());
        assert_eq!(view.pop().map(|message| message.payload), Some(Bytes::from_static(b"one")));
        assert!(view.was_string_packet());
        assert_eq!(view.available(), 1);
        view.pop();
        assert!(!view.was_string_packet() && view.pop().is_none());
    }

    /// F2: the built-in loses what comes together with the close.
    #[test]
    fn f2_the_close_waits_for_the_next_poll_while_packets_are_unread() {
        for code in [Some(4000), None] {
            let mut view = open_view();
            view.apply([message(MessageKind::Text, "a"), message(MessageKind::Text, "b"), closed(code)]);
            assert_eq!(view.ready_state(), ReadyState::Open);
            assert!(!view.can_send() && view.unshown_end().is_some());
            assert_eq!((view.close_code(), view.close_reason(), view.close_cause()), (-1, "", None));
            view.apply([]);
            assert_eq!(view.ready_state(), ReadyState::Closed);
            assert_eq!(view.close_code(), code.map_or(-1, i32::from));
            assert_eq!((view.close_reason(), view.unshown_end().is_some()), ("reason", false));
            assert_eq!(view.close_cause() == Some(&CloseCause::Clean), code.is_some());
            assert_eq!((view.available(), view.pop().is_some()), (2, true));
        }
    }

    #[test]
    fn f23_the_close_waits_as_long_as_somebody_reads() {
        let mut view = open_view();
        view.apply((0..101).map(|_| message(MessageKind::Text, "a")).chain([closed(Some(4000))]));
        for unread in (1..101).rev() {
            view.pop();
            view.apply([]);
            assert_eq!((view.ready_state(), view.available()), (ReadyState::Open, unread));
        }
        view.pop();
        view.apply([]);
        assert_eq!((view.ready_state(), view.close_code(), view.available()), (ReadyState::Closed, 4000, 0));
    }

    #[test]
    fn f36_the_first_poll_of_a_client_never_shows_the_end() {
        let mut view = PeerView::new();
        view.start_client("ws://a".to_owned());
        view.apply([closed(None)]);
        assert_eq!((view.ready_state(), view.close_cause()), (ReadyState::Connecting, None));
        view.apply([]);
        assert_eq!(
            (view.ready_state(), view.close_cause()),
            (ReadyState::Closed, Some(&CloseCause::TransportEof))
        );

        view.start_client("ws://a".to_owned());
        view.apply([opened(), closed(Some(1000))]);
        assert_eq!((view.ready_state(), view.can_send()), (ReadyState::Open, false));
        view.apply([]);
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, 1000));

        view.start_client("ws://a".to_owned());
        view.apply([closed(None)]);
        view.close_called();
        view.apply([]);
        assert_eq!(
            (view.ready_state(), view.close_cause()),
            (ReadyState::Closed, None),
            "the script has closed it"
        );
    }

    #[test]
    fn everything_in_one_poll() {
        let mut view = PeerView::new();
        view.start_server();
        view.apply([opened(), message(MessageKind::Text, "a"), closed(Some(1000))]);
        assert_eq!((view.ready_state(), view.available()), (ReadyState::Open, 1));
        view.apply([]);
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, 1000));
    }

    #[test]
    fn without_unread_packets_the_close_shows_at_once() {
        let mut view = open_view();
        view.apply([message(MessageKind::Text, "a")]);
        view.pop();
        view.apply([closed(Some(1000))]);
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, 1000));
        let mut view = PeerView::new();
        view.start_server();
        view.apply([closed(None)]);
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, -1));
        assert_eq!(view.close_cause(), Some(&CloseCause::TransportEof));
    }

    #[test]
    fn local_close() {
        let mut view = open_view();
        view.close_called();
        assert_eq!((view.ready_state(), view.can_send()), (ReadyState::Closing, false));
        view.apply([message(MessageKind::Text, "a")]);
        assert_eq!((view.ready_state(), view.available()), (ReadyState::Closing, 1));
        view.close_called();
        view.apply([closed(Some(1000))]);
        assert_eq!((view.ready_state(), view.close_code(), view.available()), (ReadyState::Closed, 1000, 1));
        view.close_called();
        assert_eq!(view.ready_state(), ReadyState::Closed);
    }

    #[test]
    fn local_close_while_the_close_is_unshown() {
        let mut view = open_view();
        view.apply([message(MessageKind::Text, "a"), closed(Some(4000))]);
        view.close_called();
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closing, -1));
        view.apply([]);
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, 4000));
    }

    #[test]
    fn leaving_at_once() {
        let mut view = PeerView::new();
        view.start_client("ws://a".to_owned());
        view.close_called();
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, -1));
        view.apply([opened(), closed(Some(1000))]);
        assert_eq!((view.ready_state(), view.close_code()), (ReadyState::Closed, -1));

        let mut view = open_view();
        view.apply([message(MessageKind::Text, "a"), closed(Some(4000))]);
        view.aborted();
        view.apply([]);
        assert_eq!((view.ready_state(), view.close_code(), view.available()), (ReadyState::Closed, -1, 1));
    }

    /// F31: the built-in shows nothing of it.
    #[test]
    fn f31_the_answer_stays_until_reuse() {
        let mut view = PeerView::new();
        assert_eq!(view.handshake_response(), None);
        view.start_client("ws://a".to_owned());
        assert_eq!(view.handshake_response(), None);
        let answer =
            HttpResponse { status: 101, headers: vec!["A: b".to_owned()], ..HttpResponse::default() };
        let response = Some(Box::new(answer.clone()));
        view.apply([Event::Opened(Opened { response, ..Opened::default() })]);
        assert_eq!(view.handshake_response(), Some(&answer));
        view.apply([closed(Some(1000))]);
        assert_eq!(view.handshake_response(), Some(&answer));
        view.start_client("ws://a".to_owned());
        assert_eq!(view.handshake_response(), None);
        let refusal = HttpResponse { status: 403, ..HttpResponse::default() };
        let cause = CloseCause::HttpStatus(Box::new(refusal.clone()));
        view.apply([]);
        view.apply([Event::Closed(Closed { code: None, reason: String::new(), cause })]);
        assert_eq!(view.handshake_response(), Some(&refusal));
    }

    #[test]
    fn what_stays_until_reuse() {
        let mut view = open_view();
        view.apply([closed(Some(4000))]);
        view.apply([message(MessageKind::Text, "stale")]);
        assert_eq!((view.close_code(), view.close_reason(), view.available()), (4000, "reason", 0));
        assert_eq!((view.requested_url(), view.selected_protocol()), ("ws://a", "chat"));
        view.start_client("ws://b".to_owned());
        assert_eq!(
            (view.ready_state(), view.close_code(), view.close_reason()),
            (ReadyState::Connecting, -1, "")
        );
        assert_eq!((view.requested_url(), view.selected_protocol()), ("ws://b", ""));
    }
}
