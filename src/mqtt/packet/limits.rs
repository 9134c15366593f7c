//! [`Limits`]: how much a peer may send at once.

use super::write::LONGEST;

/// How much a peer may send at once.
///
/// The fields are public; each has a setter of the same name.
///
/// ```
/// use liveness::mqtt::{Limits, Scanner};
///
/// const SMALL: Limits = Limits::new().packet(64 * 1024).kept(100);
/// let mut scanner = Scanner::from_client().limits(SMALL);
/// // The announcement is enough: nothing of the packet is buffered.
/// assert_eq!(
///     scanner.scan(&[0x10, 0x7f]).unwrap_err().to_string(),
///     "CONNECT: 129 bytes announced, the limit is 100 (MQTT 5 reason code 0x95)",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest packet, in bytes with its fixed header: the Maximum Packet Size of version 5.
    /// Default 268 435 460, the largest that MQTT can express.
    pub packet: u32,
    /// The largest CONNECT, CONNACK or DISCONNECT, in bytes with its fixed header. Default 384 KiB:
    /// the five fields of a CONNECT take 327 699 bytes at their longest.
    ///
    /// These three are kept until they can be decoded. So this bounds the memory of a scanner: at
    /// most twice this limit, and at most twice what the peer really sent.
    pub kept: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// Any packet that MQTT can express; of those that are kept, 384 KiB.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            packet: LONGEST as u32 + 5,
            kept: 384 * 1024,
        }
    }

    /// Sets [`packet`](Self#structfield.packet).
    #[must_use]
    pub const fn packet(mut self, bytes: u32) -> Self {
        self.packet = bytes;
        self
    }

    /// Sets [`kept`](Self#structfield.kept).
    #[must_use]
    pub const fn kept(mut self, bytes: u32) -> Self {
        self.kept = bytes;
        self
    }

    /// The limit for a packet that is kept to be decoded.
    pub(super) const fn for_kept(self) -> u32 {
        if self.kept < self.packet {
            self.kept
        } else {
            self.packet
        }
    }
}
