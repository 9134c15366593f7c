//! The sending loop on simulated time: it keeps its schedule whatever the acks do, gives each beat
//! its time, counts failures, never bursts, and leaves nothing behind.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveness::heartbeat::{Failure, Identity, Origin, Schedule, async_trait, beat, memory};
use liveness::test_util::{Sim, simulate};
use liveness::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Jitter, Seq};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What a scripted link does with one beat.
#[derive(Clone, Copy)]
enum Does {
    /// Acks after a while.
    Ack(Duration),
    Fail,
    Hang,
}
use Does::{Ack, Fail, Hang};

use crate::me;

/// A beat, and when it left.
type Sent = (Duration, Heartbeat<u32>);

/// A link that follows a script, and then acks at once for ever. It notes when each beat left.
#[derive(Clone)]
struct Scripted {
    sim: Sim,
    script: Arc<Mutex<VecDeque<Does>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Scripted {
    fn new(sim: &Sim, script: impl IntoIterator<Item = Does>) -> Self {
        Self {
            sim: sim.clone(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            sent: Arc::default(),
        }
    }

    fn beats(&self) -> Vec<Heartbeat<u32>> {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|(_, beat)| beat.clone()).collect()
    }

    /// When the beats left, in milliseconds.
    fn times(&self) -> Vec<u128> {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|(at, _)| at.as_millis()).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused")]
struct Refused;

#[async_trait]
impl HeartbeatSender for Scripted {
    type Payload = u32;
    type Ack = Seq;
    type Error = Refused;

    async fn send(&mut self, beat: Heartbeat<u32>) -> Result<Seq, Refused> {
        let seq = beat.seq;
        self.sent.lock().unwrap().push((self.sim.elapsed(), beat));
        let next = self.script.lock().unwrap().pop_front();
        match next.unwrap_or(Ack(Duration::ZERO)) {
            Ack(after) if after.is_zero() => Ok(seq),
            Ack(after) => {
                self.sim.sleep(after).await;
                Ok(seq)
            }
            Fail => Err(Refused),
            Hang => std::future::pending().await,
        }
    }
}

fn sendable<T: Send + 'static>(task: T) -> T {
    task
}

/// Runs a loop over `link` for `time`; what it ended with, if it did.
async fn run(
    link: &Scripted,
    schedule: Schedule,
    time: Duration,
) -> Option<liveness::heartbeat::BeatError<Refused>> {
    let (sim, mut payload) = (link.sim.clone(), 0);
    let beating = beat(link.clone(), schedule, sim.clone(), &me(), move || {
        payload += 1;
        payload
    })
    .expect("a schedule that works");
    match sim.timeout(time, beating).await {
        Some(Err(error)) => Some(error),
        Some(Ok(never)) => match never {},
        None => None,
    }
}

#[test]
fn beats_are_numbered_named_and_fresh() {
    simulate(async |sim| {
        let (sender, mut receiver) = memory::channel(8);
        let mut load = 0;
        let identity = Identity::new(Origin::new("worker-1").unwrap(), 3);
        let beating = beat(
            sender,
            Schedule::new(5 * SECOND),
            sim.clone(),
            &identity,
            move || {
                load += 7;
                load
            },
        )
        .unwrap();
        let watching = async {
            for n in 0..5 {
                let beat = receiver.recv().await.unwrap();
                let expected = Heartbeat {
                    origin: Origin::new("worker-1").unwrap(),
                    incarnation: 3,
                    seq: Seq::new(n),
                    interval: Some(5 * SECOND),
                    payload: 7 * (n + 1),
                };
                assert_eq!(beat, expected);
            }
        };
        tokio::select! {
            ended = beating => panic!("{ended:?}"),
            () = watching => {}
        }
    });
}

#[test]
fn the_ack_time_does_not_move_the_schedule() {
    simulate(async |sim| {
        let acks = [900, 0, 300, 999, 500].map(|ms| Ack(ms * MS));
        let link = Scripted::new(&sim, acks);
        assert_eq!(
            run(&link, Schedule::new(SECOND), 7 * SECOND + 500 * MS).await,
            None
        );
        assert_eq!(link.times(), [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000],);
    });
}

#[test]
fn a_slow_ack_is_followed_by_one_beat_and_no_burst() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, [Ack(5_700 * MS)]);
        let schedule = Schedule::new(SECOND).send_timeout(Duration::ZERO);
        run(&link, schedule, 9 * SECOND).await;
        assert_eq!(link.times(), [0, 5700, 6000, 7000, 8000, 9000]);
    });
}

#[test]
fn a_stalled_process_beats_once_and_goes_on() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, []);
        let mut beating = beat(
            link.clone(),
            Schedule::new(SECOND),
            sim.clone(),
            &me(),
            || 0,
        )
        .unwrap();
        let stalls = async {
            sim.sleep(2_500 * MS).await;
            // The clock jumps as it does for a process that was stopped.
            sim.advance(60 * SECOND);
            sim.sleep(1_400 * MS).await;
        };
        tokio::select! {
            ended = &mut beating => panic!("{ended:?}"),
            () = stalls => {}
        }
        assert_eq!(link.times(), [0, 1000, 2000, 62_500, 63_000]);
    });
}

#[test]
fn a_link_that_hangs_ends_the_loop_in_time() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, [Hang; 100]);
        let schedule = Schedule::new(SECOND).send_timeout(300 * MS).max_failures(3);
        let error = run(&link, schedule, 60 * SECOND).await.expect("an end");
        assert_eq!(error.failures, 3);
        assert_eq!(error.seq, Seq::new(2));
        assert_eq!(error.failure, Failure::TimedOut { after: 300 * MS });
        assert_eq!(
            error.to_string(),
            "3 beats in a row failed, the last one #2: not through within 300ms"
        );
        assert_eq!(link.times(), [0, 1000, 2000]);
        assert_eq!(sim.elapsed(), 2300 * MS);
    });
}

/// Without a limit of its own a beat has as long as the interval: then the next one is due.
#[test]
fn the_send_timeout_is_the_interval_unless_set() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, [Hang, Hang]);
        let error = run(&link, Schedule::new(SECOND), 60 * SECOND).await;
        assert_eq!(
            error.expect("an end").failure,
            Failure::TimedOut { after: SECOND }
        );
        assert_eq!(link.times(), [0, 1000]);
    });
}

#[test]
fn failures_are_counted_in_a_row() {
    simulate(async |sim| {
        // Threshold 5: four failures are nothing, the fifth ends it.
        let link = Scripted::new(&sim, [Fail; 5]);
        let error = run(&link, Schedule::new(SECOND).max_failures(5), 60 * SECOND).await;
        let error = error.expect("an end");
        assert_eq!(
            (error.failures, error.failure),
            (5, Failure::Transport(Refused))
        );
        assert_eq!(link.beats().len(), 5);

        // Threshold 3: two failures, a success, two failures: not in a row.
        let link = Scripted::new(&sim, [Fail, Fail, Ack(MS), Fail, Hang, Ack(MS)]);
        let schedule = Schedule::new(SECOND).max_failures(3);
        assert_eq!(run(&link, schedule, 10 * SECOND).await, None);

        // Threshold 1: the first.
        let link = Scripted::new(&sim, [Ack(MS), Fail]);
        let error = run(&link, Schedule::new(SECOND).max_failures(1), 10 * SECOND).await;
        assert_eq!(
            error.expect("an end").to_string(),
            "1 beat failed, the last one #1: refused"
        );

        // Off: never, and still in step.
        let link = Scripted::new(&sim, [Fail; 10]);
        let schedule = Schedule::new(SECOND).max_failures(0);
        assert_eq!(run(&link, schedule, 12 * SECOND - MS).await, None);
        assert_eq!(link.beats().len(), 12);
    });
}

#[test]
fn each_failure_is_shown() {
    simulate(async |sim| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&seen);
        let link = Scripted::new(&sim, [Fail, Ack(MS), Hang, Fail]);
        let beating = beat(link, Schedule::new(SECOND), sim.clone(), &me(), || 0)
            .unwrap()
            .on_failure(move |failure, in_a_row| {
                note.lock().unwrap().push((failure.clone(), in_a_row));
            });
        assert!(beating.await.is_err());
        let expected = [
            (Failure::Transport(Refused), 1),
            (Failure::TimedOut { after: SECOND }, 1),
            (Failure::Transport(Refused), 2),
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

/// As `clientBeatInterval` of Nacos: the answer sets the pace, and the beats promise the new one.
#[test]
fn the_peer_sets_the_interval_through_the_ack() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, []);
        let beating = beat(
            link.clone(),
            Schedule::new(5 * SECOND),
            sim.clone(),
            &me(),
            || 0,
        )
        .unwrap()
        .on_ack(|seq| match seq.value() {
            1 => Some(2 * SECOND),
            3 => Some(10 * SECOND),
            _ => None,
        });
        assert!(sim.timeout(30 * SECOND, beating).await.is_none());
        assert_eq!(link.times(), [0, 5000, 7000, 9000, 11_000, 21_000]);
        let promised: Vec<_> = link.beats().iter().map(|beat| beat.interval).collect();
        assert_eq!(promised, [5, 5, 2, 2, 10, 10].map(|n| Some(n * SECOND)));
    });
}

/// Zero is off, here as everywhere.
#[test]
fn an_ack_may_end_the_beats() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, []);
        let beating = beat(
            link.clone(),
            Schedule::new(SECOND),
            sim.clone(),
            &me(),
            || 0,
        )
        .unwrap()
        .on_ack(|seq| (seq.value() == 2).then_some(Duration::ZERO));
        assert!(sim.timeout(30 * SECOND, beating).await.is_none());
        assert_eq!(link.times(), [0, 1000, 2000]);
    });
}

/// The duty to be heard: never a gap longer than promised. Jitter only shortens.
#[test]
fn jitter_only_shortens() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, []);
        let schedule = Schedule::new(SECOND).jitter(Jitter::percent(20).spread_first(true));
        run(&link, schedule, 200 * SECOND).await;
        let times = link.times();
        assert!(times[0] <= 1000);
        assert!(times[0] > 0, "the first beat is spread");
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            gaps.iter().all(|gap| (799..=1001).contains(gap)),
            "{gaps:?}"
        );
        assert!(gaps.iter().any(|gap| *gap < 850) && gaps.iter().any(|gap| *gap > 950));
    });
}

#[test]
fn the_first_beat_waits_if_asked() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, []);
        let nacos = Schedule::new(5 * SECOND).first_after(5 * SECOND);
        run(&link, nacos, 16 * SECOND).await;
        assert_eq!(link.times(), [5000, 10_000, 15_000]);
    });
}

#[test]
fn off_never_beats() {
    simulate(async |sim| {
        let link = Scripted::new(&sim, []);
        let schedule = Schedule::new(Duration::ZERO);
        assert_eq!(run(&link, schedule, 3600 * SECOND).await, None);
        assert!(link.beats().is_empty());
    });
}

#[test]
fn a_schedule_that_cannot_work_is_refused() {
    let (sender, _receiver) = memory::channel::<()>(1);
    let error = beat(
        sender,
        Schedule::new(Duration::from_micros(1)),
        Sim::new(),
        &me(),
        || (),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "interval (1µs) is shorter than 1ms; zero turns it off"
    );
}

/// Dropped while a beat is under way: the sender is dropped with it, and so is the payload.
#[test]
fn dropping_the_loop_leaves_nothing_behind() {
    simulate(async |sim| {
        let (link, payload) = (Scripted::new(&sim, [Hang]), Arc::new(()));
        let beating = {
            let payload = Arc::clone(&payload);
            beat(
                link.clone(),
                Schedule::new(SECOND),
                sim.clone(),
                &me(),
                move || Arc::strong_count(&payload) as u32,
            )
            .unwrap()
        };
        assert!(sim.timeout(500 * MS, beating).await.is_none());
        assert_eq!(link.beats().len(), 1);
        assert_eq!(Arc::strong_count(&link.sent), 1, "the sender is gone");
        assert_eq!(Arc::strong_count(&payload), 1, "the closure is gone");
        sim.sleep(10 * SECOND).await;
        assert_eq!(link.beats().len(), 1, "nothing beats on");
    });
}

#[test]
fn any_sender_behind_one_type() {
    simulate(async |sim| {
        type Any = Box<dyn HeartbeatSender<Payload = u32, Ack = Seq, Error = Refused>>;
        let link = Scripted::new(&sim, [Fail, Fail]);
        let mut boxed: Any = Box::new(link.clone());
        let borrowed = beat(&mut boxed, Schedule::new(SECOND), sim.clone(), &me(), || 1).unwrap();
        assert!(borrowed.await.is_err());
        // The same box goes on in another loop, which may move to another thread.
        let owned = beat(boxed, Schedule::new(SECOND), sim.clone(), &me(), || 2).unwrap();
        assert!(sim.timeout(2_500 * MS, sendable(owned)).await.is_none());
        let payloads: Vec<_> = link.beats().iter().map(|beat| beat.payload).collect();
        assert_eq!(payloads, [1, 1, 2, 2, 2]);
    });
}

/// Beats that nobody reads do not pile up.
#[test]
fn a_full_channel_keeps_the_newest() {
    simulate(async |sim| {
        let (sender, mut receiver) = memory::channel(3);
        let beating = beat(sender, Schedule::new(SECOND), sim.clone(), &me(), || ()).unwrap();
        assert!(sim.timeout(10_500 * MS, beating).await.is_none());
        let mut seqs = Vec::new();
        while let Ok(beat) = receiver.recv().await {
            seqs.push(beat.seq.value());
        }
        assert_eq!(seqs, [8, 9, 10]);
        assert_eq!(receiver.dropped(), 8);
    });
}
