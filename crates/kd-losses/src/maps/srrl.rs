//! Softmax regression representation learning.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{Connector, ConnectorConfig};
use crate::gate::sample_means;
use crate::info::Register;
use crate::{
    Classifier, DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`SrrlLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SrrlLossConfig {}

impl Config for SrrlLossConfig {}

impl SrrlLossConfig {
    /// The method has no parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Initializes the loss for a student's vector of this length and a teacher's classifier.
    ///
    /// # Errors
    ///
    /// [`LossError::Mismatch`] if weight and bias of the classifier do not belong together.
    pub fn init(
        &self,
        student: usize,
        classifier: &Classifier,
        device: &Device,
    ) -> Result<SrrlLoss, LossError> {
        let [classes, teacher] = classifier.weight.dims();
        if classifier.bias.dims() != [classes] {
            return Err(LossError::Parameter {
                method: "srrl",
                parameter: "classifier",
                value: format!(
                    "a weight of {:?} and a bias of {:?}",
                    classifier.weight.dims(),
                    classifier.bias.dims()
                ),
                expected: "[classes, pooled] and [classes]",
            });
        }
        let plain = device.clone().inner();
        Ok(SrrlLoss {
            transfer: ConnectorConfig::new(student, teacher)
                .with_bias(false)
                .init(device),
            weight: classifier.weight.clone().inner().to_device(&plain),
            bias: classifier.bias.clone().inner().to_device(&plain),
        })
    }
}

/// Softmax regression representation learning (Yang et al. 2021,
/// <https://openreview.net/forum?id=ZzwDy_wiWv>): the student's vector, brought to the teacher's
/// length, is to equal the teacher's, and to lead to the same logits in the *teacher's* classifier.
///
/// For pooled vectors `s` and `t`, the teacher's classifier `(W, b)` and its logits `y`:
///
/// ```text
/// r = relu( batch norm( A s ) )
/// L = mean of (r − t)²  +  mean of (W r + b − y)²
/// ```
///
/// with the mean over samples and elements. `A` and the batch norm are trained with the student;
/// the classifier is constant. This is the form of the public code, with squared differences of
/// logits; the paper also tries a cross-entropy there, and a student with a connected classifier.
#[derive(Module, Debug)]
pub struct SrrlLoss {
    /// From the student's vector to the teacher's length: a matrix and a batch norm.
    pub transfer: Connector,
    /// The weight of the teacher's classifier, `[classes, pooled]`: a constant, not a parameter.
    weight: Tensor<2>,
    /// The bias of the teacher's classifier, `[classes]`.
    bias: Tensor<1>,
}

impl SrrlLoss {
    /// The loss; the teacher's vector and logits are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, length]`
    /// - teacher: `[batch, pooled]`, as the classifier reads it
    /// - logits: `[batch, classes]`, the teacher's
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If a shape is another one.
    pub fn forward(&self, student: Tensor<2>, teacher: Tensor<2>, logits: Tensor<2>) -> Tensor<1> {
        self.forward_gated(student, teacher, logits, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. The batch norm takes its statistics from
    /// them alone.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        logits: Tensor<2>,
        gate: &Gate,
    ) -> Tensor<1> {
        let transferred = self.transfer_gated(student, gate);
        let predicted = self.predict(transferred.clone());
        let (student_shape, teacher_shape) = (transferred.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "srrl: the student's vector arrives as {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let (student_shape, teacher_shape) = (predicted.dims(), logits.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "srrl: the classifier gives {student_shape:?}, the teacher's logits are {teacher_shape:?}"
        );
        let vectors = sample_means((transferred - teacher.inner()).square());
        let logits = sample_means((predicted - logits.inner()).square());
        gate.mean(vectors + logits)
    }

    /// The student's vector as the teacher's classifier is to read it, `[batch, length]` to
    /// `[batch, pooled]`.
    ///
    /// # Panics
    ///
    /// If the length is another one.
    pub fn transfer(&self, student: Tensor<2>) -> Tensor<2> {
        self.transfer_gated(student, &Gate::all())
    }

    fn transfer_gated(&self, student: Tensor<2>, gate: &Gate) -> Tensor<2> {
        let [batch, length] = student.dims();
        let map = student.reshape([batch, length, 1, 1]);
        relu(self.transfer.forward_gated(map, gate)).flatten(1, 3)
    }

    /// Logits of the teacher's classifier, `[batch, pooled]` to `[batch, classes]`.
    ///
    /// # Panics
    ///
    /// If the length is another one.
    pub fn predict(&self, vectors: Tensor<2>) -> Tensor<2> {
        let bias: Tensor<2> = self.bias.clone().inner().unsqueeze_dim(0);
        vectors.matmul(self.weight.clone().inner().transpose()) + bias
    }
}

impl Register for SrrlLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "srrl",
        aliases: &["softmax_regression"],
        title: "Softmax regression: the teacher's classifier applied to the student's vector",
        paper: "Yang et al. 2021, Knowledge Distillation via Softmax Regression Representation \
                Learning, https://openreview.net/forum?id=ZzwDy_wiWv",
        weights: LossWeights::method(1.0),
        ..MethodInfo::BASE
    };
}

impl LossConfig for SrrlLossConfig {
    type Loss = SrrlLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled).with_teacher_weights()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<SrrlLoss, LossError> {
        let what = "the teacher's classifier (Setup::with_classifier)";
        let classifier = setup.require("srrl", what, setup.classifier.as_ref())?;
        let (expected, found) = (
            [setup.teacher.classes, setup.teacher.pooled],
            classifier.weight.dims(),
        );
        if expected != found {
            return Err(LossError::Parameter {
                method: "srrl",
                parameter: "classifier",
                value: format!("a weight of {found:?} for a teacher of {expected:?}"),
                expected: "[classes, pooled] of the teacher",
            });
        }
        self.init(setup.student.pooled, classifier, device)
    }
}

impl DistillationLoss for SrrlLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (step.student.pooled.clone(), step.teacher.pooled.clone());
        let logits = step.teacher.logits.clone();
        step.scaled(
            0,
            self.forward_gated(student, teacher, logits, &step.gate(0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureShapes;

    fn classifier(classes: usize, bias: usize) -> Classifier {
        let device = Device::default();
        Classifier {
            weight: Tensor::ones([classes, 2], &device),
            bias: Tensor::full([bias], 0.5, &device),
        }
    }

    fn loss(device: &Device) -> SrrlLoss {
        SrrlLossConfig::new()
            .init(1, &classifier(1, 1), device)
            .expect("a loss")
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        let mut loss = loss(&device);
        let weight = |_| Tensor::from_floats([[[[3.0]]], [[[-1.0]]]], &Device::default());
        loss.transfer.conv.weight = loss.transfer.conv.weight.map(weight);
        loss.transfer.bn = None;
        let student = Tensor::<2>::from_floats([[1.0]], &device);
        let teacher = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
        let logits = Tensor::<2>::from_floats([[1.5]], &device);
        // Transferred to (3, 0) by the ReLU; the classifier makes 3.5 of it.
        let value: f32 = loss.forward(student, teacher, logits).into_scalar();
        assert!((value - ((4.0 + 4.0) / 2.0 + 4.0)).abs() < 1e-6);
    }

    #[test]
    fn the_classifier_is_constant_and_survives_moves() {
        let device = Device::default().autodiff();
        let loss = loss(&device);
        // 1x1 convolution and the four vectors of the batch norm: not the classifier.
        assert_eq!(loss.num_params(), 2 + 4 * 2);
        let moved = loss.valid().train();
        let vectors = Tensor::<2>::ones([3, 2], &device).require_grad();
        let predicted = moved.predict(vectors.clone());
        let grads = predicted.clone().sum().backward();
        assert_eq!(
            predicted.into_data().try_to_vec::<f32>().ok(),
            Some(vec![2.5; 3])
        );
        assert!(vectors.grad(&grads).is_some());
    }

    #[test]
    fn a_record_holds_the_transfer_but_not_the_classifier() {
        let device = Device::default();
        let saved = loss(&device);
        let other = Classifier {
            weight: Tensor::full([1, 2], 3.0, &device),
            bias: Tensor::full([1], 7.0, &device),
        };
        let fresh = SrrlLossConfig::new()
            .init(1, &other, &device)
            .expect("a loss");
        let vectors = || Tensor::<2>::ones([1, 2], &device);
        let student = || Tensor::<2>::from_floats([[2.0], [-1.0], [0.5]], &device);
        let transferred = |loss: &SrrlLoss| loss.transfer(student()).into_data();
        let expected = transferred(&saved);
        let loaded = fresh
            .try_load_record(saved.into_record())
            .expect("the record of the same module");
        // What is trained comes from the record, the classifier from the setup.
        assert_eq!(transferred(&loaded), expected);
        let predicted: f32 = loaded.predict(vectors()).into_scalar();
        assert_eq!(predicted, 2.0 * 3.0 + 7.0);
    }

    #[test]
    fn a_classifier_that_does_not_fit_is_a_typed_error() {
        let device = Device::default();
        let error = SrrlLossConfig::new()
            .init(1, &classifier(3, 2), &device)
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "srrl: `classifier` is a weight of [3, 2] and a bias of [2], expected [classes, \
             pooled] and [classes]"
        );
        let shapes = FeatureShapes {
            maps: vec![[4, 1, 1]],
            pooled: 4,
            classes: 3,
        };
        let setup = Setup::new(shapes.clone(), shapes);
        let error = SrrlLossConfig::new()
            .build(&setup, &device)
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "srrl needs the teacher's classifier (Setup::with_classifier)"
        );
        let setup = setup.with_classifier(classifier(3, 3));
        let error = SrrlLossConfig::new()
            .build(&setup, &device)
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "srrl: `classifier` is a weight of [3, 2] for a teacher of [3, 4], expected [classes, \
             pooled] of the teacher"
        );
    }

    #[test]
    #[should_panic(expected = "arrives as [2, 2], the teacher's is [1, 2]")]
    fn a_smaller_teacher_batch_is_not_broadcast() {
        let device = Device::default();
        loss(&device).forward(
            Tensor::zeros([2, 1], &device),
            Tensor::zeros([1, 2], &device),
            Tensor::zeros([2, 1], &device),
        );
    }
}
