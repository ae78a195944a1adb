//! Where a server listens.

use rust_websocket_net::{CertificateChange, ListenError, ListenOptions, LocalAddress, Reporting, ServerTls};

use rust_websocket_proto::ServerName;

use crate::{Refused, Settings};

/// What a script has passed, checked.
pub(crate) struct Place {
    call: &'static str,
    shown: String,
    address: Option<LocalAddress>,
    port: u16,
}

impl Place {
    /// Reads the arguments of `call`; the address `*` is every one.
    pub(crate) fn new(call: &'static str, port: i64, address: &str) -> Result<Self, Refused> {
        let short = u16::try_from(port).map_err(|_| Refused::Port { call, port })?;
        let parsed = match address {
            "*" => None,
            text => Some(text.parse().map_err(|problem| Refused::BindAddress { call, problem })?),
        };
        Ok(Self { call, shown: address.to_owned(), address: parsed, port: short })
    }

    /// Listens there through `listen`.
    pub(crate) fn listen<L>(
        self,
        settings: &Settings,
        tls: Option<ServerTls>,
        asks: bool,
        reporting: Reporting,
        listen: impl FnOnce(ListenOptions) -> Result<L, ListenError>,
    ) -> Result<L, Refused> {
        settings.check_handshake()?;
        let Self { call, shown, address, port } = self;
        let link = settings.link_options();
        let admission = settings.admission(asks);
        listen(ListenOptions { address, port, link, tls, admission, reporting })
            .map_err(|problem| Refused::Listen { call, address: shown, port, problem })
    }
}

/// What `set_tls_options` asks for.
///
/// # Errors
/// [`Refused::ServerName`], and [`Refused::Tls`] for no options without a name.
pub(crate) fn certificate_change(
    call: &'static str,
    name: &str,
    tls: Option<ServerTls>,
) -> Result<CertificateChange, Refused> {
    Ok(match (name, tls) {
        ("", Some(tls)) => CertificateChange::ForEverybodyElse(tls),
        ("", None) => {
            let problem =
                "null takes the certificate of a name away; the one for everybody else can only be \
                               exchanged"
                    .to_owned();
            return Err(Refused::Tls { call, problem });
        }
        (name, tls) => {
            let name = ServerName::parse(name).map_err(|problem| Refused::ServerName { call, problem })?;
            CertificateChange::ForName(name, tls)
        }
    })
}
