#![no_main]
//! Who may come in, and who they are: PROXY headers cut anywhere, networks, origins, and the names of a TLS server.

use libfuzzer_sys::fuzz_target;
use rust_websocket_proto::{
    ServerName, ServerNames,
    admission::{AllowedOrigins, Networks, ProxyHeader},
};

fuzz_target!(|data: &[u8]| {
    let whole = ProxyHeader::parse(data);
    for cut in 0..data.len().min(540) {
        match (ProxyHeader::parse(&data[..cut]), &whole) {
            // More has to come, which it does.
            (Ok(None), _) => {}
            (Ok(Some((header, length))), Ok(Some((all, all_length)))) => {
                assert_eq!(
                    (format!("{header:?}"), length),
                    (format!("{all:?}"), *all_length),
                    "cut at {cut}"
                );
            }
            (Err(_), Err(_)) => {}
            (early, late) => panic!("cut at {cut}: {early:?}, whole: {late:?}"),
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let entries: Vec<&str> = text.split('\n').collect();
    _ = Networks::parse(&entries);
    let mut names = ServerNames::default();
    for entry in &entries {
        if let Ok(name) = ServerName::parse(entry) {
            names.set(name, Some(*entry));
        }
    }
    for entry in &entries {
        _ = names.find(entry);
    }
    if let Ok(origins) = AllowedOrigins::parse(&entries) {
        for entry in &entries {
            _ = origins.allows(Some(entry));
        }
    }
});
