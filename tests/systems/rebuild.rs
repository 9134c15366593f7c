//! The liveness of well-known systems, rebuilt from public parts in a few lines each, and checked
//! against the numbers that those systems are known for.
//!
//! All time is simulated. Where a system compares strictly ("dead when *more than* T has passed"),
//! the boundary is exclusive.
#![allow(
    clippy::disallowed_methods,
    reason = "tests: any instant will do as the origin, and what is refused is a failure"
)]

use std::time::{Duration, Instant};

use liveness::detector::{
    Detector, FailureDetector, FixedTimeout, Life, MissedCount, Order, Rule, Sample,
};
use liveness::keepalive::Boundary;
use liveness::{
    Answers, Cause, Dead, IdleConfig, IdleDetector, Keepalive, KeepaliveConfig, KeepaliveEvent,
    PingWhen, Proof, Seq,
};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A detector that has met its peer at `now`.
fn met<R: Rule>(rule: R, now: Instant) -> Detector<R> {
    let mut detector = Detector::new(rule);
    detector.meet(now);
    detector
}

/// The first of the sweeps `every`, `2 * every`, .. after `start` that finds `dead_at` reached.
fn swept(start: Instant, every: Duration, dead_at: Instant) -> Duration {
    let mut sweep = every;
    while start + sweep < dead_at {
        sweep += every;
    }
    sweep
}

/// RabbitMQ's receiver as it is written: the counter of received octets is read every T; unchanged
/// once is a miss, unchanged twice is the end.
fn rabbitmq_receiver(octet_at: &[Duration], period: Duration) -> Duration {
    let (mut seen, mut missed, mut now) = (usize::MAX, 0, Duration::ZERO);
    loop {
        now += period;
        // An octet that comes at the instant of a reading is seen by the next one.
        let octets = octet_at.iter().filter(|at| **at < now).count();
        if octets != seen {
            (seen, missed) = (octets, 0);
        } else if missed < 1 {
            missed += 1;
        } else {
            return now;
        }
    }
}

/// A sweep that finds two misses counted: the octet counter itself numbers the beats.
#[test]
fn rabbitmq_receiver_is_a_count_of_missed_periods() {
    let start = Instant::now();
    for (heartbeat, closes_after) in [(1, 3), (2, 6), (3, 9), (5, 15)] {
        let detector = met(MissedCount::new(heartbeat * SECOND, 2), start);
        assert_eq!(detector.dead_at(), Some(start + closes_after * SECOND));
    }
    for gap in 0..4_000 {
        let (first, last) = (ms(700), ms(700 + gap));
        let mut detector = met(MissedCount::new(2 * SECOND, 2), start);
        detector.on_heartbeat(Sample::new(), start + first);
        detector.on_heartbeat(Sample::new(), start + last);
        let closes = rabbitmq_receiver(&[first, last], 2 * SECOND);
        assert_eq!(
            detector.dead_at(),
            Some(start + closes),
            "last octet at {last:?}"
        );
        let silent_for = closes - last;
        assert!(
            silent_for > 4 * SECOND && silent_for <= 6 * SECOND,
            "{silent_for:?}"
        );
    }
}

/// While RabbitMQ does not read it stops this count, and starts it anew when it reads again.
#[test]
fn rabbitmq_receiver_is_paused_and_resumed() {
    let start = Instant::now();
    let mut detector = met(MissedCount::new(2 * SECOND, 2), start);
    detector.on_heartbeat(Sample::new(), start + SECOND);
    detector.meet(start + 11 * SECOND);
    assert_eq!(detector.dead_at(), Some(start + 16 * SECOND));
}

/// RabbitMQ's sender: a heartbeat each T/2 while nothing else is sent, none while data flows, and
/// what it sends itself is no reason to be quiet.
#[test]
fn rabbitmq_sender_beats_at_half_the_time() {
    let start = Instant::now();
    let mut keepalive = Keepalive::new(KeepaliveConfig::amqp(2), 0, start).unwrap();
    let beats = |keepalive: &mut Keepalive, from: u64, until: u64, data: bool| {
        let mut beats = Vec::new();
        for now in (from..until).step_by(100) {
            keepalive.on_receive(start + ms(now));
            if data {
                keepalive.on_send(start + ms(now));
            }
            while let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(start + ms(now)) {
                keepalive.on_ping_sent(seq, start + ms(now));
                beats.push(now);
            }
        }
        beats
    };
    assert_eq!(
        beats(&mut keepalive, 0, 4_100, false),
        [1_000, 2_000, 3_000, 4_000]
    );
    assert_eq!(beats(&mut keepalive, 4_100, 8_000, true), [0_u64; 0]);
    assert_eq!(beats(&mut keepalive, 8_000, 10_000, false), [8_900, 9_900]);
}

/// The TCP count sample: a sweep every 3 s, offline at the sixth after the last heartbeat, so after
/// 15 to 18 s.
#[test]
fn the_tcp_count_sample_is_offline_after_15_to_18_seconds() {
    let start = Instant::now();
    for phase in 0..3_000 {
        let mut detector = met(MissedCount::new(3 * SECOND, 5), start);
        // Fifteen heartbeats, then no more.
        let mut last = start;
        for beat in 0..15 {
            last = start + beat as u32 * SECOND + ms(phase);
            detector.on_heartbeat(Sample::new(), last);
        }
        let silent_for = detector.dead_at().unwrap() - last;
        assert!(
            silent_for > 15 * SECOND && silent_for <= 18 * SECOND,
            "{silent_for:?}"
        );
    }
}

/// Nacos: a beat every 5 s, a check every 5 s; unhealthy when the last beat is more than 15 s old,
/// removed when it is more than 30 s old.
#[test]
fn nacos_has_two_levels() {
    let start = Instant::now();
    let rule = FixedTimeout::new(30 * SECOND).suspect_after(15 * SECOND);
    let mut instance = met(rule.boundary(Boundary::Exclusive), start);
    let mut last = start;
    for beat in 0..12 {
        last = start + beat as u32 * 5 * SECOND;
        instance.on_heartbeat(Sample::new(), last);
    }
    assert!(
        instance.suspect_at().unwrap() > last + 15 * SECOND,
        "healthy at exactly 15 s"
    );
    assert!(
        instance.dead_at().unwrap() > last + 30 * SECOND,
        "there at exactly 30 s"
    );
    for phase in (0..5_000).step_by(7) {
        let checks_from = last - ms(phase);
        let unhealthy = swept(checks_from, 5 * SECOND, instance.suspect_at().unwrap()) - ms(phase);
        let removed = swept(checks_from, 5 * SECOND, instance.dead_at().unwrap()) - ms(phase);
        assert!(
            unhealthy > 15 * SECOND && unhealthy <= 20 * SECOND,
            "{unhealthy:?}"
        );
        assert!(
            removed > 30 * SECOND && removed <= 35 * SECOND,
            "{removed:?}"
        );
    }
    // A beat makes it healthy again.
    instance.on_heartbeat(Sample::new(), last + 20 * SECOND);
    assert!(instance.suspicion(last + 20 * SECOND) < 0.5);
}

/// RocketMQ's name server: `last + timeout < now` in milliseconds, looked at every 5 s. The broker
/// brings its own timeout.
#[test]
fn rocketmq_is_strict() {
    let start = Instant::now();
    for timeout in [120 * SECOND, 10 * SECOND] {
        let rule = FixedTimeout::new(timeout).boundary(Boundary::Exclusive);
        let mut broker = met(rule, start);
        broker.on_heartbeat(Sample::new(), start + ms(1_234));
        let last = start + ms(1_234);
        assert!(
            broker.suspicion(last + timeout) < 1.0,
            "active when last + timeout == now"
        );
        assert!(broker.suspicion(last + timeout + ms(1)) >= 1.0);
        let scanned = start + swept(start, 5 * SECOND, broker.dead_at().unwrap());
        assert!(scanned - last > timeout && scanned - last <= timeout + 5 * SECOND);
    }
}

/// Linux-HA with `keepalive 2`, `warntime 10`, `deadtime 30`, `initdead 120`: a late heartbeat is a
/// warning when it comes at last; dead is who was silent for more than the dead time, which is
/// longer while the cluster starts.
#[test]
fn linux_ha_warns_of_late_beats_and_declares_death() {
    let (deadtime, warntime, initdead) = (30 * SECOND, 10 * SECOND, 120 * SECOND);
    let start = Instant::now();
    let rule = FixedTimeout::new(deadtime)
        .suspect_after(warntime)
        .first_within(initdead)
        .boundary(Boundary::Exclusive);
    let mut node = met(rule, start);
    assert_eq!(node.dead_at(), Some(start + initdead + NANO));

    let mut life = Life::new();
    let mut late = Vec::new();
    for (seq, at) in [2, 4, 14, 25, 27].into_iter().enumerate() {
        let now = start + at * SECOND;
        if node
            .suspect_at()
            .is_some_and(|suspect_at| now >= suspect_at)
        {
            late.push(at);
        }
        assert_ne!(life.on_beat(1, Seq::new(seq as u64)), Order::Stale);
        node.on_heartbeat(Sample::new(), now);
    }
    assert_eq!(late, [25], "11 s is late, 10 s is not");
    assert!(
        node.suspicion(start + 57 * SECOND) < 1.0,
        "alive at exactly the dead time"
    );
    assert_eq!(node.dead_at(), Some(start + 57 * SECOND + NANO));
    // A double on a second link does not refresh the node.
    assert_eq!(life.on_beat(1, Seq::new(4)), Order::Stale);
}

/// Mosquitto's client: when nothing was sent *or* nothing was received for K it sends PINGREQ; if
/// one is still unanswered then, it gives up. Any packet moves its clock, only PINGRESP is an
/// answer.
struct MosquittoClient {
    idle: IdleDetector,
    waiting: bool,
}

#[derive(Debug, PartialEq)]
enum Act {
    Ping,
    GiveUp,
}

impl MosquittoClient {
    fn new(keep_alive: Duration, now: Instant) -> Self {
        let config = IdleConfig::new().reader(keep_alive).writer(keep_alive);
        Self {
            idle: IdleDetector::new(config, now),
            waiting: false,
        }
    }

    fn on_pingresp(&mut self, now: Instant) {
        self.waiting = false;
        self.idle.on_read(now);
    }

    fn tick(&mut self, now: Instant) -> Option<Act> {
        self.idle.handle_timeout(now)?;
        if std::mem::replace(&mut self.waiting, true) {
            return Some(Act::GiveUp);
        }
        self.idle.on_write(now);
        self.idle.reset_read(now);
        Some(Act::Ping)
    }
}

#[test]
fn mosquitto_client_has_a_two_sided_trigger() {
    // With K = 5 s: what the client reads and writes each 100 ms, whether PINGRESP comes, and what
    // it does in 21 s.
    let play = |reads: bool, writes: bool, answers: bool| {
        let start = Instant::now();
        let mut client = MosquittoClient::new(5 * SECOND, start);
        let mut acts = Vec::new();
        for now in (100..=21_000).step_by(100) {
            let at = start + ms(now);
            if reads {
                client.idle.on_read(at);
            }
            if writes {
                client.idle.on_write(at);
            }
            while let Some(act) = client.tick(at) {
                let gave_up = act == Act::GiveUp;
                acts.push((now / 1000, act));
                if gave_up {
                    return acts;
                }
                if answers {
                    client.on_pingresp(at + ms(10));
                }
            }
        }
        acts
    };
    use Act::{GiveUp, Ping};
    let mute = [(5, Ping), (10, GiveUp)];
    assert_eq!(play(false, false, false), mute);
    assert_eq!(
        play(false, true, false),
        mute,
        "publishing does not hide a dead broker"
    );
    assert_eq!(play(true, false, false), mute, "data is no PINGRESP");
    assert_eq!(
        play(true, true, false),
        [],
        "nothing is idle, so nothing is asked"
    );
    for (reads, writes) in [(false, false), (false, true), (true, false)] {
        let pings: Vec<_> = play(reads, writes, true)
            .into_iter()
            .map(|(at, _)| at)
            .collect();
        assert_eq!(pings, [5, 10, 15, 20], "reads {reads}, writes {writes}");
    }
}

/// Plays a peer with whom data is exchanged each 100 ms, or not, and who answers the first pings.
fn pings_and_end(
    config: KeepaliveConfig,
    data: bool,
    answered: usize,
    until: u64,
) -> (Vec<u64>, Option<(u64, Dead)>) {
    let start = Instant::now();
    let mut keepalive = Keepalive::new(config, 0, start).unwrap();
    let mut pings = Vec::new();
    for now in (100..=until).step_by(100) {
        let at = start + ms(now);
        if data {
            keepalive.on_receive(at);
            keepalive.on_send(at);
        }
        while let Some(event) = keepalive.handle_timeout(at) {
            match event {
                KeepaliveEvent::Look => panic!("nobody said that input is unread"),
                KeepaliveEvent::Ping(seq) => {
                    keepalive.on_ping_sent(seq, at);
                    pings.push(now);
                    if pings.len() <= answered {
                        keepalive.on_pong(Answers::Oldest, at + ms(10));
                    }
                }
                KeepaliveEvent::Dead(dead) => return (pings, Some((now, dead))),
            }
        }
    }
    (pings, None)
}

/// rumqttc: a ping every K, whatever else is sent or received; an error at the next one if there
/// was no PINGRESP, so a half-open connection is found at the second ping.
#[test]
fn rumqttc_pings_unconditionally() {
    let rumqttc = |seconds| {
        KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(Duration::from_secs(seconds))
            .ping_when(PingWhen::Always)
            .proof(Proof::PongOnly)
            .reply_timeout(Duration::from_secs(seconds))
    };
    for data in [false, true] {
        assert_eq!(
            pings_and_end(rumqttc(1), data, 9, 3_500),
            (vec![1_000, 2_000, 3_000], None)
        );
        let (pings, end) = pings_and_end(rumqttc(5), data, 0, 60_000);
        let (at, dead) = end.unwrap();
        assert_eq!(
            (pings, at, dead.cause),
            (vec![5_000], 10_000, Cause::NoReply)
        );
    }
    assert_eq!(
        rumqttc(5).detection_bound().map(|bound| bound.quiet),
        Some(10 * SECOND)
    );
}

/// nats-server with a ping interval of 1 s and two pings: PING, PING, stale at the third; any data
/// of the client puts them off.
#[test]
fn nats_server_gives_up_at_the_third() {
    let nats = KeepaliveConfig::nats()
        .interval(SECOND)
        .reply_timeout(SECOND);
    let (pings, end) = pings_and_end(nats, false, 0, 60_000);
    assert_eq!((pings, end.unwrap().0), (vec![1_000, 2_000], 3_000));
    assert_eq!(pings_and_end(nats, true, 0, 60_000), (vec![], None));
}

/// Python's `websockets` with both times 1 s: cut at 2 s though data flows, since only the matching
/// pong counts.
#[test]
fn websockets_wants_its_pong() {
    let websockets = KeepaliveConfig::websocket()
        .interval(SECOND)
        .reply_timeout(SECOND);
    for data in [false, true] {
        let (pings, end) = pings_and_end(websockets, data, 0, 60_000);
        assert_eq!((pings, end.unwrap().0), (vec![1_000], 2_000));
        assert_eq!(
            pings_and_end(websockets, data, 9, 3_500).0,
            [1_000, 2_000, 3_000]
        );
    }
}
