//! [`Frames`]: the protocol of frames, and the payload that rides on pings and pongs.

use std::fmt;

use super::Frame;
use crate::ping_pong::{Inbound, Protocol};
use crate::seq::{Answers, Seq};

/// The [`Protocol`] of [`Frame`]s, and the payload that rides on pings and pongs.
///
/// Each side has a payload of its own on every ping and on every pong, so it travels in both
/// directions whichever side asks. A pong has the number of the ping it answers, and the payload of
/// the side that answers, not of the one that asked: the answer to "are you alive?" can say "yes,
/// and this busy". `()` is no payload and takes no bytes.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use liveness::tcp::{Frame, Frames};
/// use liveness::{Inbound, Protocol, Seq};
///
/// let queued = 3_u64; // our payload: how busy this side is
/// let peer = Arc::new(Mutex::new(None)); // the peer's latest
/// let seen = Arc::clone(&peer);
/// let mut frames = Frames::with_payload(move |_| queued).observe(move |frame| match frame {
///     Frame::Ping { payload, .. } | Frame::Pong { payload, .. } => {
///         *seen.lock().unwrap() = Some(payload);
///     }
///     Frame::Data(_) => {}
/// });
///
/// assert_eq!(frames.ping(Seq::new(0)), Frame::Ping { seq: Seq::new(0), payload: 3 });
/// let inbound = frames.classify(Frame::Ping { seq: Seq::new(9), payload: 80 });
/// let reply = Frame::Pong { seq: Seq::new(9), payload: 3 };
/// assert_eq!(inbound, Inbound::Ping { reply: Some(reply) });
/// assert_eq!(*peer.lock().unwrap(), Some(80));
/// ```
pub struct Frames<P = ()> {
    payload: Box<dyn FnMut(Seq) -> P + Send>,
    observer: Option<Box<dyn FnMut(Frame<P>) + Send>>,
}

impl Frames {
    /// Pings and pongs that carry their number only.
    #[must_use]
    pub fn new() -> Self {
        Self::with_payload(|_| ())
    }
}

impl<P> Frames<P> {
    /// Pings and pongs with the payloads that `payload` makes.
    ///
    /// It is called once for each ping that goes out and once for each pong, with the number that
    /// goes with it; it runs inside a poll, so it must not block.
    #[must_use]
    pub fn with_payload(payload: impl FnMut(Seq) -> P + Send + 'static) -> Self {
        Self {
            payload: Box::new(payload),
            observer: None,
        }
    }

    /// Shows `observer` each ping and each pong of the peer, with its payload, as it comes in.
    ///
    /// Pongs that nobody asked for are among them. Data never is: it goes to the stream. The
    /// observer runs inside a poll, so it must not block; a second one takes the place of the
    /// first.
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(Frame<P>) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    fn show(&mut self, frame: Frame<P>) {
        if let Some(observer) = &mut self.observer {
            observer(frame);
        }
    }
}

impl<P> Protocol for Frames<P> {
    type Message = Frame<P>;

    fn ping(&mut self, seq: Seq) -> Frame<P> {
        let payload = (self.payload)(seq);
        Frame::Ping { seq, payload }
    }

    fn classify(&mut self, frame: Frame<P>) -> Inbound<Frame<P>> {
        match frame {
            Frame::Data(_) => Inbound::Data(frame),
            Frame::Ping { seq, .. } => {
                self.show(frame);
                let payload = (self.payload)(seq);
                Inbound::Ping {
                    reply: Some(Frame::Pong { seq, payload }),
                }
            }
            Frame::Pong { seq, .. } => {
                self.show(frame);
                Inbound::Pong(Answers::Ping(seq))
            }
        }
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for Frames<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("observed", &self.observer.is_some())
            .finish_non_exhaustive()
    }
}
