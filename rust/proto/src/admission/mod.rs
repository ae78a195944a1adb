//! Whom a server lets in, and who they really are: decided before any script runs.
//!
//! Everything here is data and rules: lists that scripts set ([`AllowedOrigins`], [`Networks`]), what a proxy says about
//! the client ([`ProxyHeader`], [`Remote::with_forwarded`]), and the places that clients take ([`Places`]).

mod endpoint;
mod forwarded;
mod networks;
mod origins;
mod places;
mod proxy_header;
mod remote;

pub use endpoint::Endpoint;
pub use networks::{Address, AddressKey, NetworkError, Networks};
pub use origins::{AllowedOrigins, OriginError};
pub use places::{Limits, Places, Refusal};
pub use proxy_header::{ProxyHeader, ProxyHeaderError};
pub use remote::Remote;
