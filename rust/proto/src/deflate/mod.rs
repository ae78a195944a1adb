//! permessage-deflate (RFC 7692): what is agreed on in the handshake, and the codec of messages.

mod codec;
mod offer;

pub use codec::Compressor;
pub(crate) use codec::{Deflater, InflateError, Inflater, MOST_INFLATED_AT_ONCE};
pub(crate) use offer::{Agreed, check_answer, offer, select};
