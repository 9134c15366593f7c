//! [`verdict`]: the verdict inside an error.

use std::error::Error;
use std::io;

use crate::keepalive::Dead;

/// The [`Dead`] inside an error, however it is wrapped: by an [`io::Error`], by the error of a library
/// that holds one, and so on along its [sources](Error::source). `None` if there is none.
///
/// ```
/// use std::io;
/// use liveness::io::verdict;
/// # use std::time::{Duration, Instant};
/// # use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
/// # let start = Instant::now();
/// # let config = KeepaliveConfig::off().silence(Duration::from_secs(9));
/// # let Some(KeepaliveEvent::Dead(dead)) = Keepalive::new(config, start)?.handle_timeout(start + Duration::from_secs(9)) else { panic!() };
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("library: {0}")]
/// struct LibraryError(#[from] io::Error);
///
/// let error = LibraryError(io::Error::new(io::ErrorKind::TimedOut, dead));
/// assert_eq!(verdict(&error), Some(dead));
/// assert_eq!(verdict(&io::Error::from(io::ErrorKind::TimedOut)), None);
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[must_use]
pub fn verdict(error: &(dyn Error + 'static)) -> Option<Dead> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(dead) = error.downcast_ref::<Dead>() {
            return Some(*dead);
        }
        // An `io::Error` passes over what it holds and gives that one's source.
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}
