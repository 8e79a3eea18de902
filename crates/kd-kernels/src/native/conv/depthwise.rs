//! Depthwise convolution: one filter a channel.
//!
//! There is little to compute for each number, so that maps are taken one by one through the
//! fastest cache. The layout of a map is that of other convolutions, see [`Plan`].

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::native::arch;
use crate::native::buffer::{Unwritten, total, written};

use super::backward::Wanted;
use super::forward::After;
use super::plan::Plan;
use super::scratch;
use super::shape::ConvShape;
use super::tasks::tasks;
use super::tile::{self, OVERRUN};

/// Whether a convolution is depthwise.
pub(super) fn suits(shape: &ConvShape) -> bool {
    shape.groups > 1 && shape.groups == shape.inputs && shape.groups == shape.outputs
}

/// Maps that are worth a thread of their own.
const SHARE: usize = 16;

/// Forward pass; see [`forward`](super::forward::forward).
pub(super) fn forward(shape: ConvShape, x: &[f32], weight: &[f32], after: After<'_>) -> Vec<f32> {
    let plan = Plan::of_maps(shape);
    let arch = arch();
    let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
    let length = shape.batch * shape.outputs * output_pixels;
    let share = share(&shape);
    let write = |out: &mut Unwritten| {
        out.par_chunks_mut((share * output_pixels).max(1))
            .enumerate()
            .for_each(|(index, out)| {
                let first = index * share;
                let maps = out.len() / output_pixels;
                let lengths = [plan.input_scratch(), plan.image + OVERRUN];
                scratch::with(lengths, |[planes, result]| {
                    arch.dispatch(Forward {
                        plan: &plan,
                        first,
                        x: &x[first * pixels..][..maps * pixels],
                        weight,
                        after: After {
                            residual: after.residual.map(|all| &all[first * output_pixels..]),
                            ..after
                        },
                        planes,
                        result,
                        out,
                    });
                });
            });
    };
    // SAFETY: the tasks are all maps.
    #[allow(unsafe_code)]
    unsafe {
        written(length, write)
    }
}

/// Maps of a task: a few tasks a thread, so that none waits for long.
fn share(shape: &ConvShape) -> usize {
    let maps = shape.batch * shape.inputs;
    maps.div_ceil(4 * rayon::current_num_threads()).max(SHARE)
}

struct Forward<'a> {
    plan: &'a Plan,
    /// The first map, of those of all images.
    first: usize,
    x: &'a [f32],
    weight: &'a [f32],
    after: After<'a>,
    planes: &'a mut [f32],
    result: &'a mut [f32],
    out: &'a mut Unwritten,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            plan,
            first,
            x,
            weight,
            after,
            planes,
            result,
            out,
        } = self;
        let shape = &plan.shape;
        let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
        let offsets = plan.input_offsets();
        let length = plan.outputs_of(1);
        planes.fill(0.0);
        let maps = x
            .chunks_exact(pixels)
            .zip(out.chunks_exact_mut(output_pixels));
        for (index, (x, out)) in maps.enumerate() {
            let channel = (first + index) % shape.inputs;
            let filter = &weight[channel * offsets.len()..][..offsets.len()];
            plan.pack_map(x, 0, 0, planes);
            tile::filtered(simd, filter, &offsets, planes, length, result);
            let after = After {
                bias: after.bias.map(|bias| &bias[channel..]),
                residual: after.residual.map(|all| &all[index * output_pixels..]),
                ..after
            };
            plan.unpack_output_map(result, after, out);
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
    let plan = Plan::of_maps(shape);
    let arch = arch();
    let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
    let length = if wanted.input { x.len() } else { 0 };
    let weights = if wanted.weight { weight.len() } else { 0 };
    if x.is_empty() || dy.is_empty() {
        return (vec![0.0; length], vec![0.0; weights]);
    }
    // One sum a thread, so that the same numbers come out each time.
    let maps = shape.batch * shape.inputs;
    let share = maps.div_ceil(rayon::current_num_threads()).max(SHARE);
    let work = |dx: &mut Unwritten| {
        let tasks = tasks(x, dy, dx, [share * pixels, share * output_pixels]);
        let sums: Vec<Vec<f32>> = tasks
            .into_par_iter()
            .enumerate()
            .map(|(index, (x, dy, dx))| {
                let mut dw = vec![0.0; weights];
                let lengths = [
                    plan.input_scratch(),
                    plan.gradient_scratch(),
                    plan.image + OVERRUN,
                ];
                scratch::with(lengths, |[planes, gradients, result]| {
                    arch.dispatch(Backward {
                        plan: &plan,
                        first: index * share,
                        x,
                        dy,
                        weight,
                        planes,
                        gradients,
                        result,
                        dx,
                        dw: &mut dw,
                    });
                });
                dw
            })
            .collect();
        total(sums)
    };
    let mut dw = Vec::new();
    // SAFETY: the tasks are all maps, and each input belongs to one part of its map.
    #[allow(unsafe_code)]
    let dx = unsafe { written(length, |dx| dw = work(dx)) };
    (dx, dw)
}

struct Backward<'a> {
    plan: &'a Plan,
    first: usize,
    x: &'a [f32],
    dy: &'a [f32],
    weight: &'a [f32],
    planes: &'a mut [f32],
    gradients: &'a mut [f32],
    result: &'a mut [f32],
    /// Empty if it is not wanted.
    dx: &'a mut Unwritten,
    /// Empty if it is not wanted.
    dw: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            plan,
            first,
            x,
            dy,
            weight,
            planes,
            gradients,
            result,
            dx,
            dw,
        } = self;
        let shape = &plan.shape;
        let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
        let offsets = plan.input_offsets();
        let elements = offsets.len();
        let length = plan.outputs_of(1).next_multiple_of(S::F32_LANES);
        let gradients = &mut gradients[plan.gradient_lead()..];
        planes.fill(0.0);
        gradients.fill(0.0);

        // Elements of the filter, and where they read, for each part of the input.
        let parts: Vec<_> = plan
            .parts()
            .map(|part| {
                let (taps, places): (Vec<_>, Vec<_>) = plan.taps_of(part).into_iter().unzip();
                (part, taps, places)
            })
            .collect();
        let mut part_filter = vec![0.0; elements];
        for (index, dy) in dy.chunks_exact(output_pixels).enumerate() {
            let channel = (first + index) % shape.inputs;
            let filter = &weight[channel * elements..][..elements];
            plan.pack_gradient_map(dy, gradients);
            if !dx.is_empty() {
                let map = &mut dx[index * pixels..][..pixels];
                for (part, taps, places) in &parts {
                    let part_filter = &mut part_filter[..taps.len()];
                    for (value, tap) in part_filter.iter_mut().zip(taps) {
                        *value = filter[*tap];
                    }
                    let length = plan.inputs_of(1, *part);
                    tile::filtered(simd, part_filter, places, gradients, length, result);
                    plan.unpack_map(result, *part, map);
                }
            }
            if !dw.is_empty() {
                plan.pack_map(&x[index * pixels..][..pixels], 0, 0, planes);
                let dw = &mut dw[channel * elements..][..elements];
                let left = &gradients[plan.gradient_margin()..][..length];
                let (triples, rest) = offsets.as_chunks::<3>();
                for (triple, dw) in triples.iter().zip(dw.chunks_exact_mut(3)) {
                    tile::inner_products::<S, 1, 3>(simd, left, planes, triple, elements, dw);
                }
                let done = elements - rest.len();
                for (offset, dw) in rest.iter().zip(dw[done..].chunks_exact_mut(1)) {
                    tile::inner_products::<S, 1, 1>(simd, left, planes, &[*offset], elements, dw);
                }
            }
        }
    }
}
