//! Runtimes and time: the only place where a clock is read.
//!
//! A runtime is a value that you pass: [`Tokio`], [`Smol`], or one of your own. There is no default
//! to forget: without one the program does not compile. Two small traits are all it takes;
//! `examples/own_runtime.rs` writes one with a thread and a condition variable.

mod alarm;
#[cfg(all(test, liveness_loom))]
pub(crate) mod models;
#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

pub use alarm::Alarm;
pub(crate) use alarm::Bell;
#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
pub use smol::{Smol, SmolTimer};
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use tokio::{Tokio, TokioTimer};

/// A clock and the timers that go by it.
///
/// # Implementing
/// `now` never runs backwards. It is cheap to call, but nothing here calls it per read or write.
/// `timer` is called from inside a poll, so a runtime that wants its own context has it.
///
/// ```
/// use std::pin::Pin;
/// use std::task::{Context, Poll};
/// use std::time::Instant;
/// use liveness::rt::{Runtime, Timer};
///
/// /// Time stands still: good for a unit test of code that takes a `Runtime`.
/// #[derive(Clone)]
/// struct Frozen(Instant);
/// struct Never;
///
/// impl Runtime for Frozen {
///     type Timer = Never;
///     fn now(&self) -> Instant { self.0 }
///     fn timer(&self, _at: Instant) -> Never { Never }
/// }
///
/// impl Timer for Never {
///     fn reset(self: Pin<&mut Self>, _at: Instant) {}
///     fn poll_expired(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> { Poll::Pending }
/// }
/// # let rt = Frozen(Instant::now());
/// # assert_eq!(rt.now(), rt.now());
/// ```
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A timer of this runtime.
    type Timer: Timer;

    /// A timer that expires at `at`, or at once when that has passed.
    fn timer(&self, at: Instant) -> Self::Timer;

    /// The time by this runtime's clock.
    fn now(&self) -> Instant;

    /// A number from which one connection's [jitter](crate::Jitter) is drawn, another one at each
    /// call. By default it comes from the operating system, through the keys of
    /// [`RandomState`](std::hash::RandomState).
    fn seed(&self) -> u64 {
        crate::jitter::seed()
    }

    /// Whether a read may find nothing although something is there, because the running task has
    /// used up its turn. By default never. Tokio's budget does that: its sockets answer *pending*
    /// to a task that has done enough.
    fn may_hide_input(&self) -> bool {
        false
    }
}

/// How much a task does in one poll before other tasks get their turn: heartbeats taken in, frames
/// or datagrams skipped.
pub(crate) const BUDGET: u32 = 32;

/// One timer, which can be set again and again.
///
/// # Implementing
/// * `poll_expired` returns [`Poll::Ready`] once `at` has come, and otherwise wakes the waker of
///   the last poll when it does. Firing early is allowed, firing never is not.
/// * After `Ready` it is not polled again before a `reset`.
/// * `reset` may come at any time, also after `Ready`; the caller polls afterwards.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use std::future::poll_fn;
/// use std::pin::pin;
/// use std::time::Duration;
/// use liveness::Runtime;
/// use liveness::rt::Timer;
///
/// const SECOND: Duration = Duration::from_secs(1);
/// liveness::test_util::simulate(async |rt| {
///     let start = rt.now();
///     let mut timer = pin!(rt.timer(start + SECOND));
///     poll_fn(|cx| timer.as_mut().poll_expired(cx)).await;
///     timer.as_mut().reset(start + 3 * SECOND);
///     poll_fn(|cx| timer.as_mut().poll_expired(cx)).await;
///     assert_eq!(rt.now(), start + 3 * SECOND);
/// });
/// # }
/// ```
pub trait Timer: Send {
    /// Sets the timer to expire at `at` instead.
    fn reset(self: Pin<&mut Self>, at: Instant);

    /// Ready once the timer has expired.
    ///
    /// Cancel safe: polling is all there is.
    fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
}
