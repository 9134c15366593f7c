//! [`End`]: why nothing works any more, for every read and write after it.

use std::io;

use crate::error::ConfigError;
use crate::keepalive::Dead;

#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Dead(Dead),
    /// The wire changed the configuration to one that cannot work.
    Config(ConfigError),
}

impl From<End> for io::Error {
    fn from(end: End) -> Self {
        match end {
            End::Dead(dead) => Self::new(io::ErrorKind::TimedOut, dead),
            End::Config(error) => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}
