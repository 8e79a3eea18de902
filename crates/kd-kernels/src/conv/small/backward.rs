//! Backward.

use pulp::Simd;

use super::apply::apply;
use super::lanes::Lanes;
use crate::conv::filters::{Extent, Filters};
use crate::conv::mask::GradMask;
use crate::conv::parts;
use crate::conv::shape::ConvShape;
use crate::conv::strategy::{self, BackwardChunk, Layout};
use crate::conv::tile::{self, ROWS, rows, tiles};

/// Images in a part, at least: two vectors of sixteen.
const FEWEST: usize = 32;

/// A backward pass.
pub(crate) struct Backward {
    lanes: Lanes,
    /// For the gradient of the input.
    filters: Option<Filters>,
    mask: GradMask,
}

// SAFETY: the tiles are all channels, and each writes all places of its map in every image.
#[allow(unsafe_code)]
unsafe impl strategy::Backward for Backward {
    fn parts(shape: &ConvShape) -> usize {
        let most = (shape.batch / FEWEST).max(1);
        parts::parts(shape).min(1 << most.ilog2())
    }

    fn new(shape: ConvShape, weight: &[f32], mask: GradMask, parts: usize) -> Self {
        let area = shape.kernel[0] * shape.kernel[1];
        let extent = Extent {
            filters: shape.inputs,
            channels: shape.outputs,
            taps: area,
        };
        let filters = mask.input.then(|| {
            Filters::new(extent, Vec::new(), |input, output, tap| {
                weight[(output * shape.inputs + input) * area + tap]
            })
        });
        Self {
            lanes: Lanes::new(shape, parts),
            filters,
            mask,
        }
    }

    fn layout(&self) -> Layout {
        let Lanes { shape, count, .. } = &self.lanes;
        let largest = shape.pixels().max(shape.output_pixels());
        let image_in = if self.mask.weight {
            shape.image_in()
        } else {
            0
        };
        Layout {
            unit: [shape.image_in(), shape.image_out()],
            chunk: *count,
            scratch: [
                image_in * count,
                shape.image_out() * count,
                ROWS * largest * count,
            ],
            zeroed: 0,
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: BackwardChunk<'_>) {
        let BackwardChunk {
            x,
            dy,
            scratch: [inputs, gradients, results],
            dx,
            outputs,
            dw,
            ..
        } = chunk;
        let lanes = &self.lanes;
        let shape = &lanes.shape;
        let (pixels, output_pixels) = (shape.pixels(), shape.output_pixels());
        let (image_in, image_out) = (shape.image_in(), shape.image_out());
        let range = outputs.start * output_pixels..outputs.end * output_pixels;
        lanes.gather(dy, image_out, range, gradients);
        if let Some(filters) = &self.filters {
            for tile in filters.tiles() {
                let results = &mut results[..tile.rows * pixels * lanes.count];
                let sources = (&*gradients, output_pixels, lanes.count);
                apply(simd, tile, sources, &lanes.pairs.of_input, results);
                for (row, result) in results.chunks_exact(pixels * lanes.count).enumerate() {
                    let channel = tile.first + row;
                    let map = channel * pixels..(channel + 1) * pixels;
                    for (lane, image) in dx.chunks_exact_mut(image_in).enumerate() {
                        let values = result.chunks_exact(lanes.count);
                        assert_eq!(map.len(), values.len());
                        for (target, values) in image[map.clone()].iter_mut().zip(values) {
                            target.write(values[lane]);
                        }
                    }
                }
            }
        }
        if dw.is_empty() {
            return;
        }
        lanes.gather(x, image_in, 0..image_in, inputs);
        let length = output_pixels * lanes.count;
        let elements = dw.len() / outputs.len();
        for (first, rows) in tiles(outputs.len(), rows::<S>()) {
            let gradients = &gradients[first * length..][..rows * length];
            let left = &mut results[..rows * length];
            let dw = &mut dw[first * elements..];
            match rows {
                8 => correlate::<S, 8>(simd, lanes, gradients, left, inputs, dw),
                4 => correlate::<S, 4>(simd, lanes, gradients, left, inputs, dw),
                2 => correlate::<S, 2>(simd, lanes, gradients, left, inputs, dw),
                _ => correlate::<S, 1>(simd, lanes, gradients, left, inputs, dw),
            }
        }
    }
}

/// Adds the inner products of `R` rows of gradients with all inputs to the weight gradients.
#[inline(always)]
fn correlate<S: Simd, const R: usize>(
    simd: S,
    lanes: &Lanes,
    gradients: &[f32],
    left: &mut [f32],
    inputs: &[f32],
    dw: &mut [f32],
) {
    let shape = &lanes.shape;
    let area = lanes.pairs.of_element.len();
    let elements = shape.inputs * area;
    let channel = shape.pixels() * lanes.count;
    tile::interleave::<S, R>(gradients, gradients.len() / R, left);
    for (tap, runs) in lanes.pairs.of_element.iter().enumerate() {
        let mut input = 0;
        while input < shape.inputs {
            let sources = (&inputs[input * channel..], channel);
            let dw = (&mut dw[input * area + tap..], elements, area);
            if shape.inputs - input >= 3 {
                tile::run_products::<S, R, 3>(simd, left, sources, runs, lanes.count, dw);
                input += 3;
            } else {
                tile::run_products::<S, R, 1>(simd, left, sources, runs, lanes.count, dw);
                input += 1;
            }
        }
    }
}
