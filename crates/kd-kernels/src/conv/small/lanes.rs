//! The layout of a chunk.

use std::ops::Range;

use crate::conv::pairs::Pairs;
use crate::conv::shape::ConvShape;

/// Most images in a chunk.
const CHUNK: usize = 64;

/// Images side by side.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) shape: ConvShape,
    pub(super) pairs: Pairs,
    /// Images in a chunk, whole vectors of them.
    pub(super) count: usize,
}

impl Lanes {
    /// For a batch that is cut into so many parts.
    pub(super) fn new(shape: ConvShape, parts: usize) -> Self {
        let rounds = shape.batch.div_ceil(CHUNK * parts);
        let images = shape.batch.div_ceil(rounds * parts);
        Self {
            pairs: Pairs::new(&shape),
            count: images.next_multiple_of(16),
            shape,
        }
    }

    /// Puts a range of the numbers of each image, of which it has `image`, side by side.
    #[inline(always)]
    pub(super) fn gather(
        &self,
        images: &[f32],
        image: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) {
        let out = &mut out[..range.len() * self.count];
        if images.len() < image * self.count {
            out.fill(0.0);
        }
        // A block of sixteen places at a time stays in the fastest cache.
        for (block, out) in out.chunks_mut(16 * self.count).enumerate() {
            for (lane, image) in images.chunks_exact(image).enumerate() {
                let places = &image[range.start + block * 16..];
                for (out, value) in out.chunks_exact_mut(self.count).zip(places) {
                    out[lane] = *value;
                }
            }
        }
    }
}
