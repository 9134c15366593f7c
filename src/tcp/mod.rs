//! Frames on a raw TCP stream, and the kernel's own keepalive; feature `tcp`.
//!
//! TCP carries bytes, not messages, and has no ping that a program answers. [`Frame`] adds both
//! with eight bytes a message: data, a ping with a number, the pong that answers it. [`TcpCodec`]
//! turns frames into bytes and back, for `tokio_util::codec::Framed` (feature `tokio`) and for
//! `asynchronous_codec::Framed` (feature `smol`), which takes any `futures` socket. [`Frames`] is
//! the [`Protocol`](crate::Protocol) of these frames for [`PingPong`](crate::PingPong).
//!
//! [`KernelKeepalive`] is for the connections whose bytes you cannot change. It asks the remote
//! *kernel*, which goes on answering for a program that hangs; prefer frames where both sides are
//! yours. [`SendQueue`] keeps short what stands before a ping in the kernel.
//!
//! # The wire format, version 1
//! A frame is a header of eight bytes and a body. Numbers are big endian.
//!
//! | byte | field | value |
//! | --- | --- | --- |
//! | 0 | magic | `0xBE`: no text in UTF-8 and no TLS record begins with it |
//! | 1 | version | `1` |
//! | 2 | kind | `1` data, `2` ping, `3` pong |
//! | 3 | flags | `0`; reserved |
//! | 4..8 | length | bytes after the header, `u32` |
//! | 8.. | body | as the kind has it |
//!
//! | kind | body |
//! | --- | --- |
//! | data | the user's bytes, `length` of them |
//! | ping | 8..16: the number of the ping, `u64`; 16..: the payload, `length - 8` bytes |
//! | pong | 8..16: the number of the ping it answers; 16..: the payload of the side that answers |
//!
//! Any other value in bytes 0 to 3, a ping or pong with a length below 8, a body beyond the
//! [`limit`](TcpCodec::limit), a payload that its type refuses, and a stream that ends inside a
//! frame are errors. There is nothing to negotiate: a side that speaks another version says so in
//! the first two bytes it sends, and is refused at them.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use liveness::Seq;
//! use liveness::tcp::{Frame, TcpCodec};
//!
//! let mut codec = TcpCodec::<()>::new();
//! let mut wire = BytesMut::new();
//! codec.encode(&Frame::Data(Bytes::from_static(b"hi")), &mut wire)?;
//! codec.encode(&Frame::Ping { seq: Seq::new(7), payload: () }, &mut wire)?;
//! assert_eq!(wire[..], [
//!     0xBE, 1, 1, 0, 0, 0, 0, 2, b'h', b'i',
//!     0xBE, 1, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7,
//! ]);
//!
//! assert_eq!(codec.decode(&mut wire)?, Some(Frame::Data(Bytes::from_static(b"hi"))));
//! assert_eq!(codec.decode(&mut wire)?, Some(Frame::Ping { seq: Seq::new(7), payload: () }));
//! assert_eq!(codec.decode(&mut wire)?, None);
//! # Ok::<(), liveness::tcp::FrameError>(())
//! ```

mod codec;
mod error;
mod frame;
#[cfg(any(feature = "tokio", feature = "smol"))]
mod framed;
mod kernel;
mod protocol;
mod send_queue;

pub use codec::TcpCodec;
pub use error::{FrameError, TooLarge};
pub use frame::Frame;
pub use kernel::{ApplyError, KernelKeepalive};
pub use protocol::Frames;
pub use send_queue::SendQueue;
