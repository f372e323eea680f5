//! Seeded random numbers.
//!
//! ChaCha with eight rounds, because its output is specified: a seed gives the same numbers on every machine. For the same
//! reason no draw calls a function of the platform's math library, whose results differ in the last bit. Not for secrets.

use rand::distr::{Alphanumeric, SampleString as _};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream named `purpose` of `seed`; streams with different names are independent. The name becomes part of the
    /// cipher's key, so it has at most 24 bytes.
    pub(crate) fn new(seed: u64, purpose: &[u8]) -> Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..8 + purpose.len()].copy_from_slice(purpose);
        Rng(ChaCha8Rng::from_seed(key))
    }

    /// The stream of the item with this number. `kind` keeps the items of one kind apart from those of another.
    pub(crate) fn numbered(seed: u64, kind: u8, number: u64) -> Rng {
        let mut purpose = [kind; 9];
        purpose[1..].copy_from_slice(&number.to_le_bytes());
        Rng::new(seed, &purpose)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// A number in `0..limit`; 0 if `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.0.random_range(..limit) }
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high)
    }

    /// True `per_mille` times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.0.random_ratio(per_mille, 1000)
    }

    /// True with this probability.
    pub(crate) fn share(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    /// An exponentially distributed number with mean 1, by von Neumann's method: it needs comparisons only.
    pub(crate) fn exponential(&mut self) -> f64 {
        let mut whole = 0.0;
        loop {
            let first = self.bits();
            let (mut last, mut length) = (first, 1);
            // The length of the run in which each number is smaller than the one before it.
            loop {
                let next = self.bits();
                if next >= last {
                    break;
                }
                (last, length) = (next, length + 1);
            }
            if length % 2 == 1 {
                return whole + first as f64 / 2_f64.powi(64);
            }
            whole += 1.0;
        }
    }

    /// A rank in `0..limit`, low ranks far more often: close to Zipf's law.
    pub(crate) fn rank(&mut self, limit: usize) -> usize {
        let first = self.0.random_range(..limit);
        let second = self.0.random_range(..=first);
        self.0.random_range(..=second)
    }

    /// One of `items`, each with the same probability. `items` must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        items.choose(&mut self.0).expect("callers pass lists that are not empty")
    }

    /// One of `items`, the first ones far more often. `items` must not be empty.
    pub(crate) fn pick_ranked<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.rank(items.len())]
    }

    /// `length` letters and digits, as short links and file names have them.
    pub(crate) fn alphanumeric(&mut self, length: usize) -> String {
        Alphanumeric.sample_string(&mut self.0, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_ranks_are_not() {
        let mut rng = Rng::new(1, b"even");
        let mut counts = [0_u32; 6];
        (0..60_000).for_each(|_| counts[rng.below(6) as usize] += 1);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        let low = (0..10_000).filter(|_| rng.rank(1000) < 10).count();
        assert!((300..3000).contains(&low), "{low}");
    }

    #[test]
    fn exponential_draws_have_their_mean_and_their_tail() {
        let mut rng = Rng::new(1, b"exponential");
        let draws: Vec<f64> = (0..50_000).map(|_| rng.exponential()).collect();
        let mean = draws.iter().sum::<f64>() / 50_000.0;
        let share_above = |limit| draws.iter().filter(|draw| **draw > limit).count() as f64 / 50_000.0;
        assert!((0.98..1.02).contains(&mean), "{mean}");
        assert!(
            (share_above(1.0) - (-1.0_f64).exp()).abs() < 0.01 && (share_above(3.0) - (-3.0_f64).exp()).abs() < 0.005
        );
    }

    #[test]
    fn streams_of_one_seed_are_independent_and_fixed() {
        let bits = |seed, kind, number| Rng::numbered(seed, kind, number).bits();
        assert_eq!(bits(1, b't', 0), bits(1, b't', 0));
        assert_ne!(bits(1, b't', 0), bits(1, b't', 1));
        assert_ne!(bits(1, b't', 0), bits(1, b'u', 0));
        assert_ne!(bits(1, b't', 0), bits(2, b't', 0));
    }
}
