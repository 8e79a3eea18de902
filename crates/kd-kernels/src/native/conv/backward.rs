//! Backward.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::axis::Part;
use super::filters::{Filters, results};
use super::plan::Plan;
use super::tile::{inner_products, rows, tiles};
use super::{scratch, shape::ConvShape};

/// Gradients of input and weight; either may be left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) input: bool,
    pub(super) weight: bool,
}

/// Gradients of input and weight for those of the output, `[batch, outputs, height, width]`. What
/// is not wanted is empty.
pub(super) fn backward(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    wanted: Wanted,
) -> (Vec<f32>, Vec<f32>) {
    let plan = Plan::new(shape);
    let arch = Arch::new();
    let parts = if wanted.input {
        arch.dispatch(Prepare {
            plan: &plan,
            weight,
        })
    } else {
        Vec::new()
    };
    let image_in = shape.inputs * shape.pixels();
    let image_out = shape.outputs * shape.output_pixels();
    let mut dx = vec![
        0.0;
        if wanted.input {
            shape.batch * image_in
        } else {
            0
        }
    ];
    let weights = if wanted.weight { weight.len() } else { 0 };
    if shape.batch * image_in * image_out == 0 {
        return (dx, vec![0.0; weights]);
    }

    // Without a wanted input gradient, its chunks are empty.
    let mut rest = dx.as_mut_slice();
    let chunks: Vec<_> = x
        .chunks(plan.images * image_in)
        .zip(dy.chunks(plan.images * image_out))
        .map(|(x, dy)| {
            let length = if wanted.input { x.len() } else { 0 };
            let (dx, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            (x, dy, dx)
        })
        .collect();
    // One sum of weight gradients a thread.
    let at_once = chunks.len().div_ceil(rayon::current_num_threads()).max(1);
    let dw = chunks
        .into_par_iter()
        .with_min_len(at_once)
        .fold(
            || vec![0.0; weights],
            |mut dw, (x, dy, dx)| {
                let lengths = [
                    if wanted.weight {
                        plan.input_scratch()
                    } else {
                        0
                    },
                    plan.gradient_scratch(),
                    results(plan.images * plan.image),
                ];
                scratch::with(lengths, |[planes, gradients, results]| {
                    arch.dispatch(Chunk {
                        plan: &plan,
                        parts: &parts,
                        wanted,
                        x,
                        dy,
                        planes,
                        gradients,
                        results,
                        dx,
                        dw: &mut dw,
                    });
                });
                dw
            },
        )
        .reduce_with(|mut sum, other| {
            for (sum, other) in sum.iter_mut().zip(other) {
                *sum += other;
            }
            sum
        });
    (dx, dw.unwrap_or_default())
}

/// The filters of one part of the input gradients, for each group.
struct PartFilters<'a> {
    parts: [&'a Part; 2],
    groups: Vec<Filters>,
}

/// Brings the filters into the order of the tiles that this machine uses.
struct Prepare<'a> {
    plan: &'a Plan,
    weight: &'a [f32],
}

impl<'a> WithSimd for Prepare<'a> {
    type Output = Vec<PartFilters<'a>>;

    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let Self { plan, weight } = self;
        let shape = &plan.shape;
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let [height, width] = shape.kernel;
        let area = height * width;
        let pairs = plan.axes[0].parts.iter().flat_map(|rows| {
            plan.axes[1]
                .parts
                .iter()
                .map(move |columns| [rows, columns])
        });
        pairs
            .map(|parts| {
                let [rows_part, columns_part] = parts;
                // Place in the filter and in the plane of each element.
                let mut elements = Vec::new();
                for output in 0..outputs {
                    for (row, down) in &rows_part.taps {
                        for (column, right) in &columns_part.taps {
                            elements.push((
                                output * inputs * area + row * width + column,
                                output * plan.gradient_channel + down * plan.pitch() + right,
                            ));
                        }
                    }
                }
                let groups = weight
                    .chunks_exact(outputs * inputs * area)
                    .map(|group| {
                        let offsets = elements.iter().map(|(_, offset)| *offset).collect();
                        Filters::new(inputs, offsets, rows::<S>(), |input, element| {
                            group[elements[element].0 + input * area]
                        })
                    })
                    .collect();
                PartFilters { parts, groups }
            })
            .collect()
    }
}

/// Some images.
struct Chunk<'a> {
    plan: &'a Plan,
    parts: &'a [PartFilters<'a>],
    wanted: Wanted,
    x: &'a [f32],
    dy: &'a [f32],
    planes: &'a mut [f32],
    gradients: &'a mut [f32],
    results: &'a mut [f32],
    dx: &'a mut [f32],
    dw: &'a mut [f32],
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            plan,
            parts,
            wanted,
            x,
            dy,
            planes,
            gradients,
            results,
            dx,
            dw,
        } = self;
        let gradients = &mut gradients[plan.gradient_lead()..];
        let shape = &plan.shape;
        let images = x.len() / (shape.inputs * shape.pixels());
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let offsets = plan.input_offsets();
        let length = plan.outputs_of(images).next_multiple_of(S::F32_LANES);
        for group in 0..shape.groups {
            plan.pack_gradients(dy, group, gradients);
            for part in parts {
                let length = plan.inputs_of(images, part.parts);
                part.groups[group].apply(simd, gradients, length, results, |input, plane| {
                    plan.unpack_input(plane, group * inputs + input, part.parts, dx);
                });
            }
            if wanted.weight {
                plan.pack_inputs(x, group, planes);
                let elements = offsets.len();
                let dw = &mut dw[group * outputs * elements..][..outputs * elements];
                for (first, rows) in tiles(outputs, rows::<S>()) {
                    let dw = &mut dw[first * elements..][..rows * elements];
                    let gradient = |row: usize| {
                        let place = (first + row) * plan.gradient_channel + plan.gradient_margin();
                        &gradients[place..][..length]
                    };
                    let out = (planes as &[f32], offsets.as_slice(), length, dw);
                    match rows {
                        8 => correlate::<S, 8>(simd, std::array::from_fn(gradient), out),
                        4 => correlate::<S, 4>(simd, std::array::from_fn(gradient), out),
                        2 => correlate::<S, 2>(simd, std::array::from_fn(gradient), out),
                        _ => correlate::<S, 1>(simd, std::array::from_fn(gradient), out),
                    }
                }
            }
        }
    }
}

/// Adds the inner products of gradients with inputs to the weight gradients, `[R, elements]`.
#[inline(always)]
fn correlate<S: Simd, const R: usize>(
    simd: S,
    gradients: [&[f32]; R],
    (planes, offsets, length, dw): (&[f32], &[usize], usize, &mut [f32]),
) {
    let elements = offsets.len();
    let input = |offset: usize| &planes[offset..][..length];
    let (triples, rest) = offsets.as_chunks::<3>();
    for (index, triple) in triples.iter().enumerate() {
        inner_products(simd, gradients, triple.map(input), |row, column, sum| {
            dw[row * elements + index * 3 + column] += sum;
        });
    }
    for (index, offset) in rest.iter().enumerate() {
        inner_products(simd, gradients, [input(*offset)], |row, _, sum| {
            dw[row * elements + triples.len() * 3 + index] += sum;
        });
    }
}
