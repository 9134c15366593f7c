//! [`Tokio`]: Tokio's clock and timers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project::pin_project;

use super::{Runtime, Timer};

/// Tokio's clock and timers; feature `tokio`.
///
/// Its clock is Tokio's own, so tests with a paused clock work.
///
/// # Panics
/// Nothing of this crate panics; Tokio itself does when a timer is polled outside a Tokio runtime,
/// or in one that was built without `enable_time`.
///
/// ```
/// use std::time::Duration;
/// use liveness::Tokio;
/// use liveness::rt::Runtime;
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// let start = Tokio.now();
/// tokio::time::sleep(Duration::from_secs(3600)).await; // a paused clock jumps
/// assert!(Tokio.now() - start >= Duration::from_secs(3600));
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a unit value that users write as `Tokio`"
)]
pub struct Tokio;

/// A [`tokio::time::Sleep`]; made by [`Tokio`].
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::{Pin, pin};
/// use std::time::Duration;
/// use liveness::Tokio;
/// use liveness::rt::{Runtime, Timer, TokioTimer};
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// let (start, hour) = (Tokio.now(), Duration::from_secs(3600));
/// let mut timer: Pin<&mut TokioTimer> = pin!(Tokio.timer(start + hour));
/// timer.as_mut().reset(start + 2 * hour); // later
/// poll_fn(|cx| timer.as_mut().poll_expired(cx)).await;
/// assert!(Tokio.now() >= start + 2 * hour);
/// # });
/// ```
#[pin_project]
#[derive(Debug)]
pub struct TokioTimer(#[pin] tokio::time::Sleep);

impl Runtime for Tokio {
    type Timer = TokioTimer;

    fn timer(&self, at: Instant) -> TokioTimer {
        TokioTimer(tokio::time::sleep_until(at.into()))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// A task without budget sees no input, whatever its sockets hold.
    fn may_hide_input(&self) -> bool {
        !tokio::task::coop::has_budget_remaining()
    }
}

impl Timer for TokioTimer {
    fn reset(self: Pin<&mut Self>, at: Instant) {
        self.project().0.reset(at.into());
    }

    fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().0.poll(cx)
    }
}
