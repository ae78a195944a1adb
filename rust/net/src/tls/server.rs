//! A server's TLS settings.

use std::sync::{Arc, Mutex, OnceLock};

use rust_websocket_proto::{ServerName, ServerNames};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs::Ticketer,
    server::{
        ClientHello, NoClientAuth, NoServerSessionStorage, ProducesTickets, ResolvesServerCert,
        danger::ClientCertVerifier,
    },
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{
    CertificateChain, Identity, TlsError, TlsVersion,
    key_log::key_log,
    provider,
    role::Role,
    verify_client::{ClientAuth, ClientVerifier},
    warm_up,
    words::Situation,
};
use crate::seam::lock;

/// How a server speaks TLS: a certificate with its key. Cloning shares the settings, and with them the sessions that can be
/// resumed.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    certified: Arc<CertifiedKey>,
    minimum: TlsVersion,
    asks_for_certificates: bool,
}

/// What a server asks of its clients.
#[derive(Debug, Clone, Default)]
pub struct ServerRules {
    /// The oldest version that they may speak.
    pub minimum: TlsVersion,
    /// `None`: they are not asked for certificates.
    pub client_auth: Option<ClientAuth>,
}

impl ServerTls {
    /// TLS 1.2 and 1.3 with a private key as PEM text and the chain of its certificate, for clients without certificates.
    ///
    /// # Errors
    /// One of them cannot be used, or they do not belong together.
    pub fn new(key: &[u8], chain: CertificateChain) -> Result<Self, TlsError> {
        Self::asking(Identity::new(key, chain)?, ServerRules::default())
    }

    /// For clients that keep the rules.
    ///
    /// # Errors
    /// TLS is not available.
    pub fn asking(own: Identity, rules: ServerRules) -> Result<Self, TlsError> {
        warm_up();
        let asks_for_certificates = rules.client_auth.is_some();
        let clients: Arc<dyn ClientCertVerifier> = match rules.client_auth {
            Some(auth) => Arc::new(ClientVerifier::new(auth)),
            None => Arc::new(NoClientAuth),
        };
        let certified = own.0;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(rules.minimum.and_newer())
            .map_err(|_| TlsError::Unavailable)?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&certified))));
        if asks_for_certificates {
            // A resumed session goes on with the certificate of the first, and renews its ticket: who came back often enough would be
            // let in for ever, whenever that certificate has expired.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            // Tickets: who comes back needs no new key exchange with our certificate, and nothing is stored here for it.
            config.ticketer = Arc::new(LazyTicketer::default());
        }
        if let Some(log) = key_log() {
            config.key_log = log;
        }
        Ok(Self { config: Arc::new(config), certified, minimum: rules.minimum, asks_for_certificates })
    }
}

/// An exchange of certificates while a server listens.
#[derive(Debug, Clone)]
pub enum CertificateChange {
    /// Shown to clients that announce no name, or one that has no certificate of its own.
    ForEverybodyElse(ServerTls),
    /// Shown to clients that announce this name; `None` takes the name away.
    ForName(ServerName, Option<ServerTls>),
}

/// Begins the sessions of one listener, with certificates that can be exchanged in between.
///
/// A session looks for its certificate when the client's greeting is there. Everything else, what is asked of clients and the
/// tickets of earlier sessions included, is that of the settings with which listening began.
#[derive(Debug)]
pub(crate) struct ServerSessions {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    minimum: TlsVersion,
    asks_for_certificates: bool,
}

impl ServerSessions {
    pub(crate) fn new(tls: ServerTls) -> Self {
        let shown = Shown { for_everybody_else: tls.certified, for_names: ServerNames::default() };
        let certificates = Arc::new(Certificates(Mutex::new(shown)));
        let mut config = ServerConfig::clone(&tls.config);
        config.cert_resolver = Arc::clone(&certificates) as _;
        let ServerTls { minimum, asks_for_certificates, .. } = tls;
        Self { config: Arc::new(config), certificates, minimum, asks_for_certificates }
    }

    /// Whether more is asked of clients than TLS does by itself.
    pub(crate) fn has_rules(&self) -> bool {
        self.minimum != TlsVersion::default() || self.asks_for_certificates
    }

    /// What words about its sessions depend on.
    pub(super) fn situation(&self) -> Situation {
        Situation { role: Role::Server, minimum: self.minimum, shows_certificate: true }
    }

    pub(super) fn begin(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.config))
    }

    /// Holds for greetings that are read from now on.
    pub(crate) fn change(&self, change: CertificateChange) {
        let mut shown = lock(&self.certificates.0);
        match change {
            CertificateChange::ForEverybodyElse(tls) => shown.for_everybody_else = tls.certified,
            CertificateChange::ForName(name, tls) => shown.for_names.set(name, tls.map(|tls| tls.certified)),
        }
    }
}

/// What a listener's sessions show. The lock is held for a look.
#[derive(Debug)]
struct Certificates(Mutex<Shown>);

#[derive(Debug)]
struct Shown {
    for_everybody_else: Arc<CertifiedKey>,
    for_names: ServerNames<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = lock(&self.0);
        let own = hello.server_name().and_then(|name| shown.for_names.find(name));
        Some(Arc::clone(own.unwrap_or(&shown.for_everybody_else)))
    }
}

/// Makes its first key on the I/O thread, in the first handshake: see [`warm_up`].
#[derive(Debug, Default)]
struct LazyTicketer(OnceLock<Option<Arc<dyn ProducesTickets>>>);

impl LazyTicketer {
    /// `None` if there is no random number to be had: then there are no tickets.
    fn get(&self) -> Option<&dyn ProducesTickets> {
        self.0.get_or_init(|| Ticketer::new().ok()).as_deref()
    }
}

impl ProducesTickets for LazyTicketer {
    fn enabled(&self) -> bool {
        self.get().is_some()
    }

    fn lifetime(&self) -> u32 {
        self.get().map_or(0, ProducesTickets::lifetime)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.get()?.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.get()?.decrypt(cipher)
    }
}
