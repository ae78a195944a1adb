//! The properties that both classes have, with their range checks.

use std::{sync::Arc, time::Duration};

use rust_websocket_net::{LinkOptions, ReceiveLimits, SendLimits};
use rust_websocket_proto::{Config, DeflateConfig};

use crate::{
    convert::strip_edges,
    report::{Cause, Refusal},
};

/// TCP_NODELAY of a new connection, as the engine sets it; a script may change it later.
pub(crate) const NO_DELAY: bool = true;

/// What a script has set. Refused values change nothing.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) handshake_headers: Vec<String>,
    pub(crate) supported_protocols: Vec<String>,
    pub(crate) inbound_buffer_size: i64,
    pub(crate) outbound_buffer_size: i64,
    pub(crate) max_queued_packets: i64,
    pub(crate) heartbeat_interval: f64,
    /// `connect_timeout` of a peer, `handshake_timeout` of a multiplayer peer.
    pub(crate) connect_timeout: f64,
    pub(crate) close_timeout: f64,
    /// Whether messages are compressed where the other side agrees.
    pub(crate) compresses: bool,
    pub(crate) compression_threshold: i64,
    pub(crate) compression_context_takeover: bool,
}

impl Settings {
    /// The engine's defaults; the connect timeout differs between the classes.
    pub(crate) fn new(connect_timeout: f64) -> Self {
        Self {
            handshake_headers: Vec::new(),
            supported_protocols: Vec::new(),
            inbound_buffer_size: 65535,
            outbound_buffer_size: 65535,
            max_queued_packets: 4096,
            heartbeat_interval: 0.0,
            connect_timeout,
            close_timeout: 5.0,
            compresses: false,
            compression_threshold: 1024,
            compression_context_takeover: false,
        }
    }

    pub(crate) fn set_supported_protocols(&mut self, protocols: impl IntoIterator<Item = String>) {
        self.supported_protocols = protocols.into_iter().map(|name| strip_edges(&name).to_owned()).collect();
    }

    pub(crate) fn set_inbound_buffer_size(&mut self, size: i64) -> Result<(), Refusal> {
        self.inbound_buffer_size = at_least(1, size, "inbound_buffer_size", Cause::InboundBufferSize)?;
        Ok(())
    }

    pub(crate) fn set_outbound_buffer_size(&mut self, size: i64) -> Result<(), Refusal> {
        self.outbound_buffer_size = at_least(0, size, "outbound_buffer_size", Cause::OutboundBufferSize)?;
        Ok(())
    }

    pub(crate) fn set_max_queued_packets(&mut self, count: i64) -> Result<(), Refusal> {
        self.max_queued_packets = at_least(1, count, "max_queued_packets", Cause::MaxQueuedPackets)?;
        Ok(())
    }

    pub(crate) fn set_heartbeat_interval(&mut self, seconds: f64) -> Result<(), Refusal> {
        if Duration::try_from_secs_f64(seconds).is_err() {
            let message =
                format!("heartbeat_interval must be 0 (off) or a number of seconds, not {seconds}.");
            return Err(Refusal::invalid(Cause::HeartbeatInterval, message));
        }
        self.heartbeat_interval = seconds;
        Ok(())
    }

    pub(crate) fn set_connect_timeout(&mut self, seconds: f64) -> Result<(), Refusal> {
        self.connect_timeout = above_zero(seconds, "connect_timeout", Cause::ConnectTimeout)?;
        Ok(())
    }

    pub(crate) fn set_handshake_timeout(&mut self, seconds: f64) -> Result<(), Refusal> {
        self.connect_timeout = above_zero(seconds, "handshake_timeout", Cause::HandshakeTimeout)?;
        Ok(())
    }

    pub(crate) fn set_close_timeout(&mut self, seconds: f64) -> Result<(), Refusal> {
        self.close_timeout = above_zero(seconds, "close_timeout", Cause::CloseTimeout)?;
        Ok(())
    }

    /// A value of the classes' enum `Compression`.
    pub(crate) fn set_compression(&mut self, mode: i64) -> Result<(), Refusal> {
        self.compresses = match mode {
            0 => false,
            1 => true,
            _ => {
                let message =
                    format!("compression must be COMPRESSION_DISABLED or COMPRESSION_ENABLED, not {mode}.");
                return Err(Refusal::invalid(Cause::Compression, message));
            }
        };
        Ok(())
    }

    pub(crate) fn set_compression_threshold(&mut self, size: i64) -> Result<(), Refusal> {
        self.compression_threshold = at_least(0, size, "compression_threshold", Cause::CompressionThreshold)?;
        Ok(())
    }

    /// Whether the headers and subprotocols can be sent.
    pub(crate) fn check_handshake(&self) -> Result<(), Refusal> {
        Config::check_handshake_headers(&self.handshake_headers)
            .and_then(|()| Config::check_supported_protocols(&self.supported_protocols))
            .map_err(|error| Refusal::invalid(Cause::HandshakeHeader, format!("Handshake refused: {error}.")))
    }

    /// `None`: off.
    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.heartbeat_interval).ok().filter(|interval| !interval.is_zero())
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.close_timeout).unwrap_or(Duration::MAX)
    }

    pub(crate) fn send_limits(&self) -> SendLimits {
        SendLimits { bytes: to_limit(self.outbound_buffer_size), messages: to_limit(self.max_queued_packets) }
    }

    pub(crate) fn receive_limits(&self) -> ReceiveLimits {
        ReceiveLimits {
            bytes: to_limit(self.inbound_buffer_size),
            messages: to_limit(self.max_queued_packets),
        }
    }

    /// For a connection that starts now.
    pub(crate) fn config(&self) -> Config {
        Config {
            max_message_size: to_limit(self.inbound_buffer_size),
            connect_timeout: Duration::try_from_secs_f64(self.connect_timeout).unwrap_or(Duration::MAX),
            close_timeout: self.close_timeout(),
            heartbeat_interval: self.heartbeat(),
            supported_protocols: self.supported_protocols.clone(),
            handshake_headers: self.handshake_headers.clone(),
            deflate: self.compresses.then(|| DeflateConfig {
                threshold: to_limit(self.compression_threshold),
                context_takeover: self.compression_context_takeover,
                ..DeflateConfig::default()
            }),
        }
    }

    /// For a connection of the I/O thread that starts now.
    pub(crate) fn link_options(&self) -> LinkOptions {
        LinkOptions {
            config: Arc::new(self.config()),
            send_limits: self.send_limits(),
            receive_limits: self.receive_limits(),
            no_delay: NO_DELAY,
        }
    }
}

fn at_least(minimum: i64, value: i64, property: &str, cause: Cause) -> Result<i64, Refusal> {
    if value < minimum {
        return Err(Refusal::invalid(cause, format!("{property} must be at least {minimum}, not {value}.")));
    }
    Ok(value)
}

fn above_zero(seconds: f64, property: &str, cause: Cause) -> Result<f64, Refusal> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(seconds),
        _ => Err(Refusal::invalid(
            cause,
            format!("{property} must be a number of seconds above 0, not {seconds}."),
        )),
    }
}

fn to_limit(value: i64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_values_change_nothing() {
        let mut settings = Settings::new(30.0);
        assert!(settings.set_inbound_buffer_size(0).is_err());
        assert!(settings.set_outbound_buffer_size(-1).is_err());
        assert!(settings.set_max_queued_packets(0).is_err());
        for seconds in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(settings.set_heartbeat_interval(seconds).is_err());
            assert!(settings.set_connect_timeout(seconds).is_err());
        }
        assert!(settings.set_close_timeout(0.0).is_err());
        assert!(settings.set_compression(2).is_err());
        assert!(settings.set_compression_threshold(-1).is_err());
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::new(30.0)));
    }

    #[test]
    fn zero_turns_the_heartbeat_off() {
        let mut settings = Settings::new(30.0);
        assert!(settings.set_heartbeat_interval(0.5).is_ok());
        assert_eq!(settings.heartbeat(), Some(Duration::from_millis(500)));
        assert!(settings.set_heartbeat_interval(0.0).is_ok());
        assert_eq!(settings.heartbeat(), None);
    }

    #[test]
    fn protocols_are_stripped() {
        let mut settings = Settings::new(30.0);
        settings.set_supported_protocols([" a ".to_owned()]);
        assert_eq!(settings.supported_protocols, ["a"]);
    }
}
