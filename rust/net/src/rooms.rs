//! Who takes the connections of a listener: its owner, or whoever has a room for their path.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use rust_websocket_proto::{
    admission::{Refusal, Remote},
    http::Request,
};

use crate::{
    admission::Admission,
    places::{Gate, Place},
    seam::{Arrivals, lock},
};

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
    admission: Mutex<Arc<Admission>>,
    pub(crate) gate: Arc<Gate>,
}

impl Room {
    pub(crate) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            arrivals: Arc::default(),
            accepting: AtomicBool::new(true),
            admission: Mutex::default(),
            gate: Arc::default(),
        }
    }

    /// Limits and origins of its own, beside those of its listener.
    pub(crate) fn set_admission(&self, admission: Admission) {
        *lock(&self.admission) = Arc::new(admission);
    }

    /// A place for a client that the listener would let in.
    pub(crate) fn admit(&self, request: &Request, remote: &Remote) -> Result<Place, Refusal> {
        self.try_admit(request, remote).inspect_err(|refusal| _ = self.gate.tally.refused(*refusal))
    }

    fn try_admit(&self, request: &Request, remote: &Remote) -> Result<Place, Refusal> {
        if !self.is_accepting() {
            return Err(Refusal::Full);
        }
        let admission = Arc::clone(&lock(&self.admission));
        let place = self.gate.enter(remote.client.address, &admission.limits)?;
        admission.check_origin(request)?;
        Ok(place)
    }

    fn is_accepting(&self) -> bool {
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

    /// Whose room a path is. With rooms and nobody to ask (`asks_owner`), every path has its room.
    pub(crate) fn route(&self, path: &str, asks_owner: bool) -> Result<Option<Arc<Room>>, Refusal> {
        match self.find(path) {
            None if !self.0.is_empty() && !asks_owner => Err(Refusal::Path),
            room => Ok(room.cloned()),
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Arc<Room>> {
        self.0.get(path).or_else(|| self.0.get(""))
    }
}
