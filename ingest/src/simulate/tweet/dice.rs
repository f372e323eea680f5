//! Chance by seed: the same seed gives the same tweets, on every machine and with every version of every library.
//!
//! Integers only (SplitMix64), because the last bit of a floating-point logarithm differs between platforms and one
//! different bit would change every tweet after it. Nothing here is fit for secrets.

/// A stream of pseudo-random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

/// One round of mixing: every input bit reaches every output bit.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that stands for `text`, for what must be stable by name.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| mix(sum ^ u64::from(byte)))
}

impl Dice {
    /// Dice of their own for each `(seed, purpose)`.
    pub(crate) fn new(seed: u64, purpose: u64) -> Dice {
        Dice(mix(seed ^ mix(purpose)))
    }

    /// 64 fresh bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `limit - 1`; 0 when `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `per_mille` times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// True with this probability.
    pub(crate) fn share(&mut self, probability: f64) -> bool {
        // 2^53 steps are exact in an f64, so the comparison is the same everywhere.
        ((self.next() >> 11) as f64) < probability * 9_007_199_254_740_992.0
    }

    /// A rank from 0 to `limit - 1`, the low ones far more often: near to Zipf's law.
    pub(crate) fn rank(&mut self, limit: usize) -> usize {
        let first = self.below(limit as u64);
        let second = self.below(first + 1);
        self.below(second + 1) as usize
    }

    /// One of `items`, each as often as the others. `items` must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// One of `items`, the first ones far more often. `items` must not be empty.
    pub(crate) fn favour<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.rank(items.len())]
    }
}
