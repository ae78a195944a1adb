//! The cryptography of this process.

use std::sync::{Arc, Once, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

use crate::helper;

/// Lets a thread ask the cryptography for its first random number, for which it gathers entropy for tens of
/// milliseconds, once per process.
pub(super) fn warm_up() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // If there is no thread to be had, the first handshake takes that much longer.
        _ = helper::spawn("websocket-entropy", || {
            // A failure shows again, where it matters.
            _ = provider().secure_random.fill(&mut [0; 32]);
        });
    });
}

/// The cryptography, one for the process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}
