//! Certificates made for a test, peers over TLS, and a TLS client by rustls alone.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rust_websocket_net::{
    Admission, CertificateChain, ClientTls, ExpectedName, Link, LinkOptions, ListenOptions, Listener,
    Reporting, ServerTls, ServerTrust,
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};

use crate::util::{Client, Server, options, request_for, wait_until};

pub type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A certificate with its key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    pub key: String,
    pub chain: String,
}

impl Identity {
    pub fn server(&self) -> ServerTls {
        ServerTls::new(self.key.as_bytes(), CertificateChain::from_pem(self.chain.as_bytes()).unwrap())
            .unwrap()
    }
}

pub fn parameters(names: &[&str]) -> CertificateParams {
    let mut parameters =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "localhost");
    parameters
}

pub fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Issuer {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut parameters);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

pub fn below(issuer: &Issuer, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Issuer {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut parameters);
    CertifiedIssuer::signed_by(parameters, KeyPair::generate().unwrap(), issuer).unwrap()
}

pub fn leaf(issuer: &Issuer, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut parameters = parameters(&["localhost"]);
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, issuer).unwrap();
    Identity { key: key.serialize_pem(), chain: certificate.pem() }
}

/// As Godot's `Crypto` makes it: a CA, and only a common name.
pub fn like_godot(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut parameters = parameters(&[]);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Identity { key: key.serialize_pem(), chain: certificate.pem() }
}

pub fn trusting(pem: &str) -> ClientTls {
    client(ServerTrust::Certificates(pem.as_bytes().to_vec()), ExpectedName::Host)
}

pub fn client(trust: ServerTrust, name: ExpectedName) -> ClientTls {
    ClientTls::new(trust, name).unwrap()
}

pub fn server(tls: ServerTls) -> Server {
    server_with(tls, options())
}

pub fn server_with(tls: ServerTls, link: LinkOptions) -> Server {
    let listener = Listener::bind(ListenOptions {
        address: Some("127.0.0.1".parse().unwrap()),
        port: 0,
        link,
        tls: Some(tls),
        admission: Admission::default(),
        reporting: Reporting::Together,
    })
    .unwrap();
    Server::of(listener)
}

pub fn connect(address: SocketAddr, tls: &ClientTls) -> Client {
    let request = request_for(&format!("wss://localhost:{}/", address.port()));
    Client::of(Link::connect_tls(request, tls.clone(), options()))
}

/// `Ok` if the client gets in, else what it says.
pub fn attempt(tls: &ClientTls, identity: &Identity) -> Result<(), String> {
    let mut server = server(identity.server());
    let mut client = connect(server.address(), tls);
    wait_until("a decision", || {
        client.poll();
        server.poll();
        client.open || client.closed.is_some()
    });
    match client.closed {
        Some(closed) => Err(closed.cause.to_string()),
        None => Ok(()),
    }
}

pub fn refused(tls: &ClientTls, identity: &Identity, part: &str) {
    let message = attempt(tls, identity).expect_err(part);
    assert!(message.starts_with("the TLS handshake failed: "), "{message}");
    assert!(message.contains(part), "'{message}' says '{part}'");
}

/// A TLS client by rustls on a socket of its own, through the upgrade.
pub struct RawClient {
    pub socket: TcpStream,
    pub session: rustls::ClientConnection,
}

impl RawClient {
    pub fn connect(address: SocketAddr, config: &Arc<rustls::ClientConfig>) -> Self {
        Self::connect_as(address, config, "localhost")
    }

    pub fn connect_as(address: SocketAddr, config: &Arc<rustls::ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut raw = Self {
            socket: TcpStream::connect(address).unwrap(),
            session: rustls::ClientConnection::new(config.clone(), name).unwrap(),
        };
        raw.write(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            rustls::Stream::new(&mut raw.session, &mut raw.socket).read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        raw
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let mut stream = rustls::Stream::new(&mut self.session, &mut self.socket);
        stream.write_all(bytes).unwrap();
        stream.flush().unwrap();
    }

    /// A masked text message of one letter.
    pub fn say(&mut self, letter: u8) {
        self.write(&[0x81, 0x81, 0, 0, 0, 0, letter]);
    }
}

pub fn raw_config(
    identity: &Identity,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Arc::new(
        rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// A root, and what is below it with the root behind, so that rustls's own verifier takes it.
pub fn strict_identity() -> (Identity, Identity) {
    let root = authority("Root", |_| {});
    (leaf(&root, |_| {}), Identity { key: String::new(), chain: root.pem() })
}

pub fn names_of(raw: &RawClient) -> Vec<u8> {
    raw.session.peer_certificates().unwrap()[0].to_vec()
}

pub fn der(identity: &Identity) -> Vec<u8> {
    CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap().to_vec()
}
