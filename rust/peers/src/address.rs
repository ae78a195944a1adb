//! Addresses in words.

use std::net::IpAddr;

use rust_websocket_proto::admission::Address;

/// An address as the engine writes it: IPv4-mapped ones as IPv4, IPv6 uncompressed. A Unix socket is `unix`, what is not known is empty.
pub fn address_text(address: impl Into<Address>) -> String {
    match address.into() {
        Address::Ip(IpAddr::V6(address)) => {
            address.segments().map(|segment| format!("{segment:x}")).join(":")
        }
        address => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_engine_does() {
        let text = |address: &str| address_text(address.parse::<IpAddr>().unwrap());
        assert_eq!(text("127.0.0.1"), "127.0.0.1");
        assert_eq!(text("::ffff:127.0.0.1"), "127.0.0.1");
        assert_eq!(text("::1"), "0:0:0:0:0:0:0:1");
        assert_eq!(text("fe80::aB:1"), "fe80:0:0:0:0:0:ab:1");
        assert_eq!(address_text(Address::Unix), "unix");
        assert_eq!(address_text(Address::Unknown), "");
    }
}
