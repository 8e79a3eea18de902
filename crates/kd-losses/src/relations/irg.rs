//! Instance relationship graph.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gate::{sample_means, sample_sums};
use crate::method::{Register, Term};
use crate::pool::pool_to;
use crate::{
    DefaultWeights, FeatureShapes, Gate, LossError, MethodInfo, ParameterInfo, Setup, Step,
};

/// Where squared distances are clamped.
const SMALLEST_SQUARE: f64 = 1e-12;

/// Configuration of [`IrgLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IrgConfig {
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

impl Config for IrgConfig {}

impl Default for IrgConfig {
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

impl IrgConfig {
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

    /// Initialises the loss.
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
            if !(value >= 0.0 && value.is_finite()) {
                return Err(LossError::Parameter {
                    method: "irg",
                    parameter,
                    value: value.to_string(),
                    expected: "a finite number, at least 0",
                });
            }
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
/// `d`, the earlier map is average-pooled to the size of the later one, and neighbouring channels
/// of the one with more channels are averaged, so that both have the fewer. This is the form of
/// Knowledge-Distillation-Zoo, for channels whose number doubles.
///
/// A single sample has no edges; only its vertex and transformation count.
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
        let (own, others) = (student.logits.dims(), teacher.logits.dims());
        assert_eq!(
            own, others,
            "irg: student logits are {own:?}, teacher's are {others:?}"
        );
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
        let [own, others] = transforms;
        IrgParts {
            vertex: gate.mean(sample_means((student.logits - teacher.logits).square())),
            edge: Tensor::cat(edge.collect(), 0).mean(),
            transform: gate.mean((own - others).square()),
        }
    }
}

/// Values of at least 0, divided by the largest; all 0 if they are.
fn largest_one<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    let largest = values.clone().max();
    let zero = largest.clone().lower_equal_elem(0.0);
    values / largest.mask_fill(zero, 1.0).reshape([1; D])
}

/// Squared distances between the chosen rows, `[batch, batch]`.
fn edges(rows: Tensor<2>, gate: &Gate) -> Tensor<2> {
    let batch = rows.dims()[0];
    let squares = rows.clone().square().sum_dim(1);
    let products = rows.clone().matmul(rows.transpose());
    let distances = squares.clone() + squares.transpose() - products * 2.0;
    let counted = Tensor::<2>::eye(batch, &distances.device())
        .cast(distances.dtype())
        .neg()
        .add_scalar(1.0);
    let counted = match gate.pairs() {
        None => counted,
        Some(pairs) => counted * pairs,
    };
    largest_one(distances.clamp_min(SMALLEST_SQUARE) * counted)
}

/// Squared distances of each chosen sample's earlier map to its later one, `[batch]`.
fn transforms(first: Tensor<4>, second: Tensor<4>, gate: &Gate) -> Tensor<1> {
    let ([_, earlier, ..], [_, later, height, width]) = (first.dims(), second.dims());
    let channels = earlier.min(later);
    let fewer = |map: Tensor<4>| -> Tensor<4> {
        let [batch, own, height, width] = map.dims();
        if own == channels {
            return map;
        }
        let rows = map.reshape([batch, 1, own, height * width]);
        adaptive_avg_pool2d(rows, [channels, height * width])
            .reshape([batch, channels, height, width])
    };
    let first = fewer(pool_to(first, [height, width]));
    let distances = sample_sums((first - fewer(second)).square()).clamp_min(SMALLEST_SQUARE);
    largest_one(gate.keep(distances))
}

impl Register for IrgConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "irg",
        aliases: &[],
        title: "Instance relationship graph: samples, distances, and how layers change them",
        paper: "Liu et al. 2019, Knowledge Distillation via Instance Relationship Graph, \
                https://openaccess.thecvf.com/content_CVPR_2019/html/\
                Liu_Knowledge_Distillation_via_Instance_Relationship_Graph_CVPR_2019_paper.html",
        acts_on: "logits, pooled features, two stages",
        weights: DefaultWeights::method(10.0),
        parameters: &[
            ParameterInfo {
                name: "vertex",
                default: "0.1",
                description: "weight of the vertices (logits)",
            },
            ParameterInfo {
                name: "edge",
                default: "5.0",
                description: "weight of the edges (distances between samples)",
            },
            ParameterInfo {
                name: "transform",
                default: "5.0",
                description: "weight of the transformations (distances between stages)",
            },
            ParameterInfo {
                name: "first",
                default: "null",
                description: "earlier stage; the stem is 0, null is the last but one",
            },
            ParameterInfo {
                name: "second",
                default: "null",
                description: "later stage; the stem is 0, null is the last",
            },
        ],
        ..MethodInfo::BASE
    };
    type Loss = IrgLoss;

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
        }
        self.init()
    }
}

impl Term for IrgLoss {
    fn term(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        let [student, teacher] = [step.student, step.teacher].map(|features| {
            let count = features.maps.len();
            IrgFeatures {
                first: features.maps[self.first.unwrap_or(count - 2)].clone(),
                second: features.maps[self.second.unwrap_or(count - 1)].clone(),
                pooled: features.pooled.clone(),
                logits: features.logits.clone(),
            }
        });
        Some(self.forward_gated(student, teacher, &step.gate(0)))
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
            first: Tensor::random([3, 2, 4, 4], fill, &device),
            second: Tensor::random([3, 4, 2, 2], fill, &device),
            pooled: Tensor::random([3, 4], fill, &device),
            logits: Tensor::random([3, 5], fill, &device),
        };
        let loss = IrgConfig::new().init().expect("a loss");
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
        let message = |config: IrgConfig, student, teacher| {
            config
                .build(&Setup::new(student, teacher), &Device::default())
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(IrgConfig::new(), shapes(2, 3), shapes(1, 3)),
            "irg acts at stage 1, but the teacher has maps of stage 0 only"
        );
        assert_eq!(
            message(IrgConfig::new(), shapes(2, 3), shapes(2, 4)),
            "irg: the student has 3 classes, the teacher 4"
        );
        assert_eq!(
            message(
                IrgConfig::new().with_edge(f64::NAN),
                shapes(2, 3),
                shapes(2, 3)
            ),
            "irg: `edge` is NaN, expected a finite number, at least 0"
        );
    }
}
