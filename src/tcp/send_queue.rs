//! [`SendQueue`]: how many of our bytes may stand before a ping.

#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;

use super::ApplyError;
use crate::error::ConfigError;

/// The option is an `int`.
const MOST: u32 = i32::MAX as u32;
/// On a path of 10 Mbit/s a tenth of a second; about what a server has to have ready in order not
/// to starve a fast one.
const UNSENT: u32 = 128 * 1024;

const HAS_UNSENT: bool = cfg!(any(target_os = "android", target_os = "linux"));

/// How many of our own bytes may stand before a ping in the kernel: `SO_SNDBUF` and
/// `TCP_NOTSENT_LOWAT`.
///
/// A socket takes megabytes at once and sends them when the path lets it. A ping stands behind all
/// of them, and its answer takes as long: on an uplink of 1 Mbit/s, 8 s for each megabyte. A
/// [`PingPong`](crate::PingPong) [waits for that](crate::Keepalive#when-a-ping-is-out), so a short
/// queue means a sooner verdict while we upload, and round trips that are about the path.
///
/// | field and setter | option | default | takes |
/// | --- | --- | --- | --- |
/// | [`unsent`](Self::unsent()) | `TCP_NOTSENT_LOWAT` | 128 KiB; none but on Linux and Android | 0 to 2 GiB |
/// | [`buffer`](Self::buffer()) | `SO_SNDBUF` | the kernel's own, up to 4 MiB on Linux | 1 byte to 2 GiB |
///
/// `unsent` costs no throughput: the socket is full while so many bytes are not sent yet, and those
/// on their way do not count. `buffer` counts both and so limits the rate: one buffer a round trip.
/// It is for paths with a deep queue of their own, where too much is on its way.
///
/// ```
/// use liveness::tcp::SendQueue;
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
///
/// // The kernel sizes the buffer, so how much it holds is not known.
/// assert_eq!(SendQueue::new().apply(&socket)?, None);
///
/// let held = SendQueue::new().buffer(64 * 1024).apply(&socket)?.unwrap();
/// # #[cfg(target_os = "linux")]
/// assert_eq!(held, 2 * 64 * 1024); // Linux gives twice as much
/// // stream.set_send_buffer(held);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct SendQueue {
    /// How many bytes may wait to be sent. `None` is 128 KiB where the system has the option; zero
    /// leaves it to the system.
    pub unsent: Option<u32>,
    /// How many bytes may wait to be sent or to be acknowledged. `None` leaves it to the kernel.
    pub buffer: Option<u32>,
}

impl SendQueue {
    /// At most 128 KiB that are not sent, in a buffer of the kernel's own size.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            unsent: None,
            buffer: None,
        }
    }

    /// How many bytes may wait to be sent: with more, the socket is full. Default 128 KiB, which is
    /// `None` in the field. Zero leaves it to the system, whose own is no limit
    /// (`net.ipv4.tcp_notsent_lowat`).
    ///
    /// Linux and Android only. Elsewhere there is none by default, and [`apply`](Self::apply)
    /// refuses one that was set here.
    #[must_use]
    pub const fn unsent(mut self, bytes: u32) -> Self {
        self.unsent = Some(bytes);
        self
    }

    /// How many bytes may wait to be sent or to be acknowledged. Default the kernel's own, which
    /// grows with the connection.
    ///
    /// Linux gives twice as many, since it charges its own bookkeeping to them, and never more than
    /// twice its `net.core.wmem_max`: [`apply`](Self::apply) says how many there are. It no longer
    /// grows then.
    #[must_use]
    pub const fn buffer(mut self, bytes: u32) -> Self {
        self.buffer = Some(bytes);
        self
    }

    /// Sets the options on `socket`: any TCP socket of std, Tokio, smol or another library. Returns
    /// how many bytes the buffer holds at most, as the kernel says, where a
    /// [`buffer`](Self::buffer()) was asked for: the number for
    /// [`PingPong::set_send_buffer`](crate::PingPong::set_send_buffer).
    ///
    /// Take it to the socket itself, below TLS. An accepted socket has options of its own: apply it
    /// to each. A buffer that was set stays set when `None` is applied later.
    ///
    /// # Errors
    /// [`ApplyError::Config`] for a value outside the table above, before anything is set.
    /// [`ApplyError::Io`] when the system refuses; options in front of the refused one stay set.
    #[cfg(any(unix, windows))]
    #[cfg_attr(docsrs, doc(cfg(any(unix, windows))))]
    pub fn apply(&self, socket: &impl AsSocket) -> Result<Option<u64>, ApplyError> {
        self.validate()?;
        let socket = socket2::SockRef::from(socket);
        self.set_unsent(&socket)?;
        let Some(bytes) = self.buffer else {
            return Ok(None);
        };
        socket.set_send_buffer_size(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let held = socket.send_buffer_size()?;
        Ok(Some(u64::try_from(held).unwrap_or(u64::MAX)))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let name = "unsent";
        if self.unsent.is_some_and(|bytes| bytes > 0) && !HAS_UNSENT {
            return Err(ConfigError::Unsupported { name });
        }
        let wishes = [(name, self.unsent, 0), ("buffer", self.buffer, 1)];
        for (name, value, least) in wishes {
            if let Some(value) = value.filter(|value| !(least..=MOST).contains(value)) {
                return Err(ConfigError::OutOfRange {
                    name,
                    value: value.into(),
                    least: least.into(),
                    most: MOST.into(),
                });
            }
        }
        Ok(())
    }

    #[cfg(any(target_os = "android", target_os = "linux"))]
    fn set_unsent(&self, socket: &socket2::Socket) -> std::io::Result<()> {
        socket.set_tcp_notsent_lowat(self.unsent.unwrap_or(UNSENT))
    }

    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    fn set_unsent(&self, _socket: &socket2::Socket) -> std::io::Result<()> {
        Ok(())
    }
}
