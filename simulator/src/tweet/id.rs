//! Snowflake ids: 42 bits of milliseconds, then 22 bits that keep ids of one millisecond apart.

use cauce_lake::tweet::SNOWFLAKE_EPOCH_MS;

/// The id of an item created at `created_ms` (since the Unix epoch) whose lower 22 bits are those of `low`.
pub(crate) fn snowflake(created_ms: i64, low: u64) -> u64 {
    let since = u64::try_from(created_ms - SNOWFLAKE_EPOCH_MS).unwrap_or(0);
    (since << 22) | (low & 0x3f_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_snowflake_can_be_read_back() {
        let id = snowflake(1_795_323_600_123, 0x2a_aaaa);
        assert_eq!((id >> 22) as i64 + SNOWFLAKE_EPOCH_MS, 1_795_323_600_123);
        assert_eq!(id & 0x3f_ffff, 0x2a_aaaa);
    }
}
