//! Addresses in words.

use std::net::IpAddr;

/// An address as the engine writes it: IPv4-mapped ones as IPv4, IPv6 uncompressed.
pub fn address_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:x}")).join(":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_engine_does() {
        let text = |address: &str| address_text(address.parse().unwrap());
        assert_eq!(text("127.0.0.1"), "127.0.0.1");
        assert_eq!(text("::ffff:127.0.0.1"), "127.0.0.1");
        assert_eq!(text("::1"), "0:0:0:0:0:0:0:1");
        assert_eq!(text("fe80::aB:1"), "fe80:0:0:0:0:0:ab:1");
    }
}
