//! A client's way to its server: where TCP connects to, and what is stacked on that.

use std::{io, sync::Arc};

use rust_websocket_proto::{Scheme, Target};

use crate::{
    seam::ProxyWay,
    socket::Socket,
    tls::{ClientTls, TlsSession},
    trace::ConnectionTrace,
    transport::{Preamble, Transport, TunnelPreamble},
};

/// Where to connect, and the layers of the transport over that.
#[derive(Debug)]
pub(crate) struct Route {
    /// Whose addresses TCP connects to.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The socket file that is connected to instead.
    pub(crate) socket_path: Option<String>,
    /// What has to pass there before TLS and the protocol begin: nothing on a direct way.
    preamble: Option<Box<dyn Preamble>>,
    tls: Option<TlsStart>,
}

/// A client's TLS settings and the host that it looks for.
#[derive(Debug)]
struct TlsStart {
    /// `None`: nobody has given any.
    settings: Option<ClientTls>,
    host: String,
}

impl Route {
    /// Straight to the target's host.
    pub(crate) fn direct(target: &Target, tls: Option<ClientTls>) -> Self {
        let tls =
            (target.scheme == Scheme::Wss).then(|| TlsStart { settings: tls, host: target.host.clone() });
        let socket_path = target.socket_path.clone();
        Self { host: target.lookup_name(), port: target.port, socket_path, preamble: None, tls }
    }

    /// To the target's host through a proxy.
    pub(crate) fn through(
        way: Arc<ProxyWay>,
        target: &Target,
        tls: Option<ClientTls>,
        trace: Option<&ConnectionTrace>,
    ) -> Self {
        let (host, port) = (way.proxy().host().to_owned(), way.proxy().port());
        let preamble = Some(Box::new(TunnelPreamble::new(way, target, trace)) as Box<dyn Preamble>);
        Self { host, port, preamble, ..Self::direct(target, tls) }
    }

    /// Stacks the transport on a connected socket, once. The error is one phrase for people.
    pub(crate) fn transport(&mut self, socket: Box<dyn Socket>) -> Result<Transport, String> {
        let session = match &self.tls {
            None => None,
            Some(TlsStart { settings: None, .. }) => {
                return Err("there are no TLS settings for it".to_owned());
            }
            Some(TlsStart { settings: Some(settings), host }) => Some(TlsSession::client(settings, host)?),
        };
        Ok(Transport::new(socket, self.preamble.take(), session))
    }
}

/// Connects to a socket file.
#[cfg(unix)]
pub(crate) fn connect_to_file(path: &str) -> io::Result<Box<dyn Socket>> {
    crate::socket_file::connect(path.as_ref())
}

/// See above.
#[cfg(not(unix))]
pub(crate) fn connect_to_file(_path: &str) -> io::Result<Box<dyn Socket>> {
    Err(io::ErrorKind::Unsupported.into())
}
