//! Why a line gave no row. Every reason says what stands where, so that a person finds it in the line that is kept.

use std::fmt;

use crate::tweet;

/// Why a line gave no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectReason {
    /// It is neither a tweet nor a known message, as [`tweet::scan`] tells.
    Line(tweet::RejectReason),
    /// A value that a column asks for is of another type than that column, or outside of its range. Nothing is rounded,
    /// cut or replaced by null instead.
    WrongType {
        /// The member, from the tweet or the list element that holds it: `user.followers_count`.
        member: String,
        /// What the column takes.
        expected: &'static str,
    },
    /// An id of 2^63 or more, which the table's ids do not hold.
    IdTooLarge {
        /// The member.
        member: String,
    },
    /// The line does not fit into what 32-bit offsets can hold: it is longer than 1 GiB, or the batch before it is almost
    /// 2 GiB and must be finished first.
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
            RejectReason::Line(Line::NoId) => f.write_str("a tweet without an id that is a number below 2^64"),
            RejectReason::Line(Line::NoTime) => f.write_str("a tweet whose time cannot be read"),
            RejectReason::Line(Line::TooLong) => f.write_str("longer than a line may be"),
            RejectReason::Line(Line::Truncated) => f.write_str("the input ended inside the line"),
            RejectReason::WrongType { member, expected } => write!(f, "member {member:?} is not {expected}"),
            RejectReason::IdTooLarge { member } => write!(f, "member {member:?} is an id of 2^63 or more"),
            RejectReason::TooLarge => f.write_str("too large for one batch"),
        }
    }
}
