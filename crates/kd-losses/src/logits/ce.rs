//! Cross-entropy with labels.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::info::Register;
use crate::range::within;
use crate::{
    DistillationLoss, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo, Requirements,
    Setup, Site, Step,
};

/// Configuration of [`CeLoss`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CeLossConfig {
    /// Label smoothing, in `[0, 1)`. Default 0.
    pub smoothing: f64,
    /// Weight of each class. Default: 1 for all.
    pub class_weights: Option<Vec<f64>>,
}

impl Config for CeLossConfig {}

impl CeLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the label smoothing.
    pub fn with_smoothing(mut self, smoothing: f64) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// Sets the weight of each class.
    pub fn with_class_weights(mut self, weights: Option<Vec<f64>>) -> Self {
        self.class_weights = weights;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the smoothing is not in `[0, 1)`, or if the weights are not
    /// finite numbers of at least 0, not all 0.
    pub fn init(&self, device: &Device) -> Result<CeLoss, LossError> {
        let inside = (0.0..1.0).contains(&self.smoothing);
        within(
            "ce",
            "smoothing",
            self.smoothing,
            inside,
            "at least 0 and below 1",
        )?;
        let weights = self.class_weights.as_deref().map(|weights| {
            let valid = weights
                .iter()
                .all(|weight| weight.is_finite() && *weight >= 0.0);
            if !valid || weights.iter().sum::<f64>() <= 0.0 {
                return Err(LossError::Parameter {
                    method: "ce",
                    parameter: "class_weights",
                    value: format!("{weights:?}"),
                    expected: "finite numbers of at least 0, not all 0",
                });
            }
            let device = device.clone().without_autodiff();
            Ok(Tensor::from_floats(weights, &device))
        });
        Ok(CeLoss {
            smoothing: self.smoothing,
            weights: weights.transpose()?,
        })
    }
}

/// Cross-entropy with labels, as PyTorch's `CrossEntropyLoss` computes it.
///
/// ```text
/// L = 1/Σ_n w(y_n) · Σ_n [ (1 − ε) · w(y_n) · l(n, y_n) + ε/C · Σ_c w(c) · l(n, c) ]
/// l(n, c) = −log softmax(logits_n)[c]
/// ```
///
/// with label smoothing `ε` and class weights `w`, by default 0 and 1: then it is
/// [`cross_entropy`]. It compares with labels and not with a teacher, so that no routing touches
/// it.
#[derive(Module, Debug)]
pub struct CeLoss {
    /// Label smoothing.
    pub smoothing: f64,
    /// Weight of each class, `[classes]`.
    pub weights: Option<Tensor<1>>,
}

impl CeLoss {
    /// The loss.
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, classes]`
    /// - targets: `[batch]`, each below `classes`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If there are weights for another number of classes.
    pub fn forward(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        if self.smoothing == 0.0 && self.weights.is_none() {
            return cross_entropy(logits, targets);
        }
        let [_, classes] = logits.dims();
        let losses = log_softmax(logits, 1).neg();
        let of_label = losses
            .clone()
            .gather(1, targets.clone().unsqueeze_dim(1))
            .squeeze_dim::<1>(1);
        let (of_label, of_all, total) = match &self.weights {
            None => (of_label, losses.sum_dim(1).squeeze_dim::<1>(1), None),
            Some(weights) => {
                let weights = weights.clone().inner().cast(losses.dtype());
                let of_labels = weights.clone().select(0, targets);
                let all = losses * weights.unsqueeze_dim::<2>(0);
                (
                    of_label * of_labels.clone(),
                    all.sum_dim(1).squeeze_dim::<1>(1),
                    Some(of_labels.sum()),
                )
            }
        };
        let smoothing = self.smoothing;
        let losses = of_label * (1.0 - smoothing) + of_all * (smoothing / classes as f64);
        match total {
            None => losses.mean(),
            Some(total) => losses.sum() / total,
        }
    }
}

impl Register for CeLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "ce",
        aliases: &["cross_entropy"],
        title: "Cross-entropy with the labels",
        paper: "Szegedy et al. 2016 for label smoothing, https://arxiv.org/abs/1512.00567",
        weights: LossWeights::SUPERVISED,
        parameters: &[
            ParameterInfo {
                name: "smoothing",
                description: "label smoothing, at least 0 and below 1",
            },
            ParameterInfo {
                name: "class_weights",
                description: "a weight for each class; null: 1 for all",
            },
        ],
    };
}

impl LossConfig for CeLossConfig {
    type Loss = CeLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Labels)
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<CeLoss, LossError> {
        let classes = setup.student.classes;
        if let Some(weights) = &self.class_weights
            && weights.len() != classes
        {
            return Err(LossError::Parameter {
                method: "ce",
                parameter: "class_weights",
                value: format!("a list of {}", weights.len()),
                expected: "a weight for each class",
            });
        }
        self.init(device)
    }
}

impl DistillationLoss for CeLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        self.forward(step.student.logits.clone(), step.expect_labels("ce"))
    }
}

/// Cross-entropy of logits with labels, averaged over the batch.
///
/// `L = −1/N · Σ_n log softmax(logits_n)[target_n]`
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - targets: `[batch]`, each below `classes`
/// - output: `[1]`
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use kd_losses::cross_entropy;
///
/// let device = Device::default();
/// let logits = Tensor::<2>::zeros([2, 10], &device);
/// let targets = Tensor::<1, Int>::from_ints([3, 7], &device);
/// let loss: f32 = cross_entropy(logits, targets).into_scalar();
/// assert!((loss - 10f32.ln()).abs() < 1e-6);
/// ```
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    kd_nn::cross_entropy(logits, targets).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn value(logits: [[f32; 2]; 2], targets: [i32; 2]) -> f32 {
        let device = Device::default();
        cross_entropy(
            Tensor::from_floats(logits, &device),
            Tensor::from_ints(targets, &device),
        )
        .into_scalar()
    }

    /// Plain; smoothed; weighted; both.
    const SMOOTHED: [f32; 4] = [2.265_126_3, 2.223_459_7, 1.664_873_8, 1.649_563];

    #[test]
    fn it_is_the_mean_of_negative_log_probabilities() {
        // Probabilities 3/4 and 1/4 in both rows.
        let logits = [[3f32.ln(), 0.0], [0.0, 3f32.ln()]];
        let expected = -((0.75f32).ln() + (0.25f32).ln()) / 2.0;
        assert!((value(logits, [0, 0]) - expected).abs() < 1e-6);
    }

    /// Values of PyTorch's formula for `weight=[1, 2, 0.5]` and `label_smoothing=0.1`, in f64.
    #[test]
    fn smoothing_and_weights_are_pytorchs() {
        let device = Device::default();
        let logits = Tensor::from_floats([[1.0, 2.0, 0.5], [-1.0, 0.0, 3.0]], &device);
        let labels = Tensor::from_ints([1, 0], &device);
        let value = |config: CeLossConfig| -> f32 {
            let loss = config.init(&device).expect("a loss");
            loss.forward(logits.clone(), labels.clone()).into_scalar()
        };
        let weights = Some(vec![1.0, 2.0, 0.5]);
        let smooth = CeLossConfig::new().with_smoothing(0.1);
        let expected = [
            (CeLossConfig::new(), SMOOTHED[0]),
            (smooth.clone(), SMOOTHED[1]),
            (
                CeLossConfig::new().with_class_weights(weights.clone()),
                SMOOTHED[2],
            ),
            (smooth.with_class_weights(weights), SMOOTHED[3]),
        ];
        for (config, expected) in expected {
            let found = value(config.clone());
            assert!((found - expected).abs() < 1e-5, "{config:?}: {found}");
        }
    }

    #[test]
    fn smoothing_and_weights_out_of_range_are_named() {
        let message = |config: CeLossConfig| {
            let loss = config.init(&Device::default());
            loss.expect_err("a bad parameter").to_string()
        };
        let config = CeLossConfig::new;
        assert!(message(config().with_smoothing(1.0)).starts_with("ce: `smoothing` is 1"));
        let weights = Some(vec![1.0, -1.0]);
        assert!(message(config().with_class_weights(weights)).contains("class_weights"));
    }

    #[test]
    fn large_logits_stay_finite() {
        assert_eq!(value([[1e4, -1e4], [1e4, -1e4]], [0, 0]), 0.0);
        assert_eq!(value([[1e4, -1e4], [1e4, -1e4]], [1, 1]), 2e4);
    }
}
