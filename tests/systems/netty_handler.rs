//! The tests of Netty's own `IdleStateHandlerTest`, on [`IdleDetector`].
//!
//! They run on a [`Channel`] whose clock behaves as that of Netty's `EmbeddedChannel`: it stands
//! still, is moved in jumps, and what fell due during a jump runs at its end, late. Each event is
//! written down as its kind and whether it was the first of its silence.
#![allow(
    clippy::disallowed_methods,
    reason = "a test: any instant will do as the origin"
)]

use std::time::{Duration, Instant};

use liveness::{IdleConfig, IdleDetector, IdleEvent, IdleKind};

const SECOND: Duration = Duration::from_secs(1);
const KINDS: [IdleKind; 3] = [IdleKind::Reader, IdleKind::Writer, IdleKind::All];

fn only(kind: IdleKind, period: Duration) -> IdleConfig {
    match kind {
        IdleKind::Reader => IdleConfig::new().reader(period),
        IdleKind::Writer => IdleConfig::new().writer(period),
        IdleKind::All => IdleConfig::new().all(period),
    }
}

/// A detector and a clock that jumps.
struct Channel {
    detector: IdleDetector,
    now: Instant,
    events: Vec<(IdleKind, bool)>,
}

impl Channel {
    fn new(config: IdleConfig) -> Self {
        let now = Instant::now();
        Self {
            detector: IdleDetector::new(config, now),
            now,
            events: Vec::new(),
        }
    }

    fn advance(&mut self, by: Duration) {
        self.advance_filtered(by, |_| true);
    }

    fn advance_filtered(&mut self, by: Duration, mut keep: impl FnMut(IdleEvent) -> bool) {
        self.now += by;
        while let Some(event) = self.detector.handle_timeout(self.now) {
            if keep(event) {
                self.events.push((event.kind, event.is_first()));
            }
        }
    }

    fn take(&mut self) -> Vec<(IdleKind, bool)> {
        std::mem::take(&mut self.events)
    }
}

/// `testReaderIdle`, `testWriterIdle`, `testAllIdle`: without traffic one event a second, the first
/// of them marked.
#[test]
fn idle_is_first_once_and_then_repeats() {
    for kind in KINDS {
        let mut channel = Channel::new(only(kind, SECOND));
        for _ in 0..3 {
            channel.advance(SECOND);
        }
        assert_eq!(channel.take(), [(kind, true), (kind, false), (kind, false)]);
    }
}

/// The shape of the seven tests that follow in Netty: something happens just after half a period;
/// nothing at the end of the period; exactly one event, a first one, a full period later.
fn not_idle_after(kind: IdleKind, act: fn(&mut IdleDetector, Instant)) {
    let mut channel = Channel::new(only(kind, SECOND));
    channel.advance(SECOND / 2 + Duration::from_nanos(1));
    act(&mut channel.detector, channel.now);
    channel.advance(SECOND / 2);
    assert_eq!(channel.take(), [], "{kind}");
    channel.advance(SECOND);
    assert_eq!(channel.take(), [(kind, true)], "{kind}");
}

/// `testResetReader`
#[test]
fn reset_read_starts_the_period_anew() {
    not_idle_after(IdleKind::Reader, IdleDetector::reset_read);
    not_idle_after(IdleKind::All, IdleDetector::reset_read);
}

/// `testResetWriter`
#[test]
fn reset_write_starts_the_period_anew() {
    not_idle_after(IdleKind::Writer, IdleDetector::reset_write);
    not_idle_after(IdleKind::All, IdleDetector::reset_write);
}

/// `testReaderNotIdle`
#[test]
fn a_read_is_not_reader_idle() {
    not_idle_after(IdleKind::Reader, IdleDetector::on_read);
}

/// `testWriterNotIdle`
#[test]
fn a_write_is_not_writer_idle() {
    not_idle_after(IdleKind::Writer, IdleDetector::on_write);
}

/// `testAllNotIdle`, with a read and with a write.
#[test]
fn either_is_not_all_idle() {
    not_idle_after(IdleKind::All, IdleDetector::on_read);
    not_idle_after(IdleKind::All, IdleDetector::on_write);
}

/// The other direction is not looked at.
#[test]
fn a_write_does_not_hide_a_silent_reader() {
    let mut channel = Channel::new(only(IdleKind::Reader, SECOND));
    channel.advance(SECOND / 2);
    channel.detector.on_write(channel.now);
    channel.detector.reset_write(channel.now);
    channel.advance(SECOND / 2);
    assert_eq!(channel.take(), [(IdleKind::Reader, true)]);

    let mut channel = Channel::new(only(IdleKind::Writer, SECOND));
    channel.advance(SECOND / 2);
    channel.detector.on_read(channel.now);
    channel.detector.reset_read(channel.now);
    channel.advance(SECOND / 2);
    assert_eq!(channel.take(), [(IdleKind::Writer, true)]);
}

/// The flags after a reset, the subject of Netty's issue 16982 and pull request 16989. A reset
/// moves the period and is no activity: the event after it continues the streak. Who wants a first
/// event then reports activity, and gets one.
fn streak_after(kind: IdleKind, act: fn(&mut IdleDetector, Instant)) -> (IdleKind, bool) {
    let mut channel = Channel::new(only(kind, SECOND));
    channel.advance(SECOND);
    assert_eq!(channel.take(), [(kind, true)]);
    channel.advance(SECOND / 2);
    act(&mut channel.detector, channel.now);
    channel.advance(SECOND / 2);
    assert_eq!(channel.take(), []);
    channel.advance(SECOND / 2);
    let events = channel.take();
    assert_eq!(events.len(), 1);
    events[0]
}

#[test]
fn flags_after_reset_read() {
    for kind in [IdleKind::Reader, IdleKind::All] {
        assert_eq!(streak_after(kind, IdleDetector::reset_read), (kind, false));
        assert_eq!(streak_after(kind, IdleDetector::on_read), (kind, true));
    }
}

#[test]
fn flags_after_reset_write() {
    for kind in [IdleKind::Writer, IdleKind::All] {
        assert_eq!(streak_after(kind, IdleDetector::reset_write), (kind, false));
        assert_eq!(streak_after(kind, IdleDetector::on_write), (kind, true));
    }
}

/// Netty's `reading` span: between the first message of a batch and its read-complete the reader is
/// not idle, however long that takes; the period runs from the read-complete.
#[test]
fn a_long_read_is_not_idle() {
    let mut channel = Channel::new(only(IdleKind::Reader, SECOND));
    channel.advance(SECOND / 2);
    channel.detector.pause_reader();
    channel.advance(SECOND * 10);
    channel.detector.on_read(channel.now);
    channel.detector.resume_reader(channel.now);
    channel.advance(SECOND - Duration::from_nanos(1));
    assert_eq!(channel.take(), []);
    channel.advance(Duration::from_nanos(1));
    assert_eq!(channel.take(), [(IdleKind::Reader, true)]);
}

/// Netty's issue 5817: a read-complete without a read is no activity.
#[test]
fn a_read_complete_without_a_read_is_nothing() {
    let mut channel = Channel::new(only(IdleKind::Reader, SECOND));
    channel.advance(SECOND / 2);
    channel.detector.resume_reader(channel.now);
    channel.advance(SECOND / 2);
    assert_eq!(channel.take(), [(IdleKind::Reader, true)]);
}

/// `IdleStateEventTest.testHumanReadableToString`: three kinds, first and not.
#[test]
fn the_six_texts() {
    let texts: Vec<_> = KINDS
        .iter()
        .flat_map(|&kind| {
            let start = Instant::now();
            let mut detector = IdleDetector::new(only(kind, SECOND), start);
            [1, 2].map(|n| {
                detector
                    .handle_timeout(start + n * SECOND)
                    .unwrap()
                    .to_string()
            })
        })
        .collect();
    assert_eq!(
        texts,
        [
            "reader idle for 1s (1st in a row)",
            "reader idle for 2s (2nd in a row)",
            "writer idle for 1s (1st in a row)",
            "writer idle for 2s (2nd in a row)",
            "all idle for 1s (1st in a row)",
            "all idle for 2s (2nd in a row)",
        ]
    );
}

/// What the peer takes out of the output buffer, by second; and the events that have come up to a
/// second since the last time somebody looked.
enum Step {
    /// All that is left of the first message.
    Message,
    /// 1024 bytes of the first message.
    Part,
    Events(usize),
}

/// The timeline of `testObserveWriterIdle` and `testObserveAllIdle`: period 5 s, four messages of
/// 1, 1, 1 and 5120 bytes. `at_30` is what the two ways to look at it disagree about.
fn timeline(at_30: usize) -> [(u64, Step); 18] {
    use Step::{Events, Message, Part};
    [
        (5, Events(1)),
        (9, Message),
        (11, Events(0)),
        (13, Message),
        (17, Events(0)),
        (22, Events(1)),
        (24, Message),
        (25, Events(0)),
        (27, Part),
        (29, Part),
        (30, Events(at_30)),
        (32, Part),
        (34, Part),
        (35, Events(0)),
        (37, Part),
        (40, Part),
        (42, Events(1)),
        (42, Events(0)),
    ]
}

const MESSAGES: [u64; 4] = [1, 1, 1, 5120];

/// The output buffer: how many messages have left it, and how many bytes of the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Output {
    complete: usize,
    flushed: u64,
}

impl Output {
    /// Takes up to `bytes` of the first message; says whether that took any, and whether it was the
    /// last of them.
    fn take(&mut self, bytes: u64) -> (bool, bool) {
        let Some(&size) = MESSAGES.get(self.complete) else {
            return (false, false);
        };
        self.flushed = size.min(self.flushed + bytes);
        let complete = self.flushed == size;
        if complete {
            *self = Self {
                complete: self.complete + 1,
                flushed: 0,
            };
        }
        (true, complete)
    }
}

/// Plays the timeline: `report` is told what was taken, `keep` filters the events.
fn observe(
    kind: IdleKind,
    at_30: usize,
    report: fn(progress: bool, complete: bool) -> bool,
    mut keep: impl FnMut(IdleEvent, Output) -> bool,
) {
    let mut channel = Channel::new(only(kind, 5 * SECOND));
    let mut output = Output {
        complete: 0,
        flushed: 0,
    };
    let mut second = 0;
    for (at, step) in timeline(at_30) {
        channel.advance_filtered((at - second) as u32 * SECOND, |event| keep(event, output));
        second = at;
        let bytes = match step {
            Step::Message => u64::MAX / 2,
            Step::Part => 1024,
            Step::Events(count) => {
                assert_eq!(channel.take().len(), count, "{kind} at {at} s");
                continue;
            }
        };
        let (progress, complete) = output.take(bytes);
        if report(progress, complete) {
            channel.detector.on_write(channel.now);
        }
    }
    assert_eq!(output.complete, MESSAGES.len());
}

/// Our way: every byte that the socket takes is a write, so a large message that is being sent is
/// never idle while it makes progress.
///
/// It differs from Netty at one place. At 29 s Netty fires, five seconds after the last *complete*
/// message, although bytes left at 27 s: its first event is never held back by progress. Here the
/// bytes at 27 s count, and nothing is idle until five seconds after the last of them.
#[test]
fn observed_output_is_not_idle() {
    for kind in [IdleKind::Writer, IdleKind::All] {
        observe(kind, 0, |progress, _| progress, |_, _| true);
    }
}

/// Netty's `observeOutput`, rebuilt: only a complete message is a write, and an event that is not a
/// first one is dropped when the buffer has changed since the last look.
#[test]
fn observe_output_as_netty_has_it() {
    for kind in [IdleKind::Writer, IdleKind::All] {
        let mut seen = Output {
            complete: 0,
            flushed: 0,
        };
        let keep = |event: IdleEvent, output| {
            let changed = std::mem::replace(&mut seen, output) != output;
            event.is_first() || !changed
        };
        observe(kind, 1, |_, complete| complete, keep);
    }
}
