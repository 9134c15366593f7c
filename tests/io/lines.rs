//! A wire for lines of text.

use std::time::Duration;

use bytes::BytesMut;
use liveness::io::{Incoming, Wire};
use liveness::{Answers, KeepaliveConfig, Seq};

/// Lines of text: our ping is `?7`, the answer `!7`; a ping of the peer is `%`, our answer `=`; a
/// line `+5` that comes in changes the interval to 5 s; nothing of ours after a line `bye`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    out: Vec<u8>,
    mid_line_in: bool,
    interval: Option<u64>,
    bye: bool,
}

fn line(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| at + 1)
}

impl Wire for Lines {
    fn outgoing(&mut self, bytes: &[u8]) -> usize {
        let end = line(bytes);
        let followed = end.unwrap_or(bytes.len());
        self.out.extend_from_slice(&bytes[..followed.min(8)]);
        if end.is_some() {
            self.bye |= self.out == b"bye\n";
            self.out.clear();
        }
        followed
    }

    fn may_ping(&self) -> bool {
        self.out.is_empty() && !self.bye
    }

    fn ping(&mut self, seq: Seq, buf: &mut BytesMut) {
        buf.extend_from_slice(format!("?{}\n", seq.value()).as_bytes());
    }

    fn incoming(&mut self, bytes: &[u8]) -> Incoming {
        let end = line(bytes);
        if !self.mid_line_in && b"!%+".contains(&bytes[0]) {
            let Some(len) = end else {
                return Incoming::More;
            };
            let number = std::str::from_utf8(&bytes[1..len - 1])
                .unwrap()
                .parse()
                .ok();
            match (bytes[0], number) {
                (b'!', number) => {
                    return Incoming::Pong {
                        len,
                        answers: number
                            .map_or(Answers::Nothing, |number| Answers::Ping(Seq::new(number))),
                    };
                }
                (b'%', _) => return Incoming::Ping { len },
                (_, number) => self.interval = number,
            }
        }
        self.mid_line_in = end.is_none();
        Incoming::Pass(end.unwrap_or(bytes.len()))
    }

    fn answer(&mut self, buf: &mut BytesMut) {
        buf.extend_from_slice(b"=\n");
    }

    fn reconfigure(&mut self, config: &KeepaliveConfig) -> Option<KeepaliveConfig> {
        let interval = self.interval.take()?;
        Some(config.interval(Duration::from_secs(interval)))
    }
}
