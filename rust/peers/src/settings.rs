//! The properties of both classes: one row each, from which fields, ranges, getters and setters
//! come.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rust_websocket_net::{Admission, LinkOptions, ReceiveLimits, SendLimits, Trace, lock};
use rust_websocket_proto::{
    Config, DeflateConfig,
    admission::{AllowedOrigins, Limits, Networks},
};

use crate::{
    Allowed, Carrier, Line, LiveSetting, Now, Refused,
    text::{all_text, texts},
};

/// TCP_NODELAY of a new connection, as the engine sets it; a script may change it later.
pub const NO_DELAY: bool = true;

/// Whose settings they are: the limit of connecting has another name and default on each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// One connection.
    Peer,
    /// A server that hands out peers.
    Server,
    /// A server with its clients, or one client.
    Multiplayer,
}

/// A property of a class.
pub trait Property {
    /// Of its value.
    type Value;
    /// As scripts write it.
    const NAME: &'static str;

    /// Its value.
    fn get(settings: &Settings) -> &Self::Value;

    /// Changes it.
    ///
    /// # Errors
    /// [`Refused::OutOfRange`]; nothing is changed then.
    fn set(settings: &mut Settings, value: Self::Value) -> Result<(), Refused>;

    /// The order that takes the new value to a live connection.
    fn live(settings: &Settings) -> Option<LiveSetting>;
}

/// `name: type = default, which values are allowed, the order for a live connection;`
macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr, $check:expr, $live:expr;)*) => {
        /// What a script has set. Refused values change nothing.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings {
            class: Class,
            /// Properties that the script has set, also those to their default.
            chosen: BTreeSet<&'static str>,
            /// What the script has connections traced to.
            pub(crate) trace: Option<Trace>,
            $($(#[$doc])* pub(crate) $name: $type,)*
        }

        impl Settings {
            /// The engine's defaults.
            pub fn new(class: Class) -> Self {
                Self { class, chosen: BTreeSet::new(), trace: None, $($name: $default,)* }
            }
        }

        /// Each property as a type of its name.
        #[expect(non_camel_case_types, reason = "named as scripts write them, so that a row has the name once")]
        pub mod property {
            use super::*;

            $(
                $(#[$doc])*
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl Property for $name {
                    type Value = $type;
                    const NAME: &'static str = stringify!($name);

                    fn get(settings: &Settings) -> &$type {
                        &settings.$name
                    }

                    fn set(settings: &mut Settings, value: $type) -> Result<(), Refused> {
                        settings.$name = ($check)(Self::NAME, value)?;
                        settings.chosen.insert(Self::NAME);
                        Ok(())
                    }

                    fn live(settings: &Settings) -> Option<LiveSetting> {
                        ($live)(settings)
                    }
                }
            )*
        }
    };
}

properties! {
    /// Extra `Name: value` lines of the request, or of a server's answer.
    handshake_headers: Vec<Line> = Vec::new(), anything, next_time;
    /// Subprotocols in order of preference.
    supported_protocols: Vec<Line> = Vec::new(), without_edges, next_time;
    /// Largest message, and payload bytes that may wait unread.
    inbound_buffer_size: i64 = 65535, at_least(1), next_time;
    /// Payload bytes that the system has refused so far; 0 means no limit.
    outbound_buffer_size: i64 = 65535, at_least(0), Settings::live_send_limits;
    /// Messages that may wait in either direction.
    max_queued_packets: i64 = 4096, at_least(1), Settings::live_send_limits;
    /// Seconds between pings; 0 turns them off.
    heartbeat_interval: f64 = 0.0, seconds_or_off, Settings::live_heartbeat;
    /// Of a peer: seconds from `connect_to_url` or `accept_stream` to the completed handshake.
    connect_timeout: f64 = 30.0, seconds_above_zero, next_time;
    /// Of a multiplayer peer: seconds from accepting or connecting to the completed handshake.
    handshake_timeout: f64 = 3.0, seconds_above_zero, next_time;
    /// Of a server: seconds that a request may wait for the script's answer.
    request_timeout: f64 = 10.0, seconds_above_zero, next_time;
    /// Of a server: connections that have not completed their handshake.
    max_pending_connections: i64 = 4096, at_least(1), next_time;
    /// Of a server: clients at once; -1 is no limit, 0 refuses everybody.
    max_clients: i64 = -1, at_least(-1), next_time;
    /// Of a server: clients at once from one address; -1 is no limit.
    max_clients_per_address: i64 = -1, at_least(-1), next_time;
    /// Of a server: the origins whose pages may connect; all without one.
    allowed_origins: Vec<Line> = Vec::new(), origins, next_time;
    /// Of a server: the proxies whose word on a client's address counts.
    trusted_proxies: Vec<Line> = Vec::new(), networks, next_time;
    /// Of a server: whether connections from proxies begin with a PROXY header.
    proxy_protocol: bool = false, anything, next_time;
    /// Of a client: how many redirects it follows; 0: a redirect is a refusal like others.
    max_redirects: i64 = 0, at_least(0), next_time;
    /// Whether a client takes the proxy that the environment names.
    use_environment_proxy: bool = false, anything, next_time;
    /// Seconds that a close handshake may take.
    close_timeout: f64 = 5.0, seconds_above_zero, Settings::live_close_timeout;
    /// Whether messages are compressed where the other side agrees: a value of the classes' enum
    /// `Compression`.
    compression: i64 = 0, one_of(&["COMPRESSION_DISABLED", "COMPRESSION_ENABLED"]), next_time;
    /// Messages of fewer bytes go uncompressed.
    compression_threshold: i64 = 1024, at_least(0), next_time;
    /// Whether compressed messages may refer to earlier ones.
    compression_context_takeover: bool = false, anything, next_time;
    /// The oldest version of TLS that is spoken: a value of the classes' enum `TLSVersion`.
    tls_minimum_version: i64 = 0, one_of(&["TLS_VERSION_1_2", "TLS_VERSION_1_3"]), next_time;
    /// Of a server: whether clients show certificates, a value of the classes' enum `TLSClientAuth`.
    tls_client_auth: i64 = 0, one_of(&["TLS_CLIENT_AUTH_NONE", "TLS_CLIENT_AUTH_OPTIONAL", "TLS_CLIENT_AUTH_REQUIRED"]), next_time;
    /// Of a multiplayer peer: milliseconds that what was put as unreliable is worth sending; 0: for ever.
    unreliable_lifetime: i64 = 0, at_least(0), Settings::live_unreliable_lifetime;
}

impl Settings {
    /// Whether the headers and subprotocols can be sent.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check_handshake(&self) -> Result<(), Refused> {
        let read = |what, lines| all_text(lines).map_err(|problem| Refused::NotText { what, problem });
        let headers = read("handshake_headers", &self.handshake_headers)?;
        let protocols = read("supported_protocols", &self.supported_protocols)?;
        Config::check_handshake_headers(&headers)?;
        Config::check_supported_protocols(&protocols)?;
        Ok(())
    }

    /// Changes a property of a server that listens: what newcomers are answered has to be sendable, as when it began.
    ///
    /// # Errors
    /// Those of [`Property::set`] and [`check_handshake`](Self::check_handshake); nothing is changed then.
    pub(crate) fn set_listening<P: Property>(&mut self, value: P::Value) -> Result<(), Refused> {
        let mut changed = self.clone();
        P::set(&mut changed, value)?;
        changed.check_handshake()?;
        *self = changed;
        Ok(())
    }

    fn has_chosen<P: Property>(&self) -> bool {
        self.chosen.contains(P::NAME)
    }

    /// From the start of connecting to its end.
    pub(crate) fn connect_limit(&self) -> Duration {
        duration(match self.class {
            Class::Peer => self.connect_timeout,
            Class::Multiplayer | Class::Server => self.handshake_timeout,
        })
    }

    /// `None`: off.
    fn heartbeat(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.heartbeat_interval).ok().filter(|interval| !interval.is_zero())
    }

    fn send_limits(&self) -> SendLimits {
        SendLimits { bytes: to_limit(self.outbound_buffer_size), messages: to_limit(self.max_queued_packets) }
    }

    fn receive_limits(&self) -> ReceiveLimits {
        ReceiveLimits {
            bytes: to_limit(self.inbound_buffer_size),
            messages: to_limit(self.max_queued_packets),
        }
    }

    fn live_send_limits(&self) -> Option<LiveSetting> {
        Some(LiveSetting::SendLimits(self.send_limits()))
    }

    fn live_heartbeat(&self) -> Option<LiveSetting> {
        Some(LiveSetting::HeartbeatInterval(self.heartbeat()))
    }

    /// `None`: for ever.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        u64::try_from(self.unreliable_lifetime)
            .ok()
            .filter(|lifetime| *lifetime > 0)
            .map(Duration::from_millis)
    }

    fn live_unreliable_lifetime(&self) -> Option<LiveSetting> {
        Some(LiveSetting::UnreliableLifetime(self.lifetime()))
    }

    fn live_close_timeout(&self) -> Option<LiveSetting> {
        Some(LiveSetting::CloseTimeout(duration(self.close_timeout)))
    }

    /// Of a member of a room: what its server's connections begin with, changed by what the room's own script has set for live
    /// ones.
    pub(crate) fn for_room(&self, base: &Arc<Self>, carrier: &mut impl Carrier, now: Now<'_>) -> Arc<Self> {
        let mut own = Arc::clone(base);
        let mut apply = |change: fn(&mut Self, &Self), live: fn(&Self) -> Option<LiveSetting>| {
            change(Arc::make_mut(&mut own), self);
            if let Some(setting) = live(&own) {
                carrier.set(setting, now);
            }
        };
        if self.has_chosen::<property::outbound_buffer_size>() {
            apply(|own, room| own.outbound_buffer_size = room.outbound_buffer_size, Self::live_send_limits);
        }
        if self.has_chosen::<property::max_queued_packets>() {
            apply(|own, room| own.max_queued_packets = room.max_queued_packets, Self::live_send_limits);
        }
        if self.has_chosen::<property::heartbeat_interval>() {
            apply(|own, room| own.heartbeat_interval = room.heartbeat_interval, Self::live_heartbeat);
        }
        if self.has_chosen::<property::close_timeout>() {
            apply(|own, room| own.close_timeout = room.close_timeout, Self::live_close_timeout);
        }
        if self.has_chosen::<property::unreliable_lifetime>() {
            apply(
                |own, room| own.unreliable_lifetime = room.unreliable_lifetime,
                Self::live_unreliable_lifetime,
            );
        }
        own
    }

    /// For a connection that starts now.
    fn config(&self) -> Config {
        Config {
            max_message_size: to_limit(self.inbound_buffer_size),
            connect_timeout: self.connect_limit(),
            close_timeout: duration(self.close_timeout),
            heartbeat_interval: self.heartbeat(),
            supported_protocols: texts(&self.supported_protocols),
            handshake_headers: texts(&self.handshake_headers),
            deflate: (self.compression != 0).then(|| DeflateConfig {
                threshold: to_limit(self.compression_threshold),
                context_takeover: self.compression_context_takeover,
                ..DeflateConfig::default()
            }),
            unreliable_lifetime: self.lifetime(),
            request_timeout: None,
        }
    }

    /// Whom a server lets in; `asks`: the script decides.
    pub fn admission(&self, asks: bool) -> Admission {
        // What cannot be read was refused when it was set.
        Admission {
            limits: Limits {
                max_clients: usize::try_from(self.max_clients).ok(),
                max_clients_per_address: usize::try_from(self.max_clients_per_address).ok(),
            },
            origins: AllowedOrigins::parse(&texts(&self.allowed_origins)).unwrap_or_default(),
            trusted: Networks::parse(&texts(&self.trusted_proxies)).unwrap_or_default(),
            proxy_protocol: self.proxy_protocol,
            max_pending: to_limit(self.max_pending_connections),
            asks_owner: asks.then(|| duration(self.request_timeout)),
        }
    }

    /// For a connection that starts now.
    pub fn link_options(&self) -> LinkOptions {
        LinkOptions {
            config: Arc::new(self.config()),
            send_limits: self.send_limits(),
            receive_limits: self.receive_limits(),
            no_delay: NO_DELAY,
            way: None,
            trace: self.trace.clone(),
        }
    }
}

/// Settings of a server that its rooms look at.
#[derive(Debug, Clone)]
pub struct SharedSettings(Arc<Mutex<Arc<Settings>>>);

impl SharedSettings {
    pub(crate) fn new(settings: &Arc<Settings>) -> Self {
        Self(Arc::new(Mutex::new(Arc::clone(settings))))
    }

    pub(crate) fn get(&self) -> Arc<Settings> {
        Arc::clone(&lock(&self.0))
    }

    pub(crate) fn set(&self, settings: &Arc<Settings>) {
        *lock(&self.0) = Arc::clone(settings);
    }
}

/// Connections that live already keep the value they started with.
fn next_time(_: &Settings) -> Option<LiveSetting> {
    None
}

fn anything<T>(_: &'static str, value: T) -> Result<T, Refused> {
    Ok(value)
}

/// What the engine's `strip_edges` leaves: no characters up to the space at either end.
fn without_edges(_: &'static str, names: Vec<Line>) -> Result<Vec<Line>, Refused> {
    let strip = |name: String| name.trim_matches(|character| character <= ' ').to_owned();
    Ok(names.into_iter().map(|name| name.map(strip)).collect())
}

fn origins(property: &'static str, entries: Vec<Line>) -> Result<Vec<Line>, Refused> {
    let read = all_text(&entries).map_err(|problem| Refused::NotText { what: property, problem })?;
    AllowedOrigins::parse(&read).map_err(|problem| Refused::Origins(problem.into()))?;
    Ok(entries)
}

fn networks(property: &'static str, entries: Vec<Line>) -> Result<Vec<Line>, Refused> {
    let read = all_text(&entries).map_err(|problem| Refused::NotText { what: property, problem })?;
    Networks::parse(&read).map_err(|problem| Refused::Proxies(problem.into()))?;
    Ok(entries)
}

fn at_least(minimum: i64) -> impl Fn(&'static str, i64) -> Result<i64, Refused> {
    move |property, value| checked(property, value, value >= minimum, Allowed::AtLeast(minimum))
}

fn one_of(names: &'static [&'static str]) -> impl Fn(&'static str, i64) -> Result<i64, Refused> {
    move |property, value| {
        let is_known = usize::try_from(value).is_ok_and(|value| value < names.len());
        checked(property, value, is_known, Allowed::OneOf(names))
    }
}

fn seconds_or_off(property: &'static str, seconds: f64) -> Result<f64, Refused> {
    checked(property, seconds, Duration::try_from_secs_f64(seconds).is_ok(), Allowed::SecondsOrOff)
}

fn seconds_above_zero(property: &'static str, seconds: f64) -> Result<f64, Refused> {
    let is_allowed = Duration::try_from_secs_f64(seconds).is_ok_and(|duration| !duration.is_zero());
    checked(property, seconds, is_allowed, Allowed::SecondsAboveZero)
}

fn checked<T: ToString>(
    property: &'static str,
    value: T,
    is_allowed: bool,
    allowed: Allowed,
) -> Result<T, Refused> {
    if is_allowed {
        return Ok(value);
    }
    Err(Refused::OutOfRange { property, allowed, value: value.to_string() })
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn to_limit(value: i64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<P: Property>(settings: &mut Settings, value: P::Value) -> String {
        P::set(settings, value).expect_err(P::NAME).to_string()
    }

    #[test]
    fn refused_values_change_nothing() {
        let mut settings = Settings::new(Class::Peer);
        let numbers = [
            refused::<property::inbound_buffer_size>(&mut settings, 0),
            refused::<property::outbound_buffer_size>(&mut settings, -1),
            refused::<property::max_queued_packets>(&mut settings, 0),
            refused::<property::compression_threshold>(&mut settings, -1),
            refused::<property::compression>(&mut settings, 2),
            refused::<property::max_redirects>(&mut settings, -1),
        ];
        assert_eq!(
            numbers,
            [
                "inbound_buffer_size must be at least 1, not 0.",
                "outbound_buffer_size must be at least 0, not -1.",
                "max_queued_packets must be at least 1, not 0.",
                "compression_threshold must be at least 0, not -1.",
                "compression must be COMPRESSION_DISABLED or COMPRESSION_ENABLED, not 2.",
                "max_redirects must be at least 0, not -1.",
            ]
        );
        for seconds in [-1.0, f64::NAN, f64::INFINITY] {
            refused::<property::heartbeat_interval>(&mut settings, seconds);
            refused::<property::connect_timeout>(&mut settings, seconds);
        }
        refused::<property::handshake_timeout>(&mut settings, 0.0);
        assert_eq!(
            refused::<property::close_timeout>(&mut settings, 0.0),
            "close_timeout must be a number of seconds above 0, not 0."
        );
        assert_eq!(
            refused::<property::heartbeat_interval>(&mut settings, -1.0),
            "heartbeat_interval must be 0 (off) or a number of seconds, not -1."
        );
        assert_eq!(settings, Settings::new(Class::Peer));
    }

    #[test]
    fn who_may_come_in() {
        let lines = |texts: &[&str]| texts.iter().map(|text| Ok((*text).to_owned())).collect::<Vec<Line>>();
        let mut settings = Settings::new(Class::Multiplayer);
        let nothing = settings.admission(false);
        assert_eq!((nothing.limits, nothing.proxy_protocol), (Limits::default(), false));
        assert!(nothing.origins.is_empty() && nothing.trusted.is_empty());
        property::max_clients::set(&mut settings, 0).unwrap();
        property::max_clients_per_address::set(&mut settings, 4).unwrap();
        property::allowed_origins::set(&mut settings, lines(&["https://game.example"])).unwrap();
        property::trusted_proxies::set(&mut settings, lines(&["loopback", "10.0.0.0/8"])).unwrap();
        let wanted = Limits { max_clients: Some(0), max_clients_per_address: Some(4) };
        let admission = settings.admission(false);
        assert_eq!(admission.limits, wanted);
        assert!(!admission.origins.allows(Some("https://other.example")));
        let before = settings.clone();
        let sentences = [
            refused::<property::max_clients>(&mut settings, -2),
            refused::<property::allowed_origins>(&mut settings, lines(&["null", "game.example"])),
            refused::<property::trusted_proxies>(&mut settings, lines(&["::1", "10.0.0.0/33"])),
        ];
        assert_eq!(sentences[0], "max_clients must be at least -1, not -2.");
        assert!(sentences[1].contains("\"game.example\" has no scheme"), "{}", sentences[1]);
        assert!(sentences[2].contains("\"10.0.0.0/33\""), "{}", sentences[2]);
        let half = vec![crate::read_line(b"https://\xed\xa0\x81".to_vec())];
        assert!(
            refused::<property::allowed_origins>(&mut settings, half).starts_with("allowed_origins holds")
        );
        assert_eq!(settings, before, "an invalid entry refuses the array");
    }

    #[test]
    fn zero_turns_the_heartbeat_off() {
        let mut settings = Settings::new(Class::Peer);
        assert!(property::heartbeat_interval::set(&mut settings, 0.5).is_ok());
        assert_eq!(settings.heartbeat(), Some(Duration::from_millis(500)));
        assert!(property::heartbeat_interval::set(&mut settings, 0.0).is_ok());
        assert_eq!(settings.heartbeat(), None);
    }

    #[test]
    fn protocols_are_stripped_as_the_engine_does() {
        let mut settings = Settings::new(Class::Peer);
        let names = vec![Ok(" a ".to_owned()), Ok(" \ta b\u{1}\r\n".to_owned())];
        assert!(property::supported_protocols::set(&mut settings, names).is_ok());
        assert_eq!(texts(property::supported_protocols::get(&settings)), ["a", "a b"]);
    }

    #[test]
    fn what_is_no_text_keeps_a_handshake_from_starting() {
        let half = || crate::read_line(b"X-Name: \xed\xa0\x81".to_vec());
        let fine = || Ok("X-A: 1".to_owned());
        let mut settings = Settings::new(Class::Peer);
        assert!(property::handshake_headers::set(&mut settings, vec![fine(), half()]).is_ok());
        let sentence = settings.check_handshake().expect_err("no text").to_string();
        assert!(
            sentence.starts_with("handshake_headers holds half of a UTF-16 pair (U+D801, "),
            "{sentence}"
        );
        assert_eq!(settings.config().handshake_headers, ["X-A: 1"]);
        assert!(property::handshake_headers::set(&mut settings, vec![fine()]).is_ok());
        assert!(settings.check_handshake().is_ok());
        assert!(property::supported_protocols::set(&mut settings, vec![half()]).is_ok());
        let sentence = settings.check_handshake().expect_err("no text").to_string();
        assert!(sentence.starts_with("supported_protocols holds "), "{sentence}");
    }

    #[test]
    fn each_class_has_its_own_limit_of_connecting() {
        assert_eq!(Settings::new(Class::Peer).connect_limit(), Duration::from_secs(30));
        assert_eq!(Settings::new(Class::Multiplayer).connect_limit(), Duration::from_secs(3));
    }
}
