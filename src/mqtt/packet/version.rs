//! [`Version`]: the three versions of MQTT.

use std::fmt;

/// A version of MQTT.
///
/// ```
/// use liveness::mqtt::{Scanner, Version};
///
/// // A client of the year 2010.
/// let mut scanner = Scanner::from_client();
/// scanner.scan(b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01c")?;
/// let version = scanner.version().unwrap();
/// assert_eq!(version, Version::V3_1);
/// assert!(version < Version::V5, "it knows no reason codes");
/// assert_eq!(version.to_string(), "MQTT 3.1");
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the three versions on the wire: a closed sum"
)]
pub enum Version {
    /// 3.1: protocol name `MQIsdp`, level 3.
    V3_1,
    /// 3.1.1: protocol name `MQTT`, level 4.
    V3_1_1,
    /// 5: protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    pub(in crate::mqtt) const fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "MQIsdp",
            Self::V3_1_1 | Self::V5 => "MQTT",
        }
    }

    pub(in crate::mqtt) const fn level(self) -> u8 {
        match self {
            Self::V3_1 => 3,
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_1 => "MQTT 3.1",
            Self::V3_1_1 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        })
    }
}
