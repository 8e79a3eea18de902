//! Instance relationship graph.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gate::{different, sample_means, sample_sums};
use crate::info::Register;
use crate::pool::{pool_to, smaller};
use crate::range::weight;
use crate::{
    DistillationLoss, FeatureShapes, Gate, LossConfig, LossError, LossWeights, MethodInfo,
    ParameterInfo, Requirements, Setup, Site, Step,
};

/// Squared distances count as none if the largest is below this share of the largest squared norm:
/// what is left of equal samples in f32 is rounding.
const NO_DISTANCE: f64 = 1e-12;

/// Configuration of [`IrgLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct IrgLossConfig {
    /// Weight of the vertices, at least 0. Default 0.1.
    pub vertex: f64,
    /// Weight of the edges, at least 0. Default 5.
    pub edge: f64,
    /// Weight of the transformations, at least 0. Default 5.
    pub transform: f64,
    /// The earlier stage; the stem is 0. Default: each network's last but one.
    pub first: Option<usize>,
    /// The later stage; the stem is 0. Default: each network's last.
    pub second: Option<usize>,
}

impl Config for IrgLossConfig {}

impl Default for IrgLossConfig {
    fn default() -> Self {
        Self {
            vertex: 0.1,
            edge: 5.0,
            transform: 5.0,
            first: None,
            second: None,
        }
    }
}

impl IrgLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the vertices.
    pub fn with_vertex(mut self, vertex: f64) -> Self {
        self.vertex = vertex;
        self
    }

    /// Sets the weight of the edges.
    pub fn with_edge(mut self, edge: f64) -> Self {
        self.edge = edge;
        self
    }

    /// Sets the weight of the transformations.
    pub fn with_transform(mut self, transform: f64) -> Self {
        self.transform = transform;
        self
    }

    /// Sets the earlier stage.
    pub fn with_first(mut self, first: Option<usize>) -> Self {
        self.first = first;
        self
    }

    /// Sets the later stage.
    pub fn with_second(mut self, second: Option<usize>) -> Self {
        self.second = second;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if a weight is negative or not finite.
    pub fn init(&self) -> Result<IrgLoss, LossError> {
        let weights = [
            ("vertex", self.vertex),
            ("edge", self.edge),
            ("transform", self.transform),
        ];
        for (parameter, value) in weights {
            weight("irg", parameter, value)?;
        }
        Ok(IrgLoss {
            vertex: self.vertex,
            edge: self.edge,
            transform: self.transform,
            first: self.first,
            second: self.second,
        })
    }
}

/// Instance relationship graph (Liu et al. 2019,
/// <https://openaccess.thecvf.com/content_CVPR_2019/html/Liu_Knowledge_Distillation_via_Instance_Relationship_Graph_CVPR_2019_paper.html>):
/// samples as vertices, their distances as edges, and how both change from layer to layer.
///
/// ```text
/// V = mean of ( logits(s) − logits(t) )²
/// E = mean over two maps m and the pooled feature of  mean_ij ( D_ij(m_s) − D_ij(m_t) )²
/// T = mean_i ( d_i(s) − d_i(t) )²
/// L = vertex · V + edge · E + transform · T
/// ```
///
/// `D_ij` are squared distances between samples, divided by the largest; `d_i` is the squared
/// distance of a sample's earlier map to its later one, divided by the largest of the batch. For
/// `d`, the larger map is average-pooled to the size of the smaller one, and neighboring channels
/// of the one with more channels are averaged, so that both have the fewer. This is the form of
/// Knowledge-Distillation-Zoo, for maps that shrink and channels whose number doubles.
///
/// `D` comes from a Gram matrix of features without their mean over the batch, which in f32 is
/// exact to about 1e-6 of the largest distance. Where no two samples differ by more than rounding
/// there are no distances, and the term is 0 up to rounding. For a single sample only the vertex
/// counts: its one `d` is the largest in both networks. The reference is NaN in both cases.
#[derive(Module, Debug)]
pub struct IrgLoss {
    /// Weight of the vertices.
    pub vertex: f64,
    /// Weight of the edges.
    pub edge: f64,
    /// Weight of the transformations.
    pub transform: f64,
    /// The earlier stage that the registry takes; the last but one if absent.
    pub first: Option<usize>,
    /// The later stage that the registry takes; the last if absent.
    pub second: Option<usize>,
}

/// What [`IrgLoss`] reads of a network.
#[derive(Clone, Debug)]
pub struct IrgFeatures {
    /// The earlier map, `[batch, channels, height, width]`.
    pub first: Tensor<4>,
    /// The later map, `[batch, channels, height, width]`.
    pub second: Tensor<4>,
    /// The pooled feature, `[batch, length]`.
    pub pooled: Tensor<2>,
    /// The logits, `[batch, classes]`.
    pub logits: Tensor<2>,
}

/// The three parts of the loss, unweighted, each `[1]`.
#[derive(Clone, Debug)]
pub struct IrgParts {
    /// Of the vertices.
    pub vertex: Tensor<1>,
    /// Of the edges.
    pub edge: Tensor<1>,
    /// Of the transformations.
    pub transform: Tensor<1>,
}

impl IrgLoss {
    /// The loss `[1]`; the teacher's features are constants. Channels and sizes may differ between
    /// the networks, the classes may not.
    ///
    /// # Panics
    ///
    /// If the batches or the numbers of classes differ.
    pub fn forward(&self, student: IrgFeatures, teacher: IrgFeatures) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: IrgFeatures,
        teacher: IrgFeatures,
        gate: &Gate,
    ) -> Tensor<1> {
        let IrgParts {
            vertex,
            edge,
            transform,
        } = self.parts(student, teacher, gate);
        vertex * self.vertex + edge * self.edge + transform * self.transform
    }

    /// The parts of the loss of the chosen samples.
    ///
    /// # Panics
    ///
    /// As [`forward_gated`](Self::forward_gated).
    pub fn parts(&self, student: IrgFeatures, teacher: IrgFeatures, gate: &Gate) -> IrgParts {
        let (student_shape, teacher_shape) = (student.logits.dims(), teacher.logits.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "irg: student logits are {student_shape:?}, teacher's are {teacher_shape:?}"
        );
        for features in [&student, &teacher] {
            let batches = [
                features.first.dims()[0],
                features.second.dims()[0],
                features.pooled.dims()[0],
            ];
            assert_eq!(
                batches, [student_shape[0]; 3],
                "irg: maps and vectors have batches of {batches:?}, the logits are {student_shape:?}"
            );
        }
        let teacher = IrgFeatures {
            first: teacher.first.inner(),
            second: teacher.second.inner(),
            pooled: teacher.pooled.inner(),
            logits: teacher.logits.inner(),
        };
        let edges = |features: &IrgFeatures| {
            let rows = [
                features.pooled.clone(),
                features.first.clone().flatten(1, 3),
                features.second.clone().flatten(1, 3),
            ];
            rows.map(|rows| edges(rows, gate))
        };
        let edge = edges(&student)
            .into_iter()
            .zip(edges(&teacher))
            .map(|(student, teacher)| gate.pair_mean((student - teacher).square()));
        let transforms = [&student, &teacher]
            .map(|features| transforms(features.first.clone(), features.second.clone(), gate));
        let [of_student, of_teacher] = transforms;
        IrgParts {
            vertex: gate.mean(sample_means((student.logits - teacher.logits).square())),
            edge: Tensor::cat(edge.collect(), 0).mean(),
            transform: gate.mean((of_student - of_teacher).square()),
        }
    }
}

/// Values of at least 0, divided by the largest; as they are if the largest is not above `floor`.
///
/// Several largest values, as those of a pair and of its mirror image, share the gradient.
fn largest_one<const D: usize>(values: Tensor<D>, floor: Tensor<1>) -> Tensor<D> {
    let constant = values.clone().inner();
    let largest = constant.clone().max();
    let at = constant.equal(largest.clone().reshape([1; D]));
    let at = at.float().cast(values.dtype());
    let share = at.clone() / at.sum().reshape([1; D]);
    let none = largest.lower_equal(floor);
    let largest = (values.clone() * share).sum().mask_fill(none, 1.0);
    values / largest.reshape([1; D])
}

/// Squared distances between the chosen rows, the largest of them 1, `[batch, batch]`.
fn edges(rows: Tensor<2>, gate: &Gate) -> Tensor<2> {
    let rows = gate.keep(rows);
    let squares = |rows: &Tensor<2>| rows.clone().square().sum_dim(1);
    let constant = rows.clone().inner();
    let floor = squares(&constant).max() * NO_DISTANCE;
    // A shift changes neither distances nor their gradients. Without the common part of the rows,
    // their products are no larger than their distances, and no digits are lost.
    let mean: Tensor<2> = match gate.count() {
        None => constant.mean_dim(0),
        Some(count) => constant.sum_dim(0) / count.unsqueeze::<2>(),
    };
    let rows = gate.keep(rows - mean);
    let squares = squares(&rows);
    let products = rows.clone().matmul(rows.transpose());
    let distances = squares.clone() + squares.transpose() - products * 2.0;
    let counted = different(&distances);
    let counted = match gate.pairs() {
        None => counted,
        Some(pairs) => counted * pairs,
    };
    largest_one(distances.clamp_min(0.0) * counted, floor)
}

/// Squared distances of each chosen sample's earlier map to its later one, the largest of them 1,
/// `[batch]`.
fn transforms(first: Tensor<4>, second: Tensor<4>, gate: &Gate) -> Tensor<1> {
    let size = smaller(&first, &second);
    let channels = first.dims()[1].min(second.dims()[1]);
    let fewer = |map: Tensor<4>| -> Tensor<4> {
        let [batch, own, height, width] = map.dims();
        if own == channels {
            return map;
        }
        let rows = map.reshape([batch, 1, own, height * width]);
        adaptive_avg_pool2d(rows, [channels, height * width])
            .reshape([batch, channels, height, width])
    };
    let [first, second] = [first, second].map(|map| fewer(pool_to(gate.keep(map), size)));
    let largest = |map: &Tensor<4>| sample_sums(map.clone().inner().square()).max();
    let floor = (largest(&first) + largest(&second)) * NO_DISTANCE;
    largest_one(sample_sums((first - second).square()), floor)
}

impl Register for IrgLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "irg",
        aliases: &[],
        title: "Instance relationship graph: samples, distances, and how layers change them",
        paper: "Liu et al. 2019, Knowledge Distillation via Instance Relationship Graph, \
                https://openaccess.thecvf.com/content_CVPR_2019/html/\
                Liu_Knowledge_Distillation_via_Instance_Relationship_Graph_CVPR_2019_paper.html",
        weights: LossWeights::method(10.0),
        parameters: &[
            ParameterInfo {
                name: "vertex",
                description: "weight of the vertices (logits)",
            },
            ParameterInfo {
                name: "edge",
                description: "weight of the edges (distances between samples)",
            },
            ParameterInfo {
                name: "transform",
                description: "weight of the transformations (distances between stages)",
            },
            ParameterInfo {
                name: "first",
                description: "earlier stage; the stem is 0, null is the second to last",
            },
            ParameterInfo {
                name: "second",
                description: "later stage; the stem is 0, null is the last",
            },
        ],
    };
}

impl LossConfig for IrgLossConfig {
    type Loss = IrgLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Stage(self.second))
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<IrgLoss, LossError> {
        setup.classes("irg", 1)?;
        for shapes in [&setup.student, &setup.teacher] {
            let stages = |shapes: &FeatureShapes| shapes.maps.len();
            let network = if std::ptr::eq(shapes, &setup.student) {
                "student"
            } else {
                "teacher"
            };
            // Two maps at least, and the ones that are named.
            for stage in [Some(1), self.first, self.second].into_iter().flatten() {
                if stage >= stages(shapes) {
                    return Err(LossError::StageOutOfRange {
                        method: "irg",
                        network,
                        stage,
                        maps: stages(shapes),
                    });
                }
            }
            let count = stages(shapes);
            let first = self.first.unwrap_or(count - 2);
            if first >= self.second.unwrap_or(count - 1) {
                return Err(LossError::Parameter {
                    method: "irg",
                    parameter: "first",
                    value: first.to_string(),
                    expected: "a stage before `second`",
                });
            }
        }
        self.init()
    }
}

impl DistillationLoss for IrgLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let [student, teacher] = [step.student, step.teacher].map(|features| {
            let count = features.maps.len();
            IrgFeatures {
                first: features.maps[self.first.unwrap_or(count - 2)].clone(),
                second: features.maps[self.second.unwrap_or(count - 1)].clone(),
                pooled: features.pooled.clone(),
                logits: features.logits.clone(),
            }
        });
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn edges_are_squared_distances_with_the_largest_at_one() {
        let device = Device::default();
        let rows = Tensor::from_floats([[0.0], [1.0], [3.0]], &device);
        let found = values(edges(rows.clone(), &Gate::all()));
        let expected = [0.0, 1.0, 9.0, 1.0, 0.0, 4.0, 9.0, 4.0, 0.0].map(|value| value / 9.0);
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
        // The largest among the chosen ones.
        let gate = Gate::new(Tensor::from_floats([1.0, 1.0, 0.0], &device));
        let found = values(edges(rows, &gate));
        assert_eq!(found, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_transformation_compares_what_both_maps_can_show() {
        let device = Device::default();
        // Two channels of two rows, against four channels of one row: pooled to (1, 3) and
        // averaged in pairs to (2, 5).
        let first = Tensor::<1>::from_floats([0.0, 2.0, 3.0, 3.0], &device).reshape([1, 2, 2, 1]);
        let second = Tensor::<1>::from_floats([1.0, 3.0, 4.0, 6.0], &device).reshape([1, 4, 1, 1]);
        let distance = |first: Tensor<4>, second: Tensor<4>| {
            let both = Tensor::cat(vec![first.clone(), first * 0.0], 0);
            let second = Tensor::cat(vec![second.clone(), second], 0);
            values(transforms(both, second, &Gate::all()))
        };
        // (1² + 2²) against (2² + 5²).
        let found = distance(first, second);
        assert!(
            (found[0] - 5.0 / 29.0).abs() < 1e-6 && found[1] == 1.0,
            "{found:?}"
        );
    }

    #[test]
    fn identical_features_give_zero_and_scales_do_not_matter_to_relations() {
        let device = Device::default();
        let fill = Distribution::Normal(0.0, 1.0);
        let features = || IrgFeatures {
            first: crate::testing::random([3, 2, 4, 4], fill, &device),
            second: crate::testing::random([3, 4, 2, 2], fill, &device),
            pooled: crate::testing::random([3, 4], fill, &device),
            logits: crate::testing::random([3, 5], fill, &device),
        };
        let loss = IrgLossConfig::new().init().expect("a loss");
        let (student, teacher) = (features(), features());
        let zero = loss.forward(teacher.clone(), teacher.clone());
        assert_eq!(zero.into_scalar::<f32>(), 0.0);
        let parts = |student: IrgFeatures| {
            let parts = loss.parts(student, teacher.clone(), &Gate::all());
            values(Tensor::cat(vec![parts.edge, parts.transform], 0))
        };
        let before = parts(student.clone());
        let scaled = IrgFeatures {
            first: student.first * 3.0,
            second: student.second * 3.0,
            pooled: student.pooled * 2.0,
            logits: student.logits,
        };
        let after = parts(scaled);
        assert!(before.iter().zip(after).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let shapes = |maps, classes| FeatureShapes {
            maps: vec![[1, 1, 1]; maps],
            pooled: 1,
            classes,
        };
        let message = |config: IrgLossConfig, student, teacher| {
            config
                .build(&Setup::new(student, teacher), &Device::default())
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(IrgLossConfig::new(), shapes(2, 3), shapes(1, 3)),
            "irg acts at stage 1, but the teacher has maps of stage 0 only"
        );
        assert_eq!(
            message(IrgLossConfig::new(), shapes(2, 3), shapes(2, 4)),
            "irg: the student has 3 classes, the teacher 4"
        );
        assert_eq!(
            message(
                IrgLossConfig::new().with_edge(f64::NAN),
                shapes(2, 3),
                shapes(2, 3)
            ),
            "irg: `edge` is NaN, expected a finite number, at least 0"
        );
        assert_eq!(
            message(
                IrgLossConfig::new().with_second(Some(1)),
                shapes(4, 3),
                shapes(4, 3)
            ),
            "irg: `first` is 2, expected a stage before `second`"
        );
    }

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn maps(batch: usize) -> IrgFeatures {
        IrgFeatures {
            first: random([batch, 2, 4, 4]),
            second: random([batch, 4, 2, 2]),
            pooled: random([batch, 4]),
            logits: random([batch, 5]),
        }
    }

    #[test]
    fn a_common_part_of_all_samples_does_not_matter() {
        let rows = random([5, 4]);
        let expected = values(edges(rows.clone(), &Gate::all()));
        let found = values(edges(rows + 100.0, &Gate::all()));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn equal_samples_have_no_distances_and_a_moderate_gradient() {
        // A third is not exact: the mean differs from the rows by rounding.
        let row = random([1, 40]) / 3.0 + 100.0;
        let rows = Tensor::from_inner(row.repeat_dim(0, 7)).require_grad();
        let found = edges(rows.clone(), &Gate::all());
        let grads = (found.clone() - 0.5).square().sum().backward();
        let largest = values(found).into_iter().fold(0.0, f32::max);
        assert!(largest < 1e-3, "{largest}");
        let gradient = values(rows.grad(&grads).expect("a gradient").abs().max());
        assert!(gradient[0] < 1e-2, "{gradient:?}");
    }

    #[test]
    fn samples_that_are_not_chosen_may_hold_anything_finite() {
        let (student, teacher) = (maps(3), maps(3));
        let huge = |features: &IrgFeatures| {
            let scale = Tensor::<1>::from_floats([1.0, 1.0, 1e30], &Device::default());
            IrgFeatures {
                first: features.first.clone() * scale.clone().reshape([3, 1, 1, 1]),
                second: features.second.clone() * scale.clone().reshape([3, 1, 1, 1]),
                pooled: features.pooled.clone() * scale.reshape([3, 1]),
                logits: features.logits.clone(),
            }
        };
        let gate = Gate::new(Tensor::from_floats([1.0, 1.0, 0.0], &Device::default()));
        let loss = IrgLossConfig::new().init().expect("a loss");
        let value = |student: &IrgFeatures, teacher: &IrgFeatures| {
            let value = loss.forward_gated(student.clone(), teacher.clone(), &gate);
            value.into_scalar::<f32>()
        };
        let (found, expected) = (
            value(&huge(&student), &huge(&teacher)),
            value(&student, &teacher),
        );
        assert!(
            (found - expected).abs() < 1e-5 * expected,
            "{found} {expected}"
        );
    }

    #[test]
    fn one_sample_has_no_relations() {
        let loss = IrgLossConfig::new().init().expect("a loss");
        let parts = loss.parts(maps(1), maps(1), &Gate::all());
        assert_eq!(values(parts.edge), [0.0]);
        assert_eq!(values(parts.transform), [0.0]);
        assert!(values(parts.vertex)[0] > 0.0);
    }

    #[test]
    fn several_largest_values_share_the_gradient() {
        let device = Device::default();
        let x = Tensor::<1>::from_floats([1.0, 4.0, 4.0], &device.clone().autodiff());
        let x = x.require_grad();
        let weights = Tensor::<1>::from_floats([1.0, 2.0, 0.0], &device);
        let scaled = largest_one(x.clone(), Tensor::zeros([1], &device));
        assert_eq!(values(scaled.clone()), [0.25, 1.0, 1.0]);
        let grads = (scaled * weights).sum().backward();
        // (x₀ + 2 x₁) / m: 1/4 and 2/4, and −9/16 shared between both.
        let gradient = values(x.grad(&grads).expect("a gradient"));
        assert_eq!(gradient, [0.25, 0.5 - 9.0 / 32.0, -9.0 / 32.0]);
    }

    #[test]
    fn a_first_map_that_is_the_smaller_is_not_enlarged() {
        let device = Device::default();
        // 2 against the mean 3 of (1, 5), and 2 against the mean 0.
        let first = Tensor::<1>::from_floats([2.0, 2.0], &device).reshape([2, 1, 1, 1]);
        let second = Tensor::<1>::from_floats([1.0, 5.0, 0.0, 0.0], &device);
        let found = transforms(first, second.reshape([2, 1, 1, 2]), &Gate::all());
        assert_eq!(values(found), [0.25, 1.0]);
    }
}
