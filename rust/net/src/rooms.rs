//! Who takes the connections of a listener: its owner, or whoever has a room for their path.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::seam::Arrivals;

/// How the connections of a listener report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reporting {
    /// All through the listener.
    #[default]
    Together,
    /// Each through its own link, but for those that a room takes.
    Each,
}

/// Takes the connections for one path.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) path: String,
    pub(crate) arrivals: Arc<Arrivals>,
    accepting: AtomicBool,
}

impl Room {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), arrivals: Arc::default(), accepting: AtomicBool::new(true) }
    }

    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    pub(crate) fn set_accepting(&self, accepting: bool) {
        self.accepting.store(accepting, Ordering::Release);
    }
}

/// The rooms of a listener by path; the empty path takes what no other does.
#[derive(Debug, Default)]
pub(crate) struct Rooms(HashMap<String, Arc<Room>>);

impl Rooms {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// False if the path is taken.
    pub(crate) fn add(&mut self, room: &Arc<Room>) -> bool {
        if self.0.contains_key(&room.path) {
            return false;
        }
        self.0.insert(room.path.clone(), Arc::clone(room));
        true
    }

    pub(crate) fn remove(&mut self, room: &Arc<Room>) {
        if self.0.get(&room.path).is_some_and(|known| Arc::ptr_eq(known, room)) {
            self.0.remove(&room.path);
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Arc<Room>> {
        self.0.get(path).or_else(|| self.0.get(""))
    }
}
