//! CRC-64/NVME, the checksum by which readers notice that an object is not what its manifest says.
//!
//! It is the one that S3 computes and keeps by default, so a manifest's value can be compared with what S3 itself tells of an
//! object (`x-amz-checksum-crc64nvme`), and it is so fast that checking what is read anyway costs next to nothing. It
//! finds damage, not forgery: [`verify`](crate::verify) compares SHA-256.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A CRC-64/NVME. Its text is S3's: base64 of its eight bytes, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crc64(u64);

/// A text that is no CRC-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a CRC-64 is eight bytes in base64, such as \"AAAAAAAAAAA=\"")]
pub struct Crc64Error;

impl Crc64 {
    /// The CRC-64 of these bytes.
    pub fn of(bytes: &[u8]) -> Crc64 {
        Crc64(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes))
    }
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.to_be_bytes()))
    }
}

impl FromStr for Crc64 {
    type Err = Crc64Error;

    fn from_str(text: &str) -> Result<Crc64, Crc64Error> {
        let bytes = STANDARD.decode(text).map_err(|_| Crc64Error)?;
        Ok(Crc64(u64::from_be_bytes(bytes.try_into().map_err(|_| Crc64Error)?)))
    }
}

impl Serialize for Crc64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Crc64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Crc64, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Crc64)
        }
    }
}

/// A CRC-64 of bytes that come in pieces.
#[derive(Debug, Clone, Copy)]
pub struct Crc64Hasher(Digest);

impl Default for Crc64Hasher {
    fn default() -> Crc64Hasher {
        Crc64Hasher(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl Crc64Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The CRC-64 of all bytes so far.
    pub fn finish(&self) -> Crc64 {
        Crc64(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_the_checksum_that_s3_computes() {
        // The check value of the algorithm's catalogue, and what S3 tells of an empty object.
        assert_eq!(Crc64::of(b"123456789"), Crc64(0xae8b_1486_0a79_9888));
        assert_eq!(Crc64::of(b"").to_string(), "AAAAAAAAAAA=");
    }

    #[test]
    fn a_text_that_is_no_checksum_is_refused() {
        for bad in ["", "AAAA", "AAAAAAAAAAAA", "AAAAAAAAAAA", "!!!!!!!!!!!=", "AAAAAAAAAAAAAAAA"] {
            assert_eq!(bad.parse::<Crc64>(), Err(Crc64Error), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in any::<prop::sample::Index>()) {
            let at = at.index(bytes.len() + 1);
            let mut hasher = Crc64Hasher::default();
            hasher.update(&bytes[..at]);
            hasher.update(&bytes[at..]);
            prop_assert_eq!(hasher.finish(), Crc64::of(&bytes));
        }

        #[test]
        fn a_checksum_is_written_and_read_back(bits in any::<u64>()) {
            let crc = Crc64(bits);
            prop_assert_eq!(crc.to_string().parse(), Ok(crc));
            let json = serde_json::to_string(&crc).expect("it is a string");
            prop_assert_eq!(serde_json::from_str::<Crc64>(&json).expect("it is one"), crc);
        }
    }
}
