//! Forward.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::filters::{Filters, results};
use super::plan::Plan;
use super::tile::rows;
use super::{scratch, shape::ConvShape};

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
    let plan = Plan::new(shape);
    let arch = Arch::new();
    let filters = arch.dispatch(Prepare {
        plan: &plan,
        weight,
    });
    let image_out = shape.outputs * shape.output_pixels();
    let image_in = shape.inputs * shape.pixels();
    let mut out = vec![0.0; shape.batch * image_out];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_mut(plan.images * image_out)
        .zip(x.par_chunks(plan.images * image_in))
        .enumerate()
        .for_each(|(index, (out, x))| {
            let place = index * plan.images * image_out;
            let after = After {
                residual: after.residual.map(|all| &all[place..][..out.len()]),
                ..after
            };
            let lengths = [plan.input_scratch(), results(plan.images * plan.image)];
            scratch::with(lengths, |[planes, results]| {
                arch.dispatch(Chunk {
                    plan: &plan,
                    filters: &filters,
                    after,
                    x,
                    planes,
                    results,
                    out,
                });
            });
        });
    out
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
        let outputs = self.plan.shape.group_outputs();
        self.weight
            .chunks_exact(outputs * elements)
            .map(|group| {
                Filters::new(outputs, offsets.clone(), rows::<S>(), |filter, element| {
                    group[filter * elements + element]
                })
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
    out: &'a mut [f32],
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
            plan.pack_inputs(x, group, planes);
            filters.apply(simd, planes, length, results, |filter, plane| {
                let channel = group * outputs + filter;
                plan.unpack_output(plane, channel, after, out);
            });
        }
    }
}
