//! Forward.

use pulp::Simd;

use crate::relu::{at_least, lowest};

use super::apply::apply;
use super::lanes::Lanes;
use crate::conv::filters::{Extent, Filters};
use crate::conv::shape::ConvShape;
use crate::conv::strategy::{self, ForwardChunk, Layout};
use crate::conv::tile::ROWS;

/// A forward pass.
pub(crate) struct Forward {
    lanes: Lanes,
    filters: Filters,
}

impl Forward {
    /// A convolution of this shape.
    pub(crate) fn new(shape: ConvShape, weight: &[f32]) -> Self {
        let area = shape.kernel[0] * shape.kernel[1];
        let extent = Extent {
            filters: shape.outputs,
            channels: shape.inputs,
            taps: area,
        };
        let filters = Filters::new(extent, Vec::new(), |output, input, tap| {
            weight[(output * shape.inputs + input) * area + tap]
        });
        Self {
            lanes: Lanes::new(shape, rayon::current_num_threads()),
            filters,
        }
    }
}

// SAFETY: the tiles are all channels, and each writes all places of its map in every image.
#[allow(unsafe_code)]
unsafe impl strategy::Forward for Forward {
    fn layout(&self) -> Layout {
        let Lanes { shape, count, .. } = &self.lanes;
        Layout {
            unit: [shape.image_in(), shape.image_out()],
            chunk: *count,
            scratch: [
                shape.image_in() * count,
                ROWS * shape.output_pixels() * count,
                0,
            ],
            zeroed: 0,
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: ForwardChunk<'_>) {
        let ForwardChunk {
            x,
            epilogue,
            scratch: [inputs, results, _],
            out,
            ..
        } = chunk;
        let lanes = &self.lanes;
        let pixels = lanes.shape.output_pixels();
        let image_out = lanes.shape.image_out();
        let image_in = lanes.shape.image_in();
        lanes.gather(x, image_in, 0..image_in, inputs);
        for tile in self.filters.tiles() {
            let results = &mut results[..tile.rows * pixels * lanes.count];
            let sources = (&*inputs, lanes.shape.pixels(), lanes.count);
            apply(simd, tile, sources, &lanes.pairs.of_output, results);
            for (row, result) in results.chunks_exact(pixels * lanes.count).enumerate() {
                let channel = tile.first + row;
                let bias = epilogue.bias.map_or(0.0, |bias| bias[channel]);
                let lowest = lowest(epilogue.relu);
                for (lane, image) in out.chunks_exact_mut(image_out).enumerate() {
                    let map = channel * pixels..(channel + 1) * pixels;
                    let values = result.chunks_exact(lanes.count);
                    let targets = &mut image[map.clone()];
                    assert_eq!(targets.len(), values.len());
                    match epilogue.residual {
                        None => {
                            for (target, values) in targets.iter_mut().zip(values) {
                                let value = values[lane] + bias;
                                target.write(at_least(lowest, value));
                            }
                        }
                        Some(residual) => {
                            let added = &residual[lane * image_out..][map];
                            for ((target, values), added) in
                                targets.iter_mut().zip(values).zip(added)
                            {
                                let value = values[lane] + bias + added;
                                target.write(at_least(lowest, value));
                            }
                        }
                    }
                }
            }
        }
    }
}
