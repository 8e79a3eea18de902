//! Which strategy computes a convolution: a function of its shape alone.

use rayon::prelude::*;

use super::depthwise::{self, Depthwise};
use super::driver;
use super::epilogue::Epilogue;
use super::mask::GradMask;
use super::planes;
use super::shape::ConvShape;
use super::small;
use super::winograd::{self, Winograd};

/// The share of images without gradient from which they are left out: one in so many.
const FEWEST_ABSENT: usize = 8;

/// The convolution of `x`, `[batch, inputs, height, width]`, with `weight`,
/// `[outputs, inputs / groups, height, width]`, and what follows it.
pub(super) fn forward(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    epilogue: Epilogue<'_>,
) -> Vec<f32> {
    let length = shape.batch * shape.image_out();
    if winograd::suits(&shape) {
        driver::forward(&Winograd::new(shape, weight), x, epilogue, length)
    } else if small::suits(&shape) {
        driver::forward(&small::Forward::new(shape, weight), x, epilogue, length)
    } else if depthwise::suits(&shape) {
        driver::forward(&Depthwise::new(shape, weight), x, epilogue, length)
    } else {
        driver::forward(&planes::Forward::new(shape, weight), x, epilogue, length)
    }
}

/// Gradients of input and weight for those of the output, `[batch, outputs, height, width]`. What
/// is not asked for is empty.
pub(super) fn backward(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    mask: GradMask,
) -> (Vec<f32>, Vec<f32>) {
    let present = present(dy, shape.image_out());
    if present.is_empty() {
        let zeros = |asked: bool, length: usize| vec![0.0; if asked { length } else { 0 }];
        return (zeros(mask.input, x.len()), zeros(mask.weight, weight.len()));
    }
    // Gathering for fewer would cost more than it saves.
    let absent = shape.batch - present.len();
    if mask == GradMask::INPUT && absent >= shape.batch.div_ceil(FEWEST_ABSENT) {
        return (of_present(shape, x, weight, dy, &present), Vec::new());
    }
    every(shape, x, weight, dy, mask)
}

/// The same, whatever the gradients are.
fn every(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    mask: GradMask,
) -> (Vec<f32>, Vec<f32>) {
    if mask.input && winograd::suits_backward(&shape) {
        let pass = Winograd::of_input_gradient(shape, weight);
        let length = shape.batch * shape.image_in();
        let dx = driver::forward(&pass, dy, Epilogue::default(), length);
        let (_, dw) = match mask.weight {
            true => every(shape, x, weight, dy, GradMask::WEIGHT),
            false => Default::default(),
        };
        (dx, dw)
    } else if small::suits(&shape) {
        driver::backward::<small::Backward>(shape, x, weight, dy, mask)
    } else if depthwise::suits(&shape) {
        driver::backward::<Depthwise>(shape, x, weight, dy, mask)
    } else {
        driver::backward::<planes::Backward>(shape, x, weight, dy, mask)
    }
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
    let (image_in, image_out) = (shape.image_in(), shape.image_out());
    let mut gathered = vec![0.0; present.len() * image_out];
    gathered
        .par_chunks_exact_mut(image_out.max(1))
        .zip(present)
        .for_each(|(to, image)| to.copy_from_slice(&dy[image * image_out..][..image_out]));
    let few = ConvShape {
        batch: present.len(),
        ..shape
    };
    // The input itself is not read.
    let inputs = &x[..present.len() * image_in];
    let (found, _) = every(few, inputs, weight, &gathered, GradMask::INPUT);
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
