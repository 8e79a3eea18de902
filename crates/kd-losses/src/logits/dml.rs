//! Deep mutual learning.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::kd::{KdLoss, KdLossConfig};
use super::standardize::check_standardize;
use crate::info::Register;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`DmlLoss`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DmlLossConfig {
    /// The multiplier of [standardized](crate::logits::standardize) logits, a positive number. Default
    /// none: the logits are taken as they are.
    #[serde(alias = "standardise")]
    pub standardize: Option<f64>,
}

impl Config for DmlLossConfig {}

impl DmlLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the multiplier of standardized logits.
    pub fn with_standardize(mut self, standardize: Option<f64>) -> Self {
        self.standardize = standardize;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the multiplier is not a positive finite number.
    pub fn init(&self) -> Result<DmlLoss, LossError> {
        check_standardize("dml", self.standardize)?;
        let divergence = KdLossConfig::new()
            .with_temperature(1.0)
            .with_standardize(self.standardize)
            .init()?;
        Ok(DmlLoss { divergence })
    }
}

/// Deep mutual learning (Zhang et al. 2018, <https://arxiv.org/abs/1706.00384>): networks that
/// train together, each following the probabilities of the other.
///
/// ```text
/// L = 1 / N · Σ_n KL( softmax(peer_n) ‖ softmax(student_n) )
/// ```
///
/// without a temperature, summed over classes and divided by the batch, as in
/// Knowledge-Distillation-Zoo. It is [`KdLoss`] at temperature 1; what is new is that there are
/// two of them ([`mutual`](Self::mutual)), and that no network is trained beforehand. As a method
/// of a run with a fixed teacher, the teacher plays the peer.
#[derive(Module, Debug)]
pub struct DmlLoss {
    divergence: KdLoss,
}

impl DmlLoss {
    /// The loss of one network; the peer's logits are a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, classes]`
    /// - peer: `[batch, classes]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, student: Tensor<2>, peer: Tensor<2>) -> Tensor<1> {
        self.forward_gated(student, peer, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<2>, peer: Tensor<2>, gate: &Gate) -> Tensor<1> {
        let shapes = (student.dims(), peer.dims());
        assert_eq!(
            shapes.0, shapes.1,
            "dml: one network's logits are {:?}, the other's {:?}",
            shapes.0, shapes.1
        );
        self.divergence.forward_gated(student, peer, gate)
    }

    /// The losses of both networks, each with the other's logits as a constant.
    ///
    /// The networks share nothing in the graph, so one backward pass of the sum of both losses
    /// (with the cross-entropies) gives each network its gradients.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn mutual(&self, first: Tensor<2>, second: Tensor<2>) -> [Tensor<1>; 2] {
        [
            self.forward(first.clone(), second.clone()),
            self.forward(second, first),
        ]
    }
}

impl Register for DmlLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "dml",
        title: "Deep mutual learning: the probabilities of a peer, without a temperature",
        paper: "Zhang et al. 2018, Deep Mutual Learning, https://arxiv.org/abs/1706.00384",
        weights: LossWeights::method(1.0),
        parameters: &[ParameterInfo {
            name: "standardize",
            description: "multiplier of standardized logits; null: as they are",
        }],
        ..MethodInfo::BASE
    };
}

impl LossConfig for DmlLossConfig {
    type Loss = DmlLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<DmlLoss, LossError> {
        setup.classes("dml", 1)?;
        self.init()
    }
}

impl DistillationLoss for DmlLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let student = step.student.logits.clone();
        step.scaled(
            0,
            self.forward_gated(student, step.teacher.logits.clone(), &step.gate(0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::gated;
    use proptest::prelude::*;

    fn loss() -> DmlLoss {
        DmlLossConfig::new().init().expect("a loss")
    }

    #[test]
    fn each_network_gets_the_gradient_of_its_own_loss_only() {
        let device = Device::default().autodiff();
        let leaf = |logits: [[f32; 2]; 1]| Tensor::<2>::from_floats(logits, &device).require_grad();
        // Probabilities (1/2, 1/2) and (3/4, 1/4).
        let (first, second) = (leaf([[0.0, 0.0]]), leaf([[3f32.ln(), 0.0]]));
        let [one, other] = loss().mutual(first.clone(), second.clone());
        let value = |loss: &Tensor<1>| loss.clone().into_scalar::<f32>();
        let expected = 0.75 * (0.75f32 / 0.5).ln() + 0.25 * (0.25f32 / 0.5).ln();
        assert!((value(&one) - expected).abs() < 1e-6);
        let expected = 0.5 * (0.5f32 / 0.75).ln() + 0.5 * (0.5f32 / 0.25).ln();
        assert!((value(&other) - expected).abs() < 1e-6);

        let grads = (one + other).backward();
        for (network, expected) in [(first, -0.25), (second, 0.25)] {
            let gradient = network.grad(&grads).expect("a gradient").into_data();
            let gradient: Vec<f32> = gradient.try_to_vec().expect("f32");
            assert!((gradient[0] - expected).abs() < 1e-6, "{gradient:?}");
        }
    }

    #[test]
    #[should_panic(expected = "dml: one network's logits are [1, 2], the other's [1, 3]")]
    fn different_classes_are_refused() {
        let device = Device::default();
        loss().forward(
            Tensor::zeros([1, 2], &device),
            Tensor::zeros([1, 3], &device),
        );
    }

    #[test]
    fn a_multiplier_out_of_range_is_an_error() {
        let error = DmlLossConfig::new()
            .with_standardize(Some(f64::NAN))
            .init()
            .expect_err("out of range");
        assert_eq!(
            error.to_string(),
            "dml: `standardize` is NaN, expected a positive finite number"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>())) {
            let loss = loss();
            gated::check(chosen, |own, peer, _, gate| loss.forward_gated(own, peer, gate))?;
        }
    }
}
