//! Adversarial samples at the decision boundary.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::directional::{gradient, leaf};
use crate::gate::sample_sums;
use crate::info::Register;
use crate::range::{at_least_one, positive};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Stands for −∞ in place of a logit.
const NEVER: f64 = -1e30;

/// The smallest norm of an image's gradient.
const SMALLEST_NORM: f64 = 1e-20;

/// What keeps the logarithms of a uniform number from infinity.
const NOISE_EPSILON: f64 = 1e-20;

/// Configuration of [`BssLoss`] and its [`BssAttacker`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BssLossConfig {
    /// Temperature of the divergence, a positive number. Default 4.
    pub temperature: f64,
    /// Length of a step of the attack on a sample that is sure of its label, a positive number.
    /// Default 0.3.
    pub step_alpha: f64,
    /// Steps of the attack, from 1. Default 10.
    pub num_steps: usize,
    /// What is added to the difference of probabilities that scales a step, a positive number.
    /// Default 1e-4.
    pub eps: f64,
    /// Attacked pixels are clamped at this magnitude, a positive number. Default 2.5, which
    /// holds all of CIFAR's normalized pixels.
    pub limit: f64,
    /// The first so many epochs are without the loss. Default 0.
    pub start_after: usize,
    /// Epochs over which the weight of the loss falls from 1 to 0 along a line, from the first epoch
    /// on: `max(0, 1 − (epoch − 1) / fade)`. The references let it reach 0 after 0.8 of all epochs.
    /// Default: it stays.
    pub fade: Option<f64>,
}

impl Config for BssLossConfig {}

impl Default for BssLossConfig {
    fn default() -> Self {
        Self {
            temperature: 4.0,
            step_alpha: 0.3,
            num_steps: 10,
            eps: 1e-4,
            limit: 2.5,
            start_after: 0,
            fade: None,
        }
    }
}

impl BssLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the temperature.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the length of a step.
    pub fn with_step_alpha(mut self, step_alpha: f64) -> Self {
        self.step_alpha = step_alpha;
        self
    }

    /// Sets the number of steps.
    pub fn with_num_steps(mut self, num_steps: usize) -> Self {
        self.num_steps = num_steps;
        self
    }

    /// Sets what is added to the difference of probabilities.
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets where attacked pixels are clamped.
    pub fn with_limit(mut self, limit: f64) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the first epochs without the loss.
    pub fn with_start_after(mut self, start_after: usize) -> Self {
        self.start_after = start_after;
        self
    }

    /// Sets the epochs over which the weight falls to 0.
    pub fn with_fade(mut self, fade: Option<f64>) -> Self {
        self.fade = fade;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if a number is not positive or not finite.
    pub fn init(&self) -> Result<BssLoss, LossError> {
        positive("bss", "temperature", self.temperature)?;
        positive("bss", "step_alpha", self.step_alpha)?;
        positive("bss", "eps", self.eps)?;
        positive("bss", "limit", self.limit)?;
        at_least_one("bss", "num_steps", self.num_steps)?;
        positive("bss", "fade", self.fade.unwrap_or(1.0))?;
        Ok(BssLoss {
            temperature: self.temperature,
            attacker: BssAttacker {
                step_alpha: self.step_alpha,
                num_steps: self.num_steps,
                eps: self.eps,
                limit: self.limit,
            },
            start_after: self.start_after,
            fade: self.fade,
        })
    }
}

/// Distillation with adversarial samples that support the decision boundary (Heo et al. 2019,
/// <https://arxiv.org/abs/1805.05532>): the student is to follow the teacher near the boundary
/// between two classes.
///
/// ```text
/// x' = x attacked towards another class, until the student takes it for that class
/// L  = mean over attacked samples of KL( softmax(t(x') / T) ‖ softmax(s(x') / T) )
/// ```
///
/// for logits `s` of the student and `t` of the teacher. As in Knowledge-Distillation-Zoo, the
/// divergence is *not* multiplied by `T²`. The samples are those that both networks get right
/// ([`attacked`](Self::attacked)), the student is attacked ([`BssAttacker`]), and the class is
/// drawn from the teacher's probabilities of the others ([`sample_attack_classes`]).
///
/// All such samples of a batch are attacked, where the references take the 32 that differ most
/// between the networks, which would need a sort. The authors let the weight of the loss fall to
/// 0 in the course of the training, and the Zoo begins with it after ten epochs
/// ([`weight`](Self::weight)).
///
/// A step costs `num_steps` forward and backward passes of the student and a forward pass of both
/// networks. In training mode, each also moves the running statistics of the student's batch
/// norms.
#[derive(Module, Debug)]
pub struct BssLoss {
    /// Temperature.
    pub temperature: f64,
    /// Makes the samples.
    #[module(skip)]
    pub attacker: BssAttacker,
    /// The first so many epochs are without the loss.
    pub start_after: usize,
    /// Epochs over which its weight falls to 0.
    #[module(skip)]
    pub fade: Option<f64>,
}

impl BssLoss {
    /// The loss of the logits of attacked images; the teacher's are a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, classes]`
    /// - teacher: `[batch, classes]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<2>, teacher: Tensor<2>, gate: &Gate) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "bss: the student's logits are {student_shape:?}, the teacher's {teacher_shape:?}"
        );
        let log_student = log_softmax(student / self.temperature, 1);
        let log_teacher = log_softmax(teacher.inner() / self.temperature, 1);
        let divergence = log_teacher.clone().exp() * (log_teacher - log_student);
        gate.mean(sample_sums(divergence))
    }

    /// The factor of the loss in an epoch `[1]`, which counts from 1: 0 in the first
    /// [`start_after`](Self::start_after) ones, else `max(0, 1 − (epoch − 1) / fade)`.
    pub fn weight(&self, epoch: &Tensor<1>) -> Tensor<1> {
        let epoch = epoch.clone().inner();
        let begun = epoch.clone().greater_elem(self.start_after as f64).float();
        match self.fade {
            Some(fade) => ((epoch - 1.0) / -fade + 1.0).clamp_min(0.0) * begun,
            None => begun,
        }
    }

    /// The samples to attack: those of the gate that both networks get right, by the logits
    /// `[batch, classes]` of the images as they are.
    ///
    /// # Panics
    ///
    /// If the gate or the labels are for another batch.
    pub fn attacked(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        labels: &Tensor<1, Int>,
        gate: &Gate,
    ) -> Gate {
        let right = |logits: Tensor<2>| right(logits.inner(), labels);
        let both = right(student) * right(teacher);
        Gate::new(gate.keep(both.squeeze_dim(1)))
    }

    /// Attacks the student towards `classes` and compares the networks, given as functions from
    /// images to logits, on the result. The gate is one of [`attacked`](Self::attacked).
    ///
    /// # Panics
    ///
    /// If the batches differ in size.
    pub fn attack_and_compare(
        &self,
        student: impl Fn(Tensor<4>) -> Tensor<2>,
        teacher: impl Fn(Tensor<4>) -> Tensor<2>,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        classes: Tensor<1, Int>,
        gate: &Gate,
    ) -> Tensor<1> {
        let images = self.attacker.attack(&student, images, labels, classes);
        self.forward_gated(student(images.clone()), teacher(images), gate)
    }
}

/// Moves images towards another class until a network takes them for it (the attacker of Heo et
/// al. 2019 in Knowledge-Distillation-Zoo's version).
///
/// ```text
/// p  = softmax(network(x))
/// x ← clamp( x + step_alpha · (p_label − p_class + eps) · g / ‖g‖ ),  g = ∇ₓ (p_class − p_label)
/// ```
///
/// as long as the network takes the image for its label, `num_steps` times at most. The step gets
/// shorter near the boundary. Images that are not, or no longer, taken for their label stay as
/// they are; they are masked, so that nothing is read back from the device, and all steps are
/// always computed.
///
/// Numerics: only the direction of `g` counts, so `p_class − p_label` is differentiated by hand
/// with respect to the logits and divided by `1 − p_label`. A network that is sure of its label
/// leaves nothing of that derivative in f32 otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct BssAttacker {
    /// Length of a step on a sample that is sure of its label.
    pub step_alpha: f64,
    /// Steps.
    pub num_steps: usize,
    /// What is added to the difference of probabilities.
    pub eps: f64,
    /// Where pixels are clamped.
    pub limit: f64,
}

impl BssAttacker {
    /// The attacked images, as plain tensors.
    ///
    /// # Shapes
    ///
    /// - network: images to logits `[batch, classes]`, at least 2 classes
    /// - images: `[batch, channels, height, width]`
    /// - labels: `[batch]`
    /// - classes: `[batch]`, another class than the label for each image
    /// - output: as images
    ///
    /// # Panics
    ///
    /// If there are not as many labels and classes as images.
    pub fn attack(
        &self,
        network: impl Fn(Tensor<4>) -> Tensor<2>,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        classes: Tensor<1, Int>,
    ) -> Tensor<4> {
        let (shape, known, aims) = (images.dims(), labels.dims(), classes.dims());
        assert!(
            shape[0] == known[0] && shape[0] == aims[0],
            "bss: the images are {shape:?}, the labels {known:?} and the classes {aims:?}"
        );
        let batch = shape[0];
        let column = |values: Tensor<2>| values.reshape([batch, 1, 1, 1]);
        let mut images = images;
        for _ in 0..self.num_steps {
            let leaf = leaf(images.clone());
            let logits = network(leaf.clone());
            let plain = logits.clone().inner();
            let Slope { by_logits, margin } = slope(plain.clone(), &labels, &classes);
            let direction = gradient((logits * by_logits).sum(), &leaf);
            let norm = direction
                .clone()
                .flatten::<2>(1, 3)
                .square()
                .sum_dim(1)
                .sqrt();
            let length = right(plain, &labels) * (margin + self.eps) * self.step_alpha
                / norm.clamp_min(SMALLEST_NORM);
            let before = leaf.inner();
            let after = before.clone() + direction * column(length.clone());
            let after = after.clamp(-self.limit, self.limit);
            let moved = column(length.greater_elem(0.0).float());
            // Still in the graph's own kind of tensors, if the images came in one.
            images = images.detach() * 0.0 + before.clone() + (after - before) * moved;
        }
        images.inner()
    }
}

/// How probabilities change with logits.
struct Slope {
    /// Derivative of `p_class − p_label` with respect to the logits, divided by `1 − p_label`,
    /// `[batch, classes]`.
    by_logits: Tensor<2>,
    /// `p_label − p_class`, `[batch, 1]`.
    margin: Tensor<2>,
}

fn slope(logits: Tensor<2>, labels: &Tensor<1, Int>, classes: &Tensor<1, Int>) -> Slope {
    let probabilities = softmax(logits.clone(), 1);
    let of = |places: &Tensor<1, Int>| {
        let places = places.clone().unsqueeze_dim(1);
        probabilities.clone().gather(1, places)
    };
    let (label, class) = (of(labels), of(classes));
    let is_label = one_hot(&logits, labels);
    let is_class = one_hot(&logits, classes).float();
    // Shares of the other classes among themselves: p / (1 − p_label).
    let shares = softmax(logits.mask_fill(is_label.clone(), NEVER), 1);
    let class_share = (shares.clone() * is_class.clone()).sum_dim(1);
    let margin = label.clone() - class;
    // ∂ p_k / ∂ z_j = p_k (1[j = k] − p_j), for the class minus the label.
    let by_logits = shares * margin.clone() + is_class * class_share.clone();
    let by_label = label * (class_share + 1.0);
    Slope {
        by_logits: by_logits - is_label.float() * by_label,
        margin,
    }
}

/// 1 for the samples whose largest logit is the label's, `[batch, 1]`.
fn right(logits: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<2> {
    logits
        .argmax(1)
        .equal(labels.clone().unsqueeze_dim(1))
        .float()
}

/// Whether each place of `[batch, classes]` is that of the sample.
fn one_hot(logits: &Tensor<2>, places: &Tensor<1, Int>) -> Tensor<2, Bool> {
    let classes = logits.dims()[1] as i64;
    let all = Tensor::<1, Int>::arange(0..classes, &places.device());
    places
        .clone()
        .unsqueeze_dim::<2>(1)
        .equal(all.unsqueeze_dim(0))
}

/// A class for each sample to attack, drawn by the teacher's probabilities of all classes but the
/// label, `[batch]`.
///
/// It draws by the Gumbel-max trick: the largest sum of a logit and a noise.
///
/// # Shapes
///
/// - teacher: `[batch, classes]`, logits
/// - uniform: `[batch, classes]`, random numbers in `[0, 1)`
///
/// # Panics
///
/// If there are not as many labels as rows.
pub fn sample_attack_classes(
    teacher: Tensor<2>,
    labels: &Tensor<1, Int>,
    uniform: Tensor<2>,
) -> Tensor<1, Int> {
    let (rows, known) = (teacher.dims(), labels.dims());
    assert_eq!(
        rows[0], known[0],
        "bss: the teacher's logits are {rows:?}, the labels {known:?}"
    );
    let teacher = teacher.inner();
    let exponential = (uniform + NOISE_EPSILON).log().neg();
    let noise = (exponential + NOISE_EPSILON).log().neg();
    let is_label = one_hot(&teacher, labels);
    (teacher + noise)
        .mask_fill(is_label, NEVER)
        .argmax(1)
        .squeeze_dim(1)
}

impl Register for BssLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "bss",
        title: "The teacher's probabilities of adversarial samples at the decision boundary",
        paper: "Heo et al. 2019, Knowledge Distillation with Adversarial Samples Supporting \
                Decision Boundary, https://arxiv.org/abs/1805.05532",
        weights: LossWeights::method(2.0),
        parameters: &[
            ParameterInfo {
                name: "temperature",
                description: "temperature of the divergence",
            },
            ParameterInfo {
                name: "step_alpha",
                description: "length of a step of the attack",
            },
            ParameterInfo {
                name: "num_steps",
                description: "steps of the attack",
            },
            ParameterInfo {
                name: "eps",
                description: "added to the difference of probabilities that scales a step",
            },
            ParameterInfo {
                name: "limit",
                description: "magnitude at which attacked pixels are clamped",
            },
            ParameterInfo {
                name: "start_after",
                description: "number of initial epochs without the loss",
            },
            ParameterInfo {
                name: "fade",
                description: "epochs over which its weight falls to 0; null: constant",
            },
        ],
        ..MethodInfo::BASE
    };
}

impl LossConfig for BssLossConfig {
    type Loss = BssLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits).with_labels().with_networks()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<BssLoss, LossError> {
        setup.classes("bss", 2)?;
        self.init()
    }
}

impl DistillationLoss for BssLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let [student, teacher] = step.expect_networks("bss");
        let labels = step.expect_labels("bss");
        let (student_logits, teacher_logits) =
            (step.student.logits.clone(), step.teacher.logits.clone());
        let uniform = step.uniform(0, teacher_logits.dims(), &teacher_logits.device());
        let gate = self.attacked(
            student_logits,
            teacher_logits.clone(),
            &labels,
            &step.gate(0),
        );
        let loss = step.scaled(
            0,
            self.attack_and_compare(
                |images| student.from_images(images),
                |images| teacher.from_images(images),
                step.expect_images("bss"),
                labels.clone(),
                sample_attack_classes(teacher_logits, &labels, uniform),
                &gate,
            ),
        );
        match step.epoch {
            Some(epoch) => loss.clone() * self.weight(epoch).cast(loss.dtype()),
            None => loss,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::tests::gate_gathers;
    use proptest::prelude::*;

    fn loss() -> BssLoss {
        BssLossConfig::new().init().expect("a loss")
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    fn labels(values: &[i32]) -> Tensor<1, Int> {
        Tensor::from_ints(values, &Device::default())
    }

    /// Logits are the pixels.
    fn pixels(images: Tensor<4>) -> Tensor<2> {
        images.flatten(1, 3)
    }

    #[test]
    fn the_weight_starts_late_and_falls() {
        let loss = BssLossConfig::new()
            .with_start_after(10)
            .with_fade(Some(160.0))
            .init()
            .expect("a loss");
        let epochs =
            Tensor::<1>::from_floats([1.0, 10.0, 11.0, 81.0, 161.0, 200.0], &Device::default());
        let expected = [0.0, 0.0, 0.9375, 0.5, 0.0, 0.0];
        assert_eq!(values(loss.weight(&epochs)), expected);
    }

    #[test]
    fn the_slope_is_that_of_the_probabilities() {
        let logits = Tensor::<2>::from_floats([[1.0, -0.5, 0.3]], &Device::default());
        let leaf = leaf(logits.clone());
        let probabilities = softmax(leaf.clone(), 1);
        let difference = probabilities.clone().narrow(1, 2, 1) - probabilities.narrow(1, 0, 1);
        let expected = values(gradient(difference.sum(), &leaf));
        let label = values(softmax(logits.clone(), 1))[0];
        let Slope { by_logits, margin } = slope(logits, &labels(&[0]), &labels(&[2]));
        for (found, expected) in values(by_logits).iter().zip(expected) {
            assert!((found * (1.0 - label) - expected).abs() < 1e-6);
        }
        assert!(values(margin)[0] > 0.0);
    }

    #[test]
    fn an_attack_stops_behind_the_boundary_and_leaves_mistakes_alone() {
        let device = Device::default();
        let images = Tensor::<4>::from_floats(
            [[[[0.6, 0.2]]], [[[0.2, 0.6]]], [[[100.0, -100.0]]]],
            &device,
        );
        let (labels, classes) = (labels(&[0, 0, 0]), labels(&[1, 1, 1]));
        let attacker = BssLossConfig::new()
            .with_num_steps(40)
            .with_limit(1e3)
            .init()
            .expect("a loss")
            .attacker;
        let attacked = values(attacker.attack(pixels, images, labels, classes));
        // Steps of 0.3 times the margin never cross but for `eps`, along (−1, 1).
        assert!((attacked[0] - attacked[1]).abs() < 1e-2, "{attacked:?}");
        assert!((attacked[0] + attacked[1] - 0.8).abs() < 1e-5);
        assert_eq!(attacked[2..4], [0.2, 0.6]);
        // A network that is sure still has a direction: 40 steps of 0.3 along the diagonal.
        assert!(
            (attacked[4] - (100.0 - 12.0 * 0.5f32.sqrt())).abs() < 0.01,
            "{attacked:?}"
        );
    }

    #[test]
    fn attacked_pixels_keep_within_the_limit() {
        let device = Device::default();
        let images = Tensor::<4>::from_floats([[[[-2.3, -2.45]]]], &device);
        let config = BssLossConfig::new().with_step_alpha(10.0).with_num_steps(1);
        let attacker = config.init().expect("a loss").attacker;
        let attacked = attacker.attack(pixels, images, labels(&[0]), labels(&[1]));
        // The step would go half a pixel beyond.
        let attacked = values(attacked);
        assert_eq!(attacked[0], -2.5);
        assert!(attacked[1] > -2.45);
    }

    #[test]
    fn samples_that_a_network_gets_wrong_are_not_attacked() {
        let device = Device::default();
        let student =
            Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], &device);
        let teacher =
            Tensor::<2>::from_floats([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], &device);
        let gate = Gate::new(Tensor::from_floats([1.0, 1.0, 1.0, 0.0], &device));
        let found = loss().attacked(student, teacher, &labels(&[0; 4]), &gate);
        let entries = found.entries().expect("entries").clone();
        assert_eq!(values(entries), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn classes_are_drawn_by_the_teachers_probabilities_without_the_label() {
        let device = Device::default();
        // Probabilities 3/4 and 1/4 of classes 0 and 2 among themselves.
        let row = Tensor::<1>::from_floats([3f32.ln(), 9.0, 0.0], &device);
        let teacher = row.unsqueeze::<2>().repeat_dim(0, 4000);
        let uniform = kd_nn::Draws::new(0, &device).uniform(0, teacher.dims());
        let drawn = sample_attack_classes(teacher, &Tensor::ones([4000], &device), uniform);
        let share = |class: i32| {
            let hits = drawn.clone().equal_elem(class).float().mean();
            hits.into_scalar::<f32>()
        };
        assert!((share(0) - 0.75).abs() < 0.05, "{}", share(0));
        assert_eq!(share(1), 0.0);
        assert!((share(2) - 0.25).abs() < 0.05);
    }

    #[test]
    fn the_divergence_is_not_scaled_by_the_temperature() {
        let device = Device::default();
        let student = Tensor::<2>::from_floats([[2.0 * 3f32.ln(), 0.0]], &device);
        let teacher = Tensor::<2>::zeros([1, 2], &device);
        let value: f32 = BssLossConfig::new()
            .with_temperature(2.0)
            .init()
            .expect("a loss")
            .forward(student, teacher)
            .into_scalar();
        let expected = 0.5 * (0.5f32 / 0.75).ln() + 0.5 * (0.5f32 / 0.25).ln();
        assert!((value - expected).abs() < 1e-6, "{value}");
    }

    #[test]
    fn parameters_out_of_range_are_errors() {
        let message = |config: BssLossConfig| config.init().expect_err("a mistake").to_string();
        assert_eq!(
            message(BssLossConfig::new().with_num_steps(0)),
            "bss: `num_steps` is 0, expected 1 or more"
        );
        assert_eq!(
            message(BssLossConfig::new().with_eps(0.0)),
            "bss: `eps` is 0, expected a positive finite number"
        );
        assert!(BssLossConfig::new().with_temperature(-1.0).init().is_err());
        assert!(
            BssLossConfig::new()
                .with_step_alpha(f64::NAN)
                .init()
                .is_err()
        );
        assert!(BssLossConfig::new().with_limit(0.0).init().is_err());
    }

    #[test]
    #[should_panic(
        expected = "bss: the images are [1, 1, 1, 2], the labels [2] and the classes [1]"
    )]
    fn another_number_of_labels_is_refused() {
        let images = Tensor::zeros([1, 1, 1, 2], &Device::default());
        loss()
            .attacker
            .attack(pixels, images, labels(&[0, 1]), labels(&[1]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>())) {
            let loss = loss();
            gate_gathers(chosen, |student, teacher, images, labels, gate| {
                let classes = (labels.clone() + 1).remainder_scalar(3);
                loss.attack_and_compare(
                    |x| student.forward(x),
                    |x| teacher.forward(x),
                    images,
                    labels,
                    classes,
                    gate,
                )
            })?;
        }
    }
}
