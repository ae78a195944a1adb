//! Which proxy a connection goes through.

use url::Url;

use super::{
    Proxy, ProxyError, ProxyKind,
    bypass::{is_bypassed, is_local},
};
use crate::{Scheme, Target};

/// The proxies that a script has set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For `ws://`.
    pub http: Option<Proxy>,
    /// For `wss://`.
    pub https: Option<Proxy>,
    /// For both, where there is none of the scheme's own.
    pub socks: Option<Proxy>,
    /// Whether the environment's variables count where none of these applies.
    pub use_environment: bool,
}

/// What is wrong with a variable of the environment. Its value, which may hold a password, is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} names no proxy that can be used ({reason}): no proxy is used")]
pub struct EnvironmentError {
    variable: String,
    reason: String,
}

impl ProxySettings {
    /// The proxy for a connection to `target`. `variable` looks up a variable of the environment, and is not asked unless
    /// [`use_environment`](Self::use_environment) is on. Servers on this machine and those that `no_proxy` names are not
    /// reached through the environment's proxies, but are through a script's.
    ///
    /// # Errors
    /// The environment names a proxy that cannot be used: report it, and connect without one.
    pub fn choose(
        &self,
        target: &Target,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, EnvironmentError> {
        let own = match target.scheme {
            Scheme::Ws => &self.http,
            Scheme::Wss => &self.https,
        };
        match own.as_ref().or(self.socks.as_ref()) {
            Some(proxy) => Ok(Some(proxy.clone())),
            None if self.use_environment => from_environment(target, variable),
            None => Ok(None),
        }
    }
}

fn from_environment(
    target: &Target,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, EnvironmentError> {
    let names: &[&str] = match target.scheme {
        Scheme::Ws => &["ws_proxy", "all_proxy", "https_proxy", "http_proxy"],
        Scheme::Wss => &["wss_proxy", "all_proxy", "https_proxy"],
    };
    let Some((name, value)) = names.iter().find_map(|name| look_up(name, &variable)) else { return Ok(None) };
    let is_exempt = || look_up("no_proxy", &variable).is_some_and(|(_, list)| is_bypassed(target, &list));
    if is_local(&target.host) || is_exempt() {
        return Ok(None);
    }
    match parse(&value) {
        Ok(proxy) => Ok(Some(proxy)),
        Err(reason) => Err(EnvironmentError { variable: name, reason }),
    }
}

/// In lower case, then in upper case; one that is set in lower case counts, and if it is empty there is none.
fn look_up(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let upper = name.to_ascii_uppercase();
    let found = variable(name).map(|value| (name.to_owned(), value));
    let found = found.or_else(|| variable(&upper).map(|value| (upper, value)));
    found.filter(|(_, value)| !value.trim().is_empty())
}

/// A URL; without a scheme one for an HTTP proxy. What is wrong is said without the value.
fn parse(value: &str) -> Result<Proxy, String> {
    let value = value.trim();
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&url).map_err(|error| error.to_string())?;
    let (kind, default_port) = match url.scheme() {
        "http" => (ProxyKind::Http, 80),
        "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
        scheme => return Err(format!("{scheme}:// is none of http://, socks5:// and socks5h://")),
    };
    let host = url.host_str().unwrap_or_default();
    let port = i64::from(url.port().unwrap_or(default_port));
    let decoded = |text: &str| percent_decoded(text).ok_or("its user or password is not UTF-8");
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    match Proxy::new(kind, host, port, &user, &password) {
        Ok(Some(proxy)) => Ok(proxy),
        Ok(None) => Err("it names no host".to_owned()),
        // What the sentence shows is the value's.
        Err(ProxyError::Host(_)) => Err("its host is not valid".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |index: usize| char::from(*behind.get(index)?).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(kind: ProxyKind, host: &str) -> Option<Proxy> {
        Proxy::new(kind, host, 1, "", "").unwrap()
    }

    fn choose(settings: &ProxySettings, url: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let chosen = settings.choose(&Target::parse(url).unwrap(), variable);
        chosen
            .map(|proxy| proxy.map_or(String::new(), |proxy| format!("{proxy:?}")))
            .map_err(|error| error.to_string())
    }

    fn from_environment(url: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        choose(&ProxySettings { use_environment: true, ..ProxySettings::default() }, url, environment)
    }

    #[test]
    fn what_scripts_set() {
        let all = ProxySettings {
            http: proxy(ProxyKind::Http, "plain"),
            https: proxy(ProxyKind::Http, "tls"),
            socks: proxy(ProxyKind::Socks5, "socks"),
            use_environment: true,
        };
        let environment = [("all_proxy", "http://env:1"), ("no_proxy", "*")];
        assert_eq!(choose(&all, "ws://a", &environment).unwrap(), "Http plain:1");
        assert_eq!(choose(&all, "wss://a", &environment).unwrap(), "Http tls:1");
        assert_eq!(
            choose(&all, "ws://localhost", &[]).unwrap(),
            "Http plain:1",
            "a script's choice is meant"
        );
        let socks = ProxySettings { http: None, https: None, ..all.clone() };
        assert_eq!(choose(&socks, "ws://a", &environment).unwrap(), "Socks5 socks:1");
        assert_eq!(choose(&socks, "wss://a", &environment).unwrap(), "Socks5 socks:1");
        let other = ProxySettings { http: None, socks: None, use_environment: false, ..all };
        assert_eq!(choose(&other, "ws://a", &environment).unwrap(), "");
        assert_eq!(choose(&ProxySettings::default(), "wss://a", &environment).unwrap(), "");
    }

    #[test]
    fn order_of_the_variables() {
        let all = [
            ("wss_proxy", "http://wss:1"),
            ("WSS_PROXY", "http://upper-wss:1"),
            ("ws_proxy", "http://ws:1"),
            ("all_proxy", "http://all:1"),
            ("https_proxy", "http://https:1"),
            ("HTTPS_PROXY", "http://upper-https:1"),
            ("http_proxy", "http://http:1"),
        ];
        let without = |names: &[&str]| {
            all.iter().copied().filter(|(name, _)| !names.contains(name)).collect::<Vec<_>>()
        };
        for (url, missing, host) in [
            ("wss://a", &[][..], "wss"),
            ("wss://a", &["wss_proxy"], "upper-wss"),
            ("wss://a", &["wss_proxy", "WSS_PROXY"], "all"),
            ("wss://a", &["wss_proxy", "WSS_PROXY", "all_proxy"], "https"),
            ("wss://a", &["wss_proxy", "WSS_PROXY", "all_proxy", "https_proxy"], "upper-https"),
            ("ws://a", &[], "ws"),
            ("ws://a", &["ws_proxy"], "all"),
            ("ws://a", &["ws_proxy", "all_proxy"], "https"),
            ("ws://a", &["ws_proxy", "all_proxy", "https_proxy", "HTTPS_PROXY"], "http"),
        ] {
            let chosen = from_environment(url, &without(missing)).unwrap();
            assert_eq!(chosen, format!("Http {host}:1"), "{url} {missing:?}");
        }
        assert_eq!(from_environment("wss://a", &[("http_proxy", "http://http:1")]).unwrap(), "");
        let emptied = [("all_proxy", ""), ("ALL_PROXY", "http://upper:1"), ("https_proxy", " ")];
        assert_eq!(from_environment("wss://a", &emptied).unwrap(), "", "an empty one takes the other away");
    }

    #[test]
    fn values() {
        for (value, shown) in [
            ("http://cache.example:3128", "Http cache.example:3128"),
            ("HTTP://cache.example:3128/", "Http cache.example:3128"),
            ("cache.example:3128", "Http cache.example:3128"),
            ("http://cache.example", "Http cache.example:80"),
            ("http://[::1]:3128", "Http [::1]:3128"),
            ("socks5://proxy.example", "Socks5 proxy.example:1080"),
            ("socks5h://10.0.0.1:9", "Socks5 10.0.0.1:9"),
            ("socks5://[::1]", "Socks5 [::1]:1080"),
            ("http://ada:s%40cret@cache.example:1", "Http cache.example:1 with credentials"),
            ("ada:secret@cache.example:1", "Http cache.example:1 with credentials"),
            (" http://a:1 ", "Http a:1"),
        ] {
            assert_eq!(from_environment("wss://a", &[("all_proxy", value)]).as_deref(), Ok(shown), "{value}");
        }
        let settings = ProxySettings { use_environment: true, ..ProxySettings::default() };
        let target = Target::parse("wss://a").unwrap();
        let value = |name: &str| (name == "all_proxy").then(|| "http://a%64a:s%40%3A%25@b:1".to_owned());
        let proxy = settings.choose(&target, value).unwrap();
        assert_eq!(proxy, Proxy::new(ProxyKind::Http, "b", 1, "ada", "s@:%").unwrap());
    }

    #[test]
    fn values_that_cannot_be_used() {
        for value in [
            "https://ada:secret@cache.example",
            "ftp://ada:secret@cache.example",
            "socks4://ada:secret@cache.example",
            "socks://ada:secret@cache.example",
            "http://ada:secret@",
            "http://ada:secret@a b",
            "http://ada:secret@a:0",
            "http://ada:secret@a:99999",
            "http://:secret@a:1",
            "http://a%3Ada:secret@a:1",
            "http://%ff:secret@a:1",
            "socks5://",
            "http://ada:secret%0d%0a@a:1",
            "ada:secret",
        ] {
            let error = from_environment("wss://x", &[("ALL_PROXY", value)]).unwrap_err();
            assert!(
                error.starts_with("the environment variable ALL_PROXY names no proxy"),
                "{value}: {error}"
            );
            assert!(!error.contains("secret"), "{value}: {error}");
        }
    }

    #[test]
    fn exempt_servers() {
        let environment = [("all_proxy", "http://a:1"), ("no_proxy", "lan.example,10.0.0.0/8")];
        for url in [
            "ws://lan.example",
            "ws://b.lan.example",
            "wss://10.1.1.1",
            "ws://localhost",
            "ws://127.0.0.1",
            "ws://[::1]",
        ] {
            assert_eq!(from_environment(url, &environment).unwrap(), "", "{url}");
        }
        assert_eq!(from_environment("ws://wan.example", &environment).unwrap(), "Http a:1");
        let upper = [("all_proxy", "http://a:1"), ("NO_PROXY", "*")];
        assert_eq!(from_environment("ws://wan.example", &upper).unwrap(), "");
        let broken = [("all_proxy", "ftp://a"), ("no_proxy", "*")];
        assert_eq!(
            from_environment("ws://wan.example", &broken).unwrap(),
            "",
            "which is not used is not complained about"
        );
    }
}
