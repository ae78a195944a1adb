//! The places of a listener or a room, and who has one.

use std::sync::{Arc, Mutex};

use rust_websocket_proto::admission::{Address, AddressKey, Limits, Places, Refusal};

use crate::seam::lock;

/// Counts those who are in. The lock is held for a count.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Places>);

impl Gate {
    /// Takes a place for a client with this address.
    pub(crate) fn enter(self: &Arc<Self>, address: Address, limits: &Limits) -> Result<Place, Refusal> {
        let key = address.key();
        lock(&self.0).take(key, limits)?;
        Ok(Place { gate: Arc::clone(self), key, further: None })
    }
}

/// A client's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    key: AddressKey,
    /// Another that goes with it.
    further: Option<Box<Place>>,
}

impl Place {
    /// With one in a room.
    #[must_use]
    pub(crate) fn with(mut self, further: Self) -> Self {
        self.further = Some(Box::new(further));
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.gate.0).give_back(self.key);
    }
}
