//! [`Wire`]: ping and pong frames below any WebSocket library.

mod borders;
mod upgrade;

use std::hash::{BuildHasher, RandomState};

use bytes::{BufMut, BytesMut};

use crate::io::Incoming;
use crate::keepalive::{KeepaliveConfig, PingWhen, Proof};
use crate::seq::{Answers, Seq};
use borders::Borders;
use upgrade::{Head, Progress};

/// FIN and the opcode of a ping.
const PING: u8 = 0x89;
/// FIN and the opcode of a pong.
const PONG: u8 = 0x8a;
/// Set in the second byte of a frame that is masked.
const MASKED: u8 = 0x80;
/// What our pings carry first; the nonce and the number follow, eight bytes each.
const MARK: [u8; 4] = *b"live";
/// The payload of our pings.
const PAYLOAD: usize = 20;
/// As much of it as is the same in all pings of one connection.
const PREFIX: usize = 12;

/// The frames of a WebSocket connection (RFC 6455), for [`KeepaliveStream`](crate::io::KeepaliveStream):
/// heartbeats *below* any WebSocket library.
///
/// Wrap the socket (with `wss`, the TLS stream) and give it to the library:
/// `tokio_tungstenite::client_async`, `accept_async`, or any other.
///
/// # What passes where
/// * Before the HTTP upgrade has passed in both directions nothing is put in or taken out. A response
///   other than 101, or a head above 64 KiB, and everything passes for ever.
/// * A ping goes between two frames, also between the fragments of a message (5.4), never into one.
///   A client's is masked.
/// * A pong is taken out if it carries what one of our pings carried, which no other has: a mark, a
///   nonce of this connection, and the ping's number. All other pings and pongs pass: the library
///   above answers the peer's pings and sends its own as before. One pong answers all earlier pings
///   (5.5.3).
/// * Once a Close frame has begun, in either direction, no ping is put in: the peer need not answer
///   any more. Instead the peer has the [bound](KeepaliveConfig::detection_bound) that it had before
///   to say something, so closing does not hang on a dead link.
///
/// # What is malformed
/// All of it passes untouched, because the library above reads it too and is its judge, and because
/// the borders stay known: control frames above 125 bytes or in fragments, reserved opcodes and bits,
/// lengths in more bytes than they need, 64-bit lengths (also with the highest bit set: then no border
/// comes, so no ping is put in), a mask where there should be none or none where there should be one,
/// a Close between fragments, an upgrade that is cut off. There is no error and nothing is buffered
/// but the first bytes of a pong that may be ours, at most 25.
///
/// # Whose life
/// A pong proves that the peer's WebSocket library runs. A browser answers from its network process,
/// even while the page is frozen; what proves a page's life is a text heartbeat of its script.
///
/// ```
/// use liveness::Dead;
/// use liveness::io::KeepaliveStream;
/// use liveness::{KeepaliveConfig, Tokio, websocket};
///
/// # async fn example(socket: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let socket = KeepaliveStream::new(socket, websocket::Wire::client(), KeepaliveConfig::new(), Tokio)?;
/// let (mut ws, _response) = tokio_tungstenite::client_async("ws://example.org/", socket).await?;
/// # use futures::StreamExt;
/// while let Some(message) = ws.next().await {
///     match message {
///         Ok(message) => println!("{message}"),
///         Err(error) if Dead::find(&error).is_some() => println!("reconnect: {error}"),
///         Err(error) => return Err(error.into()),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Wire {
    is_client: bool,
    outgoing: Stage,
    incoming: Stage,
    prefix: [u8; PREFIX],
    /// How many pings were put in: no pong of ours has a higher number.
    pings: u64,
    random: u64,
    farewell: bool,
}

/// How far one direction has come.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Head(Head),
    Borders(Borders),
    /// Not a WebSocket connection: everything passes.
    Other,
}

impl Wire {
    /// The client's side: pings are masked.
    ///
    /// ```
    /// let wire = liveness::websocket::Wire::client();
    /// # drop(wire);
    /// ```
    #[must_use]
    pub fn client() -> Self {
        Self::new(true)
    }

    /// The server's side.
    ///
    /// ```
    /// let wire = liveness::websocket::Wire::server();
    /// # drop(wire);
    /// ```
    #[must_use]
    pub fn server() -> Self {
        Self::new(false)
    }

    fn new(is_client: bool) -> Self {
        let wire = Self {
            is_client,
            outgoing: Stage::Head(Head::new()),
            incoming: Stage::Head(Head::new()),
            prefix: [0; PREFIX],
            pings: 0,
            random: 0,
            farewell: false,
        };
        // The standard library's hasher is keyed by the operating system's randomness.
        wire.seed(RandomState::new().hash_one(is_client))
    }

    /// Starts at the first frame: for a stream whose HTTP upgrade has passed before it was wrapped.
    ///
    /// ```
    /// use liveness::io::Wire as _;
    /// let wire = liveness::websocket::Wire::server().upgraded();
    /// assert!(wire.may_ping());
    /// ```
    #[must_use]
    pub fn upgraded(mut self) -> Self {
        self.outgoing = Stage::Borders(Borders::default());
        self.incoming = Stage::Borders(Borders::default());
        self
    }

    /// What the nonce and the masks are made from; by default it is random. Give connections
    /// different seeds.
    ///
    /// RFC 6455, 10.3, wants masks that nobody can predict, lest the author of the *payload* choose
    /// the bytes on the wire and deceive a proxy. The payload of these pings has no author but this
    /// type, so a small generator will do.
    ///
    /// ```
    /// // The same pings in every run, for a test.
    /// let wire = liveness::websocket::Wire::client().seed(7);
    /// # drop(wire);
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = seed;
        let nonce = self.draw();
        let (mark, rest) = self.prefix.split_at_mut(MARK.len());
        mark.copy_from_slice(&MARK);
        rest.copy_from_slice(&nonce.to_be_bytes());
        self
    }

    /// The next number of the generator (`SplitMix64`: Steele, Lea, Flood, 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Follows one direction to the next border or the end of the bytes.
    #[inline]
    fn follow(&mut self, is_outgoing: bool, bytes: &[u8]) -> usize {
        let stage = if is_outgoing {
            &mut self.outgoing
        } else {
            &mut self.incoming
        };
        let (followed, progress) = match stage {
            Stage::Borders(frames) => return frames.follow(bytes),
            Stage::Other => return bytes.len(),
            Stage::Head(head) => head.follow(bytes),
        };
        let is_response = self.is_client != is_outgoing;
        match progress {
            Progress::More => {}
            Progress::Over { switching } if switching || !is_response => {
                *stage = Stage::Borders(Borders::default());
            }
            Progress::Over { .. } | Progress::TooLong => {
                self.outgoing = Stage::Other;
                self.incoming = Stage::Other;
            }
        }
        followed
    }

    /// What the frame that begins here is.
    fn look(&self, bytes: &[u8]) -> Found {
        let (header, second) = if self.is_client { (2, 0) } else { (6, MASKED) };
        let expected = [PONG, second | PAYLOAD as u8];
        if bytes
            .iter()
            .zip(expected)
            .any(|(byte, expected)| *byte != expected)
        {
            return Found::Foreign;
        }
        let (head, payload) = bytes.split_at(header.min(bytes.len()));
        let mask = head.get(2..).unwrap_or_default();
        let plain = |at: usize, byte: u8| byte ^ mask.get(at % 4).copied().unwrap_or(0);
        let mut seq = 0;
        for (at, byte) in payload.iter().take(PAYLOAD).enumerate() {
            let byte = plain(at, *byte);
            match self.prefix.get(at) {
                Some(expected) if byte != *expected => return Found::Foreign,
                Some(_) => {}
                None => seq = seq << 8 | u64::from(byte),
            }
        }
        if payload.len() < PAYLOAD {
            return Found::Short;
        }
        if seq >= self.pings {
            return Found::Foreign;
        }
        Found::Ours(header + PAYLOAD, Seq::new(seq))
    }

    #[inline]
    const fn is_closing(&self) -> bool {
        self.outgoing.is_closed() || self.incoming.is_closed()
    }
}

impl Stage {
    #[inline]
    const fn is_closed(&self) -> bool {
        matches!(self, Self::Borders(frames) if frames.is_closed())
    }
}

/// What a frame that came in is.
enum Found {
    Foreign,
    /// The bytes fit one of our pongs as far as they go.
    Short,
    Ours(usize, Seq),
}

impl crate::io::Wire for Wire {
    #[inline]
    fn outgoing(&mut self, bytes: &[u8]) -> usize {
        self.follow(true, bytes)
    }

    fn may_ping(&self) -> bool {
        match (&self.outgoing, &self.incoming) {
            (Stage::Borders(outgoing), Stage::Borders(incoming)) => {
                outgoing.is_at_border() && !outgoing.is_closed() && !incoming.is_closed()
            }
            _ => false,
        }
    }

    fn ping(&mut self, seq: Seq, buf: &mut BytesMut) {
        self.pings = self.pings.max(seq.value().saturating_add(1));
        let mut payload = [0; PAYLOAD];
        let (prefix, number) = payload.split_at_mut(PREFIX);
        prefix.copy_from_slice(&self.prefix);
        number.copy_from_slice(&seq.value().to_be_bytes());
        if !self.is_client {
            buf.put_slice(&[PING, PAYLOAD as u8]);
            return buf.put_slice(&payload);
        }
        let mask = ((self.draw() >> 32) as u32).to_be_bytes();
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        buf.put_slice(&[PING, MASKED | PAYLOAD as u8]);
        buf.put_slice(&mask);
        buf.put_slice(&payload);
    }

    #[inline]
    fn incoming(&mut self, bytes: &[u8]) -> Incoming {
        let mut at = 0;
        while at < bytes.len() {
            let is_border =
                matches!(&self.incoming, Stage::Borders(frames) if frames.is_at_border());
            if is_border && bytes[at] == PONG && self.pings > 0 {
                let found = match self.look(&bytes[at..]) {
                    Found::Foreign => None,
                    Found::Short => Some(Incoming::More),
                    Found::Ours(len, seq) => Some(Incoming::Pong {
                        len,
                        answers: Answers::Ping(seq),
                    }),
                };
                match found {
                    Some(found) if at == 0 => return found,
                    Some(_) => break,
                    None => {}
                }
            }
            at += self.follow(false, &bytes[at..]);
        }
        Incoming::Pass(at)
    }

    #[inline]
    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        if self.farewell || !self.is_closing() {
            return None;
        }
        self.farewell = true;
        let passive = config.ping_when(PingWhen::Never).proof(Proof::AnyBytes);
        let bound = config.detection_bound().unwrap_or_default();
        Some(passive.silence(bound))
    }
}
