//! A third runtime, as a user writes it: the one of `examples/own_runtime.rs`, put to the test. It
//! runs in real time, since it is a clock and a thread of the user's own.

#[path = "../../examples/own_runtime.rs"]
mod example;

use std::time::Duration;

use example::Threaded;
use futures::executor::block_on;
use futures::future::{join_all, poll_fn};
use futures::{FutureExt, StreamExt};
use liveness::IdleConfig;
use liveness::io::track;
use liveness::rt::{Alarm, Runtime};

#[test]
fn the_example_runs() {
    example::main().unwrap();
}

#[test]
fn alarms_ring_on_time_and_leave_nothing() {
    let rt = Threaded::start();
    let alarm = |after: u64| {
        let rt = rt.clone();
        async move {
            let due = rt.now() + Duration::from_millis(after);
            let mut alarm = Alarm::new(rt);
            let now = poll_fn(|cx| alarm.poll_at(Some(due), cx)).await;
            assert!(now >= due);
        }
    };
    block_on(join_all((0..200).map(|n| alarm(n % 23))));
    assert_eq!(rt.waiting(), 0);
}

#[test]
fn a_dropped_connection_takes_its_timer_along() {
    let rt = Threaded::start();
    let idle = IdleConfig::new().all(Duration::from_secs(3600));
    let (socket, mut events) = track(futures::io::sink(), idle, rt.clone());
    assert!(events.next().now_or_never().is_none());
    assert_eq!(rt.waiting(), 1);
    drop(socket);
    assert_eq!(block_on(events.next()), None);
    assert_eq!(rt.waiting(), 0);
}
