//! Depthwise convolution: one filter a channel.
//!
//! There is little to compute for each number, so that maps are taken one by one through the
//! fastest cache. The layout of a map is that of other convolutions, see [`Plan`].

use pulp::Simd;

use super::mask::GradMask;
use super::plan::Plan;
use super::shape::ConvShape;
use super::strategy::{Backward, BackwardChunk, Forward, ForwardChunk, Layout};
use super::tile::{self, OVERRUN};

/// Whether a convolution is depthwise.
pub(super) fn suits(shape: &ConvShape) -> bool {
    shape.groups > 1 && shape.groups == shape.inputs && shape.groups == shape.outputs
}

/// Maps that are worth a thread of their own.
const SHARE: usize = 16;

/// Sums of weight gradients: filters are small, and so are these sums.
const PARTS: usize = 32;

/// A depthwise convolution. Its units are maps.
pub(super) struct Depthwise {
    plan: Plan,
    weight: Vec<f32>,
    /// Maps in a chunk.
    chunk: usize,
}

impl Depthwise {
    /// For a forward pass.
    pub(super) fn new(shape: ConvShape, weight: &[f32]) -> Self {
        Self::in_parts(shape, weight, 4 * rayon::current_num_threads())
    }

    fn in_parts(shape: ConvShape, weight: &[f32], parts: usize) -> Self {
        Self {
            plan: Plan::of_maps(shape),
            weight: weight.to_vec(),
            chunk: (shape.batch * shape.inputs).div_ceil(parts).max(SHARE),
        }
    }

    fn layout_with(&self, scratch: [usize; 3], zeroed: usize) -> Layout {
        let shape = &self.plan.shape;
        Layout {
            unit: [shape.pixels(), shape.output_pixels()],
            chunk: self.chunk,
            scratch,
            zeroed,
        }
    }
}

// SAFETY: a chunk is whole maps, and each is written from its first row to its last.
#[allow(unsafe_code)]
unsafe impl Forward for Depthwise {
    fn layout(&self) -> Layout {
        let plan = &self.plan;
        self.layout_with([plan.input_scratch(), plan.image + OVERRUN, 0], 1)
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: ForwardChunk<'_>) {
        let ForwardChunk {
            first,
            x,
            epilogue,
            scratch: [planes, result, _],
            out,
        } = chunk;
        let plan = &self.plan;
        let shape = &plan.shape;
        let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
        let offsets = plan.input_offsets();
        let length = plan.outputs_of(1);
        let maps = x
            .chunks_exact(pixels)
            .zip(out.chunks_exact_mut(output_pixels));
        for (index, (x, out)) in maps.enumerate() {
            let channel = (first + index) % shape.inputs;
            let filter = &self.weight[channel * offsets.len()..][..offsets.len()];
            plan.pack_map(x, 0, 0, planes);
            tile::filtered(simd, filter, &offsets, planes, length, result);
            let of_map = epilogue.of_map(channel, index * output_pixels);
            plan.unpack_output_map(result, of_map, out);
        }
    }
}

// SAFETY: a chunk is whole maps, and each input belongs to one part of its map.
#[allow(unsafe_code)]
unsafe impl Backward for Depthwise {
    const BY_OUTPUTS: bool = false;

    fn parts(_shape: &ConvShape) -> usize {
        PARTS
    }

    fn new(shape: ConvShape, weight: &[f32], _mask: GradMask, parts: usize) -> Self {
        Self::in_parts(shape, weight, parts)
    }

    fn layout(&self) -> Layout {
        let plan = &self.plan;
        let scratch = [
            plan.input_scratch(),
            plan.gradient_scratch(),
            plan.image + OVERRUN,
        ];
        self.layout_with(scratch, 2)
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: BackwardChunk<'_>) {
        let BackwardChunk {
            first,
            x,
            dy,
            scratch: [planes, gradients, result],
            dx,
            dw,
            ..
        } = chunk;
        let Self { plan, weight, .. } = self;
        let shape = &plan.shape;
        let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
        let offsets = plan.input_offsets();
        let elements = offsets.len();
        let length = plan.outputs_of(1).next_multiple_of(S::F32_LANES);
        let gradients = &mut gradients[plan.gradient_lead()..];

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
