//! Streaming decompression of objects: gzip with any number of members, Zstandard with any number of frames.
//!
//! Memory is constant for any compression ratio: a poll gives at most [`OUTPUT_BYTES`], besides one chunk of input and
//! the decoder's window (32 KiB for gzip, at most 128 MiB for Zstandard; larger windows are refused). Data that ends
//! within a member, an empty object included, is an error, never a silent end.

use std::io;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::manifest::Codec;
use crate::store::{ByteStream, ErrorKind, StoreError};

/// The most decoded bytes in one chunk.
pub(crate) const OUTPUT_BYTES: usize = 64 * 1024;

/// zstd's message for a frame with a window above the limit.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// Decompresses `stream`; `name` is the key or path that errors contain.
///
/// Errors of `stream` are passed on unchanged. Damaged or truncated data gives [`ErrorKind::Corrupt`]. The stream ends
/// after its first error.
pub(crate) fn decode(stream: ByteStream, codec: Codec, name: &str) -> ByteStream {
    match codec {
        Codec::None => stream,
        Codec::Gzip => {
            let mut decoder = GzipDecoder::new(StreamReader::new(stream.map_err(io::Error::other)));
            decoder.multiple_members(true);
            chunks(decoder, "gzip", name)
        }
        Codec::Zstd => {
            let mut decoder = ZstdDecoder::new(StreamReader::new(stream.map_err(io::Error::other)));
            decoder.multiple_members(true);
            chunks(decoder, "zstd", name)
        }
    }
}

fn chunks(decoder: impl AsyncRead + Send + 'static, form: &'static str, name: &str) -> ByteStream {
    let name = name.to_owned();
    ReaderStream::with_capacity(decoder, OUTPUT_BYTES).map_err(move |error| store_error(error, form, &name)).boxed()
}

/// Unwraps an error of the underlying stream; any other error is the decoder's.
fn store_error(error: io::Error, form: &str, name: &str) -> StoreError {
    match error.downcast::<StoreError>() {
        Ok(error) => error,
        Err(error) => {
            let detail = match error.kind() {
                io::ErrorKind::UnexpectedEof => format!("its {form} data is cut off; fetch it again or write it anew"),
                // zstd's errors differ only in their text.
                _ if error.to_string() == WINDOW_TOO_LARGE => {
                    format!("its {form} window is larger than 128 MiB; compress it again with at most --long=27")
                }
                _ => format!("its {form} data is damaged; fetch it again or write it anew"),
            };
            StoreError::new(ErrorKind::Corrupt, format!("decompress {name}"), detail).with_source(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use bytes::Bytes;
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    fn compress(bytes: &[u8], codec: Codec) -> Vec<u8> {
        match codec {
            Codec::None => bytes.to_vec(),
            Codec::Gzip => gzip(bytes),
            Codec::Zstd => zstd::encode_all(bytes, 1).expect("memory takes it"),
        }
    }

    fn stream_of(bytes: &[u8], chunk: usize) -> ByteStream {
        let chunks: Vec<_> = bytes.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        stream::iter(chunks).boxed()
    }

    /// All that comes before the end or the first error, and that error. No chunk may be larger than promised.
    fn read(stream: ByteStream) -> (Vec<u8>, Option<StoreError>) {
        futures_util::FutureExt::now_or_never(stream.fold((Vec::new(), None), async |(mut bytes, error), chunk| {
            assert!(error.is_none(), "the stream went on after an error");
            match chunk {
                Ok(chunk) => {
                    assert!(chunk.len() <= OUTPUT_BYTES);
                    bytes.extend_from_slice(&chunk);
                    (bytes, None)
                }
                Err(error) => (bytes, Some(error)),
            }
        }))
        .expect("a stream from memory never waits")
    }

    fn codecs() -> impl Strategy<Value = Codec> {
        prop::sample::select(vec![Codec::Gzip, Codec::Zstd])
    }

    proptest! {
        #[test]
        fn any_number_of_members_in_any_chunks_reads_back(
            members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
            codec in codecs(), chunk in 1usize..400,
        ) {
            let wire: Vec<u8> = members.iter().flat_map(|member| compress(member, codec)).collect();
            let (bytes, error) = read(decode(stream_of(&wire, chunk), codec, "a.gz"));
            prop_assert!(error.is_none(), "{error:?}");
            prop_assert_eq!(bytes, members.concat());
        }

        #[test]
        fn cut_off_data_is_an_error_that_names_the_object(
            text in "[a-z]{0,300}", before in any::<bool>(), codec in codecs(), chunk in 1usize..400,
            cut in any::<prop::sample::Index>(),
        ) {
            let mut wire = if before { compress(b"whole\n", codec) } else { Vec::new() };
            let member = compress(text.as_bytes(), codec);
            // At the border between two members nothing is missing.
            let cut = cut.index(member.len()).max(usize::from(before));
            wire.extend_from_slice(&member[..cut]);
            let (bytes, error) = read(decode(stream_of(&wire, chunk), codec, "11-22-05/tweets.1.json.gz"));
            let error = error.expect("cut off data ended silently");
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
            prop_assert!(error.to_string().contains("11-22-05/tweets.1.json.gz"), "{}", error);
            let whole = if before { format!("whole\n{text}") } else { text };
            prop_assert!(whole.as_bytes().starts_with(&bytes));
        }
    }

    #[test]
    fn damaged_data_is_an_error() {
        let mut wrong_crc = gzip(b"hello");
        let crc_at = wrong_crc.len() - 8;
        wrong_crc[crc_at] ^= 1;
        for (wire, codec) in [
            (wrong_crc, Codec::Gzip),
            (b"plain text\n".to_vec(), Codec::Gzip),
            ([gzip(b"hello"), b"rest".to_vec()].concat(), Codec::Gzip),
            (b"plain text\n".to_vec(), Codec::Zstd),
        ] {
            let (_, error) = read(decode(stream_of(&wire, 7), codec, "x"));
            assert_eq!(error.expect("damaged data was read").kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn a_window_is_held_up_to_128_mib_and_refused_by_name_above() {
        // Without a length in the frame the window is what the encoder was given.
        let frame = |log: u32| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory takes it");
            encoder.window_log(log).expect("zstd knows it");
            encoder.write_all(b"hello\n").expect("memory takes it");
            encoder.finish().expect("memory takes it")
        };
        let (bytes, error) = read(decode(stream_of(&frame(27), 7), Codec::Zstd, "x"));
        assert_eq!((bytes.as_slice(), error.map(|error| error.to_string())), (&b"hello\n"[..], None));
        for log in [28, 31] {
            let (bytes, error) = read(decode(stream_of(&frame(log), 7), Codec::Zstd, "11-22-05/tweets.1.json.zst"));
            let error = error.expect("a huge window was held");
            assert_eq!((bytes.len(), error.kind()), (0, ErrorKind::Corrupt));
            let text = error.to_string();
            assert!(text.contains("11-22-05/tweets.1.json.zst") && text.contains("larger than 128 MiB"), "{text}");
        }
    }

    #[test]
    fn an_error_of_the_store_stays_what_it_is() {
        for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
            let wire = compress(b"hello", codec);
            let broken = StoreError::new(ErrorKind::Timeout, "read x", "the connection broke");
            let stream = stream_of(&wire[..wire.len() - 1], 3).chain(stream::iter([Err(broken)])).boxed();
            let (_, error) = read(decode(stream, codec, "x"));
            let error = error.expect("the break was hidden");
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::Timeout, "read x: the connection broke")
            );
        }
    }

    #[test]
    fn a_bomb_is_read_no_faster_than_it_is_asked_for() {
        const ZEROS: u64 = 1 << 30;
        for codec in [Codec::Gzip, Codec::Zstd] {
            let mut wire = Vec::new();
            let zeros = io::repeat(0).take(ZEROS / 16);
            match codec {
                Codec::Gzip => {
                    let mut encoder = flate2::write::GzEncoder::new(&mut wire, flate2::Compression::fast());
                    io::copy(&mut { zeros }, &mut encoder).expect("memory takes it");
                    encoder.finish().expect("memory takes it");
                }
                _ => zstd::stream::copy_encode(zeros, &mut wire, 1).expect("memory takes it"),
            }
            // Sixteen members in a row, each 64 MiB of zeros.
            let taken = Arc::new(AtomicU64::new(0));
            let counter = Arc::clone(&taken);
            let chunks: Vec<Bytes> = wire.chunks(512).map(Bytes::copy_from_slice).collect();
            let input = stream::iter((0..16).flat_map(move |_| chunks.clone()).map(Ok))
                .inspect(move |_| {
                    counter.fetch_add(1, Ordering::Relaxed);
                })
                .boxed();
            let mut output = decode(input, codec, "bomb");
            let first = futures_util::FutureExt::now_or_never(output.next()).expect("ready").expect("a chunk");
            assert!(first.expect("readable").len() <= OUTPUT_BYTES);
            assert!(taken.load(Ordering::Relaxed) <= 4, "the input was read ahead");
            let rest = futures_util::FutureExt::now_or_never(output.fold(0u64, async |bytes, chunk| {
                let chunk = chunk.expect("readable");
                assert!(chunk.len() <= OUTPUT_BYTES);
                bytes + chunk.len() as u64
            }));
            assert!(rest.expect("ready") > ZEROS - 2 * OUTPUT_BYTES as u64);
        }
    }
}
