//! Batch normalization over maps, with what often follows it: an addition and a ReLU.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::arch::arch;
use crate::buffer::{Unwritten, written};
use crate::relu::{at_least, lowest};

/// Shape `[batch, channels, positions]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    pub(super) channels: usize,
    pub(super) positions: usize,
}

impl Maps {
    fn image(&self) -> usize {
        self.channels * self.positions
    }
}

/// Mean and biased variance of each channel of `x`.
pub(super) fn statistics(maps: Maps, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let arch = arch();
    let batch = x.len() / maps.image().max(1);
    // Sum, and sum of squares around the map's own mean, of each map.
    let mut sums = vec![[0f64; 2]; batch * maps.channels];
    sums.par_chunks_mut(maps.channels)
        .zip(x.par_chunks(maps.image()))
        .for_each(|(sums, image)| {
            arch.dispatch(MapSums { maps, image, sums });
        });
    let positions = maps.positions as f64;
    let count = batch as f64 * positions;
    (0..maps.channels)
        .map(|channel| {
            let of_channel = || sums[channel..].iter().step_by(maps.channels);
            let mean = of_channel().map(|[sum, _]| sum).sum::<f64>() / count;
            let squares = of_channel().map(|[sum, squares]| {
                let own = sum / positions;
                squares + positions * (own - mean) * (own - mean)
            });
            (mean as f32, (squares.sum::<f64>() / count) as f32)
        })
        .unzip()
}

struct MapSums<'a> {
    maps: Maps,
    image: &'a [f32],
    sums: &'a mut [[f64; 2]],
}

impl WithSimd for MapSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let maps = self.image.chunks_exact(self.maps.positions);
        for (map, sums) in maps.zip(self.sums) {
            let sum = sum(simd, map);
            let squares = squares(simd, map, sum / map.len() as f32);
            *sums = [f64::from(sum), f64::from(squares)];
        }
    }
}

#[inline(always)]
fn sum<S: Simd>(simd: S, map: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(map);
    // Four sums at once, because one addition waits for the one before.
    let mut sums = [simd.splat_f32s(0.0); 4];
    let (fours, ones) = vectors.as_chunks::<4>();
    for four in fours {
        for i in 0..4 {
            sums[i] = simd.add_f32s(sums[i], four[i]);
        }
    }
    for x in ones {
        sums[0] = simd.add_f32s(sums[0], *x);
    }
    total(simd, sums) + rest.iter().sum::<f32>()
}

/// The sum of squares around `mean`.
#[inline(always)]
fn squares<S: Simd>(simd: S, map: &[f32], mean: f32) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(map);
    let center = simd.splat_f32s(mean);
    let mut sums = [simd.splat_f32s(0.0); 4];
    let (fours, ones) = vectors.as_chunks::<4>();
    for four in fours {
        for i in 0..4 {
            let x = simd.sub_f32s(four[i], center);
            sums[i] = simd.mul_add_f32s(x, x, sums[i]);
        }
    }
    for x in ones {
        let x = simd.sub_f32s(*x, center);
        sums[0] = simd.mul_add_f32s(x, x, sums[0]);
    }
    let mut sum = total(simd, sums);
    for x in rest {
        sum += (x - mean) * (x - mean);
    }
    sum
}

#[inline(always)]
fn total<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> f32 {
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

/// The gradient behind a ReLU that gave `y`; all of it if there was none.
#[inline(always)]
fn gate<S: Simd>(simd: S, all: bool, dy: S::f32s, y: S::f32s) -> S::f32s {
    if all {
        return dy;
    }
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.greater_than_f32s(y, zero), dy, zero)
}

/// `x · scale + shift + residual` per channel, cut off at 0 if `relu`.
pub(super) fn affine(
    maps: Maps,
    x: &[f32],
    scale: &[f32],
    shift: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let arch = arch();
    let write = |out: &mut Unwritten| {
        out.par_chunks_mut(maps.image().max(1))
            .enumerate()
            .for_each(|(index, out)| {
                let part = index * maps.image()..(index + 1) * maps.image();
                arch.dispatch(Affine {
                    maps,
                    x: &x[part.clone()],
                    scale,
                    shift,
                    residual: residual.map(|residual| &residual[part]),
                    relu,
                    out,
                });
            });
    };
    // SAFETY: the channels of an image are all of it.
    #[allow(unsafe_code)]
    unsafe {
        written(x.len(), write)
    }
}

struct Affine<'a> {
    maps: Maps,
    x: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    residual: Option<&'a [f32]>,
    relu: bool,
    out: &'a mut Unwritten,
}

impl WithSimd for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let positions = self.maps.positions;
        let lowest = lowest(self.relu);
        for channel in 0..self.maps.channels {
            let map = channel * positions..(channel + 1) * positions;
            let (scale, shift) = (self.scale[channel], self.shift[channel]);
            let x = &self.x[map.clone()];
            let out = &mut self.out[map.clone()];
            let (factor, summand) = (simd.splat_f32s(scale), simd.splat_f32s(shift));
            // The operand that may be NaN comes second: then NaN is the result, as in PyTorch.
            let floor = simd.splat_f32s(lowest);
            let (x, x_rest) = S::as_simd_f32s(x);
            let (out, out_rest) = S::as_uninit_mut_simd_f32s(out);
            match self.residual {
                None => {
                    for (out, x) in out.iter_mut().zip(x) {
                        let y = simd.mul_add_f32s(*x, factor, summand);
                        out.write(simd.max_f32s(floor, y));
                    }
                    for (out, x) in out_rest.iter_mut().zip(x_rest) {
                        out.write(at_least(lowest, x.mul_add(scale, shift)));
                    }
                }
                Some(residual) => {
                    let (added, added_rest) = S::as_simd_f32s(&residual[map]);
                    for ((out, x), added) in out.iter_mut().zip(x).zip(added) {
                        let y = simd.mul_add_f32s(*x, factor, summand);
                        out.write(simd.max_f32s(floor, simd.add_f32s(y, *added)));
                    }
                    for ((out, x), added) in out_rest.iter_mut().zip(x_rest).zip(added_rest) {
                        out.write(at_least(lowest, x.mul_add(scale, shift) + added));
                    }
                }
            }
        }
    }
}

/// What the forward pass leaves to the backward pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved<'a> {
    pub(super) x: &'a [f32],
    /// The output, if a ReLU made it.
    pub(super) activated: Option<&'a [f32]>,
    pub(super) weight: &'a [f32],
    pub(super) mean: &'a [f32],
    /// `1 / √(variance + ε)`.
    pub(super) deviation: &'a [f32],
}

/// Gradients of a normalization by batch statistics.
#[derive(Debug)]
pub(super) struct Gradients {
    pub(super) x: Vec<f32>,
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    /// Gradient of what was added; empty if that is not wanted.
    pub(super) residual: Vec<f32>,
}

/// Backward pass for the gradient `dy` of the output.
pub(super) fn backward(maps: Maps, saved: Saved<'_>, dy: &[f32], residual: bool) -> Gradients {
    let arch = arch();
    let batch = dy.len() / maps.image().max(1);
    let part = |index: usize| index * maps.image()..(index + 1) * maps.image();
    // Sums of the gradient, and of the gradient times the normalized input, of each map.
    let mut sums = vec![[0f64; 2]; batch * maps.channels];
    sums.par_chunks_mut(maps.channels)
        .enumerate()
        .for_each(|(index, sums)| {
            arch.dispatch(GradientSums {
                maps,
                saved: saved.of(part(index)),
                dy: &dy[part(index)],
                sums,
            });
        });
    let (bias, weight): (Vec<f32>, Vec<f32>) = (0..maps.channels)
        .map(|channel| {
            let of_channel = || sums[channel..].iter().step_by(maps.channels);
            let total = |which: usize| of_channel().map(|sums| sums[which]).sum::<f64>() as f32;
            (total(0), total(1))
        })
        .unzip();

    let count = (batch * maps.positions) as f32;
    let mut added = Vec::new();
    let write = |dx: &mut Unwritten, added: &mut Unwritten| {
        let image = maps.image().max(1);
        let mut added = added.chunks_mut(image);
        let parts = dx.chunks_mut(image).map(|dx| (dx, added.next()));
        let parts: Vec<_> = parts.enumerate().collect();
        parts.into_par_iter().for_each(|(index, (dx, residual))| {
            arch.dispatch(InputGradients {
                maps,
                saved: saved.of(part(index)),
                dy: &dy[part(index)],
                sums: [&bias, &weight],
                count,
                dx,
                residual,
            });
        });
    };
    // SAFETY: the channels of an image are all of it.
    #[allow(unsafe_code)]
    let dx = unsafe {
        written(dy.len(), |dx| {
            let length = if residual { dy.len() } else { 0 };
            added = written(length, |added| write(dx, added));
        })
    };
    Gradients {
        x: dx,
        weight,
        bias,
        residual: added,
    }
}

impl<'a> Saved<'a> {
    /// The same for a part of the maps.
    fn of(self, part: std::ops::Range<usize>) -> Self {
        Self {
            x: &self.x[part.clone()],
            activated: self.activated.map(|activated| &activated[part]),
            ..self
        }
    }
}

struct GradientSums<'a> {
    maps: Maps,
    saved: Saved<'a>,
    dy: &'a [f32],
    sums: &'a mut [[f64; 2]],
}

impl WithSimd for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Saved {
            x,
            activated,
            mean,
            deviation,
            ..
        } = self.saved;
        let positions = self.maps.positions;
        let zero = simd.splat_f32s(0.0);
        for (channel, sums) in self.sums.iter_mut().enumerate() {
            let map = channel * positions..(channel + 1) * positions;
            let center = simd.splat_f32s(mean[channel]);
            let (x, x_rest) = S::as_simd_f32s(&x[map.clone()]);
            let (dy, dy_rest) = S::as_simd_f32s(&self.dy[map.clone()]);
            // Without an activation everything passes.
            let (y, y_rest) = match activated {
                Some(activated) => S::as_simd_f32s(&activated[map]),
                None => (dy, dy_rest),
            };
            let all = activated.is_none();
            // Two of each at once, because one addition waits for the one before.
            let mut gradients = [zero; 2];
            let mut products = [zero; 2];
            let pairs = x.len() / 2;
            for pair in 0..pairs {
                for i in 0..2 {
                    let place = 2 * pair + i;
                    let g = gate(simd, all, dy[place], y[place]);
                    let centered = simd.sub_f32s(x[place], center);
                    gradients[i] = simd.add_f32s(gradients[i], g);
                    products[i] = simd.mul_add_f32s(g, centered, products[i]);
                }
            }
            for place in 2 * pairs..x.len() {
                let g = gate(simd, all, dy[place], y[place]);
                let centered = simd.sub_f32s(x[place], center);
                gradients[0] = simd.add_f32s(gradients[0], g);
                products[0] = simd.mul_add_f32s(g, centered, products[0]);
            }
            let mut sum = [
                simd.reduce_sum_f32s(simd.add_f32s(gradients[0], gradients[1])),
                simd.reduce_sum_f32s(simd.add_f32s(products[0], products[1])),
            ];
            for ((x, dy), y) in x_rest.iter().zip(dy_rest).zip(y_rest) {
                if all || *y > 0.0 {
                    sum[0] += dy;
                    sum[1] += dy * (x - mean[channel]);
                }
            }
            *sums = [f64::from(sum[0]), f64::from(sum[1] * deviation[channel])];
        }
    }
}

struct InputGradients<'a> {
    maps: Maps,
    saved: Saved<'a>,
    dy: &'a [f32],
    /// Gradients of bias and weight.
    sums: [&'a [f32]; 2],
    count: f32,
    dx: &'a mut Unwritten,
    residual: Option<&'a mut Unwritten>,
}

impl WithSimd for InputGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Saved {
            x,
            activated,
            weight,
            mean,
            deviation,
        } = self.saved;
        let positions = self.maps.positions;
        for channel in 0..self.maps.channels {
            let map = channel * positions..(channel + 1) * positions;
            // dx = scale · (g − Σg / n − x̂ · Σ(g·x̂) / n), as a straight line in g and x.
            let scale = weight[channel] * deviation[channel];
            let slope = -scale * self.sums[1][channel] / self.count * deviation[channel];
            let shift = -scale * self.sums[0][channel] / self.count - slope * mean[channel];
            let scales = simd.splat_f32s(scale);
            let slopes = simd.splat_f32s(slope);
            let shifts = simd.splat_f32s(shift);
            let (x, x_rest) = S::as_simd_f32s(&x[map.clone()]);
            let (dy, dy_rest) = S::as_simd_f32s(&self.dy[map.clone()]);
            let (y, y_rest) = match activated {
                Some(activated) => S::as_simd_f32s(&activated[map.clone()]),
                None => (dy, dy_rest),
            };
            let all = activated.is_none();
            let (dx, dx_rest) = S::as_uninit_mut_simd_f32s(&mut self.dx[map.clone()]);
            let rest = |g: f32, x: f32| g.mul_add(scale, x.mul_add(slope, shift));
            match &mut self.residual {
                None => {
                    for (((dx, x), dy), y) in dx.iter_mut().zip(x).zip(dy).zip(y) {
                        let g = gate(simd, all, *dy, *y);
                        let line = simd.mul_add_f32s(*x, slopes, shifts);
                        dx.write(simd.mul_add_f32s(g, scales, line));
                    }
                    for (((dx, x), dy), y) in
                        dx_rest.iter_mut().zip(x_rest).zip(dy_rest).zip(y_rest)
                    {
                        let g = if all || *y > 0.0 { *dy } else { 0.0 };
                        dx.write(rest(g, *x));
                    }
                }
                Some(residual) => {
                    let (added, added_rest) = S::as_uninit_mut_simd_f32s(&mut residual[map]);
                    let vectors = dx.iter_mut().zip(added).zip(x).zip(dy).zip(y);
                    for ((((dx, added), x), dy), y) in vectors {
                        let g = gate(simd, all, *dy, *y);
                        let line = simd.mul_add_f32s(*x, slopes, shifts);
                        added.write(g);
                        dx.write(simd.mul_add_f32s(g, scales, line));
                    }
                    let singles = dx_rest
                        .iter_mut()
                        .zip(added_rest)
                        .zip(x_rest)
                        .zip(dy_rest)
                        .zip(y_rest);
                    for ((((dx, added), x), dy), y) in singles {
                        let g = if all || *y > 0.0 { *dy } else { 0.0 };
                        added.write(g);
                        dx.write(rest(g, *x));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guard::{Edge, Guarded};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 64 }))]

        #[test]
        fn nothing_beyond_the_maps_is_touched(
            batch in 1usize..=4,
            channels in 1usize..=5,
            positions in 1usize..=150,
        ) {
            let maps = Maps { channels, positions };
            let numbers = |count: usize, step: usize| -> Vec<f32> {
                (0..count).map(|index| (index * step % 19) as f32 / 4.0 - 2.0).collect()
            };
            let [x, y, dy] = [5, 7, 11].map(|step| numbers(batch * maps.image(), step));
            let [weight, mean, deviation] = [3, 2, 1].map(|step| numbers(channels, step));
            let compute = |[x, y, dy, weight, mean, deviation]: [&[f32]; 6]| {
                let (means, variances) = statistics(maps, x);
                let mut results = vec![means, variances];
                for (added, activated) in [(None, None), (Some(y), Some(y))] {
                    let relu = added.is_some();
                    results.push(affine(maps, x, weight, mean, added, relu));
                    let saved = Saved { x, activated, weight, mean, deviation };
                    let found = backward(maps, saved, dy, relu);
                    results.extend([found.x, found.weight, found.bias, found.residual]);
                }
                results
            };
            let inputs = [&x, &y, &dy, &weight, &mean, &deviation].map(Vec::as_slice);
            let expected = compute(inputs);
            for edge in Edge::BOTH {
                let guarded = inputs.map(|input| Guarded::new(input, edge));
                prop_assert_eq!(&compute(guarded.each_ref().map(|input| &**input)), &expected);
            }
        }
    }

    /// Two images of two channels of nineteen positions.
    const MAPS: Maps = Maps {
        channels: 2,
        positions: 19,
    };

    fn numbers() -> Vec<f32> {
        (0..76u8).map(|i| f32::from(i % 7) - 3.0).collect()
    }

    #[test]
    fn all_outputs_are_written() {
        let x = numbers();
        for residual in [None, Some(x.as_slice())] {
            let out = affine(MAPS, &x, &[2.0, 3.0], &[0.5, 1.0], residual, true);
            for (index, (out, x)) in out.iter().zip(&x).enumerate() {
                let line = [2.0 * x + 0.5, 3.0 * x + 1.0][index / 19 % 2];
                let added = if residual.is_some() { *x } else { 0.0 };
                assert_eq!(*out, (line + added).max(0.0));
            }
        }
    }

    #[test]
    fn all_gradients_are_written() {
        let x = numbers();
        let saved = Saved {
            x: &x,
            activated: Some(&x),
            weight: &[2.0, 1.0],
            mean: &[0.0, 1.0],
            deviation: &[1.0, 0.5],
        };
        let dy = vec![1.0; x.len()];
        for residual in [false, true] {
            let found = backward(MAPS, saved, &dy, residual);
            let passes = |x: &f32| if *x > 0.0 { 1.0 } else { 0.0 };
            let of_channel = |channel: usize| {
                let numbers = x.iter().enumerate();
                let own = numbers.filter(move |(index, _)| index / 19 % 2 == channel);
                own.map(|(_, x)| x)
            };
            for channel in 0..2 {
                let [mean, deviation] = [saved.mean[channel], saved.deviation[channel]];
                let sum: f32 = of_channel(channel).map(passes).sum();
                let product: f32 = of_channel(channel)
                    .map(|x| passes(x) * (x - mean) * deviation)
                    .sum();
                assert_eq!([found.bias[channel], found.weight[channel]], [sum, product]);
            }
            for (index, (dx, x)) in found.x.iter().zip(&x).enumerate() {
                let channel = index / 19 % 2;
                let [mean, deviation] = [saved.mean[channel], saved.deviation[channel]];
                let normal = (x - mean) * deviation;
                let line = found.bias[channel] / 38.0 + normal * found.weight[channel] / 38.0;
                let expected = saved.weight[channel] * deviation * (passes(x) - line);
                assert!((dx - expected).abs() < 1e-5, "{dx} is not {expected}");
            }
            let expected: Vec<f32> = x.iter().filter(|_| residual).map(passes).collect();
            assert_eq!(found.residual, expected);
        }
    }
}
