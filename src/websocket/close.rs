//! [`farewell`]: the last word after a verdict, close code 1011 with its reason, within a limit.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{Sink, Stream, TryStream};

use super::library::Library;
use crate::keepalive::Dead;
use crate::ping_pong::{PingPong, Protocol};
use crate::rt::{Alarm, BUDGET, Runtime};
use crate::time::later;

/// The close code for a peer that was found dead: 1011, "internal error" (RFC 6455, 7.4.1, as
/// extended by the registry). Python's `websockets` sends it for the same.
pub const CLOSE_CODE: u16 = 1011;

/// The most a close frame's reason may have: 125 bytes less the two of its code.
const LONGEST_REASON: usize = 123;

/// The verdict as the reason of a close frame: its text, cut to 123 bytes at a character's border.
#[must_use]
pub fn close_reason(dead: &Dead) -> String {
    cut(dead.to_string(), LONGEST_REASON)
}

pub(super) fn last_word<L: Library>(library: &L, dead: &Dead) -> L::Message {
    library.close(CLOSE_CODE, close_reason(dead))
}

/// Says why to a peer that was found dead, gives it until `limit` to close in turn, and drops the
/// stream; tells whether the message was flushed.
///
/// Takes a [`PingPong`] or the two halves of a `split`. The message is the protocol's
/// [own](Protocol::farewell): of [`Frames`](super::Frames) and [`Text`](super::Text) a Close frame
/// with code [1011](CLOSE_CODE) and the [verdict](close_reason).
///
/// A peer that only hung reads it when it goes on; were the connection gone by then, its next write
/// would cost it the message. A link that is dead takes the whole `limit`, and never more: an
/// unbounded `send` or `close` can hang there for as long as the kernel keeps trying, a quarter of
/// an hour on Linux.
///
/// It is `false` at once for a protocol without a farewell and for halves that are not of one
/// stream. Dropping it drops the stream, and a message that was not sent.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::websocket::{Frames, farewell};
/// use liveness::{Error, KeepaliveConfig, PingPong, Tokio};
/// use tokio_tungstenite::WebSocketStream;
/// use tungstenite::{Message, protocol::Role};
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// let (here, there) = tokio::io::duplex(4096);
/// let ws = WebSocketStream::from_raw_socket(here, Role::Server, None).await;
/// let mut peer = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
///
/// let config = KeepaliveConfig::off().silence(Duration::from_secs(30));
/// let ws = PingPong::new(ws, Frames::new(), config, Tokio)?;
/// let (writer, mut reader) = ws.split();
/// let Some(Err(Error::Dead(dead))) = reader.next().await else { panic!("it hangs") };
///
/// // The peer goes on, and learns why it is alone.
/// let last = farewell((writer, reader), &dead, Duration::from_secs(1), &Tokio);
/// let (flushed, close) = tokio::join!(last, peer.next());
/// assert!(flushed);
/// let Some(Ok(Message::Close(Some(close)))) = close else { panic!("no reason") };
/// assert_eq!(u16::from(close.code), 1011);
/// assert!(close.reason.starts_with("no sign of life within 30s"), "{}", close.reason);
/// # Ok::<(), liveness::ConfigError>(()) }).unwrap();
/// ```
pub async fn farewell<W, R>(stream: W, dead: &Dead, limit: Duration, rt: &R) -> bool
where
    W: WholeOrSplit,
    R: Runtime,
{
    let Some((transport, message)) = stream.last_word(dead) else {
        return false;
    };
    let (mut transport, mut message) = (std::pin::pin!(transport), Some(message));
    let give_up = later(rt.now(), limit);
    let mut alarm = Alarm::new(rt.clone());
    let mut flushed = false;
    std::future::poll_fn(|cx| {
        if !flushed {
            match poll_send(transport.as_mut(), &mut message, cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                sent => flushed = sent.is_ready(),
            }
        }
        // Reading drives the close, and a peer that waits to be read cannot read.
        for _ in 0..BUDGET {
            match transport.as_mut().try_poll_next(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(flushed),
                Poll::Pending => return alarm.poll_at(give_up, cx).map(|_| flushed),
            }
        }
        cx.waker().wake_by_ref();
        alarm.poll_at(give_up, cx).map(|_| flushed)
    })
    .await
}

/// A [`PingPong`], whole or split in its two halves: see [`farewell`]. Nothing else can be.
///
/// ```
/// # use std::time::Duration;
/// # use futures::StreamExt;
/// # use liveness::rt::Runtime;
/// # use liveness::test_util::{LinkConfig, messages};
/// use liveness::websocket::{WholeOrSplit, farewell};
/// # use liveness::websocket::Frames;
/// # use liveness::{Dead, Error, KeepaliveConfig, PingPong};
/// # use tungstenite::Message;
///
/// /// One end for all sessions, whether they have split their stream or not.
/// async fn end(stream: impl WholeOrSplit, dead: &Dead, rt: &impl Runtime) -> bool {
///     farewell(stream, dead, Duration::from_secs(1), rt).await
/// }
///
/// # liveness::test_util::simulate(async |sim| {
/// # let hung = async || {
/// #     let (ws, peer, link) = messages::<Message>(&sim, LinkConfig::new());
/// #     let config = KeepaliveConfig::off().silence(Duration::from_secs(30));
/// #     let mut ws = PingPong::new(ws, Frames::new(), config, sim.clone())?;
/// #     let Some(Err(Error::Dead(dead))) = ws.next().await else { panic!("it hangs") };
/// #     Ok::<_, liveness::ConfigError>((ws, peer, dead, link))
/// # };
/// # let (ws, mut peer, dead, _link) = hung().await?;
/// // `ws` is a `PingPong` after its verdict.
/// assert!(end(ws, &dead, &sim).await);
/// assert!(matches!(peer.next().await, Some(Ok(Message::Close(Some(_))))));
/// # let (ws, mut peer, dead, _link) = hung().await?;
/// // And another one.
/// assert!(end(ws.split(), &dead, &sim).await);
/// assert!(matches!(peer.next().await, Some(Ok(Message::Close(Some(_))))));
/// # Ok::<(), liveness::ConfigError>(())
/// # }).unwrap();
/// ```
pub trait WholeOrSplit: sealed::Sealed {}

mod sealed {
    use super::{Dead, Sink, TryStream};

    pub trait Sealed {
        type Message;
        type Transport: TryStream + Sink<Self::Message>;

        /// The transport without its heartbeats, and the last message for it.
        fn last_word(self, dead: &Dead) -> Option<(Self::Transport, Self::Message)>;
    }
}

impl<T, P, R, E> WholeOrSplit for PingPong<T, P, R>
where
    T: Stream<Item = Result<P::Message, E>> + Sink<P::Message, Error = E>,
    P: Protocol,
    R: Runtime,
{
}

impl<T, P, R, E> sealed::Sealed for PingPong<T, P, R>
where
    T: Stream<Item = Result<P::Message, E>> + Sink<P::Message, Error = E>,
    P: Protocol,
    R: Runtime,
{
    type Message = P::Message;
    type Transport = T;

    fn last_word(mut self, dead: &Dead) -> Option<(T, P::Message)> {
        let message = self.protocol_mut().farewell(dead)?;
        Some((self.into_inner(), message))
    }
}

type Halves<T, P, R, M> = (
    SplitSink<PingPong<T, P, R>, M>,
    SplitStream<PingPong<T, P, R>>,
);

impl<T, P, R, M, E> WholeOrSplit for Halves<T, P, R, M>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    P: Protocol<Message = M>,
    R: Runtime,
{
}

impl<T, P, R, M, E> sealed::Sealed for Halves<T, P, R, M>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    P: Protocol<Message = M>,
    R: Runtime,
{
    type Message = M;
    type Transport = T;

    fn last_word(self, dead: &Dead) -> Option<(T, M)> {
        let (writer, reader) = self;
        sealed::Sealed::last_word(writer.reunite(reader).ok()?, dead)
    }
}

fn poll_send<S: Sink<M>, M>(
    mut sink: Pin<&mut S>,
    message: &mut Option<M>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), S::Error>> {
    if message.is_some() {
        ready!(sink.as_mut().poll_ready(cx))?;
    }
    if let Some(message) = message.take() {
        sink.as_mut().start_send(message)?;
    }
    sink.poll_flush(cx)
}

/// `text`, or as much of it as fits into `most` bytes without splitting a character.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let border = (0..=most).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(border.unwrap_or(0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::Cause;

    #[test]
    fn reasons_are_cut_between_characters() {
        assert_eq!(cut("abc".into(), 3), "abc");
        assert_eq!(cut("abcd".into(), 3), "abc");
        assert_eq!(cut("ab\u{b5}".into(), 3), "ab");
        assert_eq!(cut("\u{1f600}".into(), 3), "");
        let micros = "\u{b5}".repeat(100);
        assert_eq!(cut(micros, LONGEST_REASON).len(), LONGEST_REASON - 1);
    }

    #[test]
    fn the_longest_verdict_fits_a_close_frame() {
        let dead = Dead {
            cause: Cause::NoReply,
            limit: Duration::MAX,
            silent_for: Duration::MAX,
            unanswered: u32::MAX,
            last_rtt: Some(Duration::MAX),
        };
        let text = dead.to_string();
        assert!(text.len() > LONGEST_REASON, "{text}");
        let reason = close_reason(&dead);
        assert_eq!(reason.len(), LONGEST_REASON);
        assert!(text.starts_with(&reason));
    }
}
