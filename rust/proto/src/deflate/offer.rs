//! Negotiation (RFC 7692 sections 5 and 7.1).

use crate::{
    DeflateConfig, ResponseError,
    handshake::{Extension, Parameter},
};

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The window that is meant where none is named.
const DEFAULT_BITS: u8 = 15;

/// What both sides have agreed on, as one of them sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// We compress with at most this window.
    pub(crate) own_window_bits: u8,
    /// Our messages may refer to earlier ones.
    pub(crate) own_context: bool,
    /// The other side's messages may refer to earlier ones.
    pub(crate) peer_context: bool,
}

/// The four parameters of an offer or an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)`: named without a value, which only an offer may do.
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    /// `None` for what section 7.1 does not know: other names, repeated ones, values that are missing, superfluous or out
    /// of range.
    fn read(parameters: &[Parameter]) -> Option<Self> {
        let mut read = Self::default();
        for Parameter { name, value } in parameters {
            let is_new = match (name.as_str(), value) {
                (SERVER_NO_CONTEXT_TAKEOVER, None) => {
                    !std::mem::replace(&mut read.server_no_context_takeover, true)
                }
                (CLIENT_NO_CONTEXT_TAKEOVER, None) => {
                    !std::mem::replace(&mut read.client_no_context_takeover, true)
                }
                (SERVER_MAX_WINDOW_BITS, Some(value)) => {
                    read.server_max_window_bits.replace(window_bits(value)?).is_none()
                }
                (CLIENT_MAX_WINDOW_BITS, None) => read.client_max_window_bits.replace(None).is_none(),
                (CLIENT_MAX_WINDOW_BITS, Some(value)) => {
                    read.client_max_window_bits.replace(Some(window_bits(value)?)).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(read)
    }

    fn write(self) -> String {
        let mut text = NAME.to_owned();
        let mut push = |name: &str, value: Option<u8>| {
            text.push_str("; ");
            text.push_str(name);
            if let Some(value) = value {
                text.push_str(&format!("={value}"));
            }
        };
        if self.server_no_context_takeover {
            push(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            push(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            push(SERVER_MAX_WINDOW_BITS, Some(bits));
        }
        if let Some(bits) = self.client_max_window_bits {
            push(CLIENT_MAX_WINDOW_BITS, bits);
        }
        text
    }
}

/// 8 to 15 in decimal, without leading zeros (section 7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [b'8' | b'9'] | [b'1', b'0'..=b'5'] => text.parse().ok(),
        _ => None,
    }
}

/// Bits below the default; the default needs no words.
fn restricted(bits: u8) -> Option<u8> {
    Some(bits).filter(|bits| *bits < DEFAULT_BITS)
}

fn offered(config: &DeflateConfig) -> Parameters {
    Parameters {
        server_no_context_takeover: !config.context_takeover,
        client_no_context_takeover: !config.context_takeover,
        server_max_window_bits: restricted(config.server_window_bits()),
        // Named always, so that the server may ask for less.
        client_max_window_bits: Some(restricted(config.client_window_bits())),
    }
}

/// A client's offer, the field's value.
pub(crate) fn offer(config: &DeflateConfig) -> String {
    offered(config).write()
}

/// What a client makes of the answer to its offer; `None`: no compression.
pub(crate) fn check_answer(
    extensions: &[Extension],
    config: Option<&DeflateConfig>,
) -> Result<Option<Agreed>, ResponseError> {
    let (config, answer) = match (config, extensions) {
        (_, []) => return Ok(None),
        (Some(config), [extension]) if extension.name.eq_ignore_ascii_case(NAME) => {
            (config, &extension.parameters)
        }
        _ => return Err(ResponseError::UnaskedExtension),
    };
    let offer = offered(config);
    let answer = Parameters::read(answer).ok_or(ResponseError::ExtensionParameters)?;
    let own_limit = config.client_window_bits();
    // Section 7.1: what was asked of the server is granted or the offer is declined; a window is never widened.
    let context_granted = answer.server_no_context_takeover || !offer.server_no_context_takeover;
    let server_window_granted = match (offer.server_max_window_bits, answer.server_max_window_bits) {
        (Some(asked), Some(granted)) => granted <= asked,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let own_window_bits = match answer.client_max_window_bits {
        None => Some(own_limit),
        Some(asked) => asked.filter(|bits| *bits <= own_limit),
    };
    match own_window_bits {
        Some(own_window_bits) if context_granted && server_window_granted => Ok(Some(Agreed {
            own_window_bits,
            own_context: config.context_takeover && !answer.client_no_context_takeover,
            peer_context: !answer.server_no_context_takeover,
        })),
        _ => Err(ResponseError::ExtensionParameters),
    }
}

/// The first offer that a server can accept, with its answer; the others are declined.
pub(crate) fn select(extensions: &[Extension], config: &DeflateConfig) -> Option<(Agreed, String)> {
    extensions
        .iter()
        .filter(|extension| extension.name.eq_ignore_ascii_case(NAME))
        .find_map(|extension| Parameters::read(&extension.parameters))
        .map(|offer| accept(offer, config))
}

fn accept(offer: Parameters, config: &DeflateConfig) -> (Agreed, String) {
    let own_window_bits =
        offer.server_max_window_bits.unwrap_or(DEFAULT_BITS).min(config.server_window_bits());
    let client_window = offer
        .client_max_window_bits
        .map(|bits| bits.unwrap_or(DEFAULT_BITS).min(config.client_window_bits()));
    let answer = Parameters {
        server_no_context_takeover: offer.server_no_context_takeover || !config.context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover || !config.context_takeover,
        server_max_window_bits: offer
            .server_max_window_bits
            .map(|_| own_window_bits)
            .or(restricted(own_window_bits)),
        // Section 7.1.2.2: only to a client that has named it.
        client_max_window_bits: client_window.and_then(restricted).map(Some),
    };
    let agreed = Agreed {
        own_window_bits,
        own_context: !answer.server_no_context_takeover,
        peer_context: !answer.client_no_context_takeover,
    };
    (agreed, answer.write())
}
