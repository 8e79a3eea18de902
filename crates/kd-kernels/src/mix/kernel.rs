//! Mixing, and its gradients.

use rayon::prelude::*;

use crate::arch::arch;
use crate::buffer::written;

/// Numbers that are worth a task of their own.
const SHARE: usize = 1 << 14;

/// Samples in a task, for samples of this length.
fn samples(length: usize) -> usize {
    (SHARE / length.max(1)).max(1)
}

/// `(1 − share) · own + share · other`, sample by sample.
pub(super) fn forward([own, other]: [&[f32]; 2], shares: &[f32]) -> Vec<f32> {
    let length = (own.len() / shares.len().max(1)).max(1);
    let arch = arch();
    let write = |out: &mut [std::mem::MaybeUninit<f32>]| {
        let inputs = own
            .par_chunks_exact(length)
            .zip(other.par_chunks_exact(length));
        out.par_chunks_exact_mut(length)
            .zip(inputs)
            .zip(shares)
            .with_min_len(samples(length))
            .for_each(|((out, (own, other)), share)| {
                arch.dispatch(
                    #[inline(always)]
                    || {
                        let rest = 1.0 - share;
                        for ((out, own), other) in out.iter_mut().zip(own).zip(other) {
                            out.write(own * rest + other * share);
                        }
                    },
                );
            });
    };
    // SAFETY: the chunks are all samples, and each is written to its end.
    #[allow(unsafe_code)]
    unsafe {
        written(own.len(), write)
    }
}

/// Each sample of `values` times what `factor` makes of its share.
pub(super) fn scaled(
    values: &[f32],
    shares: &[f32],
    factor: impl Fn(f32) -> f32 + Sync,
) -> Vec<f32> {
    let length = (values.len() / shares.len().max(1)).max(1);
    let arch = arch();
    let write = |out: &mut [std::mem::MaybeUninit<f32>]| {
        out.par_chunks_exact_mut(length)
            .zip(values.par_chunks_exact(length))
            .zip(shares)
            .with_min_len(samples(length))
            .for_each(|((out, values), share)| {
                let factor = factor(*share);
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for (out, value) in out.iter_mut().zip(values) {
                            out.write(value * factor);
                        }
                    },
                );
            });
    };
    // SAFETY: the chunks are all samples, and each is written to its end.
    #[allow(unsafe_code)]
    unsafe {
        written(values.len(), write)
    }
}

/// The sum of `gradient · (other − own)` of each sample.
pub(super) fn share_gradient(
    [own, other]: [&[f32]; 2],
    gradient: &[f32],
    batch: usize,
) -> Vec<f32> {
    let length = (own.len() / batch.max(1)).max(1);
    let arch = arch();
    let mut sums = vec![0.0; batch];
    let inputs = own
        .par_chunks_exact(length)
        .zip(other.par_chunks_exact(length));
    sums.par_iter_mut()
        .zip(inputs)
        .zip(gradient.par_chunks_exact(length))
        .with_min_len(samples(length))
        .for_each(|((sum, (own, other)), gradient)| {
            *sum = arch.dispatch(
                #[inline(always)]
                || product_sum(own, other, gradient),
            );
        });
    sums
}

/// The sum of `gradient · (other − own)`, in sixteen sums of which each takes every sixteenth number.
#[inline(always)]
fn product_sum(own: &[f32], other: &[f32], gradient: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (own, own_rest) = own.as_chunks::<LANES>();
    let (other, other_rest) = other.as_chunks::<LANES>();
    let (gradient, gradient_rest) = gradient.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for ((own, other), gradient) in own.iter().zip(other).zip(gradient) {
        for lane in 0..LANES {
            sums[lane] += gradient[lane] * (other[lane] - own[lane]);
        }
    }
    let rest = own_rest.iter().zip(other_rest).zip(gradient_rest);
    let rest = rest.map(|((own, other), gradient)| gradient * (other - own));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guard::{Edge, Guarded};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 64 }))]

        #[test]
        fn nothing_beyond_the_samples_is_touched(batch in 1usize..=5, length in 1usize..=70) {
            let count = batch * length;
            let [own, other, gradient] = [3, 5, 7].map(|step: usize| {
                let number = |index: usize| (index * step % 17) as f32 - 8.0;
                (0..count).map(number).collect::<Vec<_>>()
            });
            let shares: Vec<f32> = (0..batch).map(|index| index as f32 / 4.0).collect();
            let compute = |[own, other, gradient, shares]: [&[f32]; 4]| {
                [
                    forward([own, other], shares),
                    scaled(gradient, shares, |share| 1.0 - share),
                    share_gradient([own, other], gradient, batch),
                ]
            };
            let inputs = [&own, &other, &gradient, &shares].map(Vec::as_slice);
            let expected = compute(inputs);
            for edge in Edge::BOTH {
                let guarded = inputs.map(|input| Guarded::new(input, edge));
                prop_assert_eq!(&compute(guarded.each_ref().map(|input| &**input)), &expected);
            }
        }
    }

    #[test]
    fn samples_are_mixed_and_scaled_to_their_ends() {
        let own: Vec<f32> = (0..51u8).map(f32::from).collect();
        let other: Vec<f32> = own.iter().map(|own| own + 4.0).collect();
        let shares = [0.0, 0.25, 1.0];
        let mixed = forward([&own, &other], &shares);
        let scaled = scaled(&own, &shares, |share| 2.0 * share);
        for (index, own) in own.iter().enumerate() {
            let share = shares[index / 17];
            assert_eq!(mixed[index], own + 4.0 * share);
            assert_eq!(scaled[index], own * 2.0 * share);
        }
        let sums = share_gradient([&own, &other], &own, 3);
        let expected: Vec<f32> = own
            .chunks(17)
            .map(|own| 4.0 * own.iter().sum::<f32>())
            .collect();
        assert_eq!(sums, expected);
    }
}
