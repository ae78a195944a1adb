//! The requests that a server's script decides on.

use std::{collections::VecDeque, sync::Arc};

use rust_websocket_net::{Asked, IdMap, LinkId, Tag};

use rust_websocket_proto::http::Answer;

use crate::Asking;

/// Callbacks that one poll runs; the rest comes with the next.
const CALLBACKS_PER_POLL: usize = 256;

/// From the complete head to the open connection, or to the end.
#[derive(Default)]
pub(crate) struct Requests {
    known: IdMap<LinkId, Arc<Asking>>,
    /// The script has not been asked yet.
    waiting: VecDeque<Arc<Asking>>,
    /// In this poll.
    asked: usize,
    /// The script is deciding. If it polls meanwhile, that asks nothing further: it would end as deep as there are requests.
    is_asking: bool,
}

impl Requests {
    pub(crate) fn begin_poll(&mut self) {
        if !self.is_asking {
            self.asked = 0;
        }
    }

    /// One has come.
    pub(crate) fn come(&mut self, asked: Asked) {
        let id = asked.id();
        let asking = Arc::new(Asking::new(asked));
        self.known.insert(id, Arc::clone(&asking));
        self.waiting.push_back(asking);
    }

    /// Nothing more comes of it.
    pub(crate) fn over(&mut self, id: LinkId) {
        if let Some(asking) = self.known.remove(&id) {
            asking.end();
        }
    }

    /// The request behind an open connection, if the script has accepted it.
    pub(crate) fn opened(&mut self, id: LinkId, tag: Option<Tag>) -> Option<Arc<Asking>> {
        self.known.remove(&id);
        tag?.downcast().ok()
    }

    /// The next that the script is to decide on in this poll.
    pub(crate) fn next(&mut self) -> Option<Arc<Asking>> {
        while self.asked < CALLBACKS_PER_POLL && !self.is_asking {
            let asking = self.waiting.pop_front()?;
            if asking.is_pending() {
                self.asked += 1;
                self.is_asking = true;
                return Some(asking);
            }
        }
        None
    }

    /// The script's function for the last one has returned.
    pub(crate) fn asked(&mut self) {
        self.is_asking = false;
    }

    /// The server ends.
    pub(crate) fn close(&mut self) {
        self.waiting.clear();
        for (_, asking) in self.known.drain() {
            asking.end_with(Answer::shutting_down());
        }
    }
}
