//! [`Front`]: the fields of CONNECT and CONNACK that keep alive needs, read in constant space.
//!
//! A CONNECT may be as large as its will, and a CONNACK as large as its properties. Keep alive
//! needs two bytes of each, so no more than one field at a time is kept.

use super::PacketType;
use super::connect::Connect;
use super::read::{self, Kind, Reader};

/// The longest field that is kept: name, level, flags and keep alive of a CONNECT of version 3.1.
const LONGEST: usize = 2 + 6 + 1 + 1 + 2;

/// Reads along with one packet behind its first byte.
#[derive(Debug, Clone, Copy)]
pub(in crate::mqtt) struct Front {
    held: [u8; LONGEST],
    len: u8,
    field: Field,
    /// How many bytes there are before the next field.
    skip: u16,
    /// The field that follows the remaining length.
    first: Field,
    found: Option<Found>,
}

/// The fields that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mqtt) enum Found {
    Connect {
        keep_alive: u16,
    },
    ConnAck {
        code: u8,
        server_keep_alive: Option<u16>,
    },
}

/// The field that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    RemainingLength,
    /// Name, level, flags and keep alive of a CONNECT.
    Name,
    /// Flags and code of a CONNACK.
    Code,
    PropertyLength,
    Property,
    /// The value of a user property.
    UserValue,
    /// None that matters, or none that can be read.
    None,
}

impl Front {
    pub(in crate::mqtt) const fn connect() -> Self {
        Self::new(Field::Name)
    }

    pub(in crate::mqtt) const fn connack() -> Self {
        Self::new(Field::Code)
    }

    const fn new(first: Field) -> Self {
        Self {
            held: [0; LONGEST],
            len: 0,
            field: Field::RemainingLength,
            skip: 0,
            first,
            found: None,
        }
    }

    /// The fields, once the packet has ended; `None` if it is not what it should be.
    pub(in crate::mqtt) const fn found(&self) -> Option<Found> {
        self.found
    }

    /// Takes bytes of the packet, in any chunking.
    pub(in crate::mqtt) fn follow(&mut self, mut bytes: &[u8]) {
        while let (&[byte, ref rest @ ..], true) = (bytes, self.field != Field::None) {
            if self.skip > 0 {
                let skipped = bytes.len().min(usize::from(self.skip));
                self.skip -= skipped as u16;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.held.get_mut(usize::from(self.len)) {
                *place = byte;
                self.len += 1;
            }
            bytes = rest;
            if let Some((field, skip)) = self.read() {
                (self.field, self.skip, self.len) = (field, skip, 0);
            }
        }
    }

    /// Reads the field that is held. Once it is whole: the next one, and the bytes before it.
    fn read(&mut self) -> Option<(Field, u16)> {
        let held = self.held.get(..usize::from(self.len)).unwrap_or_default();
        let next = match (self.field, held) {
            (Field::RemainingLength | Field::PropertyLength, &[.., last]) => {
                let is_last = last & 0x80 == 0;
                let next = match self.field {
                    Field::RemainingLength => self.first,
                    _ => Field::Property,
                };
                // The length itself is of no use: the borders know it.
                (if is_last { next } else { self.field }, 0)
            }
            (Field::Name, &[high, low, ..]) => {
                let size = usize::from(u16::from_be_bytes([high, low]));
                if size + 6 > LONGEST {
                    return Some((Field::None, 0));
                }
                if held.len() < size + 6 {
                    return None;
                }
                self.found = keep_alive(held).map(|keep_alive| Found::Connect { keep_alive });
                (Field::None, 0)
            }
            (Field::Code, &[_, code]) => {
                self.found = Some(Found::ConnAck {
                    code,
                    server_keep_alive: None,
                });
                (Field::PropertyLength, 0)
            }
            (Field::Property, &[id, ref value @ ..]) => {
                let Some(kind) = Kind::of(id) else {
                    return Some((Field::None, 0));
                };
                match (kind, value) {
                    (Kind::Two, &[high, low]) if id == read::SERVER_KEEP_ALIVE => {
                        if let Some(Found::ConnAck {
                            server_keep_alive, ..
                        }) = &mut self.found
                        {
                            *server_keep_alive = Some(u16::from_be_bytes([high, low]));
                        }
                        (Field::Property, 0)
                    }
                    (Kind::Small, [_]) | (Kind::Two, [_, _]) | (Kind::Four, [_, _, _, _]) => {
                        (Field::Property, 0)
                    }
                    (Kind::Data | Kind::Text, &[high, low]) => {
                        (Field::Property, u16::from_be_bytes([high, low]))
                    }
                    (Kind::Pair, &[high, low]) => {
                        (Field::UserValue, u16::from_be_bytes([high, low]))
                    }
                    _ => return None,
                }
            }
            (Field::UserValue, &[high, low]) => (Field::Property, u16::from_be_bytes([high, low])),
            _ => return None,
        };
        Some(next)
    }
}

/// The keep alive behind name, level and flags of a CONNECT; `None` if it is none.
fn keep_alive(front: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(PacketType::Connect, None, 0, front);
    Connect::decode_level(&mut reader).ok()?;
    reader.byte().ok()?;
    reader.two().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mut front: Front, packet: &[u8], step: usize) -> Option<Found> {
        packet[1..]
            .chunks(step)
            .for_each(|chunk| front.follow(chunk));
        front.found()
    }

    #[test]
    fn every_property_is_stepped_over_in_any_chunking() {
        // One of each encoding, then a Server Keep Alive of 258 s, then another.
        let ack = b"\x20\x25\x00\x00\x22\x24\x01\x22\x00\x05\x11\x00\x00\x00\x09\x16\x00\x01x\
                    \x12\x00\x02id\x26\x00\x01k\x00\x02vv\x13\x01\x02\x29\x01";
        for step in 1..ack.len() {
            let server_keep_alive = Some(258);
            assert_eq!(
                found(Front::connack(), ack, step),
                Some(Found::ConnAck {
                    code: 0,
                    server_keep_alive
                }),
                "step {step}"
            );
        }
    }

    #[test]
    fn a_short_connack_has_a_code_and_no_more() {
        let server_keep_alive = None;
        let refused = Some(Found::ConnAck {
            code: 5,
            server_keep_alive,
        });
        assert_eq!(found(Front::connack(), b"\x20\x02\x00\x05", 1), refused);
        // A property that nobody knows ends the reading.
        let unknown = b"\x20\x07\x00\x05\x04\x7f\x13\x00\x0a";
        assert_eq!(found(Front::connack(), unknown, 1), refused);
        assert_eq!(found(Front::connack(), b"\x20\x01\x00", 1), None);
    }

    #[test]
    fn a_connect_is_known_by_its_name_and_level() {
        let cases = [
            (
                &b"\x10\x0d\x00\x04MQTT\x04\x02\x01\x02\x00\x01c"[..],
                Some(258),
            ),
            (
                b"\x10\x8f\x00\x00\x06MQIsdp\x83\x02\x00\x01\x00\x01c",
                Some(1),
            ),
            (b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00", Some(0)),
            (b"\x10\x0d\x00\x04MQTT\x06\x02\x01\x02\x00\x01c", None),
            (b"\x10\x0d\x00\x04MQXX\x04\x02\x01\x02\x00\x01c", None),
            (b"\x10\x0d\xff\xffMQTT\x04\x02\x01\x02\x00\x01c", None),
            (b"\x10\x09\x00\x04MQTT\x04\x02\x01", None),
        ];
        for (connect, keep_alive) in cases {
            for step in 1..connect.len() {
                let expected = keep_alive.map(|keep_alive| Found::Connect { keep_alive });
                assert_eq!(
                    found(Front::connect(), connect, step),
                    expected,
                    "{connect:x?}"
                );
            }
        }
    }
}
