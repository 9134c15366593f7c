//! The laws of the verdict, with random peers on random links.

use std::cell::RefCell;
use std::rc::Rc;

use futures::{SinkExt, StreamExt};
use liveness::{Cause, Dead, Error, PingWhen, Proof};
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Scenario {
    interval: Duration,
    reply: Duration,
    max_unanswered: u32,
    when: PingWhen,
    proof: Proof,
    /// One way.
    delay: Duration,
    /// When and whether the peer answers pings: its time to think, or never.
    thinks: Option<Duration>,
    /// What the peer says on its own: the pauses before.
    says: Vec<Duration>,
    /// What we send: the pauses before.
    sends: Vec<Duration>,
    /// When the link is cut.
    cut: Duration,
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(|millis| Duration::from_micros(millis * 1000 + 1))
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let config = (
        millis(10..3000),
        millis(10..3000),
        1..4u32,
        prop_oneof![
            Just(PingWhen::RecvIdle),
            Just(PingWhen::Always),
            Just(PingWhen::EitherIdle)
        ],
        prop_oneof![Just(Proof::AnyBytes), Just(Proof::PongOnly)],
    );
    // Quiet stretches, and bursts that use up the credit of exact dates.
    let pauses =
        || prop::collection::vec(prop_oneof![8 => millis(0..3), 1 => millis(0..4000)], 0..120);
    let peer = (
        millis(0..200),
        prop::option::weighted(0.8, millis(0..1500)),
        pauses(),
        pauses(),
        millis(0..20_000),
    );
    (config, peer).prop_map(|((interval, reply, max_unanswered, when, proof), peer)| {
        let (delay, thinks, says, sends, cut) = peer;
        Scenario {
            interval,
            reply,
            max_unanswered,
            when,
            proof,
            delay,
            thinks,
            says,
            sends,
            cut,
        }
    })
}

struct Outcome {
    dead: Dead,
    at: Duration,
    /// When each message reached us, and whether it was a pong.
    heard: Vec<(Duration, bool)>,
    /// When each of our pings was put onto the link.
    asked: Vec<Duration>,
    bound: Duration,
}

/// Sees what passes on our side of the link.
struct Tap {
    end: MessageEnd<Message>,
    sim: Sim,
    heard: Rc<RefCell<Vec<(Duration, bool)>>>,
    asked: Rc<RefCell<Vec<Duration>>>,
}

mod tap {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use futures::{Sink, Stream};

    use super::*;

    impl Stream for Tap {
        type Item = io::Result<Message>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let item = ready!(Pin::new(&mut self.end).poll_next(cx));
            if let Some(Ok(message)) = &item {
                let heard = (self.sim.elapsed(), matches!(message, Pong(_)));
                self.heard.borrow_mut().push(heard);
            }
            Poll::Ready(item)
        }
    }

    impl Sink<Message> for Tap {
        type Error = io::Error;

        fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.end).poll_ready(cx)
        }

        fn start_send(mut self: Pin<&mut Self>, message: Message) -> io::Result<()> {
            if matches!(message, Ping(_)) {
                let at = self.sim.elapsed();
                self.asked.borrow_mut().push(at);
            }
            Pin::new(&mut self.end).start_send(message)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.end).poll_flush(cx)
        }

        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.end).poll_close(cx)
        }
    }
}

fn play(scenario: &Scenario) -> Outcome {
    let mut world = World::new();
    let sim = world.sim.clone();
    let link_config = LinkConfig::new().delay(scenario.delay);
    let (near, far, link) = messages(&sim, link_config);
    let tap = Tap {
        end: near,
        sim: sim.clone(),
        heard: Rc::default(),
        asked: Rc::default(),
    };
    let (heard, asked) = (Rc::clone(&tap.heard), Rc::clone(&tap.asked));
    let config = KeepaliveConfig::new()
        .interval(scenario.interval)
        .reply_timeout(scenario.reply)
        .max_unanswered(scenario.max_unanswered)
        .ping_when(scenario.when)
        .proof(scenario.proof)
        .write_stall(Duration::ZERO);
    let stream = PingPong::new(tap, Beats, config, sim.clone()).unwrap();
    let bound = stream.detection_bound().map(|bound| bound.quiet).unwrap();
    let (mut sink, mut stream) = stream.split::<Message>();
    let reading = world.task(async move {
        loop {
            match stream.next().await.unwrap() {
                Ok(_) => {}
                Err(Error::Dead(dead)) => return dead,
                Err(error) => panic!("{error}"),
            }
        }
    });

    // The peer: one task that answers, one that talks, over one sink.
    let (mut far_sink, mut far_stream) = far.split::<Message>();
    let (to_send, mut queue) = futures::channel::mpsc::unbounded();
    world.spawn(async move {
        while let Some(message) = queue.next().await {
            if far_sink.send(message).await.is_err() {
                return;
            }
        }
    });
    let (to_answer, mut asked_at) = futures::channel::mpsc::unbounded();
    let (clock, thinks) = (sim.clone(), scenario.thinks);
    world.spawn(async move {
        while let Some(Ok(message)) = far_stream.next().await {
            if let (Ping(n), Some(thinks)) = (message, thinks) {
                let _ = to_answer.unbounded_send((clock.time() + thinks, n));
            }
        }
    });
    let (answers, clock) = (to_send.clone(), sim.clone());
    world.spawn(async move {
        while let Some((at, n)) = asked_at.next().await {
            clock.sleep_until(at).await;
            let _ = answers.unbounded_send(Pong(n));
        }
    });
    let (clock, says) = (sim.clone(), scenario.says.clone());
    world.spawn(async move {
        for pause in says {
            clock.sleep(pause).await;
            let _ = to_send.unbounded_send(Data(0));
        }
    });
    let (clock, sends) = (sim.clone(), scenario.sends.clone());
    world.spawn(async move {
        for pause in sends.into_iter().cycle().take(2000) {
            clock.sleep(pause).await;
            if sink.send(Data(1)).await.is_err() {
                return;
            }
        }
        futures::future::pending::<()>().await;
    });
    let (clock, cut) = (sim.clone(), scenario.cut);
    world.spawn(async move {
        clock.sleep(cut).await;
        link.cut();
    });
    let dead = world.run(reading);
    let (heard, asked) = (heard.take(), asked.take());
    Outcome {
        dead,
        at: sim.elapsed(),
        heard,
        asked,
        bound,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn asked_before_the_verdict_and_judged_in_time(scenario in scenario()) {
        let outcome = play(&scenario);
        let Outcome { dead, at, heard, asked, bound } = outcome;
        prop_assert_eq!(dead.cause, Cause::NoReply);
        let proves = |(_, is_pong): &&(Duration, bool)| *is_pong || scenario.proof == Proof::AnyBytes;
        let proof = heard.iter().filter(proves).map(|(at, _)| *at).next_back().unwrap_or_default();

        // 7: as many pings as may go unanswered were on the wire, each for a whole reply timeout
        // and with no life after it. (Others, sent only to be heard, may lie between.)
        let mut until = at;
        for _ in 0..scenario.max_unanswered {
            let waited = |asked: &&Duration| **asked + scenario.reply <= until;
            let asked = asked.iter().rev().find(waited).copied();
            prop_assert!(asked >= Some(proof), "asked {:?}, life at {:?}, then {:?}", asked, proof, until);
            until = asked.unwrap_or_default();
        }
        prop_assert_eq!(dead.unanswered, scenario.max_unanswered);

        // 8 and 9: whatever we send, the verdict comes within the bound after the last proof.
        prop_assert!(at <= proof + bound, "dead at {:?}, life at {:?}, bound {:?}", at, proof, bound);

        // And never before the peer has had its time.
        prop_assert!(at >= proof + scenario.reply * scenario.max_unanswered);
    }

    #[test]
    fn a_peer_that_answers_in_time_is_never_dead(mut scenario in scenario()) {
        // There and back, and thinking.
        let thinks = scenario.thinks.unwrap_or_default();
        scenario.reply = 2 * scenario.delay + thinks + Duration::from_millis(1);
        scenario.thinks = Some(thinks);
        scenario.cut = 20 * (scenario.interval + scenario.reply);
        let cut = scenario.cut;
        let Outcome { at, .. } = play(&scenario);
        prop_assert!(at >= cut, "dead at {:?} while it answered until {:?}", at, cut);
    }
}
