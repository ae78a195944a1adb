//! Clients with certificates, and old versions, over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

#[path = "util/identity.rs"]
mod identity;
mod util;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use identity::{Identity, authority, below, connect, der, leaf, like_godot, raw_config, server};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, date_time_ymd};
use rust_websocket_net::{
    Admission, CertificateChain, CertificateChange, ClientAuth, ClientTls, ExpectedName, ServerRules,
    ServerTls, ServerTrust, TlsError, TlsVersion,
};
use rust_websocket_proto::http::Decision;
use rustls::{
    HandshakeKind,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use util::{PATIENCE, Server, wait_until};

const OPTIONAL: bool = false;
const REQUIRED: bool = true;

fn own(identity: &Identity) -> rust_websocket_net::Identity {
    let chain = CertificateChain::from_pem(identity.chain.as_bytes()).unwrap();
    rust_websocket_net::Identity::new(identity.key.as_bytes(), chain).unwrap()
}

/// A server that asks for certificates signed by `ca`.
fn asking(identity: &Identity, ca: &str, is_required: bool) -> Server {
    let client_auth = Some(ClientAuth::new(ca.as_bytes(), is_required).unwrap());
    let tls = ServerTls::asking(own(identity), ServerRules { client_auth, ..ServerRules::default() });
    server(tls.unwrap())
}

/// A client that trusts `trusted` and shows a certificate.
fn showing(shown: Option<&Identity>, trusted: &str, minimum: TlsVersion) -> ClientTls {
    let trust = ServerTrust::Certificates(trusted.as_bytes().to_vec());
    ClientTls::showing(shown.map(own), trust, ExpectedName::Host, minimum).unwrap()
}

/// `Ok` if the client gets in, else what it says.
fn attempt(server: &mut Server, tls: &ClientTls) -> Result<(), String> {
    let mut client = connect(server.address(), tls);
    wait_until("a decision", || {
        client.poll();
        server.poll();
        client.open || client.closed.is_some()
    });
    client.closed.map_or(Ok(()), |closed| Err(closed.cause.to_string()))
}

fn refused(server: &mut Server, tls: &ClientTls, part: &str) {
    let message = attempt(server, tls).expect_err(part);
    assert!(message.contains(part), "'{message}' says '{part}'");
}

#[test]
fn who_has_to_show_a_certificate() {
    let here = like_godot(|_| {});
    let root = authority("Root", |_| {});
    let player = leaf(&root, |_| {});
    let foreign = leaf(&authority("Root", |_| {}), |_| {});
    let with = |shown: Option<&Identity>| showing(shown, &here.chain, TlsVersion::V1_2);
    let mut required = asking(&here, &root.pem(), REQUIRED);
    attempt(&mut required, &with(Some(&player))).unwrap();
    refused(&mut required, &with(None), "requires a certificate of its clients, and none was shown");
    refused(&mut required, &with(Some(&foreign)), "not one that the server trusts");
    let mut optional = asking(&here, &root.pem(), OPTIONAL);
    attempt(&mut optional, &with(Some(&player))).unwrap();
    attempt(&mut optional, &with(None)).unwrap();
    refused(&mut optional, &with(Some(&foreign)), "the server refused this client's certificate");
    let mut nobody_asks = server(here.server());
    attempt(&mut nobody_asks, &with(Some(&foreign))).unwrap();
}

/// As for servers: Godot's own tools make certificates that are marked as CA and sign themselves.
#[test]
fn a_certificate_of_godot_is_its_own_authority() {
    let here = like_godot(|_| {});
    let player = like_godot(|_| {});
    let mut server = asking(&here, &player.chain, REQUIRED);
    attempt(&mut server, &showing(Some(&player), &here.chain, TlsVersion::V1_2)).unwrap();
    let other = like_godot(|_| {});
    let shows_other = showing(Some(&other), &here.chain, TlsVersion::V1_2);
    refused(&mut server, &shows_other, "it is not one that the server trusts, nor signed by one");
}

#[test]
fn chains_dates_and_purposes() {
    type Change = fn(&mut CertificateParams);
    let here = like_godot(|_| {});
    let root = authority("Root", |_| {});
    let mut server = asking(&here, &root.pem(), REQUIRED);
    let intermediate = below(&root, "Intermediate", |_| {});
    let mut player = leaf(&intermediate, |_| {});
    let shows = |identity: &Identity| showing(Some(identity), &here.chain, TlsVersion::V1_2);
    refused(&mut server, &shows(&player), "not one that the server trusts");
    player.chain += &intermediate.pem();
    attempt(&mut server, &shows(&player)).unwrap();
    let cases: [(Change, &str); 4] = [
        (|made| made.not_after = date_time_ymd(2020, 1, 1), "has expired"),
        (|made| made.not_before = date_time_ymd(2090, 1, 1), "refused this client's certificate"),
        (
            |made| made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            "it is not made for clients",
        ),
        (|made| made.key_usages = vec![KeyUsagePurpose::KeyCertSign], "it is not made for clients"),
    ];
    for (change, part) in cases {
        refused(&mut server, &shows(&leaf(&root, change)), part);
    }
    let for_clients =
        leaf(&root, |made| made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    attempt(&mut server, &shows(&for_clients)).unwrap();
}

#[test]
fn the_owner_sees_the_certificate() {
    let here = like_godot(|_| {});
    let root = authority("Root", |_| {});
    let player = leaf(&root, |_| {});
    let mut server = asking(&here, &root.pem(), OPTIONAL);
    server.listener.set_admission(Admission { asks_owner: Some(PATIENCE), ..Admission::default() });
    for shown in [None, Some(&player), Some(&player)] {
        let mut client = connect(server.address(), &showing(shown, &here.chain, TlsVersion::V1_2));
        wait_until("the request", || {
            server.poll();
            !server.asked.is_empty()
        });
        let asked = server.asked.pop().unwrap();
        let seen = asked.tls().client_certificate.as_deref();
        assert_eq!(seen, shown.map(der).as_deref());
        if let Some(seen) = seen {
            assert_eq!(CertificateChain::pem_of(seen), player.chain.replace("\r\n", "\n"));
        }
        asked.decide(Decision::accept(), None);
        wait_until("the upgrade", || {
            server.poll();
            client.poll();
            client.open
        });
    }
}

/// A resumed session would go on with a certificate that has expired since, and renew its ticket.
#[test]
fn a_certificate_is_looked_at_anew_each_time() {
    let root = authority("Root", |_| {});
    let (here, player) = (leaf(&root, |_| {}), leaf(&root, |_| {}));
    let trusted = Identity { key: String::new(), chain: root.pem() };
    for version in rustls::ALL_VERSIONS {
        let mut server = asking(&here, &root.pem(), REQUIRED);
        server.listener.set_admission(Admission { asks_owner: Some(PATIENCE), ..Admission::default() });
        let config = with_certificate(&trusted, &player, version);
        let address = server.address();
        for expected in [HandshakeKind::Full, HandshakeKind::Full] {
            let raw = RawConnection::start(address, Arc::clone(&config));
            wait_until("the request", || {
                server.poll();
                !server.asked.is_empty()
            });
            let asked = server.asked.pop().unwrap();
            assert_eq!(asked.tls().client_certificate.as_deref(), Some(&*der(&player)), "{version:?}");
            asked.decide(Decision::accept(), None);
            assert_eq!(raw.kind(), Some(expected), "{version:?}");
        }
    }
}

/// A session that was begun without the question is none to go on with where it is asked.
#[test]
fn other_rules_have_other_tickets() {
    let root = authority("Root", |_| {});
    let here = leaf(&root, |_| {});
    let trusted = Identity { key: String::new(), chain: root.pem() };
    for version in rustls::ALL_VERSIONS {
        let config = raw_config(&trusted, &[version]);
        let open = server(here.server());
        let mut raw = identity::RawClient::connect(open.address(), &config);
        raw.say(b'x');
        let closed = asking(&here, &root.pem(), REQUIRED);
        let end = RawConnection::start(closed.address(), config).end();
        assert!(end.contains("CertificateRequired"), "{version:?}: {end}");
    }
}

/// An exchange of the server's certificate changes nothing of what is asked.
#[test]
fn an_exchange_keeps_the_question() {
    let root = authority("Root", |_| {});
    let (old, new, player) = (leaf(&root, |_| {}), leaf(&root, |_| {}), leaf(&root, |_| {}));
    let mut server = asking(&old, &root.pem(), REQUIRED);
    let with = |shown: Option<&Identity>| showing(shown, &root.pem(), TlsVersion::V1_2);
    let known = with(Some(&player));
    attempt(&mut server, &known).unwrap();
    server.listener.change_certificate(CertificateChange::ForEverybodyElse(new.server()));
    attempt(&mut server, &known).unwrap();
    attempt(&mut server, &with(Some(&player))).unwrap();
    refused(&mut server, &with(None), "requires a certificate of its clients");
}

#[test]
fn the_oldest_version_that_is_spoken() {
    let root = authority("Root", |_| {});
    let here = leaf(&root, |_| {});
    let trusted = Identity { key: String::new(), chain: root.pem() };
    let rules = ServerRules { minimum: TlsVersion::V1_3, client_auth: None };
    let mut strict = server(ServerTls::asking(own(&here), rules).unwrap());
    for minimum in [TlsVersion::V1_2, TlsVersion::V1_3] {
        attempt(&mut strict, &showing(None, &root.pem(), minimum)).unwrap();
    }
    let old = raw_config(&trusted, &[&rustls::version::TLS12]);
    let raw = RawConnection::start(strict.address(), old);
    assert!(raw.end().contains("ProtocolVersion"));
    let client = showing(None, &root.pem(), TlsVersion::V1_3);
    let (address, _server) = old_server(&here);
    let mut client = connect(address, &client);
    wait_until("the end", || {
        client.poll();
        client.closed.is_some()
    });
    let message = client.closed.unwrap().cause.to_string();
    assert!(message.contains("the server's TLS version is too old"), "{message}");
    assert!(message.contains("1.3, the tls_minimum_version here"), "{message}");
}

#[test]
fn unusable_identities_and_authorities() {
    let (one, other) = (like_godot(|_| {}), like_godot(|_| {}));
    let made = |key: &str, chain: &str| {
        let chain = CertificateChain::from_pem(chain.as_bytes())?;
        rust_websocket_net::Identity::new(key.as_bytes(), chain).map(|_| ())
    };
    assert_eq!(made(&one.key, &one.chain), Ok(()));
    assert_eq!(made(&other.key, &one.chain), Err(TlsError::KeyMismatch));
    assert_eq!(made("", &one.chain), Err(TlsError::NoKey));
    for pem in ["", "nothing", &one.key] {
        assert_eq!(ClientAuth::new(pem.as_bytes(), REQUIRED).err(), Some(TlsError::NoCertificate));
    }
}

/// TLS does not ask what carries it.
#[cfg(unix)]
#[test]
fn tls_over_a_socket_file() {
    use rust_websocket_net::{ListenOptions, Listener, Reporting};
    let root = authority("Root", |_| {});
    let (here, player) = (leaf(&root, |_| {}), leaf(&root, |_| {}));
    let path = std::env::temp_dir().join(format!("rust_websocket_tls_{}", std::process::id()));
    let client_auth = Some(ClientAuth::new(root.pem().as_bytes(), REQUIRED).unwrap());
    let rules = ServerRules { client_auth, ..ServerRules::default() };
    let listener = Listener::bind(ListenOptions {
        address: Some(format!("unix:{}", path.display()).parse().unwrap()),
        port: 0,
        link: util::options(),
        tls: Some(ServerTls::asking(own(&here), rules).unwrap()),
        admission: Admission { asks_owner: Some(PATIENCE), ..Admission::default() },
        reporting: Reporting::Together,
    });
    let mut server = Server::of(listener.unwrap());
    let trusted = Identity { key: String::new(), chain: root.pem() };
    let config = with_certificate(&trusted, &player, &rustls::version::TLS13);
    let stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let raw = RawConnection::over(stream, config);
    wait_until("the request", || {
        server.poll();
        !server.asked.is_empty()
    });
    let asked = server.asked.pop().unwrap();
    assert_eq!(asked.tls().client_certificate.as_deref(), Some(&*der(&player)));
    assert_eq!(asked.tls().server_name.as_deref(), Some("localhost"));
    asked.decide(Decision::accept(), None);
    assert!(raw.kind().is_some());
}

/// What rustls's own client shows.
fn with_certificate(
    trusted: &Identity,
    shown: &Identity,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.chain.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![der(shown).into()], key);
    Arc::new(config.unwrap())
}

/// A rustls client on a thread of its own, since the server's owner has to decide meanwhile.
struct RawConnection(std::thread::JoinHandle<Result<Option<HandshakeKind>, String>>);

impl RawConnection {
    fn start(address: SocketAddr, config: Arc<rustls::ClientConfig>) -> Self {
        let socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(socket, config)
    }

    fn over(
        mut socket: impl std::io::Read + std::io::Write + Send + 'static,
        config: Arc<rustls::ClientConfig>,
    ) -> Self {
        use std::io::{Read, Write};
        Self(std::thread::spawn(move || {
            let name = "localhost".try_into().unwrap();
            let mut session = rustls::ClientConnection::new(config, name).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            let mut answer = Vec::new();
            let talk = stream
                .write_all(
                    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                )
                .and_then(|()| {
                    while !answer.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte)?;
                        answer.push(byte[0]);
                    }
                    Ok(())
                });
            talk.map(|()| session.handshake_kind()).map_err(|error| error.to_string())
        }))
    }

    /// How it shook hands.
    fn kind(self) -> Option<HandshakeKind> {
        self.0.join().unwrap().unwrap()
    }

    /// Why it did not.
    fn end(self) -> String {
        self.0.join().unwrap().unwrap_err()
    }
}

/// A server by rustls that speaks TLS 1.2 alone, once.
fn old_server(identity: &Identity) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        while session.is_handshaking() && session.complete_io(&mut socket).is_ok() {}
    });
    (address, thread)
}
