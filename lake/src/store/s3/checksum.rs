//! The checksum that goes along with a put: CRC-64/NVME, or the one that the options name.

use std::fmt;
use std::str::FromStr;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};

/// An algorithm that S3 compares, keeps and tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// The fastest, and the one that manifests list.
    #[default]
    Crc64Nvme,
    /// The oldest of S3's.
    Crc32,
    /// Castagnoli's.
    Crc32c,
    /// Of an object that goes up in parts, S3 keeps a hash of the parts' hashes.
    Sha256,
}

impl Algorithm {
    /// The names by which S3 knows them.
    pub const NAMES: &'static [&'static str] = &["CRC64NVME", "CRC32", "CRC32C", "SHA256"];
    const ALL: [Algorithm; 4] = [Algorithm::Crc64Nvme, Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Sha256];

    pub(super) fn name(self) -> &'static str {
        Algorithm::NAMES[self as usize]
    }

    /// As the SDK calls it.
    pub(super) fn of_sdk(self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from(self.name())
    }

    /// What the checksum of an object in parts is of: the whole content, where parts' checksums can be added up.
    pub(super) fn of_parts(self) -> ChecksumType {
        if self == Algorithm::Sha256 { ChecksumType::Composite } else { ChecksumType::FullObject }
    }

    /// Whether the checksum of a text that a server told may be this one of a whole object, and not a hash of parts' hashes.
    pub(super) fn is_possible(self, text: &str) -> bool {
        let bytes = match self {
            Algorithm::Crc64Nvme => 8,
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Sha256 => 32,
        };
        STANDARD.decode(text).is_ok_and(|decoded| decoded.len() == bytes)
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Algorithm, String> {
        let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("must be one of {}", Algorithm::NAMES.join(", ")))
    }
}

impl fmt::Display for Algorithm {
    /// As people write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Crc64Nvme => "CRC-64/NVME",
            Algorithm::Crc32 => "CRC-32",
            Algorithm::Crc32c => "CRC-32C",
            Algorithm::Sha256 => "SHA-256",
        })
    }
}

/// Puts a checksum into a request of the SDK, which has a method for each algorithm.
macro_rules! with_checksum {
    ($request:expr, $algorithm:expr, $text:expr) => {
        match $algorithm {
            Algorithm::Crc64Nvme => $request.set_checksum_crc64_nvme($text),
            Algorithm::Crc32 => $request.set_checksum_crc32($text),
            Algorithm::Crc32c => $request.set_checksum_crc32_c($text),
            Algorithm::Sha256 => $request.set_checksum_sha256($text),
        }
    };
}

/// The checksum that an answer of the SDK tells.
macro_rules! told_checksum {
    ($answer:expr, $algorithm:expr) => {
        match $algorithm {
            Algorithm::Crc64Nvme => $answer.checksum_crc64_nvme(),
            Algorithm::Crc32 => $answer.checksum_crc32(),
            Algorithm::Crc32c => $answer.checksum_crc32_c(),
            Algorithm::Sha256 => $answer.checksum_sha256(),
        }
    };
}

pub(super) use {told_checksum, with_checksum};

/// Sums what the algorithm needs beside the SHA-256 and the CRC-64/NVME that every body gets.
#[derive(Debug, Clone, Default)]
pub(super) struct Crc32Hasher(Option<Crc>);

impl Crc32Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Crc32Hasher {
        Crc32Hasher(match algorithm {
            Algorithm::Crc32 => Some(Crc::new(CrcAlgorithm::Crc32IsoHdlc)),
            Algorithm::Crc32c => Some(Crc::new(CrcAlgorithm::Crc32Iscsi)),
            Algorithm::Crc64Nvme | Algorithm::Sha256 => None,
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(crc) = &mut self.0 {
            crc.update(bytes);
        }
    }

    /// Its four bytes, the highest first, in base64; `None` where the algorithm is no CRC-32.
    pub(super) fn finish(self) -> Option<String> {
        // The upper half of the value is 0.
        self.0.map(|crc| STANDARD.encode(&crc.finalize().to_be_bytes()[4..]))
    }
}

/// The text of a SHA-256 as S3 tells it.
pub(super) fn sha256_text(hash: &[u8]) -> String {
    STANDARD.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> Option<String> {
        let mut hasher = Crc32Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn the_checksums_are_those_of_the_algorithms_catalogue() {
        // The check values of `123456789`: 0xcbf43926 and 0xe3069283.
        assert_eq!(sum(Algorithm::Crc32, b"123456789").as_deref(), Some("y/Q5Jg=="));
        assert_eq!(sum(Algorithm::Crc32c, b"123456789").as_deref(), Some("4waSgw=="));
        assert_eq!(sum(Algorithm::Crc64Nvme, b"123456789"), None);
    }

    #[test]
    fn an_algorithm_is_read_by_the_name_that_s3_gives_it() {
        for (name, algorithm) in Algorithm::NAMES.iter().zip(Algorithm::ALL) {
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(name.to_lowercase().parse(), Ok(algorithm));
            assert_eq!(algorithm.of_sdk().as_str(), *name);
        }
        let refused = "MD4".parse::<Algorithm>().expect_err("S3 knows no such algorithm");
        assert_eq!(refused, "must be one of CRC64NVME, CRC32, CRC32C, SHA256");
    }

    #[test]
    fn a_hash_of_the_hashes_of_parts_is_none_of_the_whole_object() {
        let whole = sha256_text(&[7; 32]);
        assert!(Algorithm::Sha256.is_possible(&whole));
        assert!(!Algorithm::Sha256.is_possible(&format!("{whole}-3")));
        assert!(!Algorithm::Crc32.is_possible(&whole));
    }
}
