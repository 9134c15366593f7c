//! [`Writer`]: the fields of a packet that is encoded, in order.

use bytes::{BufMut, BytesMut};

use super::{MqttError, PacketType};

/// The largest remaining length: four groups of seven bits.
pub(super) const LONGEST: usize = 0x0fff_ffff;

/// The body of a packet that is encoded.
#[derive(Debug)]
pub(super) struct Writer {
    packet: PacketType,
    body: BytesMut,
}

impl Writer {
    pub(super) fn new(packet: PacketType) -> Self {
        Self {
            packet,
            body: BytesMut::new(),
        }
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.body.put_u8(value);
    }

    pub(super) fn two(&mut self, value: u16) {
        self.body.put_u16(value);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.body.put_slice(bytes);
    }

    /// Bytes behind a length of two.
    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<(), MqttError> {
        let size = u16::try_from(bytes.len())
            .map_err(|_| self.unencodable(bytes.len(), usize::from(u16::MAX)))?;
        self.two(size);
        self.raw(bytes);
        Ok(())
    }

    /// A property with a number of four bytes, when there is one.
    pub(super) fn number(&mut self, id: u8, value: Option<u32>) {
        if let Some(value) = value {
            self.byte(id);
            self.body.put_u32(value);
        }
    }

    /// A property with text, when there is one.
    pub(super) fn text(&mut self, id: u8, value: Option<&str>) -> Result<(), MqttError> {
        let Some(text) = value else { return Ok(()) };
        self.byte(id);
        self.data(text.as_bytes())
    }

    /// Properties behind their length.
    pub(super) fn properties(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), MqttError>,
    ) -> Result<(), MqttError> {
        let mut block = Self::new(self.packet);
        write(&mut block)?;
        let size = self.length(block.body.len())?;
        put_varint(&mut self.body, size);
        self.body.unsplit(block.body);
        Ok(())
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The size of the fixed header that belongs to the body.
    pub(super) fn header_len(&self) -> u8 {
        varint_len(self.body.len() as u32) + 1
    }

    /// The fixed header, then the body. Nothing is written when the body is too long for a packet.
    pub(super) fn finish(self, flags: u8, out: &mut BytesMut) -> Result<(), MqttError> {
        let size = self.length(self.body.len())?;
        out.reserve(self.body.len().saturating_add(5));
        out.put_u8((self.packet as u8) << 4 | flags);
        put_varint(out, size);
        out.put_slice(&self.body);
        Ok(())
    }

    fn length(&self, size: usize) -> Result<u32, MqttError> {
        if size > LONGEST {
            return Err(self.unencodable(size, LONGEST));
        }
        Ok(size as u32)
    }

    const fn unencodable(&self, size: usize, most: usize) -> MqttError {
        MqttError::Unencodable {
            packet: self.packet,
            size,
            most,
        }
    }
}

/// `value` in its shortest form, as [MQTT-1.5.5-1] of MQTT 5 demands.
fn put_varint(out: &mut BytesMut, mut value: u32) {
    while value > 0x7f {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// How many bytes the shortest form of `value` has.
pub(super) const fn varint_len(value: u32) -> u8 {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x001f_ffff => 3,
        _ => 4,
    }
}
