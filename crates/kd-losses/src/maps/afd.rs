//! Attentive feature distillation.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::{log_sigmoid, relu, softmax};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use kd_nn::conv2d_layer;
use serde::{Deserialize, Serialize};

use crate::gate::sample_sums;
use crate::info::Register;
use crate::norms::unit_channels;
use crate::pool::{pool_to, smaller};
use crate::range::within;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Added to the norms.
const EPSILON: f64 = 1e-6;

/// Configuration of [`AfdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AfdLossConfig {
    /// Channels inside the attention, as a fraction of the teacher's, above 0 and at most 1.
    /// Default 0.5.
    pub attention: f64,
    /// The stage whose maps are compared; the stem is 0. Default: each network's last.
    pub stage: Option<usize>,
}

impl Config for AfdLossConfig {}

impl Default for AfdLossConfig {
    fn default() -> Self {
        Self {
            attention: 0.5,
            stage: None,
        }
    }
}

impl AfdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the share of channels inside the attention.
    pub fn with_attention(mut self, attention: f64) -> Self {
        self.attention = attention;
        self
    }

    /// Sets the stage whose maps are compared.
    pub fn with_stage(mut self, stage: Option<usize>) -> Self {
        self.stage = stage;
        self
    }

    /// Initializes the loss for maps with these channels.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the share is out of range.
    pub fn init(&self, channels: Pair<usize>, device: &Device) -> Result<AfdLoss, LossError> {
        let Pair { student, teacher } = channels;
        let inside = self.attention > 0.0 && self.attention <= 1.0;
        let expected = "above 0 and at most 1";
        within("afd", "attention", self.attention, inside, expected)?;
        let inside = ((teacher as f64 * self.attention) as usize).max(1);
        let conv = |channels| Conv2dConfig::new(channels, [1, 1]).init(device);
        Ok(AfdLoss {
            connector: (student != teacher).then(|| conv([student, teacher])),
            squeeze: conv([teacher, inside]),
            expand: conv([inside, teacher]),
            stage: self.stage,
        })
    }
}

/// Attentive feature distillation (Wang et al. 2020, "Pay Attention to Features, Transfer Learn
/// Faster CNNs", <https://openreview.net/forum?id=ryxyCeHtPB>, in the form of
/// Knowledge-Distillation-Zoo): the maps of the student follow the teacher's, channels weighted by
/// an attention that the teacher's map gives.
///
/// ```text
/// ρ = σ( W₂ relu( W₁ pool(t) + b₁ ) + b₂ ), divided by its sum over channels
/// L = mean_n Σ_c ρ_nc · mean over positions of ( s_nc / (‖s_nc‖ + ε) − t_nc / (‖t_nc‖ + ε) )²
/// ```
///
/// with `ε` = 1e-6. The attention is trained together with the student. The reference wants maps of
/// equal shape; here a 1×1 convolution with a bias brings the student's channels to the teacher's
/// where they differ, and the larger map is average-pooled to the smaller size.
#[derive(Module, Debug)]
pub struct AfdLoss {
    /// The convolution to the teacher's channels, where they differ.
    pub connector: Option<Conv2d>,
    /// The first layer of the attention.
    pub squeeze: Conv2d,
    /// The second layer of the attention.
    pub expand: Conv2d,
    /// The stage that the registry takes the maps from; the last if absent.
    pub stage: Option<usize>,
}

impl AfdLoss {
    /// The loss; the teacher's map is a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, other channels, other height, other width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size, or the channels are not those of [`AfdLossConfig::init`].
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let size = smaller(&student, &teacher);
        let student = match &self.connector {
            Some(connector) => conv2d_layer(connector, pool_to(student, size)),
            None => pool_to(student, size),
        };
        let teacher = pool_to(teacher.inner(), size);
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "afd: the student's map arrives as {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let [batch, channels, ..] = teacher_shape;
        let pooled = adaptive_avg_pool2d(teacher.clone(), [1, 1]);
        let attention = conv2d_layer(&self.expand, relu(conv2d_layer(&self.squeeze, pooled)));
        // σ divided by its sum over channels, which may not be 0 / 0 where all of σ vanishes.
        let attention = softmax(log_sigmoid(attention.reshape([batch, channels])), 1);

        let difference: Tensor<3> = unit(student) - unit(teacher);
        let squares = difference.square().mean_dim(2).squeeze_dim::<2>(2);
        gate.mean(sample_sums(attention * squares))
    }
}

/// The channels `[batch, channels, positions]`, divided by their norms.
fn unit(map: Tensor<4>) -> Tensor<3> {
    unit_channels(map.flatten(2, 3), EPSILON)
}

impl Register for AfdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "afd",
        aliases: &[],
        title: "Attentive features: channels weighted by the teacher",
        paper: "Wang et al. 2020, Pay Attention to Features, Transfer Learn Faster CNNs, \
                https://openreview.net/forum?id=ryxyCeHtPB",
        weights: LossWeights::method(500.0),
        parameters: &[
            ParameterInfo {
                name: "attention",
                description: "channels inside the attention, as a fraction of the teacher's",
            },
            ParameterInfo {
                name: "stage",
                description: "stage whose maps are compared; the stem is 0, null is the last",
            },
        ],
    };
}

impl LossConfig for AfdLossConfig {
    type Loss = AfdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Stage(self.stage))
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<AfdLoss, LossError> {
        let shapes = setup.maps_at("afd", self.stage)?;
        self.init(shapes.map(|[channels, ..]| channels), device)
    }
}

impl DistillationLoss for AfdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = step.maps_at(self.stage);
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn map(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn loss(student: usize, teacher: usize) -> AfdLoss {
        let loss = AfdLossConfig::new().init(Pair { student, teacher }, &Device::default());
        loss.expect("a loss")
    }

    #[test]
    fn a_constant_attention_is_a_mean_over_channels() {
        let mut loss = loss(3, 3);
        let zero = |conv: &mut Conv2d| {
            conv.weight = conv.weight.clone().map(|weight| weight.zeros_like());
        };
        zero(&mut loss.expand);
        loss.expand.bias = None;
        let (student, teacher) = (map([2, 3, 2, 2]), map([2, 3, 2, 2]));
        let value: f32 = loss.forward(student.clone(), teacher.clone()).into_scalar();
        let expected: f32 = (unit(student) - unit(teacher))
            .square()
            .mean()
            .into_scalar();
        assert!((value - expected).abs() < 1e-6);
    }

    #[test]
    fn an_attention_that_vanishes_in_all_channels_is_finite() {
        let device = Device::default().autodiff();
        let mut loss = AfdLossConfig::new()
            .init(Pair::both(3), &device)
            .expect("a loss");
        let bias = loss.expand.bias.take().expect("a bias");
        loss.expand.bias = Some(bias.map(|old| (old * 0.0 - 200.0).detach().require_grad()));
        let (student, teacher) = (map([2, 3, 2, 2]), map([2, 3, 2, 2]));
        let value = loss.forward(student, teacher);
        let grads = value.backward();
        let gradient = loss.expand.weight.val().grad(&grads).expect("a gradient");
        assert!(value.into_scalar::<f32>() > 0.0);
        assert!(gradient.sum().into_scalar::<f32>().is_finite());
    }

    #[test]
    fn scale_does_not_matter_and_identical_maps_give_zero() {
        let loss = loss(4, 4);
        let (student, teacher) = (map([2, 4, 2, 2]), map([2, 4, 2, 2]));
        let value = |student: &Tensor<4>| -> f32 {
            loss.forward(student.clone(), teacher.clone()).into_scalar()
        };
        assert!((value(&(student.clone() * 9.0)) - value(&student)).abs() < 1e-5);
        assert_eq!(value(&teacher), 0.0);
    }

    #[test]
    fn other_shapes_are_brought_together() {
        let loss = loss(3, 5);
        let value = loss.forward(map([2, 3, 4, 4]), map([2, 5, 2, 2]));
        assert!(value.into_scalar::<f32>() > 0.0);
    }

    #[test]
    fn a_share_out_of_range_is_a_typed_error() {
        let error = AfdLossConfig::new()
            .with_attention(0.0)
            .init(Pair::both(1), &Device::default())
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "afd: `attention` is 0, expected above 0 and at most 1"
        );
    }

    #[test]
    #[should_panic(expected = "afd: the student's map arrives as [2, 3, 2, 2]")]
    fn other_batches_are_refused() {
        loss(3, 3).forward(map([2, 3, 2, 2]), map([3, 3, 2, 2]));
    }
}
