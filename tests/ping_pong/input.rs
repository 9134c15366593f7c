//! Input comes first: nothing is held against a peer while what it said may be unread.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use liveness::{Cause, Error, PingWhen, Proof};

use super::*;

/// Does what a script says.
#[derive(Default)]
struct Script {
    incoming: VecDeque<Message>,
    outgoing: Vec<Message>,
    /// Data without end, once `incoming` is empty.
    endless: bool,
    /// How many polls say "nothing there" whatever is, as a used-up budget does.
    lies: u32,
    /// The sink takes nothing.
    stuck: bool,
    /// It refuses to send anything, as a transport does that is closing.
    refuses: bool,
    taken: u64,
}

impl Stream for Script {
    type Item = io::Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.lies > 0 {
            self.lies -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let data = self.endless.then_some(Data(7));
        match self.incoming.pop_front().or(data) {
            Some(message) => {
                self.taken += 1;
                Poll::Ready(Some(Ok(message)))
            }
            None => Poll::Pending,
        }
    }
}

impl Sink<Message> for Script {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stuck {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> io::Result<()> {
        if self.refuses {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.outgoing.push(message);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Scripted = PingPong<Script, Beats, Sim>;

fn scripted(sim: &Sim, config: KeepaliveConfig) -> Scripted {
    PingPong::new(Script::default(), Beats, config, sim.clone()).unwrap()
}

fn poll(stream: &mut Scripted) -> Poll<Option<Result<Message, Error<io::Error>>>> {
    stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// Polls until nothing comes, with one more for the turn of the executor that was asked for.
fn drain(stream: &mut Scripted) -> Vec<Result<Message, Error<io::Error>>> {
    let (mut items, mut empty) = (Vec::new(), 0);
    while empty < 2 {
        match poll(stream) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => break,
            Poll::Pending => empty += 1,
        }
    }
    items
}

fn strict() -> KeepaliveConfig {
    KeepaliveConfig::new()
        .max_unanswered(1)
        .forgive_stall(false)
}

#[test]
fn a_pong_that_waits_in_the_buffer_is_an_answer_however_late_the_poll() {
    for config in [
        KeepaliveConfig::new().max_unanswered(1),
        strict(),
        strict().proof(Proof::PongOnly),
    ] {
        for backlog in [0, 1, 31, 32, 33, 5000] {
            let sim = Sim::new();
            let mut stream = scripted(&sim, config);
            assert!(drain(&mut stream).is_empty());
            sim.advance(20 * SECOND);
            assert!(drain(&mut stream).is_empty());
            assert_eq!(stream.get_ref().outgoing, [Ping(0)]);
            let before = std::iter::repeat_n(Data(1), backlog);
            stream.get_mut().incoming = before.chain([Pong(0)]).collect();
            // An hour in a debugger.
            sim.advance(3600 * SECOND);
            let items = drain(&mut stream);
            assert!(items.iter().all(Result::is_ok), "{:?}", items.last());
            assert_eq!(items.len(), backlog);
            assert_eq!(stream.dead(), None);
        }
    }
}

#[test]
fn an_empty_look_with_a_used_up_budget_is_no_silence() {
    let sim = Sim::new();
    let mut stream = scripted(&sim, strict());
    drain(&mut stream);
    sim.advance(20 * SECOND);
    drain(&mut stream);
    stream.get_mut().incoming.push_back(Pong(0));
    sim.advance(10 * SECOND);
    stream.get_mut().lies = 1;
    assert!(drain(&mut stream).is_empty());
    assert_eq!(stream.dead(), None);
    assert_eq!(stream.rtt().latest(), Some(10 * SECOND));
}

#[test]
fn whatever_comes_in_wins_another_turn_before_the_verdict() {
    let sim = Sim::new();
    let mut stream = scripted(&sim, strict().proof(Proof::PongOnly));
    drain(&mut stream);
    sim.advance(20 * SECOND);
    drain(&mut stream);
    sim.advance(10 * SECOND);
    assert!(poll(&mut stream).is_pending());
    // The turn brings data, and a budget that ends between it and the pong.
    stream.get_mut().incoming.push_back(Data(1));
    assert!(matches!(poll(&mut stream), Poll::Ready(Some(Ok(Data(1))))));
    stream.get_mut().incoming.push_back(Pong(0));
    stream.get_mut().lies = 1;
    assert!(drain(&mut stream).is_empty());
    assert_eq!((stream.dead(), stream.rtt().samples()), (None, 1));
}

#[test]
fn a_ping_that_the_transport_refuses_was_not_asked() {
    let sim = Sim::new();
    let mut stream = scripted(&sim, KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().refuses = true;
    drain(&mut stream);
    let mut verdict = None;
    for second in 1..=40 {
        sim.advance(SECOND);
        // What the peer still says is read, and its pings are taken in.
        if second == 5 {
            stream.get_mut().incoming.extend([Ping(0), Data(1)]);
        }
        for item in drain(&mut stream) {
            match item {
                Ok(message) => assert_eq!((message, second), (Data(1), 5)),
                Err(Error::Dead(dead)) => verdict = Some((dead, second)),
                Err(error) => panic!("{error}"),
            }
        }
    }
    let (dead, second) = verdict.unwrap();
    assert_eq!((dead.cause, dead.unanswered), (Cause::Silent, 0));
    // The bound, from the last that was heard.
    assert_eq!(second, 35);
    assert!(stream.get_ref().outgoing.is_empty());

    // Refused before the close was known: a ping of ours is the first to be refused.
    let mut stream = scripted(&sim, KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().refuses = true;
    drain(&mut stream);
    sim.advance(20 * SECOND);
    assert!(drain(&mut stream).is_empty());
    sim.advance(10 * SECOND - Duration::from_nanos(1));
    assert!(drain(&mut stream).is_empty());
    sim.advance(Duration::from_nanos(1));
    let [Err(Error::Dead(dead))] = &drain(&mut stream)[..] else {
        panic!("a verdict was due")
    };
    assert_eq!((dead.cause, dead.unanswered), (Cause::Silent, 0));
    // The user's own message is refused to the user.
    let mut stream = scripted(&sim, KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().refuses = true;
    stream.get_mut().incoming.push_back(Ping(0));
    drain(&mut stream);
    let sent = stream.send(Data(2)).now_or_never();
    assert!(matches!(sent, Some(Err(Error::Transport(_)))), "{sent:?}");
}

#[test]
fn after_a_stall_of_our_own_the_peer_is_asked_afresh_and_still_dies_in_time() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let (mut stream, _peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    link.cut();
    assert!(stream.next().now_or_never().is_none());
    sim.advance(3600 * SECOND);
    let verdict = world.run(stream.next()).unwrap().unwrap_err();
    assert!(matches!(verdict, Error::Dead(dead) if dead.cause == Cause::NoReply));
    assert_eq!(
        link.sent(Side::Near),
        1,
        "asked, and not before it was asked"
    );
    assert_eq!(sim.elapsed(), 3610 * SECOND);

    // The same with the stall in the middle of a question.
    let (mut stream, _peer, link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    link.cut();
    let since = sim.elapsed();
    let mut next = stream.next();
    world.run(async {
        futures::select! {
            verdict = next => panic!("{verdict:?}"),
            () = sim.sleep(25 * SECOND).fuse() => {}
        }
    });
    sim.advance(3600 * SECOND);
    assert!(matches!(world.run(next), Some(Err(Error::Dead(_)))));
    assert_eq!(link.sent(Side::Near), 2);
    assert_eq!(sim.elapsed() - since, 3635 * SECOND);
}

#[test]
fn pings_go_out_while_data_never_stops_arriving() {
    let sim = Sim::new();
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .ping_when(PingWhen::Always);
    let mut stream = scripted(&sim, config);
    stream.get_mut().endless = true;
    let mut asked = Vec::new();
    for _ in 0..59_000 {
        sim.advance(SECOND / 1000);
        assert!(matches!(poll(&mut stream), Poll::Ready(Some(Ok(Data(7))))));
        if stream.get_ref().outgoing.len() > asked.len() {
            asked.push(sim.elapsed().as_secs_f64());
            // It is answered, in time.
            stream
                .get_mut()
                .incoming
                .push_back(Pong(asked.len() as u64 - 1));
        }
    }
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!((20.0..21.5).contains(&asked[0]), "{asked:?}");
    assert!((20.0..21.5).contains(&(asked[1] - asked[0])), "{asked:?}");

    stream.probe_now();
    assert!(poll(&mut stream).is_ready());
    assert_eq!(stream.get_ref().outgoing.len(), 3, "asked at the next poll");
}

#[test]
fn a_peer_that_chatters_and_does_not_answer_is_dead_if_only_pongs_count() {
    let sim = Sim::new();
    let mut stream = scripted(
        &sim,
        KeepaliveConfig::new()
            .max_unanswered(1)
            .proof(Proof::PongOnly),
    );
    stream.get_mut().endless = true;
    let dead = loop {
        sim.advance(SECOND / 1000);
        match poll(&mut stream) {
            Poll::Ready(Some(Ok(_))) => assert!(sim.elapsed() < 60 * SECOND),
            Poll::Ready(Some(Err(Error::Dead(dead)))) => break dead,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(dead.cause, Cause::NoReply);
    // The answer could be behind the data: it has twice its time.
    let at = sim.elapsed();
    assert!(at >= 40 * SECOND && at <= 42 * SECOND, "{at:?}");
    // Where any byte counts, it lives.
    let mut stream = scripted(&sim, KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().endless = true;
    for _ in 0..100_000 {
        sim.advance(SECOND / 1000);
        assert!(matches!(poll(&mut stream), Poll::Ready(Some(Ok(_)))));
    }
}

#[test]
fn a_writer_that_answers_every_ring_keeps_none_from_the_reader() {
    let sim = Sim::new();
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .proof(Proof::PongOnly)
        .upload_wait(SECOND)
        .write_stall(Duration::ZERO);
    let mut stream = scripted(&sim, config);
    stream.get_mut().endless = true;
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        sim.advance(SECOND / 100);
        assert!(sim.elapsed() < 60 * SECOND, "the chatterer is never judged");
        // Asked once; from then on nothing can be sent, and the writer comes first each time.
        stream.get_mut().stuck = !stream.get_ref().outgoing.is_empty();
        if stream.get_ref().stuck && matches!(stream.poll_ready_unpin(&mut cx), Poll::Ready(Err(_)))
        {
            panic!("the writer cannot judge what it does not read");
        }
        match poll(&mut stream) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(Error::Dead(dead)))) => {
                assert_eq!(dead.cause, Cause::NoReply);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn after_32_heartbeats_the_executor_has_its_turn() {
    let sim = Sim::new();
    let mut stream = scripted(&sim, KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().incoming = std::iter::repeat_n(Pong(99), 100)
        .chain([Data(5)])
        .collect();
    let mut turns = 0;
    while poll(&mut stream).is_pending() {
        turns += 1;
        assert_eq!(stream.get_ref().taken, 32 * turns);
    }
    assert_eq!(turns, 3);
}

#[test]
fn whoever_yields_comes_back_by_itself() {
    let mut world = World::new();
    let (mut stream, mut peer, _link) = kept(&world, KeepaliveConfig::new().max_unanswered(1));
    let item = world.run(async {
        for n in 0..1000 {
            peer.send(Ping(n)).await.unwrap();
        }
        peer.send(Data(1)).await.unwrap();
        stream.next().await.unwrap().unwrap()
    });
    assert_eq!(item, Data(1));
    assert_eq!(world.sim.elapsed(), Duration::ZERO);
}

#[test]
fn busy_data_asks_for_no_timer_and_for_hardly_a_clock() {
    let mut world = World::new();
    let sim = world.sim.clone();
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(16 * SECOND);
    let (mut stream, mut peer, _link) = kept(&world, config);
    let echo = world.task(async move {
        while let Some(Ok(message)) = peer.next().await {
            peer.send(message).await.unwrap();
        }
    });
    let before = sim.counts();
    world.run(async {
        for n in 0..10_000 {
            stream.send(Data(n)).await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), Data(n));
        }
    });
    let counts = sim.counts().since(before);
    assert!(counts.clock_reads <= 16 + 4, "{counts:?}");
    assert!(counts.timer_operations() <= 4, "{counts:?}");
    let before = sim.counts();
    world.run(async {
        for n in 0..10_000 {
            sim.sleep(SECOND / 1000).await;
            stream.send(Data(n)).await.unwrap();
            stream.next().await.unwrap().unwrap();
        }
    });
    // Ten ticks.
    let counts = sim.counts().since(before);
    assert!(counts.clock_reads <= 3 * 11, "{counts:?}");
    assert!(counts.timers_reset <= 11, "{counts:?}");
    drop(echo);
}
