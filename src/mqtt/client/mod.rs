//! [`ClientKeepalive`]: a client's half of keep alive, on top of [`Keepalive`].
//!
//! It reads along in both directions. The keep alive stands in the CONNECT that goes out; the
//! CONNACK that comes in may override it.

mod config;

use std::time::{Duration, Instant};

use super::exchange::{Askers, Exchange};
use super::{Limits, MqttError, Packet, PacketType, Scanner, Version};
use crate::error::ConfigError;
use crate::keepalive::{Dead, Keepalive, KeepaliveEvent, Pong};
use crate::seq::{Answers, Seq};

pub use config::ClientConfig;

/// The answer of [`ClientKeepalive::on_receive`]: the bytes read, and their meaning.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use liveness::KeepaliveEvent;
/// use liveness::mqtt::{ClientConfig, ClientKeepalive, PINGREQ};
///
/// # let (start, second) = (Instant::now(), Duration::from_secs(1));
/// # let asked = start + 9 * second;
/// let mut client = ClientKeepalive::new(ClientConfig::new(), 0, start)?;
/// // Once the connection is accepted, both ask at the same time: this watch and the user.
/// # client.on_send(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c", start)?;
/// # client.on_receive(&[0x20, 0x02, 0x00, 0x00], start)?;
/// let Some(KeepaliveEvent::Ping(seq)) = client.handle_timeout(asked) else { panic!() };
/// client.on_ping_sent(seq, asked);
/// client.on_send(&PINGREQ, asked)?;
///
/// // Both answers come in one read.
/// let bytes = [0xd0, 0x00, 0xd0, 0x00];
/// let from = client.on_receive(&bytes, asked + second)?;
/// assert_eq!((from.consumed, from.is_ours, from.rtt), (2, true, Some(second)));
/// let from = client.on_receive(&bytes[2..], asked + second)?;
/// assert_eq!((from.consumed, from.is_ours, from.rtt), (2, false, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromServer {
    /// How many bytes were read: to the end of one packet, or all.
    pub consumed: usize,
    /// The packet that ended with them, if one did.
    pub packet: Option<Packet>,
    /// Whether they are, or begin, the PINGRESP to a PINGREQ of ours. The user of the connection
    /// did not ask, so keep them from it.
    pub is_ours: bool,
    /// The round trip of our PINGREQ, with its answer.
    pub rtt: Option<Duration>,
}

/// A client's half of keep alive.
///
/// Report the bytes of both directions as they pass the socket. Report *input first*, before it is
/// processed: a PINGRESP may stand behind thousands of messages that the program has not reached.
/// Then follow [`handle_timeout`](Self::handle_timeout): send a PINGREQ, or take the verdict.
/// Spurious, early and late calls are harmless; an older `now` counts as the newest seen. One
/// `ClientKeepalive` is for one connection.
///
/// * The keep alive is the CONNECT's, or the Server Keep Alive of the CONNACK ([MQTT-3.1.2-21] of
///   MQTT 5). 0 is off in both.
/// * It asks a tenth of the keep alive early, since the gap between the end of one packet and the
///   start of the next may not exceed it.
/// * Any byte from the broker is a sign of life, half a packet too.
/// * The user's own PINGREQs and ours are told apart by their order: one answer comes for each
///   question ([MQTT-3.12.4-1] of both versions). A broker that answers several questions with one
///   PINGRESP leaves ours open; with [`Proof::AnyBytes`](crate::Proof::AnyBytes) that is no
///   verdict.
/// * Pings begin with the CONNACK, because before it they are not always allowed ([MQTT-3.1.2-30]
///   of MQTT 5). Until then [`ClientConfig::connect_timeout`] watches.
/// * After a DISCONNECT in either direction, and after a CONNACK that refuses, there is no ping and
///   no verdict: a take-over (0x8E) is not a dead broker. The reason is in the packet.
///
/// ```
/// use std::time::{Duration, Instant};
/// use bytes::BytesMut;
/// use liveness::mqtt::{ClientConfig, ClientKeepalive, Connect, PINGRESP, Version};
/// use liveness::{Cause, KeepaliveEvent};
///
/// let start = Instant::now();
/// let at = |millis| start + Duration::from_millis(millis);
/// let mut client = ClientKeepalive::new(ClientConfig::new(), 0, start)?;
///
/// let mut connect = Connect::new(Version::V3_1_1, "meter 7");
/// connect.keep_alive = 10;
/// let mut bytes = BytesMut::new();
/// connect.encode(&mut bytes)?;
/// client.on_send(&bytes, at(0))?;
/// client.on_receive(&[0x20, 0x02, 0x00, 0x00], at(20))?;
///
/// // Nothing goes out for nine tenths of the keep alive: send a PINGREQ, and report its flush.
/// assert_eq!(client.poll_timeout(), Some(at(9000)));
/// let Some(KeepaliveEvent::Ping(seq)) = client.handle_timeout(at(9000)) else { panic!() };
/// assert!(client.may_ping());
/// client.on_ping_sent(seq, at(9001));
/// let from = client.on_receive(&PINGRESP, at(9031))?;
/// assert_eq!((from.is_ours, from.rtt), (true, Some(Duration::from_millis(30))));
///
/// // The next one is not answered within half a keep alive.
/// let Some(KeepaliveEvent::Ping(seq)) = client.handle_timeout(at(18_001)) else { panic!() };
/// client.on_ping_sent(seq, at(18_001));
/// let Some(KeepaliveEvent::Dead(dead)) = client.handle_timeout(at(23_001)) else { panic!() };
/// assert_eq!((dead.cause, dead.limit), (Cause::NoReply, Duration::from_secs(5)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientKeepalive {
    machine: Keepalive,
    outgoing: Scanner,
    incoming: Scanner,
    config: ClientConfig,
    exchange: Exchange,
    askers: Askers,
}

impl ClientKeepalive {
    /// A connection that is open since `now` and over which nothing has passed. The jitter is drawn
    /// from `seed`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work with any keep alive; its text names the
    /// values that disagree.
    pub fn new(config: ClientConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        // Whatever keep alive the packets bring later, it is of this kind.
        Keepalive::new(config.keepalive(1), seed, now)?;
        Keepalive::new(config.connecting(), seed, now)?;
        Ok(Self {
            machine: Keepalive::new(config.unconnected(), seed, now)?,
            // The limits are the broker's; the user's own packets may have any size.
            outgoing: Scanner::from_client().limits(Limits::new().kept(u32::MAX)),
            incoming: Scanner::from_server().limits(config.limits),
            config,
            exchange: Exchange::new(),
            askers: Askers::new(),
        })
    }

    /// These bytes of the user's were taken by the transport at `now`, all of them.
    ///
    /// # Errors
    /// [`MqttError`] for bytes that a client may not send. Borders are unknown from then on, so no
    /// ping can go out; received bytes are watched as before.
    pub fn on_send(&mut self, bytes: &[u8], now: Instant) -> Result<(), MqttError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.machine.on_send(now);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (consumed, packet) = self.outgoing.scan(rest)?;
            rest = rest.get(consumed..).unwrap_or_default();
            match packet {
                Some(Packet::Connect(connect)) => {
                    self.exchange.on_connect(connect.keep_alive);
                    self.incoming.set_version(connect.version);
                    // The wait for the CONNACK begins here, however long the connection stood open.
                    let (config, seed) = (self.config.connecting(), self.machine.seed());
                    if let Ok(machine) = Keepalive::new(config, seed, now) {
                        self.machine = machine;
                    }
                }
                Some(Packet::PingReq) => self.askers.push(false),
                Some(Packet::Disconnect(_)) => self.exchange.end(),
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes came from the broker at `now`. It reads to the end of one packet, so call it again
    /// with the rest.
    ///
    /// # Errors
    /// [`MqttError`] for bytes that a server may not send. They are a sign of life all the same.
    pub fn on_receive(&mut self, bytes: &[u8], now: Instant) -> Result<FromServer, MqttError> {
        if !bytes.is_empty() {
            self.machine.on_receive(now);
        }
        let (consumed, packet) = self.incoming.scan(bytes)?;
        let mut from = FromServer {
            consumed,
            packet,
            is_ours: false,
            rtt: None,
        };
        match &from.packet {
            Some(Packet::ConnAck(ack)) => {
                self.exchange.on_connack(ack.code, ack.server_keep_alive);
                if self.exchange.is_accepted() {
                    // `new` has refused every configuration that could be refused here.
                    let config = self.config.keepalive(self.exchange.seconds());
                    let _ = self.machine.set_config(config, now);
                }
            }
            Some(Packet::Disconnect(_)) => self.exchange.end(),
            Some(Packet::PingResp) => {
                from.is_ours = self.askers.pop();
                if from.is_ours {
                    from.rtt = match self.machine.on_pong(Answers::Oldest, now) {
                        Pong::Matched { rtt } => Some(rtt),
                        Pong::Untimed | Pong::Stale | Pong::Unsolicited => None,
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

    /// Bytes were offered to the transport at `now`, and it took none.
    pub fn on_write_blocked(&mut self, now: Instant) {
        self.machine.on_write_blocked(now);
    }

    /// The PINGREQ that [`handle_timeout`](Self::handle_timeout) asked for was flushed at `now`.
    /// Its answer is due from here on.
    pub fn on_ping_sent(&mut self, seq: Seq, now: Instant) {
        self.askers.push(true);
        self.machine.on_ping_sent(seq, now);
    }

    /// Asks at once, without waiting for the keep alive: after a resume, or on a network change.
    /// Does nothing before the CONNACK, and while a ping is open.
    pub fn probe_now(&mut self, now: Instant) {
        if self.exchange.may_ping() {
            self.machine.probe_now(now);
        }
    }

    /// Whether a PINGREQ may be put into the outgoing stream here. The connection is accepted and
    /// not ended, and the last byte that [`on_send`](Self::on_send) saw was the last of a packet.
    #[must_use]
    pub const fn may_ping(&self) -> bool {
        self.exchange.may_ping() && self.outgoing.is_at_border()
    }

    /// The keep alive in force, in seconds: the server's where it gave one, else the client's.
    /// `None` for off, and before CONNECT.
    #[must_use]
    pub fn keep_alive(&self) -> Option<u16> {
        self.exchange.keep_alive()
    }

    /// The version of the connection; `None` before CONNECT.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.outgoing.version()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    ///
    /// It may become earlier with a CONNECT or a CONNACK. Else bytes only move it later: a timer
    /// that is set already may stay as it is, and when it fires, ask again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.exchange.is_over() {
            true => None,
            false => self.machine.poll_timeout(),
        }
    }

    /// Time has moved to `now`. Call it until it returns `None`.
    ///
    /// [`KeepaliveEvent::Ping`]: put [`PINGREQ`](super::PINGREQ) into the stream, as soon as
    /// [`may_ping`](Self::may_ping), and report [`on_ping_sent`](Self::on_ping_sent).
    pub fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        match self.exchange.is_over() {
            true => None,
            false => self.machine.handle_timeout(now),
        }
    }

    /// The verdict, once it was passed.
    #[must_use]
    pub fn dead(&self) -> Option<Dead> {
        self.machine.dead()
    }
}
