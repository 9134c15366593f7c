//! [`Wire`]: where the frames of a byte stream begin and end, and which of them are heartbeats.

#[cfg(any(feature = "mqtt", feature = "websocket"))]
#[cfg_attr(
    not(all(feature = "mqtt", feature = "websocket")),
    allow(dead_code, reason = "each protocol uses its part of it")
)]
pub(crate) mod counted;
mod stage;

pub use stage::Stage;

use bytes::BytesMut;

use crate::keepalive::KeepaliveConfig;
use crate::seq::{Answers, Seq};

/// The most bytes that a [`Wire`] may ask to see again with more behind them: a WebSocket control
/// frame with the longest header and the longest payload, 14 + 125.
pub const MOST_HELD: usize = 139;

/// Follows the frames of a byte stream in both directions, for
/// [`KeepaliveStream`](super::KeepaliveStream).
///
/// It finds the places between the user's frames where a ping may stand, writes the ping, and knows
/// the answer when it comes. It does no I/O and reads no clock, and it needs no buffer: bodies are
/// counted and not kept. [`websocket::Wire`](crate::websocket::Wire) and
/// [`mqtt::Wire`](crate::mqtt::Wire) are two; write your own for any protocol that has a ping of
/// its own and frames whose length can be seen.
///
/// # Implementing
/// * **Total.** The bytes come from a peer and from a library above, in any chunking. Whatever they
///   are, nothing panics and nothing grows. There is no error to return: the library above reads
///   the same bytes and is the judge of them, so let pass what you do not understand, and if the
///   borders are lost, let everything pass from there on and answer no to
///   [`may_ping`](Self::may_ping).
/// * **Follow, do not decide twice.** `outgoing` sees exactly the bytes that the transport took,
///   once, in order. A *clone* may be asked about bytes that are not taken yet, to find the border
///   in them; it is dropped again. So keep the state small and let [`Clone`] copy it.
/// * **One connection.** Both directions are told to the same value, so that a handshake that takes
///   both (an upgrade, CONNECT and CONNACK) can be followed. Before it is over there is no border.
/// * **Whose pong.** Where the protocol carries a payload, put something unique and the [`Seq`]
///   into it. Where it carries none (MQTT), answers come in the order of the questions: count the
///   user's own pings in `outgoing` and ours in `ping`.
///
/// ```
/// use bytes::{BufMut, BytesMut};
/// use liveness::{Answers, Seq};
/// use liveness::io::{Incoming, Wire};
///
/// /// Lines of text. Our ping is `?` and its number, the answer `!` and that number.
/// #[derive(Clone, Default)]
/// struct Lines { mid_line_out: bool, mid_line_in: bool }
///
/// /// The number of bytes up to and with the first line feed, if there is one.
/// fn line(bytes: &[u8]) -> Option<usize> {
///     bytes.iter().position(|b| *b == b'\n').map(|at| at + 1)
/// }
///
/// impl Wire for Lines {
///     fn outgoing(&mut self, bytes: &[u8]) -> usize {
///         let end = line(bytes);
///         self.mid_line_out = end.is_none();
///         end.unwrap_or(bytes.len())
///     }
///
///     fn may_ping(&self) -> bool {
///         !self.mid_line_out
///     }
///
///     fn ping(&mut self, seq: Seq, buf: &mut BytesMut) {
///         buf.put_slice(format!("?{}\n", seq.value()).as_bytes());
///     }
///
///     fn incoming(&mut self, bytes: &[u8]) -> Incoming {
///         let end = line(bytes);
///         if !self.mid_line_in && bytes[0] == b'!' {
///             // Twenty digits are the most that a number has.
///             let Some(len) = end else {
///                 if bytes.len() < 22 { return Incoming::More }
///                 self.mid_line_in = true;
///                 return Incoming::Pass(bytes.len());
///             };
///             let number = std::str::from_utf8(&bytes[1..len - 1]).ok();
///             let number = number.and_then(|number| number.parse().ok());
///             if let Some(seq) = number {
///                 return Incoming::Pong { len, answers: Answers::Ping(Seq::new(seq)) };
///             }
///         }
///         self.mid_line_in = end.is_none();
///         Incoming::Pass(end.unwrap_or(bytes.len()))
///     }
/// }
///
/// let mut lines = Lines::default();
/// assert_eq!(lines.outgoing(b"one\ntwo"), 4);
/// assert!(lines.may_ping());
/// assert_eq!(lines.outgoing(b"two"), 3);
/// assert!(!lines.may_ping());
/// assert_eq!(lines.incoming(b"!1"), Incoming::More);
/// let answers = Answers::Ping(Seq::new(12));
/// assert_eq!(lines.incoming(b"!12\nfive\n"), Incoming::Pong { len: 4, answers });
/// ```
pub trait Wire: Clone {
    /// Follows the user's outgoing bytes up to and with the next border, or to their end if there
    /// is none in them; returns how many were followed. `bytes` is never empty.
    ///
    /// A return value of zero, or above the number of bytes, counts as all of them.
    fn outgoing(&mut self, bytes: &[u8]) -> usize;

    /// Whether a ping or an answer of ours may stand right here, after all outgoing bytes followed
    /// so far: between two frames, after the handshake and before the farewell.
    fn may_ping(&self) -> bool;

    /// Appends the ping with the number `seq` to `buf`. Called at a border; the bytes go out next,
    /// before any more of the user's.
    ///
    /// A wire that appends nothing has no ping: then nothing is asked, and only the
    /// [silence limit](KeepaliveConfig::silence) judges.
    fn ping(&mut self, seq: Seq, buf: &mut BytesMut);

    /// Looks at bytes that came in, and says what the first of them are. `bytes` is never empty;
    /// what the answer does not cover is offered again.
    fn incoming(&mut self, bytes: &[u8]) -> Incoming;

    /// Appends the answer to the last ping that [`incoming`](Self::incoming) reported as
    /// [`Incoming::Ping`]. Called at a border. The default appends nothing.
    fn answer(&mut self, buf: &mut BytesMut) {
        let _ = buf;
    }

    /// How far the protocol has come. By default [`Stage::Open`], for a protocol without a
    /// handshake. Asked after every read and write, so answer fast.
    fn stage(&self) -> Stage {
        Stage::Open
    }

    /// Whether [`reconfigure`](Self::reconfigure) may have something to say. Asked after every read
    /// and write, so answer fast; by default yes.
    fn has_news(&self) -> bool {
        true
    }

    /// The configuration to go on with, if what passed has changed it: a keep alive that was agreed
    /// on in a handshake, a farewell after which nobody is asked any more. `config` is the one in
    /// force. By default `None`.
    ///
    /// A configuration that cannot work ends the stream with
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput).
    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        let _ = config;
        None
    }
}

/// What the first of some bytes that came in are, by their [`Wire`].
///
/// Lengths of zero or above the number of bytes count as all of them.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// # use bytes::{BufMut, BytesMut};
/// # use liveness::io::{Incoming, KeepaliveStream, Wire};
/// # use liveness::{Answers, KeepaliveConfig, Seq, Tokio};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # #[derive(Clone)]
/// # struct Marks;
/// # impl Wire for Marks {
/// #     fn outgoing(&mut self, bytes: &[u8]) -> usize { bytes.len() }
/// #     fn may_ping(&self) -> bool { true }
/// #     fn ping(&mut self, _: Seq, buf: &mut BytesMut) { buf.put_u8(b'?') }
/// #     fn answer(&mut self, buf: &mut BytesMut) { buf.put_u8(b'!') }
/// fn incoming(&mut self, bytes: &[u8]) -> Incoming {
///     match bytes[0] {
///         b'?' => Incoming::Ping { len: 1 },
///         b'!' => Incoming::Pong { len: 1, answers: Answers::Oldest },
///         _ => Incoming::Pass(1),
///     }
/// }
/// # }
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build()?.block_on(async {
/// # let (socket, mut peer) = tokio::io::duplex(64);
/// # let mut stream = KeepaliveStream::new(socket, Marks, KeepaliveConfig::new(), Tokio)?;
/// # let mut read = [0; 2];
///
/// peer.write_all(b"h?!i").await?;
/// stream.read_exact(&mut read).await?;
/// assert_eq!(&read, b"hi"); // the user sees no heartbeat
/// assert_eq!(peer.read_u8().await?, b'!'); // and the ping was answered
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the user's, an answer, a question, too few to tell: a closed sum"
)]
pub enum Incoming {
    /// So many bytes are the user's. They may hold any number of frames, and parts of them.
    Pass(usize),
    /// The next `len` bytes, a whole frame, are the answer to a ping of ours, and are taken out.
    Pong {
        /// How long it is.
        len: usize,
        /// The number of the ping it answers; `None` where the protocol carries none.
        answers: Answers,
    },
    /// The next `len` bytes, a whole frame, are a ping of the peer that this layer answers by
    /// [`Wire::answer`], and are taken out. Return [`Incoming::Pass`] instead where the library
    /// above answers. One answer waits at a time: pings that come before it could be written share
    /// it.
    Ping {
        /// How long it is.
        len: usize,
    },
    /// The bytes begin something that may be a heartbeat, and are too few to tell. They are held
    /// back and offered again with more behind them, or passed at the end of the stream. Not for
    /// [`MOST_HELD`] bytes or more: they are passed at once, and not offered again.
    More,
}
