//! [`Around`]: a shell that lets every operation of its socket pass and looks at what moved.
//!
//! Written once for both families of I/O traits: [`forward`] implements futures-io's and, with
//! feature `tokio`, tokio-io's for a shell, over one function.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What an operation does to the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Operation {
    Read,
    Write,
    Flush,
    Close,
}

/// A shell around a socket, all of whose operations go through one function.
pub(in crate::io) trait Around {
    type Socket;

    /// Runs one operation of the socket, which tells how many bytes it moved.
    fn around<T>(
        self: Pin<&mut Self>,
        operation: Operation,
        cx: &mut Context<'_>,
        run: impl FnOnce(Pin<&mut Self::Socket>, &mut Context<'_>) -> (Poll<io::Result<T>>, usize),
    ) -> Poll<io::Result<T>>;
}

/// An operation whose result is how many bytes it moved.
#[inline]
pub(in crate::io) fn counted(result: Poll<io::Result<usize>>) -> (Poll<io::Result<usize>>, usize) {
    let moved = match &result {
        Poll::Ready(Ok(moved)) => *moved,
        _ => 0,
    };
    (result, moved)
}

/// The I/O traits of a shell `$shell<S, R>` around a socket `S`, over [`Around`].
macro_rules! forward {
    ($shell:ident) => {
        impl<S: AsyncRead, R: Runtime> AsyncRead for $shell<S, R> {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.around(Operation::Read, cx, |io, cx| counted(io.poll_read(cx, buf)))
            }

            #[inline]
            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.around(Operation::Read, cx, |io, cx| {
                    counted(io.poll_read_vectored(cx, bufs))
                })
            }
        }

        impl<S: AsyncWrite, R: Runtime> AsyncWrite for $shell<S, R> {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.around(Operation::Write, cx, |io, cx| {
                    counted(io.poll_write(cx, buf))
                })
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.around(Operation::Write, cx, |io, cx| {
                    counted(io.poll_write_vectored(cx, bufs))
                })
            }

            #[inline]
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.around(Operation::Flush, cx, |io, cx| (io.poll_flush(cx), 0))
            }

            #[inline]
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.around(Operation::Close, cx, |io, cx| (io.poll_close(cx), 0))
            }
        }

        #[cfg(feature = "tokio")]
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
        impl<S: tokio::io::AsyncRead, R: Runtime> tokio::io::AsyncRead for $shell<S, R> {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.around(Operation::Read, cx, |io, cx| {
                    let before = buf.remaining();
                    let result = io.poll_read(cx, buf);
                    // Counted even beside an error: the bytes are in the buffer.
                    (result, before.saturating_sub(buf.remaining()))
                })
            }
        }

        #[cfg(feature = "tokio")]
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
        impl<S: tokio::io::AsyncWrite, R: Runtime> tokio::io::AsyncWrite for $shell<S, R> {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.around(Operation::Write, cx, |io, cx| {
                    counted(io.poll_write(cx, buf))
                })
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.around(Operation::Write, cx, |io, cx| {
                    counted(io.poll_write_vectored(cx, bufs))
                })
            }

            fn is_write_vectored(&self) -> bool {
                self.io.is_write_vectored()
            }

            #[inline]
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.around(Operation::Flush, cx, |io, cx| (io.poll_flush(cx), 0))
            }

            #[inline]
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.around(Operation::Close, cx, |io, cx| (io.poll_shutdown(cx), 0))
            }
        }
    };
}
pub(in crate::io) use forward;
