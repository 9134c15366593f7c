//! [`KernelKeepalive`]: the socket options with which the kernel itself watches a connection.

use std::io;
#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::time::Duration;

use crate::error::ConfigError;
use crate::time::shorter;

/// The widest of idle and interval that every platform takes: Linux's `MAX_TCP_KEEPIDLE` and
/// `MAX_TCP_KEEPINTVL` (`include/net/tcp.h`), in seconds.
const LONGEST: Duration = Duration::from_secs(32_767);
/// Linux's `MAX_TCP_KEEPCNT`.
const MOST_RETRIES: u32 = 127;
/// The option is an `int` of milliseconds, and negative ones are refused.
const LONGEST_USER_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

const HAS_USER_TIMEOUT: bool = cfg!(any(
    target_os = "android",
    target_os = "fuchsia",
    target_os = "linux"
));

/// TCP keepalive by the kernel: `SO_KEEPALIVE`, its three numbers, and `TCP_USER_TIMEOUT`.
///
/// For connections whose bytes are not yours to change. The kernel sends an empty segment when
/// nothing came for `idle`, another one each `interval`, and after the last of `retries` without an
/// answer the connection fails: reads and writes end with [`TimedOut`](io::ErrorKind::TimedOut).
///
/// | field and setter | default | [`system_default`] | takes |
/// | --- | --- | --- | --- |
/// | [`idle`](Self::idle) | 15 s | 7200 s | 1 s to 32 767 s, whole seconds |
/// | [`interval`](Self::interval) | 5 s | 75 s (Windows 1 s) | 1 s to 32 767 s, whole seconds |
/// | [`retries`](Self::retries) | 3 | 9 (Apple, FreeBSD 8; Windows 10) | 1 to 127 |
/// | [`user_timeout`](Self::user_timeout) | see there | off | 1 ms to 24.8 days, whole ms |
///
/// [`system_default`]: Self::system_default
///
/// The ranges are Linux's, the narrowest, on every platform, so that values of one machine are not
/// refused by the next. Nothing is rounded: a value that does not fit is an error.
///
/// # What it proves
/// That the remote *kernel* answers, and no more. It goes on answering for a process that is
/// stopped, blocked or out of memory. A proxy between the two answers for itself. A
/// [`PingPong`](crate::PingPong) over [`Frames`](super::Frames) asks the program.
///
/// # Data in flight
/// The kernel asks only while everything it sent is acknowledged. When something is in flight its
/// retransmissions ask instead, and on Linux they go on for 15 minutes and longer (`tcp_retries2`).
/// A client that writes into a dead connection would wait for that. `user_timeout` ends it: the
/// connection fails when bytes stay unacknowledged for so long. So it is on by default wherever it
/// exists, and as long as the probes take. Two things to know about it on Linux:
///
/// * It takes the place of `retries`: unanswered probes end the connection at the first probe time
///   that is not before `user_timeout`. Its default says the same as `retries` does.
/// * It also ends a connection whose peer takes no bytes for so long (its window is closed because
///   its program does not read), although that peer's kernel answers.
///
/// ```
/// use std::time::Duration;
/// use liveness::tcp::KernelKeepalive;
///
/// const KEEPALIVE: KernelKeepalive = KernelKeepalive::new()
///     .idle(Duration::from_secs(10))
///     .interval(Duration::from_secs(2))
///     .retries(3);
/// assert_eq!(KEEPALIVE.detection_bound(), Duration::from_secs(16));
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// KEEPALIVE.apply(&socket)?;
///
/// let error = KEEPALIVE.idle(Duration::ZERO).apply(&socket).unwrap_err();
/// assert_eq!(error.to_string(), "idle (0ns) is outside 1s..=32767s");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KernelKeepalive {
    /// How long nothing may come before the first probe.
    pub idle: Duration,
    /// The time between two probes, and after the last one.
    pub interval: Duration,
    /// How many probes may stay unanswered.
    pub retries: u32,
    /// How long sent bytes may stay unacknowledged. `None` is as long as the probes take; zero is
    /// off.
    pub user_timeout: Option<Duration>,
}

impl KernelKeepalive {
    /// A verdict within 30 s: asks after 15 s of silence, then every 5 s, three times.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            idle: Duration::from_secs(15),
            interval: Duration::from_secs(5),
            retries: 3,
            user_timeout: None,
        }
    }

    /// The numbers of this platform for a socket with `SO_KEEPALIVE` alone: 7200 s, then 75 s nine
    /// times on Linux, unless its administrator has changed them.
    ///
    /// That takes two hours, eleven minutes and fifteen seconds.
    #[must_use]
    pub const fn system_default() -> Self {
        let (interval, retries) = if cfg!(windows) {
            (1, 10)
        } else if cfg!(any(target_vendor = "apple", target_os = "freebsd")) {
            (75, 8)
        } else {
            (75, 9)
        };
        Self {
            idle: Duration::from_secs(7200),
            interval: Duration::from_secs(interval),
            retries,
            user_timeout: Some(Duration::ZERO),
        }
    }

    /// How long nothing may come before the first probe; whole seconds. Default 15 s.
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// The time between two probes, and after the last one; whole seconds. Default 5 s.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How many probes may stay unanswered. Default 3.
    ///
    /// A [`user_timeout`](Self::user_timeout) of your own overrules it. On Windows it needs version
    /// 1703 of Windows 10.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long sent bytes may stay unacknowledged; whole milliseconds, zero is off: then the
    /// kernel retransmits for as long as it likes. Default as long as the probes take, `idle +
    /// retries * interval`, which is `None` in the field.
    ///
    /// Linux, Android and Fuchsia only. Elsewhere there is none by default, and
    /// [`apply`](Self::apply) refuses one that was set here.
    #[must_use]
    pub const fn user_timeout(mut self, user_timeout: Duration) -> Self {
        self.user_timeout = Some(user_timeout);
        self
    }

    /// The longest time from the last segment of the peer to the error, for a connection with
    /// nothing in flight.
    ///
    /// `idle + retries * interval`; with a [`user_timeout`](Self::user_timeout) of your own, the
    /// first probe time after the first probe that is not before it. The kernel's timers are
    /// coarse: Linux may fire them an eighth of each wait late.
    ///
    /// Bytes in flight have no such bound without a `user_timeout`. With one, the connection ends
    /// at the retransmission that finds them too old: measured 2.4 s for 2 s, and 3.07 s for a
    /// bound of 3 s (`cargo test --features tcp --test tcp_kernel -- --nocapture`). The bound means
    /// nothing for values that [`apply`](Self::apply) refuses.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::tcp::KernelKeepalive;
    /// let keepalive = KernelKeepalive::system_default()
    ///     .idle(Duration::from_secs(60))
    ///     .interval(Duration::from_secs(10))
    ///     .retries(6);
    /// assert_eq!(keepalive.detection_bound(), Duration::from_secs(120));
    /// // Probes at 60 s, 70 s, 80 s, 90 s; the one at 90 s is the first that is late enough.
    /// let sooner = keepalive.user_timeout(Duration::from_secs(85));
    /// assert_eq!(sooner.detection_bound(), Duration::from_secs(90));
    /// ```
    #[must_use]
    pub const fn detection_bound(&self) -> Duration {
        let waits = match self.unacked_limit() {
            Some(limit) => {
                let beyond = limit.saturating_sub(self.idle).as_millis();
                let interval = self.interval.as_millis();
                let waits = if interval == 0 {
                    1
                } else {
                    beyond.div_ceil(interval)
                };
                if waits == 0 { 1 } else { waits }
            }
            None => self.retries as u128,
        };
        let waits = if waits > u32::MAX as u128 {
            u32::MAX
        } else {
            waits as u32
        };
        self.idle
            .saturating_add(self.interval.saturating_mul(waits))
    }

    /// The user timeout in force; `None` where there is none.
    const fn unacked_limit(&self) -> Option<Duration> {
        match self.user_timeout {
            Some(Duration::ZERO) => None,
            Some(limit) => Some(limit),
            None if !HAS_USER_TIMEOUT => None,
            None => {
                let probes = self.interval.saturating_mul(self.retries);
                let all = self.idle.saturating_add(probes);
                if shorter(all, LONGEST_USER_TIMEOUT) {
                    Some(all)
                } else {
                    Some(LONGEST_USER_TIMEOUT)
                }
            }
        }
    }

    /// Sets the options on `socket`: any TCP socket of std, Tokio, smol or another library.
    ///
    /// It replaces earlier options, so it may be applied again. Take it to the socket itself, below
    /// TLS. An accepted socket has options of its own: apply it to each.
    ///
    /// # Errors
    /// [`ApplyError::Config`] for a value outside the table above, before anything is set.
    /// [`ApplyError::Io`] when the system refuses, as it does for a socket that is not TCP; options
    /// in front of the refused one stay set.
    #[cfg(any(unix, windows))]
    #[cfg_attr(docsrs, doc(cfg(any(unix, windows))))]
    pub fn apply(&self, socket: &impl AsSocket) -> Result<(), ApplyError> {
        self.validate()?;
        let socket = socket2::SockRef::from(socket);
        self.set_probes(&socket)?;
        self.set_user_timeout(&socket)?;
        Ok(())
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        fits("idle", self.idle, second, LONGEST)?;
        fits("interval", self.interval, second, LONGEST)?;
        if self.retries == 0 || self.retries > MOST_RETRIES {
            return Err(ConfigError::OutOfRange {
                name: "retries",
                value: self.retries.into(),
                least: 1,
                most: MOST_RETRIES.into(),
            });
        }
        let name = "user_timeout";
        match self.user_timeout {
            None | Some(Duration::ZERO) => Ok(()),
            Some(_) if !HAS_USER_TIMEOUT => Err(ConfigError::Unsupported { name }),
            Some(limit) => fits(name, limit, Duration::from_millis(1), LONGEST_USER_TIMEOUT),
        }
    }

    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "fuchsia",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_vendor = "apple",
        windows
    ))]
    fn set_probes(&self, socket: &socket2::Socket) -> Result<(), ApplyError> {
        let params = socket2::TcpKeepalive::new()
            .with_time(self.idle)
            .with_interval(self.interval)
            .with_retries(self.retries);
        Ok(socket.set_tcp_keepalive(&params)?)
    }

    #[cfg(not(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "fuchsia",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_vendor = "apple",
        windows
    )))]
    fn set_probes(&self, _socket: &socket2::Socket) -> Result<(), ApplyError> {
        Err(ConfigError::Unsupported { name: "interval" }.into())
    }

    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    fn set_user_timeout(&self, socket: &socket2::Socket) -> io::Result<()> {
        socket.set_tcp_user_timeout(self.unacked_limit())
    }

    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    fn set_user_timeout(&self, _socket: &socket2::Socket) -> io::Result<()> {
        Ok(())
    }
}

impl Default for KernelKeepalive {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether `value` is one of `step`, two steps and so on up to `most`.
fn fits(
    name: &'static str,
    value: Duration,
    step: Duration,
    most: Duration,
) -> Result<(), ConfigError> {
    if value < step || value > most {
        return Err(ConfigError::DurationOutOfRange {
            name,
            value,
            least: step,
            most,
        });
    }
    if value.as_nanos() % step.as_nanos() != 0 {
        return Err(ConfigError::TooFine { name, value, step });
    }
    Ok(())
}

/// Why a [`KernelKeepalive`] or a [`SendQueue`](super::SendQueue) could not be applied.
///
/// It turns into an [`io::Error`] with `?`; a value that cannot work is
/// [`InvalidInput`](io::ErrorKind::InvalidInput).
///
/// ```
/// use std::net::UdpSocket;
/// use liveness::tcp::{ApplyError, KernelKeepalive};
///
/// let not_tcp = UdpSocket::bind("127.0.0.1:0")?;
/// let error = KernelKeepalive::new().apply(&not_tcp).unwrap_err();
/// assert!(matches!(error, ApplyError::Io(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the caller's values or the system: a closed sum"
)]
pub enum ApplyError {
    /// A value that cannot work; nothing was set.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The system refused.
    #[error("cannot set the socket's option: {0}")]
    Io(#[from] io::Error),
}

impl From<ApplyError> for io::Error {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Config(error) => Self::new(io::ErrorKind::InvalidInput, error),
            ApplyError::Io(error) => error,
        }
    }
}
