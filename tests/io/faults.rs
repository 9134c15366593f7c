//! Faults of what wraps a socket that were found once, each in the numbers of its case.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::io::{AsyncRead, AsyncWrite};
use futures::{FutureExt, StreamExt};
use liveness::flood::FloodLimit;
use liveness::io::{IdleTimeout, KeepaliveStream, track};
use liveness::rt::Runtime;
use liveness::test_util::{Sim, SimTimer};
use liveness::{Cause, Dead, IdleConfig, KeepaliveConfig};

use crate::common::{self, Script, noop, read_some, write_some};
use crate::lines::Lines;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn stream(config: KeepaliveConfig) -> (KeepaliveStream<Script, Lines, Sim>, Sim) {
    let sim = Sim::new();
    let stream = KeepaliveStream::new(Script::default(), Lines::default(), config, sim.clone());
    (stream.unwrap(), sim)
}

/// 2: the reply clock ran while the ping stood in a buffer that was not flushed before 28 s.
#[test]
fn over_a_buffering_socket_the_reply_clock_starts_with_the_flush() {
    let config = KeepaliveConfig::new()
        .reply_timeout(5 * S)
        .max_unanswered(1);
    let (mut stream, sim) = stream(config);
    stream.get_mut().flush_stuck = true;
    for _ in 0..28 {
        common::read_all(&mut stream, 100).unwrap();
        sim.advance(S);
    }
    // It was taken at 20 s, and nothing of it is on the wire.
    assert_eq!(stream.get_ref().written, b"?0\n");
    stream.get_mut().flush_stuck = false;
    common::read_all(&mut stream, 100).unwrap();
    // The peer answers at once.
    sim.advance(S / 10);
    stream.get_mut().push(b"!0\n");
    common::read_all(&mut stream, 100).unwrap();
    assert_eq!(stream.dead(), None);
    assert_eq!(stream.rtt().latest(), Some(S / 10));
}

/// 3a: a write that was given up counted as refused for ever.
#[test]
fn a_write_that_was_given_up_on_a_socket_that_takes_bytes_again_is_no_stall() {
    let sim = Sim::new();
    let (near, far, _link) =
        liveness::test_util::bytes(&sim, liveness::test_util::LinkConfig::new().room(4));
    let config = KeepaliveConfig::new();
    let mut stream = KeepaliveStream::new(near, Lines::default(), config, sim.clone()).unwrap();
    let mut far = far;
    assert!(matches!(
        write_some(&mut stream, b"1234"),
        Poll::Ready(Ok(4))
    ));
    assert!(write_some(&mut stream, b"5\n").is_pending());
    // Given up. The socket takes bytes again at once, and the peer talks every 100 ms.
    assert!(read_some(&mut far, 100).is_ready());
    for _ in 0..900 {
        sim.advance(S / 10);
        assert!(matches!(write_some(&mut far, b".\n"), Poll::Ready(Ok(_))));
        assert!(matches!(read_some(&mut stream, 100), Poll::Ready(Ok(_))));
        assert!(read_some(&mut stream, 100).is_pending());
    }
    assert_eq!(stream.dead(), None);

    // The same with a socket that really takes nothing.
    assert!(matches!(
        write_some(&mut stream, b"1234"),
        Poll::Ready(Ok(4))
    ));
    assert!(write_some(&mut stream, b"5\n").is_pending());
    for _ in 0..900 {
        sim.advance(S / 10);
        let _ = write_some(&mut far, b".\n");
        if let Poll::Ready(Err(error)) = read_some(&mut stream, 100) {
            assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
            return;
        }
        let _ = read_some(&mut stream, 100);
    }
    panic!("no verdict");
}

/// Demand 92: a million pings were answered.
#[test]
fn a_flood_of_pings_ends_the_stream_with_its_own_reason() {
    let sim = Sim::new();
    let stream = KeepaliveStream::new(
        Script::default(),
        Lines::default(),
        KeepaliveConfig::new(),
        sim.clone(),
    );
    let mut stream = stream.unwrap().flood_limit(FloodLimit::DEFAULT);
    for _ in 0..10_000 {
        stream.get_mut().push(b"%7\n");
    }
    let error = (0..400).find_map(|_| common::read_all(&mut stream, 100).err());
    let error = error.expect("a flood");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    // Each answer has two bytes.
    assert!(stream.get_ref().written.len() <= 2 * 1000);
}

/// Time stands in a [`Sim`], and a poll sees no input while the task's budget is used up.
#[derive(Debug, Clone)]
struct Budgeted {
    sim: Sim,
    left: Arc<AtomicU32>,
}

impl Runtime for Budgeted {
    type Timer = SimTimer;

    fn timer(&self, at: Instant) -> SimTimer {
        self.sim.timer(at)
    }

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn may_hide_input(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

/// A socket of such a runtime.
struct Socket {
    rt: Budgeted,
    input: VecDeque<u8>,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.rt.may_hide_input() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.input.pop_front() {
            Some(byte) => {
                buf[0] = byte;
                Poll::Ready(Ok(1))
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn budgeted() -> (Budgeted, Socket) {
    let rt = Budgeted {
        sim: Sim::new(),
        left: Arc::new(AtomicU32::new(1)),
    };
    let socket = Socket {
        rt: rt.clone(),
        input: VecDeque::new(),
    };
    (rt, socket)
}

/// 10: bytes waited in the socket while the timeout said that none had moved.
#[test]
fn an_idle_timeout_does_not_speak_while_bytes_wait() {
    let (rt, socket) = budgeted();
    let mut socket = IdleTimeout::new(socket, 100 * MS, rt.clone());
    assert!(read_some(&mut socket, 1).is_pending());
    // The peer sends all the time; the process stands still, and comes back with no budget left.
    socket.get_mut().input.extend([1; 20]);
    rt.left.store(0, Ordering::SeqCst);
    rt.sim.advance(150 * MS);
    for _ in 0..4 {
        assert!(read_some(&mut socket, 1).is_pending());
        rt.sim.advance(MS);
    }
    rt.left.store(1, Ordering::SeqCst);
    assert!(matches!(read_some(&mut socket, 1), Poll::Ready(Ok(_))));
    while read_some(&mut socket, 1).is_ready() {}
    // And it speaks when there is nothing.
    rt.sim.advance(100 * MS);
    let silent = (0..2).find_map(|_| match read_some(&mut socket, 1) {
        Poll::Ready(read) => Some(read.unwrap_err().kind()),
        Poll::Pending => None,
    });
    assert_eq!(silent, Some(ErrorKind::TimedOut));
}

/// 10: seven idle events in fifteen pauses of our own, beside a peer that sent every 20 ms.
#[test]
fn idle_events_do_not_speak_while_bytes_wait() {
    let (rt, socket) = budgeted();
    let config = IdleConfig::new().reader(100 * MS);
    let (mut socket, mut events) = track(socket, config, rt.clone());
    let mut spoken = 0;
    for _ in 0..15 {
        assert!(events.next().now_or_never().is_none());
        rt.sim.advance(150 * MS);
        socket.get_mut().input.extend([1; 7]);
        // The events come first in the same task, as a `select!` may have it.
        spoken += u32::from(events.next().now_or_never().is_some());
        while noop(|cx| Pin::new(&mut socket).poll_read(cx, &mut [0; 1])).is_ready() {}
        spoken += u32::from(events.next().now_or_never().is_some());
    }
    assert_eq!(spoken, 0);
    rt.sim.advance(100 * MS);
    let event = (0..2).find_map(|_| events.next().now_or_never());
    assert!(event.is_some());
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use liveness::Tokio;

    use super::*;

    /// Input is hidden from a task without budget, and from no other.
    #[tokio::test]
    async fn a_task_without_budget_may_have_input_hidden_from_it() {
        assert!(!Tokio.may_hide_input());
        std::future::poll_fn(|cx| {
            assert!(!Tokio.may_hide_input());
            while tokio::task::coop::has_budget_remaining() {
                let mut consume = std::pin::pin!(tokio::task::consume_budget());
                let _ = std::future::Future::poll(consume.as_mut(), cx);
            }
            assert!(Tokio.may_hide_input());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
        assert!(!Tokio.may_hide_input());
    }

    #[test]
    fn outside_of_a_task_nothing_is_hidden() {
        assert!(!Tokio.may_hide_input());
    }
}
