//! The validity of a column's rows: no bitmap while no row is null, one bit a row after the first null.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// The validity of a column's rows.
#[derive(Debug, Default)]
pub(super) struct Validity {
    rows: usize,
    /// One bit a row, the lowest first; empty while no row is null.
    bits: Vec<u8>,
}

impl Validity {
    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Adds a row with a value.
    #[inline(always)]
    pub(super) fn push(&mut self) {
        if !self.bits.is_empty() {
            self.push_bit(1);
        }
        self.rows += 1;
    }

    /// Adds a null row.
    #[inline(always)]
    pub(super) fn push_null(&mut self) {
        if self.bits.is_empty() {
            self.begin();
        }
        self.push_bit(0);
        self.rows += 1;
    }

    #[inline(always)]
    fn push_bit(&mut self, bit: u8) {
        match self.rows % 8 {
            0 => self.bits.push(bit),
            bit_index => *self.bits.last_mut().expect("the last byte has free bits") |= bit << bit_index,
        }
    }

    /// Builds the bits of all rows so far, which all have values. The caller pushes its own bit next.
    #[cold]
    fn begin(&mut self) {
        self.bits.resize(self.rows / 8, 0xff);
        if !self.rows.is_multiple_of(8) {
            self.bits.push((1 << (self.rows % 8)) - 1);
        }
    }

    /// Removes all rows after the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        if rows >= self.rows {
            return;
        }
        self.rows = rows;
        self.bits.truncate(rows.div_ceil(8));
        if !rows.is_multiple_of(8)
            && let Some(last) = self.bits.last_mut()
        {
            *last &= (1 << (rows % 8)) - 1;
        }
    }

    /// Takes the validity of all rows; `None` where no row is null.
    pub(super) fn finish(&mut self) -> Option<NullBuffer> {
        let rows = std::mem::take(&mut self.rows);
        let bits = std::mem::take(&mut self.bits);
        if bits.is_empty() {
            return None;
        }
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows)))
            .filter(|nulls| nulls.null_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_there_or_not_as_they_were_pushed(
            first in prop::collection::vec(any::<bool>(), 0..40),
            back in any::<prop::sample::Index>(),
            second in prop::collection::vec(prop::bool::weighted(0.9), 0..40),
        ) {
            let mut validity = Validity::default();
            let push = |validity: &mut Validity, there: &bool| if *there { validity.push() } else { validity.push_null() };
            first.iter().for_each(|there| push(&mut validity, there));
            let kept = back.index(first.len() + 1);
            validity.truncate(kept);
            second.iter().for_each(|there| push(&mut validity, there));
            let expected: Vec<bool> = first[..kept].iter().chain(&second).copied().collect();
            prop_assert_eq!(validity.len(), expected.len());
            let found = validity.finish();
            prop_assert_eq!(found.is_some(), expected.contains(&false));
            prop_assert!(found.is_none_or(|nulls| nulls.iter().eq(expected)));
            prop_assert_eq!(validity.len(), 0);
        }
    }
}
