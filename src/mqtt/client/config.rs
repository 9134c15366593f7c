//! [`ClientConfig`]: how a client keeps its connection alive.

use std::time::Duration;

use crate::jitter::Jitter;
use crate::keepalive::{Bound, KeepaliveConfig, PingWhen, Proof};
use crate::mqtt::Limits;
use crate::time::shorter;

/// How a client keeps its connection alive. The keep alive itself is in its CONNECT.
///
/// The fields are public; each has a setter of the same name.
///
/// | field | default | meaning |
/// | --- | --- | --- |
/// | [`ping_when`](Self#structfield.ping_when) | `EitherIdle` | the start of the keep alive |
/// | [`proof`](Self#structfield.proof) | `AnyBytes` | the proof that the broker lives |
/// | [`reply_timeout`](Self#structfield.reply_timeout) | half the keep alive, at least 1 s | the time for a PINGRESP |
/// | [`max_unanswered`](Self#structfield.max_unanswered) | 1 | unanswered pings until the verdict |
/// | [`connect_timeout`](Self#structfield.connect_timeout) | 10 s | the time for a CONNACK |
/// | [`write_stall`](Self#structfield.write_stall) | 30 s | the time without a byte taken |
/// | [`jitter`](Self#structfield.jitter) | none | spreads many clients |
/// | [`limits`](Self#structfield.limits) | 256 MiB, 384 KiB | how much the broker may send at once |
///
/// With the defaults a dead broker is found 1.4 keep alives after its last byte, and within 1.9 s
/// for a keep alive of 1 s.
///
/// ```
/// use std::time::Duration;
/// use liveness::PingWhen;
/// use liveness::mqtt::ClientConfig;
///
/// let quiet = |config: ClientConfig, keep_alive| {
///     config.detection_bound(keep_alive).map(|bound| bound.quiet)
/// };
/// let seconds = |seconds| Some(Duration::from_secs(seconds));
/// assert_eq!(quiet(ClientConfig::new(), 60), seconds(54 + 30));
///
/// const QUICK: ClientConfig = ClientConfig::new().reply_timeout(Duration::from_secs(5));
/// assert_eq!(quiet(QUICK, 60), seconds(54 + 5));
/// assert_eq!(quiet(QUICK.max_unanswered(3), 60), seconds(54 + 3 * 5));
///
/// // The minimum of the specification is blind while the client publishes.
/// assert_eq!(quiet(QUICK.ping_when(PingWhen::SendIdle), 60), None);
/// // A keep alive of 0 is off.
/// assert_eq!(quiet(QUICK, 0), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The start of the keep alive. Default [`PingWhen::EitherIdle`].
    ///
    /// Pings are left out while packets pass in *both* directions.
    ///
    /// * `EitherIdle`: the last packet out or the last byte in, whichever is longer ago, as in Paho
    ///   and libmosquitto. The first keeps the promise to the broker. The second finds a dead
    ///   broker while messages with QoS 0, which have no answer, keep going out.
    /// * `SendIdle`: the last packet out, as the specification demands ([MQTT-3.1.2-23] of 3.1.1,
    ///   [MQTT-3.1.2-20] of 5). Steady publishing then hides a dead broker.
    /// * `Always`: fixed times, whatever the traffic.
    /// * `RecvIdle` and `Never` break the promise to a broker: for tests, and for clients that send
    ///   PINGREQ by themselves.
    pub ping_when: PingWhen,
    /// The proof that the broker lives. Default [`Proof::AnyBytes`].
    ///
    /// With `PongOnly` a broker that delivers messages and answers no PINGREQ is dead. So is a
    /// broker whose PINGRESP queues behind messages for longer than the reply timeout.
    pub proof: Proof,
    /// The time for a PINGRESP, counted from the flush of the PINGREQ; at least 1 ms, zero is off.
    /// `None`, the default, is half the keep alive and at least a second, as in MQTT.js.
    ///
    /// The specification asks for "a reasonable amount of time". A time above the keep alive is cut
    /// to it, because no PINGREQ goes out while one is open, and the promise to the broker would
    /// break.
    pub reply_timeout: Option<Duration>,
    /// The number of pings in a row without an answer that is the verdict; at least 1. Default 1.
    pub max_unanswered: u32,
    /// The time from CONNECT to the first byte in return, and between any two bytes of the CONNACK;
    /// at least 1 ms, zero is off. Default 10 s.
    ///
    /// The kernel of a stopped broker still accepts connections, and a keep alive of 0 would never
    /// notice.
    pub connect_timeout: Duration,
    /// The time that bytes may wait with none of them taken; at least 1 ms, zero is off. Default 30
    /// s.
    pub write_stall: Duration,
    /// The random part of the time before a PINGREQ. Default [`Jitter::NONE`].
    pub jitter: Jitter,
    /// How much the broker may send at once. Default [`Limits::new`]. Only for
    /// [`ClientKeepalive`](crate::mqtt::ClientKeepalive): a [`Wire`](crate::mqtt::Wire) keeps
    /// nothing and lets every packet pass.
    pub limits: Limits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientConfig {
    /// The defaults in the [table above](Self).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ping_when: PingWhen::EitherIdle,
            proof: Proof::AnyBytes,
            reply_timeout: None,
            max_unanswered: 1,
            connect_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            jitter: Jitter::NONE,
            limits: Limits::new(),
        }
    }

    /// Sets [`ping_when`](Self#structfield.ping_when).
    #[must_use]
    pub const fn ping_when(mut self, when: PingWhen) -> Self {
        self.ping_when = when;
        self
    }

    /// Sets [`proof`](Self#structfield.proof).
    #[must_use]
    pub const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// Sets [`reply_timeout`](Self#structfield.reply_timeout) to a time of its own.
    #[must_use]
    pub const fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = Some(timeout);
        self
    }

    /// Sets [`max_unanswered`](Self#structfield.max_unanswered).
    #[must_use]
    pub const fn max_unanswered(mut self, pings: u32) -> Self {
        self.max_unanswered = pings;
        self
    }

    /// Sets [`connect_timeout`](Self#structfield.connect_timeout).
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`write_stall`](Self#structfield.write_stall).
    #[must_use]
    pub const fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = limit;
        self
    }

    /// Sets [`jitter`](Self#structfield.jitter).
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets [`limits`](Self#structfield.limits).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The configuration of an accepted connection with a keep alive of `seconds`: the preset
    /// [`KeepaliveConfig::mqtt_client`] with these settings.
    #[must_use]
    pub const fn keepalive(&self, seconds: u16) -> KeepaliveConfig {
        let preset = KeepaliveConfig::mqtt_client(seconds).write_stall(self.write_stall);
        if seconds == 0 {
            return preset;
        }
        let config = preset
            .ping_when(self.ping_when)
            .proof(self.proof)
            .max_unanswered(self.max_unanswered)
            .jitter(self.jitter);
        let Some(timeout) = self.reply_timeout else {
            return config;
        };
        let whole = Duration::from_secs(seconds as u64);
        config.reply_timeout(match shorter(timeout, whole) {
            true => timeout,
            false => whole,
        })
    }

    /// The longest time from the broker's last proof of life to the verdict, at a keep alive of
    /// `seconds`; see [`KeepaliveConfig::detection_bound`].
    #[must_use]
    pub const fn detection_bound(&self, seconds: u16) -> Option<Bound> {
        self.keepalive(seconds).detection_bound()
    }

    /// Before CONNECT.
    pub(in crate::mqtt) const fn unconnected(&self) -> KeepaliveConfig {
        KeepaliveConfig::off().write_stall(self.write_stall)
    }

    /// Between CONNECT and CONNACK.
    pub(in crate::mqtt) const fn connecting(&self) -> KeepaliveConfig {
        self.unconnected().silence(self.connect_timeout)
    }
}
