//! `track`: the events of a socket against what was really done to it, what the watching costs the
//! socket, and that nothing gets lost on the way through.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use futures::stream::FusedStream;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use liveness::io::{IdleEvents, Tracked, track};
use liveness::test_util::{ByteEnd, Counts, LinkConfig, Sim, World, bytes};
use liveness::{IdleConfig, IdleEvent, IdleKind};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

type Log = Rc<RefCell<Vec<(Duration, IdleEvent)>>>;

fn tracked(world: &World, config: IdleConfig) -> (Tracked<ByteEnd, Sim>, IdleEvents<Sim>, ByteEnd) {
    let (near, far, _) = bytes(&world.sim, LinkConfig::new());
    let (socket, events) = track(near, config, world.sim.clone());
    (socket, events, far)
}

/// Follows the events in a task of their own.
fn record(world: &World, mut events: IdleEvents<Sim>) -> Log {
    let log = Log::default();
    let (sim, written) = (world.sim.clone(), Rc::clone(&log));
    world.spawn(async move {
        while let Some(event) = events.next().await {
            written.borrow_mut().push((sim.elapsed(), event));
        }
    });
    log
}

fn told(log: &Log) -> Vec<(Duration, IdleKind, u32)> {
    let log = log.borrow();
    log.iter().map(|(at, e)| (*at, e.kind, e.streak)).collect()
}

mod against_the_truth {
    //! Random traffic: quiet stretches and bursts of hundreds of operations.

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Op {
        Read(u8),
        Write(u8),
    }

    impl Op {
        fn moves(self, kind: IdleKind) -> bool {
            match self {
                Self::Read(bytes) => bytes > 0 && kind != IdleKind::Writer,
                Self::Write(bytes) => bytes > 0 && kind != IdleKind::Reader,
            }
        }
    }

    fn traffic(pause: BoxedStrategy<u64>, most: usize) -> BoxedStrategy<Vec<(Duration, Op)>> {
        let op = prop_oneof![(0..4u8).prop_map(Op::Read), (0..4u8).prop_map(Op::Write)];
        // One nanosecond each, so that no two things fall together by chance.
        let pause = pause.prop_map(|micros| Duration::from_nanos(micros * 1000 + 1));
        prop::collection::vec((pause, op), 0..most).boxed()
    }

    fn periods() -> impl Strategy<Value = [Duration; 3]> {
        let period = || {
            prop_oneof![
                1 => Just(Duration::ZERO),
                3 => (2..3000u64).prop_map(Duration::from_millis)
            ]
        };
        [period(), period(), period()]
    }

    type Done = Vec<(Duration, Op)>;
    type Told = Vec<(Duration, IdleEvent)>;

    /// Plays the traffic; gives what was done when, what was told when, and when it was over.
    fn play(periods: [Duration; 3], ops: &[(Duration, Op)]) -> (Done, Told, Duration) {
        let mut world = World::new();
        let [reader, writer, all] = periods;
        let config = IdleConfig::new().reader(reader).writer(writer).all(all);
        let (mut socket, events, mut far) = tracked(&world, config);
        let log = record(&world, events);
        world.settle();
        let sim = world.sim.clone();
        let done = world.run(async {
            let mut done = Vec::new();
            let mut buf = [0; 4];
            for (pause, op) in ops {
                sim.sleep(*pause).await;
                match *op {
                    Op::Read(bytes) => {
                        let buf = &mut buf[..usize::from(bytes)];
                        far.write_all(buf).await.unwrap();
                        assert_eq!(socket.read(buf).await.unwrap(), buf.len());
                    }
                    Op::Write(bytes) => {
                        let buf = &mut buf[..usize::from(bytes)];
                        assert_eq!(socket.write(buf).await.unwrap(), buf.len());
                        far.read_exact(buf).await.unwrap();
                    }
                }
                done.push((sim.elapsed(), *op));
            }
            sim.sleep(7 * SECOND).await;
            done
        });
        let end = sim.elapsed();
        let log = log.borrow().clone();
        (done, log, end)
    }

    /// The promise, in the plainest form: in each stretch without activity of a kind, the first
    /// event comes a period after its beginning and at most `late` later, the others one period
    /// apart.
    fn check(
        kind: IdleKind,
        period: Duration,
        late: Duration,
        done: &[(Duration, Op)],
        log: &[(Duration, IdleEvent)],
        end: Duration,
    ) {
        let told: Vec<_> = log.iter().filter(|(_, e)| e.kind == kind).collect();
        if period.is_zero() {
            assert!(told.is_empty());
            return;
        }
        let moves = done.iter().filter(|(_, op)| op.moves(kind));
        let mut bounds: Vec<_> = moves.map(|(at, _)| *at).collect();
        bounds.insert(0, Duration::ZERO);
        bounds.push(end);
        let mut seen = 0;
        for stretch in bounds.windows(2) {
            let (from, to) = (stretch[0], stretch[1]);
            let inside = || told.iter().filter(|(at, _)| from < *at && *at <= to);
            seen += inside().count();
            let mut due = from + period..=from + period + late;
            for (n, (at, event)) in inside().enumerate() {
                assert!(
                    due.contains(at),
                    "{kind} at {at:?}, due {due:?} (silent from {from:?})"
                );
                assert_eq!(event.streak as usize, n + 1);
                assert!(event.idle_for >= period && event.idle_for <= *at - from);
                due = *at + period..=*at + period;
            }
            assert!(
                *due.end() >= to,
                "{kind}: nothing told in {due:?}, silent until {to:?}"
            );
        }
        assert_eq!(seen, told.len());
    }

    const KINDS: [IdleKind; 3] = [IdleKind::Reader, IdleKind::Writer, IdleKind::All];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn sparse_traffic_gives_exact_events(
            periods in periods(),
            // No more than the credit, in two groups between which a deadline may or may not lie.
            ops in traffic((0..50u64).boxed(), 8),
            more in traffic((0..50u64).boxed(), 8),
        ) {
            let mut ops = ops;
            ops.extend(more.into_iter().enumerate().map(|(n, (pause, op))| {
                (if n == 0 { pause + 400 * MILLI } else { pause }, op)
            }));
            let (done, log, end) = play(periods, &ops);
            for (kind, period) in KINDS.into_iter().zip(periods) {
                check(kind, period, Duration::ZERO, &done, &log, end);
            }
        }

        #[test]
        fn busy_traffic_gives_events_a_sixteenth_late_at_most(
            periods in periods(),
            ops in traffic(
                prop_oneof![40 => 0..100u64, 4 => 0..20_000u64, 1 => 0..2_000_000u64].boxed(),
                600,
            ),
        ) {
            let (done, log, end) = play(periods, &ops);
            let shortest = periods.into_iter().filter(|period| !period.is_zero()).min();
            let tick = (shortest.unwrap_or_default() / 16).max(MILLI);
            for (kind, period) in KINDS.into_iter().zip(periods) {
                check(kind, period, tick, &done, &log, end);
            }
        }
    }
}

#[test]
fn an_end_of_file_and_empty_operations_are_no_activity() {
    let mut world = World::new();
    let (mut socket, events, far) = tracked(&world, IdleConfig::new().all(10 * SECOND));
    let log = record(&world, events);
    drop(far);
    let sim = world.sim.clone();
    world.run(async {
        for _ in 0..15 {
            sim.sleep(SECOND).await;
            assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0, "end of file");
            assert_eq!(socket.read(&mut []).await.unwrap(), 0);
            assert_eq!(socket.write(&[]).await.unwrap(), 0);
            socket.flush().await.unwrap();
            assert!(socket.activity().bytes_read() + socket.activity().bytes_written() == 0);
        }
    });
    assert_eq!(told(&log), [(10 * SECOND, IdleKind::All, 1)]);
}

#[test]
fn a_large_write_that_makes_progress_is_not_idle() {
    let mut world = World::new();
    let config = LinkConfig::new().room(1024);
    let (near, mut far, _) = bytes(&world.sim, config);
    let idle = IdleConfig::new().writer(10 * SECOND);
    let (mut socket, events) = track(near, idle, world.sim.clone());
    let log = record(&world, events);
    let sim = world.sim.clone();
    let reader = async {
        // A kilobyte every nine seconds; then nothing.
        for _ in 0..20 {
            sim.sleep(9 * SECOND).await;
            far.read_exact(&mut [0; 1024]).await.unwrap();
        }
        sim.sleep(15 * SECOND).await;
    };
    let write = socket.write_all(&[7; 64 * 1024]);
    world.run(futures::future::select(Box::pin(reader), Box::pin(write)));
    assert_eq!(told(&log), [(190 * SECOND, IdleKind::Writer, 1)]);
}

mod holding {
    //! Reader idleness that waits until somebody reads.

    use super::*;

    fn held(world: &World, config: IdleConfig) -> (Tracked<ByteEnd, Sim>, Log, ByteEnd) {
        let (socket, events, far) = tracked(world, config);
        (socket, record(world, events.hold_while_unread(true)), far)
    }

    fn reader() -> IdleConfig {
        IdleConfig::new().reader(60 * SECOND)
    }

    #[test]
    fn who_is_not_asked_is_not_silent() {
        let mut world = World::new();
        let (mut socket, log, _far) = held(&world, reader().writer(100 * SECOND));
        world.run_for(250 * SECOND);
        let writer = [(100, 1), (200, 2)].map(|(at, n)| (at * SECOND, IdleKind::Writer, n));
        assert_eq!(told(&log), writer);
        // A full period from the moment somebody waits.
        assert!(socket.read(&mut [0]).now_or_never().is_none());
        world.run_for(60 * SECOND);
        let last = *told(&log).last().unwrap();
        assert_eq!(last, (310 * SECOND, IdleKind::Reader, 1));
    }

    /// Two timers: while nobody asks for input a dead peer cannot be told from a live one, for
    /// ever.
    #[test]
    fn a_hold_has_a_limit_of_its_own_and_ends_once() {
        let mut world = World::new();
        let (mut socket, log, _far) = held(&world, reader());
        // Held for 15 min from when the first event was due; then idle for the period, again and
        // again.
        world.run_for(1_100 * SECOND);
        let idle = [1_020, 1_080].map(|at| (at * SECOND, IdleKind::Reader));
        let told_of =
            |log: &Log| -> Vec<_> { told(log).iter().map(|(at, kind, _)| (*at, *kind)).collect() };
        assert_eq!(told_of(&log), idle);
        // Whoever waits for input ends it, and the next hold is whole again.
        assert!(socket.read(&mut [0]).now_or_never().is_none());
        world.run_for(60 * SECOND);
        assert_eq!(told_of(&log).len(), 3);
    }

    #[test]
    fn the_period_runs_from_when_the_read_has_to_wait() {
        let mut world = World::new();
        let (mut socket, log, mut far) = held(&world, reader());
        let sim = world.sim.clone();
        world.run(async {
            far.write_all(&[1]).await.unwrap();
            socket.read_exact(&mut [0]).await.unwrap();
            // Busy with that byte for 59 s; only then is there somebody to be disappointed.
            sim.sleep(59 * SECOND).await;
        });
        assert!(socket.read(&mut [0]).now_or_never().is_none());
        // That read was given up and begun again: still the same wait.
        world.run_for(SECOND);
        assert!(socket.read(&mut [0]).now_or_never().is_none());
        world.run_for(200 * SECOND);
        let reader =
            [(119, 1), (179, 2), (239, 3)].map(|(at, n)| (at * SECOND, IdleKind::Reader, n));
        assert_eq!(told(&log), reader);
    }

    #[test]
    fn holding_begins_when_nobody_waits_any_more() {
        let mut world = World::new();
        let (mut socket, log, mut far) = held(&world, reader());
        let sim = world.sim.clone();
        assert!(socket.read(&mut [0]).now_or_never().is_none());
        world.run(async {
            sim.sleep(30 * SECOND).await;
            far.write_all(&[1, 2]).await.unwrap();
            socket.read_exact(&mut [0]).await.unwrap();
            sim.sleep(500 * SECOND).await;
            // Something was there: no wait, no release.
            socket.read_exact(&mut [0]).await.unwrap();
            sim.sleep(500 * SECOND).await;
        });
        assert_eq!(told(&log), []);
    }

    #[test]
    fn without_the_option_a_peer_is_silent_whoever_reads() {
        let mut world = World::new();
        let (_socket, events, _far) = tracked(&world, reader());
        let log = record(&world, events);
        world.run_for(61 * SECOND);
        assert_eq!(told(&log), [(60 * SECOND, IdleKind::Reader, 1)]);
    }

    /// A reader on one thread begins to wait while the watcher on another decides to hold: each
    /// time the wait is seen.
    #[test]
    fn no_wait_is_overlooked_between_threads() {
        let sim = Sim::new();
        let (near, mut far, _) = bytes(&sim, LinkConfig::new());
        let (socket, events) = track(near, IdleConfig::new().reader(SECOND), sim.clone());
        let mut events = events.hold_while_unread(true);
        let (go, began) = std::sync::mpsc::channel();
        let (waits, waiting) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut socket = socket;
            while began.recv().is_ok() {
                // Something is there to be read; the next read has to wait.
                assert!(socket.read(&mut [0]).now_or_never().is_some());
                assert!(socket.read(&mut [0]).now_or_never().is_none());
                waits.send(()).unwrap();
            }
        });
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        for round in 0..2000 {
            assert!(far.write(&[1]).now_or_never().is_some());
            sim.advance(SECOND);
            go.send(()).unwrap();
            let mut event = events.poll_next_unpin(&mut cx).is_ready();
            waiting.recv().unwrap();
            for _ in 0..4 {
                if woken.0.swap(false, Ordering::SeqCst) {
                    event |= events.poll_next_unpin(&mut cx).is_ready();
                }
                sim.advance(SECOND);
            }
            event |=
                woken.0.swap(false, Ordering::SeqCst) && events.poll_next_unpin(&mut cx).is_ready();
            assert!(event, "round {round}: somebody waits and nobody is told");
        }
        drop(go);
        reader.join().unwrap();
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

mod cost {
    //! What the watching costs.

    use super::*;

    /// Takes and gives anything at once.
    struct Null;

    impl AsyncRead for Null {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
    }

    impl AsyncWrite for Null {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn busy(socket: &mut Tracked<Null, Sim>, operations: u32) {
        for _ in 0..operations / 2 {
            assert_eq!(socket.write(&[1; 8]).now_or_never().unwrap().unwrap(), 8);
            assert_eq!(socket.read(&mut [0; 8]).now_or_never().unwrap().unwrap(), 8);
        }
    }

    #[test]
    fn a_busy_socket_asks_for_no_timer_and_for_hardly_a_clock() {
        let mut world = World::new();
        let sim = world.sim.clone();
        let idle = IdleConfig::new().reader(16 * SECOND).writer(32 * SECOND);
        let (mut socket, events) = track(Null, idle, sim.clone());
        let log = record(&world, events);
        world.settle();
        let before = sim.counts();
        for _ in 0..1000 {
            busy(&mut socket, 100);
            world.settle();
        }
        let counts = sim.counts().since(before);
        // One dating for each of the first 16, one look at the bell, one timer set to the tick.
        assert!(counts.clock_reads <= 16 + 3, "{counts:?}");
        assert!(counts.timer_operations() <= 2, "{counts:?}");
        // Ten seconds later it is still busy: one look and one timer a second.
        let before = sim.counts();
        for _ in 0..1000 {
            world.run_for(10 * MILLI);
            busy(&mut socket, 100);
        }
        let counts = sim.counts().since(before);
        assert!(counts.clock_reads <= 3 * 11, "{counts:?}");
        assert!(counts.timers_reset <= 11, "{counts:?}");
        assert_eq!(counts.timers_created, 0);
        // Then it is quiet, and told so in time.
        world.run_for(18 * SECOND);
        let told = told(&log);
        assert_eq!(told.len(), 1);
        assert!(told[0].0 >= 26 * SECOND - 10 * MILLI && told[0].0 <= 27 * SECOND);
        assert_eq!(socket.activity().bytes_read(), 8 * 100_000);
        assert_eq!(socket.activity().bytes_written(), 8 * 100_000);
    }

    #[test]
    fn with_nothing_to_time_nothing_is_asked() {
        let mut world = World::new();
        let sim = world.sim.clone();
        let (mut socket, events) = track(Null, IdleConfig::new(), sim.clone());
        let log = record(&world, events);
        let before = sim.counts();
        for _ in 0..100 {
            busy(&mut socket, 100);
            world.run_for(SECOND);
        }
        assert_eq!(sim.counts().since(before), Counts::default());
        assert_eq!(told(&log), []);
    }

    #[test]
    fn a_socket_whose_events_nobody_wants_is_free() {
        let mut world = World::new();
        let sim = world.sim.clone();
        let (mut socket, events) = track(Null, IdleConfig::new().all(SECOND), sim.clone());
        let task = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut events = events.hold_while_unread(true);
        assert!(
            events
                .poll_next_unpin(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop((events, waker));
        assert_eq!(Arc::strong_count(&task), 1, "the task is let go");
        assert_eq!((sim.timers_alive(), sim.next_wake()), (0, None));
        let before = sim.counts();
        busy(&mut socket, 1000);
        world.run_for(10 * SECOND);
        busy(&mut socket, 1000);
        assert_eq!(sim.counts().since(before), Counts::default());
        assert_eq!(socket.activity().bytes_read(), 8 * 1000);
    }
}

#[test]
fn dropping_the_socket_ends_the_events_and_leaves_no_timer() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (socket, mut events, _far) = tracked(&world, IdleConfig::new().all(60 * SECOND));
    let sleeping = {
        let sim = sim.clone();
        world.task(async move {
            let ended = events.next().await;
            (ended, sim.elapsed(), events)
        })
    };
    world.run_for(SECOND);
    assert_eq!(sim.timers_alive(), 1);
    drop(socket);
    let (ended, at, mut events) = world.run(sleeping);
    assert_eq!((ended, at), (None, SECOND));
    assert!(events.is_terminated());
    assert_eq!((sim.timers_alive(), sim.next_wake()), (0, None));
    assert_eq!(world.run(events.next()), None);
}

#[test]
fn the_socket_comes_back_whole() {
    let mut world = World::new();
    let (socket, mut events, mut far) = tracked(&world, IdleConfig::new().all(SECOND));
    let mut near = socket.into_inner();
    assert_eq!(world.run(events.next()), None);
    world.run(async {
        near.write_all(b"hi").await.unwrap();
        far.read_exact(&mut [0; 2]).await.unwrap();
    });
}

#[test]
fn the_periods_of_a_running_socket_can_change() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut socket, mut events, mut far) = tracked(&world, IdleConfig::new());
    world.run(async {
        // Busy, with nothing timed.
        for _ in 0..100 {
            far.write_all(&[1]).await.unwrap();
            socket.read_exact(&mut [0]).await.unwrap();
        }
        sim.sleep(100 * SECOND).await;
        events.set_config(IdleConfig::new().reader(16 * SECOND));
        assert_eq!(events.next().await.unwrap().idle_for, 16 * SECOND);
        assert_eq!(sim.elapsed(), 116 * SECOND);
        // A shorter period counts the silence that was there.
        sim.sleep(5 * SECOND).await;
        events.set_config(IdleConfig::new().reader(4 * SECOND));
        assert_eq!(events.next().await.unwrap().streak, 2);
        assert_eq!(sim.elapsed(), 121 * SECOND);
        events.set_config(IdleConfig::new());
        assert!(events.next().now_or_never().is_none());
    });
}

#[test]
fn events_go_into_a_select_beside_the_socket() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut socket, mut events, mut far) = tracked(&world, IdleConfig::new().reader(10 * SECOND));
    let peer = sim.clone();
    world.spawn(async move {
        for _ in 0..50 {
            peer.sleep(6 * SECOND).await;
            far.write_all(b"x").await.unwrap();
        }
        peer.sleep(21 * SECOND).await;
    });
    let (bytes, idle) = world.run(async {
        let (mut bytes, mut idle) = (0, Vec::new());
        let mut buf = [0; 16];
        loop {
            futures::select! {
                read = socket.read(&mut buf).fuse() => match read.unwrap() {
                    0 => return (bytes, idle),
                    read => bytes += read,
                },
                event = events.select_next_some() => idle.push((sim.elapsed(), event.streak)),
            }
        }
    });
    assert_eq!(bytes, 50);
    assert_eq!(idle, [(310 * SECOND, 1), (320 * SECOND, 2)]);
}

#[test]
fn whoever_looks_late_gets_one_event_of_each_kind() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = IdleConfig::new().reader(SECOND).writer(2 * SECOND);
    let (_socket, mut events, _far) = tracked(&world, config);
    assert!(events.next().now_or_never().is_none());
    sim.advance(3600 * SECOND);
    let seen = world.run(async { [events.next().await, events.next().await] });
    let kinds = seen.map(|event| event.map(|event| (event.kind, event.idle_for)));
    let late = 3600 * SECOND;
    assert_eq!(
        kinds,
        [
            Some((IdleKind::Reader, late)),
            Some((IdleKind::Writer, late))
        ]
    );
    assert!(events.next().now_or_never().is_none());
}

/// Bytes move on one thread while another watches with the simulated clock in its hand.
#[test]
fn events_are_never_early_between_threads() {
    let sim = Sim::new();
    let (socket, mut events) = track(
        futures::io::sink(),
        IdleConfig::new().writer(SECOND),
        sim.clone(),
    );
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mover = {
        let (sim, stop, done) = (sim.clone(), Arc::clone(&stop), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut socket = socket;
            let mut operations = 0u64;
            while !stop.load(Ordering::SeqCst) {
                let at = sim.elapsed().as_nanos() as u64;
                socket.write(&[1]).now_or_never().unwrap().unwrap();
                done.store(at, Ordering::SeqCst);
                operations += 1;
                if operations % 5000 == 0 {
                    // Time for the watcher to see silence.
                    std::thread::yield_now();
                }
            }
            socket
        })
    };
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken);
    let mut cx = Context::from_waker(&waker);
    let mut told = 0;
    for _ in 0..20_000 {
        sim.advance(SECOND / 50);
        let last = Duration::from_nanos(done.load(Ordering::SeqCst));
        if let Poll::Ready(Some(event)) = events.poll_next_unpin(&mut cx) {
            told += 1;
            assert!(
                sim.elapsed() >= last + SECOND,
                "{event} at {:?}",
                sim.elapsed()
            );
        }
    }
    stop.store(true, Ordering::SeqCst);
    let socket = mover.join().unwrap();
    // The mover has stopped: now it is told for certain, and in time.
    let last = sim.elapsed();
    for _ in 0..110 {
        sim.advance(SECOND / 100);
        told += u64::from(events.poll_next_unpin(&mut cx).is_ready());
    }
    assert!(told > 0, "silent since {last:?}");
    drop(socket);
    assert!(events.poll_next_unpin(&mut cx).is_ready());
}

mod forwarding {
    //! Every call reaches the socket, as it was made.

    use super::*;

    /// Writes down what it is asked for.
    #[derive(Default)]
    struct Scribe {
        calls: Vec<String>,
        #[cfg(feature = "tokio")]
        vectored: bool,
    }

    fn lengths(bufs: &[IoSlice<'_>]) -> Vec<usize> {
        bufs.iter().map(|buf| buf.len()).collect()
    }

    impl Scribe {
        fn note(self: Pin<&mut Self>, call: String) {
            self.get_mut().calls.push(call);
        }
    }

    impl AsyncRead for Scribe {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.note(format!("read {}", buf.len()));
            Poll::Ready(Ok(1))
        }

        fn poll_read_vectored(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bufs: &mut [IoSliceMut<'_>],
        ) -> Poll<io::Result<usize>> {
            let lengths: Vec<_> = bufs.iter().map(|buf| buf.len()).collect();
            self.note(format!("read {lengths:?}"));
            Poll::Ready(Ok(2))
        }
    }

    impl AsyncWrite for Scribe {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.note(format!("write {}", buf.len()));
            Poll::Ready(Ok(3))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.note(format!("write {:?}", lengths(bufs)));
            Poll::Ready(Ok(4))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.note("flush".into());
            Poll::Ready(Err(io::ErrorKind::Other.into()))
        }

        fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.note("close".into());
            Poll::Ready(Err(io::ErrorKind::Other.into()))
        }
    }

    #[test]
    fn futures_io() {
        let (mut socket, _events) = track(Scribe::default(), IdleConfig::new(), Sim::new());
        let mut cx = Context::from_waker(Waker::noop());
        let (mut a, mut b) = ([0; 5], [0; 6]);
        let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        let mut pinned = Pin::new(&mut socket);
        assert!(pinned.as_mut().poll_read(&mut cx, &mut [0; 7]).is_ready());
        assert!(
            pinned
                .as_mut()
                .poll_read_vectored(&mut cx, &mut bufs)
                .is_ready()
        );
        assert!(pinned.as_mut().poll_write(&mut cx, &[0; 8]).is_ready());
        let bufs = [IoSlice::new(&[0; 9]), IoSlice::new(&[])];
        assert!(
            pinned
                .as_mut()
                .poll_write_vectored(&mut cx, &bufs)
                .is_ready()
        );
        assert!(matches!(
            pinned.as_mut().poll_flush(&mut cx),
            Poll::Ready(Err(_))
        ));
        assert!(matches!(
            pinned.as_mut().poll_close(&mut cx),
            Poll::Ready(Err(_))
        ));
        let expected = [
            "read 7",
            "read [5, 6]",
            "write 8",
            "write [9, 0]",
            "flush",
            "close",
        ];
        assert_eq!(socket.get_ref().calls, expected);
        assert_eq!(socket.activity().bytes_read(), 3);
        assert_eq!(socket.activity().bytes_written(), 7);
    }

    #[cfg(feature = "tokio")]
    mod tokio_io {
        use std::mem::MaybeUninit;

        use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

        use super::*;

        impl AsyncRead for Scribe {
            fn poll_read(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let (filled, ready) = (buf.filled().len(), buf.initialized().len());
                self.note(format!("read {filled} {ready} {}", buf.capacity()));
                buf.put_slice(b"news");
                // An error does not take back what is in the buffer.
                Poll::Ready(Err(io::ErrorKind::Other.into()))
            }
        }

        impl AsyncWrite for Scribe {
            fn poll_write(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.note(format!("write {}", buf.len()));
                Poll::Ready(Ok(3))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.note(format!("write {:?}", lengths(bufs)));
                Poll::Ready(Ok(4))
            }

            fn is_write_vectored(&self) -> bool {
                self.vectored
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.note("flush".into());
                Poll::Ready(Err(io::ErrorKind::Other.into()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.note("shutdown".into());
                Poll::Ready(Err(io::ErrorKind::Other.into()))
            }
        }

        #[test]
        fn tokio_io() {
            let (mut socket, _events) = track(Scribe::default(), IdleConfig::new(), Sim::new());
            let mut cx = Context::from_waker(Waker::noop());
            let mut memory = [MaybeUninit::uninit(); 16];
            let mut buf = ReadBuf::uninit(&mut memory);
            buf.put_slice(b"old ");
            let mut pinned = Pin::new(&mut socket);
            assert!(pinned.as_mut().poll_read(&mut cx, &mut buf).is_ready());
            assert_eq!(buf.filled(), b"old news");
            assert_eq!(buf.initialized().len(), 8, "the rest stays as it was");
            assert!(pinned.as_mut().poll_write(&mut cx, &[0; 8]).is_ready());
            let bufs = [IoSlice::new(&[0; 9]), IoSlice::new(&[])];
            assert!(
                pinned
                    .as_mut()
                    .poll_write_vectored(&mut cx, &bufs)
                    .is_ready()
            );
            assert!(matches!(
                pinned.as_mut().poll_flush(&mut cx),
                Poll::Ready(Err(_))
            ));
            assert!(matches!(
                pinned.as_mut().poll_shutdown(&mut cx),
                Poll::Ready(Err(_))
            ));
            assert!(!socket.is_write_vectored());
            socket.get_mut().vectored = true;
            assert!(socket.is_write_vectored());
            let expected = [
                "read 4 4 16",
                "write 8",
                "write [9, 0]",
                "flush",
                "shutdown",
            ];
            assert_eq!(socket.get_ref().calls, expected);
            assert_eq!(socket.activity().bytes_read(), 4);
            assert_eq!(socket.activity().bytes_written(), 7);
        }
    }
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use ::tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use ::tokio::time::{Instant, sleep};
    use liveness::Tokio;

    use super::*;

    /// Tokio's own paused clock, since Tokio's timers are what is tested.
    #[tokio::test(start_paused = true)]
    async fn with_a_paused_clock() {
        let (near, mut far) = duplex(64);
        let config = IdleConfig::new().reader(10 * SECOND).writer(4 * SECOND);
        let (mut socket, mut idle) = track(near, config, Tokio);
        #[allow(clippy::disallowed_methods, reason = "the simulated clock")]
        let start = Instant::now();
        let events = tokio::spawn(async move {
            let mut told = Vec::new();
            while let Some(event) = idle.next().await {
                told.push((start.elapsed().as_secs(), event.kind, event.streak));
            }
            told
        });
        sleep(3 * SECOND).await;
        socket.write_all(b"abc").await.unwrap();
        far.read_exact(&mut [0; 3]).await.unwrap();
        sleep(6 * SECOND).await;
        far.write_all(b"d").await.unwrap();
        socket.read_u8().await.unwrap();
        sleep(11 * SECOND).await;
        drop(socket);
        let expected = [
            (7, IdleKind::Writer, 1),
            (11, IdleKind::Writer, 2),
            (15, IdleKind::Writer, 3),
            (19, IdleKind::Reader, 1),
            (19, IdleKind::Writer, 4),
        ];
        assert_eq!(events.await.unwrap(), expected);
    }

    /// On real threads and in real time, since what is tested is that they do not disturb each
    /// other.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn socket_and_events_on_two_threads() {
        let (near, mut far) = duplex(1024);
        let period = Duration::from_millis(80);
        let (mut socket, mut idle) = track(near, IdleConfig::new().all(period), Tokio);
        #[allow(clippy::disallowed_methods, reason = "real time is what is measured")]
        let clock = Instant::now;
        let moving = tokio::spawn(async move {
            let (start, mut buf) = (clock(), [0; 64]);
            while start.elapsed() < 3 * period {
                socket.write_all(&buf).await.unwrap();
                far.read_exact(&mut buf).await.unwrap();
            }
            let last = clock();
            sleep(3 * period).await;
            last
        });
        let mut told = Vec::new();
        while let Some(event) = idle.next().await {
            // Also where the machine was too busy for us to be busy: never early.
            assert!(event.idle_for >= period, "{event}");
            told.push(clock());
        }
        let last = moving.await.unwrap();
        assert!(told.iter().any(|at| *at >= last + period - MILLI));
    }
}
