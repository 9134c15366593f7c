//! [`transitions`]: what becomes of a monitor's peers, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use crate::detector::Rule;
use crate::monitor::{Monitor, Transition};
use crate::rt::{Alarm, Runtime};

/// The falls of a monitor's peers, as a stream: one timer for all of them, and nothing is spawned.
///
/// The stream holds the monitor. Beats, arrivals and departures are reported through
/// [`monitor_mut`](Transitions::monitor_mut) between two polls; so a task that reads beats and one
/// stream share a `select`, and no lock. Take in all the beats that have arrived before the next
/// poll.
///
/// The stream never ends. A monitor without a deadline makes no timer, and a beat touches none.
///
/// # Cancel safety
/// A dropped `next()` loses nothing.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::detector::{FixedTimeout, Sample, Status};
/// use liveness::fleet::transitions;
/// use liveness::rt::Runtime;
/// use liveness::{Monitor, Tokio};
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// let start = Tokio.now();
/// let mut monitor = Monitor::new(FixedTimeout::new(30 * second), start);
/// let (pump, valve) = (monitor.insert("pump", start), monitor.insert("valve", start));
/// let mut fallen = transitions(monitor, Tokio);
///
/// // Any transport would do; here the pump beats once, after ten seconds.
/// let beat = tokio::time::sleep(10 * second);
/// tokio::select! {
///     _ = fallen.next() => unreachable!("nobody has fallen yet"),
///     () = beat => {}
/// }
/// fallen.monitor_mut().on_heartbeat(pump, Sample::new(), Tokio.now())?;
///
/// let first = fallen.next().await.unwrap();
/// assert_eq!((first.key, first.to, first.at), (valve, Status::Dead, start + 30 * second));
/// let second_one = fallen.next().await.unwrap();
/// assert_eq!((second_one.key, second_one.at), (pump, start + 40 * second));
/// # Ok::<(), liveness::monitor::StaleKey>(())
/// # }).unwrap();
/// ```
pub fn transitions<T, R: Rule, Rt: Runtime>(
    monitor: Monitor<T, R>,
    rt: Rt,
) -> Transitions<T, R, Rt> {
    Transitions {
        monitor,
        alarm: Alarm::new(rt),
    }
}

/// The stream of [`transitions`].
///
/// ```
/// # use std::time::Duration;
/// # use futures::StreamExt;
/// use liveness::Monitor;
/// use liveness::detector::FixedTimeout;
/// use liveness::fleet::transitions;
/// # use liveness::rt::Runtime;
///
/// # liveness::test_util::simulate(async |sim| {
/// # let (start, second) = (sim.now(), Duration::from_secs(1));
/// let mut monitor = Monitor::new(FixedTimeout::new(30 * second), start);
/// let (pump, valve) = (monitor.insert("pump", start), monitor.insert("valve", start));
/// let mut fallen = transitions(monitor, sim);
///
/// // The valve signs off between two polls, so only the pump falls.
/// fallen.monitor_mut().remove(valve)?;
/// assert_eq!(fallen.next().await.unwrap().key, pump);
/// assert_eq!(fallen.monitor().counts().dead, 1);
///
/// // The monitor outlives the stream, with all it knows.
/// assert_eq!(fallen.into_monitor().remove(pump)?, "pump");
/// # Ok::<(), liveness::monitor::StaleKey>(())
/// # }).unwrap();
/// ```
pub struct Transitions<T, R: Rule, Rt: Runtime> {
    monitor: Monitor<T, R>,
    alarm: Alarm<Rt>,
}

impl<T, R: Rule, Rt: Runtime> Transitions<T, R, Rt> {
    /// The monitor, to be asked.
    #[must_use]
    pub const fn monitor(&self) -> &Monitor<T, R> {
        &self.monitor
    }

    /// The monitor, to be told of beats, arrivals and departures, with times of the same runtime.
    /// An earlier deadline counts from the next poll on.
    pub const fn monitor_mut(&mut self) -> &mut Monitor<T, R> {
        &mut self.monitor
    }

    /// The monitor, without the stream.
    #[must_use]
    pub fn into_monitor(self) -> Monitor<T, R> {
        self.monitor
    }
}

impl<T, R: Rule, Rt: Runtime> Stream for Transitions<T, R, Rt> {
    type Item = Transition;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Transition>> {
        let this = self.get_mut();
        loop {
            let due = this.monitor.poll_timeout();
            let Poll::Ready(now) = this.alarm.poll_at(due, cx) else {
                return Poll::Pending;
            };
            // Nothing due: the deadline was a bound, and the next one is later than now.
            if let Some(fallen) = this.monitor.handle_timeout(now) {
                return Poll::Ready(Some(fallen));
            }
        }
    }
}

// Nothing of it is ever pinned.
impl<T, R: Rule, Rt: Runtime> Unpin for Transitions<T, R, Rt> {}

impl<T, R: Rule + fmt::Debug, Rt: Runtime> fmt::Debug for Transitions<T, R, Rt> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transitions")
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}
