//! [`BrokerKeepalive`]: a broker's watch over one client.
//!
//! It does not stand on [`Keepalive`](crate::Keepalive), which is made for the side that asks: a broker
//! has a million of these, so it holds one deadline and its scanner, and nothing else.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::{
    BrokerConfig, ConnAck, Connect, Disconnect, MqttError, Packet, PartialPacket, Scanner, Version,
};
use crate::error::ConfigError;
use crate::keepalive::{Cause, Dead};
use crate::time::{SHORTEST, later};

/// What [`BrokerKeepalive::on_receive`] made of some bytes.
///
/// ```
/// # use liveness::mqtt::FromClient;
/// fn act(from: FromClient, out: &mut Vec<u8>) {
///     out.extend(from.reply.into_iter().flatten());
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromClient {
    /// How many bytes were read: up to the end of one packet, or all.
    pub consumed: usize,
    /// The packet that ended there, if one did.
    pub packet: Option<Packet>,
    /// What to send to this client now.
    pub reply: Option<[u8; 2]>,
}

/// Why a client's connection is to be closed, as an error value. Its text gives all the numbers.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
///
/// let start = Instant::now();
/// let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
/// let expired = watch.handle_timeout(start + Duration::from_secs(10)).unwrap();
/// assert_eq!(expired.to_string(), "no CONNECT within 10s");
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expired {
    /// It never sent a whole CONNECT.
    NoConnect {
        /// The connect timeout.
        limit: Duration,
    },
    /// It was silent for 1.5 keep alives.
    Silent {
        /// The keep alive in force, in seconds.
        keep_alive: u16,
        /// The time since its last sign of life.
        silent_for: Duration,
    },
    /// A packet of it came too slowly.
    TooSlow {
        /// How many bytes of the packet came.
        received: u32,
        /// The time since the first of them.
        within: Duration,
        /// How many bytes a second it had to be.
        rate: u32,
    },
}

impl Expired {
    /// The same as the verdict that the rest of this crate speaks of.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Cause, mqtt::{BrokerConfig, BrokerKeepalive}};
    /// # let start = Instant::now();
    /// # let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
    /// let expired = watch.handle_timeout(start + Duration::from_secs(10)).unwrap();
    /// assert_eq!(expired.dead().cause, Cause::Silent);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn dead(&self) -> Dead {
        let (limit, silent_for) = match *self {
            Self::NoConnect { limit } => (limit, limit),
            Self::Silent {
                keep_alive,
                silent_for,
            } => (one_and_a_half(keep_alive), silent_for),
            Self::TooSlow { within, .. } => (within, Duration::ZERO),
        };
        Dead {
            cause: Cause::Silent,
            limit,
            silent_for,
            unanswered: 0,
            last_rtt: None,
        }
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnect { limit } => write!(f, "no CONNECT within {limit:?}"),
            Self::Silent {
                keep_alive,
                silent_for,
            } => write!(
                f,
                "no packet within {:?}, 1.5 times the keep alive of {keep_alive} s; \
                 silent for {silent_for:?}",
                one_and_a_half(*keep_alive),
            ),
            Self::TooSlow {
                received,
                within,
                rate,
            } => write!(
                f,
                "{received} bytes of a packet within {within:?}, slower than {rate} bytes a second"
            ),
        }
    }
}

impl std::error::Error for Expired {}

/// Exactly 1.5 times `keep_alive` seconds: 65535 s are 98 302 500 ms.
const fn one_and_a_half(keep_alive: u16) -> Duration {
    Duration::from_millis(keep_alive as u64 * 1500)
}

/// How far the handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for CONNECT.
    Opening,
    /// CONNECT came, and no CONNACK went out yet.
    Asked,
    /// Accepted.
    Open,
}

/// A limit, and when it runs out.
#[derive(Debug, Clone, Copy)]
struct Due {
    what: What,
    at: Instant,
    limit: Duration,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Connect,
    Silence,
    Rate(u32),
}

/// A broker's watch over one client.
///
/// Report what is read from the client, *input first*, and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so.
/// Spurious, early and late calls are harmless; an older `now` counts as the newest seen.
///
/// * The client is alive at exactly 1.5 keep alives and expired one nanosecond later, for every keep
///   alive: [MQTT-3.1.2-24] of 3.1.1, [MQTT-3.1.2-22] of 5.
/// * Every whole packet is a sign of life, PINGREQ and QoS 0 PUBLISH as well; what is sent *to* the
///   client is none.
/// * A keep alive of 0 is off.
/// * It keeps one deadline and a [`Scanner`], at most 256 bytes with a second scanner for the other
///   direction.
///
/// ```
/// use std::time::{Duration, Instant};
/// use bytes::BytesMut;
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive, ConnAck, Connect, Packet, PINGREQ, PINGRESP, Version};
///
/// let start = Instant::now();
/// let at = |millis| start + Duration::from_millis(millis);
/// let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
///
/// let mut connect = Connect::new(Version::V5, "meter 7");
/// connect.keep_alive = 1;
/// let mut bytes = BytesMut::new();
/// connect.encode(&mut bytes)?;
/// let from = watch.on_receive(&bytes, at(0))?;
/// assert!(matches!(from.packet, Some(Packet::Connect(_))));
/// // Accept it, and say what keep alive was granted.
/// let mut ack = ConnAck::new(0);
/// ack.server_keep_alive = watch.server_keep_alive();
/// watch.on_connack(&ack, at(0));
///
/// let from = watch.on_receive(&PINGREQ, at(1000))?;
/// assert_eq!(from.reply, Some(PINGRESP));
///
/// assert_eq!(watch.handle_timeout(at(2500)), None);
/// let expired = watch.handle_timeout(at(2501)).unwrap();
/// assert_eq!(
///     expired.to_string(),
///     "no packet within 1.5s, 1.5 times the keep alive of 1 s; silent for 1.501s",
/// );
/// assert_eq!(watch.farewell(0x8d).unwrap()[..], [0xe0, 0x01, 0x8d]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BrokerKeepalive {
    scanner: Scanner,
    newest: Instant,
    /// The last sign of life.
    heard_at: Instant,
    /// Silence before this is not held against the client: the start, or a pardon.
    judged_from: Instant,
    /// When the first byte of the packet under way came.
    began_at: Instant,
    config: BrokerConfig,
    keep_alive: u16,
    is_dictated: bool,
    pardoned: bool,
    phase: Phase,
    /// Ended, refused, expired or broken.
    is_over: bool,
}

impl BrokerKeepalive {
    /// A connection that was accepted at `now` and is to open with a CONNECT.
    ///
    /// # Errors
    /// [`ConfigError::TooShort`] for a connect timeout above zero and below 1 ms.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
    /// let start = Instant::now();
    /// let watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
    /// assert_eq!(watch.poll_timeout(), Some(start + Duration::from_secs(10)));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn new(config: BrokerConfig, now: Instant) -> Result<Self, ConfigError> {
        let timeout = config.connect_timeout;
        if !timeout.is_zero() && timeout < SHORTEST {
            return Err(ConfigError::TooShort {
                name: "connect_timeout",
                value: timeout,
                least: SHORTEST,
            });
        }
        Ok(Self {
            scanner: Scanner::from_client().limits(config.limits),
            newest: now,
            heard_at: now,
            judged_from: now,
            began_at: now,
            config,
            keep_alive: 0,
            is_dictated: false,
            pardoned: false,
            phase: Phase::Opening,
            is_over: false,
        })
    }

    /// Bytes came from the client at `now`: reads on to the end of one packet, so call it again with
    /// the rest.
    ///
    /// # Errors
    /// [`MqttError`] for what the client may not send: a second CONNECT, a packet before CONNECT,
    /// anything malformed or too large; and [`MqttError::KeepAlive`] for a CONNECT that the
    /// [`KeepAlivePolicy`](super::KeepAlivePolicy) refuses. Answer with [`refusal`](Self::refusal) and close. Nothing expires
    /// after that, and every further call returns an error.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive, PINGREQ};
    /// # let now = Instant::now();
    /// # let mut watch = BrokerKeepalive::new(BrokerConfig::new(), now)?;
    /// assert_eq!(
    ///     watch.on_receive(&PINGREQ, now).unwrap_err().to_string(),
    ///     "PINGREQ: the first packet is not CONNECT, at byte 0 \
    ///      ([MQTT-3.1.0-1] of MQTT 3.1.1 and 5)",
    /// );
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_receive(&mut self, bytes: &[u8], now: Instant) -> Result<FromClient, MqttError> {
        let now = self.advance(now);
        let began_here = self.scanner.is_at_border();
        let scanned = self.scanner.scan(bytes);
        let (consumed, packet) = scanned.inspect_err(|_| self.is_over = true)?;
        if began_here {
            self.began_at = now;
        }
        let counts = consumed > 0 && self.config.partial_packet != PartialPacket::Ignored;
        if packet.is_some() || counts {
            self.heard_at = now;
            self.pardoned = false;
        }
        match &packet {
            Some(Packet::Connect(connect)) => self.on_connect(connect)?,
            Some(Packet::Disconnect(_)) => self.is_over = true,
            _ => {}
        }
        let reply = match self.config.answer_pings {
            true => packet.as_ref().and_then(Packet::reply),
            false => None,
        };
        Ok(FromClient {
            consumed,
            packet,
            reply,
        })
    }

    fn on_connect(&mut self, connect: &Connect) -> Result<(), MqttError> {
        let granted = self.config.grant(connect);
        let granted = granted.inspect_err(|_| self.is_over = true)?;
        self.phase = Phase::Asked;
        self.keep_alive = granted.keep_alive;
        self.is_dictated = granted.is_dictated;
        Ok(())
    }

    /// A CONNACK went to the client at `now`: this side's own, or that of a server behind it whose
    /// Server Keep Alive then counts ([MQTT-3.1.2-21] of MQTT 5). One that refuses ends the watch.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive, ConnAck};
    /// # let start = Instant::now();
    /// # let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
    /// watch.on_receive(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01c", start)?;
    /// let mut ack = ConnAck::new(0);
    /// ack.server_keep_alive = Some(10);
    /// watch.on_connack(&ack, start);
    /// assert_eq!(watch.keep_alive(), Some(10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_connack(&mut self, ack: &ConnAck, now: Instant) {
        self.advance(now);
        if self.phase != Phase::Asked {
            return;
        }
        match ack.code {
            0 => self.phase = Phase::Open,
            _ => self.is_over = true,
        }
        if let Some(seconds) = ack.server_keep_alive {
            self.keep_alive = seconds;
        }
    }

    /// What the CONNACK for this client must say: the keep alive that it must use instead of its own;
    /// `None` where its own counts, and before CONNECT.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive, KeepAlivePolicy};
    /// # let start = Instant::now();
    /// let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::AtMost(60));
    /// let mut watch = BrokerKeepalive::new(config, start)?;
    /// watch.on_receive(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3d\x00\x00\x01c", start)?; // 61 s
    /// assert_eq!(watch.server_keep_alive(), Some(60));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn server_keep_alive(&self) -> Option<u16> {
        self.is_dictated.then_some(self.keep_alive)
    }

    /// The keep alive in force, in seconds; `None` before CONNECT and for off.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
    /// let watch = BrokerKeepalive::new(BrokerConfig::new(), Instant::now())?;
    /// assert_eq!(watch.keep_alive(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn keep_alive(&self) -> Option<u16> {
        (self.keep_alive > 0).then_some(self.keep_alive)
    }

    /// How long the client has been silent at `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
    /// # let start = Instant::now();
    /// let watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
    /// let second = Duration::from_secs(1);
    /// assert_eq!(watch.silent_for(start + second), second);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at)
    }

    /// The version that the client speaks; `None` before CONNECT.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
    /// let watch = BrokerKeepalive::new(BrokerConfig::new(), Instant::now())?;
    /// assert_eq!(watch.version(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.scanner.version()
    }

    /// What to send before closing for `error`, if anything: a CONNACK that refuses, where none went
    /// out yet, or a DISCONNECT with the reason. Before version 5 the second does not exist, and of
    /// the first only some ([`MqttError::return_code`]).
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive, KeepAlivePolicy};
    /// # let start = Instant::now();
    /// let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::AtMost(100));
    /// let mut watch = BrokerKeepalive::new(config, start)?;
    /// let error = watch.on_receive(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x65\x00\x01c", start).unwrap_err();
    /// assert_eq!(watch.refusal(&error).unwrap()[..], [0x20, 0x02, 0x00, 0x02]);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn refusal(&self, error: &MqttError) -> Option<Bytes> {
        if self.is_accepted() {
            return self.farewell(error.reason());
        }
        let version = match (error, self.version()) {
            (MqttError::Broken { version, .. }, None) => *version,
            (_, version) => version,
        };
        let (version, code) = match version {
            Some(Version::V5) => (Version::V5, error.reason()),
            version => (version.unwrap_or(Version::V3_1_1), error.return_code()?),
        };
        let mut out = BytesMut::new();
        ConnAck::new(code).encode(version, &mut out).ok()?;
        Some(out.freeze())
    }

    /// The DISCONNECT with which a server ends this connection, for instance with
    /// [`KEEP_ALIVE_TIMEOUT`](super::reason::KEEP_ALIVE_TIMEOUT): a courtesy of version 5. `None` before that
    /// version, and before a CONNACK accepted the client ([MQTT-3.14.0-1] of MQTT 5).
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive, reason};
    /// let watch = BrokerKeepalive::new(BrokerConfig::new(), Instant::now())?;
    /// assert_eq!(watch.farewell(reason::KEEP_ALIVE_TIMEOUT), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn farewell(&self, reason: u8) -> Option<Bytes> {
        if self.version() != Some(Version::V5) || !self.is_accepted() {
            return None;
        }
        let mut out = BytesMut::new();
        Disconnect::new(reason).encode(Version::V5, &mut out).ok()?;
        Some(out.freeze())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    ///
    /// It may become earlier with a CONNECT or a CONNACK, and, where a packet under way has a least
    /// rate and keep alive is off, when a packet begins. Else received bytes only move it later: a
    /// timer that is set already may stay as it is, and when it fires, ask again.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
    /// # let start = Instant::now();
    /// # let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
    /// watch.on_receive(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c", start)?;
    /// assert_eq!(watch.poll_timeout(), Some(start + Duration::new(90, 1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|due| due.at)
    }

    /// Time has moved to `now`. Comes with a verdict once, and with nothing after it: close the
    /// connection as if the network had failed, so that the will is published.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::mqtt::{BrokerConfig, BrokerKeepalive, Expired};
    /// # let start = Instant::now();
    /// # let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
    /// let limit = Duration::from_secs(10);
    /// assert_eq!(watch.handle_timeout(start + limit), Some(Expired::NoConnect { limit }));
    /// assert_eq!(watch.handle_timeout(start + 2 * limit), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Expired> {
        let now = self.advance(now);
        let due = self.due().filter(|due| due.at <= now)?;
        let late = now.saturating_duration_since(due.at);
        if self.config.forgive_stall && !self.pardoned && late > due.limit / 4 {
            self.pardoned = true;
            self.judged_from = now;
            return None;
        }
        let expired = match due.what {
            What::Connect => Expired::NoConnect { limit: due.limit },
            What::Silence => Expired::Silent {
                keep_alive: self.keep_alive,
                silent_for: self.silent_for(now),
            },
            What::Rate(rate) => Expired::TooSlow {
                received: self.received(),
                within: now.saturating_duration_since(self.began_at),
                rate,
            },
        };
        self.is_over = true;
        Some(expired)
    }

    const fn is_accepted(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.newest = self.newest.max(now);
        self.newest
    }

    /// How many bytes of the packet under way have come.
    fn received(&self) -> u32 {
        self.scanner.under_way().map_or(0, |packet| packet.received)
    }

    fn due(&self) -> Option<Due> {
        if self.is_over {
            return None;
        }
        if self.phase == Phase::Opening {
            let limit = self.config.connect_timeout;
            let at = later(self.judged_from, limit).filter(|_| !limit.is_zero())?;
            return Some(Due {
                what: What::Connect,
                at,
                limit,
            });
        }
        let both = [self.silence(), self.slowness()];
        both.into_iter().flatten().min_by_key(|due| due.at)
    }

    /// 1.5 keep alives without a sign of life, and a nanosecond.
    fn silence(&self) -> Option<Due> {
        let limit = one_and_a_half(self.keep_alive()?);
        let since = self.heard_at.max(self.judged_from);
        Some(Due {
            what: What::Silence,
            at: later(since, limit + Duration::from_nanos(1))?,
            limit,
        })
    }

    /// When the bytes that came of the packet under way will have been too few.
    fn slowness(&self) -> Option<Due> {
        let PartialPacket::AtLeast(rate @ 1..) = self.config.partial_packet else {
            return None;
        };
        let received = self.scanner.under_way()?.received;
        let credit = match (self.keep_alive(), self.config.connect_timeout) {
            (Some(seconds), _) => one_and_a_half(seconds),
            (None, Duration::ZERO) => Self::CREDIT,
            (None, timeout) => timeout,
        };
        let earned = Duration::from_secs(u64::from(received)) / rate;
        Some(Due {
            what: What::Rate(rate),
            at: later(self.began_at.max(self.judged_from), credit + earned)?,
            limit: credit,
        })
    }

    /// What a packet under way is given where neither keep alive nor connect timeout says.
    const CREDIT: Duration = Duration::from_secs(10);
}
