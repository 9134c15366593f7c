//! [`Life`]: the order of one peer's beats.

use crate::seq::Seq;

/// Puts the beats of one peer in order: by its incarnation, then by their numbers.
///
/// Transports lose beats, double them and deliver them late. A beat is fresh when it is the first,
/// when its number is greater than the greatest of its life, or when its life is a later one.
///
/// ```
/// use liveness::Seq;
/// use liveness::detector::{Life, Order};
///
/// let mut life = Life::new();
/// assert_eq!(life.on_beat(1, Seq::new(7)), Order::First);
/// assert_eq!(life.on_beat(1, Seq::new(10)), Order::Next { lost: 2 });
/// assert_eq!(life.on_beat(1, Seq::new(9)), Order::Stale); // late
/// assert_eq!(life.on_beat(2, Seq::new(0)), Order::NewLife { from: 1 });
/// assert_eq!(life.on_beat(1, Seq::new(11)), Order::Stale); // of the life before
/// assert_eq!((life.incarnation(), life.seq()), (Some(2), Some(Seq::new(0))));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Life {
    newest: Option<(u64, Seq)>,
}

/// The place of a beat among those of its peer.
///
/// ```
/// use liveness::Seq;
/// use liveness::detector::{Life, Order};
///
/// let (mut life, mut missing, mut late) = (Life::new(), 0, 0);
/// for seq in [0, 1, 4, 3, 5] {
///     match life.on_beat(1, Seq::new(seq)) {
///         Order::Next { lost } => missing += lost,
///         Order::Stale => late += 1,
///         Order::First | Order::NewLife { .. } => {}
///     }
/// }
/// assert_eq!((missing, late), (2, 1)); // of #2 and #3 one still came
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "first, next, after a restart, or none of them: a closed sum"
)]
pub enum Order {
    /// The first beat of the peer.
    First,
    /// A later beat of the same life.
    Next {
        /// How many beats between this one and the one before did not come, or not yet.
        lost: u64,
    },
    /// The first beat of a later life: the peer restarted.
    NewLife {
        /// The incarnation before.
        from: u64,
    },
    /// A late or doubled beat, or one of an earlier life. It says nothing about the peer's present.
    Stale,
}

impl Life {
    /// A peer that has not beaten yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { newest: None }
    }

    /// The peer's present incarnation; `None` before its first beat.
    #[must_use]
    pub fn incarnation(&self) -> Option<u64> {
        self.newest.map(|(incarnation, _)| incarnation)
    }

    /// The greatest number of the present incarnation; `None` before its first beat.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.newest.map(|(_, seq)| seq)
    }

    /// Takes in the beat `seq` of `incarnation`.
    pub fn on_beat(&mut self, incarnation: u64, seq: Seq) -> Order {
        let order = match self.newest {
            None => Order::First,
            Some((from, _)) if incarnation > from => Order::NewLife { from },
            Some((present, newest)) if incarnation == present && seq > newest => Order::Next {
                lost: seq.value() - newest.value() - 1,
            },
            Some(_) => return Order::Stale,
        };
        self.newest = Some((incarnation, seq));
        order
    }
}
