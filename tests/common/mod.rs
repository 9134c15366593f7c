//! What the tests of `KeepaliveStream` share: a socket that does what a script says, and polls by
//! hand.
#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::io::{AsyncRead, AsyncWrite};

/// What a read finds next.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Bytes(Vec<u8>),
    /// Nothing, this once.
    Nothing,
    End,
    Fails(io::ErrorKind),
}

/// A socket that does what it is told.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) input: VecDeque<Input>,
    /// How many bytes each write takes; zero is none for now. When it is used up, all.
    pub(crate) takes: VecDeque<usize>,
    /// How many bytes are taken before none is; `None` for any number.
    pub(crate) budget: Option<usize>,
    /// Nothing is taken any more.
    pub(crate) stuck: bool,
    /// Nothing is flushed any more.
    pub(crate) flush_stuck: bool,
    pub(crate) written: Vec<u8>,
    pub(crate) writes: usize,
    pub(crate) flushes: usize,
    pub(crate) closed: bool,
}

impl Script {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.push_back(Input::Bytes(bytes.to_vec()));
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.input.pop_front() {
            None | Some(Input::Nothing) => Poll::Pending,
            Some(Input::End) => {
                self.input.push_front(Input::End);
                Poll::Ready(Ok(0))
            }
            Some(Input::Fails(kind)) => Poll::Ready(Err(kind.into())),
            Some(Input::Bytes(mut bytes)) => {
                let count = bytes.len().min(buf.len());
                let rest = bytes.split_off(count);
                buf[..count].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    self.input.push_front(Input::Bytes(rest));
                }
                Poll::Ready(Ok(count))
            }
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.closed, "a write after the close");
        self.writes += 1;
        let most = self.takes.pop_front().unwrap_or(usize::MAX);
        let most = most.min(self.budget.unwrap_or(usize::MAX));
        if most == 0 || self.stuck {
            return Poll::Pending;
        }
        let count = most.min(buf.len());
        self.budget = self.budget.map(|budget| budget - count);
        self.written.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.as_mut().poll_write(_cx, &all)
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flush_stuck {
            return Poll::Pending;
        }
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stuck {
            return Poll::Pending;
        }
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

/// One poll that nobody waits for.
pub(crate) fn noop<T>(poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn read_some<S>(stream: &mut S, room: usize) -> Poll<io::Result<Vec<u8>>>
where
    S: AsyncRead + Unpin,
{
    let mut buf = vec![0; room];
    let read = noop(|cx| Pin::new(stream).poll_read(cx, &mut buf));
    read.map_ok(|count| buf[..count].to_vec())
}

/// Reads until there is nothing more, with one more poll for the turn of the executor that a
/// verdict or a ping waits for.
pub(crate) fn read_all<S>(stream: &mut S, room: usize) -> io::Result<Vec<u8>>
where
    S: AsyncRead + Unpin,
{
    let (mut all, mut empty) = (Vec::new(), 0);
    while empty < 2 {
        match read_some(stream, room) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => break,
            Poll::Ready(bytes) => all.extend(bytes?),
            Poll::Pending => empty += 1,
        }
    }
    Ok(all)
}

pub(crate) fn write_some<S>(stream: &mut S, bytes: &[u8]) -> Poll<io::Result<usize>>
where
    S: AsyncWrite + Unpin,
{
    noop(|cx| Pin::new(stream).poll_write(cx, bytes))
}

pub(crate) fn write_all<S: AsyncWrite + Unpin>(stream: &mut S, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        if let Poll::Ready(taken) = write_some(stream, bytes) {
            bytes = &bytes[taken.unwrap()..];
        }
    }
}
