//! Certificates and keys that scripts set as properties.

use std::{mem, sync::Mutex};

use godot::classes::{CryptoKey, X509Certificate};
use godot::obj::{Gd, GodotClass};
use rust_websocket_net::lock;

/// What an engine object keeps of them. References to the engine's objects must not be in the state, which other threads can reach.
#[derive(Default)]
pub(crate) struct TlsObjects {
    /// Whom a server's clients have to be signed by.
    pub(crate) client_ca: Kept<X509Certificate>,
    /// What a client shows.
    pub(crate) client_certificate: Kept<X509Certificate>,
    /// Its key.
    pub(crate) client_key: Kept<CryptoKey>,
}

/// An object, or null.
pub(crate) struct Kept<C: GodotClass>(Mutex<Option<Gd<C>>>);

impl<C: GodotClass> Default for Kept<C> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C: GodotClass> Kept<C> {
    pub(crate) fn get(&self) -> Option<Gd<C>> {
        lock(&self.0).clone()
    }

    pub(crate) fn set(&self, object: Option<Gd<C>>) {
        let earlier = mem::replace(&mut *lock(&self.0), object);
        drop(earlier); // after the lock is gone
    }
}
