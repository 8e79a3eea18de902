//! Attention-based fusion of a map with what comes from deeper maps.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::activation::sigmoid;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use kd_nn::{BatchNorm, BatchNormConfig, conv2d_layer};

use crate::Gate;

/// Configuration of [`Fusion`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct FusionConfig {
    /// Channels of the map that comes in.
    pub input: usize,
    /// Channels of the maps that are fused.
    pub mid: usize,
    /// Channels of the map that goes out.
    pub output: usize,
    /// Whether there is a deeper map to fuse with; the deepest of a chain has none.
    #[config(default = true)]
    pub fuse: bool,
}

/// The attention-based fusion of knowledge review (Chen et al. 2021,
/// <https://arxiv.org/abs/2104.09044>): one link of a chain from the deepest map to the
/// shallowest.
///
/// ```text
/// x = BN(conv 1×1 (map)),   y = the deeper link's fused map, enlarged to the size of x
/// (a, b) = sigmoid(conv 1×1 ([x, y])),   one value a position each
/// fused  = a · x + b · y,   output = BN(conv 3×3 (fused))
/// ```
///
/// The deepest link has no `y`: there, fused = x. Maps are enlarged (or made smaller) by the
/// nearest neighbor.
#[derive(Module, Debug)]
pub struct Fusion {
    /// The 1×1 convolution to the channels in between, without bias.
    pub conv1: Conv2d,
    /// The batch norm after it.
    pub bn1: BatchNorm,
    /// The 1×1 convolution that gives the weights of both maps, if there is a deeper map.
    pub attention: Option<Conv2d>,
    /// The 3×3 convolution to the channels of the output, without bias.
    pub conv2: Conv2d,
    /// The batch norm after it.
    pub bn2: BatchNorm,
}

/// What a [`Fusion`] gives.
#[derive(Clone, Debug)]
pub struct Fused {
    /// What is compared with the teacher's map, `[batch, output, height, width]`.
    pub output: Tensor<4>,
    /// What the next link of the chain takes, `[batch, mid, height, width]`.
    pub fused: Tensor<4>,
}

impl FusionConfig {
    /// Initializes the fusion: uniform within `√(3 / fan-in)` for the convolutions without bias,
    /// PyTorch's initial values for the others.
    pub fn init(&self, device: &Device) -> Fusion {
        let uniform = || Initializer::KaimingUniform {
            gain: 1.0,
            fan_out_only: false,
        };
        Fusion {
            conv1: Conv2dConfig::new([self.input, self.mid], [1, 1])
                .with_bias(false)
                .with_initializer(uniform())
                .init(device),
            bn1: BatchNormConfig::new(self.mid).init(device),
            attention: self
                .fuse
                .then(|| Conv2dConfig::new([2 * self.mid, 2], [1, 1]).init(device)),
            conv2: Conv2dConfig::new([self.mid, self.output], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .with_initializer(uniform())
                .init(device),
            bn2: BatchNormConfig::new(self.output).init(device),
        }
    }
}

impl Fusion {
    /// Fuses a map with what the deeper link gave, and brings it to the height and width `size`.
    ///
    /// # Shapes
    ///
    /// - map: `[batch, input, height, width]`
    /// - deeper: `[batch, mid, any height, any width]`
    /// - output: see [`Fused`], with the height and width of `size`
    ///
    /// # Panics
    ///
    /// If there is a deeper map and none is configured, or the other way round, or if channels
    /// are not the configured ones.
    pub fn forward(&self, map: Tensor<4>, deeper: Option<Tensor<4>>, size: [usize; 2]) -> Fused {
        self.forward_gated(map, deeper, size, &Gate::all())
    }

    /// The same, with batch statistics over the chosen samples only: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        map: Tensor<4>,
        deeper: Option<Tensor<4>>,
        size: [usize; 2],
        gate: &Gate,
    ) -> Fused {
        let map = self
            .bn1
            .forward_gated(conv2d_layer(&self.conv1, map), gate.entries());
        let fused = match (&self.attention, deeper) {
            (None, None) => map,
            (Some(attention), Some(deeper)) => {
                let [_, _, height, width] = map.dims();
                let deeper = resize(deeper, [height, width]);
                let both = Tensor::cat(vec![map.clone(), deeper.clone()], 1);
                let weights = sigmoid(conv2d_layer(attention, both));
                map * weights.clone().narrow(1, 0, 1) + deeper * weights.narrow(1, 1, 1)
            }
            (own, deeper) => panic!(
                "fusion: configured with a deeper map: {}, given one: {}",
                own.is_some(),
                deeper.is_some()
            ),
        };
        let fused = resize(fused, size);
        let output = conv2d_layer(&self.conv2, fused.clone());
        Fused {
            output: self.bn2.forward_gated(output, gate.entries()),
            fused,
        }
    }
}

/// The map in another size, by the nearest neighbor.
fn resize(map: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = map.dims();
    if [height, width] == size {
        map
    } else if [height, width] == [1, 1] {
        map.expand([batch, channels, size[0], size[1]])
    } else {
        let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
        interpolate(map, nearest.with_output_size(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_change_by_the_nearest_neighbor() {
        let device = Device::default();
        let map = Tensor::<4>::from_floats([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
        let values = |map: Tensor<4>| map.into_data().try_to_vec::<f32>().expect("f32");
        assert_eq!(
            values(resize(map.clone(), [3, 4])),
            [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
        );
        assert_eq!(values(resize(map, [1, 2])), [1.0, 2.0]);
        let one = Tensor::<4>::full([1, 1, 1, 1], 5.0, &device);
        assert_eq!(values(resize(one, [2, 2])), [5.0; 4]);
    }

    #[test]
    fn the_output_has_the_size_that_is_asked_for() {
        let device = Device::default();
        let config = FusionConfig::new(2, 3, 5);
        let map = Tensor::ones([2, 2, 4, 6], &device);
        let deeper = Tensor::ones([2, 3, 2, 2], &device);
        let fused = config
            .init(&device)
            .forward(map.clone(), Some(deeper), [2, 3]);
        assert_eq!(fused.output.dims(), [2, 5, 2, 3]);
        assert_eq!(fused.fused.dims(), [2, 3, 2, 3]);
        let deepest = config.with_fuse(false).init(&device);
        let fused = deepest.forward(map, None, [4, 6]);
        assert_eq!(fused.output.dims(), [2, 5, 4, 6]);
        assert_eq!(fused.fused.dims(), [2, 3, 4, 6]);
    }

    #[test]
    #[should_panic(expected = "configured with a deeper map: true, given one: false")]
    fn a_missing_deeper_map_is_refused() {
        let device = Device::default();
        let map = Tensor::ones([2, 2, 4, 4], &device);
        FusionConfig::new(2, 3, 5)
            .init(&device)
            .forward(map, None, [4, 4]);
    }
}
