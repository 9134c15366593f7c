//! [`Smol`]: smol's timers and the system's monotonic clock.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project::pin_project;

use super::{Runtime, Timer};

/// smol's timers and the monotonic clock of the standard library; feature `smol`.
///
/// They run on smol's own reactor thread, so they work on any executor.
///
/// ```
/// use std::pin::pin;
/// use std::time::Duration;
/// use liveness::Smol;
/// use liveness::rt::{Runtime, Timer};
///
/// smol::block_on(async {
///     let at = Smol.now() + Duration::from_millis(2);
///     let mut timer = pin!(Smol.timer(at));
///     std::future::poll_fn(|cx| timer.as_mut().poll_expired(cx)).await;
///     assert!(Smol.now() >= at);
/// });
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a unit value that users write as `Smol`"
)]
pub struct Smol;

/// A [`smol::Timer`]; made by [`Smol`].
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::{Pin, pin};
/// use std::time::Duration;
/// use liveness::Smol;
/// use liveness::rt::{Runtime, SmolTimer, Timer};
///
/// smol::block_on(async {
///     let start = Smol.now();
///     let mut timer: Pin<&mut SmolTimer> = pin!(Smol.timer(start + Duration::from_secs(3600)));
///     timer.as_mut().reset(start + Duration::from_millis(2)); // sooner
///     poll_fn(|cx| timer.as_mut().poll_expired(cx)).await;
///     assert!(Smol.now() >= start + Duration::from_millis(2));
///     assert!(Smol.now() < start + Duration::from_secs(3600));
/// });
/// ```
#[pin_project]
#[derive(Debug)]
pub struct SmolTimer(#[pin] smol::Timer);

impl Runtime for Smol {
    type Timer = SmolTimer;

    fn timer(&self, at: Instant) -> SmolTimer {
        SmolTimer(smol::Timer::at(at))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl Timer for SmolTimer {
    fn reset(self: Pin<&mut Self>, at: Instant) {
        self.project().0.get_mut().set_at(at);
    }

    fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().0.poll(cx).map(|_| ())
    }
}
