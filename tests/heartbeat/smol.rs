//! Heartbeats on smol, where time is real: the same loop and the same watch, in a tenth of a
//! second.
#![cfg(feature = "smol")]

use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use liveness::Smol;
use liveness::detector::FixedTimeout;
use liveness::heartbeat::{Schedule, WatchEvent, beat, memory, watch};

use crate::me;

#[test]
fn beats_and_verdicts_on_smol() {
    const DEAD_AFTER: Duration = Duration::from_millis(60);
    smol::block_on(async {
        let (mut sender, receiver) = memory::channel(8);
        let rule = FixedTimeout::new(DEAD_AFTER);
        let mut events = watch(receiver, rule, Smol).forgive_stall(false);
        let beating = beat(
            &mut sender,
            Schedule::new(Duration::from_millis(5)),
            Smol,
            &me(),
            || 7_u64,
        )
        .unwrap();
        let beats = async {
            let mut beats = 0;
            while beats < 5 {
                if let WatchEvent::Beat(beat) = events.next().await.unwrap() {
                    assert_eq!((beat.seq.value(), beat.payload), (beats, 7));
                    beats += 1;
                }
            }
        };
        // Real time: smol has no simulated clock. Nothing is asserted but order and the lower
        // bound.
        match select(beating, Box::pin(beats)).await {
            Either::Left((ended, _)) => panic!("{ended:?}"),
            Either::Right(((), beating)) => drop(beating),
        }
        let dead = loop {
            match events.next().await.unwrap() {
                WatchEvent::Dead(silence) => break silence,
                WatchEvent::Beat(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert!(dead.silent_for >= DEAD_AFTER, "{dead}");
        drop(sender);
        assert_eq!(events.next().await, Some(WatchEvent::Lost(memory::Closed)));
        assert_eq!(events.next().await, None);
    });
}
