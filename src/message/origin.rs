//! [`Origin`]: the name of the peer that beats.

use std::borrow::Borrow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::error::ConfigError;

/// The name of the peer that beats: text of at most [255 bytes](Self::MAX_BYTES), whatever your
/// system calls a node by.
///
/// A clone costs one counter. The empty name, [`Origin::default`], is for links where the peer is
/// known anyway.
///
/// ```
/// use liveness::heartbeat::Origin;
///
/// let origin = Origin::new("billing-7")?;
/// assert_eq!(origin.as_str(), "billing-7");
/// assert_eq!(
///     Origin::new(&"x".repeat(256)).unwrap_err().to_string(),
///     "bytes of origin (256) is outside 0..=255",
/// );
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The longest name, in bytes of UTF-8: its length is one byte on the wire.
    pub const MAX_BYTES: usize = u8::MAX as usize;

    /// The name `name`.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] when it is longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        if name.len() > Self::MAX_BYTES {
            return Err(ConfigError::OutOfRange {
                name: "bytes of origin",
                value: name.len() as u64,
                least: 0,
                most: Self::MAX_BYTES as u64,
            });
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Origin {
    type Error = ConfigError;

    fn try_from(name: &str) -> Result<Self, ConfigError> {
        Self::new(name)
    }
}

impl From<SocketAddr> for Origin {
    /// An address is never too long for a name.
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl AsRef<str> for Origin {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Origin {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
