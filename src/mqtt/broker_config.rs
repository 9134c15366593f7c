//! [`BrokerConfig`]: how a broker watches its clients.

use std::time::Duration;

use super::{Connect, Limits, MqttError, Version};

/// What keep alive a broker grants.
///
/// Version 5 has Server Keep Alive, which the client must obey. A client before it cannot be told: its
/// own value counts, and one that asks for too much is refused with return code 2, as Mosquitto has it
/// ([`MqttError::KeepAlive`]).
///
/// ```
/// # use liveness::mqtt::{BrokerConfig, KeepAlivePolicy};
/// let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::AtMost(600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "theirs, theirs within bounds, ours: a closed sum"
)]
pub enum KeepAlivePolicy {
    /// What the client asks for, off included.
    #[default]
    AsAsked,
    /// What the client asks for, up to so many seconds. More, or off, becomes exactly that for a
    /// client of version 5, and a refusal for others. 0 is no bound.
    AtMost(u16),
    /// So many seconds for every client of version 5, 0 for off; for others as
    /// [`AtMost`](Self::AtMost).
    Exactly(u16),
}

/// Whether a packet that is still arriving is a sign of life.
///
/// The specification counts packets. A large packet on a slow link takes longer than 1.5 keep alives
/// all the same, and its sender is alive; but a sender of one byte a minute must not hold a slot for
/// ever.
///
/// ```
/// # use liveness::mqtt::{BrokerConfig, PartialPacket};
/// let config = BrokerConfig::new().partial_packet(PartialPacket::AtLeast(128));
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
    /// Any byte of it counts while it comes at so many bytes a second, measured from its first byte
    /// and with one limit (1.5 keep alives, or the connect timeout where keep alive is off) of credit.
    AtLeast(u32),
    /// Only whole packets count.
    Ignored,
}

/// How a broker watches its clients. One value for all of them.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`keep_alive`](Self::keep_alive) | `AsAsked` | what keep alive is granted |
/// | [`partial_packet`](Self::partial_packet) | `Counts` | whether a packet under way is a sign of life |
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | the time for a whole CONNECT |
/// | [`limits`](Self::limits) | 256 MiB, 64 KiB | how much a client may send at once |
/// | [`answer_pings`](Self::answer_pings) | yes | whether PINGREQ gets an answer |
/// | [`forgive_stall`](Self::forgive_stall) | yes | one clean window after *our own* pause |
///
/// ```
/// use std::time::Duration;
/// use liveness::mqtt::{BrokerConfig, KeepAlivePolicy, PartialPacket};
///
/// const CONFIG: BrokerConfig = BrokerConfig::new()
///     .keep_alive(KeepAlivePolicy::AtMost(600))
///     .partial_packet(PartialPacket::AtLeast(128))
///     .connect_timeout(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerConfig {
    pub(super) keep_alive: KeepAlivePolicy,
    pub(super) partial_packet: PartialPacket,
    pub(super) connect_timeout: Duration,
    pub(super) limits: Limits,
    pub(super) answer_pings: bool,
    pub(super) forgive_stall: bool,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl BrokerConfig {
    /// The defaults in the [table above](Self).
    ///
    /// ```
    /// # use liveness::mqtt::BrokerConfig;
    /// assert_eq!(BrokerConfig::new(), BrokerConfig::default());
    /// ```
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

    /// What keep alive is granted. Default [`KeepAlivePolicy::AsAsked`].
    ///
    /// ```
    /// # use liveness::mqtt::{BrokerConfig, KeepAlivePolicy};
    /// let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::Exactly(60));
    /// # assert_ne!(config, BrokerConfig::new());
    /// ```
    #[must_use]
    pub const fn keep_alive(mut self, policy: KeepAlivePolicy) -> Self {
        self.keep_alive = policy;
        self
    }

    /// Whether a packet that is still arriving is a sign of life. Default [`PartialPacket::Counts`].
    ///
    /// ```
    /// # use liveness::mqtt::{BrokerConfig, PartialPacket};
    /// let literal = BrokerConfig::new().partial_packet(PartialPacket::Ignored);
    /// # assert_ne!(literal, BrokerConfig::new());
    /// ```
    #[must_use]
    pub const fn partial_packet(mut self, policy: PartialPacket) -> Self {
        self.partial_packet = policy;
        self
    }

    /// The time for a whole CONNECT, from the start; at least 1 ms, zero is off. Default 10 s, as
    /// RabbitMQ has it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::mqtt::BrokerConfig;
    /// let patient = BrokerConfig::new().connect_timeout(Duration::from_secs(90));
    /// # assert_ne!(patient, BrokerConfig::new());
    /// ```
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How much a client may send at once. Default [`Limits::new`].
    ///
    /// ```
    /// # use liveness::mqtt::{BrokerConfig, Limits};
    /// let config = BrokerConfig::new().limits(Limits::new().packet(1 << 20));
    /// # assert_ne!(config, BrokerConfig::new());
    /// ```
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether [`FromClient::reply`](super::FromClient::reply) is set for a PINGREQ. Default yes, as [MQTT-3.12.4-1] of both
    /// versions demands; no, to test how a client takes it, or where another party answers.
    ///
    /// ```
    /// # use liveness::mqtt::BrokerConfig;
    /// let mute = BrokerConfig::new().answer_pings(false);
    /// # assert_ne!(mute, BrokerConfig::new());
    /// ```
    #[must_use]
    pub const fn answer_pings(mut self, answer: bool) -> Self {
        self.answer_pings = answer;
        self
    }

    /// What to do when a deadline is seen much too late, by more than a quarter of the limit, since
    /// then it was *this* side that was away: with `true`, the default, the client gets one more
    /// window per silence; with `false` it is expired at once.
    ///
    /// ```
    /// # use liveness::mqtt::BrokerConfig;
    /// let merciless = BrokerConfig::new().forgive_stall(false);
    /// # assert_ne!(merciless, BrokerConfig::new());
    /// ```
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

/// What a CONNECT was granted.
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
