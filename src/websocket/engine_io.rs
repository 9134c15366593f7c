//! The heartbeat of Engine.IO, on which Socket.IO stands, as configurations of both sides.

use std::time::Duration;

use crate::keepalive::{KeepaliveConfig, PingWhen, Proof};

/// # Presets of Engine.IO
impl KeepaliveConfig {
    /// An Engine.IO server of protocol version 4 with a `pingInterval` and a `pingTimeout`, which
    /// Socket.IO has at 25 s and 20 s; with [`Fixed::engine_io`].
    ///
    /// It asks every interval, whatever the traffic, because its clients wait for just that; and
    /// only a pong proves life, as in the reference implementation.
    ///
    /// ```
    /// use std::time::Duration;
    /// use liveness::KeepaliveConfig;
    ///
    /// let (interval, timeout) = (Duration::from_secs(25), Duration::from_secs(20));
    /// let server = KeepaliveConfig::engine_io_server(interval, timeout);
    /// let client = KeepaliveConfig::engine_io_client(interval, timeout);
    /// assert_eq!(server.detection_bound().unwrap().quiet, interval + timeout);
    /// assert_eq!(client.detection_bound().unwrap().quiet, interval + timeout);
    /// ```
    ///
    /// [`Fixed::engine_io`]: crate::websocket::Fixed::engine_io
    #[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
    #[must_use]
    pub const fn engine_io_server(interval: Duration, timeout: Duration) -> Self {
        Self::new()
            .interval(interval)
            .ping_when(PingWhen::Always)
            .proof(Proof::PongOnly)
            .reply_timeout(timeout)
            .max_unanswered(1)
    }

    /// An Engine.IO client of protocol version 4, with the two numbers that the server named in its
    /// first packet; with [`Fixed::engine_io`].
    ///
    /// It answers and never asks: the server cuts off a client that does. The server is dead when
    /// it was silent for both together. Do not call [`probe_now`](crate::PingPong::probe_now).
    ///
    /// [`Fixed::engine_io`]: crate::websocket::Fixed::engine_io
    #[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
    #[must_use]
    pub const fn engine_io_client(interval: Duration, timeout: Duration) -> Self {
        Self::new()
            .ping_when(PingWhen::Never)
            .silence(interval.saturating_add(timeout))
    }
}
