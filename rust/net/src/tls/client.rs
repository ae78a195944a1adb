//! A client's TLS settings.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use rust_websocket_proto::ascii_host_name;
use rustls::{
    ClientConfig, ClientConnection, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    pki_types::ServerName,
    sign::CertifiedKey,
};

use super::{
    DefaultRoots, ExpectedName, Identity, TlsError, TlsVersion,
    key_log::key_log,
    provider,
    role::Role,
    roots::Roots,
    verify::{Trust, Verifier},
    warm_up,
    words::Situation,
};

/// Servers whose sessions are remembered per settings, so that coming back is cheap.
const REMEMBERED_SERVERS: usize = 64;

/// Whose certificate a client takes.
#[derive(Debug, Clone)]
pub enum ServerTrust {
    /// Signed by one of the system's authorities, or what stands for them.
    Default(DefaultRoots),
    /// These, or signed by one of them: one or more certificates as PEM text.
    Certificates(Vec<u8>),
    /// Anybody's: no protection against an impostor.
    Anything,
}

/// How a client speaks TLS. Cloning shares the settings and the sessions to resume.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    name: Option<String>,
    minimum: TlsVersion,
}

impl ClientTls {
    /// TLS 1.2 and 1.3, without a certificate of its own.
    ///
    /// # Errors
    /// The certificates to trust cannot be read, or there are none.
    pub fn new(trust: ServerTrust, name: ExpectedName) -> Result<Self, TlsError> {
        Self::showing(None, trust, name, TlsVersion::default())
    }

    /// With what is shown to servers that ask for a certificate, and the oldest version that is spoken.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn showing(
        own: Option<Identity>,
        trust: ServerTrust,
        name: ExpectedName,
        minimum: TlsVersion,
    ) -> Result<Self, TlsError> {
        warm_up();
        let trust = match trust {
            ServerTrust::Default(roots) => Trust::Default(roots),
            ServerTrust::Certificates(pem) => Trust::Chosen(Roots::chosen(&pem)?),
            ServerTrust::Anything => Trust::Anything,
        };
        let name = match name {
            ExpectedName::Other(name) => ExpectedName::Other(ascii_host_name(&name).unwrap_or(name)),
            name => name,
        };
        let other_name = match &name {
            ExpectedName::Other(name) => Some(name.clone()),
            _ => None,
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(minimum.and_newer())
            .map_err(|_| TlsError::Unavailable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(trust, name)))
            .with_client_cert_resolver(Arc::new(Own(own)));
        config.resumption = Resumption::in_memory_sessions(REMEMBERED_SERVERS);
        if let Some(log) = key_log() {
            config.key_log = log;
        }
        Ok(Self { config: Arc::new(config), name: other_name, minimum })
    }

    /// What words about its sessions depend on.
    pub(super) fn situation(&self) -> Situation {
        let is_known = self.config.client_auth_cert_resolver.has_certs();
        Situation { role: Role::Client, minimum: self.minimum, shows_certificate: is_known }
    }

    /// Begins a session with `host`. A [`Link`](crate::Link) does so by itself; this is for programs with sockets of their
    /// own.
    ///
    /// # Errors
    /// rustls has none of the methods that it needs.
    pub fn begin(&self, host: &str) -> Result<ClientConnection, rustls::Error> {
        let name = self.name.as_deref().and_then(|name| ServerName::try_from(name.to_owned()).ok());
        // What is no host name is not announced to the server; the verifier knows what it expects.
        let name = name
            .or_else(|| ServerName::try_from(host.to_owned()).ok())
            .unwrap_or_else(|| ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        ClientConnection::new(Arc::clone(&self.config), name)
    }
}

/// What a client shows to every server that asks, whatever authorities that names: its answer to a foreign one says more than
/// none would.
#[derive(Debug)]
struct Own(Option<Identity>);

impl ResolvesClientCert for Own {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.as_ref().map(|identity| Arc::clone(&identity.0))
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}
