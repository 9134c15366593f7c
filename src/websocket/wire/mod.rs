//! [`Wire`]: ping and pong frames below any WebSocket library.

mod borders;
mod upgrade;

use bytes::{BufMut, BytesMut};

use crate::io::{Incoming, Stage};
use crate::jitter::{seed, splitmix};
use crate::keepalive::KeepaliveConfig;
use crate::seq::{Answers, Seq};
use borders::Borders;
use upgrade::{Progress, Responses};

/// FIN and the opcode of a ping.
const PING: u8 = 0x89;
/// FIN and the opcode of a pong.
const PONG: u8 = 0x8a;
/// Set in the second byte of a frame that is masked.
const MASKED: u8 = 0x80;
/// The first bytes of a ping's payload; the nonce and the number follow, eight bytes each.
const MARK: [u8; 4] = *b"live";
/// The payload of our pings.
const PAYLOAD: usize = 20;
/// The part of it that all pings of one connection share.
const PREFIX: usize = 12;

/// The frames of a WebSocket connection (RFC 6455), for [`KeepaliveStream`]: heartbeats *below* any
/// WebSocket library.
///
/// Wrap the socket and give it to the library: `tokio_tungstenite::client_async`, `accept_async`,
/// or any other. **With `wss` wrap the TLS stream, not the socket**: below TLS all is cipher text,
/// and a wire that never finds an upgrade never asks. [`stage`](crate::io::Wire::stage) tells.
///
/// [`KeepaliveStream`]: crate::io::KeepaliveStream
///
/// # What passes where
/// * Up to an upgrade HTTP/1.1 passes, and nothing is put in or taken out. Any number of requests
///   and responses may come first, as on a connection that a proxy uses again; interim responses,
///   refused upgrades and `CONNECT` as well. Only a response 101 with `Sec-WebSocket-Accept` begins
///   frames.
/// * After any other 101, to a raw stream or to HTTP/2, all bytes pass for ever.
/// * A ping goes between two frames, also between the fragments of a message (5.4), never into one.
///   A client's is masked.
/// * A pong is taken out if it carries the payload of one of our pings, which no other has: a mark,
///   a nonce of this connection, and the ping's number. All other pings and pongs pass: the library
///   above answers the peer's pings and sends its own as before. One pong answers all earlier pings
///   (5.5.3).
/// * Once a Close frame has begun, in either direction, no ping is put in: the peer need not answer
///   any more. Instead the peer has the [bound](KeepaliveConfig::detection_bound) that it had
///   before to say something, so closing does not hang on a dead link.
///
/// # What is malformed
/// All of it passes untouched, because the library above reads it too and is its judge, and because
/// the borders stay known: control frames above 125 bytes or in fragments, reserved opcodes and
/// bits, lengths in more bytes than they need, 64-bit lengths (also with the highest bit set: then
/// no border comes, so no ping is put in), a mask where there should be none or none where there
/// should be one, a Close between fragments, an upgrade that is cut off. A response above 64 KiB of
/// head counts as one that begins no frames. There is no error and nothing is buffered but the
/// first bytes of a pong that may be ours, at most 25.
///
/// # Whose life
/// A pong proves that the peer's WebSocket library runs. A browser answers from its network
/// process, even while the page is frozen; a page's life is proved by a text heartbeat of its
/// script.
///
/// ```
/// use futures::StreamExt;
/// use liveness::io::{KeepaliveStream, Stage, Wire as _};
/// use liveness::websocket::Wire;
/// use liveness::{Cause, Dead, KeepaliveConfig, Tokio};
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// let (here, there) = tokio::io::duplex(4096);
/// let socket = KeepaliveStream::new(here, Wire::client(), KeepaliveConfig::new(), Tokio)?;
/// let (client, server) = tokio::join!(
///     tokio_tungstenite::client_async("ws://peer.test/", socket),
///     tokio_tungstenite::accept_async(there),
/// );
/// let (mut client, _server) = (client?.0, server?);
/// assert_eq!(client.get_ref().wire().stage(), Stage::Open);
///
/// // The server does not read, so it is asked and does not answer.
/// let error = client.next().await.unwrap().unwrap_err();
/// let dead = Dead::find(&error).unwrap();
/// assert_eq!((dead.cause, dead.unanswered), (Cause::NoReply, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Wire {
    is_client: bool,
    phase: Phase,
    prefix: [u8; PREFIX],
    /// How many pings were put in: no pong of ours has a higher number.
    pings: u64,
    seed: u64,
    /// How many numbers were drawn from it.
    drawn: u64,
    /// The limits while closing were told.
    closing: bool,
}

/// How far the connection has come.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Http(Responses),
    Frames {
        outgoing: Borders,
        incoming: Borders,
    },
    /// Another protocol: everything passes.
    Other,
}

impl Phase {
    fn frames() -> Self {
        Self::Frames {
            outgoing: Borders::default(),
            incoming: Borders::default(),
        }
    }
}

impl Wire {
    /// The client's side: pings are masked.
    #[must_use]
    pub fn client() -> Self {
        Self::new(true)
    }

    /// The server's side.
    #[must_use]
    pub fn server() -> Self {
        Self::new(false)
    }

    fn new(is_client: bool) -> Self {
        let wire = Self {
            is_client,
            phase: Phase::Http(Responses::new()),
            prefix: [0; PREFIX],
            pings: 0,
            seed: 0,
            drawn: 0,
            closing: false,
        };
        wire.seed(seed())
    }

    /// Starts at the first frame: for a stream whose HTTP upgrade has passed before it was wrapped.
    #[must_use]
    pub fn upgraded(mut self) -> Self {
        self.phase = Phase::frames();
        self
    }

    /// The seed of the nonce and the masks. By default it comes from the operating system, as
    /// [`Runtime::seed`](crate::Runtime::seed) does. Give connections different seeds.
    ///
    /// RFC 6455, 10.3, wants masks that nobody can predict, lest the author of the *payload* choose
    /// the bytes on the wire and deceive a proxy. The payload of these pings has no author but this
    /// type, so a small generator will do.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        (self.seed, self.drawn) = (seed, 0);
        let nonce = self.draw();
        let (mark, rest) = self.prefix.split_at_mut(MARK.len());
        mark.copy_from_slice(&MARK);
        rest.copy_from_slice(&nonce.to_be_bytes());
        self
    }

    fn draw(&mut self) -> u64 {
        let nth = self.drawn;
        self.drawn = nth.wrapping_add(1);
        splitmix(self.seed, nth)
    }

    /// Follows one direction to the next border or the end of the bytes.
    #[inline]
    fn follow(&mut self, is_outgoing: bool, bytes: &[u8]) -> usize {
        let responses = match &mut self.phase {
            Phase::Frames { outgoing, .. } if is_outgoing => return outgoing.follow(bytes),
            Phase::Frames { incoming, .. } => return incoming.follow(bytes),
            Phase::Other => return bytes.len(),
            Phase::Http(responses) => responses,
        };
        if is_outgoing == self.is_client {
            responses.on_request();
            return bytes.len();
        }
        let (followed, progress) = responses.follow(bytes);
        match progress {
            Progress::Http => {}
            Progress::WebSocket => self.phase = Phase::frames(),
            Progress::Other => self.phase = Phase::Other,
        }
        followed
    }

    /// Tells our pong from other frames by its first bytes.
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
}

/// A frame that came in.
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
        match &self.phase {
            Phase::Frames { outgoing, incoming } => {
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
                matches!(&self.phase, Phase::Frames { incoming, .. } if incoming.is_at_border());
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
    fn stage(&self) -> Stage {
        match &self.phase {
            Phase::Http(_) => Stage::Handshake,
            Phase::Frames { outgoing, incoming } => {
                if outgoing.is_closed() || incoming.is_closed() {
                    Stage::Closing
                } else {
                    Stage::Open
                }
            }
            Phase::Other => Stage::Foreign,
        }
    }

    #[inline]
    fn has_news(&self) -> bool {
        !self.closing && self.stage() == Stage::Closing
    }

    #[inline]
    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        if self.closing || self.stage() != Stage::Closing {
            return None;
        }
        self.closing = true;
        Some(config.unasked())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::io::Wire as _;
    use crate::keepalive::{PingWhen, Proof};

    #[test]
    fn closing_is_judged_by_the_bound_that_was_promised() {
        let config = KeepaliveConfig::websocket().write_stall(Duration::ZERO);
        let bound = config.detection_bound().unwrap().quiet;
        for is_outgoing in [true, false] {
            let mut wire = Wire::server().upgraded();
            assert_eq!(wire.reconfigure(&config), None);
            wire.follow(is_outgoing, &[0x88, 0]);
            let closing = wire.reconfigure(&config).unwrap();
            assert_eq!(closing.ping_when, PingWhen::Never);
            assert_eq!(closing.proof, Proof::AnyBytes);
            assert_eq!((closing.silence, closing.write_stall), (bound, bound));
            assert_eq!(wire.reconfigure(&closing), None, "told once");
        }
    }
}
