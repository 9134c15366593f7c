//! [`Word`]: four bytes that say whose a place is, and how that peer stands.

use std::num::NonZeroU32;

use crate::detector::Status;

/// Bits 0 and 1: vacant, alive, suspect, dead. Bit 2: this silence was forgiven. The
/// rest: the generation, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u32);

const STATUS: u32 = 0b11;
const FORGIVEN: u32 = 0b100;
const SHIFT: u32 = 3;

/// After so many peers a place is given to nobody any more, so that no key comes twice.
const LAST_GENERATION: u32 = u32::MAX >> SHIFT;

impl Word {
    pub(super) const fn vacant(generation: NonZeroU32) -> Self {
        Self(generation.get() << SHIFT)
    }

    pub(super) const fn alive(generation: NonZeroU32) -> Self {
        Self(generation.get() << SHIFT | 1)
    }

    /// The generation; `None` cannot be, for it begins at 1 and only grows.
    pub(super) const fn generation(self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.0 >> SHIFT)
    }

    /// How the peer stands; `None` for a vacant place.
    pub(super) const fn status(self) -> Option<Status> {
        match self.0 & STATUS {
            1 => Some(Status::Alive),
            2 => Some(Status::Suspect),
            3 => Some(Status::Dead),
            _ => None,
        }
    }

    /// The same peer, in another status.
    pub(super) const fn with(self, status: Status) -> Self {
        let bits = match status {
            Status::Alive => 1,
            Status::Suspect => 2,
            Status::Dead => 3,
        };
        Self(self.0 & !STATUS | bits)
    }

    pub(super) const fn is_forgiven(self) -> bool {
        self.0 & FORGIVEN != 0
    }

    pub(super) const fn forgiven(self) -> Self {
        Self(self.0 | FORGIVEN)
    }

    /// The place after its peer was removed, for the next one; `None` when there will be none.
    pub(super) fn next(self) -> Option<Self> {
        let generation = self.generation()?;
        let next = generation.checked_add(1)?;
        (next.get() <= LAST_GENERATION).then(|| Self::vacant(next))
    }

    /// The place after its last peer.
    pub(super) const fn retired() -> Self {
        Self(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_retired_before_a_key_comes_twice() {
        let last = NonZeroU32::new(LAST_GENERATION).expect("not zero");
        assert_eq!(Word::alive(last).generation(), Some(last));
        assert_eq!(Word::alive(last).next(), None);
        assert_eq!(Word::retired().status(), None);
        let first = Word::alive(NonZeroU32::MIN).with(Status::Dead).forgiven();
        let next = first.next().expect("there is a second");
        assert_eq!(next.generation(), NonZeroU32::new(2));
        assert!(!next.is_forgiven());
    }
}
