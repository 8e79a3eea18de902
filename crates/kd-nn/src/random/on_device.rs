//! Philox by whole-number operations on tensors, for devices that are not to be read during a step.
//!
//! Backends have signed numbers of 32 bits or more, so that a word is kept as two halves of 16:
//! what of a product of halves runs over the sign is masked away.

use burn::tensor::{Device, Int, Tensor};

use super::philox::{FACTORS, UNIT, round_keys};

const HALF: i32 = 0xFFFF;

/// 32 bits of each element.
#[derive(Clone)]
struct Word {
    high: Tensor<1, Int>,
    low: Tensor<1, Int>,
}

/// The low 16 bits.
fn low(value: Tensor<1, Int>) -> Tensor<1, Int> {
    value.bitwise_and_scalar(HALF)
}

/// The 16 bits above these.
fn high(value: Tensor<1, Int>) -> Tensor<1, Int> {
    low(value.bitwise_right_shift_scalar(16))
}

fn halves(word: u32) -> [i32; 2] {
    [(word >> 16) as i32, (word & 0xFFFF) as i32]
}

impl Word {
    fn of(value: Tensor<1, Int>) -> Self {
        Self {
            high: high(value.clone()),
            low: low(value),
        }
    }

    fn constant(word: u32, like: &Self) -> Self {
        let [high, low] = halves(word);
        Self {
            high: like.high.full_like(high),
            low: like.low.full_like(low),
        }
    }

    fn xor(self, other: Self) -> Self {
        Self {
            high: self.high.bitwise_xor(other.high),
            low: self.low.bitwise_xor(other.low),
        }
    }

    fn xor_constant(self, word: u32) -> Self {
        let [high, low] = halves(word);
        Self {
            high: self.high.bitwise_xor_scalar(high),
            low: self.low.bitwise_xor_scalar(low),
        }
    }

    /// The high and the low word of the product with a constant.
    fn product(self, factor: u32) -> (Self, Self) {
        let [first, second] = halves(factor);
        let parts = |half: Tensor<1, Int>, factor: i32| {
            let product = half * factor;
            (high(product.clone()), low(product))
        };
        let (carry, lowest) = parts(self.low.clone(), second);
        let (low_over, low_under) = parts(self.low, first);
        let (high_over, high_under) = parts(self.high.clone(), second);
        let (top, upper) = parts(self.high, first);
        let middle = carry + low_under + high_under;
        let upper = upper + low_over + high_over + high(middle.clone());
        let highest = Self {
            high: top + high(upper.clone()),
            low: low(upper),
        };
        let lowest = Self {
            high: low(middle),
            low: lowest,
        };
        (highest, lowest)
    }

    /// A number in `[0, 1)`, of the 24 highest bits.
    fn unit(self) -> Tensor<1> {
        let bits = self.high * 256 + self.low.bitwise_right_shift_scalar(8);
        bits.float() * UNIT
    }
}

/// `count` numbers in `[0, 1)`, of the counters `[block, step, stream, place]`.
pub(super) fn units(
    count: usize,
    step: &Tensor<1, Int>,
    [stream, place]: [u32; 2],
    key: [u32; 2],
    device: &Device,
) -> Tensor<1> {
    let blocks = count.div_ceil(4);
    let block = Word::of(Tensor::arange(0..blocks as i64, device));
    let step = Word::of(step.clone().expand([blocks]));
    let [stream, place] = [stream, place].map(|word| Word::constant(word, &block));
    let counter = [block, step, stream, place];
    let words = round_keys(key).fold(counter, |[a, b, c, d], [first, second]| {
        let (of_a, of_c) = (a.product(FACTORS[0]), c.product(FACTORS[1]));
        [
            of_c.0.xor(b).xor_constant(first),
            of_c.1,
            of_a.0.xor(d).xor_constant(second),
            of_a.1,
        ]
    });
    let columns = Vec::from(words.map(Word::unit));
    let all: Tensor<2> = Tensor::stack(columns, 1);
    all.flatten::<1>(0, 1).narrow(0, 0, count)
}
