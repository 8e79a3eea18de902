//! The stage abstraction.

use std::ops::Range;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};

use crate::{Classifier, Feature, FeatureShapes, Features, NormAffine};

/// A classifier as a list of stages: `stem (0) → stage 1 … stage k → pool (k+1) → head (k+2)`.
///
/// Only [`stages`](Network::stages) and [`stage`](Network::stage) are required, and
/// [`stage_with_preact`](Network::stage_with_preact) for losses that read maps before the
/// activation. The other hooks have defaults that are right for any network.
///
/// A network trains (batch statistics, gradients) on inputs that are on an autodiff device, and
/// evaluates on plain ones.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::conv::{Conv2d, Conv2dConfig};
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor, activation::relu};
/// use kd_core::{Feature, Network};
///
/// /// One convolution as stem, one as the only stage.
/// #[derive(Module, Debug)]
/// struct Tiny {
///     convs: [Conv2d; 2],
///     head: Linear,
/// }
///
/// impl Network for Tiny {
///     fn stages(&self) -> usize {
///         1
///     }
///
///     fn stage(&self, index: usize, input: Feature) -> Feature {
///         match index {
///             0 | 1 => relu(self.convs[index].forward(input.map())).into(),
///             2 => input.map().mean_dim(3).mean_dim(2).flatten::<2>(1, 3).into(),
///             _ => self.head.forward(input.vector()).into(),
///         }
///     }
/// }
///
/// let device = Device::flex();
/// let conv = |channels| Conv2dConfig::new(channels, [3, 3]).init(&device);
/// let tiny = Tiny {
///     convs: [conv([3, 4]), conv([4, 8])],
///     head: LinearConfig::new(8, 10).init(&device),
/// };
/// let features = tiny.features(Tensor::zeros([2, 3, 8, 8], &device));
/// assert_eq!(features.maps[1].dims(), [2, 8, 4, 4]);
/// assert_eq!(features.logits.dims(), [2, 10]);
/// ```
pub trait Network: Module + ModuleDisplay + 'static {
    /// The number `k` of stages between the stem and the pooling.
    fn stages(&self) -> usize;

    /// Runs one stage, `0` (stem) to `k + 2` (head).
    ///
    /// # Panics
    ///
    /// If there is no such stage, or if the input has not the shape that it expects.
    fn stage(&self, index: usize, input: Feature) -> Feature;

    /// Runs one stage and also returns its output before the last activation.
    ///
    /// Both are equal where a stage does not end in an activation.
    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        let output = self.stage(index, input);
        (output.clone(), output)
    }

    /// The linear layer that makes the logits of the pooled feature, for losses that copy it;
    /// `None` where more than one layer does.
    fn classifier(&self) -> Option<Classifier> {
        None
    }

    /// Scale and shift of the last batch norm of a stage (`0` is the stem), for losses that read
    /// its statistics; `None` where a stage does not end in one.
    fn last_norm(&self, stage: usize) -> Option<NormAffine> {
        let _ = stage;
        None
    }

    /// The network in evaluation form (as [`valid`](Module::valid)), made as fast as it can be
    /// without changing its outputs beyond rounding: batch norms folded into convolutions, for
    /// example.
    fn for_inference(&self) -> Self {
        self.valid()
    }

    /// Index of the pooling stage.
    fn pool(&self) -> usize {
        self.stages() + 1
    }

    /// Index of the classifier.
    fn head(&self) -> usize {
        self.stages() + 2
    }

    /// Runs a slice of the stages, for example `0..network.pool()` for the last feature map.
    fn run(&self, stages: Range<usize>, input: Feature) -> Feature {
        stages.fold(input, |feature, index| self.stage(index, feature))
    }

    /// Logits `[batch, classes]` of images `[batch, channels, height, width]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.run(0..self.head() + 1, images.into()).vector()
    }

    /// Pooled features and logits of images `[batch, channels, height, width]`, without maps.
    fn summary(&self, images: Tensor<4>) -> Features {
        let last = self.run(0..self.pool(), images.into());
        finish(self, last, Vec::new(), Vec::new())
    }

    /// All features of images `[batch, channels, height, width]`, without maps before the
    /// activation.
    fn features(&self, images: Tensor<4>) -> Features {
        let mut feature = Feature::from(images);
        let mut maps = Vec::with_capacity(self.pool());
        for index in 0..self.pool() {
            feature = self.stage(index, feature);
            maps.push(feature.clone().map());
        }
        finish(self, feature, maps, Vec::new())
    }

    /// All features of images `[batch, channels, height, width]`, maps before the activation
    /// included.
    fn features_with_preact(&self, images: Tensor<4>) -> Features {
        let mut feature = Feature::from(images);
        let mut maps = Vec::with_capacity(self.pool());
        let mut preact = Vec::with_capacity(self.pool());
        for index in 0..self.pool() {
            let (output, before) = self.stage_with_preact(index, feature);
            maps.push(output.clone().map());
            preact.push(before.map());
            feature = output;
        }
        finish(self, feature, maps, preact)
    }

    /// Shapes of the features for an input of `[channels, height, width]`, found by running one
    /// blank image in evaluation mode.
    fn feature_shapes(&self, input: [usize; 3], device: &Device) -> FeatureShapes {
        let device = device.clone().without_autodiff();
        let [channels, height, width] = input;
        let image = Tensor::zeros([1, channels, height, width], &device);
        self.valid().features(image).shapes()
    }
}

/// Pools and classifies the last feature map.
fn finish<N: Network>(
    network: &N,
    last: Feature,
    maps: Vec<Tensor<4>>,
    preact: Vec<Tensor<4>>,
) -> Features {
    let pooled = network.stage(network.pool(), last);
    let logits = network.stage(network.head(), pooled.clone());
    Features {
        maps,
        preact,
        pooled: pooled.vector(),
        logits: logits.vector(),
    }
}
