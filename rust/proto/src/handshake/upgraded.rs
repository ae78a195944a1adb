//! What both roles of the upgrade share.

use crate::{Config, Opened, deflate::Agreed, fields};

/// An upgrade that succeeded.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub(crate) opened: Opened,
    pub(crate) deflate: Option<Agreed>,
}

/// The lines of `config.handshake_headers` that can be sent and `is_wanted` takes, each with its line end.
pub(super) fn push_extra_lines(head: &mut String, config: &Config, is_wanted: impl Fn(&str) -> bool) {
    let wanted = config.handshake_headers.iter().filter(|line| is_wanted(line));
    push_lines(head, wanted);
}

/// Those lines that can be sent.
pub(super) fn push_lines<'a>(head: &mut String, lines: impl IntoIterator<Item = &'a String>) {
    for line in lines {
        if fields::check_line(line).is_ok() {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
}

/// Whether these are the first bytes of TLS: a record of its handshake, or an alert (RFC 8446 section 5.1).
pub(super) fn speaks_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, ..])
}
