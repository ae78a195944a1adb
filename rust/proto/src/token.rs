//! Tokens (RFC 9110 section 5.6.2): what names of headers and subprotocols consist of. The handshake and the checks of what scripts
//! set for it both ask here.

/// Whether it is a token.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Whether a token may contain it.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
