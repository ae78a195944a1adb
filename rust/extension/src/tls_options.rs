//! The engine's `TLSOptions` as plain data, read on the calling thread and remembered.

use std::sync::{Mutex, OnceLock};

use godot::builtin::GString;
use godot::classes::{CryptoKey, FileAccess, Os, ProjectSettings, TlsOptions, X509Certificate};
use godot::obj::{Gd, InstanceId, Singleton};
use rust_websocket_net::{
    CertificateChain, ClientTls, DefaultRoots, ExpectedName, ServerTls, ServerTrust, TlsError, lock,
};
use rust_websocket_peers::{NotText, Refused};
use rust_websocket_proto::{Quoted, Scheme, Target};

use crate::{
    chain_capture,
    driver::Security,
    engine_stream::{EngineStream, Held},
    report::quietly,
    text,
};

/// Options objects remembered for each side. A script may make a new one for each connection; equal ones share their
/// settings, and with them the sessions that can be resumed.
const REMEMBERED: usize = 16;

const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// What a client's connection is secured with, and what the connection's owner has to keep for that.
pub(crate) fn for_client(
    call: &'static str,
    url: &str,
    options: Option<&Gd<TlsOptions>>,
) -> (Result<Security, Refused>, Held) {
    if options.is_some_and(|options| options.is_server()) {
        let problem = "these are TLS options for a server; use TLSOptions.client()".to_owned();
        return (Err(Refused::Tls { call, problem }), Held::new());
    }
    // A URL that cannot be read is refused by whoever uses it.
    if Target::parse(url).map_or(true, |target| target.scheme == Scheme::Ws) {
        return (Ok(Security::None), Held::new());
    }
    match client_settings(options) {
        Ok(ClientSettings::Ours(tls)) => (Ok(Security::Tls(tls)), Held::new()),
        Ok(ClientSettings::Engines(options)) => {
            let (stream, held) = EngineStream::for_client(options);
            (Ok(Security::Engine(stream)), held)
        }
        Err(problem) => (Err(Refused::Tls { call, problem }), Held::new()),
    }
}

/// What a client is secured with that was redirected. The error is one phrase.
pub(crate) fn for_redirected(options: Option<&Gd<TlsOptions>>) -> Result<ClientTls, String> {
    match client_settings(options)? {
        ClientSettings::Ours(tls) => Ok(tls),
        ClientSettings::Engines(_) => Err(ChainProblem::Unreadable.of("trusted certificate")),
    }
}

/// What a server needs; `None` for a plain one.
pub(crate) fn for_server(
    call: &'static str,
    options: Option<&Gd<TlsOptions>>,
) -> Result<Option<ServerTls>, Refused> {
    let Some(options) = options else { return Ok(None) };
    if !options.is_server() {
        let problem = "these are TLS options for a client; use TLSOptions.server()".to_owned();
        return Err(Refused::Tls { call, problem });
    }
    server_settings(options).map(Some).map_err(|problem| Refused::Tls { call, problem })
}

/// Settings made before, the latest last.
struct Memory<K, T>(Mutex<Vec<(K, T)>>);

impl<K, T: Clone> Memory<K, T> {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn find(&self, is_it: impl Fn(&K) -> bool) -> Option<T> {
        let mut entries = lock(&self.0);
        let index = entries.iter().position(|(key, _)| is_it(key))?;
        let entry = entries.remove(index);
        let settings = entry.1.clone();
        entries.push(entry);
        Some(settings)
    }

    fn keep(&self, key: K, settings: &T) {
        let mut entries = lock(&self.0);
        if entries.len() >= REMEMBERED {
            entries.remove(0);
        }
        entries.push((key, settings.clone()));
    }
}

/// What a client's options say.
#[derive(Clone, PartialEq, Eq)]
struct ClientWishes {
    /// `None`: the default certificates.
    trusted: Option<String>,
    is_unsafe: bool,
    name: String,
}

/// Who reads a client's options.
enum ClientSettings<'a> {
    Ours(ClientTls),
    /// Only the engine can: they trust certificates that it does not tell.
    Engines(&'a Gd<TlsOptions>),
}

fn client_settings(options: Option<&Gd<TlsOptions>>) -> Result<ClientSettings<'_>, String> {
    static BY_OBJECT: Memory<InstanceId, ClientTls> = Memory::new();
    static BY_WISHES: Memory<ClientWishes, ClientTls> = Memory::new();
    let id = options.map(Gd::instance_id);
    if let Some(settings) = id.and_then(|id| BY_OBJECT.find(|known| *known == id)) {
        return Ok(ClientSettings::Ours(settings));
    }
    let wishes = match options {
        Some(options) => match read_client_options(options) {
            Ok(wishes) => wishes,
            Err(ChainProblem::Unreadable) => return Ok(ClientSettings::Engines(options)),
            Err(problem) => return Err(problem.of("trusted certificate")),
        },
        None => ClientWishes { trusted: None, is_unsafe: false, name: String::new() },
    };
    let settings = match BY_WISHES.find(|known| *known == wishes) {
        Some(settings) => settings,
        None => {
            let settings = make_client_settings(&wishes)?;
            BY_WISHES.keep(wishes, &settings);
            settings
        }
    };
    if let Some(id) = id {
        BY_OBJECT.keep(id, &settings);
    }
    Ok(ClientSettings::Ours(settings))
}

fn read_client_options(options: &Gd<TlsOptions>) -> Result<ClientWishes, ChainProblem> {
    let name = text::read_plain(&options.get_common_name_override()).map_err(ChainProblem::Name)?;
    Ok(ClientWishes {
        trusted: options.get_trusted_ca_chain().map(|chain| read_chain(&chain)).transpose()?,
        is_unsafe: options.is_unsafe_client(),
        name,
    })
}

fn make_client_settings(wishes: &ClientWishes) -> Result<ClientTls, String> {
    let trust = match &wishes.trusted {
        Some(pem) => ServerTrust::Certificates(pem.as_bytes().to_vec()),
        None if wishes.is_unsafe => ServerTrust::Anything,
        None => ServerTrust::Default(default_roots()?),
    };
    let name = if wishes.is_unsafe {
        ExpectedName::Any
    } else if wishes.name.is_empty() {
        ExpectedName::Host
    } else {
        ExpectedName::Other(wishes.name.clone())
    };
    ClientTls::new(trust, name).map_err(|error| ChainProblem::Tls(error).of("trusted certificate"))
}

/// What the engine trusts by itself: read once for the process, as the engine does.
fn default_roots() -> Result<DefaultRoots, String> {
    static ROOTS: OnceLock<DefaultRoots> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(roots.clone());
    }
    let setting = "network/tls/certificate_bundle_override";
    let path = ProjectSettings::singleton().get_setting_with_override(setting).try_to::<GString>();
    let pem = match path.ok().map(|path| text::read_lossy(&path)).filter(|path| !path.is_empty()) {
        Some(path) => {
            let pem = read_file(&path).filter(|pem| pem.contains(BEGIN_CERTIFICATE));
            Some(pem.ok_or_else(|| {
                format!("the file {} of the project setting {setting} holds no certificate", Quoted(&path))
            })?)
        }
        None => Some(text::read_lossy(&Os::singleton().get_system_ca_certificates())),
    };
    Ok(ROOTS.get_or_init(|| DefaultRoots::load(pem.filter(|pem| pem.contains(BEGIN_CERTIFICATE)))).clone())
}

/// Read anew each time: what the engine's objects hold now is what counts.
fn server_settings(options: &Gd<TlsOptions>) -> Result<ServerTls, String> {
    // A certificate has one key.
    static BY_CHAIN: Memory<CertificateChain, ServerTls> = Memory::new();
    let key = options.get_private_key().ok_or("the TLS options have no private key")?;
    let certificate = options.get_own_certificate().ok_or("the TLS options have no certificate")?;
    let key = read_key(&key)?;
    let chain =
        read_server_chain(options, &certificate).map_err(|problem| problem.of("server certificate"))?;
    let settings = ServerTls::new(key.as_bytes(), chain.clone())
        .map_err(|error| format!("the TLS options cannot be used: {error}"))?;
    if let Some(known) = BY_CHAIN.find(|known| *known == chain) {
        return Ok(known);
    }
    BY_CHAIN.keep(chain, &settings);
    Ok(settings)
}

fn read_server_chain(
    options: &Gd<TlsOptions>,
    certificate: &Gd<X509Certificate>,
) -> Result<CertificateChain, ChainProblem> {
    match read_chain(certificate) {
        Ok(pem) => CertificateChain::from_pem(pem.as_bytes()).map_err(ChainProblem::Tls),
        // The engine complains that the handshake is not gone through with.
        Err(ChainProblem::Unreadable) => {
            quietly(|| chain_capture::capture(options)).ok_or(ChainProblem::Unreadable)
        }
        Err(problem) => Err(problem),
    }
}

fn read_key(key: &Gd<CryptoKey>) -> Result<String, String> {
    if key.is_public_only() {
        return Err("the key of the TLS options is a public key; a server needs the private one".to_owned());
    }
    let mut key = key.clone();
    let pem = quietly(|| text::read_lossy(&key.save_to_string()));
    if pem.contains("PRIVATE KEY-----") {
        Ok(pem)
    } else {
        Err("the private key of the TLS options is empty; was it loaded?".to_owned())
    }
}

/// Why a certificate of the engine is of no use.
enum ChainProblem {
    Tls(TlsError),
    /// The common name beside it is no text.
    Name(NotText),
    /// The engine does not tell its members, and there is no file to look into.
    Unreadable,
}

impl ChainProblem {
    fn of(self, what: &str) -> String {
        match self {
            Self::Tls(TlsError::NoCertificate) => {
                format!("the {what} of the TLS options is empty; was it loaded?")
            }
            Self::Name(problem) => format!("the common name of the TLS options holds {problem}"),
            Self::Tls(error) => format!("the {what} of the TLS options cannot be used: {error}"),
            Self::Unreadable => format!(
                "the {what} of the TLS options holds several certificates, which the engine shows only for files \
                 loaded as a resource: use load(\"res://...\") instead of X509Certificate.load()"
            ),
        }
    }
}

/// The PEM text of a certificate or chain. `save_to_string` repeats the first member of a chain in place of the others, so
/// that of a chain it only shows that it is one.
fn read_chain(chain: &Gd<X509Certificate>) -> Result<String, ChainProblem> {
    let mut certificate = chain.clone();
    let pem = quietly(|| text::read_lossy(&certificate.save_to_string()));
    match pem.matches(BEGIN_CERTIFICATE).count() {
        0 => Err(ChainProblem::Tls(TlsError::NoCertificate)),
        1 => Ok(pem),
        _ => {
            let path = text::read_lossy(&chain.get_path());
            read_file(&path).ok_or(ChainProblem::Unreadable)
        }
    }
}

fn read_file(path: &str) -> Option<String> {
    if !FileAccess::file_exists(path) {
        return None;
    }
    Some(String::from_utf8_lossy(FileAccess::get_file_as_bytes(path).as_slice()).into_owned())
}
