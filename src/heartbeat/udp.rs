//! Heartbeats as datagrams: one each, no answer; feature `udp`.
//!
//! Datagrams get lost, doubled and reordered, and anybody can send one. None of that is an error
//! here: [`watch`](super::watch) sorts the beats, and [`UdpReceiver`] leaves out what is no heartbeat.
//! A beat is not authenticated; where strangers can reach the socket, put something that is below it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Payload};
use crate::rt::BUDGET;

/// The largest datagram, unless set: 1200 bytes pass every path that QUIC passes (RFC 9000,
/// section 14), so they arrive in one piece.
pub const DEFAULT_LIMIT: usize = 1200;

/// A datagram socket: `tokio::net::UdpSocket` (feature `tokio`), `smol::Async<std::net::UdpSocket>`
/// (feature `smol`), or one of your own.
///
/// For the sending side it is connected. One socket can be shared by one sender and one receiver:
/// put it into an [`Arc`].
///
/// # Implementing
/// As with every poll: `Pending` is returned only after the waker of `cx` was noted, one for each of
/// the two directions.
///
/// ```
/// use std::collections::VecDeque;
/// use std::io;
/// use std::sync::Mutex;
/// use std::task::{Context, Poll};
/// use liveness::heartbeat::udp::Datagrams;
///
/// /// What is sent comes back.
/// struct Echo(Mutex<VecDeque<Vec<u8>>>);
///
/// impl Datagrams for Echo {
///     fn poll_send(&self, _cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
///         self.0.lock().unwrap().push_back(datagram.to_vec());
///         Poll::Ready(Ok(datagram.len()))
///     }
///
///     fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
///         let Some(datagram) = self.0.lock().unwrap().pop_front() else {
///             cx.waker().wake_by_ref(); // a simple way: ask again
///             return Poll::Pending;
///         };
///         let size = datagram.len().min(buffer.len());
///         buffer[..size].copy_from_slice(&datagram[..size]);
///         Poll::Ready(Ok(size))
///     }
/// }
/// ```
pub trait Datagrams: Send + Sync {
    /// Sends one datagram to the peer.
    ///
    /// # Errors
    /// The socket's own.
    ///
    /// ```
    /// # use liveness::heartbeat::udp::Datagrams;
    /// async fn send(socket: &impl Datagrams, bytes: &[u8]) -> std::io::Result<usize> {
    ///     std::future::poll_fn(|cx| socket.poll_send(cx, bytes)).await
    /// }
    /// ```
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>>;

    /// Receives one datagram; what does not fit into `buffer` is cut off.
    ///
    /// # Errors
    /// The socket's own.
    ///
    /// ```
    /// # use liveness::heartbeat::udp::Datagrams;
    /// async fn recv(socket: &impl Datagrams, buffer: &mut [u8]) -> std::io::Result<usize> {
    ///     std::future::poll_fn(|cx| socket.poll_recv(cx, buffer)).await
    /// }
    /// ```
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;
}

impl<D: Datagrams + ?Sized> Datagrams for Arc<D> {
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_send(cx, datagram)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_recv(cx, buffer)
    }
}

#[cfg(feature = "tokio")]
impl Datagrams for tokio::net::UdpSocket {
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_send(self, cx, datagram)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = tokio::io::ReadBuf::new(buffer);
        ready!(Self::poll_recv(self, cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

#[cfg(feature = "smol")]
impl Datagrams for smol::Async<std::net::UdpSocket> {
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.get_ref().send(datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_writable(cx))?;
                }
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.get_ref().recv(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_readable(cx))?;
                }
                received => return Poll::Ready(received),
            }
        }
    }
}

/// Sends each beat as one datagram. Sent is done: there is no answer.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a beat that does not fit into a datagram, else the socket's.
/// `ConnectionRefused` is the network's word that nobody listens *yet* or any more, so loops over
/// datagrams usually set [`Schedule::max_failures(0)`](super::Schedule::max_failures).
///
/// ```no_run
/// use std::time::Duration;
/// use liveness::Tokio;
/// use liveness::heartbeat::udp::UdpSender;
/// use liveness::heartbeat::{Schedule, beat};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await?;
/// socket.connect("10.0.0.7:7946").await?;
/// let schedule = Schedule::new(Duration::from_secs(1)).max_failures(0);
/// let never = beat(UdpSender::new(socket), schedule, Tokio, || 42_u64)?.await?;
/// # match never {} }
/// ```
pub struct UdpSender<D, P> {
    socket: D,
    limit: usize,
    buffer: BytesMut,
    payload: PhantomData<fn(P)>,
}

/// Receives datagrams as beats, of any origin; [`Watch::peer`](super::Watch::peer) picks one.
///
/// What is no heartbeat, or larger than the limit, is left out and counted. So are the reports that
/// a datagram of ours found nobody (`ConnectionRefused`, `ConnectionReset`), which say nothing about
/// what is received. `recv` is cancel safe.
///
/// ```no_run
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::Tokio;
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::udp::UdpReceiver;
/// use liveness::heartbeat::watch;
/// use liveness::rt::Runtime;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = tokio::net::UdpSocket::bind("0.0.0.0:7946").await?;
/// let receiver = UdpReceiver::<_, u64>::new(socket);
/// let mut events = watch(receiver, FixedTimeout::new(Duration::from_secs(5), Tokio.now()), Tokio);
/// while let Some(event) = events.next().await {
///     println!("{}", event?);
/// }
/// # Ok(()) }
/// ```
pub struct UdpReceiver<D, P> {
    socket: D,
    /// One byte longer than the limit: a datagram that fills it is too large.
    buffer: Box<[u8]>,
    skipped: u64,
    payload: PhantomData<fn() -> P>,
}

impl<D, P> UdpSender<D, P> {
    /// Sends over `socket`, which is connected to the peer.
    ///
    /// ```
    /// # use liveness::heartbeat::udp::UdpSender;
    /// fn sender(connected: tokio::net::UdpSocket) -> UdpSender<tokio::net::UdpSocket, u64> {
    ///     UdpSender::new(connected)
    /// }
    /// ```
    #[must_use]
    pub fn new(socket: D) -> Self {
        Self {
            socket,
            limit: DEFAULT_LIMIT,
            buffer: BytesMut::new(),
            payload: PhantomData,
        }
    }

    /// The largest datagram in bytes. Default [1200](DEFAULT_LIMIT).
    ///
    /// ```
    /// # use liveness::heartbeat::udp::UdpSender;
    /// # fn sender(socket: tokio::net::UdpSocket) -> UdpSender<tokio::net::UdpSocket, u64> {
    /// UdpSender::new(socket).limit(500)
    /// # }
    /// ```
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl<D, P> UdpReceiver<D, P> {
    /// Receives from `socket`.
    ///
    /// ```
    /// # use liveness::heartbeat::udp::UdpReceiver;
    /// fn receiver(bound: tokio::net::UdpSocket) -> UdpReceiver<tokio::net::UdpSocket, u64> {
    ///     UdpReceiver::new(bound)
    /// }
    /// ```
    #[must_use]
    pub fn new(socket: D) -> Self {
        Self {
            socket,
            buffer: buffer(DEFAULT_LIMIT),
            skipped: 0,
            payload: PhantomData,
        }
    }

    /// The largest datagram in bytes; a buffer of that size is kept. Default [1200](DEFAULT_LIMIT);
    /// no datagram is larger than 65 535.
    ///
    /// ```
    /// # use liveness::heartbeat::udp::UdpReceiver;
    /// # fn receiver(socket: tokio::net::UdpSocket) -> UdpReceiver<tokio::net::UdpSocket, u64> {
    /// UdpReceiver::new(socket).limit(9000)
    /// # }
    /// ```
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.buffer = buffer(bytes);
        self
    }

    /// How many datagrams were left out because they were no heartbeats, or too large.
    ///
    /// ```
    /// # use liveness::heartbeat::udp::UdpReceiver;
    /// fn is_attacked<D>(receiver: &UdpReceiver<D, u64>) -> bool {
    ///     receiver.skipped() > 1000
    /// }
    /// ```
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }
}

fn buffer(limit: usize) -> Box<[u8]> {
    vec![0; limit.min(usize::from(u16::MAX)) + 1].into_boxed_slice()
}

#[async_trait]
impl<D: Datagrams, P: Payload + Send> HeartbeatSender for UdpSender<D, P> {
    type Payload = P;
    type Ack = ();
    type Error = io::Error;

    async fn send(&mut self, beat: Heartbeat<P>) -> io::Result<()> {
        self.buffer.clear();
        beat.encode(&mut self.buffer);
        drop(beat);
        let (size, limit) = (self.buffer.len(), self.limit);
        if size > limit {
            let text = format!("heartbeat of {size} bytes, the limit of a datagram is {limit}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        poll_fn(|cx| self.socket.poll_send(cx, &self.buffer)).await?;
        Ok(())
    }
}

impl<D: Datagrams, P: Payload> UdpReceiver<D, P> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Heartbeat<P>>> {
        for _ in 0..BUDGET {
            match ready!(self.socket.poll_recv(cx, &mut self.buffer)) {
                Ok(size) => {
                    let datagram = self.buffer.get(..size).filter(|_| size < self.buffer.len());
                    let beat = datagram.map(|bytes| Payload::decode(Bytes::copy_from_slice(bytes)));
                    if let Some(Ok(beat)) = beat {
                        return Poll::Ready(Ok(beat));
                    }
                    self.skipped = self.skipped.saturating_add(1);
                }
                Err(error) if is_about_another_datagram(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whether this is the network's report about a datagram that *we* sent over the same socket.
fn is_about_another_datagram(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset)
}

#[async_trait]
impl<D: Datagrams, P: Payload + Send> HeartbeatReceiver for UdpReceiver<D, P> {
    type Payload = P;
    type Error = io::Error;

    async fn recv(&mut self) -> io::Result<Heartbeat<P>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }
}

impl<D: fmt::Debug, P> fmt::Debug for UdpSender<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSender")
            .field("socket", &self.socket)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<D: fmt::Debug, P> fmt::Debug for UdpReceiver<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpReceiver")
            .field("socket", &self.socket)
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}
