//! [`BrokerConfig`]: how a broker watches its clients.

use std::time::Duration;

use crate::mqtt::{Connect, Limits, MqttError, Version};

/// The keep alive that a broker grants.
///
/// Version 5 has Server Keep Alive, which the client must obey. Before it there is no way to tell a
/// client another value: its own counts, and a value that is too long is refused with return code
/// 2, as in Mosquitto ([`MqttError::KeepAlive`]).
///
/// ```
/// # use bytes::BytesMut;
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive, Connect, KeepAlivePolicy, Version};
///
/// // What a client is told that asks for no keep alive at all.
/// let told = |policy, version| {
///     # let start = std::time::Instant::now();
///     let config = BrokerConfig::new().keep_alive(policy);
///     let mut watch = BrokerKeepalive::new(config, start).unwrap();
///     let mut connect = Connect::new(version, "meter 7");
///     connect.keep_alive = 0;
///     # let mut bytes = BytesMut::new();
///     connect.encode(&mut bytes)?;
///     watch.on_receive(&bytes, start).map(|_| watch.server_keep_alive())
/// };
/// assert_eq!(told(KeepAlivePolicy::AsAsked, Version::V5), Ok(None));
/// assert_eq!(told(KeepAlivePolicy::AtMost(60), Version::V5), Ok(Some(60)));
/// assert!(told(KeepAlivePolicy::AtMost(60), Version::V3_1_1).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "theirs, theirs within bounds, ours: a closed sum"
)]
pub enum KeepAlivePolicy {
    /// The client's own, off included.
    #[default]
    AsAsked,
    /// The client's own, up to so many seconds; 0 is no bound. A longer one, or off, becomes
    /// exactly the bound for a client of version 5, and a refusal for others.
    AtMost(u16),
    /// So many seconds for every client of version 5, 0 for off; for others as
    /// [`AtMost`](Self::AtMost).
    Exactly(u16),
}

/// Whether a packet that is still arriving is a sign of life.
///
/// The specification counts packets ([MQTT-3.1.2-24] of 3.1.1, [MQTT-3.1.2-22] of 5). But a large
/// packet on a slow link may take longer than 1.5 keep alives, and its sender is alive. The price
/// of the default is a client that sends a byte now and then and never a packet. It costs the
/// broker no more than a client that sends PINGREQ.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive, ConnAck, PartialPacket};
///
/// # let (start, second) = (Instant::now(), Duration::from_secs(1));
/// // When a client with a keep alive of 2 s expires, whose packet comes to a halt after 2 s.
/// let expires = |policy| {
///     let config = BrokerConfig::new().partial_packet(policy);
///     let mut watch = BrokerKeepalive::new(config, start).unwrap();
///     watch.on_receive(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x02\x00\x01c", start).unwrap();
///     let _ = watch.on_connack(&ConnAck::new(0), start);
///     watch.on_receive(b"\x30\x64\x00\x05topic", start + 2 * second).unwrap();
///     watch.poll_timeout()
/// };
/// # let nanosecond = Duration::from_nanos(1);
/// assert_eq!(expires(PartialPacket::Counts), Some(start + 5 * second + nanosecond));
/// assert_eq!(expires(PartialPacket::Ignored), Some(start + 3 * second + nanosecond));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "always, fast enough, never: closed"
)]
pub enum PartialPacket {
    /// Any byte of it counts.
    #[default]
    Counts,
    /// Any byte of it counts while it comes at so many bytes a second. The rate is measured from
    /// its first byte, with one limit of credit: 1.5 keep alives, or the connect timeout where keep
    /// alive is off.
    AtLeast(u32),
    /// Only whole packets count.
    Ignored,
}

/// How a broker watches its clients. One value for all of them.
///
/// The fields are public; each has a setter of the same name.
///
/// | field | default | meaning |
/// | --- | --- | --- |
/// | [`keep_alive`](Self#structfield.keep_alive) | `AsAsked` | the keep alive that is granted |
/// | [`partial_packet`](Self#structfield.partial_packet) | `Counts` | whether half a packet is a sign of life |
/// | [`connect_timeout`](Self#structfield.connect_timeout) | 10 s | the time for a whole CONNECT |
/// | [`limits`](Self#structfield.limits) | 256 MiB, 384 KiB | how much a client may send at once |
/// | [`answer_pings`](Self#structfield.answer_pings) | yes | whether PINGREQ gets an answer |
/// | [`forgive_stall`](Self#structfield.forgive_stall) | yes | one clean window after *our own* pause |
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive, KeepAlivePolicy, PartialPacket};
///
/// const CONFIG: BrokerConfig = BrokerConfig::new()
///     .keep_alive(KeepAlivePolicy::AtMost(60))
///     .partial_packet(PartialPacket::AtLeast(128))
///     .connect_timeout(Duration::from_secs(5));
///
/// let start = Instant::now();
/// let mut watch = BrokerKeepalive::new(CONFIG, start)?;
/// assert_eq!(watch.poll_timeout(), Some(start + CONFIG.connect_timeout));
/// // A client of version 5 asks for 61 s, and is to be told 60.
/// watch.on_receive(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3d\x00\x00\x01c", start)?;
/// assert_eq!(watch.server_keep_alive(), Some(60));
///
/// // A client of version 3.1.1 cannot be told.
/// let mut watch = BrokerKeepalive::new(CONFIG, start)?;
/// let asked = watch.on_receive(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3d\x00\x01c", start);
/// assert_eq!(watch.refusal(&asked.unwrap_err()).unwrap()[..], [0x20, 0x02, 0x00, 0x02]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// The keep alive that is granted. Default [`KeepAlivePolicy::AsAsked`].
    pub keep_alive: KeepAlivePolicy,
    /// Whether a packet that is still arriving is a sign of life. Default
    /// [`PartialPacket::Counts`].
    pub partial_packet: PartialPacket,
    /// The time for a whole CONNECT, from the start; at least 1 ms, zero is off. Default 10 s, as
    /// in RabbitMQ.
    pub connect_timeout: Duration,
    /// How much a client may send at once. Default [`Limits::new`].
    pub limits: Limits,
    /// Whether a PINGREQ gets an answer. Default yes, as [MQTT-3.12.4-1] of both versions demands.
    /// No, to test a client, or where another party answers.
    pub answer_pings: bool,
    /// Whether a client gets one clean window when a deadline is seen late by more than a quarter
    /// of its limit, since then *this* side was away. Once per silence. Default yes; with no the
    /// client expires at once.
    pub forgive_stall: bool,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl BrokerConfig {
    /// The defaults in the [table above](Self).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keep_alive: KeepAlivePolicy::AsAsked,
            partial_packet: PartialPacket::Counts,
            connect_timeout: Duration::from_secs(10),
            limits: Limits::new(),
            answer_pings: true,
            forgive_stall: true,
        }
    }

    /// Sets [`keep_alive`](Self#structfield.keep_alive).
    #[must_use]
    pub const fn keep_alive(mut self, policy: KeepAlivePolicy) -> Self {
        self.keep_alive = policy;
        self
    }

    /// Sets [`partial_packet`](Self#structfield.partial_packet).
    #[must_use]
    pub const fn partial_packet(mut self, policy: PartialPacket) -> Self {
        self.partial_packet = policy;
        self
    }

    /// Sets [`connect_timeout`](Self#structfield.connect_timeout).
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`limits`](Self#structfield.limits).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`answer_pings`](Self#structfield.answer_pings).
    #[must_use]
    pub const fn answer_pings(mut self, answer: bool) -> Self {
        self.answer_pings = answer;
        self
    }

    /// Sets [`forgive_stall`](Self#structfield.forgive_stall).
    #[must_use]
    pub const fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// The keep alive for a client that sent `connect`.
    pub(super) fn grant(&self, connect: &Connect) -> Result<Grant, MqttError> {
        let asked = connect.keep_alive;
        let is_v5 = connect.version == Version::V5;
        let within = |most| most == 0 || (1..=most).contains(&asked);
        match self.keep_alive {
            KeepAlivePolicy::Exactly(seconds) if is_v5 => Ok(Grant::dictated(seconds)),
            KeepAlivePolicy::AtMost(most) if is_v5 && !within(most) => Ok(Grant::dictated(most)),
            KeepAlivePolicy::AtMost(most) | KeepAlivePolicy::Exactly(most) if !within(most) => {
                Err(MqttError::KeepAlive { asked, most })
            }
            _ => Ok(Grant {
                keep_alive: asked,
                is_dictated: false,
            }),
        }
    }
}

/// The answer to the keep alive in a CONNECT.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    pub(super) keep_alive: u16,
    pub(super) is_dictated: bool,
}

impl Grant {
    const fn dictated(keep_alive: u16) -> Self {
        Self {
            keep_alive,
            is_dictated: true,
        }
    }
}
