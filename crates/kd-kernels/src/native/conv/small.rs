//! Convolution of small maps: the images of a chunk lie side by side, `[channel][place][image]`.
//!
//! A vector then holds one place of many images. Nothing is computed for padding, of which small
//! maps have much: of a 3×3 filter on a 4×4 map, three elements in ten meet nothing else.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::native::buffer::{Unwritten, total, written};
use crate::native::{arch, at_least, lowest};

use super::backward::Wanted;
use super::filters::{Extent, Filters, Tile};
use super::forward::After;
use super::pairs::Pairs;
use super::scratch;
use super::shape::ConvShape;
use super::tasks::tasks;
use super::tile::{self, gathered, rows, tiles};

/// Largest map, in places, that is worth the rearrangement.
const LARGEST: usize = 100;

/// Images that fill the vectors of a thread.
const FEWEST: usize = 16;

/// Most images in a chunk.
const CHUNK: usize = 64;

/// Whether this way is the better one.
pub(super) fn suits(shape: &ConvShape) -> bool {
    let [height, width] = shape.kernel;
    shape.groups == 1
        && height * width > 1
        && shape.batch >= FEWEST * rayon::current_num_threads()
        && shape.pixels().max(shape.output_pixels()) <= LARGEST
        && shape.inputs.min(shape.outputs) >= 16
}

/// Layout of a chunk.
#[derive(Debug)]
struct Plan {
    shape: ConvShape,
    pairs: Pairs,
    /// Images in a chunk, whole vectors of them.
    lanes: usize,
}

impl Plan {
    fn new(shape: ConvShape) -> Self {
        let threads = rayon::current_num_threads();
        let rounds = shape.batch.div_ceil(CHUNK * threads);
        let images = shape.batch.div_ceil(rounds * threads).next_multiple_of(16);
        Self {
            pairs: Pairs::new(&shape),
            lanes: images,
            shape,
        }
    }

    fn image_in(&self) -> usize {
        self.shape.inputs * self.shape.pixels()
    }

    fn image_out(&self) -> usize {
        self.shape.outputs * self.shape.output_pixels()
    }

    /// Puts images side by side.
    #[inline(always)]
    fn gather(&self, images: &[f32], image: usize, out: &mut [f32]) {
        let out = &mut out[..image * self.lanes];
        if images.len() < image * self.lanes {
            out.fill(0.0);
        }
        // A block of sixteen places at a time stays in the fastest cache.
        for (block, out) in out.chunks_mut(16 * self.lanes).enumerate() {
            for (lane, image) in images.chunks_exact(image).enumerate() {
                let places = &image[block * 16..];
                for (out, value) in out.chunks_exact_mut(self.lanes).zip(places) {
                    out[lane] = *value;
                }
            }
        }
    }
}

/// Forward pass; see [`forward`](super::forward::forward).
pub(super) fn forward(shape: ConvShape, x: &[f32], weight: &[f32], after: After<'_>) -> Vec<f32> {
    let plan = Plan::new(shape);
    let arch = arch();
    let area = shape.kernel[0] * shape.kernel[1];
    let filters = arch.dispatch(Prepare {
        extent: Extent {
            filters: shape.outputs,
            channels: shape.inputs,
            taps: area,
        },
        value: |output, input, tap| weight[(output * shape.inputs + input) * area + tap],
    });
    let (image_in, image_out) = (plan.image_in(), plan.image_out());
    let write = |out: &mut Unwritten| {
        out.par_chunks_mut(plan.lanes * image_out)
            .zip(x.par_chunks(plan.lanes * image_in))
            .enumerate()
            .for_each(|(index, (out, x))| {
                let place = index * plan.lanes * image_out;
                let after = After {
                    residual: after.residual.map(|all| &all[place..][..out.len()]),
                    ..after
                };
                let lengths = [
                    image_in * plan.lanes,
                    tile::ROWS * shape.output_pixels() * plan.lanes,
                ];
                scratch::with(lengths, |[inputs, results]| {
                    arch.dispatch(Forward {
                        plan: &plan,
                        filters: &filters,
                        after,
                        x,
                        inputs,
                        results,
                        out,
                    });
                });
            });
    };
    // SAFETY: the chunks are all images, and the filters all channels.
    #[allow(unsafe_code)]
    unsafe {
        written(shape.batch * image_out, write)
    }
}

/// Brings filters into the order of the tiles that this machine uses.
struct Prepare<F> {
    extent: Extent,
    value: F,
}

impl<F: Fn(usize, usize, usize) -> f32 + Sync> WithSimd for Prepare<F> {
    type Output = Filters;

    fn with_simd<S: Simd>(self, _simd: S) -> Filters {
        Filters::new(self.extent, Vec::new(), rows::<S>(), self.value)
    }
}

struct Forward<'a> {
    plan: &'a Plan,
    filters: &'a Filters,
    after: After<'a>,
    x: &'a [f32],
    inputs: &'a mut [f32],
    results: &'a mut [f32],
    out: &'a mut Unwritten,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            plan,
            filters,
            after,
            x,
            inputs,
            results,
            out,
        } = self;
        let pixels = plan.shape.output_pixels();
        plan.gather(x, plan.image_in(), inputs);
        for tile in filters.tiles() {
            let results = &mut results[..tile.rows * pixels * plan.lanes];
            let sources = (&*inputs, plan.shape.pixels(), plan.lanes);
            apply(simd, tile, sources, &plan.pairs.of_output, results);
            for (row, result) in results.chunks_exact(pixels * plan.lanes).enumerate() {
                let channel = tile.first + row;
                let bias = after.bias.map_or(0.0, |bias| bias[channel]);
                let lowest = lowest(after.relu);
                for (lane, image) in out.chunks_exact_mut(plan.image_out()).enumerate() {
                    let map = channel * pixels..(channel + 1) * pixels;
                    let values = result.chunks_exact(plan.lanes);
                    let targets = &mut image[map.clone()];
                    assert_eq!(targets.len(), values.len());
                    match after.residual {
                        None => {
                            for (target, values) in targets.iter_mut().zip(values) {
                                let value = values[lane] + bias;
                                target.write(at_least(lowest, value));
                            }
                        }
                        Some(residual) => {
                            let added = &residual[lane * plan.image_out()..][map];
                            for ((target, values), added) in
                                targets.iter_mut().zip(values).zip(added)
                            {
                                let value = values[lane] + bias + added;
                                target.write(at_least(lowest, value));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Applies a tile of filters to all places: `results[row][place][lane]`.
#[inline(always)]
fn apply<S: Simd>(
    simd: S,
    tile: &Tile,
    sources: (&[f32], usize, usize),
    pairs: &[Vec<(usize, usize)>],
    results: &mut [f32],
) {
    let weights = &tile.values;
    match tile.rows {
        8 => apply_rows::<S, 8>(simd, weights, sources, pairs, results),
        4 => apply_rows::<S, 4>(simd, weights, sources, pairs, results),
        2 => apply_rows::<S, 2>(simd, weights, sources, pairs, results),
        _ => apply_rows::<S, 1>(simd, weights, sources, pairs, results),
    }
}

#[inline(always)]
fn apply_rows<S: Simd, const R: usize>(
    simd: S,
    weights: &[f32],
    (sources, places, lanes): (&[f32], usize, usize),
    pairs: &[Vec<(usize, usize)>],
    results: &mut [f32],
) {
    let channel = places * lanes;
    let weights = weights.as_chunks::<R>().0;
    let channels = sources.len() / channel;
    let area = weights.len() / channels;
    for (place, pairs) in pairs.iter().enumerate() {
        let mut lane = 0;
        while lane < lanes {
            let vectors = (lanes - lane) / S::F32_LANES;
            let target = place * lanes + lane;
            let source = (&sources[lane..], channel, lanes);
            let filters = (weights, area);
            let count = vectors.clamp(1, 3);
            match count {
                1 => gathered::<S, R, 1>(simd, filters, source, pairs, target, results),
                2 => gathered::<S, R, 2>(simd, filters, source, pairs, target, results),
                _ => gathered::<S, R, 3>(simd, filters, source, pairs, target, results),
            }
            lane += count * S::F32_LANES;
        }
    }
}

/// Backward pass; see [`backward`](super::backward::backward).
pub(super) fn backward(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    wanted: Wanted,
) -> (Vec<f32>, Vec<f32>) {
    let plan = Plan::new(shape);
    let arch = arch();
    let area = shape.kernel[0] * shape.kernel[1];
    let filters = wanted.input.then(|| {
        arch.dispatch(Prepare {
            extent: Extent {
                filters: shape.inputs,
                channels: shape.outputs,
                taps: area,
            },
            value: |input, output, tap| weight[(output * shape.inputs + input) * area + tap],
        })
    });
    let (image_in, image_out) = (plan.image_in(), plan.image_out());
    let length = if wanted.input {
        shape.batch * image_in
    } else {
        0
    };
    let weights = if wanted.weight { weight.len() } else { 0 };

    let work = |dx: &mut Unwritten| {
        let sizes = [plan.lanes * image_in, plan.lanes * image_out];
        let mut chunks = tasks(x, dy, dx, sizes);
        let share = chunks.len().div_ceil(rayon::current_num_threads());
        let sums: Vec<Vec<f32>> = chunks
            .par_chunks_mut(share)
            .map(|chunks| {
                let mut dw = vec![0.0; weights];
                let largest = shape.pixels().max(shape.output_pixels());
                let lengths = [
                    if wanted.weight {
                        image_in * plan.lanes
                    } else {
                        0
                    },
                    image_out * plan.lanes,
                    tile::ROWS * largest * plan.lanes,
                ];
                scratch::with(lengths, |[inputs, gradients, results]| {
                    for (x, dy, dx) in chunks {
                        arch.dispatch(Backward {
                            plan: &plan,
                            filters: filters.as_ref(),
                            x: if wanted.weight { x } else { &[] },
                            dy,
                            inputs,
                            gradients,
                            results,
                            dx,
                            dw: &mut dw,
                        });
                    }
                });
                dw
            })
            .collect();
        total(sums)
    };
    let mut dw = Vec::new();
    // SAFETY: the chunks are all images, and the filters of the gradient all channels.
    #[allow(unsafe_code)]
    let dx = unsafe { written(length, |dx| dw = work(dx)) };
    (dx, dw)
}

struct Backward<'a> {
    plan: &'a Plan,
    /// For the gradient of the input.
    filters: Option<&'a Filters>,
    /// Empty if the gradient of the weight is not wanted.
    x: &'a [f32],
    dy: &'a [f32],
    inputs: &'a mut [f32],
    gradients: &'a mut [f32],
    results: &'a mut [f32],
    dx: &'a mut Unwritten,
    dw: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            plan,
            filters,
            x,
            dy,
            inputs,
            gradients,
            results,
            dx,
            dw,
        } = self;
        let shape = &plan.shape;
        let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
        plan.gather(dy, plan.image_out(), gradients);
        if let Some(filters) = filters {
            for tile in filters.tiles() {
                let results = &mut results[..tile.rows * pixels * plan.lanes];
                let sources = (&*gradients, output_pixels, plan.lanes);
                apply(simd, tile, sources, &plan.pairs.of_input, results);
                for (row, result) in results.chunks_exact(pixels * plan.lanes).enumerate() {
                    let channel = tile.first + row;
                    let map = channel * pixels..(channel + 1) * pixels;
                    for (lane, image) in dx.chunks_exact_mut(plan.image_in()).enumerate() {
                        let values = result.chunks_exact(plan.lanes);
                        assert_eq!(map.len(), values.len());
                        for (target, values) in image[map.clone()].iter_mut().zip(values) {
                            target.write(values[lane]);
                        }
                    }
                }
            }
        }
        if x.is_empty() {
            return;
        }
        plan.gather(x, plan.image_in(), inputs);
        let length = output_pixels * plan.lanes;
        let elements = dw.len() / shape.outputs;
        for (first, rows) in tiles(shape.outputs, rows::<S>()) {
            let gradients = &gradients[first * length..][..rows * length];
            let left = &mut results[..rows * length];
            let dw = &mut dw[first * elements..];
            match rows {
                8 => correlate::<S, 8>(simd, plan, gradients, left, inputs, dw),
                4 => correlate::<S, 4>(simd, plan, gradients, left, inputs, dw),
                2 => correlate::<S, 2>(simd, plan, gradients, left, inputs, dw),
                _ => correlate::<S, 1>(simd, plan, gradients, left, inputs, dw),
            }
        }
    }
}

/// Adds the inner products of `R` rows of gradients with all inputs to the weight gradients.
#[inline(always)]
fn correlate<S: Simd, const R: usize>(
    simd: S,
    plan: &Plan,
    gradients: &[f32],
    left: &mut [f32],
    inputs: &[f32],
    dw: &mut [f32],
) {
    let shape = &plan.shape;
    let area = plan.pairs.of_element.len();
    let elements = shape.inputs * area;
    let channel = shape.pixels() * plan.lanes;
    tile::interleave::<S, R>(gradients, gradients.len() / R, left);
    for (tap, runs) in plan.pairs.of_element.iter().enumerate() {
        let mut input = 0;
        while input < shape.inputs {
            let sources = (&inputs[input * channel..], channel);
            let dw = (&mut dw[input * area + tap..], elements, area);
            if shape.inputs - input >= 3 {
                tile::run_products::<S, R, 3>(simd, left, sources, runs, plan.lanes, dw);
                input += 3;
            } else {
                tile::run_products::<S, R, 1>(simd, left, sources, runs, plan.lanes, dw);
                input += 1;
            }
        }
    }
}
