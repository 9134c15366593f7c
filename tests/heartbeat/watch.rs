//! The verdicts of a watch on simulated time: never early, once a silence, taken back by a fresh
//! beat and by nothing else, and not passed for this side's own stalls.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::future::join;
use futures::stream::{FusedStream, Stream, StreamExt};
use liveness::detector::{FailureDetector, FixedTimeout};
use liveness::heartbeat::{Origin, Watch, WatchEvent, async_trait, memory, watch};
use liveness::test_util::{Sim, simulate};
use liveness::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Seq};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn numbered(incarnation: u64, seq: u64) -> Heartbeat<u64> {
    Heartbeat {
        origin: Origin::new("peer").unwrap(),
        incarnation,
        seq: Seq::new(seq),
        interval: Some(SECOND),
        payload: seq * 10,
    }
}

/// Suspected after three seconds, dead after five.
fn rule() -> FixedTimeout {
    FixedTimeout::new(5 * SECOND).suspect_after(3 * SECOND)
}

type Memory = Watch<'static, memory::Receiver<u64>, FixedTimeout, Sim>;

/// A peer and its watch.
fn pair(sim: &Sim) -> (memory::Sender<u64>, Memory) {
    let (sender, receiver) = memory::channel(64);
    (sender, watch(receiver, rule(), sim.clone()))
}

/// The next event as text, and when it came.
async fn next(sim: &Sim, events: &mut Memory, start: Instant) -> (Duration, String) {
    let event = events.next().await.expect("not over");
    (sim.time() - start, event.to_string())
}

/// Everything that is there by now.
fn ready<S: Stream + Unpin>(events: &mut S) -> Vec<S::Item> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut found = Vec::new();
    while let Poll::Ready(Some(event)) = events.poll_next_unpin(&mut cx) {
        found.push(event);
    }
    found
}

fn texts(events: &mut Memory) -> Vec<String> {
    let events = ready(events).into_iter();
    events.map(|event| event.to_string()).collect()
}

#[test]
fn each_verdict_comes_once_and_never_early() {
    simulate(async |sim| {
        let start = sim.time();
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(1, 0)).await.unwrap();
        assert_eq!(next(&sim, &mut events, start).await.1, "alive");
        assert_eq!(next(&sim, &mut events, start).await.1, "beat #0");
        let (at, suspect) = next(&sim, &mut events, start).await;
        assert_eq!(at, 3 * SECOND);
        assert!(suspect.starts_with("suspected: silent for 3"), "{suspect}");
        let (at, dead) = next(&sim, &mut events, start).await;
        assert_eq!(at, 5 * SECOND);
        assert!(dead.starts_with("dead: silent for 5"), "{dead}");
        // Dead is dead: nothing more for a day.
        let day = sim.timeout(86_400 * SECOND, events.next()).await;
        assert!(day.is_none(), "{day:?}");
    });
}

#[test]
fn a_peer_that_never_beats_is_given_up_and_may_still_come() {
    simulate(async |sim| {
        let start = sim.time();
        let (mut sender, mut events) = pair(&sim);
        let (at, suspect) = next(&sim, &mut events, start).await;
        assert_eq!(at, 3 * SECOND);
        assert!(suspect.ends_with("no beat yet"), "{suspect}");
        let (at, _dead) = next(&sim, &mut events, start).await;
        assert_eq!(at, 5 * SECOND);
        sender.send(numbered(0, 17)).await.unwrap();
        assert_eq!(texts(&mut events), ["alive", "beat #17"]);
    });
}

#[test]
fn a_fresh_beat_takes_the_verdict_back_with_its_numbers() {
    simulate(async |sim| {
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(4, 6)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        sim.sleep(2 * SECOND).await;
        assert!(
            events
                .next()
                .await
                .unwrap()
                .to_string()
                .starts_with("suspected")
        );
        sender.send(numbered(4, 7)).await.unwrap();
        let Some(WatchEvent::Recovered(silence)) = events.next().await else {
            panic!("not recovered")
        };
        assert_eq!(silence.silent_for, 3 * SECOND);
        assert_eq!(silence.last_seq, Some(Seq::new(6)));
        assert_eq!(silence.incarnation, Some(4));
        assert_eq!(silence.interval, Some(SECOND));
        let Some(WatchEvent::Beat(beat)) = events.next().await else {
            panic!("no beat")
        };
        assert_eq!(beat.payload, 70);
        // And the silence after it counts from that beat.
        let recovered = sim.time();
        let (at, suspect) = next(&sim, &mut events, recovered).await;
        assert_eq!(at, 3 * SECOND);
        assert!(suspect.contains("last beat #7"), "{suspect}");
        let (at, _dead) = next(&sim, &mut events, recovered).await;
        assert_eq!(at, 5 * SECOND);
        sender.send(numbered(4, 9)).await.unwrap();
        let texts = texts(&mut events);
        assert!(texts[0].starts_with("recovered: silent for 5"), "{texts:?}");
        assert_eq!(texts[1..], ["beat #9"]);
    });
}

#[test]
fn late_doubled_and_foreign_beats_extend_no_trust() {
    simulate(async |sim| {
        let start = sim.time();
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(4, 6)).await.unwrap();
        assert_eq!(texts(&mut events), ["alive", "beat #6"]);
        let foreign = Heartbeat {
            origin: Origin::new("other").unwrap(),
            ..numbered(9, 99)
        };
        let useless = [numbered(4, 6), numbered(4, 5), numbered(3, 100), foreign];
        for beat in useless.iter().cycle().take(40) {
            sim.sleep(100 * MS).await;
            sender.send(beat.clone()).await.unwrap();
            let found = texts(&mut events);
            let expected: &[&str] = match (sim.time() - start).as_millis() {
                3000 => &["suspected: silent for 3s, last beat #6"],
                // The next one is told, and no later one.
                3100 => &["stale: beat #100 of incarnation 3, 24 ignored in this silence"],
                _ => &[],
            };
            assert_eq!(found, expected);
        }
        let (at, dead) = next(&sim, &mut events, start).await;
        assert_eq!(at, 5 * SECOND);
        assert!(dead.ends_with("last beat #6"));
        assert_eq!(events.ignored(), 40);
    });
}

#[test]
fn a_named_peer_is_the_only_one() {
    simulate(async |sim| {
        let (mut sender, receiver) = memory::channel(8);
        let mut events = watch(receiver, rule(), sim.clone()).origin(Origin::new("peer").unwrap());
        let foreign = Heartbeat {
            origin: Origin::default(),
            ..numbered(0, 0)
        };
        sender.send(foreign).await.unwrap();
        sender.send(numbered(0, 0)).await.unwrap();
        assert_eq!(texts(&mut events), ["alive", "beat #0"]);
        assert_eq!(events.ignored(), 1);
    });
}

#[test]
fn a_restarted_peer_starts_its_numbers_anew() {
    simulate(async |sim| {
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(1, 1000)).await.unwrap();
        sender.send(numbered(2, 0)).await.unwrap();
        sender.send(numbered(1, 1001)).await.unwrap(); // of the old life, and late
        sender.send(numbered(2, 1)).await.unwrap();
        let restarted = "restarted: incarnation 2 after 1";
        assert_eq!(
            texts(&mut events),
            ["alive", "beat #1000", restarted, "beat #0", "beat #1"]
        );
        let restart = sim.time();
        let (at, _suspect) = next(&sim, &mut events, restart).await;
        assert_eq!(at, 3 * SECOND);
        let (at, _dead) = next(&sim, &mut events, restart).await;
        assert_eq!(at, 5 * SECOND);
        sender.send(numbered(3, 0)).await.unwrap();
        let texts = texts(&mut events);
        assert!(texts[0].starts_with("recovered"), "{texts:?}");
        assert_eq!(texts[1..], ["restarted: incarnation 3 after 2", "beat #0"]);
    });
}

#[test]
fn what_has_come_is_read_before_silence_is_judged() {
    simulate(async |sim| {
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(0, 0)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        sim.sleep(2 * SECOND).await;
        sender.send(numbered(0, 1)).await.unwrap();
        // Nobody polls the watch until long after the deadline; the beat is there all the while.
        sim.sleep(60 * SECOND).await;
        assert_eq!(texts(&mut events), ["beat #1"]);
    });
}

#[test]
fn an_own_stall_is_forgiven_once() {
    simulate(async |sim| {
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(0, 0)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        // This process stands still for a minute.
        sim.advance(60 * SECOND);
        assert!(
            texts(&mut events).is_empty(),
            "the peer gets one clean window"
        );
        let resumed = sim.time();
        let (at, suspect) = next(&sim, &mut events, resumed).await;
        assert_eq!(at, 3 * SECOND);
        assert!(suspect.starts_with("suspected: silent for 63"), "{suspect}");
        let (at, _dead) = next(&sim, &mut events, resumed).await;
        assert_eq!(at, 5 * SECOND);

        // A second stall within the same silence is not forgiven.
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(0, 0)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        sim.advance(60 * SECOND);
        assert!(texts(&mut events).is_empty());
        sim.advance(60 * SECOND);
        assert!(texts(&mut events)[0].starts_with("dead: silent for 120"));
        // A beat ends the grace with the silence: the next limit is the plain one,
        sender.send(numbered(0, 1)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        let beat = sim.time();
        let (at, _suspect) = next(&sim, &mut events, beat).await;
        assert_eq!(at, 3 * SECOND);
        // and the next stall is forgiven again.
        sender.send(numbered(0, 2)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        sim.advance(60 * SECOND);
        assert!(texts(&mut events).is_empty());
    });
}

#[test]
fn forgiveness_can_be_refused() {
    simulate(async |sim| {
        let (mut sender, events) = pair(&sim);
        let mut events = events.forgive_stall(false);
        sender.send(numbered(0, 0)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        sim.advance(60 * SECOND);
        // So late, it is not suspected first.
        let found = texts(&mut events);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("dead: silent for 60"), "{found:?}");
    });
}

#[test]
fn a_lost_transport_is_told_and_the_peer_judged_on() {
    simulate(async |sim| {
        let start = sim.time();
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(0, 0)).await.unwrap();
        drop(sender);
        let found = ready(&mut events);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], WatchEvent::Beat(numbered(0, 0)));
        assert_eq!(found[2], WatchEvent::Lost(memory::Closed));
        assert!(!events.is_terminated(), "a verdict is to come");
        let (at, suspect) = next(&sim, &mut events, start).await;
        assert_eq!(at, 3 * SECOND);
        assert!(suspect.starts_with("suspected"), "{suspect}");
        let (at, dead) = next(&sim, &mut events, start).await;
        assert_eq!(at, 5 * SECOND);
        assert!(dead.starts_with("dead"), "{dead}");
        // Now nothing can follow.
        assert!(events.is_terminated());
        assert_eq!(events.next().await, None);
    });
}

#[test]
fn another_receiver_finds_the_life_and_the_standing_as_they_were() {
    simulate(async |sim| {
        let start = sim.time();
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(7, 41)).await.unwrap();
        drop(sender);
        assert_eq!(texts(&mut events).len(), 3);
        sim.sleep(2 * SECOND).await;
        let (mut sender, receiver) = memory::channel(64);
        events.reconnect(receiver);
        // The silence goes on: the new transport alone is no sign of life.
        let (at, suspect) = next(&sim, &mut events, start).await;
        assert_eq!(at, 3 * SECOND);
        assert!(suspect.ends_with("last beat #41"), "{suspect}");
        // And an old beat is old over any transport.
        sender.send(numbered(7, 40)).await.unwrap();
        assert!(texts(&mut events)[0].starts_with("stale: beat #40"));
        sender.send(numbered(7, 42)).await.unwrap();
        assert_eq!(
            texts(&mut events),
            ["recovered: silent for 3s, last beat #41", "beat #42"]
        );
        // Also after the stream has ended.
        drop(sender);
        assert_eq!(
            next(&sim, &mut events, start).await.1,
            "lost: the other side of the heartbeat channel is gone"
        );
        let (_, suspect) = next(&sim, &mut events, start).await;
        let (_, dead) = next(&sim, &mut events, start).await;
        assert!(suspect.starts_with("suspected") && dead.starts_with("dead"));
        assert_eq!(events.next().await, None);
        let (mut sender, receiver) = memory::channel(64);
        events.reconnect(receiver);
        assert!(!events.is_terminated());
        sender.send(numbered(8, 0)).await.unwrap();
        let found = texts(&mut events);
        assert!(found[0].starts_with("recovered"), "{found:?}");
        assert_eq!(found[1..], ["restarted: incarnation 8 after 7", "beat #0"]);
    });
}

/// A receiver that is never empty, and brings the same beat for ever.
struct Replay;

#[async_trait]
impl HeartbeatReceiver for Replay {
    type Payload = u64;
    type Error = memory::Closed;

    async fn recv(&mut self) -> Result<Heartbeat<u64>, memory::Closed> {
        Ok(numbered(0, 0))
    }
}

#[test]
fn a_flood_of_old_beats_neither_hides_a_death_nor_hogs_the_executor() {
    simulate(async |sim| {
        let mut events = watch(Replay, rule(), sim.clone()).forgive_stall(false);
        assert!(matches!(events.next().await, Some(WatchEvent::Alive)));
        assert!(matches!(events.next().await, Some(WatchEvent::Beat(_))));
        // One poll comes to an end.
        assert!(ready(&mut events).is_empty());
        assert!(events.ignored() < 100, "{}", events.ignored());
        sim.advance(5 * SECOND);
        assert!(matches!(events.next().await, Some(WatchEvent::Dead(_))));
    });
}

#[test]
fn a_fresh_beat_behind_old_ones_is_found_before_the_verdict() {
    simulate(async |sim| {
        let (mut sender, receiver) = memory::channel(1000);
        let mut events = watch(receiver, rule(), sim.clone()).forgive_stall(false);
        sender.send(numbered(0, 1)).await.unwrap();
        assert_eq!(ready(&mut events).len(), 2);
        for _ in 0..500 {
            sender.send(numbered(0, 0)).await.unwrap();
        }
        sender.send(numbered(0, 2)).await.unwrap();
        sim.advance(60 * SECOND);
        let event = events.next().await.unwrap();
        assert_eq!(event, WatchEvent::Beat(numbered(0, 2)));
    });
}

/// `next()` dropped again and again, at every point: no beat and no verdict is lost.
#[test]
fn next_is_cancel_safe() {
    simulate(async |sim| {
        let (mut sender, mut events) = pair(&sim);
        let mut found = Vec::new();
        let sending = async {
            for seq in 0..50 {
                sender.send(numbered(0, seq)).await.unwrap();
                sim.sleep(70 * MS).await;
            }
            std::future::pending::<()>().await;
        };
        let watching = async {
            while found.len() < 53 {
                if let Some(event) = sim.timeout(13 * MS, events.next()).await {
                    found.push(event.unwrap().to_string());
                }
            }
        };
        tokio::select! {
            () = sending => {}
            () = watching => {}
        }
        let beats: Vec<_> = (0..50).map(|seq| format!("beat #{seq}")).collect();
        assert_eq!(found[0], "alive");
        assert_eq!(found[1..51], beats);
        assert!(found[51].starts_with("suspected") && found[52].starts_with("dead"));
    });
}

fn sendable<T: Send + 'static>(watch: T) -> T {
    watch
}

#[test]
fn any_receiver_behind_one_type() {
    simulate(async |sim| {
        type Any = Box<dyn HeartbeatReceiver<Payload = u64, Error = memory::Closed>>;
        let (mut sender, receiver) = memory::channel(8);
        let mut boxed: Any = Box::new(receiver);
        sender.send(numbered(0, 0)).await.unwrap();
        {
            let mut borrowed = watch(&mut boxed, rule(), sim.clone());
            assert_eq!(ready(&mut borrowed).len(), 2);
        }
        // The same box in another watch, which may move to another thread.
        let mut owned = sendable(watch(boxed, rule(), sim.clone()));
        let (event, sent) = join(owned.next(), sender.send(numbered(0, 1))).await;
        sent.unwrap();
        assert_eq!(event, Some(WatchEvent::Alive));
    });
}

#[test]
fn the_peer_can_be_asked_and_its_rule_changed_on_the_way() {
    simulate(async |sim| {
        let (mut sender, mut events) = pair(&sim);
        sender.send(numbered(0, 0)).await.unwrap();
        assert_eq!(texts(&mut events).len(), 2);
        let start = sim.time();
        assert_eq!(events.peer().detector().suspicion(start), 0.0);
        events.set_rule(FixedTimeout::new(20 * SECOND));
        let (at, dead) = next(&sim, &mut events, start).await;
        assert_eq!(at, 20 * SECOND);
        assert!(dead.starts_with("dead"));
    });
}

#[test]
fn dropping_the_watch_leaves_nothing_behind() {
    simulate(async |sim| {
        let (mut sender, receiver) = memory::channel(8);
        let mut events = watch(receiver, rule(), sim.clone());
        for seq in 0..5 {
            sender.send(numbered(0, seq)).await.unwrap();
            sim.sleep(SECOND).await;
            ready(&mut events);
        }
        assert_eq!(sim.timers_alive(), 1, "one timer serves a watch");
        drop(events);
        assert_eq!(sim.timers_alive(), 0);
        assert_eq!(sender.send(numbered(0, 9)).await, Err(memory::Closed));
    });
}

/// One step of a peer's life, and how long it waits before.
#[derive(Debug, Clone, Copy)]
enum Step {
    Beat,
    Skip(u64),
    Double,
    OldLife,
    Restart,
    Stranger,
    Nothing,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        6 => Just(Step::Beat),
        1 => (2_u64..5).prop_map(Step::Skip),
        2 => Just(Step::Double),
        1 => Just(Step::OldLife),
        1 => Just(Step::Restart),
        1 => Just(Step::Stranger),
        2 => Just(Step::Nothing),
    ];
    // In tens of milliseconds; the limits lie between the tens, so nothing is ever a tie.
    let wait = prop_oneof![3 => 1_u64..25, 1 => 25_u64..90];
    prop::collection::vec((wait, step), 0..30)
}

/// What an event says, without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Alive,
    Recovered,
    Restarted,
    Beat(u64, u64),
    Suspect,
    Dead,
    Stale,
}

/// The naive watch: milliseconds, no timers, every rule spelled out.
fn model(steps: &[(u64, Step)], suspect: u64, dead: u64, end: u64) -> Vec<(u64, Said)> {
    let mut said = Vec::new();
    let (mut now, mut last) = (0, 0);
    let (mut standing, mut met, mut told_stale) = (Said::Alive, None, false);
    let (mut incarnation, mut seq) = (5, 0);
    let verdicts = |said: &mut Vec<_>, standing: &mut Said, last: u64, until: u64| {
        if *standing == Said::Alive && last + suspect <= until {
            *standing = Said::Suspect;
            said.push((last + suspect, Said::Suspect));
        }
        if *standing == Said::Suspect && last + dead <= until {
            *standing = Said::Dead;
            said.push((last + dead, Said::Dead));
        }
    };
    for (wait, step) in steps {
        now += wait * 10;
        verdicts(&mut said, &mut standing, last, now);
        match step {
            Step::Beat => seq += 1,
            Step::Skip(by) => seq += by,
            Step::Restart => (incarnation, seq) = (incarnation + 1, 0),
            Step::Double | Step::OldLife => {
                if met.is_some() && standing != Said::Alive && !told_stale {
                    said.push((now, Said::Stale));
                    told_stale = true;
                }
                continue;
            }
            Step::Stranger | Step::Nothing => continue,
        }
        told_stale = false;
        match met {
            None => said.push((now, Said::Alive)),
            Some(_) if standing != Said::Alive => said.push((now, Said::Recovered)),
            Some(_) => {}
        }
        if met.is_some_and(|met| met < incarnation) {
            said.push((now, Said::Restarted));
        }
        said.push((now, Said::Beat(incarnation, seq)));
        (last, standing, met) = (now, Said::Alive, Some(incarnation));
    }
    verdicts(&mut said, &mut standing, last, now + end);
    said
}

/// The real one.
async fn real(
    sim: Sim,
    steps: &[(u64, Step)],
    suspect: u64,
    dead: u64,
    end: u64,
) -> Vec<(u64, Said)> {
    let start = sim.time();
    let (mut sender, receiver) = memory::channel(64);
    let rule = FixedTimeout::new(dead as u32 * MS).suspect_after(suspect as u32 * MS);
    let mut events = watch(receiver, rule, sim.clone());
    let living = async {
        let (mut incarnation, mut seq, mut met) = (5, 0, false);
        let mut at = start;
        for (wait, step) in steps {
            at += *wait as u32 * 10 * MS;
            sim.sleep_until(at).await;
            let stranger = Origin::new("stranger").unwrap();
            let beat = match step {
                Step::Beat => numbered(incarnation, seq + 1),
                Step::Skip(by) => numbered(incarnation, seq + by),
                Step::Restart => numbered(incarnation + 1, 0),
                // Nobody is met yet: the first of these would be the peer.
                Step::Double | Step::OldLife | Step::Stranger if !met => continue,
                Step::Double => numbered(incarnation, seq),
                Step::OldLife => numbered(incarnation - 1, seq + 100),
                Step::Stranger => Heartbeat {
                    origin: stranger,
                    ..numbered(incarnation + 9, seq + 9)
                },
                Step::Nothing => continue,
            };
            if beat.origin.as_str() == "peer" && beat.incarnation >= incarnation {
                (incarnation, seq, met) = (beat.incarnation, beat.seq.value(), true);
            }
            sender.send(beat).await.unwrap();
        }
        at += end as u32 * MS;
        sim.sleep_until(at).await;
    };
    let mut said = Vec::new();
    let watching = async {
        loop {
            let event = events.next().await.unwrap();
            let what = match event {
                WatchEvent::Alive => Said::Alive,
                WatchEvent::Recovered(_) => Said::Recovered,
                WatchEvent::Restarted { .. } => Said::Restarted,
                WatchEvent::Beat(beat) => Said::Beat(beat.incarnation, beat.seq.value()),
                WatchEvent::Suspect(_) => Said::Suspect,
                WatchEvent::Dead(_) => Said::Dead,
                WatchEvent::Stale { .. } => Said::Stale,
                other => panic!("{other:?}"),
            };
            said.push(((sim.time() - start).as_millis() as u64, what));
        }
    };
    tokio::select! {
        () = living => {}
        () = watching => {}
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Any life of a peer, against the naive watch.
    #[test]
    fn equals_the_model(steps in steps(), suspect in 5_u64..30, more in 1_u64..30) {
        let (suspect, dead) = (suspect * 10 + 5, (suspect + more) * 10 + 5);
        let found = simulate(async |sim| real(sim, &steps, suspect, dead, 2 * dead).await);
        let expected = model(&steps, suspect, dead, 2 * dead);
        prop_assert_eq!(found, expected);
    }
}
