//! [`KeepaliveStream`]: heartbeats below any library that speaks a protocol over a byte stream.

mod inbox;
mod outbox;
mod read;
mod state;
mod write;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};
use pin_project::pin_project;

use super::adapt::{Futures, Slice};
use super::wire::Wire;
use crate::driver::Handle;
use crate::error::ConfigError;
use crate::flood::FloodLimit;
use crate::keepalive::{Bound, Dead, KeepaliveConfig};
use crate::rt::Runtime;
use crate::rtt::Rtt;
use state::State;

/// A byte stream (`AsyncRead + AsyncWrite`) that is kept alive below the library that uses it, or
/// fails with the verdict.
///
/// Wrap the socket, give the wrapper to the library instead, and nothing else changes: pings are
/// put between the library's frames, the pongs that answer them are taken out of what it reads, and
/// everything else passes byte for byte, however it is cut into reads and writes. Where frames
/// begin and end is told by a [`Wire`]: [`websocket::Wire`](crate::websocket::Wire),
/// [`mqtt::Wire`](crate::mqtt::Wire), or one of your own. It works by the traits of futures-io and,
/// with feature `tokio`, of tokio-io.
///
/// * **The verdict** is an [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut) with a
///   [`Dead`] inside; [`Dead::find`] finds it in any error that wraps it. Every read and write
///   after it fails in the same way.
/// * **Read it.** A waiting read is what asks and judges: with nobody reading, no silence is held
///   against the peer. Input is taken in before the time is looked at. A writer that waits is told
///   of a [write stall](KeepaliveConfig::write_stall) also when nobody reads.
/// * **Whose life.** Whatever answers the pings is alive. Where the protocol's library answers by
///   itself, as with WebSocket, that says nothing of the program above it.
/// * **Borders.** A ping waits for the end of the frame that is being written, and is asked only
///   while the [`Wire`] says it may: after the handshake, before the farewell. While it waits, the
///   peer is judged only by the [silence limit](KeepaliveConfig::silence), if one is set, and by
///   write stalls.
/// * **Flush and shutdown** count as writes: one that takes longer than the write stall limit is
///   one. A shutdown after the verdict never waits. After a shutdown, or the end of what the peer
///   sends, nothing more is asked; after a shutdown plain silence is judged, by the same
///   [bound](Self::detection_bound).
/// * **Memory.** Bodies are not buffered. While bytes of a heartbeat are incomplete at most
///   [`MOST_HELD`](super::MOST_HELD) of them are held back; 32 heartbeats in a row, and the
///   executor gets its turn.
/// * **Two halves** on two tasks work (`tokio::io::split`, `futures::AsyncReadExt::split`).
/// * **Cancel safe**: dropping a read or a write loses nothing. A write that was offered and then
///   dropped for good is still counted as offered.
///
/// ```
/// use liveness::io::KeepaliveStream;
/// use liveness::{Dead, KeepaliveConfig, Tokio};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # #[derive(Clone)]
/// # struct Lines { mid_line: bool }
/// # impl liveness::io::Wire for Lines {
/// #     fn outgoing(&mut self, bytes: &[u8]) -> usize {
/// #         let end = bytes.iter().position(|b| *b == b'\n');
/// #         self.mid_line = end.is_none();
/// #         end.map_or(bytes.len(), |at| at + 1)
/// #     }
/// #     fn may_ping(&self) -> bool { !self.mid_line }
/// #     fn ping(&mut self, seq: liveness::Seq, buf: &mut bytes::BytesMut) {
/// #         buf.extend_from_slice(format!("?{}\n", seq.value()).as_bytes());
/// #     }
/// #     fn incoming(&mut self, bytes: &[u8]) -> liveness::io::Incoming {
/// #         liveness::io::Incoming::Pass(bytes.len())
/// #     }
/// # }
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// # let (socket, mut peer) = tokio::io::duplex(64);
/// # let wire = Lines { mid_line: false };
/// // `wire` knows lines of text, and that a ping is a line with a question mark.
/// let mut stream = KeepaliveStream::new(socket, wire, KeepaliveConfig::new(), Tokio)?;
///
/// stream.write_all(b"hello\n").await.unwrap();
/// let error = stream.read_u8().await.unwrap_err(); // the peer is asked, and says nothing
/// let dead = Dead::find(&error).unwrap();
/// assert!(dead.to_string().starts_with("no reply to 2 pings within 10s each"));
///
/// let mut sent = [0; 12];
/// peer.read_exact(&mut sent).await.unwrap();
/// assert_eq!(&sent, b"hello\n?0\n?1\n");
/// # Ok::<(), liveness::ConfigError>(()) }).unwrap();
/// ```
#[pin_project]
#[derive(Debug)]
pub struct KeepaliveStream<S, W, R: Runtime> {
    #[pin]
    io: S,
    state: State<W, R>,
}

impl<S, W: Wire, R: Runtime> KeepaliveStream<S, W, R> {
    /// Keeps `io` alive by `config`, its frames told by `wire`, on the clock of `rt`. The peer
    /// counts as alive now.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn new(io: S, wire: W, config: KeepaliveConfig, rt: R) -> Result<Self, ConfigError> {
        let state = State::new(wire, config, rt)?;
        Ok(Self { io, state })
    }

    /// The round trips measured so far.
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        self.state.pinger.keepalive().rtt()
    }

    /// The verdict, once it was passed.
    #[must_use]
    pub fn dead(&self) -> Option<Dead> {
        self.state.pinger.keepalive().dead()
    }

    /// What the stream knows of its peer, readable from anywhere: after a split, and when the
    /// stream belongs to a library. Its state is allocated by the first call.
    pub fn handle(&mut self) -> Handle {
        let beating = self.state.is_beating();
        self.state.pinger.handle(beating)
    }

    /// Whether pings can be put in: the [`Wire`] is [open](super::Stage::Open), and the stream is
    /// too.
    #[must_use]
    pub fn is_beating(&self) -> bool {
        self.state.is_beating()
    }

    /// How many pings the peer may send before the stream ends. Default
    /// [`FloodLimit::DEFAULT`](crate::flood::FloodLimit::DEFAULT). Only those count that the
    /// [`Wire`] takes out and answers.
    #[must_use]
    pub fn flood_limit(mut self, limit: FloodLimit) -> Self {
        self.state.pinger.limit_pings(limit);
        self
    }

    /// The longest time from the peer's last byte to the verdict: the configuration's
    /// [bound](KeepaliveConfig::detection_bound), and the sixteenth of its shortest period
    /// (interval, silence or write stall) by which a busy stream's last byte may be dated late. It
    /// holds while the stream is read and a ping may be placed.
    #[must_use]
    pub fn detection_bound(&self) -> Option<Bound> {
        self.state.pinger.detection_bound()
    }

    /// What the socket's send buffer holds at most, in bytes: see
    /// [`Keepalive::set_send_buffer`](crate::Keepalive::set_send_buffer). With feature `tcp`,
    /// `SendQueue::apply` returns it.
    pub fn set_send_buffer(&mut self, bytes: u64) {
        self.state.pinger.set_send_buffer(bytes);
    }

    /// `queue` says how many bytes stand in the socket's send queue, unsent or not acknowledged:
    /// the kernel's own word (`TIOCOUTQ` on Linux), or `None` where it cannot tell. A ping behind
    /// an upload is [out](crate::Keepalive#when-a-ping-is-out) as soon as they have left, and its
    /// answer is due from then on. Megabytes that a large buffer takes at once never fill the
    /// socket, so that nothing else can tell that they stand before a ping.
    ///
    /// It is asked when a ping is taken, and while that stands behind other bytes, about sixteen
    /// times an interval. It must not block.
    #[must_use]
    pub fn with_send_queue(
        mut self,
        queue: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.state.pinger.ask_queue(queue);
        self
    }

    /// Asks the peer now, without waiting for the interval: see
    /// [`Keepalive::probe_now`](crate::Keepalive::probe_now). The stream has to be read for it to
    /// be sent.
    pub fn probe_now(&mut self) {
        self.state.pinger.probe_now();
    }

    /// Changes the configuration of the running stream: see
    /// [`Keepalive::set_config`](crate::Keepalive::set_config). What the [`Wire`] agrees on later
    /// changes it again.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; nothing changes then.
    pub fn set_config(&mut self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        self.state.pinger.set_config(config)
    }

    /// The configuration in force; the [`Wire`] may have [changed](Wire::reconfigure) it.
    #[must_use]
    pub const fn config(&self) -> KeepaliveConfig {
        self.state.pinger.keepalive().config()
    }

    /// What follows the frames.
    #[must_use]
    pub const fn wire(&self) -> &W {
        &self.state.wire
    }

    /// The socket itself.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.io
    }

    /// The socket itself, for its options. What is read or written through it is not seen here, and
    /// the borders are lost.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// The socket itself, pinned; see [`get_mut`](Self::get_mut).
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut S> {
        self.project().io
    }

    /// The socket back, for a farewell of your own after a verdict or to drop it. Bytes held back
    /// and the rest of a ping that is half written are lost, and answers to our pings are no longer
    /// taken out.
    pub fn into_inner(self) -> S {
        self.io
    }
}

impl<S: AsyncRead + AsyncWrite, W: Wire, R: Runtime> AsyncRead for KeepaliveStream<S, W, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let mut room = Slice { buf, filled: 0 };
        let read = this.state.poll_read(&mut Futures(this.io), cx, &mut room);
        read.map_ok(|()| room.filled)
    }
}

impl<S: AsyncWrite, W: Wire, R: Runtime> AsyncWrite for KeepaliveStream<S, W, R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.state.poll_write(&mut Futures(this.io), cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.state
            .poll_write_vectored(&mut Futures(this.io), cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        this.state.poll_flush(&mut Futures(this.io), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        this.state.poll_close(&mut Futures(this.io), cx)
    }
}

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl<S, W, R> tokio::io::AsyncRead for KeepaliveStream<S, W, R>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite,
    W: Wire,
    R: Runtime,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let mut io = super::adapt::TokioIo(this.io);
        this.state.poll_read(&mut io, cx, buf)
    }
}

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl<S, W, R> tokio::io::AsyncWrite for KeepaliveStream<S, W, R>
where
    S: tokio::io::AsyncWrite,
    W: Wire,
    R: Runtime,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let mut io = super::adapt::TokioIo(this.io);
        this.state.poll_write(&mut io, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let mut io = super::adapt::TokioIo(this.io);
        this.state.poll_write_vectored(&mut io, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let mut io = super::adapt::TokioIo(this.io);
        this.state.poll_flush(&mut io, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let mut io = super::adapt::TokioIo(this.io);
        this.state.poll_close(&mut io, cx)
    }
}
