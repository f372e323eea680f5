//! Decompression of an object's bytes on their way in. (agreed: `decode(ByteStream, Codec) -> ByteStream`)
