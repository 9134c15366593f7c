//! The last word after a verdict: close code 1011 with the reason, and a limit on saying it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Sink;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::keepalive::Dead;
use crate::rt::{Alarm, Runtime};
use crate::time::later;

/// The close code for a peer that was found dead: 1011, "internal error" (RFC 6455, 7.4.1, as
/// extended by the registry). What Python's `websockets` sends for the same.
///
/// ```
/// assert_eq!(liveness::websocket::CLOSE_CODE, 1011);
/// ```
pub const CLOSE_CODE: u16 = 1011;

/// The most a close frame's reason may have: 125 bytes less the two of its code.
const LONGEST_REASON: usize = 123;

/// The verdict as the reason of a close frame: its text, cut to 123 bytes at a character's border.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
/// # let start = Instant::now();
/// # let s = Duration::from_secs(1);
/// # let mut keepalive = Keepalive::new(KeepaliveConfig::off().silence(90 * s), 0, start)?;
/// # let Some(KeepaliveEvent::Dead(dead)) = keepalive.handle_timeout(start + 90 * s) else { panic!() };
/// use liveness::websocket::close_reason;
///
/// assert_eq!(close_reason(&dead), dead.to_string()); // it is short enough
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[must_use]
pub fn close_reason(dead: &Dead) -> String {
    cut(dead.to_string(), LONGEST_REASON)
}

/// The close frame for a verdict: [`CLOSE_CODE`] and [`close_reason`].
///
/// ```
/// use liveness::Dead;
/// use liveness::websocket::close_frame;
/// use tungstenite::Message;
///
/// fn last_word(dead: &Dead) -> Message {
///     Message::Close(Some(close_frame(dead)))
/// }
/// ```
#[must_use]
pub fn close_frame(dead: &Dead) -> CloseFrame {
    CloseFrame {
        code: CloseCode::from(CLOSE_CODE),
        reason: close_reason(dead).into(),
    }
}

/// Sends one last message and gives up after `limit`; tells whether it was flushed.
///
/// The link to a peer that was found dead may take no bytes any more, so an unbounded `send` or
/// `close` can hang for as long as the kernel keeps trying, a quarter of an hour on Linux. This one
/// does not: after `limit`, or an error, drop the stream. It does not wait for the peer's own close.
///
/// Cancel safe in so far as dropping it drops what was not sent.
///
/// ```
/// use std::time::Duration;
/// use liveness::websocket::{close_frame, farewell};
/// use liveness::{Dead, Runtime};
/// # use futures::Sink;
/// use tungstenite::Message;
///
/// async fn hang_up<S, R>(mut ws: S, dead: Dead, rt: R)
/// where
///     S: Sink<Message> + Unpin,
///     R: Runtime,
/// {
///     let close = Message::Close(Some(close_frame(&dead)));
///     farewell(&mut ws, close, Duration::from_secs(1), &rt).await;
/// }
/// ```
pub async fn farewell<S, M, R>(sink: &mut S, message: M, limit: Duration, rt: &R) -> bool
where
    S: Sink<M> + Unpin,
    R: Runtime,
{
    let give_up = later(rt.now(), limit);
    let mut alarm = Alarm::new(rt.clone());
    let mut message = Some(message);
    std::future::poll_fn(
        |cx| match poll_send(Pin::new(&mut *sink), &mut message, cx) {
            Poll::Ready(result) => Poll::Ready(result.is_ok()),
            Poll::Pending => alarm.poll_at(give_up, cx).map(|_| false),
        },
    )
    .await
}

fn poll_send<S: Sink<M>, M>(
    mut sink: Pin<&mut S>,
    message: &mut Option<M>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), S::Error>> {
    if message.is_some() {
        std::task::ready!(sink.as_mut().poll_ready(cx))?;
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
        let frame = close_frame(&dead);
        assert_eq!(u16::from(frame.code), CLOSE_CODE);
        assert_eq!(frame.reason.len(), LONGEST_REASON);
        assert!(text.starts_with(frame.reason.as_str()));
    }
}
