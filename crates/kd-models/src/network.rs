//! The stage abstraction.

use std::ops::Range;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use kd_kernels::BatchNorm;

use crate::layers::tally;
use crate::{Feature, Features, Folding};

/// A classifier as a list of stages: `stem (0) → stage 1 … stage k → pool (k+1) → head (k+2)`.
///
/// Only [`stages`](Network::stages) and [`stage`](Network::stage) are required (and
/// [`stage_with_preact`](Network::stage_with_preact) where a stage ends in an activation).
pub trait Network: Module {
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

    /// The `state_dict` key that PyTorch users know for the module path of a parameter.
    fn pytorch_key(&self, path: &str) -> String {
        path.to_owned()
    }

    /// The linear layer that makes the logits of the pooled feature; `None` where more than one
    /// layer does.
    fn classifier(&self) -> Option<&Linear> {
        None
    }

    /// The last batch norm of a stage (`0` is the stem), before the activation where the stage ends
    /// in one; `None` where there is none, as in a folded network.
    fn last_norm(&self, _stage: usize) -> Option<&BatchNorm> {
        None
    }

    /// What [`deploy`](Network::deploy) and [`fold_batch_norm`](Network::fold_batch_norm) do to a
    /// network in evaluation (`valid()`). To be called through them.
    fn folded(self, _folding: Folding) -> Self {
        self
    }

    /// Folds re-parameterisable units into plain convolutions; other networks stay as they are.
    ///
    /// The result computes the same in evaluation, to rounding, and is meant for that alone: it is
    /// on the plain device. It has the parameters and the speed of the plain network, and the keys
    /// that KDrefine gives to its deployed networks. Running statistics are read as they are now.
    fn deploy(self) -> Self {
        self.valid().folded(Folding::Units)
    }

    /// Folds every batch norm that follows a convolution, re-parameterisable units included.
    ///
    /// In PyTorch's `state_dict`, the keys of a folded batch norm are gone and its convolution has
    /// a bias: what `torch.nn.utils.fuse_conv_bn_eval` leaves. As for
    /// [`deploy`](Network::deploy), the result is for evaluation.
    fn fold_batch_norm(self) -> Self {
        self.valid().folded(Folding::All)
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

    /// Logits `[batch, classes]` of images `[batch, 3, height, width]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.run(0..self.head() + 1, images.into()).vector()
    }

    /// All features of images `[batch, 3, height, width]`.
    fn features(&self, images: Tensor<4>) -> Features {
        let mut feature = Feature::from(images);
        let mut maps = Vec::with_capacity(self.pool());
        for index in 0..self.pool() {
            feature = self.stage(index, feature);
            maps.push(feature.clone().map());
        }
        self.finish(feature, maps, Vec::new())
    }

    /// All features of images `[batch, 3, height, width]`, pre-activation maps included.
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
        self.finish(feature, maps, preact)
    }

    /// Pools and classifies the last feature map.
    #[doc(hidden)]
    fn finish(&self, last: Feature, maps: Vec<Tensor<4>>, preact: Vec<Tensor<4>>) -> Features {
        let pooled = self.stage(self.pool(), last);
        let logits = self.stage(self.head(), pooled.clone());
        Features {
            maps,
            preact,
            pooled: pooled.vector(),
            logits: logits.vector(),
        }
    }

    /// Shapes of the features for an input of `[channels, height, width]`, found by running one
    /// blank image in evaluation mode.
    fn feature_shapes(&self, input: [usize; 3], device: &Device) -> FeatureShapes {
        self.trace(input, device).0
    }

    /// Multiply-accumulates of convolutions and linear layers for one image of
    /// `[channels, height, width]`, found by running a blank one in evaluation mode. Twice as
    /// many are the floating-point operations.
    fn macs(&self, input: [usize; 3], device: &Device) -> u64 {
        self.trace(input, device).1
    }

    /// Shapes and multiply-accumulates by one run.
    #[doc(hidden)]
    fn trace(&self, input: [usize; 3], device: &Device) -> (FeatureShapes, u64) {
        let device = device.clone().without_autodiff();
        let [channels, height, width] = input;
        let image = Tensor::zeros([1, channels, height, width], &device);
        let (features, macs) = tally::count(|| self.valid().features(image));
        let shapes = FeatureShapes {
            maps: features
                .maps
                .iter()
                .map(|map| {
                    let [_, channels, height, width] = map.dims();
                    [channels, height, width]
                })
                .collect(),
            pooled: features.pooled.dims()[1],
            classes: features.logits.dims()[1],
        };
        (shapes, macs)
    }
}

/// Shapes of [`Features`] without the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureShapes {
    /// `[channels, height, width]` of the stem's map and of each stage's.
    pub maps: Vec<[usize; 3]>,
    /// Length of the pooled feature.
    pub pooled: usize,
    /// Number of classes.
    pub classes: usize,
}
