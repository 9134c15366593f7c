//! One short test for each mistake that somebody has made already; `main.rs` says which is which.

use std::time::{Duration, Instant};

use liveness::keepalive::Boundary;
use liveness::keepalive::Pong;
use liveness::{
    Answers, Cause, ConfigError, Dead, Jitter, Keepalive, KeepaliveConfig, KeepaliveEvent,
    PingWhen, Proof, Seq,
};

use crate::config::ms;
use crate::origin;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Instant {
    origin() + Duration::from_secs(seconds)
}

fn keepalive(config: KeepaliveConfig) -> Keepalive {
    Keepalive::new(config, 0, origin()).unwrap()
}

/// Interval 10 s, reply timeout 4 s, nothing else.
fn plain() -> KeepaliveConfig {
    KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(10 * SECOND)
        .reply_timeout(4 * SECOND)
        .write_stall(Duration::ZERO)
        .pause_limit(Duration::ZERO)
}

fn asked(keepalive: &mut Keepalive, now: Instant) -> Seq {
    match keepalive.handle_timeout(now) {
        Some(KeepaliveEvent::Ping(seq)) => seq,
        other => panic!("no ping but {other:?}"),
    }
}

/// A ping that is asked for and flushed at once.
fn ping(keepalive: &mut Keepalive, now: Instant) -> Seq {
    let seq = asked(keepalive, now);
    keepalive.on_ping_sent(seq, now);
    seq
}

fn dead(keepalive: &mut Keepalive, now: Instant) -> Dead {
    match keepalive.handle_timeout(now) {
        Some(KeepaliveEvent::Dead(dead)) => dead,
        other => panic!("not dead but {other:?}"),
    }
}

mod directions {
    use super::*;

    #[test]
    fn writes_do_not_defer_the_question() {
        let mut keepalive = keepalive(plain());
        for second in 1..10 {
            keepalive.on_send(at(second));
        }
        ping(&mut keepalive, at(10));
        keepalive.on_send(at(13));
        assert_eq!(dead(&mut keepalive, at(14)).cause, Cause::NoReply);
    }

    #[test]
    fn reads_do_not_stop_what_the_peer_needs_to_hear() {
        for when in [PingWhen::SendIdle, PingWhen::EitherIdle] {
            let mut keepalive = keepalive(plain().ping_when(when));
            for second in 1..10 {
                keepalive.on_receive(at(second));
            }
            ping(&mut keepalive, at(10));
        }
    }

    #[test]
    fn fresh_bytes_make_a_ping_unnecessary() {
        let mut keepalive = keepalive(plain());
        for second in 1..100 {
            keepalive.on_receive(at(second));
            assert_eq!(keepalive.handle_timeout(at(second)), None);
        }
        ping(&mut keepalive, at(109));
    }

    #[test]
    fn a_pong_is_received_bytes() {
        let mut keepalive = keepalive(KeepaliveConfig::mqtt_broker(2));
        assert_eq!(keepalive.on_pong(Answers::Oldest, at(2)), Pong::Unsolicited);
        assert_eq!(
            keepalive.poll_timeout(),
            Some(at(5) + Duration::from_nanos(1))
        );
    }

    #[test]
    fn only_the_answer_counts_where_it_is_asked_for() {
        let mut keepalive = keepalive(plain().proof(Proof::PongOnly));
        let seq = ping(&mut keepalive, at(10));
        keepalive.on_receive(at(11));
        assert_eq!(
            keepalive.on_pong(Answers::Ping(Seq::new(77)), at(12)),
            Pong::Unsolicited
        );
        let mut chatty = keepalive.clone();
        assert_eq!(dead(&mut chatty, at(14)).silent_for, 2 * SECOND);

        assert_eq!(
            keepalive.on_pong(Answers::Ping(seq), at(13)),
            Pong::Matched { rtt: 3 * SECOND }
        );
        assert_eq!(keepalive.handle_timeout(at(14)), None);
        // The same pong once more proves nothing.
        assert_eq!(keepalive.on_pong(Answers::Ping(seq), at(20)), Pong::Stale);
        assert_eq!(keepalive.poll_timeout(), Some(at(23)));
    }

    #[test]
    fn half_a_packet_is_a_question_of_policy() {
        // Bytes count when they are reported; who wants whole packets only reports those.
        let broker = KeepaliveConfig::mqtt_broker(2);
        let (mut bytes, mut packets) = (keepalive(broker), keepalive(broker));
        bytes.on_receive(at(3));
        assert_eq!(bytes.handle_timeout(at(4)), None);
        assert_eq!(dead(&mut packets, at(3) + ms(1)).cause, Cause::Silent);
    }
}

mod questions {
    use super::*;

    #[test]
    fn the_reply_clock_starts_when_the_ping_left() {
        let mut keepalive = keepalive(plain());
        let seq = asked(&mut keepalive, at(10));
        // Ten megabytes are in front of it.
        assert_eq!(keepalive.handle_timeout(at(60)), None);
        keepalive.on_ping_sent(seq, at(70));
        assert_eq!(keepalive.poll_timeout(), Some(at(74)));
        assert_eq!(
            keepalive.on_pong(Answers::Ping(seq), at(71)),
            Pong::Matched { rtt: SECOND }
        );
    }

    #[test]
    fn an_answer_may_come_before_the_report_that_its_question_left() {
        for proof in [Proof::AnyBytes, Proof::PongOnly] {
            for numbered in [true, false] {
                let mut keepalive = keepalive(plain().proof(proof));
                let seq = asked(&mut keepalive, at(10));
                // The reading task is faster than the writing one.
                let pong = keepalive.on_pong(
                    if numbered {
                        Answers::Ping(seq)
                    } else {
                        Answers::Oldest
                    },
                    at(11),
                );
                assert_eq!(pong, Pong::Matched { rtt: SECOND });
                keepalive.on_ping_sent(seq, at(12));
                assert_eq!(keepalive.handle_timeout(at(20)), None);
                ping(&mut keepalive, at(21));
            }
        }
    }

    #[test]
    fn a_busy_peer_may_miss_some() {
        let mut keepalive = keepalive(plain().max_unanswered(3));
        for second in [10, 14, 18] {
            ping(&mut keepalive, at(second));
        }
        let dead = dead(&mut keepalive, at(22));
        assert_eq!((dead.unanswered, dead.silent_for), (3, 22 * SECOND));
    }

    #[test]
    fn misses_days_apart_do_not_add_up() {
        let mut keepalive = keepalive(plain().max_unanswered(2));
        for day in 0..5 {
            let morning = day * 86_400;
            keepalive.on_receive(at(morning));
            ping(&mut keepalive, at(morning + 10));
            let again = ping(&mut keepalive, at(morning + 14));
            keepalive.on_pong(Answers::Ping(again), at(morning + 15));
        }
        assert_eq!(keepalive.dead(), None);
    }

    #[test]
    fn a_late_answer_to_an_earlier_ping_is_one() {
        let mut keepalive = keepalive(plain().proof(Proof::PongOnly).max_unanswered(10));
        let mut now = 10;
        let first = ping(&mut keepalive, at(now));
        for _ in 0..6 {
            now += 4;
            ping(&mut keepalive, at(now));
        }
        // So late that when it left is forgotten; but nobody else could have said it.
        assert_eq!(
            keepalive.on_pong(Answers::Ping(first), at(now)),
            Pong::Stale
        );
        assert_eq!(keepalive.handle_timeout(at(now + 4)), None);
        assert_eq!(
            keepalive.on_pong(
                Answers::Ping(first.next().next().next().next()),
                at(now + 4)
            ),
            Pong::Matched { rtt: 12 * SECOND }
        );
    }

    #[test]
    fn a_pong_without_a_number_answers_all_and_times_one_alone() {
        let mut keepalive = keepalive(plain().max_unanswered(3));
        ping(&mut keepalive, at(10));
        ping(&mut keepalive, at(14));
        // Which of the two cannot be told: a wrong guess would shift all round trips after it.
        assert_eq!(keepalive.on_pong(Answers::Oldest, at(15)), Pong::Untimed);
        assert_eq!(keepalive.rtt().samples(), 0);
        assert_eq!(
            keepalive.on_pong(Answers::Oldest, at(16)),
            Pong::Unsolicited
        );
        ping(&mut keepalive, at(26));
        assert_eq!(
            keepalive.on_pong(Answers::Oldest, at(27)),
            Pong::Matched { rtt: SECOND }
        );
    }

    #[test]
    fn a_later_pong_answers_the_earlier_pings() {
        let mut keepalive = keepalive(plain().max_unanswered(3));
        let first = ping(&mut keepalive, at(10));
        let second = ping(&mut keepalive, at(14));
        assert_eq!(
            keepalive.on_pong(Answers::Ping(second), at(15)),
            Pong::Matched { rtt: SECOND }
        );
        assert_eq!(keepalive.on_pong(Answers::Ping(first), at(15)), Pong::Stale);
    }

    #[test]
    fn the_interval_does_not_stretch_by_the_round_trip() {
        let mut keepalive = keepalive(plain().ping_when(PingWhen::Always));
        for nth in 1..10 {
            let seq = ping(&mut keepalive, at(10 * nth));
            keepalive.on_pong(Answers::Ping(seq), at(10 * nth + 3));
        }
    }

    #[test]
    fn an_unsupported_ping_is_not_death() {
        // A peer that answers nothing and talks lives; so does one of whom no answer is asked.
        let mut talking = keepalive(plain().ping_when(PingWhen::Always));
        let mut unasked = keepalive(plain().reply_timeout(Duration::ZERO));
        for nth in 1..10 {
            ping(&mut talking, at(10 * nth));
            talking.on_receive(at(10 * nth + 1));
            ping(&mut unasked, at(10 * nth));
        }
    }

    #[test]
    fn a_reply_timeout_beyond_the_interval_still_ends() {
        // Not new pings for ever and no verdict.
        for when in [PingWhen::RecvIdle, PingWhen::EitherIdle, PingWhen::Always] {
            let mut keepalive = keepalive(plain().ping_when(when).reply_timeout(35 * SECOND));
            ping(&mut keepalive, at(10));
            if when != PingWhen::RecvIdle {
                for second in [20, 30, 40] {
                    ping(&mut keepalive, at(second));
                }
            }
            assert_eq!(keepalive.poll_timeout(), Some(at(45)), "{when:?}");
            assert_eq!(dead(&mut keepalive, at(45)).unanswered, 1);
        }
    }

    #[test]
    fn while_an_answer_is_awaited_the_peer_still_hears_from_us() {
        let mut keepalive = keepalive(KeepaliveConfig::mqtt_client(1));
        ping(&mut keepalive, origin() + ms(900));
        // K = 1 s, and the answer may take 1 s: the next is due before it.
        ping(&mut keepalive, origin() + ms(1_800));
        assert_eq!(
            dead(&mut keepalive, origin() + ms(1_900)).cause,
            Cause::NoReply
        );
    }

    #[test]
    fn the_first_ping_comes_once_and_not_at_once() {
        for when in [PingWhen::Always, PingWhen::RecvIdle, PingWhen::SendIdle] {
            let mut keepalive = keepalive(plain().ping_when(when));
            assert_eq!(keepalive.handle_timeout(origin()), None);
            assert_eq!(keepalive.poll_timeout(), Some(at(10)));
            asked(&mut keepalive, at(10));
            assert_eq!(keepalive.handle_timeout(at(10)), None);
        }
    }

    #[test]
    fn probe_now_asks_now() {
        let mut keepalive = keepalive(plain());
        keepalive.probe_now(at(3));
        keepalive.probe_now(at(3));
        assert_eq!(keepalive.poll_timeout(), Some(at(3)));
        ping(&mut keepalive, at(3));
        keepalive.probe_now(at(4));
        assert_eq!(
            keepalive.handle_timeout(at(4)),
            None,
            "one question at a time"
        );
        assert_eq!(dead(&mut keepalive, at(7)).cause, Cause::NoReply);
    }

    #[test]
    fn a_new_connection_knows_nothing_of_the_old_one() {
        let mut old = keepalive(plain());
        let seq = ping(&mut old, at(10));
        let mut new = Keepalive::new(old.config(), 0, at(11)).unwrap();
        assert_eq!(new.poll_timeout(), Some(at(21)));
        assert_eq!(new.on_pong(Answers::Ping(seq), at(12)), Pong::Unsolicited);
    }

    #[test]
    fn the_reply_timeout_follows_the_round_trip() {
        let mut keepalive = keepalive(
            plain()
                .adaptive_reply_timeout(ms(200), 4 * SECOND)
                .max_unanswered(2),
        );
        let seq = ping(&mut keepalive, at(10));
        assert_eq!(keepalive.poll_timeout(), Some(at(14)));
        keepalive.on_pong(Answers::Ping(seq), at(10) + ms(100));
        ping(&mut keepalive, at(20) + ms(100));
        // 100 ms + 4 * 50 ms
        assert_eq!(keepalive.poll_timeout(), Some(at(20) + ms(400)));
    }

    #[test]
    fn a_round_trip_of_nothing_is_no_reply_timeout_of_nothing() {
        let mut keepalive = keepalive(plain().adaptive_reply_timeout(Duration::ZERO, 4 * SECOND));
        let seq = ping(&mut keepalive, at(10));
        keepalive.on_pong(Answers::Ping(seq), at(10));
        ping(&mut keepalive, at(20));
        assert_eq!(dead(&mut keepalive, at(20) + ms(1)).limit, ms(1));
    }
}

mod stalls {
    use super::*;

    #[test]
    fn one_ping_after_a_stall_and_not_five() {
        for when in [
            PingWhen::Always,
            PingWhen::RecvIdle,
            PingWhen::SendIdle,
            PingWhen::EitherIdle,
        ] {
            let mut keepalive = keepalive(plain().ping_when(when));
            let seq = ping(&mut keepalive, at(55));
            assert_eq!(keepalive.handle_timeout(at(55)), None);
            keepalive.on_pong(Answers::Ping(seq), at(56));
            assert!(keepalive.poll_timeout().unwrap() >= at(65));
        }
    }

    #[test]
    fn a_suspended_host_blames_itself_first() {
        let mut keepalive = keepalive(plain());
        ping(&mut keepalive, at(10));
        // The lid was closed for an hour.
        let again = ping(&mut keepalive, at(3_600));
        keepalive.on_pong(Answers::Ping(again), at(3_601));
        assert_eq!(keepalive.handle_timeout(at(3_610)), None);
    }

    #[test]
    fn but_only_once() {
        let mut keepalive = keepalive(plain());
        ping(&mut keepalive, at(10));
        ping(&mut keepalive, at(3_600));
        assert_eq!(dead(&mut keepalive, at(7_200)).cause, Cause::NoReply);
    }

    #[test]
    fn without_grace_it_is_dead() {
        let mut keepalive = keepalive(plain().forgive_stall(false));
        ping(&mut keepalive, at(10));
        assert_eq!(dead(&mut keepalive, at(3_600)).cause, Cause::NoReply);
    }

    #[test]
    fn a_silent_limit_gives_one_clean_window() {
        let mut keepalive = keepalive(KeepaliveConfig::mqtt_broker(2));
        assert_eq!(keepalive.handle_timeout(at(60)), None);
        assert_eq!(
            keepalive.poll_timeout(),
            Some(at(63) + Duration::from_nanos(1))
        );
    }

    /// A stall that ends just when the silence limit is reached looks like a call in time; but the
    /// ping that was due in the meantime was not sent.
    #[test]
    fn who_was_not_asked_is_not_dead() {
        let config = plain()
            .interval(ms(1))
            .reply_timeout(ms(1))
            .silence(ms(136));
        let mut keepalive = keepalive(config);
        let seq = ping(&mut keepalive, origin() + ms(136));
        keepalive.on_pong(Answers::Ping(seq), origin() + ms(136));
        assert_eq!(keepalive.handle_timeout(origin() + ms(136)), None);

        let config = plain()
            .interval(110 * SECOND)
            .reply_timeout(26 * SECOND)
            .silence(136 * SECOND);
        let mut keepalive = super::keepalive(config);
        ping(&mut keepalive, at(136));
    }

    /// The same, but the stall ends just before: the ping is sent, and needs its time.
    #[test]
    fn who_was_asked_late_may_answer() {
        let config = plain().silence(14 * SECOND);
        let mut keepalive = keepalive(config);
        let seq = ping(&mut keepalive, at(14) - ms(1));
        assert_eq!(keepalive.handle_timeout(at(14)), None);
        let mut silent = keepalive.clone();
        keepalive.on_pong(Answers::Ping(seq), at(15));
        assert_eq!(keepalive.handle_timeout(at(18)), None);
        assert_eq!(silent.poll_timeout(), Some(at(18) - ms(1)));
        assert_eq!(dead(&mut silent, at(18) - ms(1)).cause, Cause::NoReply);
    }

    /// But a second question has no more time than the silence limit leaves.
    #[test]
    fn silence_cuts_off_a_second_question() {
        let mut keepalive = keepalive(plain().silence(15 * SECOND).max_unanswered(3));
        ping(&mut keepalive, at(10));
        ping(&mut keepalive, at(14));
        assert_eq!(dead(&mut keepalive, at(15)).cause, Cause::Silent);
    }

    /// A quarter of the limit is what a caller may be late.
    #[test]
    fn a_little_late_is_not_away() {
        let late_by = |late| {
            let mut keepalive = keepalive(plain());
            ping(&mut keepalive, at(10));
            keepalive.handle_timeout(at(14) + late)
        };
        assert!(matches!(late_by(SECOND), Some(KeepaliveEvent::Dead(_))));
        assert!(matches!(
            late_by(SECOND + ms(1)),
            Some(KeepaliveEvent::Ping(_))
        ));
    }

    /// Grace brings the next ping no nearer to one that has just left.
    #[test]
    fn grace_is_no_reason_to_ask_twice() {
        let config = plain().reply_timeout(Duration::ZERO).silence(12 * SECOND);
        let mut unasked = keepalive(config);
        ping(&mut unasked, at(10));
        assert_eq!(unasked.handle_timeout(at(16)), None);
        ping(&mut unasked, at(26));

        let mut stalled = keepalive(plain().reply_timeout(9 * SECOND).write_stall(SECOND));
        ping(&mut stalled, at(10));
        stalled.on_write_blocked(at(11));
        assert_eq!(stalled.handle_timeout(at(15)), None);
        stalled.on_send(at(16));
        // What filled the transport may have stood before the ping, for as long as an upload may
        // take.
        assert_eq!(dead(&mut stalled, at(10 + 90 + 9)).cause, Cause::NoReply);
    }

    /// Grace with nothing to send leaves nothing overdue behind.
    #[test]
    fn grace_does_not_swallow_a_probe() {
        let config = KeepaliveConfig::off()
            .silence(10 * SECOND)
            .reply_timeout(4 * SECOND);
        let mut keepalive = keepalive(config);
        keepalive.probe_now(at(1));
        ping(&mut keepalive, at(60));
    }

    #[test]
    fn a_full_buffer_is_judged_by_its_own_limit() {
        let mut keepalive = keepalive(plain().write_stall(30 * SECOND));
        keepalive.on_write_blocked(at(1));
        for second in 2..31 {
            keepalive.on_receive(at(second));
            assert_eq!(keepalive.handle_timeout(at(second)), None);
        }
        assert_eq!(dead(&mut keepalive, at(31)).cause, Cause::WriteStalled);
    }

    #[test]
    fn a_ping_behind_a_full_buffer_is_no_question() {
        let mut keepalive = keepalive(plain().write_stall(30 * SECOND));
        keepalive.on_write_blocked(at(9));
        asked(&mut keepalive, at(10));
        assert_eq!(keepalive.poll_timeout(), Some(at(39)));
        assert_eq!(dead(&mut keepalive, at(39)).unanswered, 0);
    }
}

mod pauses {
    use super::*;

    #[test]
    fn the_promise_to_be_heard_outlives_a_pause() {
        for when in [PingWhen::Always, PingWhen::SendIdle, PingWhen::EitherIdle] {
            let mut keepalive = keepalive(plain().ping_when(when));
            keepalive.pause(at(5));
            // Nobody reads, so no answer is seen; the pings go on all the same.
            for second in [10, 20, 30, 40] {
                ping(&mut keepalive, at(second));
            }
            assert_eq!(keepalive.dead(), None, "{when:?}");
            keepalive.resume(at(45));
            let mut unanswered = keepalive.clone();
            assert_eq!(dead(&mut unanswered, at(49)).cause, Cause::NoReply);
            keepalive.on_pong(Answers::Ping(Seq::new(0)), at(46));
            assert_eq!(keepalive.handle_timeout(at(49)), None, "{when:?}");
        }
    }

    #[test]
    fn a_peer_is_not_checked_while_nobody_reads() {
        let mut keepalive = keepalive(plain().silence(20 * SECOND));
        keepalive.pause(at(5));
        assert_eq!(keepalive.poll_timeout(), None);
        assert_eq!(keepalive.handle_timeout(at(500)), None);
        keepalive.resume(at(500));
        // The five seconds before the pause count.
        ping(&mut keepalive, at(505));
        assert_eq!(dead(&mut keepalive, at(509)).cause, Cause::NoReply);
    }

    #[test]
    fn a_probe_during_a_pause_is_judged_after_it() {
        let mut keepalive = keepalive(plain());
        keepalive.pause(at(1));
        keepalive.probe_now(at(2));
        ping(&mut keepalive, at(2));
        assert_eq!(keepalive.poll_timeout(), None);
        keepalive.resume(at(60));
        assert_eq!(keepalive.poll_timeout(), Some(at(64)));
    }

    #[test]
    fn resuming_twice_postpones_nothing() {
        let mut keepalive = keepalive(plain());
        ping(&mut keepalive, at(10));
        for second in 11..14 {
            keepalive.resume(at(second));
        }
        assert_eq!(dead(&mut keepalive, at(14)).cause, Cause::NoReply);
    }
}

mod changes {
    use super::*;

    #[test]
    fn the_interval_of_the_server_is_taken() {
        let mut keepalive = keepalive(KeepaliveConfig::mqtt_client(60));
        assert_eq!(keepalive.poll_timeout(), Some(at(54)));
        keepalive
            .set_config(KeepaliveConfig::mqtt_client(10), at(1))
            .unwrap();
        assert_eq!(keepalive.poll_timeout(), Some(at(9)));
        // And its zero is "off", not "absent".
        keepalive
            .set_config(KeepaliveConfig::mqtt_client(0), at(2))
            .unwrap();
        assert_eq!(keepalive.poll_timeout(), None);
    }

    #[test]
    fn a_shorter_interval_is_due_at_once() {
        let mut keepalive = keepalive(plain());
        keepalive.set_interval(2 * SECOND, at(5)).unwrap();
        ping(&mut keepalive, at(5));
    }

    #[test]
    fn what_cannot_work_changes_nothing() {
        let mut keepalive = keepalive(plain().silence(20 * SECOND));
        assert!(keepalive.set_interval(30 * SECOND, at(1)).is_err());
        assert_eq!(keepalive.poll_timeout(), Some(at(10)));
    }

    #[test]
    fn a_ping_on_the_wire_is_judged_by_the_new_time() {
        let set = |reply| {
            let mut keepalive = keepalive(plain());
            ping(&mut keepalive, at(10));
            keepalive
                .set_config(plain().reply_timeout(reply), at(12))
                .unwrap();
            keepalive
        };
        assert_eq!(set(3 * SECOND).poll_timeout(), Some(at(13)));
        assert_eq!(set(9 * SECOND).poll_timeout(), Some(at(19)));
        // No verdict from the change itself: the new limit is over, and gets its time from here.
        assert_eq!(set(SECOND).poll_timeout(), Some(at(13)));
        assert_eq!(dead(&mut set(SECOND), at(13)).cause, Cause::NoReply);
        // Nobody awaits an answer any more.
        assert_eq!(set(Duration::ZERO).poll_timeout(), Some(at(20)));
    }

    #[test]
    fn a_shorter_silence_starts_a_clean_window() {
        let long = KeepaliveConfig::off().silence(1_800 * SECOND);
        let short = KeepaliveConfig::off().silence(60 * SECOND);
        let mut keepalive = keepalive(long);
        keepalive.set_config(short, at(1_000)).unwrap();
        assert_eq!(keepalive.poll_timeout(), Some(at(1_060)));
        // What was not over goes on.
        keepalive.on_receive(at(1_050));
        keepalive
            .set_config(KeepaliveConfig::off().silence(30 * SECOND), at(1_070))
            .unwrap();
        assert_eq!(keepalive.poll_timeout(), Some(at(1_080)));
        // And what was over before the change stays over.
        let mut late = keepalive.clone();
        late.set_config(KeepaliveConfig::off().silence(29 * SECOND), at(1_080))
            .unwrap();
        assert_eq!(dead(&mut late, at(1_080)).cause, Cause::Silent);
    }

    #[test]
    fn a_shorter_stall_starts_a_clean_window() {
        let mut keepalive = keepalive(KeepaliveConfig::off().write_stall(60 * SECOND));
        keepalive.on_write_blocked(at(0));
        let short = KeepaliveConfig::off().write_stall(5 * SECOND);
        keepalive.set_config(short, at(10)).unwrap();
        assert_eq!(keepalive.poll_timeout(), Some(at(15)));
        assert_eq!(dead(&mut keepalive, at(15)).cause, Cause::WriteStalled);
    }
}

mod numbers {
    use super::*;

    #[test]
    fn every_keep_alive_is_exact() {
        for seconds in 0..=u16::MAX {
            let millis = u64::from(seconds) * 1_000;
            let broker = keepalive(KeepaliveConfig::mqtt_broker(seconds));
            let client = keepalive(KeepaliveConfig::mqtt_client(seconds));
            if seconds == 0 {
                assert_eq!((broker.poll_timeout(), client.poll_timeout()), (None, None));
                continue;
            }
            // Alive at exactly one and a half, dead one nanosecond later.
            let limit = origin() + ms(millis * 3 / 2);
            assert_eq!(
                broker.poll_timeout(),
                Some(limit + Duration::from_nanos(1)),
                "{seconds}"
            );
            let mut broker = broker;
            assert_eq!(broker.handle_timeout(limit), None);
            // The client speaks at nine tenths, in whole milliseconds.
            assert_eq!(
                client.poll_timeout(),
                Some(origin() + ms(millis * 9 / 10)),
                "{seconds}"
            );
        }
    }

    #[test]
    fn presets_have_the_numbers_of_their_systems() {
        let bound = |config: KeepaliveConfig| {
            keepalive(config);
            config.detection_bound().map(|bound| bound.quiet)
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(bound(KeepaliveConfig::new().max_unanswered(1)), seconds(30));
        assert_eq!(bound(KeepaliveConfig::off()), None);
        assert_eq!(bound(KeepaliveConfig::mqtt_client(0)), None);
        assert_eq!(bound(KeepaliveConfig::mqtt_client(20)), seconds(28));
        assert_eq!(bound(KeepaliveConfig::mqtt_client(1)), Some(ms(1_900)));
        assert_eq!(
            bound(KeepaliveConfig::mqtt_client(u16::MAX)),
            Some(ms(65_535_000 * 9 / 10 + 65_535_000 / 2))
        );
        assert_eq!(bound(KeepaliveConfig::mqtt_broker(0)), None);
        assert_eq!(
            bound(KeepaliveConfig::mqtt_broker(2)),
            Some(Duration::new(3, 1))
        );
        assert_eq!(bound(KeepaliveConfig::amqp(0)), None);
        assert_eq!(bound(KeepaliveConfig::amqp(60)), seconds(120));
        assert_eq!(bound(KeepaliveConfig::websocket()), seconds(20 + 20));
        assert_eq!(bound(KeepaliveConfig::grpc(30 * SECOND)), seconds(30 + 20));
        assert_eq!(bound(KeepaliveConfig::grpc(SECOND)), seconds(10 + 20));
        assert_eq!(bound(KeepaliveConfig::ssh(15 * SECOND)), seconds(4 * 15));
        assert_eq!(bound(KeepaliveConfig::nats()), seconds(3 * 120));
        let no_grpc = keepalive(KeepaliveConfig::grpc(Duration::ZERO));
        assert_eq!(no_grpc.poll_timeout(), None);
        let no_amqp = keepalive(KeepaliveConfig::amqp(0));
        assert_eq!(no_amqp.poll_timeout(), None);
    }

    #[test]
    fn amqp_beats_at_half_and_dies_at_two() {
        let mut keepalive = keepalive(KeepaliveConfig::amqp(2));
        for second in [1, 2, 3] {
            ping(&mut keepalive, at(second));
        }
        assert_eq!(dead(&mut keepalive, at(4)).limit, 4 * SECOND);
    }

    #[test]
    fn grpc_counts_from_the_last_byte_read_and_takes_any_byte() {
        let mut keepalive = keepalive(KeepaliveConfig::grpc(10 * SECOND));
        keepalive.on_receive(at(7));
        ping(&mut keepalive, at(17));
        keepalive.on_receive(at(36));
        assert_eq!(keepalive.poll_timeout(), Some(at(46)));
    }

    #[test]
    fn ssh_asks_three_times() {
        let mut keepalive = keepalive(KeepaliveConfig::ssh(15 * SECOND));
        for second in [15, 30, 45] {
            ping(&mut keepalive, at(second));
        }
        assert_eq!(dead(&mut keepalive, at(60)).unanswered, 3);
    }

    #[test]
    fn a_limit_is_inclusive_or_exclusive() {
        let config = KeepaliveConfig::off().silence(SECOND);
        assert_eq!(dead(&mut keepalive(config), at(1)).limit, SECOND);
        let mut exclusive = keepalive(config.silence_boundary(Boundary::Exclusive));
        assert_eq!(exclusive.handle_timeout(at(1)), None);
        // The verdict names the limit as it was set.
        let dead = dead(&mut exclusive, at(1) + Duration::from_nanos(1));
        assert_eq!((dead.limit, dead.silent_for), (SECOND, Duration::new(1, 1)));
    }

    #[test]
    fn zero_is_off_everywhere() {
        let off = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(Duration::ZERO)
            .reply_timeout(Duration::ZERO)
            .silence(Duration::ZERO)
            .write_stall(Duration::ZERO);
        for when in [
            PingWhen::Always,
            PingWhen::RecvIdle,
            PingWhen::SendIdle,
            PingWhen::EitherIdle,
        ] {
            let mut keepalive = keepalive(off.ping_when(when));
            keepalive.on_write_blocked(at(1));
            assert_eq!(keepalive.poll_timeout(), None);
            assert_eq!(keepalive.handle_timeout(at(1_000_000)), None);
        }
        assert_eq!(
            off.ping_when(PingWhen::Always)
                .detection_bound()
                .map(|bound| bound.quiet),
            None
        );
    }

    #[test]
    fn a_default_that_is_set_is_not_unset() {
        let set = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(20 * SECOND)
            .reply_timeout(10 * SECOND);
        assert_eq!(set, KeepaliveConfig::new().max_unanswered(1));
        assert_eq!(keepalive(set).poll_timeout(), Some(at(20)));
    }

    #[test]
    fn for_ever_is_never() {
        let for_ever = KeepaliveConfig::new()
            .interval(Duration::MAX)
            .reply_timeout(Duration::MAX)
            .write_stall(Duration::MAX)
            .max_unanswered(u32::MAX);
        for config in [for_ever, for_ever.jitter(Jitter::percent(90))] {
            let mut keepalive = keepalive(config);
            keepalive.on_write_blocked(at(1));
            keepalive.probe_now(at(1));
            let seq = ping(&mut keepalive, at(1));
            assert!(keepalive.poll_timeout().is_none_or(|due| due > at(1 << 32)));
            assert!(matches!(
                keepalive.on_pong(Answers::Ping(seq), at(1 << 32)),
                Pong::Matched { .. }
            ));
            assert_eq!(
                keepalive.on_pong(Answers::Ping(Seq::new(u64::MAX)), at(1 << 32)),
                Pong::Unsolicited
            );
        }
        assert_eq!(
            for_ever.detection_bound().map(|bound| bound.quiet),
            Some(Duration::MAX)
        );
        let silent = KeepaliveConfig::off()
            .silence(Duration::MAX)
            .silence_boundary(Boundary::Exclusive);
        assert_eq!(keepalive(silent).poll_timeout(), None);
        assert_eq!(
            silent.detection_bound().map(|bound| bound.quiet),
            Some(Duration::MAX)
        );
    }

    #[test]
    fn jitter_only_shortens_and_spreads() {
        let interval = |config: KeepaliveConfig, seed| {
            let keepalive = Keepalive::new(config, seed, origin()).unwrap();
            keepalive.poll_timeout().unwrap() - origin()
        };
        let whole = 10 * SECOND;
        let jittered: Vec<_> = (0..1_000)
            .map(|seed| interval(plain().jitter(Jitter::percent(20)), seed))
            .collect();
        assert!(
            jittered
                .iter()
                .all(|span| *span <= whole && *span >= 8 * SECOND)
        );
        assert!(jittered.iter().any(|span| *span < ms(8_100)));
        assert!(jittered.iter().any(|span| *span > ms(9_900)));
        let spread = |seed| interval(plain().jitter(Jitter::percent(20).spread_first(true)), seed);
        let first: Vec<_> = (0..1_000).map(spread).collect();
        for second in 0..10 {
            let slot = second * SECOND..(second + 1) * SECOND;
            let count = first.iter().filter(|span| slot.contains(span)).count();
            assert!(
                (60..=140).contains(&count),
                "{count} of 1000 in second {second}"
            );
        }
        // The same seed gives the same intervals.
        assert_eq!(
            interval(plain().jitter(Jitter::percent(90)), 7),
            interval(plain().jitter(Jitter::percent(90)), 7)
        );
    }

    #[test]
    fn steady_pings_neither_drift_nor_double() {
        // As often as the interval says, not once each interval and reply timeout.
        let mut keepalive = keepalive(plain());
        for nth in 1..=50 {
            let seq = ping(&mut keepalive, at(10 * nth));
            keepalive.on_pong(Answers::Ping(seq), at(10 * nth));
        }
    }
}

mod texts {
    use super::*;

    fn refusal(config: KeepaliveConfig) -> (ConfigError, String) {
        let error = Keepalive::new(config, 0, origin()).unwrap_err();
        (error, error.to_string())
    }

    #[test]
    fn a_refusal_names_the_numbers() {
        let new = KeepaliveConfig::new().max_unanswered(1);
        let micro = Duration::from_micros(1);
        let texts = [
            (
                new.interval(micro),
                "interval (1µs) is shorter than 1ms; zero turns it off",
            ),
            (
                new.reply_timeout(micro),
                "reply_timeout (1µs) is shorter than 1ms; zero turns it off",
            ),
            (
                new.silence(micro),
                "silence (1µs) is shorter than 1ms; zero turns it off",
            ),
            (
                new.write_stall(Duration::from_nanos(1)),
                "write_stall (1ns) is shorter than 1ms; zero turns it off",
            ),
            (
                new.adaptive_reply_timeout(micro, 2 * micro),
                "reply_timeout (2µs) is shorter than 1ms; zero turns it off",
            ),
            (
                new.silence(20 * SECOND),
                "silence (20s) is not longer than interval (20s): the peer would be dead before it was \
                 asked",
            ),
            (
                new.silence(29 * SECOND),
                "silence (29s) is shorter than interval + reply timeout (20s + 10s): an answer that is \
                 in time would come too late",
            ),
            (
                new.adaptive_reply_timeout(2 * SECOND, SECOND),
                "adaptive reply timeout: floor (2s) is above cap (1s)",
            ),
            (
                new.jitter(Jitter::percent(91)),
                "jitter of 91 % is above 90 %",
            ),
            (
                new.max_unanswered(0),
                "max_unanswered is 0: the first ping would be a verdict; the least is 1",
            ),
            (
                new.proof(Proof::PongOnly)
                    .interval(Duration::ZERO)
                    .silence(SECOND),
                "Proof::PongOnly with silence (1s) and no pings that check the peer (interval 0ns): it \
                 might never be asked",
            ),
            (
                new.proof(Proof::PongOnly)
                    .ping_when(PingWhen::SendIdle)
                    .silence(60 * SECOND),
                "Proof::PongOnly with silence (60s) and no pings that check the peer (interval 20s): \
                 it might never be asked",
            ),
        ];
        for (config, text) in texts {
            assert_eq!(refusal(config).1, text);
        }
        let out_of_range = ConfigError::OutOfRange {
            name: "retries",
            value: 0,
            least: 1,
            most: 127,
        };
        assert_eq!(out_of_range.to_string(), "retries (0) is outside 1..=127");
    }

    #[test]
    fn at_the_very_limit_it_is_taken() {
        let new = KeepaliveConfig::new().max_unanswered(1);
        for config in [
            new.silence(30 * SECOND),
            new.interval(ms(1))
                .reply_timeout(ms(1))
                .write_stall(ms(1))
                .silence(ms(2)),
            new.jitter(Jitter::percent(90)),
            new.max_unanswered(1),
            new.adaptive_reply_timeout(SECOND, SECOND),
            // Who is not checked may be silent for less than the interval.
            new.ping_when(PingWhen::SendIdle).silence(SECOND),
            new.ping_when(PingWhen::Never).silence(SECOND),
        ] {
            keepalive(config);
        }
    }

    #[test]
    fn a_verdict_gives_its_reason() {
        let mut unanswered = keepalive(plain().max_unanswered(2));
        let seq = ping(&mut unanswered, at(10));
        unanswered.on_pong(Answers::Ping(seq), at(10) + ms(30));
        ping(&mut unanswered, at(20) + ms(30));
        ping(&mut unanswered, at(24) + ms(30));
        assert_eq!(
            dead(&mut unanswered, at(28) + ms(30)).to_string(),
            "no reply to 2 pings within 4s each; silent for 18s, last round trip 30ms",
        );
        let mut stalled = keepalive(plain().max_unanswered(2).write_stall(5 * SECOND));
        ping(&mut stalled, at(10));
        asked(&mut stalled, at(14));
        stalled.on_write_blocked(at(14));
        assert_eq!(
            dead(&mut stalled, at(19)).to_string(),
            "no byte taken for 5s; silent for 19s, 1 unanswered, no round trip measured",
        );
        let chatty = KeepaliveConfig::new()
            .max_unanswered(1)
            .proof(Proof::PongOnly)
            .silence(90 * SECOND);
        let mut chatty = keepalive(chatty.reply_timeout(Duration::ZERO));
        for second in [20, 40, 60, 80] {
            ping(&mut chatty, at(second));
        }
        chatty.on_receive(at(88));
        assert_eq!(
            dead(&mut chatty, at(90)).to_string(),
            "no sign of life within 90s; silent for 2s, no round trip measured",
        );
    }
}
