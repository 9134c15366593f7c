//! [`Wire`]: keep alive below any MQTT library, client or broker.

use bytes::{BufMut, BytesMut};

use super::exchange::{Askers, Exchange, Phase};
use super::packet::borders::Borders;
use super::packet::front::{Found, Front};
use super::{ClientConfig, PINGREQ, PINGRESP, PacketType};
use crate::io::{Incoming, Stage};
use crate::keepalive::KeepaliveConfig;
use crate::seq::{Answers, Seq};

/// The packets of an MQTT connection, versions 3.1, 3.1.1 and 5, for
/// [`KeepaliveStream`](crate::io::KeepaliveStream): keep alive *below* any client or broker.
///
/// Wrap the socket (with `mqtts`, the TLS stream) and give it to the library. The configuration
/// given to [`KeepaliveStream::new`](crate::io::KeepaliveStream::new) holds until the CONNECT has
/// passed. Then the CONNECT and the CONNACK decide.
///
/// # A client's socket
/// * The keep alive is the CONNECT's, or the Server Keep Alive of the CONNACK ([MQTT-3.1.2-21] of
///   MQTT 5); 0 is off in both. All else is in [`ClientConfig`]. Between CONNECT and CONNACK its
///   [`connect_timeout`](ClientConfig::connect_timeout) watches.
/// * A PINGREQ goes between two packets, never into one, when nothing has gone out for nine tenths
///   of the keep alive.
/// * As many PINGRESPs are taken out as PINGREQs were put in. Answers come in the order of the
///   questions, one for each ([MQTT-3.12.4-1] of both versions). So the answers to the library's
///   own PINGREQs pass, and a library that pings by itself is not disturbed.
/// * A broker that answers several PINGREQs with one PINGRESP breaks that rule. Its answer goes to
///   the oldest question, ours or the library's, and the others stay open.
/// * After a DISCONNECT in either direction, and after a CONNACK that refuses, nothing is put in.
///   The peer has the [bound](KeepaliveConfig::detection_bound) from before to end the connection,
///   so closing does not hang on a dead link.
///
/// # A broker's socket
/// * A client that sends no byte for 1.5 keep alives is [`Silent`](crate::Cause::Silent):
///   [MQTT-3.1.2-24] of 3.1.1, [MQTT-3.1.2-22] of 5. Reads fail then, as after a failure of the
///   network, and so the library publishes the will. Never early, and a sixteenth of it late at
///   most; [`BrokerKeepalive`](super::BrokerKeepalive) is exact.
/// * The keep alive is the CONNECT's, or the Server Keep Alive of the library's CONNACK. The time
///   begins with the CONNACK: while the library decides, nothing is judged.
/// * Nothing is put in or taken out. PINGREQs pass, because every broker answers them, and two
///   answers to one question would be one too many.
/// * Until the CONNECT the given configuration watches:
///   `KeepaliveConfig::off().silence(Duration::from_secs(10))` is a limit for a client that
///   connects and says nothing.
///
/// # Bytes that are not MQTT
/// Every byte passes untouched: the library above reads it too and is its judge. CONNECT and
/// CONNACK may have any size, and nothing of them is kept but the field under way. If another
/// packet is in their place, or one without a name, a level and a keep alive, everything passes
/// from there on and nothing is judged. Behind them only lengths are read; a length of five bytes
/// ends pings as a DISCONNECT does. There is no error.
///
/// ```
/// use liveness::io::KeepaliveStream;
/// use liveness::mqtt::{self, ClientConfig};
/// use liveness::{Cause, Dead, KeepaliveConfig, Tokio};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build()?.block_on(async {
/// let (socket, mut broker) = tokio::io::duplex(1024);
/// let wire = mqtt::Wire::client(ClientConfig::new());
/// let mut socket = KeepaliveStream::new(socket, wire, KeepaliveConfig::off(), Tokio)?;
///
/// // The library connects, with a keep alive of 60 s, and is accepted.
/// socket.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c").await?;
/// broker.read_exact(&mut [0; 15]).await?;
/// broker.write_all(b"\x20\x02\x00\x00").await?;
/// socket.read_exact(&mut [0; 4]).await?;
/// assert_eq!(socket.wire().keep_alive(), Some(60));
///
/// // It has nothing to say, and waits. Below it a PINGREQ goes out; no answer comes.
/// let error = socket.read(&mut [0; 100]).await.unwrap_err();
/// let mut ping = [0; 2];
/// broker.read_exact(&mut ping).await?;
/// assert_eq!(ping, mqtt::PINGREQ);
/// assert_eq!(Dead::find(&error).unwrap().cause, Cause::NoReply);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Wire {
    role: Role,
    from_client: Course,
    from_server: Course,
    exchange: Exchange,
    askers: Askers,
    /// Whether the configuration is to follow the exchange.
    is_changed: bool,
}

/// This end of the connection.
#[derive(Debug, Clone, Copy)]
enum Role {
    Client(ClientConfig),
    Broker,
}

/// How far one direction has come.
#[derive(Debug, Clone, Copy)]
enum Course {
    /// Up to the end of CONNECT or CONNACK.
    Handshake {
        borders: Borders,
        /// The CONNECT or CONNACK under way.
        front: Option<Front>,
    },
    Packets(Borders),
    /// Not MQTT.
    Other,
}

impl Course {
    fn handshake() -> Self {
        Self::Handshake {
            borders: Borders::default(),
            front: None,
        }
    }

    fn packets() -> Self {
        Self::Packets(Borders::default())
    }

    /// Whether the next byte begins a packet behind the handshake.
    #[inline]
    const fn is_between_packets(&self) -> bool {
        matches!(self, Self::Packets(borders) if borders.is_at_border())
    }
}

impl Wire {
    /// The client's side.
    #[must_use]
    pub fn client(config: ClientConfig) -> Self {
        Self::new(Role::Client(config))
    }

    /// The broker's side.
    #[must_use]
    pub fn broker() -> Self {
        Self::new(Role::Broker)
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            from_client: Course::handshake(),
            from_server: Course::handshake(),
            exchange: Exchange::new(),
            askers: Askers::new(),
            is_changed: false,
        }
    }

    /// Starts behind the CONNACK: for a connection that was accepted before it was wrapped. Give
    /// the stream the configuration in force: for a client [`ClientConfig::keepalive`], for a
    /// broker [`KeepaliveConfig::mqtt_broker`].
    #[must_use]
    pub fn connected(mut self, keep_alive: u16) -> Self {
        self.from_client = Course::packets();
        self.from_server = Course::packets();
        self.exchange = Exchange::accepted(keep_alive);
        self
    }

    /// The keep alive in force, in seconds; `None` before CONNECT, and for off.
    #[must_use]
    pub fn keep_alive(&self) -> Option<u16> {
        self.exchange.keep_alive()
    }

    const fn stage(&mut self, by_client: bool) -> &mut Course {
        match by_client {
            true => &mut self.from_client,
            false => &mut self.from_server,
        }
    }

    /// Follows one direction to the next border or the end of the bytes.
    #[inline]
    fn follow(&mut self, by_client: bool, bytes: &[u8]) -> usize {
        match self.stage(by_client) {
            Course::Packets(borders) => {
                let begins = borders.is_at_border();
                let followed = borders.follow(bytes);
                if borders.is_lost() {
                    self.end();
                } else if let (true, Some(&first)) = (begins, bytes.first()) {
                    self.on_packet(by_client, first);
                }
                followed
            }
            Course::Handshake { .. } => self.shake(by_client, bytes),
            Course::Other => bytes.len(),
        }
    }

    /// A packet with this first byte begins, behind the handshake.
    #[inline]
    fn on_packet(&mut self, by_client: bool, first: u8) {
        match PacketType::of(first) {
            PacketType::PingReq if by_client => self.askers.push(false),
            PacketType::PingResp if !by_client && !self.askers.is_next_ours() => {
                self.askers.pop();
            }
            PacketType::Disconnect => self.end(),
            _ => {}
        }
    }

    /// Follows one direction up to CONNECT or CONNACK.
    fn shake(&mut self, by_client: bool, bytes: &[u8]) -> usize {
        let Course::Handshake { borders, front } = self.stage(by_client) else {
            return bytes.len();
        };
        let begins = borders.is_at_border();
        let followed = borders.follow(bytes);
        let mut piece = bytes.get(..followed).unwrap_or(bytes);
        if let (true, &[first, ref rest @ ..]) = (begins, piece) {
            piece = rest;
            *front = match (PacketType::of(first), by_client) {
                (PacketType::Connect, true) => Some(Front::connect()),
                (PacketType::ConnAck, false) => Some(Front::connack()),
                // In version 5 it may come before CONNACK.
                (PacketType::Auth, false) => None,
                _ => return self.give_up(bytes),
            };
        }
        if let Some(front) = front {
            front.follow(piece);
        }
        if borders.is_lost() {
            return self.give_up(bytes);
        }
        if let (true, Some(front)) = (borders.is_at_border(), front) {
            match front.found() {
                Some(found) => self.on_found(found),
                None => return self.give_up(bytes),
            }
        }
        followed
    }

    fn on_found(&mut self, found: Found) {
        self.is_changed = !self.exchange.is_over();
        match found {
            Found::Connect { keep_alive } => {
                self.from_client = Course::packets();
                self.exchange.on_connect(keep_alive);
            }
            Found::ConnAck {
                code,
                server_keep_alive,
            } => {
                self.from_server = Course::packets();
                self.exchange.on_connack(code, server_keep_alive);
            }
        }
    }

    fn end(&mut self) {
        if !self.exchange.is_over() {
            self.exchange.end();
            self.is_changed = true;
        }
    }

    /// It is not MQTT: all of `bytes` passes, and everything behind them.
    fn give_up(&mut self, bytes: &[u8]) -> usize {
        self.from_client = Course::Other;
        self.from_server = Course::Other;
        self.is_changed = true;
        bytes.len()
    }
}

impl crate::io::Wire for Wire {
    #[inline]
    fn outgoing(&mut self, bytes: &[u8]) -> usize {
        self.follow(matches!(self.role, Role::Client(_)), bytes)
    }

    fn may_ping(&self) -> bool {
        matches!(self.role, Role::Client(_))
            && self.from_client.is_between_packets()
            && self.exchange.may_ping()
    }

    fn ping(&mut self, _seq: Seq, buf: &mut BytesMut) {
        self.askers.push(true);
        buf.put_slice(&PINGREQ);
    }

    #[inline]
    fn incoming(&mut self, bytes: &[u8]) -> Incoming {
        let by_client = matches!(self.role, Role::Broker);
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            let may_be_ours = first == PINGRESP[0] && self.askers.is_next_ours();
            if may_be_ours && self.from_server.is_between_packets() {
                match bytes.get(at + 1) {
                    Some(&second) if second != PINGRESP[1] => {}
                    _ if at > 0 => break,
                    None => return Incoming::More,
                    Some(_) => {
                        self.askers.pop();
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
    fn stage(&self) -> Stage {
        match self.from_client {
            Course::Other => Stage::Foreign,
            Course::Handshake { .. } | Course::Packets(_) => Stage::Open,
        }
    }

    #[inline]
    fn has_news(&self) -> bool {
        self.is_changed
    }

    #[inline]
    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let seconds = self.exchange.seconds();
        Some(match (self.exchange.phase(), &self.role) {
            _ if matches!(self.from_client, Course::Other) => watching(config, 0),
            _ if self.exchange.is_over() => config.unasked(),
            (Phase::Opening, _) => return None,
            (Phase::Asked, Role::Client(client)) => client.connecting(),
            (Phase::Accepted, Role::Client(client)) => client.keepalive(seconds),
            // It is the library's turn.
            (Phase::Asked, Role::Broker) => watching(config, 0),
            (Phase::Accepted, Role::Broker) => watching(config, seconds),
        })
    }
}

/// `config` with the limits of a broker for a keep alive of `seconds`, 0 for off.
fn watching(config: &KeepaliveConfig, seconds: u16) -> KeepaliveConfig {
    let broker = KeepaliveConfig::mqtt_broker(seconds);
    config
        .ping_when(broker.ping_when)
        .proof(broker.proof)
        .silence(broker.silence)
        .silence_boundary(broker.silence_boundary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small() {
        assert!(size_of::<Wire>() <= 256, "{} bytes", size_of::<Wire>());
    }
}
