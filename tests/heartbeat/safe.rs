//! A healthy peer is not declared dead by accident, and a peer that came back is seen: busy tasks,
//! junk before the beat, loops that are built anew, clocks that were lost, templates, and changed
//! rules.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::SelectAll;
use liveness::detector::{Announced, FixedTimeout, Status};
use liveness::heartbeat::{
    Identity, Origin, Schedule, WatchEvent, async_trait, beat, memory, watch,
};
use liveness::rt::{Runtime, Timer};
use liveness::test_util::{Sim, simulate};
use liveness::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Seq};

const SECOND: Duration = Duration::from_secs(1);

fn numbered(incarnation: u64, seq: u64) -> Heartbeat<()> {
    Heartbeat {
        origin: Origin::new("peer").unwrap(),
        incarnation,
        seq: Seq::new(seq),
        interval: Some(SECOND),
        payload: (),
    }
}

/// A runtime as tokio is one: a task does so much in one turn. After that it is told that nothing
/// is there, by sockets and by timers, and is woken when its turn is over.
#[derive(Clone)]
struct Budgeted {
    sim: Sim,
    left: Arc<AtomicU32>,
    deferred: Arc<Mutex<Vec<Waker>>>,
}

impl Budgeted {
    const BUDGET: u32 = 128;

    fn new(sim: &Sim) -> Self {
        Self {
            sim: sim.clone(),
            left: Arc::new(AtomicU32::new(Self::BUDGET)),
            deferred: Arc::default(),
        }
    }

    /// Takes one from the budget.
    fn poll_proceed(&self, cx: &Context<'_>) -> Poll<()> {
        match self.left.load(Ordering::Relaxed) {
            0 => {
                self.deferred.lock().unwrap().push(cx.waker().clone());
                Poll::Pending
            }
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                Poll::Ready(())
            }
        }
    }

    /// A new turn of the task.
    fn refill(&self) {
        self.left.store(Self::BUDGET, Ordering::Relaxed);
        let deferred = std::mem::take(&mut *self.deferred.lock().unwrap());
        deferred.into_iter().for_each(Waker::wake);
    }
}

struct BudgetedTimer(Pin<Box<<Sim as Runtime>::Timer>>, Budgeted);

impl Runtime for Budgeted {
    type Timer = BudgetedTimer;

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn timer(&self, at: Instant) -> BudgetedTimer {
        BudgetedTimer(Box::pin(self.sim.timer(at)), self.clone())
    }
}

impl Timer for BudgetedTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0.as_mut().reset(at);
    }

    fn poll_expired(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        futures::ready!(self.1.poll_proceed(cx));
        self.0.as_mut().poll_expired(cx)
    }
}

/// A socket of such a runtime.
struct Socket {
    rt: Budgeted,
    arrived: Arc<Mutex<VecDeque<Heartbeat<()>>>>,
    waker: Arc<Mutex<Option<Waker>>>,
}

#[async_trait]
impl HeartbeatReceiver for Socket {
    type Payload = ();
    type Error = Infallible;

    async fn recv(&mut self) -> Result<Heartbeat<()>, Infallible> {
        std::future::poll_fn(|cx| {
            futures::ready!(self.rt.poll_proceed(cx));
            match self.arrived.lock().unwrap().pop_front() {
                Some(beat) => Poll::Ready(Ok(beat)),
                None => {
                    *self.waker.lock().unwrap() = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Three hundred healthy peers on one task, and a process that was away for a little more than the
/// limit: too short to be forgiven, and with each beat in its socket.
#[test]
fn no_peer_dies_because_a_busy_task_has_used_up_its_budget() {
    const PEERS: usize = 300;
    simulate(async |sim| {
        let rt = Budgeted::new(&sim);
        let mut all = SelectAll::new();
        let mut sockets = Vec::new();
        for n in 0..PEERS {
            let (arrived, waker) = (Arc::<Mutex<VecDeque<_>>>::default(), Arc::default());
            let socket = Socket {
                rt: rt.clone(),
                arrived: Arc::clone(&arrived),
                waker: Arc::clone(&waker),
            };
            let rule = FixedTimeout::new(10 * SECOND);
            all.push(watch(socket, rule, rt.clone()).map(move |event| (n, event)));
            sockets.push((arrived, waker));
        }
        let mut take_all = async || {
            let mut found = Vec::new();
            // Each turn of the task has a budget of its own.
            for _ in 0..20 {
                rt.refill();
                let mut cx = Context::from_waker(Waker::noop());
                while let Poll::Ready(Some(event)) = all.poll_next_unpin(&mut cx) {
                    found.push(event);
                }
            }
            found
        };
        let arrive = |seq| {
            for (arrived, waker) in &sockets {
                arrived.lock().unwrap().push_back(numbered(1, seq));
                waker
                    .lock()
                    .unwrap()
                    .take()
                    .into_iter()
                    .for_each(Waker::wake);
            }
        };
        arrive(0);
        assert_eq!(take_all().await.len(), 2 * PEERS, "alive and beat");
        // Away, and meanwhile every peer has beaten.
        arrive(1);
        sim.advance(SECOND * 112 / 10);
        let found = take_all().await;
        let beats = found
            .iter()
            .filter(|(_, event)| matches!(event, WatchEvent::Beat(_)));
        assert_eq!(beats.count(), PEERS);
        assert_eq!(found.len(), PEERS, "no verdict");
    });
}

/// A receiver that does so much in one poll, and then leaves the turn to others.
struct BehindJunk {
    junk: u32,
    beat: Option<Heartbeat<()>>,
}

#[async_trait]
impl HeartbeatReceiver for BehindJunk {
    type Payload = ();
    type Error = Infallible;

    async fn recv(&mut self) -> Result<Heartbeat<()>, Infallible> {
        std::future::poll_fn(|cx| {
            if self.junk > 0 {
                self.junk = self.junk.saturating_sub(32);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.beat.take() {
                Some(beat) => Poll::Ready(Ok(beat)),
                None => Poll::Pending,
            }
        })
        .await
    }
}

#[test]
fn a_beat_behind_junk_is_found_before_the_verdict() {
    simulate(async |sim| {
        let receiver = BehindJunk {
            junk: 100,
            beat: Some(numbered(1, 0)),
        };
        let rule = FixedTimeout::new(10 * SECOND);
        let mut events = watch(receiver, rule, sim.clone()).forgive_stall(false);
        sim.advance(SECOND * 107 / 10);
        assert_eq!(events.next().await, Some(WatchEvent::Alive));
    });
}

/// Junk without an end hides a death for a bounded number of turns only.
#[test]
fn endless_junk_does_not_hide_a_death() {
    simulate(async |sim| {
        let receiver = BehindJunk {
            junk: u32::MAX,
            beat: None,
        };
        let rule = FixedTimeout::new(10 * SECOND);
        let mut events = watch(receiver, rule, sim.clone()).forgive_stall(false);
        sim.advance(10 * SECOND);
        let event = events.next().await;
        assert!(matches!(event, Some(WatchEvent::Dead(_))), "{event:?}");
    });
}

/// A link that fails for two seconds, once.
struct Blip {
    sim: Sim,
    from: Duration,
    sender: memory::Sender<u32>,
}

#[async_trait]
impl HeartbeatSender for Blip {
    type Payload = u32;
    type Ack = ();
    type Error = &'static str;

    async fn send(&mut self, beat: Heartbeat<u32>) -> Result<(), &'static str> {
        let now = self.sim.elapsed();
        if now >= self.from && now < self.from + 2 * SECOND {
            return Err("unreachable");
        }
        self.sender.send(beat).await.map_err(|_| "closed")
    }
}

/// The loop ends at its second failure, and its supervisor builds it anew: same process, same life.
#[test]
fn a_loop_that_is_built_anew_is_heard() {
    simulate(async |sim| {
        let (sender, receiver) = memory::channel(8);
        let mut link = Blip {
            sim: sim.clone(),
            from: 60 * SECOND,
            sender,
        };
        let identity = Identity::new(Origin::new("worker-1").unwrap(), 1);
        let supervisor = async {
            loop {
                let schedule = Schedule::new(SECOND);
                let beating = beat(&mut link, schedule, sim.clone(), &identity, || 0).unwrap();
                assert!(beating.await.is_err());
            }
        };
        let mut events = watch(receiver, FixedTimeout::new(5 * SECOND), sim.clone());
        let watching = async {
            while let Some(event) = events.next().await {
                assert!(
                    matches!(event, WatchEvent::Alive | WatchEvent::Beat(_)),
                    "{event} at {:?}",
                    sim.elapsed()
                );
            }
        };
        tokio::select! {
            () = supervisor => {}
            () = watching => panic!("the watch ended"),
            () = sim.sleep(120 * SECOND) => {}
        }
        assert_eq!(events.ignored(), 0);
        assert_eq!(events.peer().status(), Status::Alive);
    });
}

/// Two loops of one peer over two links to one watch: no beat of either is an old one.
#[test]
fn two_links_of_one_peer_are_one_row_of_beats() {
    simulate(async |sim| {
        let identity = Identity::new(Origin::new("worker-1").unwrap(), 1);
        let (one, mut receiver_one) = memory::channel(64);
        let (other, mut receiver_other) = memory::channel(64);
        let rt = sim.clone();
        let first = beat(one, Schedule::new(SECOND), rt.clone(), &identity, || ()).unwrap();
        let second = Schedule::new(SECOND).first_after(SECOND / 2);
        let second = beat(other, second, rt, &identity, || ()).unwrap();
        let loops = futures::future::join(first, second);
        assert!(sim.timeout(10 * SECOND, loops).await.is_none());
        let mut seqs = Vec::new();
        while let Ok(beat) = receiver_one.recv().await {
            seqs.push(beat.seq.value());
            seqs.extend(receiver_other.recv().await.map(|beat| beat.seq.value()));
        }
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    });
}

/// A peer that was restarted without a greater incarnation: it is told, and not only counted.
#[test]
fn a_peer_that_has_lost_its_count_is_told() {
    simulate(async |sim| {
        let (mut sender, receiver) = memory::channel(8);
        let mut events = watch(receiver, FixedTimeout::new(SECOND * 9 / 2), sim.clone());
        sender.send(numbered(7, 3_600)).await.unwrap();
        assert_eq!(events.next().await, Some(WatchEvent::Alive));
        assert!(matches!(events.next().await, Some(WatchEvent::Beat(_))));
        let beating = async {
            for seq in 0..20 {
                sim.sleep(SECOND).await;
                sender.send(numbered(0, seq)).await.unwrap();
            }
            sim.sleep(SECOND / 2).await;
        };
        let mut told = Vec::new();
        let watching = async {
            while let Some(event) = events.next().await {
                told.push(event.to_string());
            }
        };
        tokio::select! {
            () = beating => {}
            () = watching => {}
        }
        assert_eq!(
            told,
            [
                "dead: silent for 4.5s, last beat #3600",
                "stale: beat #4 of incarnation 0, 5 ignored in this silence",
            ]
        );
        assert_eq!(events.ignored(), 20);
    });
}

/// The same with the option: dead for ten seconds, it is taken for what it is.
#[test]
fn an_older_life_is_accepted_where_it_is_asked_for() {
    for after in [10, 0] {
        simulate(async |sim| {
            let (mut sender, receiver) = memory::channel(8);
            let rule = FixedTimeout::new(SECOND * 9 / 2);
            let mut events = watch(receiver, rule, sim.clone()).accept_older_life(after * SECOND);
            // One forged beat with the greatest numbers of all.
            sender.send(numbered(u64::MAX, u64::MAX)).await.unwrap();
            let beating = async {
                for seq in 0..60 {
                    sim.sleep(SECOND).await;
                    sender.send(numbered(4, seq)).await.unwrap();
                }
            };
            let mut told = Vec::new();
            let watching = async {
                while let Some(event) = events.next().await {
                    if !matches!(event, WatchEvent::Beat(_)) {
                        told.push((sim.elapsed().as_secs(), event.to_string()));
                    }
                }
            };
            tokio::select! {
                () = beating => {}
                () = watching => {}
            }
            let found: Vec<_> = told.iter().map(|(at, text)| (*at, text.as_str())).collect();
            let restarted = format!("restarted: incarnation 4 after {}", u64::MAX);
            let last = format!("silent for 15s, last beat #{}", u64::MAX);
            let silence = format!("dead: silent for 4.5s, last beat #{}", u64::MAX);
            let recovered = format!("recovered: {last}");
            let stale = "stale: beat #4 of incarnation 4, 5 ignored in this silence";
            let mut expected = vec![(0, "alive"), (4, &*silence), (5, stale)];
            if after > 0 {
                expected.extend([(15, &*recovered), (15, &*restarted)]);
            }
            assert_eq!(found, expected);
        });
    }
}

/// A rule that was made at the start of the program, and is used an hour later.
#[test]
fn a_template_does_not_kill_at_the_first_look() {
    simulate(async |sim| {
        let template = FixedTimeout::new(5 * SECOND).suspect_after(3 * SECOND);
        sim.sleep(3_600 * SECOND).await;
        let (_sender, receiver) = memory::channel::<()>(8);
        let mut events = watch(receiver, template, sim.clone());
        let met = sim.time();
        let event = events.next().await.unwrap();
        assert_eq!(event.to_string(), "suspected: silent for 3s, no beat yet");
        assert_eq!(sim.time() - met, 3 * SECOND);
    });
}

/// A stall of an hour, forgiven; then another rule. The peer has that rule's time and no more.
#[test]
fn what_was_forgiven_is_no_credit_for_another_rule() {
    simulate(async |sim| {
        let (mut sender, receiver) = memory::channel(8);
        let mut events = watch(receiver, FixedTimeout::new(5 * SECOND), sim.clone());
        sender.send(numbered(1, 0)).await.unwrap();
        assert_eq!(events.next().await, Some(WatchEvent::Alive));
        assert!(matches!(events.next().await, Some(WatchEvent::Beat(_))));
        sim.advance(3_600 * SECOND);
        assert!(
            sim.timeout(SECOND, events.next()).await.is_none(),
            "forgiven"
        );
        events.set_rule(FixedTimeout::new(10 * SECOND));
        let changed = sim.time();
        let event = events.next().await;
        assert!(matches!(event, Some(WatchEvent::Dead(_))), "{event:?}");
        assert_eq!(sim.time() - changed, 10 * SECOND);
    });
}

/// The peer slows down, and says so: its own limit follows.
#[test]
fn a_peer_that_announces_its_pace_is_held_to_it() {
    simulate(async |sim| {
        let (mut sender, receiver) = memory::channel(8);
        let rule = Announced::new(3, SECOND, 600 * SECOND);
        let mut events = watch(receiver, rule, sim.clone());
        for (seq, interval) in [(0, 1), (1, 30)] {
            let interval = Some(interval * SECOND);
            sender
                .send(Heartbeat {
                    interval,
                    ..numbered(1, seq)
                })
                .await
                .unwrap();
        }
        let (mut at, mut told) = (Vec::new(), Vec::new());
        while told
            .last()
            .is_none_or(|text: &String| !text.starts_with("dead"))
        {
            told.push(events.next().await.unwrap().to_string());
            at.push(sim.elapsed().as_secs());
        }
        assert_eq!(told[..3], ["alive", "beat #0", "beat #1"]);
        assert_eq!((at[3], told.len()), (90, 4));
    });
}
