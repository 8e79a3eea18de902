//! The gradient of the weight where each channel has a filter of its own.
//!
//! A block of threads serves a tile of channels and a part of the positions: a thread has one channel,
//! so that neighbors read neighbors in memory that lies position by position, and every n-th position.

use burn_cubecl::cubecl::{self, prelude::*};

use super::kernel::{Place, Sizes, THREADS, TILE};

/// Threads that share the positions of a channel in a block.
pub(super) const LANES: usize = THREADS / TILE;

/// Parts `[part, channel, element]` of the gradient of the weight.
#[cube(launch)]
pub(super) fn weight_parts(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    sizes: &Sizes,
    place: &Place,
    place_gradient: &Place,
    #[comptime] kernel: [usize; 2],
    #[comptime] stride: [usize; 2],
) {
    let elements = comptime!(kernel[0] * kernel[1]);
    let kernel_width = comptime!(kernel[1]);
    let stride_y = comptime!(stride[0]);
    let stride_x = comptime!(stride[1]);
    let unit = UNIT_POS as usize;
    let channel = CUBE_POS_Y as usize * TILE + unit % TILE;
    let lane = unit / TILE;

    let mut sums = Array::<f32>::new(elements);
    #[unroll]
    for element in 0..elements {
        sums[element] = 0.0f32;
    }
    if channel < sizes.outputs {
        let positions = sizes.batch * sizes.output_height * sizes.output_width;
        let start = CUBE_POS_X as usize * sizes.share;
        let end = min(start + sizes.share, positions);
        let mut position = start + lane;
        while position < end {
            let column = position % sizes.output_width;
            let row = position / sizes.output_width % sizes.output_height;
            let sample = position / (sizes.output_width * sizes.output_height);
            let slope = gradient[sample * place_gradient.sample
                + channel * place_gradient.channel
                + row * place_gradient.row
                + column * place_gradient.column];
            #[unroll]
            for element in 0..elements {
                let down = row * stride_y + comptime!(element / kernel_width);
                let along = column * stride_x + comptime!(element % kernel_width);
                if down >= sizes.padding_y
                    && down < sizes.height + sizes.padding_y
                    && along >= sizes.padding_x
                    && along < sizes.width + sizes.padding_x
                {
                    sums[element] += slope
                        * x[sample * place.sample
                            + channel * place.channel
                            + (down - sizes.padding_y) * place.row
                            + (along - sizes.padding_x) * place.column];
                }
            }
            position += LANES;
        }
    }

    let mut lanes = Shared::<[f32]>::new_slice(THREADS);
    #[unroll]
    for element in 0..elements {
        lanes[unit] = sums[element];
        sync_cube();
        if lane == 0 && channel < sizes.outputs {
            let mut sum = lanes[unit];
            #[unroll]
            for other in 1..LANES {
                sum += lanes[unit + comptime!(other * TILE)];
            }
            let part = CUBE_POS_X as usize * sizes.outputs + channel;
            parts[part * elements + element] = sum;
        }
        sync_cube();
    }
}
