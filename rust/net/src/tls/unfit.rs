//! What may be wrong with a certificate and has no sentence of its own.

use thiserror::Error;

/// webpki's word for it.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Unfit(pub(super) webpki::Error);
