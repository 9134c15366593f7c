//! [`Scanner`]: where the packets of a byte stream begin and end, and what they are.
//!
//! A packet's body is skipped by arithmetic. Only CONNECT, CONNACK and DISCONNECT are kept, within
//! a limit that is checked before the first byte of them is.

use super::connect::FixedHeader;
use super::rule::{self, Rule};
use super::write::varint_len;
use super::{
    ConnAck, Connect, Disconnect, Limits, MqttError, Packet, PacketType, UnderWay, Version,
};

/// The sender of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// How far this direction of the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before CONNECT, or before CONNACK.
    Opening,
    Open,
    /// Behind DISCONNECT.
    Closed,
}

/// The place in the current packet.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Between two packets.
    Border,
    /// In the fixed header, behind its first byte and `read` bytes of the remaining length.
    Length { first: u8, read: u8, value: u32 },
    /// Behind the fixed header of `header` bytes, before `missing` bytes.
    Body {
        first: u8,
        header: u8,
        size: u32,
        missing: u32,
    },
}

/// Finds the packets in one direction of a connection, in any chunking, without buffering them.
///
/// Each call of [`scan`](Self::scan) takes bytes of *one* packet and stops at its end. So the
/// caller knows where a packet ends, and where one of its own may be put in
/// ([`is_at_border`](Self::is_at_border)). To take a packet out, ask [`under_way`](Self::under_way)
/// to which packet the bytes belong.
///
/// It is strict about the fixed headers of all packets and about the side and the moment of each.
/// Every field of CONNECT, CONNACK and DISCONNECT is read, and every code must be one of its
/// packet's. Not checked is whether a reason code suits the side that sends it, and DUP without QoS
/// ([MQTT-3.3.1-2]): no border and no verdict depends on them. After an error the stream has no
/// borders any more, and every call returns that same error.
///
/// ```
/// use liveness::mqtt::{Packet, PacketType, Scanner, Version};
///
/// let mut scanner = Scanner::from_client();
/// let stream = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c\x30\x04\x00\x01ab\xc0\x00\x30\x04";
/// let (mut rest, mut seen) = (&stream[..], Vec::new());
/// while !rest.is_empty() {
///     let (consumed, packet) = scanner.scan(rest)?;
///     rest = &rest[consumed..];
///     seen.extend(packet.map(|packet| (consumed, packet.packet_type())));
/// }
/// assert_eq!(
///     seen,
///     [(15, PacketType::Connect), (6, PacketType::Publish), (2, PacketType::PingReq)],
/// );
/// assert_eq!(scanner.version(), Some(Version::V3_1_1));
///
/// // The next packet has begun, so nothing may be put in here.
/// assert!(!scanner.is_at_border());
/// let under_way = scanner.under_way().unwrap();
/// assert_eq!((under_way.packet_type, under_way.received), (PacketType::Publish, 2));
/// assert_eq!(
///     scanner.end().unwrap_err().to_string(),
///     "PUBLISH: the stream ended after 2 bytes of it",
/// );
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scanner {
    place: Place,
    phase: Phase,
    side: Side,
    version: Option<Version>,
    limits: Limits,
    /// The body of the packet that is under way, of those that are kept.
    kept: Vec<u8>,
    failed: Option<MqttError>,
}

impl Scanner {
    /// For a client's bytes. The first packet must be a CONNECT, which tells the version.
    #[must_use]
    pub const fn from_client() -> Self {
        Self::new(Side::Client)
    }

    /// For a server's bytes. The first packet must be a CONNACK; in version 5 AUTH may come before
    /// it.
    ///
    /// The CONNACK shows the version only by its length: two bytes before 5, more from there. Where
    /// the version is known, [`set_version`](Self::set_version) is stricter.
    #[must_use]
    pub const fn from_server() -> Self {
        Self::new(Side::Server)
    }

    const fn new(side: Side) -> Self {
        Self {
            place: Place::Border,
            phase: Phase::Opening,
            side,
            version: None,
            limits: Limits::new(),
            kept: Vec::new(),
            failed: None,
        }
    }

    /// Sets how much the peer may send at once. Default [`Limits::new`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Tells the version of the connection: the version in the other direction's CONNECT.
    pub const fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// The version of the connection, as far as known.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether the scanner stands between two packets, where a packet of one's own may be put in.
    /// `false` after an error.
    #[must_use]
    #[inline]
    pub const fn is_at_border(&self) -> bool {
        matches!(self.place, Place::Border) && self.failed.is_none()
    }

    /// The packet that is still arriving; `None` between packets.
    #[must_use]
    pub const fn under_way(&self) -> Option<UnderWay> {
        match self.place {
            Place::Border => None,
            Place::Length { first, read, .. } => Some(UnderWay {
                packet_type: PacketType::of(first),
                received: 1 + read as u32,
                size: None,
            }),
            Place::Body {
                first,
                size,
                missing,
                ..
            } => Some(UnderWay {
                packet_type: PacketType::of(first),
                received: size - missing,
                size: Some(size),
            }),
        }
    }

    /// Reads on to the end of one packet or of `bytes`, whichever comes first. Returns the number
    /// of bytes read, at least one if there is one, and the packet that ended with the last of
    /// them.
    ///
    /// # Errors
    /// [`MqttError::Broken`] and [`MqttError::TooLarge`], as soon as the offending byte is seen.
    /// All packets before it were returned by earlier calls.
    #[inline]
    pub fn scan(&mut self, bytes: &[u8]) -> Result<(usize, Option<Packet>), MqttError> {
        if let Some(found) = self.whole(bytes) {
            return Ok(found);
        }
        match self.failed {
            Some(error) => Err(error),
            None => self.step(bytes).inspect_err(|error| self.fail(*error)),
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// [`MqttError::Truncated`] inside a packet; the error of [`scan`](Self::scan) after one.
    pub fn end(&self) -> Result<(), MqttError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.under_way() {
            None => Ok(()),
            Some(packet) => Err(MqttError::Truncated {
                packet: packet.packet_type,
                received: packet.received,
            }),
        }
    }

    /// The common case: an open connection, and a packet that is none of ours and stands in `bytes`
    /// from its first byte to its last. Anything else, faults too, is left to `step`.
    #[inline]
    fn whole(&self, bytes: &[u8]) -> Option<(usize, Option<Packet>)> {
        if self.phase != Phase::Open || !matches!(self.place, Place::Border) {
            return None;
        }
        let &[first, a, ref rest @ ..] = bytes else {
            return None;
        };
        if !is_plain(first) || self.failed.is_some() {
            return None;
        }
        let (mut size, mut header) = (u32::from(a & 0x7f), 2);
        if a & 0x80 != 0 {
            let &[b, ref rest @ ..] = rest else {
                return None;
            };
            (size, header) = (size | u32::from(b & 0x7f) << 7, 3);
            if b & 0x80 != 0 {
                let &c = rest.first()?;
                (size, header) = (size | u32::from(c) << 14, 4);
                if c == 0 || c & 0x80 != 0 {
                    return None;
                }
            } else if b == 0 {
                return None;
            }
        }
        let size = size + header;
        if size > self.limits.packet || size as usize > bytes.len() {
            return None;
        }
        Some((size as usize, Some(Packet::Other(PacketType::of(first)))))
    }

    /// One step from any place.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, Option<Packet>), MqttError> {
        let mut consumed = 0;
        while let Some(&byte) = bytes.get(consumed) {
            match self.place {
                Place::Border => {
                    self.begin(byte)?;
                    self.place = Place::Length {
                        first: byte,
                        read: 0,
                        value: 0,
                    };
                    consumed += 1;
                }
                Place::Length { first, read, value } => {
                    consumed += 1;
                    self.place = self.length(first, read, value, byte)?;
                }
                Place::Body { .. } => break,
            }
            if matches!(self.place, Place::Body { missing: 0, .. }) {
                break;
            }
        }
        let rest = bytes.get(consumed..).unwrap_or_default();
        let (taken, packet) = self.body(rest)?;
        Ok((consumed + taken, packet))
    }

    /// Ends the stream with an error: every further call returns it.
    pub(in crate::mqtt) fn fail(&mut self, error: MqttError) {
        self.failed = Some(error);
        self.kept = Vec::new();
    }

    /// Judges a packet by its first byte.
    fn begin(&self, first: u8) -> Result<(), MqttError> {
        let packet = PacketType::of(first);
        let [by_client, by_server] = turns(packet);
        let (turn, foreign, too_early, again) = match self.side {
            Side::Client => (
                by_client,
                &rule::NOT_FROM_CLIENT,
                &rule::FIRST_CONNECT,
                &rule::SECOND_CONNECT,
            ),
            Side::Server => (
                by_server,
                &rule::NOT_FROM_SERVER,
                &rule::FIRST_CONNACK,
                &rule::SECOND_CONNACK,
            ),
        };
        let is_before_5 = self.version.is_none_or(|version| version < Version::V5);
        let rule = match (packet, turn, self.phase) {
            (PacketType::Reserved, ..) => &rule::RESERVED_TYPE,
            (PacketType::Auth, ..) if is_before_5 && self.version.is_some() => &rule::AUTH_BEFORE_5,
            (_, _, Phase::Closed) => &rule::AFTER_DISCONNECT,
            (_, Turn::Never, _) => foreign,
            (_, Turn::Later, Phase::Opening) => too_early,
            (_, Turn::First, Phase::Open) => again,
            (PacketType::Disconnect, ..) if is_before_5 && self.side == Side::Server => {
                &rule::SERVER_DISCONNECT_BEFORE_5
            }
            (PacketType::Publish, ..) if first & 0b0110 == 0b0110 => &rule::PUBLISH_QOS,
            _ if !self.has_right_flags(packet, first) => &rule::RESERVED_FLAGS,
            _ => return Ok(()),
        };
        Err(self.broken(packet, rule, 0))
    }

    fn has_right_flags(&self, packet: PacketType, first: u8) -> bool {
        let flags = first & 0x0f;
        match packet {
            // Flags of its own.
            PacketType::Publish => true,
            // Judged by its decoder, which knows the version.
            PacketType::Connect => true,
            // 3.1 reserves no bits, and repeats SUBSCRIBE and others with DUP set.
            _ if self.version == Some(Version::V3_1) => true,
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => flags == 0b0010,
            _ => flags == 0,
        }
    }

    /// Takes one byte of the remaining length.
    fn length(&mut self, first: u8, read: u8, value: u32, byte: u8) -> Result<Place, MqttError> {
        let packet = PacketType::of(first);
        let value = value | u32::from(byte & 0x7f) << (7 * read);
        let read = read + 1;
        if byte & 0x80 != 0 {
            if read == 4 {
                return Err(self.broken(packet, &rule::INTEGER_TOO_LONG, 1));
            }
            return Ok(Place::Length { first, read, value });
        }
        if self.version == Some(Version::V5) && read != varint_len(value) {
            return Err(self.broken(packet, &rule::INTEGER_NOT_SHORTEST, 1));
        }
        if value > 0 && matches!(packet, PacketType::PingReq | PacketType::PingResp) {
            return Err(self.broken(packet, &rule::PING_BODY, 1));
        }
        let header = read + 1;
        let size = value + u32::from(header);
        let limit = match is_kept(packet) {
            true => self.limits.for_kept(),
            false => self.limits.packet,
        };
        if size > limit {
            return Err(MqttError::TooLarge {
                packet,
                size,
                limit,
            });
        }
        Ok(Place::Body {
            first,
            header,
            size,
            missing: value,
        })
    }

    /// Takes bytes of the body, which may have none.
    fn body(&mut self, bytes: &[u8]) -> Result<(usize, Option<Packet>), MqttError> {
        let Place::Body {
            first,
            header,
            size,
            missing,
        } = self.place
        else {
            return Ok((0, None));
        };
        let packet = PacketType::of(first);
        let taken = bytes.len().min(missing as usize);
        let (now, _) = bytes.split_at(taken);
        let missing = missing - taken as u32;
        if missing > 0 {
            if is_kept(packet) {
                self.kept.extend_from_slice(now);
            }
            self.place = Place::Body {
                first,
                header,
                size,
                missing,
            };
            return Ok((taken, None));
        }
        self.place = Place::Border;
        let whole = match packet {
            PacketType::PingReq => Packet::PingReq,
            PacketType::PingResp => Packet::PingResp,
            _ if !is_kept(packet) => self.pass(packet),
            _ if self.kept.is_empty() => self.decode(first, header, now)?,
            _ => {
                let mut body = std::mem::take(&mut self.kept);
                body.extend_from_slice(now);
                self.decode(first, header, &body)?
            }
        };
        Ok((taken, Some(whole)))
    }

    fn pass(&mut self, packet: PacketType) -> Packet {
        if packet == PacketType::Auth {
            self.version = Some(Version::V5);
        }
        Packet::Other(packet)
    }

    fn decode(&mut self, first: u8, header: u8, body: &[u8]) -> Result<Packet, MqttError> {
        match PacketType::of(first) {
            PacketType::Connect => {
                let header = FixedHeader {
                    len: header,
                    flags: first & 0x0f,
                    is_shortest: header == 1 + varint_len(body.len() as u32),
                };
                let connect = Connect::decode(header, body)?;
                self.version = Some(connect.version);
                self.phase = Phase::Open;
                Ok(Packet::Connect(Box::new(connect)))
            }
            PacketType::ConnAck => {
                let (version, ack) = ConnAck::decode(self.version, header, body)?;
                self.version = self.version.or(Some(version));
                self.phase = Phase::Open;
                Ok(Packet::ConnAck(Box::new(ack)))
            }
            _ => {
                let disconnect = Disconnect::decode(self.side, self.version, header, body)?;
                self.phase = Phase::Closed;
                Ok(Packet::Disconnect(Box::new(disconnect)))
            }
        }
    }

    const fn broken(&self, packet: PacketType, rule: &'static Rule, at: u32) -> MqttError {
        MqttError::Broken {
            packet,
            rule,
            at,
            version: self.version,
        }
    }
}

/// When a side may send a packet.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Never,
    /// It opens the stream, and comes once.
    First,
    /// Behind the packet that opens the stream.
    Later,
    Any,
}

/// When the client and the server may send a packet: table 2.1 of 3.1.1, table 2-1 of 5.
const fn turns(packet: PacketType) -> [Turn; 2] {
    use Turn::{Any, First, Later, Never};
    match packet {
        PacketType::Reserved => [Never, Never],
        PacketType::Connect => [First, Never],
        PacketType::ConnAck => [Never, First],
        PacketType::Auth => [Later, Any],
        PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq => [Later, Never],
        PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => [Never, Later],
        PacketType::Publish
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubRel
        | PacketType::PubComp
        | PacketType::Disconnect => [Later, Later],
    }
}

const fn is_kept(packet: PacketType) -> bool {
    matches!(
        packet,
        PacketType::Connect | PacketType::ConnAck | PacketType::Disconnect
    )
}

/// Whether a packet with this first byte is right in every version and from both sides, and needs
/// no look at its body.
const fn is_plain(first: u8) -> bool {
    match PacketType::of(first) {
        PacketType::Publish => first & 0b0110 != 0b0110,
        PacketType::PubAck | PacketType::PubRec | PacketType::PubComp => first & 0x0f == 0,
        PacketType::PubRel => first & 0x0f == 0b0010,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory follows what came, not what was announced, and goes when the packet is done.
    #[test]
    fn announcements_reserve_nothing() {
        let mut scanner = Scanner::from_client();
        // 384 KiB, just within the limit.
        assert!(scanner.scan(&[0x10, 0xfc, 0xff, 0x17]).is_ok());
        assert_eq!(scanner.kept.capacity(), 0);
        for received in 1..5000 {
            assert_eq!(scanner.scan(&[0x00]), Ok((1, None)));
            assert!(scanner.kept.capacity() <= 16.max(2 * received));
        }
        assert!(scanner.scan(&vec![0x00; 384 * 1024]).is_err());
        assert_eq!(scanner.kept.capacity(), 0);
    }

    /// A body that nobody needs is not kept, however it comes.
    #[test]
    fn bodies_are_not_kept() {
        let mut scanner = Scanner::from_client();
        let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c";
        for byte in connect {
            assert!(scanner.scan(&[*byte]).is_ok());
        }
        assert_eq!(scanner.kept.capacity(), 0);
        assert!(scanner.scan(&[0x30, 0xff, 0xff, 0xff, 0x7f]).is_ok());
        for _ in 0..100 {
            assert_eq!(scanner.scan(&[0; 1000]), Ok((1000, None)));
            assert_eq!(scanner.kept.capacity(), 0);
        }
    }
}
