//! Backward.

use std::ops::Range;

use pulp::Simd;

use crate::conv::axis::Part;
use crate::conv::filters::{Extent, Filters, results};
use crate::conv::mask::GradMask;
use crate::conv::plan::Plan;
use crate::conv::shape::ConvShape;
use crate::conv::strategy::{self, BackwardChunk, Layout};
use crate::conv::tile::{inner_products, interleave, rows, tiles};

/// Vectors of a map that are enough to read it in place: sums over fewer are too short.
const FEWEST_VECTORS: usize = 4;

/// A backward pass. Gradients of the input are a convolution of those of the output; gradients of
/// the weight are inner products of both planes.
pub(crate) struct Backward {
    plan: Plan,
    /// Empty if the gradient of the input is not asked for.
    parts: Vec<PartFilters>,
    mask: GradMask,
}

/// The filters of one part of the input gradients, for each group.
struct PartFilters {
    parts: [Part; 2],
    groups: Vec<Filters>,
}

impl PartFilters {
    fn new(plan: &Plan, parts: [&Part; 2], weight: &[f32]) -> Self {
        let shape = &plan.shape;
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let area = shape.kernel[0] * shape.kernel[1];
        let taps = plan.taps_of(parts);
        let extent = Extent {
            filters: inputs,
            channels: outputs,
            taps: taps.len(),
        };
        let offsets: Vec<usize> = (0..outputs)
            .flat_map(|output| {
                let plane = output * plan.gradient_channel;
                taps.iter().map(move |(_, offset)| plane + offset)
            })
            .collect();
        let groups = weight
            .chunks_exact(outputs * inputs * area)
            .map(|group| {
                Filters::new(extent, offsets.clone(), |input, output, tap| {
                    group[(output * inputs + input) * area + taps[tap].0]
                })
            })
            .collect();
        Self {
            parts: parts.map(Part::clone),
            groups,
        }
    }
}

impl Backward {
    /// The gradients of the output, `outputs` of one group, where tiles can read them.
    #[inline(always)]
    fn gradients<'a>(
        &self,
        dy: &'a [f32],
        outputs: Range<usize>,
        planes: &'a mut [f32],
    ) -> &'a [f32] {
        let plan = &self.plan;
        if plan.in_place {
            return &dy[outputs.start * plan.gradient_channel..];
        }
        let planes = &mut planes[plan.gradient_lead()..];
        plan.pack_gradients(dy, outputs, planes);
        planes
    }
}

// SAFETY: the filters of all groups are all channels, and each input belongs to one part of its map.
#[allow(unsafe_code)]
unsafe impl strategy::Backward for Backward {
    fn new(shape: ConvShape, weight: &[f32], mask: GradMask, parts: usize) -> Self {
        let plan = Plan::in_place_from(FEWEST_VECTORS, shape, parts);
        let parts = match mask.input {
            true => plan
                .parts()
                .map(|parts| PartFilters::new(&plan, parts, weight))
                .collect(),
            false => Vec::new(),
        };
        Self { plan, parts, mask }
    }

    fn layout(&self) -> Layout {
        let Self { plan, mask, .. } = self;
        let inputs = if mask.weight { plan.input_scratch() } else { 0 };
        Layout {
            unit: [plan.shape.image_in(), plan.shape.image_out()],
            chunk: plan.images,
            scratch: [
                inputs,
                plan.gradient_scratch(),
                results(plan.images * plan.image),
            ],
            zeroed: 2,
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: BackwardChunk<'_>) {
        let BackwardChunk {
            x,
            dy,
            scratch: [planes, gradients, results],
            dx,
            outputs: range,
            dw,
            ..
        } = chunk;
        let plan = &self.plan;
        let shape = &plan.shape;
        let images = x.len() / shape.image_in();
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let offsets = plan.input_offsets();
        let elements = offsets.len();
        let length = plan.outputs_of(images).next_multiple_of(S::F32_LANES);
        for group in 0..shape.groups {
            let start = range.start.max(group * outputs);
            let end = range.end.min((group + 1) * outputs);
            if start >= end {
                continue;
            }
            let gradients = self.gradients(dy, start..end, gradients);
            for part in &self.parts {
                let parts = part.parts.each_ref();
                let length = plan.inputs_of(images, parts);
                part.groups[group].apply(simd, gradients, length, results, |input, plane| {
                    plan.unpack_input(plane, group * inputs + input, parts, dx);
                });
            }
            if dw.is_empty() {
                continue;
            }
            let planes = match plan.in_place {
                true => x,
                false => {
                    plan.pack_inputs(x, group, planes);
                    planes as &[f32]
                }
            };
            let dw = &mut dw[(start - range.start) * elements..][..(end - start) * elements];
            for (first, rows) in tiles(end - start, rows::<S>()) {
                let dw = &mut dw[first * elements..][..rows * elements];
                let place = first * plan.gradient_channel + plan.gradient_margin();
                let gradients = (&gradients[place..], plan.gradient_channel);
                let left = &mut results[..rows * length];
                let right = (planes, offsets.as_slice());
                match rows {
                    8 => correlate::<S, 8>(simd, gradients, left, right, dw),
                    4 => correlate::<S, 4>(simd, gradients, left, right, dw),
                    2 => correlate::<S, 2>(simd, gradients, left, right, dw),
                    _ => correlate::<S, 1>(simd, gradients, left, right, dw),
                }
            }
        }
    }
}

/// Adds the inner products of `R` rows of gradients, `stride` apart, with inputs to the weight
/// gradients, `[R, elements]`.
#[inline(always)]
fn correlate<S: Simd, const R: usize>(
    simd: S,
    (gradients, stride): (&[f32], usize),
    left: &mut [f32],
    (planes, offsets): (&[f32], &[usize]),
    dw: &mut [f32],
) {
    interleave::<S, R>(gradients, stride, left);
    let elements = offsets.len();
    let (triples, rest) = offsets.as_chunks::<3>();
    for (index, triple) in triples.iter().enumerate() {
        inner_products::<S, R, 3>(simd, left, planes, triple, elements, &mut dw[index * 3..]);
    }
    let done = triples.len() * 3;
    for (index, offset) in rest.iter().enumerate() {
        let dw = &mut dw[done + index..];
        inner_products::<S, R, 1>(simd, left, planes, &[*offset], elements, dw);
    }
}
