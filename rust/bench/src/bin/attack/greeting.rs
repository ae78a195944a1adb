//! TLS sessions of clients: they trust whoever answers, since there is nobody on loopback to be protected from.

use std::error::Error;

use rust_websocket_net::{ClientTls, ExpectedName, ServerTrust};
use rustls::ClientConnection;

pub(crate) fn session() -> Result<ClientConnection, Box<dyn Error>> {
    // Settings of its own for each: with shared ones later sessions would resume earlier ones.
    Ok(ClientTls::new(ServerTrust::Anything, ExpectedName::Any)?.begin("localhost")?)
}

/// The first bytes of a session.
pub(crate) fn client_hello() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    session()?.write_tls(&mut bytes)?;
    Ok(bytes)
}
