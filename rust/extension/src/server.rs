//! `RustWebSocketServer`, as the engine sees it. See `websocket_peer.rs` for how calls find their state.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use godot::classes::StreamPeer;
use godot::global::Error;
use godot::prelude::*;
use rust_websocket_net::Listener;
use rust_websocket_peers::{Locked, MAX_RECEIVED, Property, Reception, Refused};

use crate::{
    convert::{Named, Nullable, OptionalTlsOptions, SERVER_CLASS, add_admissions, statistics_to_godot},
    decider::{self, Decider},
    monitors,
    pump::{self, Pump},
    report::{self, fence},
    state_table::{StateTable, key_of},
    text,
    tls_objects::TlsObjects,
    tls_options,
    websocket_peer::RustWebSocketPeer,
};

/// A server as its engine object holds it.
pub(crate) type ReceptionState = Locked<Reception>;

static SERVERS: StateTable<ReceptionState> = StateTable::new();

/// Listens, and hands out a peer for each connection.
#[derive(GodotClass)]
#[class(tool, base = RefCounted)]
pub(crate) struct RustWebSocketServer {
    state: Arc<ReceptionState>,
    decider: Arc<Decider>,
    pub(crate) tls: TlsObjects,
    /// Set once the object is in [`SERVERS`].
    id: OnceLock<InstanceId>,
}

impl Named for RustWebSocketServer {
    const NAME: &str = SERVER_CLASS;
}

impl RustWebSocketServer {
    pub(crate) fn state_of(this: &Gd<Self>) -> Arc<ReceptionState> {
        let id = this.instance_id_unchecked();
        SERVERS.find(key_of(id), || {
            let object = this.bind();
            _ = object.id.set(id);
            Arc::clone(&object.state)
        })
    }

    fn answer(this: &Gd<Self>, call: impl FnOnce(&mut Reception) -> Result<(), Refused>) -> Error {
        fence(Error::ERR_BUG, || report::answer(&*Self::state_of(this), call))
    }

    fn read<R>(&self, on_panic: R, call: impl FnOnce(&Reception) -> R) -> R {
        fence(on_panic, || self.state.with(|server| call(server)))
    }

    /// A property's getter.
    pub(crate) fn property<P: Property, R: Default>(&self, show: impl FnOnce(&P::Value) -> R) -> R {
        self.read(R::default(), |server| show(server.get::<P>()))
    }

    /// A property's setter.
    pub(crate) fn set_property<P: Property>(this: &Gd<Self>, value: P::Value) {
        _ = Self::answer(this, |server| server.set::<P>(value));
    }
}

impl Drop for RustWebSocketServer {
    fn drop(&mut self) {
        if let Some(id) = self.id.get() {
            SERVERS.forget(key_of(*id));
        }
        fence((), || _ = self.state.with(|server| server.stop(1001, "", &Instant::now)));
    }
}

#[godot_api]
impl IRefCounted for RustWebSocketServer {
    fn init(_base: Base<RefCounted>) -> Self {
        Self {
            state: Arc::default(),
            decider: Arc::default(),
            tls: TlsObjects::default(),
            id: OnceLock::new(),
        }
    }
}

#[godot_api]
impl RustWebSocketServer {
    #[func(gd_self)]
    fn listen(
        this: Gd<Self>,
        port: i64,
        #[opt(default = "*")] bind_address: GString,
        #[opt(default = OptionalTlsOptions::NULL)] tls_server_options: OptionalTlsOptions,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            let asked = this.bind().server_side();
            let tls = tls_options::for_server("listen", tls_server_options.0.as_ref(), &asked);
            let address = text::read("listen: the address", &bind_address);
            let error = report::answer(&*Self::state_of(&this), |server| {
                server.listen(port, &address?, tls, Listener::bind)
            });
            if error == Error::OK {
                monitors::add();
            }
            error
        })
    }

    #[func(gd_self)]
    fn accept_stream(
        this: Gd<Self>,
        stream: Nullable<StreamPeer>,
        #[opt(default = &PackedByteArray::new())] received: PackedByteArray,
    ) -> Error {
        const CALL: &str = "accept_stream";
        fence(Error::ERR_BUG, || {
            let size = received.len();
            let prepared = match stream.0 {
                None => Err(Refused::Stream),
                Some(_) if size > MAX_RECEIVED => Err(Refused::Received { call: CALL, size }),
                // Streams may be scripts, which must not run while anything is locked.
                Some(stream) => Ok((Pump::new(&stream, &received), pump::remote_of(&stream))),
            };
            let ((pump, socket), from) = match prepared {
                Ok(prepared) => prepared,
                Err(refused) => return report::answer::<_, ()>(&*Self::state_of(&this), |_| Err(refused)),
            };
            let error = report::answer(&*Self::state_of(&this), |server| server.accept(CALL, socket, from));
            if error == Error::OK {
                pump::start(pump);
            }
            error
        })
    }

    /// Nothing is borrowed or locked while the script's callbacks run: they may call anything, stop this server, or drop the last
    /// reference to it but ours.
    #[func(gd_self)]
    fn poll(this: Gd<Self>) -> Error {
        fence(Error::ERR_BUG, || {
            pump::run();
            let state = Self::state_of(&this);
            let decider = Arc::clone(&this.bind().decider);
            let error = report::answer(&*state, Reception::begin_poll);
            if let Some(refused) = decider.sweep() {
                _ = report::refuse(&*state, &refused);
            }
            while let Some(asking) = state.with(Reception::next_request) {
                let refused = decider.ask(asking);
                state.with(Reception::asked);
                if let Some(refused) = refused {
                    _ = report::refuse(&*state, &refused);
                }
            }
            report::print_due();
            error
        })
    }

    #[func]
    fn is_listening(&self) -> bool {
        self.read(false, Reception::is_listening)
    }

    #[func]
    fn get_local_port(&self) -> i64 {
        self.read(0, |server| server.local_port().into())
    }

    #[func]
    fn is_connection_available(&self) -> bool {
        self.read(false, Reception::is_connection_available)
    }

    #[func(gd_self)]
    fn take_connection(this: Gd<Self>) -> Nullable<RustWebSocketPeer> {
        Nullable(fence(None, || {
            let peer = Self::state_of(&this).with(Reception::take_connection)?;
            let request = peer.with(|peer| peer.request().cloned());
            Some(RustWebSocketPeer::taken(peer, request.as_ref().map(decider::claim)))
        }))
    }

    #[func]
    fn get_active_connections(&self) -> Array<Gd<RustWebSocketPeer>> {
        fence(Array::new(), || {
            let taken: Vec<_> = self.state.with(|server| server.taken().collect());
            let active = taken.iter().filter_map(|state| state.with(|peer| peer.active_object()));
            active.filter_map(|id| Gd::try_from_instance_id(InstanceId::from_i64(id)).ok()).collect()
        })
    }

    #[func(gd_self)]
    fn stop(this: Gd<Self>, #[opt(default = 1001)] code: i64, #[opt(default = "")] reason: GString) {
        let (reason, problem) = text::read_or_drop("stop: the reason", &reason);
        _ = Self::answer(&this, |server| {
            let stopped = server.stop(code, &reason, &Instant::now);
            problem.map_or(stopped, Err)
        });
        fence((), || {
            let decider = Arc::clone(&this.bind().decider);
            decider.clear();
        });
    }

    #[func]
    fn get_statistics(&self) -> VarDictionary {
        let read = |server: &Reception| ((server.statistics(), server.levels()), server.admissions());
        let (sums, admissions) = self.read(<_>::default(), read);
        let mut dictionary = statistics_to_godot(sums);
        add_admissions(&mut dictionary, &admissions);
        dictionary
    }

    #[func]
    fn get_request_callback(&self) -> Callable {
        fence(Callable::invalid(), || self.decider.callback())
    }

    #[func(gd_self)]
    fn set_request_callback(this: Gd<Self>, callback: Callable) {
        fence((), || {
            let decider = Arc::clone(&this.bind().decider);
            let asks = decider.set_callback(callback);
            Self::state_of(&this).with(|server| server.set_asks(asks));
        });
    }
}
