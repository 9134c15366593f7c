//! [`Stage`]: whether a protocol has come so far that pings can be put in.

/// How far the protocol of a [`Wire`](super::Wire) has come, as far as heartbeats go.
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
