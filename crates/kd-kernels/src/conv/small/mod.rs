//! Convolution of small maps: the images of a chunk lie side by side, `[channel][place][image]`.
//!
//! A vector then holds one place of many images. Nothing is computed for padding, of which small
//! maps have much: of a 3×3 filter on a 4×4 map, three elements in ten meet nothing else.

mod apply;
mod backward;
mod forward;
mod lanes;

use super::shape::ConvShape;

pub(super) use backward::Backward;
pub(super) use forward::Forward;

/// Largest map, in places, that is worth the rearrangement.
const LARGEST: usize = 100;

/// Images that fill the vectors of two threads.
const FEWEST: usize = 32;

/// Whether this way is the better one.
pub(super) fn suits(shape: &ConvShape) -> bool {
    let [height, width] = shape.kernel;
    shape.groups == 1
        && height * width > 1
        && shape.batch >= FEWEST
        && shape.pixels().max(shape.output_pixels()) <= LARGEST
        && shape.inputs.min(shape.outputs) >= 16
}
