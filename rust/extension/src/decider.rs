//! The script that decides on a server's requests, and the engine objects of those that it has not answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
};

use rust_websocket_net::lock;

use godot::prelude::*;
use rust_websocket_peers::{Asking, Refused};

use crate::request::RustWebSocketRequest;

/// `request_callback` of a server.
pub(crate) struct Decider {
    callback: Mutex<Callable>,
    /// Pending requests, and accepted ones until somebody has their connection. What only this holds has been dropped by the
    /// script.
    objects: Mutex<HashMap<InstanceId, Gd<RustWebSocketRequest>>>,
}

impl Default for Decider {
    fn default() -> Self {
        Self { callback: Mutex::new(Callable::invalid()), objects: Mutex::default() }
    }
}

impl Decider {
    pub(crate) fn callback(&self) -> Callable {
        lock(&self.callback).clone()
    }

    /// Whether the script decides.
    pub(crate) fn set_callback(&self, callback: Callable) -> bool {
        let asks = !callback.is_null();
        let before = std::mem::replace(&mut *lock(&self.callback), callback);
        drop(before); // after the lock is gone
        asks
    }

    /// Has the script decide. Nothing is locked while it runs. The answer is what to print.
    pub(crate) fn ask(&self, asking: Arc<Asking>) -> Option<Refused> {
        let callback = self.callback();
        if callback.is_null() {
            asking.decide_as_without_script();
            return None;
        }
        if !callback.is_valid() {
            return asking.forsake().then_some(Refused::CallbackGone);
        }
        let object = RustWebSocketRequest::for_asking(asking);
        let id = object.instance_id();
        lock(&self.objects).insert(id, object.clone());
        let arguments = varray![&object];
        drop(object);
        let returned = callback.callv(&arguments);
        drop((arguments, returned));
        let looked_at = lock(&self.objects).get(&id).cloned();
        looked_at.and_then(|object| self.look_at(object))
    }

    /// Looks at requests that wait: who is answered is let go, who is forgotten by the script is answered.
    pub(crate) fn sweep(&self) -> Option<Refused> {
        let waiting: Vec<_> = {
            let objects = lock(&self.objects);
            if objects.is_empty() {
                return None;
            }
            objects.values().cloned().collect()
        };
        waiting.into_iter().filter_map(|object| self.look_at(object)).last()
    }

    fn look_at(&self, object: Gd<RustWebSocketRequest>) -> Option<Refused> {
        let asking = Arc::clone(object.bind().asking());
        if asking.is_pending() {
            // One reference is ours here, one is the table's.
            let is_held = object.get_reference_count() > 2;
            if is_held || !asking.forsake() {
                return None;
            }
            self.forget(&object);
            return Some(Refused::RequestDropped);
        }
        // Ours, and the object's: nobody will ask for it with its connection.
        let is_awaited = !asking.is_claimed.load(Ordering::Acquire) && Arc::strong_count(&asking) > 2;
        if !(asking.is_accepted() && is_awaited) {
            self.forget(&object);
        }
        None
    }

    fn forget(&self, object: &Gd<RustWebSocketRequest>) {
        let known = lock(&self.objects).remove(&object.instance_id());
        drop(known); // after the lock is gone
    }

    /// The server ends.
    pub(crate) fn clear(&self) {
        let objects = std::mem::take(&mut *lock(&self.objects));
        drop(objects); // after the lock is gone
    }
}

/// The object of an accepted request, for whoever has its connection.
pub(crate) fn claim(asking: &Arc<Asking>) -> Gd<RustWebSocketRequest> {
    let object = RustWebSocketRequest::of(asking);
    asking.is_claimed.store(true, Ordering::Release);
    object
}
