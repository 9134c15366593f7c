//! The driver under random schedules: turns of the executor, wake-ups, pauses of the process, gaps,
//! floods, refusals, both halves; the laws are the oracle.
//!
//! A thousand schedules; `SCHEDULES=100000` for a long run.

use futures::{SinkExt, StreamExt};
use liveness::{Cause, Error, PingWhen, Proof};
use proptest::prelude::*;

use super::wired::{Wire, wired};
use super::*;

#[derive(Debug, Clone)]
struct Schedule {
    interval: u64,
    /// What the reply timeout is beyond the round trip.
    spare: u64,
    rtt: u64,
    misses: u32,
    when: PingWhen,
    proof: Proof,
    /// The gaps between what the peer says of its own, in tenths of a millisecond; 0 is a flood.
    says: Vec<u64>,
    /// The gaps between our own messages.
    sends: Vec<u64>,
    /// When the process stands still, after which gap and for how long.
    pauses: Vec<(u64, u64)>,
    /// When the transport takes nothing.
    refuses: Vec<(u64, u64)>,
    lies_every: u64,
    /// How long the reader works on a message, in microseconds.
    works: u64,
    /// How many times the reader yields for a message.
    yields: u32,
}

const MS: Duration = Duration::from_millis(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let config = (
        20..2000_u64,
        400..1500_u64,
        0..300_u64,
        1..4_u32,
        prop_oneof![
            Just(PingWhen::RecvIdle),
            Just(PingWhen::Always),
            Just(PingWhen::EitherIdle)
        ],
        prop_oneof![Just(Proof::AnyBytes), Just(Proof::PongOnly)],
    );
    let gap = || prop_oneof![3 => 20..200_u64, 1 => Just(0), 1 => 0..30_000_u64];
    let spans = |most| prop::collection::vec((0..3000_u64, 1..most), 0..4);
    let traffic = (
        prop::collection::vec(gap(), 0..60),
        prop::collection::vec(gap(), 0..40),
        spans(5000_u64),
        spans(1500_u64),
        prop_oneof![Just(0), 3..9_u64],
        0..200_u64,
        0..3_u32,
    );
    (config, traffic).prop_map(|(config, traffic)| {
        let (interval, spare, rtt, misses, when, proof) = config;
        let (says, sends, pauses, refuses, lies_every, works, yields) = traffic;
        Schedule {
            interval,
            spare,
            rtt,
            misses,
            when,
            proof,
            says,
            sends,
            pauses,
            refuses,
            lies_every,
            works,
            yields,
        }
    })
}

const STALL: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_secs(3);

impl Schedule {
    fn reply(&self) -> Duration {
        ms(self.rtt + self.spare)
    }

    fn config(&self) -> KeepaliveConfig {
        KeepaliveConfig::new()
            .interval(ms(self.interval))
            .reply_timeout(self.reply())
            .max_unanswered(self.misses)
            .ping_when(self.when)
            .proof(self.proof)
            .write_stall(STALL)
            .upload_wait(WAIT)
    }

    fn windows(&self) -> Vec<(Duration, Duration)> {
        let mut at = Duration::ZERO;
        let windows = self.refuses.iter().map(|&(after, span)| {
            let from = at + ms(after);
            at = from + ms(span);
            (from, at)
        });
        windows.collect()
    }

    fn away(&self) -> Duration {
        self.pauses.iter().map(|(_, span)| ms(*span)).sum()
    }

    /// What the peer says, until it is cut off unless that proves nothing.
    fn fill(&self, wire: &mut Wire, cut: Option<Duration>) {
        let mut at = Duration::ZERO;
        for nth in 0..300_usize.min(8 * self.says.len()) {
            at += self.says[nth % self.says.len()] as u32 * (MS / 10);
            let proves = self.proof == Proof::AnyBytes;
            if cut.is_some_and(|cut| proves && at >= cut) {
                return;
            }
            wire.arrive(at, Data(nth as u64));
        }
    }
}

struct Outcome {
    dead: Option<(Duration, liveness::Dead)>,
    heard: Vec<(Duration, bool)>,
    asked: Vec<Duration>,
}

/// Runs a schedule until `end`, or until the verdict.
fn play(schedule: &Schedule, cut: Option<Duration>, end: Duration) -> Outcome {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (stream, wire) = wired(&sim, schedule.config());
    {
        let wire = &mut *wire.borrow_mut();
        (wire.rtt, wire.cut) = (ms(schedule.rtt), cut);
        (wire.lies_every, wire.refuses) = (schedule.lies_every, schedule.windows());
        schedule.fill(wire, cut);
    }
    let (mut sink, mut stream) = stream.split::<Message>();
    let (works, yields) = (Duration::from_micros(schedule.works), schedule.yields);
    let clock = sim.clone();
    let reading = world.task(async move {
        loop {
            match stream.next().await {
                Some(Ok(_)) => {
                    clock.advance(works);
                    for _ in 0..yields {
                        yield_now().await;
                    }
                }
                Some(Err(Error::Dead(dead))) => {
                    let at = clock.elapsed();
                    assert!(stream.next().await.is_none(), "an item after the end");
                    return (at, dead);
                }
                other => panic!("{other:?}"),
            }
        }
    });
    let (clock, sends) = (sim.clone(), schedule.sends.clone());
    let writing = world.task(async move {
        for gap in sends {
            clock.sleep(gap as u32 * (MS / 10)).await;
            match sink.send(Data(0)).await {
                Ok(()) => {}
                Err(Error::Dead(_)) => break,
                Err(error) => panic!("{error}"),
            }
        }
        sink
    });
    let (clock, pauses) = (sim.clone(), schedule.pauses.clone());
    world.spawn(async move {
        for (after, span) in pauses {
            clock.sleep(ms(after)).await;
            clock.advance(ms(span));
        }
    });
    let dead = world.run(sim.timeout(end, reading));
    if dead.is_some() {
        // The writer is told as well, whether it was waiting or comes later.
        let told = world.run(async {
            let mut sink = writing.await;
            sink.send(Data(1)).await
        });
        assert!(matches!(told, Err(Error::Dead(_))), "{told:?}");
    }
    let wire = wire.borrow();
    Outcome {
        dead,
        heard: wire.heard.clone(),
        asked: wire.asked.clone(),
    }
}

/// Lets other tasks run.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn runs() -> ProptestConfig {
    let cases = std::env::var("SCHEDULES").map_or(1000, |count| count.parse().unwrap());
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn a_peer_that_answers_is_never_dead(schedule in schedule()) {
        let end = 10 * (ms(schedule.interval) + schedule.reply()) + 2 * schedule.away();
        let outcome = play(&schedule, None, end);
        prop_assert!(outcome.dead.is_none(), "{:?}", outcome.dead);
    }

    #[test]
    fn a_dead_peer_is_found_in_time_and_after_it_was_asked(schedule in schedule(), cut in 0..4000_u64) {
        let cut = ms(cut);
        let bound = schedule.config().detection_bound().unwrap();
        let quiet = schedule.says.is_empty() && schedule.lies_every == 0;
        let bound = match (schedule.refuses.is_empty(), quiet) {
            (true, true) => bound.quiet,
            (true, false) => bound.undrained,
            (false, _) => bound.uploading.unwrap() + schedule.reply(),
        };
        // A pause of our own adds one clean window and its own length; a tick is a sixteenth.
        let windows = if schedule.pauses.is_empty() { 1 } else { 2 };
        let works = Duration::from_micros(schedule.works) * 300;
        let most = windows * bound + schedule.away() + works + ms(schedule.interval) / 16 + 2 * MS;
        let Outcome { dead, heard, asked } = play(&schedule, Some(cut), cut + most + 60 * SECOND);
        let proves = |(_, pong): &&(Duration, bool)| *pong || schedule.proof == Proof::AnyBytes;
        let proof = heard.iter().filter(proves).map(|(at, _)| *at).next_back().unwrap_or_default();
        let Some((at, dead)) = dead else {
            return Err(TestCaseError::fail("nobody judged"));
        };
        prop_assert!(at <= proof + most, "dead at {at:?}, life at {proof:?}, most {most:?}");
        prop_assert_eq!(dead.cause, Cause::NoReply);
        prop_assert!(at >= proof + schedule.reply() * schedule.misses);
        let whole = |asked: &Duration| *asked >= proof && *asked + schedule.reply() <= at;
        prop_assert!(asked.iter().any(whole), "dead and not asked: {asked:?}");
    }
}
