//! Versions of the protocol.

use rustls::{SupportedProtocolVersion, version};

/// The oldest version that one side speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 and 1.3, which is all that there is here.
    #[default]
    V1_2,
    /// 1.3 alone.
    V1_3,
}

impl TlsVersion {
    /// Itself and what is newer.
    pub(super) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        static NEWEST: &[&SupportedProtocolVersion] = &[&version::TLS13];
        match self {
            Self::V1_2 => rustls::ALL_VERSIONS,
            Self::V1_3 => NEWEST,
        }
    }
}
