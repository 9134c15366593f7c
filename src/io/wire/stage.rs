//! [`Stage`]: whether a protocol has come so far that pings can be put in.

/// How far the protocol of a [`Wire`](super::Wire) has come, as far as heartbeats go.
///
/// ```
/// # #[cfg(feature = "websocket")] {
/// use liveness::io::{Stage, Wire as _};
/// use liveness::websocket::Wire;
///
/// let mut wire = Wire::client();
/// wire.outgoing(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
/// assert_eq!(wire.stage(), Stage::Handshake);
///
/// let mut other = wire.clone();
/// other.incoming(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
/// assert_eq!(other.stage(), Stage::Foreign);
///
/// wire.incoming(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n");
/// assert_eq!(wire.stage(), Stage::Open);
/// wire.incoming(b"\x88\x00"); // a Close frame
/// assert_eq!(wire.stage(), Stage::Closing);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Not ready: nothing is asked, and plain silence is judged by the same bound.
    Handshake,
    /// The peer is asked.
    Open,
    /// A farewell has begun in one of the directions: nothing is asked any more, and plain silence
    /// is judged by the same bound.
    Closing,
    /// Another protocol: not a byte is put in, and no silence is judged.
    Foreign,
}
