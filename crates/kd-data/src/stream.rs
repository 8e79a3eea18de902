//! Random numbers that depend on nothing but a key.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What a stream is used for, so that equal numbers never meet in two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The order of the images in an epoch.
    Order = 1,
    /// Crop and flip of one image in an epoch.
    View = 2,
    /// The drawing of a training image.
    TrainImage = 3,
    /// The drawing of a test image.
    TestImage = 4,
    /// Which images of a class are kept back.
    DevSplit = 5,
}

/// A ChaCha8 stream keyed by a seed, a purpose and two numbers.
///
/// The four numbers *are* the 256-bit key, so two different keys cannot collide. The mapping to
/// floats and ranges is written out here and uses only exact operations: the sequence is the same
/// on every machine and does not change with the version of a crate.
#[derive(Debug)]
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(seed: u64, purpose: Purpose, a: u64, b: u64) -> Self {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in 0..n, without bias; 0 if `n` is 0 or 1.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        if n <= 1 {
            return 0;
        }
        // The high half of x * n is uniform once the x that would make some results more
        // frequent than others are drawn again: those with a low half below 2^32 mod n.
        let rejected = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            if product as u32 >= rejected {
                return (product >> 32) as u32;
            }
        }
    }

    /// Uniform in [0, 1), in steps of 2^-24.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Either +1 or -1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.below(2) == 0 { 1.0 } else { -1.0 }
    }

    /// Fisher and Yates' shuffle: all orders are equally likely.
    pub(crate) fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            order.swap(last, self.below(last as u32 + 1) as usize);
        }
    }

    /// Random bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, purpose: Purpose, a: u64, b: u64) -> [u8; 16] {
        let mut bytes = [0; 16];
        Stream::new(seed, purpose, a, b).fill(&mut bytes);
        bytes
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let base = first(1, Purpose::Order, 2, 3);
        assert_eq!(base, first(1, Purpose::Order, 2, 3));
        for other in [
            first(2, Purpose::Order, 2, 3),
            first(1, Purpose::View, 2, 3),
            first(1, Purpose::Order, 3, 2),
            first(1, Purpose::Order, 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut stream = Stream::new(0, Purpose::View, 0, 0);
        let mut counts = [0; 5];
        for _ in 0..5000 {
            counts[stream.below(5) as usize] += 1;
        }
        // 1000 expected each, with a standard deviation of 28.
        assert!(counts.iter().all(|c| (880..1120).contains(c)), "{counts:?}");
        assert_eq!((stream.below(1), stream.below(0)), (0, 0));
    }

    #[test]
    fn floats_stay_in_their_range() {
        let mut stream = Stream::new(7, Purpose::View, 0, 0);
        let drawn: Vec<_> = (0..2000).map(|_| stream.between(-2.0, 3.0)).collect();
        assert!(drawn.iter().all(|v| (-2.0..3.0).contains(v)));
        let mean = drawn.iter().sum::<f32>() / 2000.0;
        assert!((mean - 0.5).abs() < 0.15, "{mean}");
    }
}
