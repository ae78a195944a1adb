//! The places of a listener or a room, and who has one.

use std::sync::{Arc, Mutex};

use rust_websocket_proto::admission::{Address, AddressKey, Limits, Places, Refusal};

use crate::{seam::lock, tally::Tally};

/// Counts those who are in. The lock is held for a count.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    places: Mutex<Places>,
    /// What became of those who came.
    pub(crate) tally: Arc<Tally>,
}

impl Gate {
    /// Takes a place for a client with this address.
    pub(crate) fn enter(self: &Arc<Self>, address: Address, limits: &Limits) -> Result<Place, Refusal> {
        let key = address.key();
        lock(&self.places).take(key, limits)?;
        Ok(Place { gate: Arc::clone(self), key, is_in: false, further: None })
    }
}

/// A client's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    key: AddressKey,
    /// Its handshake is complete.
    is_in: bool,
    /// Another that goes with it.
    further: Option<Box<Place>>,
}

impl Place {
    /// The client's handshake is complete.
    pub(crate) fn came_in(&mut self) {
        self.is_in = true;
        self.gate.tally.came_in();
        if let Some(further) = &mut self.further {
            further.came_in();
        }
    }

    /// With one in a room.
    #[must_use]
    pub(crate) fn with(mut self, further: Self) -> Self {
        self.further = Some(Box::new(further));
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.gate.places).give_back(self.key);
        if self.is_in {
            self.gate.tally.left();
        }
    }
}
