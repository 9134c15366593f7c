//! [`TcpCodec`] for the `Framed` types of `tokio_util` and `asynchronous_codec`.

use bytes::BytesMut;

use super::{Frame, FrameError, TcpCodec};
use crate::message::Payload;

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl<P: Payload> tokio_util::codec::Decoder for TcpCodec<P> {
    type Item = Frame<P>;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame<P>>, FrameError> {
        Ok(Self::decode(self, src)?)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame<P>>, FrameError> {
        Ok(Self::decode_eof(self, src)?)
    }
}

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl<P: Payload> tokio_util::codec::Encoder<Frame<P>> for TcpCodec<P> {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame<P>, dst: &mut BytesMut) -> Result<(), FrameError> {
        Ok(Self::encode(self, &frame, dst)?)
    }
}

#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
impl<P: Payload> asynchronous_codec::Decoder for TcpCodec<P> {
    type Item = Frame<P>;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame<P>>, FrameError> {
        Ok(Self::decode(self, src)?)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame<P>>, FrameError> {
        Ok(Self::decode_eof(self, src)?)
    }
}

#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
impl<P: Payload> asynchronous_codec::Encoder for TcpCodec<P> {
    type Item<'a> = Frame<P>;
    type Error = FrameError;

    fn encode(&mut self, frame: Frame<P>, dst: &mut BytesMut) -> Result<(), FrameError> {
        Ok(Self::encode(self, &frame, dst)?)
    }
}
