//! How blocks of threads share the gradient of a weight.

use burn::tensor::ops::ConvOptions;
use burn_cubecl::cubecl::prelude::CubeCount;
use burn_cubecl::tensor::CubeTensor;

use super::depthwise::LANES;
use super::is_depthwise;
use super::kernel::{PlaceLaunch, SEGMENT, SizesLaunch, TILE, Window};

/// Blocks of a launch, and segments that one takes, at least.
const BLOCKS: usize = 512;
const SEGMENTS: usize = 4;

/// Positions that a thread takes at least where each channel has its own filter.
const POSITIONS: usize = 16;

/// Sizes of a convolution, and its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    size: [usize; 2],
    output: [usize; 2],
    padding: [usize; 2],
    pub window: Window,
    /// Segments of output positions that a block takes; or positions, where each channel has its own
    /// filter.
    share: usize,
    /// Blocks that share the positions.
    pub parts: usize,
    /// Whether each channel has its own filter: then the inputs of an output are one.
    pub depthwise: bool,
}

impl Plan {
    pub fn new(
        x: &CubeTensor,
        weight: &CubeTensor,
        gradient: &CubeTensor,
        options: &ConvOptions<2>,
    ) -> Self {
        let [x, weight, gradient] = [x, weight, gradient].map(|tensor| tensor.meta.shape());
        let output = [gradient[2], gradient[3]];
        let columns = output[1].next_power_of_two().min(SEGMENT);
        let window = Window {
            kernel: [weight[2], weight[3]],
            stride: options.stride,
            rows: SEGMENT / columns,
            columns,
        };
        let (inputs, outputs) = (weight[1], weight[0]);
        let filters = [outputs, inputs, weight[2], weight[3]];
        let depthwise = is_depthwise(filters, options);
        let tiles = inputs.div_ceil(TILE) * outputs.div_ceil(TILE);
        let (shared, least) = match depthwise {
            true => (x[0] * output[0] * output[1], LANES * POSITIONS),
            false => {
                let bands = output[0].div_ceil(window.rows) * output[1].div_ceil(columns);
                (x[0] * bands, SEGMENTS)
            }
        };
        let parts = (shared / least).clamp(1, (BLOCKS / tiles).max(1));
        let share = shared.div_ceil(parts);
        Self {
            batch: x[0],
            inputs,
            outputs,
            size: [x[2], x[3]],
            output,
            padding: options.padding.map(|(before, _)| before),
            window,
            share,
            parts: shared.div_ceil(share),
            depthwise,
        }
    }

    pub fn sizes(&self) -> SizesLaunch {
        SizesLaunch::new(
            self.batch,
            self.inputs,
            self.outputs,
            self.size[0],
            self.size[1],
            self.output[0],
            self.output[1],
            self.padding[0],
            self.padding[1],
            self.share,
        )
    }

    pub fn grid(&self) -> CubeCount {
        let [outputs, inputs] = [self.outputs, self.inputs].map(|count| count.div_ceil(TILE));
        CubeCount::Static(self.parts as u32, outputs as u32, inputs as u32)
    }

    /// Numbers of the weight.
    pub fn numbers(&self) -> usize {
        self.outputs * self.inputs * self.window.kernel[0] * self.window.kernel[1]
    }
}

/// Strides of four axes.
pub(super) fn place(tensor: &CubeTensor) -> PlaceLaunch {
    let strides = tensor.meta.strides();
    PlaceLaunch::new(strides[0], strides[1], strides[2], strides[3])
}
