//! Relational knowledge distillation.

use burn::config::Config;
use burn::module::Module;
use burn::nn::loss::SmoothL1LossConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gate::{assert_not_empty, different};
use crate::info::Register;
use crate::range::weight;
use crate::surrogate::with_gradient;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Where squared distances are clamped before the root; samples this near are at the same place.
const SMALLEST_SQUARE: f64 = 1e-12;

/// Entries of the largest tensor that is built at a time: 16 MiB of f32.
const LARGEST: usize = 1 << 22;

/// Configuration of [`RkdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RkdLossConfig {
    /// Weight of the distances, at least 0. Default 25.
    pub distance: f64,
    /// Weight of the angles, at least 0. Default 50.
    pub angle: f64,
}

impl Config for RkdLossConfig {}

impl Default for RkdLossConfig {
    fn default() -> Self {
        Self {
            distance: 25.0,
            angle: 50.0,
        }
    }
}

impl RkdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the distances.
    pub fn with_distance(mut self, distance: f64) -> Self {
        self.distance = distance;
        self
    }

    /// Sets the weight of the angles.
    pub fn with_angle(mut self, angle: f64) -> Self {
        self.angle = angle;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if a weight is negative or not finite.
    pub fn init(&self) -> Result<RkdLoss, LossError> {
        for (parameter, value) in [("distance", self.distance), ("angle", self.angle)] {
            weight("rkd", parameter, value)?;
        }
        Ok(RkdLoss {
            distance: self.distance,
            angle: self.angle,
            largest: LARGEST,
        })
    }
}

/// Relational knowledge distillation (Park et al. 2019, <https://arxiv.org/abs/1904.05068>): the
/// distances between the samples of a batch, and the angles of their triangles.
///
/// ```text
/// D_ij  = ‖f_i − f_j‖ / μ,                 μ = mean of the distances of different samples
/// A_ijk = cos of the angle at i between j and k
/// L     = distance · mean_ij huber( D_ij(s) − D_ij(t) ) + angle · mean_ijk huber( A_ijk(s) − A_ijk(t) )
/// ```
///
/// with `huber(x) = x²/2` for `|x| < 1`, else `|x| − 1/2`. Vectors of student and teacher (pooled
/// features, or flattened maps) may differ in length. Means run over all `N²` and `N³` entries, as
/// in the public implementations.
///
/// Squared distances are clamped at 1e-12; the distances are those of differences, not of a Gram
/// matrix, so that equal rows are equal in f32 as well. Two samples at the same place have no
/// direction: their angles count as 0 and pass no gradient, where the references' gradients become
/// as large as 1e11. One sample gives 0 (NaN in the references).
///
/// Neither the differences `[N, N, length]` nor the angles `[N, N, N]` are ever built whole if they
/// are large: the samples at whose corner the angles are taken come in slices, and each slice's
/// gradient is computed at once.
#[derive(Module, Debug)]
pub struct RkdLoss {
    /// Weight of the distances.
    pub distance: f64,
    /// Weight of the angles.
    pub angle: f64,
    largest: usize,
}

impl RkdLoss {
    /// The loss; the teacher's vectors are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, length]`
    /// - teacher: `[batch, other length]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size.
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
            student_shape[0], teacher_shape[0],
            "rkd: the student's vectors are {student_shape:?}, the teacher's are {teacher_shape:?}"
        );
        assert_not_empty(student_shape[0]);
        let teacher = teacher.inner();
        let mut loss = student.clone().sum() * 0.0;
        if self.distance != 0.0 {
            loss = loss + self.distances(&student, &teacher, gate) * self.distance;
        }
        if self.angle != 0.0 {
            loss = loss + self.angles(&student, &teacher, gate) * self.angle;
        }
        loss
    }

    /// The term of the distances alone, unweighted, `[1]`.
    fn distances(&self, student: &Tensor<2>, teacher: &Tensor<2>, gate: &Gate) -> Tensor<1> {
        let teacher = mean_one(self.pairwise(teacher), gate);
        let squares = self.pairwise(&student.clone().inner());
        let value = |squares: Tensor<2>| {
            gate.pair_mean(
                SmoothL1LossConfig::new()
                    .init()
                    .forward(mean_one(squares, gate), teacher.clone()),
            )
        };
        if !student.is_autodiff() {
            return value(squares);
        }
        // Σ_ij g_ij ‖x_i − x_j‖² has the gradient 2 Σ_j (g_ij + g_ji) (x_i − x_j): two products.
        let leaf = Tensor::from_inner(squares).require_grad();
        let value = value(leaf.clone());
        let grads = value.backward();
        let constant = value.inner();
        let Some(gradient) = leaf.grad(&grads) else {
            return constant;
        };
        let both = (gradient.clone() + gradient.transpose()) * 2.0;
        let rows = student.clone().inner();
        let gradient = rows.clone() * both.clone().sum_dim(1) - both.matmul(rows);
        constant + with_gradient(student.clone(), gradient)
    }

    /// Squared distances `[batch, batch]`, outside the graph.
    fn pairwise(&self, rows: &Tensor<2>) -> Tensor<2> {
        let [batch, length] = rows.dims();
        let slice = (self.largest / (batch * length).max(1)).clamp(1, batch);
        let parts = slices(batch, slice).map(|(start, count)| {
            let squares = differences(rows, start, count).square().sum_dim(2);
            squares.squeeze_dim::<2>(2)
        });
        Tensor::cat(parts.collect(), 0)
    }

    /// The term of the angles alone, unweighted, `[1]`.
    fn angles(&self, student: &Tensor<2>, teacher: &Tensor<2>, gate: &Gate) -> Tensor<1> {
        let [batch, length] = student.dims();
        let longest = length.max(teacher.dims()[1]).max(batch);
        let slice = (self.largest / (batch * longest).max(1)).clamp(1, batch);
        let part = |student: &Tensor<2>, (start, count): (usize, usize)| {
            let (student, teacher) = (
                cosines(student, start, count),
                cosines(teacher, start, count),
            );
            triple_mean(
                SmoothL1LossConfig::new().init().forward(student, teacher),
                start,
                gate,
            )
        };
        if slice == batch || !student.is_autodiff() {
            let parts = slices(batch, slice).map(|at| part(student, at));
            return Tensor::cat(parts.collect(), 0).sum();
        }
        // A graph over all slices would hold what slicing avoids: each slice is differentiated on
        // its own.
        let mut value = None;
        let mut gradient = student.clone().inner().zeros_like();
        for at in slices(batch, slice) {
            let leaf = Tensor::from_inner(student.clone().inner()).require_grad();
            let loss = part(&leaf, at);
            let grads = loss.backward();
            if let Some(slice) = leaf.grad(&grads) {
                gradient = gradient + slice;
            }
            let loss = loss.inner();
            value = Some(match value {
                None => loss,
                Some(value) => value + loss,
            });
        }
        let linear = with_gradient(student.clone(), gradient);
        match value {
            None => linear,
            Some(value) => linear + value,
        }
    }
}

/// Start and length of the slices of a batch.
fn slices(batch: usize, slice: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..batch)
        .step_by(slice)
        .map(move |start| (start, slice.min(batch - start)))
}

/// `x_j − x_i` for the rows `i` of a slice and all `j`, `[slice, batch, length]`.
fn differences(rows: &Tensor<2>, start: usize, count: usize) -> Tensor<3> {
    let corner = rows.clone().narrow(0, start, count);
    rows.clone().unsqueeze_dim::<3>(0) - corner.unsqueeze_dim::<3>(1)
}

/// Distances divided by their mean over different chosen samples, from their squares; 0 on the
/// diagonal.
fn mean_one(squares: Tensor<2>, gate: &Gate) -> Tensor<2> {
    let different = different(&squares);
    let distances = squares.clamp_min(SMALLEST_SQUARE).sqrt() * different.clone();
    let counted = match gate.pairs() {
        None => different,
        Some(pairs) => different * pairs,
    };
    let count = counted.clone().sum().clamp_min(1.0);
    let mean = (distances.clone() * counted).sum() / count;
    // Without two chosen samples there is no distance: all are 0, whatever divides them.
    let none = mean.clone().lower_equal_elem(0.0);
    distances / mean.mask_fill(none, 1.0).unsqueeze::<2>()
}

/// Cosines of the angles at the rows of a slice, `[slice, batch, batch]`.
fn cosines(rows: &Tensor<2>, start: usize, count: usize) -> Tensor<3> {
    let differences = differences(rows, start, count);
    let squares = differences.clone().square().sum_dim(2);
    // No direction leads from a place to itself.
    let same = squares.clone().lower_equal_elem(SMALLEST_SQUARE);
    let shape = differences.dims();
    let directions = differences.mask_fill(same.clone().expand(shape), 0.0)
        / squares.mask_fill(same, 1.0).sqrt();
    directions.clone().matmul(directions.swap_dims(1, 2))
}

/// Sum over the chosen triples of a slice, divided by the number of all chosen triples.
fn triple_mean(values: Tensor<3>, start: usize, gate: &Gate) -> Tensor<1> {
    let [slice, batch, _] = values.dims();
    match (gate.entries(), gate.pairs(), gate.count()) {
        (Some(chosen), Some(pairs), Some(count)) => {
            let corner = chosen
                .clone()
                .narrow(0, start, slice)
                .reshape([slice, 1, 1]);
            let sum = (values * pairs.unsqueeze::<3>() * corner).sum();
            sum / (count.clone().square() * count)
        }
        _ => values.sum() / (batch * batch * batch) as f64,
    }
}

impl Register for RkdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "rkd",
        aliases: &["relational"],
        title: "Relational distillation: distances and angles between samples",
        paper: "Park et al. 2019, Relational Knowledge Distillation, \
                https://arxiv.org/abs/1904.05068",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "distance",
                description: "weight of the distances",
            },
            ParameterInfo {
                name: "angle",
                description: "weight of the angles",
            },
        ],
    };
}

impl LossConfig for RkdLossConfig {
    type Loss = RkdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled).with_teacher_gradient()
    }

    fn build(&self, _setup: &Setup, _device: &Device) -> Result<RkdLoss, LossError> {
        self.init()
    }
}

impl DistillationLoss for RkdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (step.student.pooled.clone(), step.teacher.pooled.clone());
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    fn rows(batch: usize, length: usize) -> Tensor<2> {
        let fill = Distribution::Normal(0.0, 1.0);
        crate::testing::random([batch, length], fill, &Device::default())
    }

    fn loss(distance: f64, angle: f64) -> RkdLoss {
        let config = RkdLossConfig::new()
            .with_distance(distance)
            .with_angle(angle);
        config.init().expect("a loss")
    }

    fn value(loss: &RkdLoss, student: &Tensor<2>, teacher: &Tensor<2>) -> f32 {
        loss.forward(student.clone(), teacher.clone()).into_scalar()
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        // On a line: distances 1, 1, 2 with mean 4/3; the teacher's triangle has all the same.
        let student = Tensor::from_floats([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], &device);
        let height = 0.75f32.sqrt();
        let teacher = Tensor::from_floats([[0.0, 0.0], [1.0, 0.0], [0.5, height]], &device);
        let found = value(&loss(1.0, 0.0), &student, &teacher);
        let expected = 2.0 * (2.0 * 0.25f32.powi(2) + 0.5f32.powi(2)) / 2.0 / 9.0;
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        // At each corner two angles between the others: cosines 1, −1, 1 against 1/2 everywhere.
        let found = value(&loss(0.0, 1.0), &student, &teacher);
        let expected = 2.0 * (0.5f32.powi(2) / 2.0 * 2.0 + (1.5 - 0.5)) / 27.0;
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn shift_scale_and_rotation_do_not_matter() {
        let (student, teacher) = (rows(5, 2), rows(5, 3));
        let loss = loss(25.0, 50.0);
        let before = value(&loss, &student, &teacher);
        let (sin, cos) = 0.4f32.sin_cos();
        let turn = Tensor::from_floats([[cos, sin], [-sin, cos]], &Device::default());
        let moved = student.clone().matmul(turn) * 3.0 + 2.0;
        assert!((value(&loss, &moved, &teacher) - before).abs() < 1e-4 * before);
        assert_eq!(value(&loss, &student, &student), 0.0);
        assert_eq!(value(&loss, &rows(1, 2), &rows(1, 3)), 0.0);
    }

    #[test]
    fn a_negative_weight_is_a_typed_error() {
        let error = RkdLossConfig::new()
            .with_angle(-1.0)
            .init()
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "rkd: `angle` is -1, expected a finite number, at least 0"
        );
    }

    #[test]
    #[should_panic(expected = "rkd: the student's vectors are [2, 3], the teacher's are [3, 3]")]
    fn batches_are_not_broadcast() {
        value(&loss(1.0, 1.0), &rows(2, 3), &rows(3, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn slices_change_neither_value_nor_gradient(
            batch in 2usize..8,
            largest in 1usize..200,
            chosen in prop::collection::vec(any::<bool>(), 8),
        ) {
            let device = Device::default().autodiff();
            let student = Tensor::from_inner(rows(batch, 3)).require_grad();
            let teacher = rows(batch, 4);
            let entries: Vec<f32> = chosen[..batch].iter().map(|c| f32::from(*c)).collect();
            let gate = Gate::new(Tensor::from_floats(&*entries, &device));
            let whole = loss(25.0, 50.0);
            let sliced = RkdLoss { largest, ..whole.clone() };
            let evaluate = |loss: &RkdLoss| {
                let value = loss.forward_gated(student.clone(), teacher.clone(), &gate);
                let grads = value.backward();
                (value.into_scalar::<f32>(), student.grad(&grads).expect("a gradient"))
            };
            let ((value, gradient), (expected, wanted)) = (evaluate(&sliced), evaluate(&whole));
            prop_assert!((value - expected).abs() <= 1e-5 * expected.abs());
            let scale = wanted.clone().abs().max().into_scalar::<f32>().max(1e-6);
            let difference = (gradient - wanted).abs().max().into_scalar::<f32>();
            prop_assert!(difference <= 1e-4 * scale, "{} of {}", difference, scale);
        }
    }
}
