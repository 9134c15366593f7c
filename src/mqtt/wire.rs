//! [`Wire`]: keep alive below any MQTT library, client or broker.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::client::Askers;
use super::packet::borders::Borders;
use super::{ClientConfig, ConnAck, Connect, PINGREQ, PINGRESP, Packet, PacketType, Scanner};
use crate::io::Incoming;
use crate::keepalive::{Boundary, KeepaliveConfig, PingWhen, Proof};
use crate::seq::{Answers, Seq};

/// The packets of an MQTT connection, versions 3.1, 3.1.1 and 5, for
/// [`KeepaliveStream`](crate::io::KeepaliveStream): keep alive *below* any client or broker.
///
/// Wrap the socket (with `mqtts`, the TLS stream) and give it to the library. The configuration that
/// [`KeepaliveStream::new`](crate::io::KeepaliveStream::new) gets holds until the CONNECT has passed;
/// then what the CONNECT and the CONNACK say takes its place.
///
/// # A client's socket
/// * The keep alive is the CONNECT's, or the Server Keep Alive of the CONNACK ([MQTT-3.1.2-21] of MQTT
///   5); 0 is off in both. [`ClientConfig`] says the rest. Between CONNECT and CONNACK its
///   [`connect_timeout`](ClientConfig::connect_timeout) watches.
/// * A PINGREQ goes between two packets, never into one, when nothing has gone out for nine tenths of
///   the keep alive.
/// * As many PINGRESPs are taken out as PINGREQs were put in. Answers come in the order of the
///   questions, so those to the library's own PINGREQs pass, and a library that pings by itself is not
///   disturbed.
/// * After a DISCONNECT in either direction, and after a CONNACK that refuses, nothing is put in any
///   more. The peer has the [bound](KeepaliveConfig::detection_bound) that it had before to end the
///   connection, so closing does not hang on a dead link.
///
/// # A broker's socket
/// * A client that sends no byte for 1.5 keep alives is [`Silent`](crate::Cause::Silent):
///   [MQTT-3.1.2-24] of 3.1.1, [MQTT-3.1.2-22] of 5. Reads fail then, which to the library is a network
///   failure, and so it publishes the will. Never early, and a sixteenth of it late at most;
///   [`BrokerKeepalive`](super::BrokerKeepalive) is exact.
/// * The keep alive is the one in the CONNECT, or in the CONNACK that the library answers.
/// * Nothing is put in or taken out. PINGREQs pass, because every broker answers them, and two answers
///   to one question would be one too many.
/// * Until the CONNECT the configuration given watches:
///   `KeepaliveConfig::off().silence(Duration::from_secs(10))` is a limit for a client that connects
///   and says nothing.
///
/// # What is malformed
/// All of it passes untouched: the library above reads it too and is its judge. Faults in CONNECT or
/// CONNACK, or other packets in their place, and everything passes for ever, with no ping; behind them
/// only lengths are read, and a length of five bytes ends pings as a DISCONNECT does. There is no
/// error, and nothing is buffered but CONNECT and CONNACK (64 KiB at most, as
/// [`Limits`](super::Limits) has it) and the first byte of a PINGRESP.
///
/// ```
/// use liveness::io::KeepaliveStream;
/// use liveness::mqtt::{self, ClientConfig};
/// use liveness::{KeepaliveConfig, Tokio};
///
/// # async fn example(socket: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let wire = mqtt::Wire::client(ClientConfig::new());
/// let socket = KeepaliveStream::new(socket, wire, KeepaliveConfig::off(), Tokio)?;
/// // Give it to any MQTT client; when the broker is dead, reads fail with a verdict.
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Wire {
    role: Role,
    from_client: Stage,
    from_server: Stage,
    asked: Askers,
    keep_alive: u16,
    is_accepted: bool,
    is_over: bool,
    change: Option<Change>,
}

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy)]
enum Role {
    Client(ClientConfig),
    Broker,
}

/// How far one direction has come.
#[derive(Debug, Clone)]
enum Stage {
    /// Up to CONNECT or CONNACK.
    Handshake(Box<Scanner>),
    Packets(Borders),
    /// Nothing that could be followed.
    Other,
}

/// What the configuration is to be changed for.
#[derive(Debug, Clone, Copy)]
enum Change {
    Connecting,
    KeepAlive,
    Over,
    Other,
}

impl Wire {
    /// The client's side.
    ///
    /// ```
    /// use liveness::mqtt::{ClientConfig, Wire};
    /// let wire = Wire::client(ClientConfig::new());
    /// assert_eq!(wire.keep_alive(), None);
    /// ```
    #[must_use]
    pub fn client(config: ClientConfig) -> Self {
        Self::new(Role::Client(config))
    }

    /// The broker's side.
    ///
    /// ```
    /// use std::time::Duration;
    /// use liveness::io::KeepaliveStream;
    /// use liveness::{KeepaliveConfig, Tokio, mqtt};
    ///
    /// # async fn example(socket: tokio::net::TcpStream) -> Result<(), liveness::ConfigError> {
    /// let until_connect = KeepaliveConfig::off().silence(Duration::from_secs(10));
    /// let socket = KeepaliveStream::new(socket, mqtt::Wire::broker(), until_connect, Tokio)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn broker() -> Self {
        Self::new(Role::Broker)
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            from_client: Stage::Handshake(Box::new(Scanner::from_client())),
            from_server: Stage::Handshake(Box::new(Scanner::from_server())),
            asked: Askers::default(),
            keep_alive: 0,
            is_accepted: false,
            is_over: false,
            change: None,
        }
    }

    /// Starts behind the CONNACK: for a connection that was accepted before it was wrapped. The
    /// configuration that the stream gets is then the one in force, for a client
    /// [`ClientConfig::keepalive`], for a broker [`KeepaliveConfig::mqtt_broker`].
    ///
    /// ```
    /// use liveness::io::Wire as _;
    /// use liveness::mqtt::{ClientConfig, Wire};
    ///
    /// let config = ClientConfig::new();
    /// let wire = Wire::client(config).connected(60);
    /// assert!(wire.may_ping());
    /// # let (socket, _) = tokio::io::duplex(64);
    /// # use liveness::{Tokio, io::KeepaliveStream};
    /// # let _guard = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # let _guard = _guard.enter();
    /// let socket = KeepaliveStream::new(socket, wire, config.keepalive(60), Tokio)?;
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn connected(mut self, keep_alive: u16) -> Self {
        self.from_client = Stage::Packets(Borders::default());
        self.from_server = Stage::Packets(Borders::default());
        self.keep_alive = keep_alive;
        self.is_accepted = true;
        self
    }

    /// The keep alive in force, in seconds; `None` before CONNECT, and for off.
    ///
    /// ```
    /// use liveness::io::Wire as _;
    /// use liveness::mqtt::{ClientConfig, Wire};
    ///
    /// let mut wire = Wire::client(ClientConfig::new());
    /// wire.outgoing(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c");
    /// assert_eq!(wire.keep_alive(), Some(60));
    /// ```
    #[must_use]
    pub fn keep_alive(&self) -> Option<u16> {
        (self.keep_alive > 0).then_some(self.keep_alive)
    }

    /// Follows one direction to the next border or the end of the bytes.
    #[inline]
    fn follow(&mut self, by_client: bool, bytes: &[u8]) -> usize {
        let stage = match by_client {
            true => &mut self.from_client,
            false => &mut self.from_server,
        };
        match stage {
            Stage::Packets(borders) => {
                let begins = borders.is_at_border();
                let followed = borders.follow(bytes);
                if borders.is_lost() {
                    self.end();
                } else if let (true, Some(&first)) = (begins, bytes.first()) {
                    self.on_packet(by_client, first);
                }
                followed
            }
            Stage::Handshake(scanner) => match scanner.scan(bytes) {
                Ok((followed, packet)) => {
                    match packet {
                        Some(Packet::Connect(connect)) => self.on_connect(&connect),
                        Some(Packet::ConnAck(ack)) => self.on_connack(&ack),
                        _ => {}
                    }
                    followed
                }
                Err(_) => {
                    self.give_up();
                    bytes.len()
                }
            },
            Stage::Other => bytes.len(),
        }
    }

    /// A packet with this first byte begins.
    #[inline]
    fn on_packet(&mut self, by_client: bool, first: u8) {
        match PacketType::of(first) {
            PacketType::PingReq if by_client => self.asked.push(false),
            PacketType::PingResp if !by_client && !self.asked.is_next_ours() => {
                self.asked.pop();
            }
            PacketType::Disconnect => self.end(),
            _ => {}
        }
    }

    fn on_connect(&mut self, connect: &Connect) {
        self.from_client = Stage::Packets(Borders::default());
        if let Stage::Handshake(scanner) = &mut self.from_server {
            scanner.set_version(connect.version);
        }
        self.keep_alive = connect.keep_alive;
        self.change = Some(match self.role {
            Role::Client(_) if !self.is_accepted => Change::Connecting,
            _ => Change::KeepAlive,
        });
    }

    fn on_connack(&mut self, ack: &ConnAck) {
        self.from_server = Stage::Packets(Borders::default());
        if ack.code != 0 {
            return self.end();
        }
        self.is_accepted = true;
        self.keep_alive = ack.server_keep_alive.unwrap_or(self.keep_alive);
        if !self.is_over {
            self.change = Some(Change::KeepAlive);
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.change = Some(Change::Over);
        }
    }

    /// Whether the next byte that comes in begins a packet of the server's.
    #[inline]
    fn is_before_answer(&self) -> bool {
        matches!(&self.from_server, Stage::Packets(borders) if borders.is_at_border())
    }

    fn give_up(&mut self) {
        self.from_client = Stage::Other;
        self.from_server = Stage::Other;
        self.change = Some(Change::Other);
    }
}

impl crate::io::Wire for Wire {
    #[inline]
    fn outgoing(&mut self, bytes: &[u8]) -> usize {
        self.follow(matches!(self.role, Role::Client(_)), bytes)
    }

    fn may_ping(&self) -> bool {
        match (&self.role, &self.from_client) {
            (Role::Client(_), Stage::Packets(borders)) => {
                borders.is_at_border() && self.is_accepted && !self.is_over
            }
            _ => false,
        }
    }

    fn ping(&mut self, _seq: Seq, buf: &mut BytesMut) {
        self.asked.push(true);
        buf.put_slice(&PINGREQ);
    }

    #[inline]
    fn incoming(&mut self, bytes: &[u8]) -> Incoming {
        let by_client = matches!(self.role, Role::Broker);
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            if first == PINGRESP[0] && self.asked.is_next_ours() && self.is_before_answer() {
                match bytes.get(at + 1) {
                    Some(&second) if second != PINGRESP[1] => {}
                    _ if at > 0 => break,
                    None => return Incoming::More,
                    Some(_) => {
                        self.asked.pop();
                        return Incoming::Pong {
                            len: PINGRESP.len(),
                            answers: Answers::Oldest,
                        };
                    }
                }
            }
            at += self.follow(by_client, bytes.get(at..).unwrap_or_default());
        }
        Incoming::Pass(at)
    }

    #[inline]
    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        let change = self.change.take()?;
        Some(match (change, &self.role) {
            (Change::Connecting, Role::Client(client)) => client.connecting(),
            (Change::KeepAlive, Role::Client(client)) => client.keepalive(self.keep_alive),
            (Change::KeepAlive | Change::Connecting, Role::Broker) => {
                watching(config, self.keep_alive)
            }
            (Change::Over, _) => config.after_close(),
            // Nothing can be promised about it, and so nothing is judged.
            (Change::Other, Role::Client(_)) => watching(config, 0),
            (Change::Other, Role::Broker) => return None,
        })
    }
}

/// Nothing is asked; dead after more than 1.5 times `keep_alive` seconds without a byte, 0 for never.
fn watching(config: &KeepaliveConfig, keep_alive: u16) -> KeepaliveConfig {
    let limit = Duration::from_millis(u64::from(keep_alive) * 1500);
    config
        .ping_when(PingWhen::Never)
        .proof(Proof::AnyBytes)
        .silence(limit)
        .silence_boundary(Boundary::Exclusive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small() {
        assert!(size_of::<Wire>() <= 256, "{} bytes", size_of::<Wire>());
    }
}
