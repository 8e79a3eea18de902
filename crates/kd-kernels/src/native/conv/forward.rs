//! Forward.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::native::arch;
use crate::native::buffer::{Unwritten, written};

use super::filters::{Extent, Filters, results};
use super::plan::Plan;
use super::tile::rows;
use super::{depthwise, scratch, shape::ConvShape, small, winograd};

/// Vectors of a map that are enough to read it in place.
const FEWEST_VECTORS: usize = 1;

/// What is done to the output in the same pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct After<'a> {
    /// `[outputs]`.
    pub(super) bias: Option<&'a [f32]>,
    /// Added after that; as the output.
    pub(super) residual: Option<&'a [f32]>,
    /// Cut off at 0.
    pub(super) relu: bool,
}

/// The convolution of `x`, `[batch, inputs, height, width]`, with `weight`,
/// `[outputs, inputs / groups, height, width]`, and what comes after it.
pub(super) fn forward(shape: ConvShape, x: &[f32], weight: &[f32], after: After<'_>) -> Vec<f32> {
    if winograd::suits(&shape) {
        return winograd::forward(shape, x, weight, after);
    }
    if small::suits(&shape) {
        return small::forward(shape, x, weight, after);
    }
    if depthwise::suits(&shape) {
        return depthwise::forward(shape, x, weight, after);
    }
    let plan = Plan::in_place_from(FEWEST_VECTORS, shape);
    let arch = arch();
    let filters = arch.dispatch(Prepare {
        plan: &plan,
        weight,
    });
    let image_out = shape.outputs * shape.output_pixels();
    let image_in = shape.inputs * shape.pixels();
    let write = |out: &mut Unwritten| {
        let mut chunks: Vec<_> = out
            .chunks_mut((plan.images * image_out).max(1))
            .zip(x.chunks((plan.images * image_in).max(1)))
            .enumerate()
            .collect();
        let share = chunks.len().div_ceil(rayon::current_num_threads()).max(1);
        chunks.par_chunks_mut(share).for_each(|chunks| {
            let lengths = [plan.input_scratch(), results(plan.images * plan.image)];
            scratch::with(lengths, |[planes, results]| {
                planes.fill(0.0);
                for (index, (out, x)) in chunks {
                    let place = *index * plan.images * image_out;
                    let after = After {
                        residual: after.residual.map(|all| &all[place..][..out.len()]),
                        ..after
                    };
                    arch.dispatch(Chunk {
                        plan: &plan,
                        filters: &filters,
                        after,
                        x,
                        planes,
                        results,
                        out,
                    });
                }
            });
        });
    };
    // SAFETY: the chunks are all images, and the filters of all groups all channels.
    #[allow(unsafe_code)]
    unsafe {
        written(shape.batch * image_out, write)
    }
}

/// Brings the filters into the order of the tiles that this machine uses.
struct Prepare<'a> {
    plan: &'a Plan,
    weight: &'a [f32],
}

impl WithSimd for Prepare<'_> {
    /// For each group.
    type Output = Vec<Filters>;

    fn with_simd<S: Simd>(self, _simd: S) -> Vec<Filters> {
        let offsets = self.plan.input_offsets();
        let elements = offsets.len();
        let extent = Extent {
            filters: self.plan.shape.group_outputs(),
            channels: 1,
            taps: elements,
        };
        self.weight
            .chunks_exact(extent.filters * elements)
            .map(|group| {
                Filters::new(
                    extent,
                    offsets.clone(),
                    rows::<S>(),
                    |filter, _, element| group[filter * elements + element],
                )
            })
            .collect()
    }
}

/// Some images.
struct Chunk<'a> {
    plan: &'a Plan,
    filters: &'a [Filters],
    after: After<'a>,
    x: &'a [f32],
    planes: &'a mut [f32],
    results: &'a mut [f32],
    out: &'a mut Unwritten,
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            plan,
            filters,
            after,
            x,
            planes,
            results,
            out,
        } = self;
        let images = x.len() / (plan.shape.inputs * plan.shape.pixels());
        let length = plan.outputs_of(images);
        let outputs = plan.shape.group_outputs();
        for (group, filters) in filters.iter().enumerate() {
            let planes = match plan.in_place {
                true => x,
                false => {
                    plan.pack_inputs(x, group, planes);
                    planes as &[f32]
                }
            };
            filters.apply(simd, planes, length, results, |filter, plane| {
                let channel = group * outputs + filter;
                plan.unpack_output(plane, channel, after, out);
            });
        }
    }
}
