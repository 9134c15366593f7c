//! [`ClientKeepalive`]: a client's half of keep alive, on top of [`Keepalive`].
//!
//! It reads along in both directions: the keep alive stands in the CONNECT that goes out, and the
//! server's own, which overrides it, in the CONNACK that comes in.

use std::time::{Duration, Instant};

use super::{Limits, MqttError, Packet, PacketType, Scanner, Version};
use crate::error::ConfigError;
use crate::jitter::Jitter;
use crate::keepalive::{Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, PingWhen, Pong, Proof};
use crate::seq::{Answers, Seq};
use crate::time::shorter;

/// How a client keeps its connection alive. The keep alive itself is in its CONNECT.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`ping_when`](Self::ping_when) | `EitherIdle` | what the keep alive is counted from |
/// | [`proof`](Self::proof) | `AnyBytes` | what proves that the broker lives |
/// | [`reply_timeout`](Self::reply_timeout) | half the keep alive, at least 1 s | the time for a PINGRESP |
/// | [`max_unanswered`](Self::max_unanswered) | 1 | unanswered pings until the verdict |
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | the time for a CONNACK |
/// | [`write_stall`](Self::write_stall) | 30 s | bytes offered, and none taken for that long |
/// | [`jitter`](Self::jitter) | none | spreads many clients |
/// | [`limits`](Self::limits) | 256 MiB, 64 KiB | how much the broker may send at once |
///
/// With the defaults a dead broker is found 1.4 keep alives after its last byte, and within 1.9 s for
/// a keep alive of 1 s.
///
/// ```
/// use std::time::Duration;
/// use liveness::mqtt::ClientConfig;
///
/// const CONFIG: ClientConfig = ClientConfig::new().reply_timeout(Duration::from_secs(5));
/// assert_eq!(CONFIG.detection_bound(60), Some(Duration::from_secs(54 + 5)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientConfig {
    ping_when: PingWhen,
    proof: Proof,
    reply_timeout: Duration,
    max_unanswered: u32,
    connect_timeout: Duration,
    write_stall: Duration,
    jitter: Jitter,
    limits: Limits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientConfig {
    /// The defaults in the [table above](Self).
    ///
    /// ```
    /// # use liveness::mqtt::ClientConfig;
    /// assert_eq!(ClientConfig::new(), ClientConfig::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ping_when: PingWhen::EitherIdle,
            proof: Proof::AnyBytes,
            reply_timeout: Duration::ZERO,
            max_unanswered: 1,
            connect_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            jitter: Jitter::NONE,
            limits: Limits::new(),
        }
    }

    /// What the keep alive is counted from. Default [`PingWhen::EitherIdle`].
    ///
    /// Pings are left out while packets pass in *both* directions.
    ///
    /// * `EitherIdle`: from the last packet out, and from the last byte in, whichever is longer ago, as
    ///   Paho and libmosquitto have it. The first keeps the promise to the broker; the second notices
    ///   a dead broker while messages with QoS 0, which nobody answers, keep going out.
    /// * `SendIdle`: from the last packet out only, all that the specification demands
    ///   ([MQTT-3.1.2-23] of 3.1.1, [MQTT-3.1.2-20] of 5). Steady publishing then hides a dead broker.
    /// * `Always`: at fixed times, whatever the traffic.
    /// * `RecvIdle` and `Never` break the promise to a broker: for tests, and for clients that send
    ///   PINGREQ by themselves.
    ///
    /// ```
    /// # use liveness::{PingWhen, mqtt::ClientConfig};
    /// let config = ClientConfig::new().ping_when(PingWhen::SendIdle);
    /// assert_eq!(config.detection_bound(60), None);
    /// ```
    #[must_use]
    pub const fn ping_when(mut self, when: PingWhen) -> Self {
        self.ping_when = when;
        self
    }

    /// What proves that the broker lives. Default [`Proof::AnyBytes`].
    ///
    /// With `PongOnly` a broker that delivers messages and answers no PINGREQ is dead; so is one whose
    /// PINGRESP queues behind messages for longer than the reply timeout.
    ///
    /// ```
    /// # use liveness::{Proof, mqtt::ClientConfig};
    /// let config = ClientConfig::new().proof(Proof::PongOnly);
    /// # assert_ne!(config, ClientConfig::new());
    /// ```
    #[must_use]
    pub const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// The time for a PINGRESP, counted from the moment the PINGREQ was flushed; at least 1 ms.
    ///
    /// The specification asks for "a reasonable amount of time". The default, which zero stands for,
    /// is half the keep alive and at least a second, as MQTT.js has it; many other clients take a
    /// whole keep alive. That is also the most: no PINGREQ goes out while one is open, so a longer
    /// time is cut to the keep alive, or the promise to the broker would be broken.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::mqtt::ClientConfig;
    /// let config = ClientConfig::new().reply_timeout(Duration::from_secs(3));
    /// assert_eq!(config.detection_bound(10), Some(Duration::from_secs(9 + 3)));
    /// ```
    #[must_use]
    pub const fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// How many pings in a row may go unanswered, the last of which is the verdict; at least 1.
    /// Default 1.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::mqtt::ClientConfig;
    /// let config = ClientConfig::new().max_unanswered(2);
    /// assert_eq!(config.detection_bound(10), Some(Duration::from_secs(9 + 2 * 5)));
    /// ```
    #[must_use]
    pub const fn max_unanswered(mut self, pings: u32) -> Self {
        self.max_unanswered = pings;
        self
    }

    /// The time for the first byte in return to CONNECT, and for each next one up to the CONNACK; at
    /// least 1 ms, zero is off. Default 10 s.
    ///
    /// A stopped broker's kernel still accepts connections, and a keep alive of 0 would never find
    /// out.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::mqtt::ClientConfig;
    /// let config = ClientConfig::new().connect_timeout(Duration::from_secs(3));
    /// # assert_ne!(config, ClientConfig::new());
    /// ```
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Dead when bytes were offered to the broker and none was taken for that long; at least 1 ms,
    /// zero is off. Default 30 s.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::mqtt::ClientConfig;
    /// let config = ClientConfig::new().write_stall(Duration::from_secs(5));
    /// # assert_ne!(config, ClientConfig::new());
    /// ```
    #[must_use]
    pub const fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = limit;
        self
    }

    /// How much of the time before a PINGREQ is left to chance. Default [`Jitter::NONE`].
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// How much the broker may send at once. Default [`Limits::new`].
    ///
    /// ```
    /// # use liveness::mqtt::{ClientConfig, Limits};
    /// let config = ClientConfig::new().limits(Limits::new().packet(1 << 20));
    /// # assert_ne!(config, ClientConfig::new());
    /// ```
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What an accepted connection with a keep alive of `seconds` runs on: the preset
    /// [`KeepaliveConfig::mqtt_client`] with these settings.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{KeepaliveConfig, mqtt::ClientConfig};
    /// assert_eq!(ClientConfig::new().keepalive(60), KeepaliveConfig::mqtt_client(60));
    /// ```
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
        if self.reply_timeout.is_zero() {
            return config;
        }
        let whole = Duration::from_secs(seconds as u64);
        config.reply_timeout(match shorter(self.reply_timeout, whole) {
            true => self.reply_timeout,
            false => whole,
        })
    }

    /// The longest time from the broker's last proof of life to the verdict, at a keep alive of
    /// `seconds`; see [`KeepaliveConfig::detection_bound`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::mqtt::ClientConfig;
    /// assert_eq!(ClientConfig::new().detection_bound(60), Some(Duration::from_secs(54 + 30)));
    /// assert_eq!(ClientConfig::new().detection_bound(0), None);
    /// ```
    #[must_use]
    pub const fn detection_bound(&self, seconds: u16) -> Option<Duration> {
        self.keepalive(seconds).detection_bound()
    }

    /// Before CONNECT.
    const fn unconnected(&self) -> KeepaliveConfig {
        KeepaliveConfig::off().write_stall(self.write_stall)
    }

    /// Between CONNECT and CONNACK.
    pub(super) const fn connecting(&self) -> KeepaliveConfig {
        self.unconnected().silence(self.connect_timeout)
    }
}

/// What [`ClientKeepalive::on_receive`] made of some bytes.
///
/// ```
/// # use liveness::mqtt::FromServer;
/// fn pass_on(bytes: &[u8], from: &FromServer, reader: &mut Vec<u8>) {
///     if !from.is_ours {
///         reader.extend_from_slice(&bytes[..from.consumed]);
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromServer {
    /// How many bytes were read: up to the end of one packet, or all.
    pub consumed: usize,
    /// The packet that ended there, if one did.
    pub packet: Option<Packet>,
    /// Whether those bytes are, or begin, the PINGRESP to a PINGREQ of ours, which the user of the
    /// connection knows nothing of.
    pub is_ours: bool,
    /// The round trip of our PINGREQ, when this was its answer.
    pub rtt: Option<Duration>,
}

/// Who asked, for each PINGREQ that is not answered yet, oldest first. Answers come in the same order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Askers {
    /// One bit each, the oldest lowest; set for ours.
    ours: u64,
    open: u8,
}

impl Askers {
    /// Remembers a PINGREQ. The 65th that is open is not remembered: its answer counts as the user's.
    pub(super) fn push(&mut self, is_ours: bool) {
        if self.open < 64 {
            self.ours |= u64::from(is_ours) << self.open;
            self.open += 1;
        }
    }

    pub(super) const fn is_next_ours(self) -> bool {
        self.ours & 1 == 1
    }

    pub(super) fn pop(&mut self) -> bool {
        let is_ours = self.is_next_ours();
        self.ours >>= 1;
        self.open = self.open.saturating_sub(1);
        is_ours
    }
}

/// A client's half of keep alive.
///
/// Report the bytes of both directions as they pass the socket, *input first* and before they are
/// processed: a PINGRESP may stand behind thousands of messages that the program has not got to. Then
/// do what [`handle_timeout`](Self::handle_timeout) returns: send a PINGREQ, or take the verdict.
/// Spurious, early and late calls are harmless; an older `now` counts as the newest seen. One
/// `ClientKeepalive` is for one connection.
///
/// * The keep alive is the CONNECT's, or the Server Keep Alive of the CONNACK ([MQTT-3.1.2-21] of
///   MQTT 5), 0 meaning off in both.
/// * It asks a tenth of the keep alive early, since the gap between the end of one packet and the
///   start of the next may not exceed it. A PINGREQ can only stand between two packets: see
///   [`may_ping`](Self::may_ping).
/// * Any byte from the broker is a sign of life, half a packet too.
/// * Pings begin with the CONNACK: before it they are not always allowed ([MQTT-3.1.2-30] of MQTT 5).
///   Until then [`ClientConfig::connect_timeout`] watches.
/// * After a DISCONNECT in either direction, and after a CONNACK that refuses, there is no ping and no
///   verdict: a take-over (0x8E) is not a dead broker. The reason is in the packet.
///
/// ```
/// use std::time::{Duration, Instant};
/// use bytes::BytesMut;
/// use liveness::{KeepaliveEvent, mqtt::{ClientConfig, ClientKeepalive, Connect, PINGRESP, Version}};
///
/// let start = Instant::now();
/// let at = |millis| start + Duration::from_millis(millis);
/// let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, start)?;
///
/// let mut connect = Connect::new(Version::V3_1_1, "meter 7");
/// connect.keep_alive = 10;
/// let mut bytes = BytesMut::new();
/// connect.encode(&mut bytes)?;
/// keep_alive.on_send(&bytes, at(0))?;
/// keep_alive.on_receive(&[0x20, 0x02, 0x00, 0x00], at(20))?;
///
/// // Nothing goes out for nine tenths of the keep alive: send a PINGREQ, and say when it was flushed.
/// assert_eq!(keep_alive.poll_timeout(), Some(at(9000)));
/// let Some(KeepaliveEvent::Ping(seq)) = keep_alive.handle_timeout(at(9000)) else { panic!() };
/// keep_alive.on_ping_sent(seq, at(9001));
///
/// let from = keep_alive.on_receive(&PINGRESP, at(9031))?;
/// assert!(from.is_ours);
/// assert_eq!(from.rtt, Some(Duration::from_millis(30)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientKeepalive {
    keepalive: Keepalive,
    outgoing: Scanner,
    incoming: Scanner,
    config: ClientConfig,
    askers: Askers,
    keep_alive: u16,
    is_accepted: bool,
    is_over: bool,
}

impl ClientKeepalive {
    /// A connection that is open since `now` and over which nothing has passed.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work with any keep alive; its text names the
    /// values that disagree.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// let config = ClientConfig::new().max_unanswered(0);
    /// assert_eq!(
    ///     ClientKeepalive::new(config, 0, Instant::now()).unwrap_err().to_string(),
    ///     "max_unanswered is 0: the first ping would be a verdict; the least is 1",
    /// );
    /// ```
    pub fn new(config: ClientConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        // Whatever keep alive the packets bring later, it is of this kind.
        Keepalive::new(config.keepalive(1), seed, now)?;
        Keepalive::new(config.connecting(), seed, now)?;
        Ok(Self {
            keepalive: Keepalive::new(config.unconnected(), seed, now)?,
            outgoing: Scanner::from_client(),
            incoming: Scanner::from_server().limits(config.limits),
            config,
            askers: Askers::default(),
            keep_alive: 0,
            is_accepted: false,
            is_over: false,
        })
    }

    /// These bytes of the user's were taken by the transport at `now`, all of them.
    ///
    /// # Errors
    /// [`MqttError`] when they are not what a client may send. Borders are unknown from then on, so no
    /// ping can go out; what is received is watched as before.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// # let now = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, now)?;
    /// keep_alive.on_send(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c", now)?;
    /// assert_eq!(keep_alive.keep_alive(), Some(60));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_send(&mut self, bytes: &[u8], now: Instant) -> Result<(), MqttError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.keepalive.on_send(now);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (consumed, packet) = self.outgoing.scan(rest)?;
            rest = rest.get(consumed..).unwrap_or_default();
            match packet {
                Some(Packet::Connect(connect)) => {
                    self.keep_alive = connect.keep_alive;
                    self.incoming.set_version(connect.version);
                    // The wait for the CONNACK begins here, however long the connection stood open.
                    let (config, seed) = (self.config.connecting(), self.keepalive.seed());
                    if let Ok(keepalive) = Keepalive::new(config, seed, now) {
                        self.keepalive = keepalive;
                    }
                }
                Some(Packet::PingReq) => self.askers.push(false),
                Some(Packet::Disconnect(_)) => self.is_over = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes came from the broker at `now`: reads on to the end of one packet, so call it again with
    /// the rest.
    ///
    /// # Errors
    /// [`MqttError`] for what a server may not send. The bytes are a sign of life all the same.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// # let now = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, now)?;
    /// assert_eq!(
    ///     keep_alive.on_receive(&[0xc0, 0x00], now).unwrap_err().to_string(),
    ///     "PINGREQ: a packet that only a client sends, at byte 0 \
    ///      ([MQTT-4.8.0-1], table 2.1 of MQTT 3.1.1, section 2.1.2, table 2-1 of MQTT 5)",
    /// );
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_receive(&mut self, bytes: &[u8], now: Instant) -> Result<FromServer, MqttError> {
        if !bytes.is_empty() {
            self.keepalive.on_receive(now);
        }
        let (consumed, packet) = self.incoming.scan(bytes)?;
        let mut from = FromServer {
            consumed,
            packet,
            is_ours: false,
            rtt: None,
        };
        match &from.packet {
            Some(Packet::ConnAck(ack)) if ack.code == 0 => {
                self.is_accepted = true;
                self.keep_alive = ack.server_keep_alive.unwrap_or(self.keep_alive);
                // Refused only for what `new` refused.
                let config = self.config.keepalive(self.keep_alive);
                let _ = self.keepalive.set_config(config, now);
            }
            Some(Packet::ConnAck(_) | Packet::Disconnect(_)) => self.is_over = true,
            Some(Packet::PingResp) => {
                from.is_ours = self.askers.pop();
                if from.is_ours {
                    from.rtt = match self.keepalive.on_pong(Answers::Oldest, now) {
                        Pong::Matched { rtt } => Some(rtt),
                        Pong::Stale | Pong::Unsolicited => None,
                    };
                }
            }
            None => from.is_ours = self.is_receiving_ours(),
            Some(_) => {}
        }
        Ok(from)
    }

    /// Whether a part of a PINGRESP to a PINGREQ of ours has come.
    fn is_receiving_ours(&self) -> bool {
        let under_way = self.incoming.under_way();
        self.askers.is_next_ours()
            && under_way.is_some_and(|packet| packet.packet_type == PacketType::PingResp)
    }

    /// Bytes were offered to the transport at `now` and it took none.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{KeepaliveEvent, mqtt::{ClientConfig, ClientKeepalive}};
    /// # let start = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, start)?;
    /// keep_alive.on_write_blocked(start);
    /// let event = keep_alive.handle_timeout(start + Duration::from_secs(30));
    /// assert!(matches!(event, Some(KeepaliveEvent::Dead(_))));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_write_blocked(&mut self, now: Instant) {
        self.keepalive.on_write_blocked(now);
    }

    /// The PINGREQ that [`handle_timeout`](Self::handle_timeout) asked for was flushed at `now`: its
    /// answer is due from here on.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::{Seq, mqtt::{ClientConfig, ClientKeepalive}};
    /// # let now = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, now)?;
    /// keep_alive.on_ping_sent(Seq::new(7), now); // never asked for: its answer is taken out, no more
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_ping_sent(&mut self, seq: Seq, now: Instant) {
        self.askers.push(true);
        self.keepalive.on_ping_sent(seq, now);
    }

    /// Asks at once, without waiting for the keep alive: after a resume, or on a network change. Does
    /// nothing before the CONNACK, and while a ping is open.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// # let now = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, now)?;
    /// keep_alive.probe_now(now);
    /// assert_eq!(keep_alive.handle_timeout(now), None); // not connected
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn probe_now(&mut self, now: Instant) {
        if self.is_accepted && !self.is_over {
            self.keepalive.probe_now(now);
        }
    }

    /// Whether a PINGREQ may be put into the outgoing stream here: the connection is accepted and not
    /// ended, and the last byte that [`on_send`](Self::on_send) saw was the last of a packet.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// # let now = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, now)?;
    /// keep_alive.on_send(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c", now)?;
    /// keep_alive.on_receive(&[0x20, 0x02, 0x00, 0x00], now)?;
    /// assert!(keep_alive.may_ping());
    /// keep_alive.on_send(&[0x30, 0x7f, 0x00], now)?; // the beginning of a PUBLISH
    /// assert!(!keep_alive.may_ping());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn may_ping(&self) -> bool {
        self.is_accepted && !self.is_over && self.outgoing.is_at_border()
    }

    /// The keep alive in force, in seconds: the server's where it gave one, else the client's; `None`
    /// for off, and before CONNECT.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// let keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keep_alive.keep_alive(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn keep_alive(&self) -> Option<u16> {
        (self.keep_alive > 0).then_some(self.keep_alive)
    }

    /// The version that the connection speaks; `None` before CONNECT.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// let keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keep_alive.version(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.outgoing.version()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    ///
    /// It may become earlier with a CONNECT or a CONNACK. Else passing bytes only move it later: a timer
    /// that is set already may stay as it is, and when it fires, ask again.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// let keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keep_alive.poll_timeout(), None); // no CONNECT, no promise
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.is_over {
            true => None,
            false => self.keepalive.poll_timeout(),
        }
    }

    /// Time has moved to `now`. Call it until it returns `None`.
    ///
    /// [`KeepaliveEvent::Ping`]: put [`PINGREQ`](super::PINGREQ) into the stream, as soon as
    /// [`may_ping`](Self::may_ping), and report [`on_ping_sent`](Self::on_ping_sent).
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Cause, KeepaliveEvent, mqtt::{ClientConfig, ClientKeepalive}};
    /// # let start = Instant::now();
    /// # let mut keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, start)?;
    /// keep_alive.on_send(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c", start)?;
    /// // The broker accepted the connection, or its kernel did; a CONNACK never comes.
    /// let event = keep_alive.handle_timeout(start + Duration::from_secs(10));
    /// let Some(KeepaliveEvent::Dead(dead)) = event else { panic!() };
    /// assert_eq!(dead.cause, Cause::Silent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        match self.is_over {
            true => None,
            false => self.keepalive.handle_timeout(now),
        }
    }

    /// The verdict, once it was passed.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{ClientConfig, ClientKeepalive};
    /// let keep_alive = ClientKeepalive::new(ClientConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keep_alive.dead(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn dead(&self) -> Option<Dead> {
        self.keepalive.dead()
    }
}
