//! The engine's `TLSOptions` as plain data, read on the calling thread and remembered.

use std::{
    cell::OnceCell,
    env,
    path::Path,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use godot::builtin::{GString, StringName};
use godot::classes::{ClassDb, CryptoKey, FileAccess, Os, ProjectSettings, TlsOptions, X509Certificate};
use godot::global::Error;
use godot::meta::ToGodot;
use godot::obj::{Gd, InstanceId, NewGd, Singleton};
use rust_websocket_net::{
    CertificateChain, ClientAuth, ClientTls, DefaultRoots, ExpectedName, Identity, ServerRules, ServerTls,
    ServerTrust, TlsError, TlsVersion, lock, log_tls_keys,
};
use rust_websocket_peers::{NotText, Refused};
use rust_websocket_proto::{Quoted, Scheme, Target};

use crate::{
    chain_capture,
    driver::Security,
    engine_stream::{EngineStream, Held},
    report::{self, quietly},
    text,
};

/// Options objects remembered for each side. A script may make a new one for each connection; equal ones share their
/// settings, and with them the sessions that can be resumed.
const REMEMBERED: usize = 16;

const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// What a script has set beside a client's options.
pub(crate) struct ClientSide {
    pub(crate) certificate: Option<Gd<X509Certificate>>,
    pub(crate) key: Option<Gd<CryptoKey>>,
    /// A value of the enum `TLSVersion`.
    pub(crate) minimum: i64,
    /// What the two came to: reading a chain may take half a handshake of the engine's.
    pub(crate) identity: OnceCell<Result<Option<(Identity, CertificateChain)>, String>>,
}

/// What a script has set beside a server's options.
#[derive(Default)]
pub(crate) struct ServerSide {
    /// A value of the enum `TLSClientAuth`.
    pub(crate) auth: i64,
    pub(crate) ca: Option<Gd<X509Certificate>>,
    /// A value of the enum `TLSVersion`.
    pub(crate) minimum: i64,
}

/// What a client's connection is secured with, and what the connection's owner has to keep for that.
pub(crate) fn for_client(
    call: &'static str,
    url: &str,
    options: Option<&Gd<TlsOptions>>,
    own: &ClientSide,
) -> (Result<Security, Refused>, Held) {
    if options.is_some_and(|options| options.is_server()) {
        let problem = "these are TLS options for a server; use TLSOptions.client()".to_owned();
        return (Err(Refused::Tls { call, problem }), Held::new());
    }
    let shown = match own.identity() {
        Ok(shown) => shown,
        Err(problem) => return (Err(Refused::Tls { call, problem }), Held::new()),
    };
    // A URL that cannot be read is refused by whoever uses it.
    if Target::parse(url).map_or(true, |target| target.scheme == Scheme::Ws) {
        return (Ok(Security::None), Held::new());
    }
    match client_settings(options, shown, version_of(own.minimum)) {
        Ok(ClientSettings::Ours(tls)) => (Ok(Security::Tls(tls)), Held::new()),
        Ok(ClientSettings::Engines(options)) => {
            let (stream, held) = EngineStream::for_client(options);
            (Ok(Security::Engine(stream)), held)
        }
        Err(problem) => (Err(Refused::Tls { call, problem }), Held::new()),
    }
}

/// What a client is secured with that was redirected; `own`: with the certificate, which is for the host that the script has
/// named. The error is one phrase.
pub(crate) fn for_redirected(
    options: Option<&Gd<TlsOptions>>,
    own: Option<&ClientSide>,
    minimum: i64,
) -> Result<ClientTls, String> {
    let shown = own.map(ClientSide::identity).transpose()?.flatten();
    match client_settings(options, shown, version_of(minimum))? {
        ClientSettings::Ours(tls) => Ok(tls),
        ClientSettings::Engines(_) => {
            Err(ChainProblem::Unreadable.of("the trusted certificate of the TLS options"))
        }
    }
}

/// What a server needs; `None` for a plain one.
pub(crate) fn for_server(
    call: &'static str,
    options: Option<&Gd<TlsOptions>>,
    asked: &ServerSide,
) -> Result<Option<ServerTls>, Refused> {
    let refuse = |problem| Refused::Tls { call, problem };
    if options.is_some_and(|options| !options.is_server()) {
        return Err(refuse("these are TLS options for a client; use TLSOptions.server()".to_owned()));
    }
    let auth = asked.client_auth().map_err(refuse)?;
    match options {
        None if auth.is_some() => Err(refuse(
            "tls_client_auth asks clients for certificates, which they show in TLS; pass TLSOptions.server(), or set it \
             to TLS_CLIENT_AUTH_NONE"
                .to_owned(),
        )),
        None => Ok(None),
        Some(options) => {
            log_keys_if_asked();
            server_settings(options, auth, version_of(asked.minimum)).map(Some).map_err(refuse)
        }
    }
}

fn version_of(number: i64) -> TlsVersion {
    if number == 0 { TlsVersion::V1_2 } else { TlsVersion::V1_3 }
}

/// Lets other programs look into connections, if the environment says so and the engine is one for that. Printed once.
fn log_keys_if_asked() {
    const VARIABLE: &str = "SSLKEYLOGFILE";
    static IS_ASKED: AtomicBool = AtomicBool::new(false);
    if IS_ASKED.swap(true, Ordering::AcqRel) {
        return;
    }
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return };
    // Not by its feature "debug", which a preset of an export may have too.
    if !Os::singleton().call("is_debug_build", &[]).try_to::<bool>().unwrap_or(false) {
        return;
    }
    let shown = path.to_string_lossy();
    report::notice(match log_tls_keys(Path::new(&path)) {
        Ok(()) => format!(
            "{VARIABLE} is set: the keys of TLS connections go into the file {}, and whoever has that can read what they \
             send (only in debug builds of the engine).",
            Quoted(&shown)
        ),
        Err(error) => format!("{VARIABLE}: the file {} cannot be written: {error}.", Quoted(&shown)),
    });
}

impl ClientSide {
    pub(crate) fn shows_nothing(&self) -> bool {
        self.certificate.is_none()
    }

    /// What is shown to servers that ask, and its chain.
    fn identity(&self) -> Result<Option<(Identity, CertificateChain)>, String> {
        self.identity.get_or_init(|| self.read_identity()).clone()
    }

    fn read_identity(&self) -> Result<Option<(Identity, CertificateChain)>, String> {
        let (certificate, key) =
            match (&self.certificate, &self.key) {
                (None, None) => return Ok(None),
                (Some(_), None) => {
                    return Err("tls_client_certificate is set and tls_client_key is not; set both, or none"
                        .to_owned());
                }
                (None, Some(_)) => {
                    return Err("tls_client_key is set and tls_client_certificate is not; set both, or none"
                        .to_owned());
                }
                (Some(certificate), Some(key)) => (certificate, key),
            };
        let pem = read_key(key, "tls_client_key")?;
        let options = || server_options(key, certificate);
        let chain =
            read_own_chain(certificate, options).map_err(|problem| problem.of("tls_client_certificate"))?;
        let identity = Identity::new(pem.as_bytes(), chain.clone())
            .map_err(|error| format!("tls_client_certificate and tls_client_key cannot be used: {error}"))?;
        Ok(Some((identity, chain)))
    }
}

impl ServerSide {
    fn client_auth(&self) -> Result<Option<AuthWishes>, String> {
        if self.auth == 0 {
            return Ok(None);
        }
        let ca = self.ca.as_ref().ok_or(
            "tls_client_auth asks clients for certificates, and there is no tls_client_ca to say whom these have to be \
             signed by; set it before",
        )?;
        let trusted = read_chain(ca).map_err(|problem| problem.of("tls_client_ca"))?;
        let is_required = self.auth != 1;
        let auth = ClientAuth::new(trusted.as_bytes(), is_required)
            .map_err(|error| ChainProblem::Tls(error).of("tls_client_ca"))?;
        Ok(Some(AuthWishes { auth, trusted, is_required }))
    }
}

/// What is asked of clients, and what that was made from.
struct AuthWishes {
    auth: ClientAuth,
    trusted: String,
    is_required: bool,
}

/// The options of a server that shows this, where the engine can be asked for them without its own function for that, which the
/// library's API file does not have.
fn server_options(key: &Gd<CryptoKey>, certificate: &Gd<X509Certificate>) -> Option<Gd<TlsOptions>> {
    const CALL: &str = "class_call_static"; // since 4.4
    let mut classes = ClassDb::singleton();
    if !classes.has_method(CALL) {
        return None;
    }
    let name = |name: &str| StringName::from(name).to_variant();
    let arguments = [name("TLSOptions"), name("server"), key.to_variant(), certificate.to_variant()];
    classes.call(CALL, &arguments).try_to().ok()
}

/// A client's certificate for scripts; `None` if the engine cannot read it.
pub(crate) fn certificate_of(der: &[u8]) -> Option<Gd<X509Certificate>> {
    let mut certificate = X509Certificate::new_gd();
    let pem = GString::from(&CertificateChain::pem_of(der));
    let answer = quietly(|| certificate.call("load_from_string", &[pem.to_variant()]));
    answer.try_to::<Error>().is_ok_and(|error| error == Error::OK).then_some(certificate)
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

/// What a client's options say, and its properties.
#[derive(Clone, PartialEq, Eq)]
struct ClientWishes {
    /// `None`: the default certificates.
    trusted: Option<String>,
    is_unsafe: bool,
    name: String,
    beside: Beside,
}

/// What a client's properties say. A certificate has one key.
#[derive(Clone, Default, PartialEq, Eq)]
struct Beside {
    shown: Option<CertificateChain>,
    minimum: TlsVersion,
}

/// Who reads a client's options.
enum ClientSettings<'a> {
    Ours(ClientTls),
    /// Only the engine can: they trust certificates that it does not tell.
    Engines(&'a Gd<TlsOptions>),
}

fn client_settings(
    options: Option<&Gd<TlsOptions>>,
    shown: Option<(Identity, CertificateChain)>,
    minimum: TlsVersion,
) -> Result<ClientSettings<'_>, String> {
    static BY_OBJECT: Memory<(InstanceId, Beside), ClientTls> = Memory::new();
    static BY_WISHES: Memory<ClientWishes, ClientTls> = Memory::new();
    log_keys_if_asked(); // before any settings are remembered
    let (identity, shown) = shown.unzip();
    let beside = Beside { shown, minimum };
    let id = options.map(Gd::instance_id);
    let known = id.and_then(|id| BY_OBJECT.find(|(known, with)| *known == id && *with == beside));
    if let Some(settings) = known {
        return Ok(ClientSettings::Ours(settings));
    }
    let wishes = match options {
        Some(options) => match read_client_options(options, beside.clone()) {
            Ok(wishes) => wishes,
            Err(ChainProblem::Unreadable) if beside == Beside::default() => {
                return Ok(ClientSettings::Engines(options));
            }
            Err(ChainProblem::Unreadable) => return Err(ENGINES_TLS_IS_BARE.to_owned()),
            Err(problem) => return Err(problem.of("the trusted certificate of the TLS options")),
        },
        None => ClientWishes { trusted: None, is_unsafe: false, name: String::new(), beside: beside.clone() },
    };
    let settings = match BY_WISHES.find(|known| *known == wishes) {
        Some(settings) => settings,
        None => {
            let settings = make_client_settings(&wishes, identity)?;
            BY_WISHES.keep(wishes, &settings);
            settings
        }
    };
    if let Some(id) = id {
        BY_OBJECT.keep((id, beside), &settings);
    }
    Ok(ClientSettings::Ours(settings))
}

const ENGINES_TLS_IS_BARE: &str = "a client that trusts several certificates which were loaded while the game runs goes over \
     the engine's own TLS, which has neither tls_client_certificate nor tls_minimum_version: trust one, or load them with \
     load(\"res://...\")";

fn read_client_options(options: &Gd<TlsOptions>, beside: Beside) -> Result<ClientWishes, ChainProblem> {
    let name = text::read_plain(&options.get_common_name_override()).map_err(ChainProblem::Name)?;
    Ok(ClientWishes {
        trusted: options.get_trusted_ca_chain().map(|chain| read_chain(&chain)).transpose()?,
        is_unsafe: options.is_unsafe_client(),
        name,
        beside,
    })
}

fn make_client_settings(wishes: &ClientWishes, shown: Option<Identity>) -> Result<ClientTls, String> {
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
    ClientTls::showing(shown, trust, name, wishes.beside.minimum)
        .map_err(|error| ChainProblem::Tls(error).of("the trusted certificate of the TLS options"))
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

/// What a server's settings were made from, but for its key: a certificate has one. Whoever is asked for another certificate gets
/// other settings: their tickets vouch for the one that was shown.
#[derive(PartialEq, Eq)]
struct ServerWishes {
    chain: CertificateChain,
    /// Whose certificates are asked for, and whether one has to be shown.
    clients: Option<(String, bool)>,
    minimum: TlsVersion,
}

/// Read anew each time: what the engine's objects hold now is what counts.
fn server_settings(
    options: &Gd<TlsOptions>,
    auth: Option<AuthWishes>,
    minimum: TlsVersion,
) -> Result<ServerTls, String> {
    static BY_WISHES: Memory<ServerWishes, ServerTls> = Memory::new();
    let key = options.get_private_key().ok_or("the TLS options have no private key")?;
    let certificate = options.get_own_certificate().ok_or("the TLS options have no certificate")?;
    let key = read_key(&key, "the private key of the TLS options")?;
    let chain = read_own_chain(&certificate, || Some(options.clone()))
        .map_err(|problem| problem.of("the server certificate of the TLS options"))?;
    let unusable = |error| format!("the TLS options cannot be used: {error}");
    let identity = Identity::new(key.as_bytes(), chain.clone()).map_err(unusable)?;
    let (client_auth, clients) =
        auth.map(|wishes| (wishes.auth, (wishes.trusted, wishes.is_required))).unzip();
    let wishes = ServerWishes { chain, clients, minimum };
    if let Some(known) = BY_WISHES.find(|known| *known == wishes) {
        return Ok(known);
    }
    let settings = ServerTls::asking(identity, ServerRules { minimum, client_auth }).map_err(unusable)?;
    BY_WISHES.keep(wishes, &settings);
    Ok(settings)
}

/// The chain of a certificate of ours; `options`: of a server that shows it.
fn read_own_chain(
    certificate: &Gd<X509Certificate>,
    options: impl FnOnce() -> Option<Gd<TlsOptions>>,
) -> Result<CertificateChain, ChainProblem> {
    match read_chain(certificate) {
        Ok(pem) => CertificateChain::from_pem(pem.as_bytes()).map_err(ChainProblem::Tls),
        // The engine complains that the handshake is not gone through with.
        Err(ChainProblem::Unreadable) => {
            let options = options().ok_or(ChainProblem::Unreadable)?;
            quietly(|| chain_capture::capture(&options)).ok_or(ChainProblem::Unreadable)
        }
        Err(problem) => Err(problem),
    }
}

/// `what`: as scripts know it.
fn read_key(key: &Gd<CryptoKey>, what: &str) -> Result<String, String> {
    let mut key = key.clone();
    // What holds no key at all counts as a public one.
    if key.is_public_only() {
        let public = quietly(|| text::read_lossy(&key.save_to_string_ex().public_only(true).done()));
        let problem = if public.contains("PUBLIC KEY-----") {
            "is a public key; the private one is needed"
        } else {
            "is empty; was it loaded?"
        };
        return Err(format!("{what} {problem}"));
    }
    let pem = quietly(|| text::read_lossy(&key.save_to_string()));
    if pem.contains("PRIVATE KEY-----") { Ok(pem) } else { Err(format!("{what} is empty; was it loaded?")) }
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
                format!("{what} is empty; was it loaded?")
            }
            Self::Name(problem) => format!("the common name of the TLS options holds {problem}"),
            Self::Tls(error) => format!("{what} cannot be used: {error}"),
            Self::Unreadable => format!(
                "{what} holds several certificates, which the engine shows only for files \
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
        // What was never loaded is written as nothing between two lines.
        1 if pem.split("-----").nth(2).is_none_or(|body| body.trim().is_empty()) => {
            Err(ChainProblem::Tls(TlsError::NoCertificate))
        }
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
