//! Several teachers as one.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use kd_core::Reads;
use kd_losses::{LossConfig, TermConfig};
use kd_spot::{RoutingConfig, RoutingMode};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// What is averaged over the members of an ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Average {
    /// The logits: `z = Σ w_m z_m`.
    #[default]
    Logits,
    /// The probabilities: `z = ln Σ w_m softmax(z_m)`, logits whose softmax is the average.
    Probabilities,
}

/// How the outputs of several teachers become one. An ensemble has logits alone: its members may be
/// of different architectures, whose features are not of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EnsembleConfig {
    /// What is averaged.
    pub average: Average,
    /// A positive weight for each teacher; they are divided by their sum. Default: all the same.
    pub weights: Option<Vec<f64>>,
}

impl EnsembleConfig {
    /// The weights of so many teachers, of sum 1.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`] if there is another number of weights, or if one is not positive and
    /// finite.
    pub(crate) fn shares(&self, teachers: usize) -> Result<Vec<f64>, TrainError> {
        let Some(weights) = &self.weights else {
            return Ok(vec![1.0 / teachers as f64; teachers]);
        };
        let usable = |weight: &f64| weight.is_finite() && *weight > 0.0;
        if weights.len() != teachers || !weights.iter().all(usable) {
            return Err(TrainError::value(
                "teacher.ensemble.weights",
                format!("{weights:?}"),
                format!("a positive finite number for each of the {teachers} teachers"),
            ));
        }
        let sum: f64 = weights.iter().sum();
        Ok(weights.iter().map(|weight| weight / sum).collect())
    }
}

/// The average of logits `[batch, classes]` of several networks, with shares of sum 1.
pub(super) fn averaged(average: Average, outputs: &[(Tensor<2>, f64)]) -> Option<Tensor<2>> {
    let outputs = outputs.iter().cloned();
    match average {
        Average::Logits => outputs
            .map(|(logits, share)| logits * share)
            .reduce(|sum, logits| sum + logits),
        Average::Probabilities => {
            let logs = outputs.map(|(logits, share)| log_softmax(logits, 1) + share.ln());
            let logs = logs.collect::<Vec<_>>();
            if logs.is_empty() {
                return None;
            }
            let logs: Tensor<3> = Tensor::stack(logs, 0);
            let largest = logs.clone().max_dim(0);
            let sum = (logs - largest.clone()).exp().sum_dim(0).log();
            Some((sum + largest).squeeze_dim(0))
        }
    }
}

/// Whether terms and routing can do with logits alone, as what is named has no more.
///
/// # Errors
///
/// [`TrainError::Conflict`] naming the term or the routing that reads features.
pub(crate) fn check_logits_are_enough<C: LossConfig>(
    named: &'static str,
    losses: &[TermConfig<C>],
    routing: &RoutingConfig,
) -> Result<(), TrainError> {
    let reads_more = |term: &&TermConfig<C>| {
        let requirements = term.loss.requirements();
        requirements.reads() > Reads::Logits || requirements.teacher_weights
    };
    if let Some(term) = losses.iter().find(reads_more) {
        let what = "reads a teacher's features, but there are only logits here";
        let other = format!("the loss `{}`, which {what}", term.label());
        return Err(TrainError::conflict(named, other));
    }
    match routing.mode {
        RoutingMode::Always => Ok(()),
        mode => {
            let what = "here there are no features to route by";
            let other = format!("routing.mode: {}: {what}", mode.name());
            Err(TrainError::conflict(named, other))
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::softmax;
    use burn::tensor::{Device, Distribution};
    use kd_models::Architecture;

    use super::*;
    use crate::FrozenTeacher;

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_into_vec().expect("f32")
    }

    #[test]
    fn averages_are_of_logits_or_of_probabilities() {
        let device = Device::flex();
        let rows = |values: [[f32; 2]; 2]| Tensor::<2>::from_floats(values, &device);
        let one = rows([[0.0, 2.0], [0.0, 0.0]]);
        // Probabilities of the second row: (3/4, 1/4).
        let other = rows([[4.0, 2.0], [3f32.ln(), 0.0]]);
        let config = EnsembleConfig {
            weights: Some(vec![1.0, 3.0]),
            ..EnsembleConfig::default()
        };
        let shares = config.shares(2).expect("weights");
        assert_eq!(shares, [0.25, 0.75]);
        let outputs = [(one, shares[0]), (other, shares[1])];
        let logits = averaged(Average::Logits, &outputs).expect("networks");
        assert_eq!(values(logits.narrow(0, 0, 1)), [3.0, 2.0]);
        let logits = averaged(Average::Probabilities, &outputs).expect("networks");
        let found = values(softmax(logits.narrow(0, 1, 1), 1));
        for (found, expected) in found.iter().zip([0.125 + 0.5625, 0.125 + 0.1875]) {
            assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
        }
    }

    #[test]
    fn probabilities_of_large_logits_are_finite() {
        let device = Device::flex();
        let row = |values: [[f32; 2]; 1]| (Tensor::<2>::from_floats(values, &device), 0.5);
        let outputs = [row([[1000.0, -1000.0]]), row([[1000.0, 0.0]])];
        let logits = averaged(Average::Probabilities, &outputs).expect("networks");
        assert!(values(logits).iter().all(|value| value.is_finite()));
    }

    #[test]
    fn a_teacher_of_several_networks_has_their_average() {
        let device = Device::flex();
        let teacher = |name: &str| {
            let network = Architecture::by_name(name)
                .expect("a network")
                .init(3, &device);
            FrozenTeacher::new(name, &network)
        };
        let members = [teacher("resnet8"), teacher("vgg8")];
        let images = Tensor::<4>::random([4, 3, 32, 32], Distribution::Default, &device);
        let [one, other] = [0, 1].map(|m: usize| members[m].summary(images.clone()).logits);
        let config = EnsembleConfig {
            weights: Some(vec![1.0, 3.0]),
            ..EnsembleConfig::default()
        };
        let both = FrozenTeacher::ensemble(members.to_vec(), &config).expect("an ensemble");
        assert_eq!((both.name(), both.members().count()), ("resnet8+vgg8", 2));
        let expected = values(one * 0.25 + other * 0.75);
        for both in [both.clone(), both.folded()] {
            let features = both.features(images.clone());
            assert!(features.maps.is_empty());
            for (found, expected) in values(features.logits).iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-4, "{found}, {expected}");
            }
        }
    }

    #[test]
    fn weights_are_one_for_each_teacher() {
        for weights in [vec![1.0], vec![1.0, 0.0], vec![1.0, f64::NAN]] {
            let config = EnsembleConfig {
                weights: Some(weights),
                ..EnsembleConfig::default()
            };
            let error = config.shares(2).expect_err("a mistake").to_string();
            assert!(
                error.starts_with("teacher.ensemble.weights is ["),
                "{error}"
            );
            assert!(error.ends_with("each of the 2 teachers"), "{error}");
        }
    }
}
