//! The socket below, by the traits of futures-io or of tokio-io: what a shell does with it is
//! written once, over [`Source`] and [`Outlet`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};

/// Where read bytes go.
pub(in crate::io) trait Room {
    fn is_full(&self) -> bool;
    fn filled(&self) -> usize;
    /// What was filled in from `mark` on.
    fn since(&mut self, mark: usize) -> &mut [u8];
    fn truncate(&mut self, filled: usize);
    /// Puts in as many as there is room for; returns how many.
    fn put(&mut self, bytes: &[u8]) -> usize;
}

/// Reads from the socket below.
pub(in crate::io) trait Source {
    type Room<'b>: Room;
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Self::Room<'_>,
    ) -> Poll<io::Result<()>>;
    fn poll_read_slice(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
}

/// Writes to the socket below.
pub(in crate::io) trait Outlet {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A socket of futures-io.
pub(in crate::io) struct Futures<'a, S>(pub(in crate::io) Pin<&'a mut S>);

/// A slice and how far it is filled.
pub(in crate::io) struct Slice<'b> {
    pub(in crate::io) buf: &'b mut [u8],
    pub(in crate::io) filled: usize,
}

impl Room for Slice<'_> {
    fn is_full(&self) -> bool {
        self.filled == self.buf.len()
    }

    fn filled(&self) -> usize {
        self.filled
    }

    fn since(&mut self, mark: usize) -> &mut [u8] {
        &mut self.buf[mark..self.filled]
    }

    fn truncate(&mut self, filled: usize) {
        self.filled = filled;
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let room = &mut self.buf[self.filled..];
        let taken = bytes.len().min(room.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        taken
    }
}

impl<S: AsyncRead> Source for Futures<'_, S> {
    type Room<'b> = Slice<'b>;

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut Slice<'_>) -> Poll<io::Result<()>> {
        let buf = &mut room.buf[room.filled..];
        let most = buf.len();
        self.0.as_mut().poll_read(cx, buf).map_ok(|read| {
            room.filled += read.min(most);
        })
    }

    fn poll_read_slice(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let most = buf.len();
        let read = self.0.as_mut().poll_read(cx, buf);
        read.map_ok(|read| read.min(most))
    }
}

impl<S: AsyncWrite> Outlet for Futures<'_, S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_close(cx)
    }
}

/// A socket of tokio-io.
#[cfg(feature = "tokio")]
pub(in crate::io) struct TokioIo<'a, S>(pub(in crate::io) Pin<&'a mut S>);

#[cfg(feature = "tokio")]
impl Room for tokio::io::ReadBuf<'_> {
    fn is_full(&self) -> bool {
        self.remaining() == 0
    }

    fn filled(&self) -> usize {
        self.filled().len()
    }

    fn since(&mut self, mark: usize) -> &mut [u8] {
        self.filled_mut().get_mut(mark..).unwrap_or_default()
    }

    fn truncate(&mut self, filled: usize) {
        self.set_filled(filled);
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.remaining());
        self.put_slice(&bytes[..taken]);
        taken
    }
}

#[cfg(feature = "tokio")]
impl<S: tokio::io::AsyncRead> Source for TokioIo<'_, S> {
    type Room<'b> = tokio::io::ReadBuf<'b>;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, room)
    }

    fn poll_read_slice(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = tokio::io::ReadBuf::new(buf);
        let read = self.0.as_mut().poll_read(cx, &mut room);
        read.map_ok(|()| room.filled().len())
    }
}

#[cfg(feature = "tokio")]
impl<S: tokio::io::AsyncWrite> Outlet for TokioIo<'_, S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}
