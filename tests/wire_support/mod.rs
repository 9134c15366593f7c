//! What the tests of `KeepaliveStream` share: a socket that does what a script says, and a wire for lines
//! of text.
#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures::io::{AsyncRead, AsyncWrite};
use liveness::io::{Incoming, Wire};
use liveness::{Answers, KeepaliveConfig, Seq};

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

/// Lines of text: our ping is `?7`, the answer `!7`; a ping of the peer is `%`, our answer `=`; a line
/// `+5` that comes in changes the interval to 5 s; nothing of ours after a line `bye`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    out: Vec<u8>,
    mid_line_in: bool,
    interval: Option<u64>,
    bye: bool,
}

fn line(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| at + 1)
}

impl Wire for Lines {
    fn outgoing(&mut self, bytes: &[u8]) -> usize {
        let end = line(bytes);
        let followed = end.unwrap_or(bytes.len());
        self.out.extend_from_slice(&bytes[..followed.min(8)]);
        if end.is_some() {
            self.bye |= self.out == b"bye\n";
            self.out.clear();
        }
        followed
    }

    fn may_ping(&self) -> bool {
        self.out.is_empty() && !self.bye
    }

    fn ping(&mut self, seq: Seq, buf: &mut BytesMut) {
        buf.extend_from_slice(format!("?{}\n", seq.value()).as_bytes());
    }

    fn incoming(&mut self, bytes: &[u8]) -> Incoming {
        let end = line(bytes);
        if !self.mid_line_in && b"!%+".contains(&bytes[0]) {
            let Some(len) = end else {
                return Incoming::More;
            };
            let number = std::str::from_utf8(&bytes[1..len - 1])
                .unwrap()
                .parse()
                .ok();
            match (bytes[0], number) {
                (b'!', number) => {
                    return Incoming::Pong {
                        len,
                        answers: number
                            .map_or(Answers::Nothing, |number| Answers::Ping(Seq::new(number))),
                    };
                }
                (b'%', _) => return Incoming::Ping { len },
                (_, number) => self.interval = number,
            }
        }
        self.mid_line_in = end.is_none();
        Incoming::Pass(end.unwrap_or(bytes.len()))
    }

    fn answer(&mut self, buf: &mut BytesMut) {
        buf.extend_from_slice(b"=\n");
    }

    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        let interval = self.interval.take()?;
        Some(config.interval(Duration::from_secs(interval)))
    }
}
