//! Backward.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::native::arch;
use crate::native::buffer::{Unwritten, total, written};

use super::axis::Part;
use super::filters::{Extent, Filters, results};
use super::plan::Plan;
use super::tasks::tasks;
use super::tile::{inner_products, interleave, rows, tiles};
use super::{depthwise, scratch, shape::ConvShape, small, winograd};

/// Vectors of a map that are enough to read it in place: sums over fewer are too short.
const FEWEST_VECTORS: usize = 4;

/// The share of images without gradient from which they are left out: one in so many.
const FEWEST_ABSENT: usize = 8;

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
    let present = present(dy, shape.outputs * shape.output_pixels());
    if present.is_empty() {
        let zeros = |wanted: bool, length: usize| vec![0.0; if wanted { length } else { 0 }];
        return (
            zeros(wanted.input, x.len()),
            zeros(wanted.weight, weight.len()),
        );
    }
    // Gathering for fewer would cost more than it saves.
    let absent = shape.batch - present.len();
    if wanted.input && !wanted.weight && absent >= shape.batch.div_ceil(FEWEST_ABSENT) {
        return (of_present(shape, x, weight, dy, &present), Vec::new());
    }
    every(shape, x, weight, dy, wanted)
}

/// The same, whatever the gradients are.
fn every(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    wanted: Wanted,
) -> (Vec<f32>, Vec<f32>) {
    if wanted.input && winograd::suits_backward(&shape) {
        let dx = winograd::backward_input(shape, dy, weight);
        let (_, dw) = match wanted.weight {
            true => every(
                shape,
                x,
                weight,
                dy,
                Wanted {
                    input: false,
                    ..wanted
                },
            ),
            false => (Vec::new(), Vec::new()),
        };
        return (dx, dw);
    }
    if small::suits(&shape) {
        return small::backward(shape, x, weight, dy, wanted);
    }
    if depthwise::suits(&shape) {
        return depthwise::backward(shape, x, weight, dy, wanted);
    }
    let plan = Plan::in_place_from(FEWEST_VECTORS, shape);
    let arch = arch();
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
    let length = if wanted.input {
        shape.batch * image_in
    } else {
        0
    };
    let weights = if wanted.weight { weight.len() } else { 0 };
    if shape.batch * image_in * image_out == 0 {
        return (vec![0.0; length], vec![0.0; weights]);
    }

    // Without a wanted input gradient, its chunks are empty.
    let work = |dx: &mut Unwritten| {
        let sizes = [plan.images * image_in, plan.images * image_out];
        let mut chunks = tasks(x, dy, dx, sizes);
        // One sum of weight gradients a thread; they are added up in order, so that the same numbers
        // come out each time.
        let share = chunks.len().div_ceil(rayon::current_num_threads());
        let sums: Vec<Vec<f32>> = chunks
            .par_chunks_mut(share)
            .map(|chunks| {
                let mut dw = vec![0.0; weights];
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
                    for (index, (x, dy, dx)) in chunks.iter_mut().enumerate() {
                        // Afterwards padding stays zero, and everything else is written again.
                        if index == 0 || x.len() < plan.images * image_in {
                            planes.fill(0.0);
                            gradients.fill(0.0);
                        }
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
                    }
                });
                dw
            })
            .collect();
        total(sums)
    };
    let mut dw = Vec::new();
    // SAFETY: the chunks are all images, and each input belongs to one part of its map.
    #[allow(unsafe_code)]
    let dx = unsafe { written(length, |dx| dw = work(dx)) };
    (dx, dw)
}

/// The images of this length that are not all 0.
///
/// In a network that only some samples pass through, as in a grafted one, the others have none but
/// zeros for gradients.
fn present(dy: &[f32], length: usize) -> Vec<usize> {
    let images = dy.par_chunks_exact(length.max(1)).enumerate();
    images
        .filter(|(_, image)| image.iter().any(|gradient| *gradient != 0.0))
        .map(|(index, _)| index)
        .collect()
}

/// Gradient of the input from the gradients of these images; the others get zeros.
fn of_present(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    present: &[usize],
) -> Vec<f32> {
    let image_in = shape.inputs * shape.pixels();
    let image_out = shape.outputs * shape.output_pixels();
    let mut gathered = vec![0.0; present.len() * image_out];
    gathered
        .par_chunks_exact_mut(image_out.max(1))
        .zip(present)
        .for_each(|(to, image)| to.copy_from_slice(&dy[image * image_out..][..image_out]));
    let wanted = Wanted {
        input: true,
        weight: false,
    };
    let few = ConvShape {
        batch: present.len(),
        ..shape
    };
    // The input itself is not read.
    let inputs = &x[..present.len() * image_in];
    let (found, _) = every(few, inputs, weight, &gathered, wanted);
    let mut places = vec![None; shape.batch];
    for (place, image) in present.iter().enumerate() {
        places[*image] = Some(place);
    }
    let mut dx = vec![0.0; shape.batch * image_in];
    dx.par_chunks_exact_mut(image_in.max(1))
        .zip(&places)
        .for_each(|(to, place)| {
            if let Some(place) = place {
                to.copy_from_slice(&found[place * image_in..][..image_in]);
            }
        });
    dx
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
        let area = shape.kernel[0] * shape.kernel[1];
        plan.parts()
            .map(|parts| {
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
                        Filters::new(
                            extent,
                            offsets.clone(),
                            rows::<S>(),
                            |input, output, tap| {
                                group[(output * inputs + input) * area + taps[tap].0]
                            },
                        )
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
    dx: &'a mut Unwritten,
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
        let shape = &plan.shape;
        let images = x.len() / (shape.inputs * shape.pixels());
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let offsets = plan.input_offsets();
        let length = plan.outputs_of(images).next_multiple_of(S::F32_LANES);
        for group in 0..shape.groups {
            let gradients = match plan.in_place {
                true => dy,
                false => {
                    let gradients = &mut gradients[plan.gradient_lead()..];
                    plan.pack_gradients(dy, group, gradients);
                    gradients as &[f32]
                }
            };
            for part in parts {
                let length = plan.inputs_of(images, part.parts);
                part.groups[group].apply(simd, gradients, length, results, |input, plane| {
                    plan.unpack_input(plane, group * inputs + input, part.parts, dx);
                });
            }
            if wanted.weight {
                let planes = match plan.in_place {
                    true => x,
                    false => {
                        plan.pack_inputs(x, group, planes);
                        planes as &[f32]
                    }
                };
                let elements = offsets.len();
                let dw = &mut dw[group * outputs * elements..][..outputs * elements];
                for (first, rows) in tiles(outputs, rows::<S>()) {
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
