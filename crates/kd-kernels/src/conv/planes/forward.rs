//! Forward.

use pulp::Simd;

use crate::conv::filters::{Extent, Filters, results};
use crate::conv::plan::Plan;
use crate::conv::shape::ConvShape;
use crate::conv::strategy::{self, ForwardChunk, Layout};

/// Vectors of a map that are enough to read it in place.
const FEWEST_VECTORS: usize = 1;

/// A forward pass: each filter is applied to the planes of its group.
pub(crate) struct Forward {
    plan: Plan,
    /// For each group.
    filters: Vec<Filters>,
}

impl Forward {
    /// A convolution of this shape.
    pub(crate) fn new(shape: ConvShape, weight: &[f32]) -> Self {
        let threads = rayon::current_num_threads();
        let plan = Plan::in_place_from(FEWEST_VECTORS, shape, threads);
        let offsets = plan.input_offsets();
        let elements = offsets.len();
        let extent = Extent {
            filters: shape.group_outputs(),
            channels: 1,
            taps: elements,
        };
        let filters = weight
            .chunks_exact(extent.filters * elements)
            .map(|group| {
                Filters::new(extent, offsets.clone(), |filter, _, element| {
                    group[filter * elements + element]
                })
            })
            .collect();
        Self { plan, filters }
    }
}

// SAFETY: the filters of all groups are all channels, and each writes its map of every image.
#[allow(unsafe_code)]
unsafe impl strategy::Forward for Forward {
    fn layout(&self) -> Layout {
        let Self { plan, .. } = self;
        Layout {
            unit: [plan.shape.image_in(), plan.shape.image_out()],
            chunk: plan.images,
            scratch: [plan.input_scratch(), results(plan.images * plan.image), 0],
            zeroed: 1,
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: ForwardChunk<'_>) {
        let ForwardChunk {
            x,
            epilogue,
            scratch: [planes, results, _],
            out,
            ..
        } = chunk;
        let plan = &self.plan;
        let images = x.len() / plan.shape.image_in();
        let length = plan.outputs_of(images);
        let outputs = plan.shape.group_outputs();
        for (group, filters) in self.filters.iter().enumerate() {
            let planes = match plan.in_place {
                true => x,
                false => {
                    plan.pack_inputs(x, group, planes);
                    planes as &[f32]
                }
            };
            filters.apply(simd, planes, length, results, |filter, plane| {
                let channel = group * outputs + filter;
                plan.unpack_output(plane, channel, epilogue, out);
            });
        }
    }
}
