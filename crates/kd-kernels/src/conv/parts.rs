//! How many sums the gradient of a weight is made of.

use super::shape::ConvShape;

/// Products in each weight gradient that are worth a sum of their own: adding two sums up takes
/// about as long as some dozens of products.
const WORTH: usize = 2048;

/// Most sums.
const MOST: usize = 8;

/// The number of sums, a power of two so that threads get equal shares of them.
///
/// It does not depend on the number of threads, so that neither does the gradient.
pub(super) fn parts(shape: &ConvShape) -> usize {
    let worth = shape.batch * shape.output_pixels() / WORTH;
    1 << worth.clamp(1, MOST).ilog2()
}
