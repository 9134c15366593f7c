//! [`Inbox`]: sorts what comes in, and keeps the few bytes that nobody can have yet.

use crate::io::wire::{Incoming, MOST_HELD, Wire};
use crate::seq::Answers;

use crate::io::adapt::Room;

/// How much is read at once while bytes are held back.
const TOP_UP: usize = 256;

/// What the [`Wire`] has seen that is for this layer.
pub(super) enum TakenOut {
    Pong(Answers),
    Ping,
}

/// Bytes on their way to the user: first those that are theirs and found no room, then those that
/// are held back because they may be a heartbeat. Never more than `MOST_HELD + TOP_UP`, and no
/// memory at all before the first is held.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// How many of the bytes the user has had.
    served: usize,
    /// How many of the bytes are the user's, served or not.
    ready: usize,
}

impl Inbox {
    /// Whether bytes are held back, so that what comes next belongs behind them.
    #[inline]
    pub(super) fn is_holding(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Gives the user what is theirs; returns whether there was any.
    #[inline]
    pub(super) fn serve(&mut self, room: &mut impl Room) -> bool {
        if self.served == self.ready {
            return false;
        }
        self.served += room.put(&self.bytes[self.served..self.ready]);
        if self.served == self.ready {
            self.bytes.drain(..self.ready);
            (self.served, self.ready) = (0, 0);
        }
        true
    }

    /// Sorts bytes that came in while nothing was held: returns how many are the user's, moved to
    /// the front. What is undecided goes into the inbox.
    pub(super) fn admit<W: Wire>(
        &mut self,
        wire: &mut W,
        fresh: &mut [u8],
        heard: &mut impl FnMut(TakenOut),
    ) -> usize {
        let sorted = sort(wire, fresh, heard);
        self.bytes
            .extend_from_slice(&fresh[fresh.len() - sorted.held..]);
        sorted.kept
    }

    /// Reads behind the bytes that are held, by `read`, and sorts them again.
    pub(super) fn top_up<W: Wire, P>(
        &mut self,
        wire: &mut W,
        heard: &mut impl FnMut(TakenOut),
        read: impl FnOnce(&mut [u8]) -> Result<usize, P>,
    ) -> Result<usize, P> {
        let mut fresh = [0; TOP_UP];
        let count = read(&mut fresh)?;
        self.bytes.extend_from_slice(&fresh[..count]);
        if count > 0 {
            let sorted = sort(wire, &mut self.bytes, heard);
            let undecided = self.bytes.len() - sorted.held;
            self.bytes.drain(sorted.kept..undecided);
            self.ready = sorted.kept;
        }
        Ok(count)
    }

    /// The stream has ended: what is held back is the user's.
    pub(super) fn release(&mut self) {
        self.ready = self.bytes.len();
    }
}

struct Sorted {
    /// How many bytes are the user's, at the front now.
    kept: usize,
    /// How many are undecided, at the end.
    held: usize,
}

/// Takes the heartbeats out of `bytes`.
fn sort<W: Wire>(wire: &mut W, bytes: &mut [u8], heard: &mut impl FnMut(TakenOut)) -> Sorted {
    let (mut kept, mut seen) = (0, 0);
    while seen < bytes.len() {
        let rest = bytes.len() - seen;
        let whole = |len: usize| if len == 0 { rest } else { len.min(rest) };
        let pass = match wire.incoming(&bytes[seen..]) {
            Incoming::Pass(len) => whole(len),
            Incoming::Pong { len, answers } => {
                seen += whole(len);
                heard(TakenOut::Pong(answers));
                continue;
            }
            Incoming::Ping { len } => {
                seen += whole(len);
                heard(TakenOut::Ping);
                continue;
            }
            Incoming::More if rest < MOST_HELD => return Sorted { kept, held: rest },
            Incoming::More => rest,
        };
        if kept != seen {
            bytes.copy_within(seen..seen + pass, kept);
        }
        kept += pass;
        seen += pass;
    }
    Sorted { kept, held: 0 }
}
