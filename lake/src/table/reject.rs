//! Why a line gave no row. Each reason names the member or the byte, so that people find it in the stored line.

use std::fmt;

use crate::tweet;

/// Why a line gave no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectReason {
    /// Neither a tweet nor a known message, by [`tweet::scan`].
    Line(tweet::RejectReason),
    /// A selected value does not have the type of its column, or is outside of its range. Values are never rounded,
    /// truncated or replaced by null.
    WrongType {
        /// The path of the member, from the tweet or the list element that contains it: `user.followers_count`.
        member: String,
        /// What the column requires.
        expected: &'static str,
    },
    /// An id of 2^63 or more, which a signed column cannot hold.
    IdTooLarge {
        /// The path of the member.
        member: String,
    },
    /// 32-bit offsets cannot hold the line: it is longer than 1 GiB, or the batch has almost 2 GiB and must be finished
    /// first.
    TooLarge,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use tweet::RejectReason as Line;
        match self {
            RejectReason::Line(Line::InvalidUtf8 { offset }) => write!(f, "not UTF-8 at byte {offset}"),
            RejectReason::Line(Line::InvalidJson { offset, expected }) => {
                write!(f, "not JSON at byte {offset}: expected {expected}")
            }
            RejectReason::Line(Line::UnknownObject) => f.write_str("neither a tweet nor a known message"),
            RejectReason::Line(Line::NoId) => f.write_str("a tweet whose id is missing or not a number below 2^64"),
            RejectReason::Line(Line::NoTime) => f.write_str("a tweet whose time cannot be read"),
            RejectReason::Line(Line::TooLong) => f.write_str("longer than the longest line that is accepted"),
            RejectReason::Line(Line::Truncated) => f.write_str("the input ended inside the line"),
            RejectReason::WrongType { member, expected } => write!(f, "member {member:?} is not {expected}"),
            RejectReason::IdTooLarge { member } => write!(f, "member {member:?} is an id of 2^63 or more"),
            RejectReason::TooLarge => f.write_str("too large for one batch"),
        }
    }
}
