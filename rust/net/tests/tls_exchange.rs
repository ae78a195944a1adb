//! Certificates of a server: one for each name, and exchanged while it runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

#[path = "util/identity.rs"]
mod identity;
mod util;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use identity::{Identity, RawClient, authority, connect, der, leaf, names_of, raw_config, server, trusting};
use rust_websocket_net::{CertificateChange, How};
use rust_websocket_proto::MessageKind;
use rustls::pki_types::{CertificateDer, ServerName};
use util::{Client, wait_until};

/// A client that asks for that name, or for none.
fn asking_for(address: SocketAddr, root: &Identity, name: Option<&str>) -> RawClient {
    let mut config = (*raw_config(root, rustls::ALL_VERSIONS)).clone();
    config.enable_sni = name.is_some();
    config.resumption = rustls::client::Resumption::disabled();
    config.dangerous().set_certificate_verifier(Arc::new(Anybody));
    RawClient::connect_as(address, &Arc::new(config), name.unwrap_or("localhost"))
}

/// Takes every certificate: which one is shown is what the test looks at.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _own: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, own, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[test]
fn each_name_has_its_certificate() {
    let root = authority("Root", |_| {});
    let identities: Vec<_> = (0..4).map(|_| leaf(&root, |_| {})).collect();
    let [everybody, exact, wildcard, renewed] = &identities[..] else { unreachable!("four") };
    let root = Identity { key: String::new(), chain: root.pem() };
    let server = server(everybody.server());
    let set = |name: &str, identity: Option<&Identity>| {
        let name = rust_websocket_proto::ServerName::parse(name).unwrap();
        server.listener.change_certificate(CertificateChange::ForName(name, identity.map(Identity::server)));
    };
    let shown = |name: Option<&str>| {
        let der = names_of(&asking_for(server.address(), &root, name));
        identities.iter().position(|identity| identity::der(identity) == der).unwrap()
    };
    set("*.game.example", Some(wildcard));
    set("eu.game.example", Some(exact));
    for (name, expected) in [
        (None, 0),
        (Some("localhost"), 0),
        (Some("game.example"), 0),
        (Some("us.game.example"), 2),
        (Some("EU.Game.example"), 1),
        (Some("a.us.game.example"), 0),
    ] {
        assert_eq!(shown(name), expected, "{name:?}");
    }
    set("eu.game.example", None);
    assert_eq!(shown(Some("eu.game.example")), 2, "the wildcard's again");
    server.listener.change_certificate(CertificateChange::ForEverybodyElse(renewed.server()));
    assert_eq!((shown(None), shown(Some("us.game.example"))), (3, 2));
}

/// A renewal ends nobody: who plays plays on, who comes back resumes, and of those who come meanwhile each gets one of the two.
#[test]
fn certificates_are_exchanged_while_clients_come_and_go() {
    let root = authority("Root", |_| {});
    let (old, new) = (leaf(&root, |_| {}), leaf(&root, |_| {}));
    let root = Identity { key: String::new(), chain: root.pem() };
    let mut server = server(old.server());
    server.echoes = true;
    let tls = trusting(&root.chain);
    let mut live: Vec<_> = (0..10).map(|_| connect(server.address(), &tls)).collect();
    wait_until("the first ones", || {
        server.poll();
        live.iter_mut().for_each(Client::poll);
        live.iter().all(|client| client.open)
    });
    let address = server.address();
    let config = raw_config(&root, rustls::ALL_VERSIONS);
    let mut before = RawClient::connect(address, &config);
    before.say(b'x');
    assert_eq!(names_of(&before), der(&old));
    let mut coming: Vec<Client> = Vec::new();
    for round in 0..20 {
        coming.extend((0..5).map(|_| connect(address, &tls)));
        let shown = if round % 2 == 0 { &new } else { &old };
        server.listener.change_certificate(CertificateChange::ForEverybodyElse(shown.server()));
        server.poll();
    }
    server.listener.change_certificate(CertificateChange::ForEverybodyElse(new.server()));
    wait_until("those who came meanwhile", || {
        server.poll();
        coming.iter_mut().for_each(Client::poll);
        coming.iter().all(|client| client.open)
    });
    for client in &mut live {
        client.link.push(MessageKind::Text, Bytes::from_static(b"still here"), How::Now).unwrap();
    }
    wait_until("the echoes", || {
        server.poll();
        live.iter_mut().for_each(Client::poll);
        live.iter().all(|client| client.messages.len() == 1)
    });
    assert!(live.iter().chain(&coming).all(|client| client.closed.is_none()));
    let resumed = RawClient::connect(address, &config);
    assert_eq!(resumed.session.handshake_kind(), Some(rustls::HandshakeKind::Resumed), "tickets live on");
    let fresh = RawClient::connect(address, &raw_config(&root, rustls::ALL_VERSIONS));
    assert_eq!(names_of(&fresh), der(&new));
}
