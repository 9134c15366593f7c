//! The numbers of well-known systems, as configurations to start from.

use std::time::Duration;

use super::{Boundary, KeepaliveConfig, PingWhen, Proof, StallWhen};
use crate::time::shorter;

/// # Presets
///
/// The numbers of well-known systems. Each sets what that system's rules set, and says where they
/// come from; the rest is the default, and every setter still applies.
///
/// ```
/// use std::time::Duration;
/// use liveness::KeepaliveConfig;
///
/// let quiet = |config: KeepaliveConfig| config.detection_bound().map(|bound| bound.quiet);
/// let seconds = |seconds| Some(Duration::from_secs(seconds));
/// assert_eq!(quiet(KeepaliveConfig::mqtt_client(60)), seconds(54 + 30));
/// assert_eq!(quiet(KeepaliveConfig::mqtt_broker(1)), Some(Duration::from_nanos(1_500_000_001)));
/// assert_eq!(quiet(KeepaliveConfig::amqp(60)), seconds(2 * 60));
/// assert_eq!(quiet(KeepaliveConfig::websocket()), seconds(20 + 20));
/// assert_eq!(quiet(KeepaliveConfig::grpc(Duration::from_secs(1))), seconds(10 + 20));
/// assert_eq!(quiet(KeepaliveConfig::ssh(Duration::from_secs(15))), seconds(15 + 3 * 15));
/// assert_eq!(quiet(KeepaliveConfig::nats()), seconds(120 + 2 * 120));
/// ```
impl KeepaliveConfig {
    /// An MQTT client with a keep alive of `seconds`; 0 is off.
    ///
    /// [MQTT-3.1.2-20] (version 5): PINGREQ when no other packet was sent for the keep alive. Asked
    /// a tenth early, because the gap between two packets may not exceed it, and also when nothing
    /// was *received* for as long, so that steady publishing does not hide a dead broker. The
    /// specification leaves the time for a PINGRESP open ("a reasonable amount"); here it is half
    /// the keep alive, at least a second. A broker that takes nothing and still answers is held up,
    /// not dead ([`StallWhen::Unproven`]).
    #[must_use]
    pub const fn mqtt_client(seconds: u16) -> Self {
        let millis = seconds as u64 * 1000;
        let reply = if millis < 2000 { 1000 } else { millis / 2 };
        let config = Self::new()
            .interval(Duration::from_millis(millis - millis / 10))
            .max_unanswered(1)
            .stall_when(StallWhen::Unproven);
        if seconds == 0 {
            return config
                .reply_timeout(Duration::ZERO)
                .ping_when(PingWhen::Never);
        }
        config
            .ping_when(PingWhen::EitherIdle)
            .reply_timeout(Duration::from_millis(reply))
    }

    /// An MQTT broker that watches a client with a keep alive of `seconds`; 0 is off.
    ///
    /// [MQTT-3.1.2-22] (version 5): no packet within one and a half times the keep alive closes the
    /// connection. Exact in milliseconds, and alive at exactly 1.5 times, as Mosquitto has it.
    #[must_use]
    pub const fn mqtt_broker(seconds: u16) -> Self {
        Self::off()
            .silence(Duration::from_millis(seconds as u64 * 1500))
            .silence_boundary(Boundary::Exclusive)
    }

    /// Either side of an AMQP 0-9-1 connection whose negotiated heartbeat is `seconds`; 0 is off.
    ///
    /// A heartbeat frame when nothing was sent for half of it, as RabbitMQ does; dead when no octet
    /// came for two of them or longer, as the specification has it (4.2.7). Heartbeats are not
    /// answered. A broker that takes nothing and still beats is held up by its flow control, not
    /// dead ([`StallWhen::Unproven`]).
    #[must_use]
    pub const fn amqp(seconds: u16) -> Self {
        let two = Duration::from_secs(seconds as u64 * 2);
        Self::off()
            .interval(Duration::from_millis(seconds as u64 * 500))
            .ping_when(PingWhen::SendIdle)
            .silence(two)
            .write_stall(two)
            .stall_when(StallWhen::Unproven)
    }

    /// The defaults of Python's `websockets`: a ping every 20 s, 20 s for its pong, and only a pong
    /// that matches proves life.
    ///
    /// A pong queues behind data, so a message that takes longer than 20 s to arrive looks like
    /// death. Over slow links add [`.proof(Proof::AnyBytes)`](Self::proof()).
    #[must_use]
    pub const fn websocket() -> Self {
        Self::new()
            .interval(Duration::from_secs(20))
            .ping_when(PingWhen::Always)
            .proof(Proof::PongOnly)
            .reply_timeout(Duration::from_secs(20))
            .max_unanswered(1)
    }

    /// A gRPC client with a keepalive time of `time`, raised to 10 s as the specification has it
    /// (gRFC A8): counted from the last byte read, 20 s for any byte in return. Zero is off.
    #[must_use]
    pub const fn grpc(time: Duration) -> Self {
        let floor = Duration::from_secs(10);
        let interval = if !time.is_zero() && shorter(time, floor) {
            floor
        } else {
            time
        };
        Self::new()
            .interval(interval)
            .reply_timeout(Duration::from_secs(20))
            .max_unanswered(1)
    }

    /// OpenSSH's `ServerAliveInterval` of `interval` with its `ServerAliveCountMax` of 3: asks when
    /// nothing came for the interval, and again each interval; gives up when three went unanswered.
    #[must_use]
    pub const fn ssh(interval: Duration) -> Self {
        Self::new()
            .interval(interval)
            .reply_timeout(interval)
            .max_unanswered(3)
    }

    /// A NATS server's `ping_interval` of 2 min and `ping_max` of 2: any client data defers the
    /// ping, and a client that left two unanswered is stale when the next is due.
    #[must_use]
    pub const fn nats() -> Self {
        let two_minutes = Duration::from_secs(120);
        Self::new()
            .interval(two_minutes)
            .reply_timeout(two_minutes)
            .max_unanswered(2)
    }
}
