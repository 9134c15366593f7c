//! [`End`]: how a connection is over, for the two halves that have to say so.

use super::error::Error;
use crate::flood::Flooded;
use crate::keepalive::Dead;

/// Whether, and how, the stream is over. A tag of its own, since every call asks first whether it is
/// open: without one that is worked out from the niches of the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    Open,
    /// The verdict was passed; whether the stream has told it yet.
    Dead {
        dead: Dead,
        told: bool,
    },
    Flooded(Flooded),
    Eof,
}

impl End {
    /// What the sending side says.
    #[inline]
    pub(super) fn check<E>(&self) -> Result<(), Error<E>> {
        match self {
            Self::Open | Self::Eof => Ok(()),
            Self::Dead { dead, .. } => Err(Error::Dead(*dead)),
            Self::Flooded(flooded) => Err(Error::Flooded(*flooded)),
        }
    }
}
