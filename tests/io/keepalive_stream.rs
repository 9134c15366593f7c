//! `KeepaliveStream` with a wire for lines of text, in simulated time: what is written where, what
//! is taken out, and when the verdict comes.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use liveness::io::{Incoming, KeepaliveStream, MOST_HELD, Wire};
use liveness::test_util::Sim;
use liveness::{Cause, Dead, KeepaliveConfig, PingWhen, Proof, Seq};
use proptest::prelude::*;

use crate::common::{self, Input, Script, noop, read_some, write_all, write_some};
use crate::lines::Lines;

type Stream = KeepaliveStream<Script, Lines, Sim>;

const S: Duration = Duration::from_secs(1);

fn stream(config: KeepaliveConfig) -> (Stream, Sim) {
    let sim = Sim::new();
    let stream = KeepaliveStream::new(Script::default(), Lines::default(), config, sim.clone());
    (stream.unwrap(), sim)
}

fn read_all(stream: &mut Stream) -> io::Result<Vec<u8>> {
    common::read_all(stream, 1000)
}

fn written(stream: &Stream) -> &str {
    std::str::from_utf8(&stream.get_ref().written).unwrap()
}

#[test]
fn a_ping_goes_out_after_the_interval_and_its_answer_is_taken_out() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    assert!(read_all(&mut stream).unwrap().is_empty());
    sim.advance(20 * S);
    assert!(read_all(&mut stream).unwrap().is_empty());
    assert_eq!(written(&stream), "?0\n");
    assert!(stream.get_ref().flushes > 0);
    sim.advance(S / 4);
    stream.get_mut().push(b"one\n!0\ntwo\n");
    assert_eq!(read_all(&mut stream).unwrap(), b"one\ntwo\n");
    assert_eq!(stream.rtt().latest(), Some(S / 4));
}

#[test]
fn a_silent_peer_is_dead_at_the_bound_and_not_before() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    assert_eq!(read_all(&mut stream).unwrap(), b"");
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    sim.advance(10 * S - Duration::from_nanos(1));
    read_all(&mut stream).unwrap();
    sim.advance(Duration::from_nanos(1));
    let error = read_all(&mut stream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let dead = Dead::find(&error).unwrap();
    assert_eq!((dead.cause, dead.unanswered), (Cause::NoReply, 1));
    assert_eq!(stream.dead(), Some(dead));

    // Everything after it fails, and closing does not wait.
    stream.get_mut().push(b"too late\n");
    assert!(read_all(&mut stream).is_err());
    let error = write_some(&mut stream, b"x\n").map_err(|error| Dead::find(&error));
    assert!(matches!(error, Poll::Ready(Err(Some(_)))));
    stream.get_mut().stuck = true;
    let closed = noop(|cx| Pin::new(&mut stream).poll_close(cx));
    assert!(matches!(closed, Poll::Ready(Err(error)) if Dead::find(&error).is_some()));
    stream.get_mut().stuck = false;
    let closed = noop(|cx| Pin::new(&mut stream).poll_close(cx));
    assert!(matches!(closed, Poll::Ready(Ok(()))));
}

#[test]
fn input_is_taken_in_before_silence_is_judged() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    sim.advance(11 * S);
    stream.get_mut().push(b"!0\n");
    assert_eq!(read_all(&mut stream).unwrap(), b"");
    assert_eq!(stream.rtt().latest(), Some(11 * S));
    assert_eq!(stream.dead(), None);
}

#[test]
fn an_empty_budget_is_not_silence() {
    // A runtime may say once that there is nothing to read when there is.
    let (mut stream, sim) = stream(KeepaliveConfig::off().silence(10 * S));
    read_all(&mut stream).unwrap();
    sim.advance(10 * S);
    stream
        .get_mut()
        .input
        .extend([Input::Nothing, Input::Bytes(b"life\n".to_vec())]);
    assert_eq!(read_all(&mut stream).unwrap(), b"life\n");
    sim.advance(10 * S);
    assert!(read_all(&mut stream).is_err());
}

#[test]
fn a_pong_behind_many_reads_of_data_is_found_before_the_verdict() {
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .proof(Proof::PongOnly);
    let (mut stream, sim) = stream(config);
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    for _ in 0..20 {
        stream.get_mut().push(b"data\n");
    }
    stream.get_mut().push(b"!0\n");
    sim.advance(10 * S);
    assert_eq!(read_all(&mut stream).unwrap().len(), 100);
    assert_eq!(stream.rtt().samples(), 1);

    // But a peer that only ever chatters is found out, though the input is never empty.
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    sim.advance(10 * S);
    let verdict = (1..=88).find_map(|nth| {
        sim.advance(S / 8);
        stream.get_mut().push(b"data\n");
        let Poll::Ready(read) = read_some(&mut stream, 100) else {
            panic!("there is input")
        };
        read.err().map(|error| (Dead::find(&error), nth))
    });
    let (dead, nth) = verdict.unwrap();
    assert_eq!(dead.unwrap().cause, Cause::NoReply);
    // It had its time once more, since the answer could have been behind the data.
    assert!(nth * S / 8 >= 10 * S, "{nth}");
}

#[test]
fn a_ping_waits_for_the_border_and_no_longer() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    write_all(&mut stream, b"half a ");
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "half a ");
    // The border lies inside what is offered: as much is taken as goes before the ping.
    let taken = write_some(&mut stream, b"line\nnext\nlast");
    assert!(matches!(taken, Poll::Ready(Ok(5))));
    assert_eq!(written(&stream), "half a line\n?0\n");
    write_all(&mut stream, b"next\nlast\n");
    assert_eq!(written(&stream), "half a line\n?0\nnext\nlast\n");
}

#[test]
fn a_border_inside_any_slice_of_a_vectored_write() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    write_all(&mut stream, b"a");
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    let parts: [&[u8]; 4] = [b"", b"b", b"c\nd", b"e\n"];
    let mut done = 0;
    let total: usize = parts.iter().map(|part| part.len()).sum();
    while done < total {
        let mut skip = done;
        let slices: Vec<_> = parts
            .iter()
            .map(|part| {
                let cut = skip.min(part.len());
                skip -= cut;
                IoSlice::new(&part[cut..])
            })
            .collect();
        let taken = noop(|cx| Pin::new(&mut stream).poll_write_vectored(cx, &slices));
        let Poll::Ready(Ok(taken)) = taken else {
            panic!("{taken:?}")
        };
        done += taken;
    }
    assert_eq!(written(&stream), "abc\n?0\nde\n");
    let nothing = noop(|cx| Pin::new(&mut stream).poll_write_vectored(cx, &[]));
    assert!(matches!(nothing, Poll::Ready(Ok(0))));
}

#[test]
fn half_a_ping_is_finished_before_the_users_next_byte() {
    let (mut stream, sim) = stream(
        KeepaliveConfig::new()
            .max_unanswered(1)
            .upload_wait(S / 1000)
            .write_stall(Duration::ZERO),
    );
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    stream.get_mut().budget = Some(1);
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "?");
    sim.advance(5 * S);
    assert!(write_some(&mut stream, b"data\n").is_pending());
    stream.get_mut().budget = Some(1);
    assert!(write_some(&mut stream, b"data\n").is_pending());
    assert_eq!(written(&stream), "?0");
    stream.get_mut().budget = None;
    write_all(&mut stream, b"data\n");
    assert_eq!(written(&stream), "?0\ndata\n");
    // The reply clock runs from the last byte of the ping, not from the first; and as the socket
    // was full, from the end of the time that a ping may stand behind an upload.
    sim.advance(S / 1000);
    read_all(&mut stream).unwrap();
    sim.advance(10 * S - Duration::from_nanos(1));
    read_all(&mut stream).unwrap();
    sim.advance(Duration::from_nanos(1));
    assert!(read_all(&mut stream).is_err());
}

#[test]
fn pings_of_the_peer_are_answered_and_taken_out() {
    let (mut stream, _sim) = stream(KeepaliveConfig::off());
    write_all(&mut stream, b"mid");
    stream.get_mut().push(b"a\n%\nb\n%\n");
    assert_eq!(read_all(&mut stream).unwrap(), b"a\nb\n");
    write_all(&mut stream, b"line\n");
    assert_eq!(written(&stream), "midline\n=\n");
    stream.get_mut().push(b"%\n");
    assert_eq!(read_all(&mut stream).unwrap(), b"");
    assert_eq!(written(&stream), "midline\n=\n=\n");
}

#[test]
fn what_is_held_back_is_passed_at_the_end() {
    let (mut stream, _sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().push(b"a\n!12");
    assert_eq!(read_all(&mut stream).unwrap(), b"a\n");
    stream.get_mut().input.push_back(Input::End);
    assert!(matches!(read_some(&mut stream, 2), Poll::Ready(Ok(bytes)) if bytes == b"!1"));
    assert!(matches!(read_some(&mut stream, 2), Poll::Ready(Ok(bytes)) if bytes == b"2"));
    assert!(matches!(read_some(&mut stream, 2), Poll::Ready(Ok(bytes)) if bytes.is_empty()));
    assert!(matches!(read_some(&mut stream, 0), Poll::Ready(Ok(bytes)) if bytes.is_empty()));
}

#[test]
fn after_the_end_of_input_nothing_is_asked() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    write_all(&mut stream, b"mid");
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    stream.get_mut().input.push_back(Input::End);
    read_all(&mut stream).unwrap();
    write_all(&mut stream, b"line\n");
    sim.advance(100 * S);
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "midline\n");
}

#[test]
fn no_more_is_held_back_than_the_limit() {
    let (mut stream, _sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    let long = vec![b'!'; 1000];
    let mut got = Vec::new();
    for (nth, byte) in long.iter().enumerate() {
        stream.get_mut().push(&[*byte]);
        got.extend(read_all(&mut stream).unwrap());
        assert!(nth + 1 - got.len() < MOST_HELD, "{} of {nth}", got.len());
    }
    stream.get_mut().input.push_back(Input::End);
    got.extend(read_all(&mut stream).unwrap());
    assert_eq!(got, long);
}

#[test]
fn the_wire_changes_the_interval() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    read_all(&mut stream).unwrap();
    stream.get_mut().push(b"+5\n");
    assert_eq!(read_all(&mut stream).unwrap(), b"+5\n");
    assert_eq!(
        stream.config(),
        KeepaliveConfig::new().max_unanswered(1).interval(5 * S)
    );
    assert_eq!(
        stream.detection_bound().map(|bound| bound.quiet),
        Some(15 * S + 5 * S / 16)
    );
    sim.advance(5 * S - Duration::from_nanos(1));
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "");
    sim.advance(Duration::from_nanos(1));
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "?0\n");
}

#[test]
fn so_does_its_user() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    read_all(&mut stream).unwrap();
    let wrong = KeepaliveConfig::new().max_unanswered(1).silence(S);
    assert!(stream.set_config(wrong).is_err());
    assert_eq!(stream.config(), KeepaliveConfig::new().max_unanswered(1));
    stream
        .set_config(KeepaliveConfig::new().max_unanswered(1).interval(5 * S))
        .unwrap();
    sim.advance(5 * S);
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "?0\n");
}

#[test]
fn a_configuration_that_cannot_work_ends_the_stream() {
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(S)
        .reply_timeout(S)
        .silence(10 * S);
    let (mut stream, _sim) = stream(config);
    stream.get_mut().push(b"+60\n");
    let read = read_some(&mut stream, 100);
    assert!(matches!(read, Poll::Ready(Ok(bytes)) if bytes == b"+60\n"));
    let error = read_all(&mut stream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error
            .to_string()
            .starts_with("silence (10s) is not longer than interval (60s)")
    );
}

#[test]
fn a_writer_that_waits_is_told_of_a_stall_though_nobody_reads() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1).write_stall(5 * S));
    stream.get_mut().stuck = true;
    assert!(write_some(&mut stream, b"x\n").is_pending());
    sim.advance(5 * S - Duration::from_nanos(1));
    assert!(write_some(&mut stream, b"x\n").is_pending());
    sim.advance(Duration::from_nanos(1));
    let Poll::Ready(Err(error)) = write_some(&mut stream, b"x\n") else {
        panic!()
    };
    assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
}

#[test]
fn any_byte_taken_ends_a_stall() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1).write_stall(5 * S));
    for _ in 0..100 {
        stream.get_mut().stuck = true;
        assert!(write_some(&mut stream, b"x\n").is_pending());
        sim.advance(4 * S);
        stream.get_mut().stuck = false;
        stream.get_mut().takes.push_back(1);
        assert!(matches!(
            write_some(&mut stream, b"x\n"),
            Poll::Ready(Ok(1))
        ));
    }
    // A flush that has nothing to do is no progress.
    stream.get_mut().stuck = true;
    assert!(write_some(&mut stream, b"x\n").is_pending());
    for _ in 0..4 {
        sim.advance(S);
        assert!(write_some(&mut stream, b"x\n").is_pending());
        assert!(noop(|cx| Pin::new(&mut stream).poll_flush(cx)).is_ready());
    }
    sim.advance(S);
    assert!(matches!(
        write_some(&mut stream, b"x\n"),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn what_a_busy_stream_wrote_before_does_not_end_a_stall() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1).write_stall(5 * S));
    for _ in 0..20 {
        write_all(&mut stream, b"x\n");
        stream.get_mut().push(b"y\n");
        read_all(&mut stream).unwrap();
    }
    stream.get_mut().stuck = true;
    assert!(write_some(&mut stream, b"x\n").is_pending());
    // Ticks come by meanwhile: the first of them dates the stall.
    let tick = 5 * S / 16;
    for _ in 0..16 {
        sim.advance(tick);
        assert!(read_all(&mut stream).unwrap().is_empty());
    }
    sim.advance(tick);
    let error = read_all(&mut stream).unwrap_err();
    assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
}

#[test]
fn a_writer_does_not_judge_what_it_cannot_read() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1).write_stall(12 * S));
    read_all(&mut stream).unwrap();
    sim.advance(20 * S);
    read_all(&mut stream).unwrap();
    assert_eq!(written(&stream), "?0\n");
    // The answer has come, and nobody reads it.
    stream.get_mut().push(b"!0\n");
    stream.get_mut().stuck = true;
    assert!(write_some(&mut stream, b"x\n").is_pending());
    sim.advance(12 * S);
    let Poll::Ready(Err(error)) = write_some(&mut stream, b"x\n") else {
        panic!("a stall")
    };
    assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
}

#[test]
fn a_bell_that_the_writer_heard_is_not_lost_on_a_busy_reader() {
    let config = KeepaliveConfig::off()
        .interval(2 * S)
        .ping_when(PingWhen::Always);
    let (mut stream, sim) = stream(config.write_stall(30 * S));
    let busy = |stream: &mut Stream| {
        for _ in 0..20 {
            stream.get_mut().push(b"data\n");
            assert!(read_some(stream, 100).is_ready());
        }
    };
    busy(&mut stream);
    stream.get_mut().stuck = true;
    assert!(write_some(&mut stream, b"x\n").is_pending());
    sim.advance(3 * S);
    assert!(write_some(&mut stream, b"x\n").is_pending());
    stream.get_mut().stuck = false;
    busy(&mut stream);
    assert_eq!(written(&stream), "?0\n");
}

#[test]
fn a_ping_that_the_transport_does_not_take_is_a_stall() {
    let config = KeepaliveConfig::off()
        .interval(5 * S)
        .ping_when(PingWhen::Always);
    let (mut stream, sim) = stream(config.write_stall(8 * S));
    stream.get_mut().stuck = true;
    let reader = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&reader));
    let read = |stream: &mut Stream| {
        let mut buf = [0; 8];
        Pin::new(stream).poll_read(&mut Context::from_waker(&waker), &mut buf)
    };
    assert!(read(&mut stream).is_pending());
    for second in 1..=13 {
        sim.advance(S);
        // The reader polls only when it is woken, as a task does.
        while reader.0.swap(0, Ordering::SeqCst) > 0 {
            if let Poll::Ready(end) = read(&mut stream) {
                let dead = Dead::find(&end.unwrap_err()).unwrap();
                assert_eq!((dead.cause, second), (Cause::WriteStalled, 13));
                return;
            }
        }
    }
    panic!("no verdict");
}

#[test]
fn a_busy_writer_is_not_asked_to_speak() {
    let config = KeepaliveConfig::off()
        .interval(20 * S)
        .ping_when(PingWhen::SendIdle);
    let (mut stream, sim) = stream(config);
    let reader = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&reader));
    let read = |stream: &mut Stream| {
        let mut buf = [0; 8];
        Pin::new(stream).poll_read(&mut Context::from_waker(&waker), &mut buf)
    };
    assert!(read(&mut stream).is_pending());
    for _ in 0..100 {
        write_all(&mut stream, b"x\n");
        sim.advance(S);
        // The reader polls only when it is woken, as a task does.
        while reader.0.swap(0, Ordering::SeqCst) > 0 {
            assert!(read(&mut stream).is_pending());
        }
    }
    assert!(!written(&stream).contains('?'), "{}", written(&stream));
}

#[test]
fn a_shutdown_that_hangs_becomes_a_verdict() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    stream.get_mut().stuck = true;
    assert!(noop(|cx| Pin::new(&mut stream).poll_close(cx)).is_pending());
    sim.advance(30 * S);
    let Poll::Ready(Err(error)) = noop(|cx| Pin::new(&mut stream).poll_close(cx)) else {
        panic!()
    };
    assert_eq!(Dead::find(&error).unwrap().cause, Cause::WriteStalled);
}

#[test]
fn after_a_shutdown_nothing_is_asked_and_silence_ends_it_in_the_same_time() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1));
    read_all(&mut stream).unwrap();
    let closed = noop(|cx| Pin::new(&mut stream).poll_close(cx));
    assert!(matches!(closed, Poll::Ready(Ok(()))));
    // The peer has its last words.
    sim.advance(25 * S);
    stream.get_mut().push(b"bye\n");
    assert_eq!(read_all(&mut stream).unwrap(), b"bye\n");
    sim.advance(30 * S - Duration::from_nanos(1));
    assert!(read_all(&mut stream).unwrap().is_empty());
    sim.advance(Duration::from_nanos(1));
    let dead = Dead::find(&read_all(&mut stream).unwrap_err()).unwrap();
    assert_eq!((dead.cause, dead.unanswered), (Cause::Silent, 0));
    assert_eq!(written(&stream), "");
}

#[test]
fn a_flush_that_was_given_up_is_offered_again_by_the_reader() {
    let (mut stream, sim) = stream(KeepaliveConfig::off().write_stall(5 * S));
    stream.get_mut().flush_stuck = true;
    assert!(noop(|cx| Pin::new(&mut stream).poll_flush(cx)).is_pending());
    assert!(read_all(&mut stream).unwrap().is_empty());
    for second in 0..20 {
        stream.get_mut().flush_stuck = second < 3;
        sim.advance(S);
        assert!(read_all(&mut stream).unwrap().is_empty());
    }

    // One that hangs is a stall.
    stream.get_mut().flush_stuck = true;
    assert!(noop(|cx| Pin::new(&mut stream).poll_flush(cx)).is_pending());
    for _ in 0..5 {
        assert!(read_all(&mut stream).unwrap().is_empty());
        sim.advance(S);
    }
    let dead = Dead::find(&read_all(&mut stream).unwrap_err()).unwrap();
    assert_eq!(dead.cause, Cause::WriteStalled);
}

#[test]
fn a_writer_away_for_long_does_not_hold_it_against_the_peer() {
    let (mut stream, sim) = stream(KeepaliveConfig::new().max_unanswered(1).write_stall(4 * S));
    stream.get_mut().stuck = true;
    assert!(write_some(&mut stream, b"x\n").is_pending());
    sim.advance(60 * S);
    assert!(write_some(&mut stream, b"x\n").is_pending());
    sim.advance(4 * S);
    assert!(matches!(
        write_some(&mut stream, b"x\n"),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn a_failed_ping_is_told_to_the_reader() {
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }
    impl AsyncWrite for Broken {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let config = KeepaliveConfig::new().max_unanswered(1);
    let mut stream = KeepaliveStream::new(Broken, Lines::default(), config, Sim::new()).unwrap();
    stream.probe_now();
    let mut poll = || noop(|cx| Pin::new(&mut stream).poll_read(cx, &mut [0; 8]));
    assert!(
        matches!(poll(), Poll::Ready(Err(error)) if error.kind() == ErrorKind::ConnectionReset)
    );
}

#[test]
fn a_busy_stream_reads_no_clock_and_sets_no_timer() {
    let (mut stream, sim) = stream(
        KeepaliveConfig::new()
            .max_unanswered(1)
            .ping_when(PingWhen::EitherIdle),
    );
    let mut exchange = |rounds| {
        for _ in 0..rounds {
            stream.get_mut().push(b"data\n");
            assert!(matches!(read_some(&mut stream, 100), Poll::Ready(Ok(_))));
            write_all(&mut stream, b"more\n");
            assert!(read_some(&mut stream, 100).is_pending());
        }
    };
    exchange(20);
    let before = sim.counts();
    exchange(20_000);
    assert_eq!(sim.counts(), before);
    // A tick dates it all, and the ping comes an interval after the last of it, at most a tick
    // late.
    sim.advance(20 * S / 16);
    exchange(1);
    let bound = 20 * S + 2 * (20 * S / 16);
    let mut waited = Duration::ZERO;
    while written(&stream).ends_with("more\n") {
        assert!(waited <= bound, "no ping within {bound:?}");
        sim.advance(S / 4);
        waited += S / 4;
        read_all(&mut stream).unwrap();
    }
    assert!(waited >= 20 * S, "{waited:?}");
}

#[test]
fn a_wire_that_counts_wrong_does_no_harm() {
    #[derive(Clone)]
    struct Wrong(usize);
    impl Wire for Wrong {
        fn outgoing(&mut self, _: &[u8]) -> usize {
            self.0
        }
        fn may_ping(&self) -> bool {
            true
        }
        fn ping(&mut self, _: Seq, _: &mut bytes::BytesMut) {}
        fn incoming(&mut self, _: &[u8]) -> Incoming {
            Incoming::Pass(self.0)
        }
    }
    for wrong in [0, usize::MAX] {
        let config = KeepaliveConfig::new().max_unanswered(1);
        let mut stream =
            KeepaliveStream::new(Script::default(), Wrong(wrong), config, Sim::new()).unwrap();
        stream.probe_now();
        stream.get_mut().push(b"in");
        let mut buf = [0; 8];
        let read = noop(|cx| Pin::new(&mut stream).poll_read(cx, &mut buf));
        assert!(matches!(read, Poll::Ready(Ok(2))));
        let wrote = noop(|cx| Pin::new(&mut stream).poll_write(cx, b"out"));
        assert!(matches!(wrote, Poll::Ready(Ok(3))));
        assert_eq!(stream.get_ref().written, b"out");
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_reader_is_woken_for_the_answer_to_a_ping_that_the_writer_placed() {
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .upload_wait(S / 1000);
    let (mut stream, sim) = stream(config);
    let (reader, writer) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let reading = Waker::from(Arc::clone(&reader));
    let writing = Waker::from(Arc::clone(&writer));
    let read = |stream: &mut Stream| {
        let mut buf = [0; 8];
        Pin::new(stream).poll_read(&mut Context::from_waker(&reading), &mut buf)
    };
    let write = |stream: &mut Stream, bytes: &[u8]| {
        Pin::new(stream).poll_write(&mut Context::from_waker(&writing), bytes)
    };
    assert!(write(&mut stream, b"mid").is_ready());
    assert!(read(&mut stream).is_pending());
    sim.advance(20 * S);
    assert_eq!(reader.0.swap(0, Ordering::SeqCst), 1, "the timer");
    assert!(read(&mut stream).is_pending());
    assert_eq!(written(&stream), "mid");
    // The writer ends the line and with it places the ping: a deadline that the reader must learn
    // of.
    reader.0.store(0, Ordering::SeqCst);
    assert!(write(&mut stream, b"\n").is_ready());
    assert_eq!(written(&stream), "mid\n?0\n");
    assert!(reader.0.swap(0, Ordering::SeqCst) > 0, "the ping");
    assert!(read(&mut stream).is_pending());
    sim.advance(10 * S + S / 1000);
    assert!(reader.0.swap(0, Ordering::SeqCst) > 0, "the reply timeout");
    // A writer that waits learns of the verdict too.
    stream.get_mut().stuck = true;
    assert!(write(&mut stream, b"x\n").is_pending());
    writer.0.store(0, Ordering::SeqCst);
    assert!(read(&mut stream).is_pending());
    assert!(matches!(read(&mut stream), Poll::Ready(Err(_))));
    assert!(writer.0.load(Ordering::SeqCst) > 0, "the verdict");
}

/// One step of a connection.
#[derive(Debug, Clone)]
enum Step {
    Write(Vec<u8>),
    WriteVectored(Vec<Vec<u8>>),
    Input(Vec<u8>),
    Read(usize),
    Probe,
    Flush,
    Takes(Vec<usize>),
    Advance(u64),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![5 => b'a'..=b'e', 2 => Just(b'\n')], 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => text().prop_map(Step::Write),
        2 => proptest::collection::vec(text(), 0..4).prop_map(Step::WriteVectored),
        4 => text().prop_map(Step::Input),
        6 => (0_usize..9).prop_map(Step::Read),
        3 => Just(Step::Probe),
        1 => Just(Step::Flush),
        3 => proptest::collection::vec(0_usize..5, 1..6).prop_map(Step::Takes),
        1 => (0_u64..3000).prop_map(Step::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is written, read, taken and asked in whatever order: what went out is what the user
    /// wrote with whole pings between whole lines, and the counts are exact; what came in is what
    /// the peer sent.
    #[test]
    fn bytes_are_exact_and_pings_stand_at_borders(steps in proptest::collection::vec(step(), 0..60)) {
        let config = KeepaliveConfig::off().interval(2 * S).ping_when(PingWhen::Always);
        let (mut stream, sim) = stream(config);
        let (mut out, mut sent, mut got) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Write(bytes) => {
                    if let Poll::Ready(taken) = write_some(&mut stream, &bytes) {
                        out.extend_from_slice(&bytes[..taken.unwrap()]);
                    }
                }
                Step::WriteVectored(parts) => {
                    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
                    let taken = noop(|cx| Pin::new(&mut stream).poll_write_vectored(cx, &slices));
                    if let Poll::Ready(taken) = taken {
                        out.extend_from_slice(&parts.concat()[..taken.unwrap()]);
                    }
                }
                Step::Input(bytes) if bytes.is_empty() => {}
                Step::Input(bytes) => {
                    stream.get_mut().push(&bytes);
                    sent.extend(bytes);
                }
                Step::Read(room) => {
                    if let Poll::Ready(read) = read_some(&mut stream, room) {
                        got.extend(read.unwrap());
                    }
                }
                Step::Probe => stream.probe_now(),
                Step::Flush => {
                    let _ = noop(|cx| Pin::new(&mut stream).poll_flush(cx));
                }
                Step::Takes(takes) => stream.get_mut().takes.extend(takes),
                Step::Advance(ms) => sim.advance(Duration::from_millis(ms)),
            }
        }
        stream.get_mut().takes.clear();
        got.extend(read_all(&mut stream).unwrap());
        prop_assert_eq!(got, sent);
        // Take the pings out of what went out: each is a line of its own, numbered from zero.
        let (mut users, mut pings) = (Vec::new(), 0);
        for line in stream.get_ref().written.split_inclusive(|byte| *byte == b'\n') {
            if line.contains(&b'?') {
                let expected = format!("?{pings}\n");
                prop_assert_eq!(line, expected.as_bytes());
                pings += 1;
            } else {
                users.extend_from_slice(line);
            }
        }
        prop_assert_eq!(users, out);
    }
}
