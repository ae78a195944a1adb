//! TLS over the loopback interface: whom a client trusts, how connections end, what coming back costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

#[path = "util/identity.rs"]
mod identity;
mod util;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use identity::{
    Identity, RawClient, attempt, authority, below, client, connect, leaf, like_godot, parameters,
    raw_config, refused, server, server_with, strict_identity, trusting,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};
use rust_websocket_net::{
    CertificateChain, ChainCapture, ClientTls, DefaultRoots, ExpectedName, How, Link, SendLimits, ServerTls,
    ServerTrust, TlsError,
};
use rust_websocket_proto::MessageKind;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use util::{Client, Server, options, request_for, wait_until};

#[test]
fn messages_of_all_sizes_are_echoed() {
    let identity = like_godot(|_| {});
    let mut server = server(identity.server());
    server.echoes = true;
    let mut client = connect(server.address(), &trusting(&identity.chain));
    wait_until("the handshake", || {
        client.poll();
        client.open
    });
    let sizes = [0, 1, 125, 126, 16_383, 16_384, 16_385, 50_000, 65_000];
    for (round, size) in sizes.into_iter().enumerate() {
        client.link.push(MessageKind::Binary, Bytes::from(vec![7; size]), How::Now).unwrap();
        wait_until("the echo", || {
            server.poll();
            client.poll();
            client.messages.len() > round
        });
        assert_eq!(client.messages[round].payload.len(), size);
    }
}

/// Both sides offer more than the kernel takes, and neither stalls.
#[test]
fn full_pipes_in_both_directions_drain() {
    let identity = like_godot(|_| {});
    let mut roomy = options();
    roomy.send_limits = SendLimits { bytes: 0, messages: 0 };
    let mut server = server_with(identity.server(), roomy.clone());
    let request = request_for(&format!("wss://localhost:{}/", server.address().port()));
    let mut client = Client::of(Link::connect_tls(request, trusting(&identity.chain), roomy));
    wait_until("the handshake", || {
        client.poll();
        server.poll();
        client.open && server.links.len() == 1
    });
    for _ in 0..120 {
        client.link.push(MessageKind::Binary, Bytes::from(vec![1; 60_000]), How::Now).unwrap();
        server.only().link.push(MessageKind::Binary, Bytes::from(vec![2; 60_000]), How::Now).unwrap();
    }
    wait_until("everything", || {
        client.poll();
        server.poll();
        client.messages.len() == 120 && server.only().messages.len() == 120
    });
}

#[test]
fn a_certificate_of_godot_is_its_own_anchor() {
    let identity = like_godot(|_| {});
    attempt(&trusting(&identity.chain), &identity).unwrap();
    let another = like_godot(|_| {});
    refused(&trusting(&another.chain), &identity, "not one that this client trusts");
    let other = |name: &str| {
        client(
            ServerTrust::Certificates(identity.chain.clone().into_bytes()),
            ExpectedName::Other(name.to_owned()),
        )
    };
    attempt(&other("LOCALHOST"), &identity).unwrap();
    refused(&other("game.example"), &identity, "not for 'game.example' but for 'localhost'");
}

#[test]
fn its_dates_and_purpose_count() {
    for (change, part) in [
        ((|made| made.not_after = date_time_ymd(2020, 1, 1)) as fn(&mut CertificateParams), "has expired"),
        (|made| made.not_before = date_time_ymd(2090, 1, 1), "not valid yet"),
        (|made| made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth], "not made for servers"),
        (|made| made.key_usages = vec![KeyUsagePurpose::KeyCertSign], "not made for servers"),
    ] {
        let identity = like_godot(change);
        refused(&trusting(&identity.chain), &identity, part);
        attempt(&client(ServerTrust::Anything, ExpectedName::Any), &identity).unwrap();
    }
}

#[test]
fn chains_of_three() {
    let root = authority("Root", |_| {});
    let intermediate = below(&root, "Intermediate", |_| {});
    let mut identity = leaf(&intermediate, |_| {});
    let tls = trusting(&root.pem());
    refused(&tls, &identity, "not one that this client trusts");
    let own = identity.chain.clone();
    identity.chain = own.clone() + &intermediate.pem();
    attempt(&tls, &identity).unwrap();
    attempt(&trusting(&intermediate.pem()), &Identity { chain: own.clone(), ..identity.clone() }).unwrap();
    refused(&trusting(&own), &identity, "not one that this client trusts");
}

#[test]
fn every_member_of_a_chain_must_be_in_order() {
    type Change = fn(&mut CertificateParams);
    let expired = |made: &mut CertificateParams| made.not_after = date_time_ymd(2020, 1, 1);
    let cases: [(&str, Change, &str); 4] = [
        ("root", |made| made.not_after = date_time_ymd(2020, 1, 1), "has expired"),
        ("root", |made| made.not_before = date_time_ymd(2090, 1, 1), "not valid yet"),
        ("root", |made| made.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)), "PathLen"),
        (
            "root",
            |made| made.key_usages = vec![KeyUsagePurpose::DigitalSignature],
            "not one that this client",
        ),
    ];
    for (_, change, part) in cases {
        let root = authority("Root", change);
        let intermediate = below(&root, "Intermediate", |_| {});
        let mut identity = leaf(&intermediate, |_| {});
        identity.chain += &intermediate.pem();
        refused(&trusting(&root.pem()), &identity, part);
    }
    let root = authority("Root", |_| {});
    let intermediate = below(&root, "Intermediate", expired);
    let mut identity = leaf(&intermediate, |_| {});
    identity.chain += &intermediate.pem();
    refused(&trusting(&root.pem()), &identity, "has expired");
    refused(&trusting(&root.pem()), &leaf(&root, expired), "has expired");
    // Not a CA, but trusted: it vouches for itself only.
    let no_authority = authority("Root", |made| made.is_ca = IsCa::ExplicitNoCa);
    refused(&trusting(&no_authority.pem()), &leaf(&no_authority, |_| {}), "not one that this client trusts");
}

/// A CA's mark on a server's certificate, which webpki refuses and the engine does not.
#[test]
fn a_leaf_marked_as_ca_counts_if_a_chosen_certificate_has_signed_it() {
    let mark = |made: &mut CertificateParams| made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority("Root", |_| {});
    let identity = leaf(&root, mark);
    attempt(&trusting(&root.pem()), &identity).unwrap();
    let impostor = authority("Root", |_| {});
    refused(&trusting(&impostor.pem()), &identity, "does not fit its signature");
    refused(&trusting(&authority("Other", |_| {}).pem()), &identity, "not one that this client trusts");
    let late = authority("Root", |made| made.not_after = date_time_ymd(2020, 1, 1));
    refused(&trusting(&late.pem()), &leaf(&late, mark), "has expired");
    let by_default = client(ServerTrust::Default(DefaultRoots::load(Some(root.pem()))), ExpectedName::Host);
    refused(&by_default, &identity, "not one that this client trusts");
}

#[test]
fn mozillas_list_does_not_know_a_private_authority() {
    let root = authority("Root", |_| {});
    let identity = leaf(&root, |_| {});
    let by_default = client(ServerTrust::Default(DefaultRoots::load(None)), ExpectedName::Host);
    refused(&by_default, &identity, "not one that this client trusts");
    let with_it = client(ServerTrust::Default(DefaultRoots::load(Some(root.pem()))), ExpectedName::Host);
    assert_eq!(attempt(&with_it, &identity), Ok(()));
}

#[test]
fn a_changed_certificate_is_refused() {
    let root = authority("Root", |_| {});
    let good = leaf(&root, |_| {});
    let der = CertificateDer::from_pem_slice(good.chain.as_bytes()).unwrap().to_vec();
    let key = PrivateKeyDer::from_pem_slice(good.key.as_bytes()).unwrap();
    let tls = trusting(&root.pem());
    // A name, the key, and the signature.
    let name = der.windows(9).position(|window| window == b"localhost").unwrap();
    for index in [name, der.len() / 2, der.len() - 1] {
        let mut changed = der.clone();
        changed[index] ^= 1;
        let Ok(address) = serve_once(vec![changed.into()], key.clone_key()) else { continue };
        let mut client = connect(address, &tls);
        wait_until("a decision", || {
            client.poll();
            client.open || client.closed.is_some()
        });
        assert!(!client.open, "byte {index}");
        let message = client.closed.unwrap().cause.to_string();
        assert!(message.starts_with("the TLS handshake failed"), "{message}");
    }
}

/// A TLS server by rustls that takes any chain; it accepts one connection and goes through the handshake.
fn serve_once(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<SocketAddr, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(key)?;
    let resolver = rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, key));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        while session.is_handshaking() && session.complete_io(&mut socket).is_ok() {}
        _ = socket.read(&mut [0]);
    });
    Ok(address)
}

#[test]
fn unusable_settings_are_refused() {
    let one = like_godot(|_| {});
    let other = like_godot(|_| {});
    let chain = |pem: &str| CertificateChain::from_pem(pem.as_bytes());
    let made = |key: &str, pem: &str| ServerTls::new(key.as_bytes(), chain(pem)?).map(|_| ());
    assert_eq!(made(&one.key, &one.chain), Ok(()));
    assert_eq!(made(&other.key, &one.chain), Err(TlsError::KeyMismatch));
    assert_eq!(made("", &one.chain), Err(TlsError::NoKey));
    assert_eq!(made(&one.chain, &one.chain), Err(TlsError::NoKey));
    assert_eq!(made(&one.key, ""), Err(TlsError::NoCertificate));
    assert_eq!(made(&one.key, &one.key), Err(TlsError::NoCertificate));
    let broken = one.chain.replacen('M', "A", 1);
    assert_eq!(made(&one.key, &broken), Err(TlsError::BadCertificate));
    let broken = one.key.replacen('M', "A", 1);
    assert_eq!(made(&broken, &one.chain), Err(TlsError::BadKey));
    for pem in ["", "nothing", &one.key, &one.chain.replacen('M', "A", 1)] {
        let trust = ServerTrust::Certificates(pem.as_bytes().to_vec());
        assert!(ClientTls::new(trust, ExpectedName::Host).is_err(), "{pem}");
    }
}

/// F40: a certificate has the ASCII form of such a name as an alternative name, and either as a common name.
#[test]
fn f40_names_beyond_ascii_are_converted_as_in_urls() {
    let ascii = like_godot(|parameters| {
        parameters.subject_alt_names = parameters_of("xn--bcher-kva.example").subject_alt_names;
    });
    let common = |name: &'static str| {
        like_godot(move |parameters| parameters.distinguished_name.push(DnType::CommonName, name))
    };
    for identity in [ascii, common("bücher.example"), common("xn--bcher-kva.example"), common("*.example")] {
        for name in ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"] {
            let trust = ServerTrust::Certificates(identity.chain.as_bytes().to_vec());
            attempt(&client(trust, ExpectedName::Other(name.to_owned())), &identity).unwrap();
        }
        let trust = ServerTrust::Certificates(identity.chain.as_bytes().to_vec());
        let other = client(trust, ExpectedName::Other("wörter.other".to_owned()));
        refused(&other, &identity, "not for 'xn--wrter-jua.other'");
    }
}

fn parameters_of(name: &str) -> CertificateParams {
    parameters(&[name])
}

#[test]
fn line_ends_and_text_around_certificates_do_not_matter() {
    let identity = like_godot(|_| {});
    let windows = format!("Subject: me\r\n{}\0", identity.chain.replace('\n', "\r\n"));
    let same = Identity { key: identity.key.replace('\n', "\r\n"), chain: windows.clone() };
    attempt(&trusting(&windows), &same).unwrap();
}

/// A plain client of a TLS server and the reverse: an error, not a wait.
#[test]
fn one_side_without_tls() {
    let identity = like_godot(|_| {});
    let mut secure = server(identity.server());
    let mut plain = Server::new(options());
    let mut plain_client = Client::connect(request_for(&format!("ws://{}/", secure.address())), options());
    let mut secure_client = connect(plain.address(), &trusting(&identity.chain));
    wait_until("both ended", || {
        for server in [&mut secure, &mut plain] {
            server.poll();
        }
        plain_client.poll();
        secure_client.poll();
        plain_client.closed.is_some() && secure_client.closed.is_some()
    });
    let message = plain_client.closed.unwrap().cause.to_string();
    assert!(message.starts_with("the WebSocket handshake failed"), "{message}");
    let message = secure_client.closed.unwrap().cause.to_string();
    assert!(message.starts_with("the TLS handshake failed: the other side does not speak TLS"), "{message}");
    assert!(secure.links.is_empty() && plain.links.is_empty());
}

#[test]
fn a_silent_server_runs_into_the_connect_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut impatient = options();
    Arc::make_mut(&mut impatient.config).connect_timeout = Duration::from_millis(200);
    let request = request_for(&format!("wss://localhost:{}/", silent.local_addr().unwrap().port()));
    let tls = client(ServerTrust::Anything, ExpectedName::Any);
    let mut client = Client::of(Link::connect_tls(request, tls, impatient));
    wait_until("the timeout", || {
        client.poll();
        client.closed.is_some()
    });
    let message = client.closed.unwrap().cause.to_string();
    assert!(message.starts_with("the TLS handshake did not finish in time"), "{message}");
}

#[test]
fn a_cut_connection_is_no_orderly_end_and_loses_nothing() {
    let (identity, root) = strict_identity();
    let config = raw_config(&root, rustls::ALL_VERSIONS);
    for orderly in [false, true] {
        let mut server = server(identity.server());
        let mut raw = RawClient::connect(server.address(), &config);
        for letter in b"abc" {
            raw.say(*letter);
        }
        if orderly {
            raw.session.send_close_notify();
            raw.session.write_tls(&mut raw.socket).unwrap();
        }
        drop(raw);
        wait_until("the end", || {
            server.poll();
            server.links.values().any(|link| link.closed.is_some())
        });
        let link = server.only();
        assert_eq!(link.messages.len(), 3);
        let message = link.closed.take().unwrap().cause.to_string();
        let expected = if orderly { "ended the connection without a close frame" } else { "was cut" };
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn leaving_says_close_notify_before_fin() {
    let (identity, root) = strict_identity();
    let config = raw_config(&root, rustls::ALL_VERSIONS);
    let mut server = server(identity.server());
    let mut raw = RawClient::connect(server.address(), &config);
    wait_until("the link", || {
        server.poll();
        !server.links.is_empty()
    });
    server.only().link.leave();
    let mut rest = Vec::new();
    // Without close_notify this is an UnexpectedEof.
    rustls::Stream::new(&mut raw.session, &mut raw.socket).read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}

#[test]
fn both_versions_are_spoken_and_resumed() {
    let (identity, root) = strict_identity();
    let server = server(identity.server());
    for version in rustls::ALL_VERSIONS {
        let config = raw_config(&root, &[version]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut raw = RawClient::connect(server.address(), &config);
            assert_eq!(raw.session.protocol_version(), Some(version.version));
            kinds.push(raw.session.handshake_kind());
            raw.say(b'x');
        }
        assert_eq!(
            kinds,
            [Some(rustls::HandshakeKind::Full), Some(rustls::HandshakeKind::Resumed)],
            "{version:?}"
        );
    }
}

/// Our client comes back with the ticket that it was given.
#[test]
fn clients_resume() {
    let identity = like_godot(|_| {});
    let (address, kinds) = observe(&identity, 3);
    let tls = trusting(&identity.chain);
    for _ in 0..3 {
        let mut client = connect(address, &tls);
        wait_until("the end", || {
            client.poll();
            client.closed.is_some()
        });
    }
    let kinds: Vec<_> = kinds.iter().collect();
    use rustls::HandshakeKind::{Full, Resumed};
    assert_eq!(kinds, [Some(Full), Some(Resumed), Some(Resumed)]);
}

/// A TLS server that reads a request of each of `count` connections and tells how they shook hands.
fn observe(
    identity: &Identity,
    count: usize,
) -> (SocketAddr, std::sync::mpsc::Receiver<Option<rustls::HandshakeKind>>) {
    let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes()).map(Result::unwrap).collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for _ in 0..count {
            let (mut socket, _) = listener.accept().unwrap();
            let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            stream.read_exact(&mut [0; 64]).unwrap();
            stream.flush().unwrap();
            tell.send(session.handshake_kind()).unwrap();
            _ = socket.shutdown(std::net::Shutdown::Write);
            _ = socket.read_to_end(&mut Vec::new());
        }
    });
    (address, told)
}

/// What the engine's own TLS server presents is learnt this way.
#[test]
fn a_chain_is_learnt_from_a_handshake() {
    let root = authority("Root", |_| {});
    let intermediate = below(&root, "Intermediate", |_| {});
    let mut identity = leaf(&intermediate, |_| {});
    identity.chain += &intermediate.pem();
    let server = server(identity.server());
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let mut capture = ChainCapture::new().unwrap();
    while capture.chain().is_none() {
        socket.write_all(&capture.take_output()).unwrap();
        let mut buffer = [0; 4096];
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0);
        capture.handle_input(&buffer[..count]);
    }
    assert_eq!(capture.chain().unwrap().len(), 2);
    // And nothing comes of garbage.
    let mut capture = ChainCapture::new().unwrap();
    capture.handle_input(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(capture.chain().is_none());
}

/// Whatever a stranger sends, the server goes on.
#[test]
fn garbage_ends_its_own_connection_only() {
    let identity = like_godot(|_| {});
    let mut server = server(identity.server());
    server.echoes = true;
    let record = |kind: u8, body: &[u8]| {
        let mut record = vec![kind, 3, 3];
        record.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        record.extend(body);
        record
    };
    let strangers = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 100],
        vec![0xff; 70_000],
        record(22, &[]),
        record(22, &[1, 0, 0, 0]),
        record(22, &[1, 0xff, 0xff, 0xff, 0]),
        record(23, &[1; 500]),
        record(21, &[2, 40]),
        record(20, &[1]).repeat(1000),
        record(22, &[1]).repeat(5000),
    ];
    for bytes in strangers {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        // The server may end it before it has read everything.
        _ = socket.write_all(&bytes);
        _ = socket.shutdown(std::net::Shutdown::Write);
        socket.set_read_timeout(Some(util::PATIENCE)).unwrap();
        let mut answer = Vec::new();
        match socket.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    let mut client = connect(server.address(), &trusting(&identity.chain));
    wait_until("a good client gets in", || {
        client.poll();
        server.poll();
        client.open
    });
    assert_eq!(server.links.len(), 1);
}
