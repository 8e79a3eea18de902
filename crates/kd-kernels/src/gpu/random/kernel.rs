//! The kernel: a thread has a counter.

use burn_cubecl::cubecl::{self, prelude::*};

/// Factors of a round.
const FACTORS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key after a round.
const STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;
/// 2⁻²⁴.
const UNIT: f32 = 1.0 / 16_777_216.0;

#[cube(launch)]
pub(super) fn units(
    step: &Tensor<i32>,
    numbers: &mut Tensor<f32>,
    stream: u32,
    place: u32,
    key_first: u32,
    key_second: u32,
) {
    let start = ABSOLUTE_POS * 4;
    let count = numbers.len();
    if start >= count {
        terminate!();
    }
    let mut a = ABSOLUTE_POS as u32;
    let mut b = u32::cast_from(step[0]);
    let mut c = stream;
    let mut d = place;
    let mut first = key_first;
    let mut second = key_second;
    #[unroll]
    for _round in 0..ROUNDS {
        let of_a = comptime!(FACTORS[0]).runtime();
        let of_c = comptime!(FACTORS[1]).runtime();
        let next_a = u32::mul_hi(of_c, c) ^ b ^ first;
        let next_b = of_c * c;
        let next_c = u32::mul_hi(of_a, a) ^ d ^ second;
        let next_d = of_a * a;
        a = next_a;
        b = next_b;
        c = next_c;
        d = next_d;
        first += comptime!(STEPS[0]).runtime();
        second += comptime!(STEPS[1]).runtime();
    }
    numbers[start] = unit(a);
    if start + 1 < count {
        numbers[start + 1] = unit(b);
    }
    if start + 2 < count {
        numbers[start + 2] = unit(c);
    }
    if start + 3 < count {
        numbers[start + 3] = unit(d);
    }
}

/// A word as a number in `[0, 1)`.
#[cube]
fn unit(word: u32) -> f32 {
    f32::cast_from(word >> 8) * UNIT
}
