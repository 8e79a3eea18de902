//! The kernels.
//!
//! A block of threads serves a tile of output channels by input channels, with all elements of their
//! filters, and a part of the positions, segment by segment. A segment is some rows of some columns
//! of outputs of an image; its gradients, and the inputs under them, go through shared memory. A
//! thread has one input channel, four output channels and every fourth position.

use burn_cubecl::cubecl::{self, prelude::*};

/// Channels of a tile.
pub(super) const TILE: usize = 16;

/// Output positions of a segment.
pub(super) const SEGMENT: usize = 32;

/// Output channels of a thread.
const OWN: usize = 4;

/// Threads that share the positions of a segment.
const LANES: usize = 4;

/// Threads of a block: one for each input channel, group of output channels and lane.
pub(super) const THREADS: usize = TILE * (TILE / OWN) * LANES;

/// Threads that add up the parts of one number.
pub(super) const ADDERS: usize = 8;

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Rows and columns of a segment.
    pub rows: usize,
    pub columns: usize,
}

impl Window {
    /// Inputs under a row of a segment.
    const fn width(&self) -> usize {
        (self.columns - 1) * self.stride[1] + self.kernel[1]
    }

    /// Rows of inputs under a segment.
    const fn height(&self) -> usize {
        (self.rows - 1) * self.stride[0] + self.kernel[0]
    }
}

/// Sizes.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub height: usize,
    pub width: usize,
    pub output_height: usize,
    pub output_width: usize,
    pub padding_y: usize,
    pub padding_x: usize,
    pub share: usize,
}

/// Strides.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Place {
    pub sample: usize,
    pub channel: usize,
    pub row: usize,
    pub column: usize,
}

/// Parts `[part, output, element, input]` of the gradient of the weight.
#[cube(launch)]
pub(super) fn weight_parts(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    sizes: &Sizes,
    place: &Place,
    place_gradient: &Place,
    #[comptime] window: Window,
) {
    let width = comptime!(window.width());
    let height = comptime!(window.height());
    let elements = comptime!(window.kernel[0] * window.kernel[1]);
    let kernel_width = comptime!(window.kernel[1]);
    let rows = comptime!(window.rows);
    let columns = comptime!(window.columns);
    let stride_y = comptime!(window.stride[0]);
    let stride_x = comptime!(window.stride[1]);
    let mut inputs = Shared::<[f32]>::new_slice(comptime!(width * height * TILE));
    let mut gradients = Shared::<[f32]>::new_slice(comptime!(SEGMENT * TILE));

    let unit = UNIT_POS as usize;
    let own_input = unit % TILE;
    let own_output = (unit / TILE) % (TILE / OWN) * OWN;
    let lane = unit / (TILE * TILE / OWN);
    let first_output = CUBE_POS_Y as usize * TILE;
    let first_input = CUBE_POS_Z as usize * TILE;

    let mut sums = Array::<f32>::new(comptime!(OWN * elements));
    #[unroll]
    for i in 0..comptime!(OWN * elements) {
        sums[i] = 0.0f32;
    }

    let bands = sizes.output_height.div_ceil(rows);
    let strips = sizes.output_width.div_ceil(columns);
    let segments = sizes.batch * bands * strips;
    let start = CUBE_POS_X as usize * sizes.share;
    let end = min(start + sizes.share, segments);
    let mut segment = start;
    while segment < end {
        let sample = segment / (bands * strips);
        let top = segment / strips % bands * rows;
        let left = segment % strips * columns;

        let mut index = unit;
        while index < comptime!(width * height * TILE) {
            let channel = first_input + index % TILE;
            let column = left * stride_x + index / TILE % width;
            let row = top * stride_y + index / (TILE * width);
            let mut value = 0.0f32;
            if channel < sizes.inputs
                && row >= sizes.padding_y
                && row < sizes.height + sizes.padding_y
                && column >= sizes.padding_x
                && column < sizes.width + sizes.padding_x
            {
                value = x[sample * place.sample
                    + channel * place.channel
                    + (row - sizes.padding_y) * place.row
                    + (column - sizes.padding_x) * place.column];
            }
            inputs[index] = value;
            index += THREADS;
        }
        let mut index = unit;
        while index < comptime!(SEGMENT * TILE) {
            let channel = first_output + index % TILE;
            let column = left + index / TILE % columns;
            let row = top + index / (TILE * columns);
            let mut value = 0.0f32;
            if channel < sizes.outputs && row < sizes.output_height && column < sizes.output_width {
                value = gradient[sample * place_gradient.sample
                    + channel * place_gradient.channel
                    + row * place_gradient.row
                    + column * place_gradient.column];
            }
            gradients[index] = value;
            index += THREADS;
        }
        sync_cube();

        let mut position = lane;
        while position < SEGMENT {
            let row = position / columns * stride_y;
            let column = position % columns * stride_x;
            #[unroll]
            for element in 0..elements {
                let down = row + comptime!(element / kernel_width);
                let along = column + comptime!(element % kernel_width);
                let input = inputs[(down * width + along) * TILE + own_input];
                #[unroll]
                for output in 0..OWN {
                    let slope = gradients[position * TILE + own_output + output];
                    sums[comptime!(output * elements + element)] += slope * input;
                }
            }
            position += LANES;
        }
        sync_cube();
        segment += 1;
    }

    let mut lanes = Shared::<[f32]>::new_slice(THREADS);
    let input = first_input + own_input;
    #[unroll]
    for i in 0..comptime!(OWN * elements) {
        lanes[unit] = sums[i];
        sync_cube();
        let output = first_output + own_output + comptime!(i / elements);
        if lane == 0 && output < sizes.outputs && input < sizes.inputs {
            let mut sum = lanes[unit];
            #[unroll]
            for other in 1..LANES {
                sum += lanes[unit + comptime!(other * THREADS / LANES)];
            }
            let part = CUBE_POS_X as usize * sizes.outputs + output;
            parts[(part * elements + comptime!(i % elements)) * sizes.inputs + input] = sum;
        }
        sync_cube();
    }
}

/// Adds up the parts.
#[cube(launch)]
pub(super) fn weight_total(
    parts: &Tensor<f32>,
    total: &mut Tensor<f32>,
    sizes: &Sizes,
    place: &Place,
    count: usize,
    #[comptime] kernel: [usize; 2],
) {
    let elements = comptime!(kernel[0] * kernel[1]);
    let kernel_width = comptime!(kernel[1]);
    let unit = UNIT_POS as usize;
    let groups = comptime!(THREADS / ADDERS);
    let numbers = sizes.outputs * sizes.inputs * elements;
    let index = CUBE_POS_X as usize * groups + unit % groups;
    let mut sum = 0.0f32;
    if index < numbers {
        let mut part = unit / groups;
        while part < count {
            sum += parts[part * numbers + index];
            part += ADDERS;
        }
    }
    let mut sums = Shared::<[f32]>::new_slice(THREADS);
    sums[unit] = sum;
    sync_cube();
    if unit < groups && index < numbers {
        #[unroll]
        for other in 1..ADDERS {
            sum += sums[unit + comptime!(other * groups)];
        }
        let input = index % sizes.inputs;
        let element = index / sizes.inputs % elements;
        let output = index / (sizes.inputs * elements);
        total[output * place.sample
            + input * place.channel
            + element / kernel_width * place.row
            + element % kernel_width * place.column] = sum;
    }
}
