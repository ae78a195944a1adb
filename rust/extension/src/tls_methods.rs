//! The methods about TLS: those of clients, and those of servers, the same on both classes.

use std::cell::OnceCell;

use godot::classes::{CryptoKey, X509Certificate};
use godot::global::Error;
use godot::prelude::*;
use rust_websocket_peers::property;

use crate::{
    convert::{Nullable, OptionalTlsOptions},
    multiplayer_peer::RustWebSocketMultiplayerPeer,
    report::{self, fence},
    server::RustWebSocketServer,
    text,
    tls_options::{self, ClientSide, ServerSide},
    websocket_peer::RustWebSocketPeer,
};

macro_rules! client_methods {
    ($class:ident) => {
        #[godot_api(secondary)]
        impl $class {
            #[func]
            fn get_tls_client_certificate(&self) -> Nullable<X509Certificate> {
                Nullable(fence(None, || self.tls.client_certificate.get()))
            }

            #[func(gd_self)]
            fn set_tls_client_certificate(this: Gd<Self>, certificate: Nullable<X509Certificate>) {
                fence((), || this.bind().tls.client_certificate.set(certificate.0));
            }

            #[func]
            fn get_tls_client_key(&self) -> Nullable<CryptoKey> {
                Nullable(fence(None, || self.tls.client_key.get()))
            }

            #[func(gd_self)]
            fn set_tls_client_key(this: Gd<Self>, key: Nullable<CryptoKey>) {
                fence((), || this.bind().tls.client_key.set(key.0));
            }
        }

        impl $class {
            /// What its next connection as a client does in TLS beside its options.
            pub(crate) fn client_side(&self) -> ClientSide {
                ClientSide {
                    certificate: self.tls.client_certificate.get(),
                    key: self.tls.client_key.get(),
                    minimum: self.property::<property::tls_minimum_version, _>(|version| *version),
                    identity: OnceCell::default(),
                }
            }
        }
    };
}

macro_rules! server_methods {
    ($class:ident) => {
        #[godot_api(secondary)]
        impl $class {
            #[func]
            fn get_tls_client_ca(&self) -> Nullable<X509Certificate> {
                Nullable(fence(None, || self.tls.client_ca.get()))
            }

            #[func(gd_self)]
            fn set_tls_client_ca(this: Gd<Self>, certificate: Nullable<X509Certificate>) {
                fence((), || this.bind().tls.client_ca.set(certificate.0));
            }

            #[func(gd_self)]
            fn set_tls_options(
                this: Gd<Self>,
                options: OptionalTlsOptions,
                #[opt(default = "")] server_name: GString,
            ) -> Error {
                const CALL: &str = "set_tls_options";
                fence(Error::ERR_BUG, || {
                    let state = Self::state_of(&this);
                    // First of all, and without reading options that may take the engine a while.
                    if let Err(refused) = state.attempt(|server| server.check_tls(CALL)) {
                        return report::refuse(&*state, &refused);
                    }
                    // What it asks of its clients stays as it was when it began to listen.
                    let tls = tls_options::for_server(CALL, options.0.as_ref(), &ServerSide::default());
                    let name = text::read("set_tls_options: the server name", &server_name);
                    report::answer(&*state, |server| server.set_tls(CALL, &name?, tls?))
                })
            }
        }

        impl $class {
            /// What it asks of its clients in TLS when it listens next.
            pub(crate) fn server_side(&self) -> ServerSide {
                ServerSide {
                    auth: self.property::<property::tls_client_auth, _>(|auth| *auth),
                    ca: self.tls.client_ca.get(),
                    minimum: self.property::<property::tls_minimum_version, _>(|version| *version),
                }
            }
        }
    };
}

client_methods!(RustWebSocketPeer);
client_methods!(RustWebSocketMultiplayerPeer);
server_methods!(RustWebSocketMultiplayerPeer);
server_methods!(RustWebSocketServer);
