//! Philox 4x32-10: four random words for each value of a counter.

/// Factors of a round.
pub(super) const FACTORS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key after a round.
const STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// The keys of all rounds.
pub(super) fn round_keys(key: [u32; 2]) -> impl Iterator<Item = [u32; 2]> {
    let next = |key: &[u32; 2]| Some([0, 1].map(|i: usize| key[i].wrapping_add(STEPS[i])));
    std::iter::successors(Some(key), next).take(ROUNDS)
}

/// The words of a counter.
pub(super) fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    round_keys(key).fold(counter, |[a, b, c, d], [first, second]| {
        let (of_a, of_c) = (product(FACTORS[0], a), product(FACTORS[1], c));
        [of_c.0 ^ b ^ first, of_c.1, of_a.0 ^ d ^ second, of_a.1]
    })
}

/// The high and the low word of a product.
fn product(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

/// A word as a number in `[0, 1)`: a multiple of 2⁻²⁴, so that it is exact in f32.
pub(super) fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * UNIT
}

/// 2⁻²⁴.
pub(super) const UNIT: f32 = 1.0 / (1u32 << 24) as f32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_published_vectors() {
        // The known answers that come with Random123, the authors' own implementation.
        let cases = [
            (
                ([0; 4], [0; 2]),
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                ([u32::MAX; 4], [u32::MAX; 2]),
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                (
                    [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                    [0xa409_3822, 0x299f_31d0],
                ),
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for ((counter, key), words) in cases {
            assert_eq!(philox(counter, key), words);
        }
    }

    #[test]
    fn units_are_below_one() {
        assert_eq!(unit(0), 0.0);
        assert_eq!(unit(u32::MAX), 1.0 - UNIT);
    }
}
