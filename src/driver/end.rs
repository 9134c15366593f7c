//! [`End`]: how a connection is over, for the two halves that have to say so.

/// Whether, and how, a connection is over. `X` is what can end it beside a verdict.
#[derive(Debug)]
pub(crate) enum End<X> {
    Open,
    /// The verdict was passed; whether the reading side has told it yet.
    Dead {
        told: bool,
    },
    /// The peer has ended it, or the transport has failed.
    Over,
    Other(Box<X>),
}

impl<X> End<X> {
    #[inline]
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}
