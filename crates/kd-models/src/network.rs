//! The stage abstraction.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::{Feature, Features};

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
        let device = device.clone().without_autodiff();
        let [channels, height, width] = input;
        let image = Tensor::zeros([1, channels, height, width], &device);
        let features = self.valid().features(image);
        FeatureShapes {
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
        }
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
