//! [`BrokerKeepalive`]: a broker's watch over one client.
//!
//! It does not stand on [`Keepalive`](crate::Keepalive), which is made for the side that asks. A
//! broker has a million of these, so each holds one deadline and its scanner, and nothing else.

mod config;
mod expired;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::exchange::{Exchange, Phase};
use super::{ConnAck, Connect, Disconnect, MqttError, Packet, Scanner, Version};
use crate::error::ConfigError;
use crate::grace::was_away_for;
use crate::keepalive::{Cause, Dead, KeepaliveConfig};
use crate::time::{Newest, SHORTEST, later};

pub use config::{BrokerConfig, KeepAlivePolicy, PartialPacket};
pub use expired::Expired;

/// The answer of [`BrokerKeepalive::on_receive`]: the bytes read, and their meaning.
///
/// ```
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive, ConnAck, PINGRESP, Packet};
///
/// # let now = std::time::Instant::now();
/// let mut watch = BrokerKeepalive::new(BrokerConfig::new(), now)?;
/// watch.on_receive(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c", now)?;
/// assert_eq!(watch.on_connack(&ConnAck::new(0), now), 0);
///
/// // One read brings a PINGREQ and the start of a PUBLISH.
/// let bytes = b"\xc0\x00\x30\x0a\x00";
/// let from = watch.on_receive(bytes, now)?;
/// assert_eq!((from.consumed, from.packet), (2, Some(Packet::PingReq)));
/// assert_eq!(from.reply, Some(PINGRESP));
/// let from = watch.on_receive(&bytes[2..], now)?;
/// assert_eq!((from.consumed, from.packet, from.reply), (3, None, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromClient {
    /// How many bytes were read: to the end of one packet, or all.
    pub consumed: usize,
    /// The packet that ended with them, if one did.
    pub packet: Option<Packet>,
    /// A packet to send to this client now: the PINGRESP to a PINGREQ. Before the CONNACK there is
    /// none; see [`on_connack`](BrokerKeepalive::on_connack).
    pub reply: Option<[u8; 2]>,
}

/// A limit, and the instant at which it runs out.
#[derive(Debug, Clone, Copy)]
struct Due {
    what: What,
    at: Instant,
    limit: Duration,
}

/// What can fall due.
#[derive(Debug, Clone, Copy)]
enum What {
    /// The whole CONNECT.
    Connect,
    /// The next sign of life.
    Silence,
    /// More bytes of the packet under way, at this rate.
    Rate(u32),
}

/// A broker's watch over one client.
///
/// Report the bytes from the client, *input first*, and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so.
/// Spurious, early and late calls are harmless; an older `now` counts as the newest seen.
///
/// * The client is alive at exactly 1.5 keep alives and expired one nanosecond later, for every
///   keep alive: [MQTT-3.1.2-24] of 3.1.1, [MQTT-3.1.2-22] of 5.
/// * Every whole packet is a sign of life, PINGREQ and QoS 0 PUBLISH as well. By default each byte
///   of a packet is one too, which is more than the specification asks for: so a client that sends
///   one byte every 1.4 keep alives stays. [`BrokerConfig::partial_packet`] is stricter. Packets
///   *to* the client are no sign of its life.
/// * From the CONNECT to the CONNACK it is the broker's turn: nothing falls due, however long it
///   takes. The 1.5 keep alives begin with the CONNACK. A broker that waits for AUTH meanwhile sets
///   a limit of its own.
/// * A keep alive of 0 is off.
/// * It keeps one deadline and a [`Scanner`]: at most 256 bytes with a second scanner for the other
///   direction.
///
/// ```
/// use std::time::{Duration, Instant};
/// use bytes::BytesMut;
/// use liveness::mqtt::{
///     BrokerConfig, BrokerKeepalive, ConnAck, Connect, PINGREQ, PINGRESP, Packet, Version, reason,
/// };
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
/// // Accept it, and say the keep alive that was granted.
/// let mut ack = ConnAck::new(0);
/// ack.server_keep_alive = watch.server_keep_alive();
/// assert_eq!(watch.on_connack(&ack, at(0)), 0);
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
/// assert_eq!(watch.farewell(reason::KEEP_ALIVE_TIMEOUT).unwrap()[..], [0xe0, 0x01, 0x8d]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BrokerKeepalive {
    scanner: Scanner,
    newest: Newest,
    /// The last sign of life.
    heard_at: Instant,
    /// The start of the current window: the connection's, the CONNACK, or the end of a stall of
    /// ours.
    judged_from: Instant,
    /// The first byte of the packet under way.
    began_at: Instant,
    config: BrokerConfig,
    exchange: Exchange,
    /// PINGREQs that came before the CONNACK.
    owed: u16,
    /// Whether the server gives the keep alive.
    is_dictated: bool,
    /// Whether this silence has had its clean window.
    is_forgiven: bool,
}

impl BrokerKeepalive {
    /// A connection that was accepted at `now` and is to open with a CONNECT.
    ///
    /// # Errors
    /// [`ConfigError::TooShort`] for a connect timeout above zero and below 1 ms.
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
            newest: Newest::new(now),
            heard_at: now,
            judged_from: now,
            began_at: now,
            config,
            exchange: Exchange::new(),
            owed: 0,
            is_dictated: false,
            is_forgiven: false,
        })
    }

    /// Bytes came from the client at `now`. It reads to the end of one packet, so call it again
    /// with the rest.
    ///
    /// # Errors
    /// [`MqttError`] for bytes that a client may not send: a second CONNECT, a packet before
    /// CONNECT, anything malformed or too large. [`MqttError::KeepAlive`] for a CONNECT that the
    /// [`KeepAlivePolicy`] refuses. Answer with [`refusal`](Self::refusal) and close. Nothing
    /// expires after that, and every further call returns an error.
    pub fn on_receive(&mut self, bytes: &[u8], now: Instant) -> Result<FromClient, MqttError> {
        let now = self.advance(now);
        let began_here = self.scanner.is_at_border();
        let scanned = self.scanner.scan(bytes);
        let (consumed, packet) = scanned.inspect_err(|_| self.exchange.end())?;
        if began_here {
            self.began_at = now;
        }
        let counts = consumed > 0 && self.config.partial_packet != PartialPacket::Ignored;
        if packet.is_some() || counts {
            self.heard_at = now;
            self.is_forgiven = false;
        }
        match &packet {
            Some(Packet::Connect(connect)) => self.on_connect(connect)?,
            Some(Packet::Disconnect(_)) => self.exchange.end(),
            _ => {}
        }
        let reply = packet.as_ref().and_then(|packet| self.reply(packet));
        Ok(FromClient {
            consumed,
            packet,
            reply,
        })
    }

    /// The answer to `packet` that may go out now. The first packet from a server is CONNACK
    /// ([MQTT-3.2.0-1] of both versions).
    fn reply(&mut self, packet: &Packet) -> Option<[u8; 2]> {
        let reply = packet.reply().filter(|_| self.config.answer_pings)?;
        if self.exchange.is_accepted() {
            return Some(reply);
        }
        self.owed = self.owed.saturating_add(1);
        None
    }

    fn on_connect(&mut self, connect: &Connect) -> Result<(), MqttError> {
        let granted = self.config.grant(connect).inspect_err(|error| {
            self.exchange.end();
            self.scanner.fail(*error);
        })?;
        self.exchange.on_connect(granted.keep_alive);
        self.is_dictated = granted.is_dictated;
        Ok(())
    }

    /// A CONNACK went to the client at `now`: this side's own, or that of a server behind it, whose
    /// Server Keep Alive then counts ([MQTT-3.1.2-21] of MQTT 5). The 1.5 keep alives begin; a
    /// refusal ends the watch.
    ///
    /// Returns how many PINGRESPs to send behind the CONNACK: one for each PINGREQ that came before
    /// it, 65 535 at most.
    #[must_use = "a client that has asked waits for its answers"]
    pub fn on_connack(&mut self, ack: &ConnAck, now: Instant) -> u16 {
        let now = self.advance(now);
        if self.exchange.phase() != Phase::Asked {
            return 0;
        }
        self.exchange.on_connack(ack.code, ack.server_keep_alive);
        self.judged_from = now;
        match self.exchange.is_accepted() {
            true => std::mem::take(&mut self.owed),
            false => 0,
        }
    }

    /// The Server Keep Alive for the CONNACK to this client; `None` where the client's own counts,
    /// and before CONNECT.
    #[must_use]
    pub fn server_keep_alive(&self) -> Option<u16> {
        self.is_dictated.then_some(self.exchange.seconds())
    }

    /// The keep alive in force, in seconds; `None` before CONNECT and for off.
    #[must_use]
    pub fn keep_alive(&self) -> Option<u16> {
        self.exchange.keep_alive()
    }

    /// The time from the last sign of life to `now`.
    #[must_use]
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at)
    }

    /// The version of the connection; `None` before CONNECT.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.scanner.version()
    }

    /// The packet to send before closing for `error`, if there is one. Before the CONNACK it is a
    /// CONNACK that refuses, later a DISCONNECT with the reason. Before version 5 the second does
    /// not exist, and the first only for some errors ([`MqttError::return_code`]).
    #[must_use]
    pub fn refusal(&self, error: &MqttError) -> Option<Bytes> {
        if self.exchange.is_accepted() {
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
    /// [`KEEP_ALIVE_TIMEOUT`](super::reason::KEEP_ALIVE_TIMEOUT): a courtesy of version 5. `None`
    /// before that version, and before a CONNACK accepted the client ([MQTT-3.14.0-1] of MQTT 5).
    #[must_use]
    pub fn farewell(&self, reason: u8) -> Option<Bytes> {
        if self.version() != Some(Version::V5) || !self.exchange.is_accepted() {
            return None;
        }
        let mut out = BytesMut::new();
        Disconnect::new(reason).encode(Version::V5, &mut out).ok()?;
        Some(out.freeze())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    ///
    /// It may become earlier with a CONNECT or a CONNACK, and with the first byte of a packet where
    /// a least rate is asked for and keep alive is off. Else bytes only move it later: a timer that
    /// is set already may stay as it is, and when it fires, ask again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|due| due.at)
    }

    /// Time has moved to `now`. It returns a verdict once, and nothing after it. Close the
    /// connection as after a failure of the network, so that the will is published.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Expired> {
        let now = self.advance(now);
        let due = self.due().filter(|due| due.at <= now)?;
        let late = now.saturating_duration_since(due.at);
        let forgives = self.config.forgive_stall && !self.is_forgiven;
        if forgives && was_away_for(late, due.limit) {
            self.is_forgiven = true;
            self.judged_from = now;
            return None;
        }
        self.exchange.end();
        let under_way = self.scanner.under_way();
        let dead = |cause, since| Dead {
            cause,
            limit: due.limit,
            silent_for: now.saturating_duration_since(since),
            unanswered: 0,
            last_rtt: None,
        };
        let silent = dead(Cause::Silent, self.heard_at);
        let too_slow = dead(Cause::TooSlow, self.began_at);
        Some(match due.what {
            What::Connect => Expired::NoConnect {
                dead: under_way.map_or(silent, |_| too_slow),
            },
            What::Silence => Expired::Silent {
                keep_alive: self.exchange.seconds(),
                dead: silent,
            },
            What::Rate(rate) => Expired::TooSlow {
                received: under_way.map_or(0, |packet| packet.received),
                rate,
                dead: too_slow,
            },
        })
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.newest.advance(now)
    }

    fn due(&self) -> Option<Due> {
        if self.exchange.is_over() {
            return None;
        }
        match self.exchange.phase() {
            Phase::Opening => self.opening(),
            // It is our turn.
            Phase::Asked => None,
            Phase::Accepted => {
                let both = [self.silence(), self.slowness()];
                both.into_iter().flatten().min_by_key(|due| due.at)
            }
        }
    }

    fn opening(&self) -> Option<Due> {
        let limit = self.config.connect_timeout;
        Some(Due {
            what: What::Connect,
            at: later(self.judged_from, limit).filter(|_| !limit.is_zero())?,
            limit,
        })
    }

    /// 1.5 keep alives; `None` for off.
    fn silence_limit(&self) -> Option<Duration> {
        let seconds = self.exchange.keep_alive()?;
        Some(KeepaliveConfig::mqtt_broker(seconds).silence)
    }

    /// The silence limit is exclusive: a nanosecond more is silence.
    fn silence(&self) -> Option<Due> {
        let limit = self.silence_limit()?;
        let since = self.heard_at.max(self.judged_from);
        Some(Due {
            what: What::Silence,
            at: later(since, limit + Duration::from_nanos(1))?,
            limit,
        })
    }

    /// The bytes that came of the packet under way are enough until then.
    fn slowness(&self) -> Option<Due> {
        let PartialPacket::AtLeast(rate @ 1..) = self.config.partial_packet else {
            return None;
        };
        let received = self.scanner.under_way()?.received;
        let credit = match (self.silence_limit(), self.config.connect_timeout) {
            (Some(limit), _) => limit,
            (None, Duration::ZERO) => Self::CREDIT,
            (None, timeout) => timeout,
        };
        let limit = credit + Duration::from_secs(u64::from(received)) / rate;
        Some(Due {
            what: What::Rate(rate),
            at: later(self.began_at.max(self.judged_from), limit)?,
            limit,
        })
    }

    /// The credit of a packet where both keep alive and connect timeout are off.
    const CREDIT: Duration = Duration::from_secs(10);
}
