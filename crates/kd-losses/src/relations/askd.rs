//! Similarities of regions and of classes together.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use kd_nn::conv2d_layer;
use serde::{Deserialize, Serialize};

use super::class_similarity::{ClassSimilarityLoss, ClassSimilarityLossConfig};
use super::regional_similarity::{
    RegionShrink, RegionalSimilarityLoss, RegionalSimilarityLossConfig,
};
use crate::gate::gate_at;
use crate::info::Register;
use crate::range::weight;
use crate::{
    DistillationLoss, Features, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair,
    ParameterInfo, Requirements, Setup, Site, Step,
};

/// At which maps the regions are compared; written `last`, `all` or as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AskdPosition {
    /// The last map.
    Last,
    /// The maps of all stages after the stem.
    #[default]
    All,
    /// The map of one stage; the stem is 0.
    #[serde(untagged)]
    Stage(usize),
}

/// Configuration of [`AskdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AskdLossConfig {
    /// Weight of the regions, from 0. Default 5.
    pub region_weight: f64,
    /// Weight of the classes, from 0. Default 1.
    pub class_weight: f64,
    /// Regions along each axis, from 1. Default 4.
    pub regions: usize,
    /// At which maps the regions are compared. Default [`AskdPosition::All`].
    pub position: AskdPosition,
    /// What a map with fewer pixels than regions does to the maps after it. Default
    /// [`RegionShrink::Map`].
    pub shrink: RegionShrink,
}

impl Config for AskdLossConfig {}

impl Default for AskdLossConfig {
    fn default() -> Self {
        Self {
            region_weight: 5.0,
            class_weight: 1.0,
            regions: 4,
            position: AskdPosition::default(),
            shrink: RegionShrink::default(),
        }
    }
}

impl AskdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the regions.
    pub fn with_region_weight(mut self, region_weight: f64) -> Self {
        self.region_weight = region_weight;
        self
    }

    /// Sets the weight of the classes.
    pub fn with_class_weight(mut self, class_weight: f64) -> Self {
        self.class_weight = class_weight;
        self
    }

    /// Sets the number of regions along each axis.
    pub fn with_regions(mut self, regions: usize) -> Self {
        self.regions = regions;
        self
    }

    /// Sets at which maps the regions are compared.
    pub fn with_position(mut self, position: AskdPosition) -> Self {
        self.position = position;
        self
    }

    /// Sets what a small map does to the maps after it.
    pub fn with_shrink(mut self, shrink: RegionShrink) -> Self {
        self.shrink = shrink;
        self
    }

    /// Initializes the loss for pairs of maps with these channels.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if a weight is negative or not finite, or if there are no
    /// regions.
    pub fn init(&self, channels: &[Pair<usize>], device: &Device) -> Result<AskdLoss, LossError> {
        weight("askd", "region_weight", self.region_weight)?;
        weight("askd", "class_weight", self.class_weight)?;
        let region = RegionalSimilarityLossConfig::new()
            .with_regions(self.regions)
            .with_shrink(self.shrink)
            .init()?;
        let connector = |channels: &Pair<usize>| {
            Conv2dConfig::new([channels.student, channels.teacher], [1, 1]).init(device)
        };
        Ok(AskdLoss {
            connectors: channels.iter().map(connector).collect(),
            region,
            class: ClassSimilarityLossConfig::new().init()?,
            region_weight: self.region_weight,
            class_weight: self.class_weight,
            position: self.position,
        })
    }
}

/// ASKD (<https://github.com/Crishawy/ASKD>): distances between regions and between classes.
///
/// ```text
/// L = region_weight · Σ_k region( connector_k(s_k), t_k ) + class_weight · class( logits )
/// ```
///
/// with [`RegionalSimilarityLoss`] over the pairs of maps and [`ClassSimilarityLoss`] over the
/// logits. A connector is a 1×1 convolution with a bias from the student's channels to the
/// teacher's; there is one for every pair, also if the channels agree, as in the reference.
///
/// The reference leaves these numbers to the command line. The defaults here are settings that it
/// was run with for the maps of all stages; for the last map alone, others are regions 2 and
/// weights 5 and 14. Beside it the cross-entropy counts 1 and the divergence of logits 0.
///
/// The gates: one for each pair of maps; the classes take the last pair's.
#[derive(Module, Debug)]
pub struct AskdLoss {
    /// From the student's channels to the teacher's, for each pair of maps.
    pub connectors: Vec<Conv2d>,
    /// The loss of a pair of maps.
    pub region: RegionalSimilarityLoss,
    /// The loss of the logits.
    pub class: ClassSimilarityLoss,
    /// Weight of the regions.
    pub region_weight: f64,
    /// Weight of the classes.
    pub class_weight: f64,
    /// At which maps the registry compares the regions.
    #[module(skip)]
    pub position: AskdPosition,
}

impl AskdLoss {
    /// The loss of pairs of maps and of the logits; the teacher's are constants.
    ///
    /// # Shapes
    ///
    /// - student maps: `[batch, channels, height, width]`, the channels as given to
    ///   [`AskdLossConfig::init`]
    /// - teacher maps: `[batch, channels, other height, other width]`
    /// - logits: `[batch, classes]` both
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, or if there are more or fewer maps than connectors.
    pub fn forward(
        &self,
        student: (&[Tensor<4>], Tensor<2>),
        teacher: (&[Tensor<4>], Tensor<2>),
    ) -> Tensor<1> {
        self.forward_gated(student, teacher, &[])
    }

    /// The loss of the chosen samples, a spot for each pair of maps; the logits have the last
    /// pair's gate. See [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if a gate is for another batch.
    pub fn forward_gated(
        &self,
        (student, student_logits): (&[Tensor<4>], Tensor<2>),
        (teacher, teacher_logits): (&[Tensor<4>], Tensor<2>),
        gates: &[Gate],
    ) -> Tensor<1> {
        let (student_maps, teacher_maps, known) =
            (student.len(), teacher.len(), self.connectors.len());
        assert!(
            student_maps == known && teacher_maps == known,
            "askd: the student has {student_maps} maps, the teacher {teacher_maps}, and there are {known} \
             connectors"
        );
        let last = gate_at(gates, known.saturating_sub(1));
        let classes = last.scaled(
            self.class
                .forward_gated(student_logits, teacher_logits, &last),
        );
        let connected: Vec<_> = student
            .iter()
            .zip(&self.connectors)
            .map(|(map, connector)| conv2d_layer(connector, map.clone()))
            .collect();
        let regions = self.region.forward_stages_gated(&connected, teacher, gates);
        let regions = regions.into_iter().enumerate();
        regions.fold(classes * self.class_weight, |sum, (spot, region)| {
            sum + gate_at(gates, spot).scaled(region) * self.region_weight
        })
    }

    /// The maps of the position among all, the stem's included.
    fn at<'a>(&self, features: &'a Features) -> &'a [Tensor<4>] {
        let maps = &features.maps;
        match self.position {
            AskdPosition::Last => &maps[maps.len() - 1..],
            AskdPosition::All => &maps[1..],
            AskdPosition::Stage(stage) => &maps[stage..=stage],
        }
    }
}

impl Register for AskdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "askd",
        title: "Distances between regions of a map and between classes of a sample",
        paper: "ASKD, https://github.com/Crishawy/ASKD",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "region_weight",
                description: "weight of the regions",
            },
            ParameterInfo {
                name: "class_weight",
                description: "weight of the classes",
            },
            ParameterInfo {
                name: "regions",
                description: "regions along each axis of a map",
            },
            ParameterInfo {
                name: "position",
                description: "maps whose regions are compared: `all`, `last` or a stage",
            },
            ParameterInfo {
                name: "shrink",
                description: "whether a map with too few pixels lowers the regions of itself \
                              (`map`) or of all later maps too (`permanent`)",
            },
        ],
        ..MethodInfo::BASE
    };
}

impl LossConfig for AskdLossConfig {
    type Loss = AskdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        let site = match self.position {
            AskdPosition::All => Site::EachStage,
            AskdPosition::Last => Site::Stage(None),
            AskdPosition::Stage(stage) => Site::Stage(Some(stage)),
        };
        Requirements::at(site)
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<AskdLoss, LossError> {
        setup.classes("askd", 2)?;
        let at = |stage| -> Result<_, LossError> {
            let shapes = setup.maps_at("askd", stage)?;
            Ok(vec![shapes.map(|[channels, ..]| channels)])
        };
        let channels = match self.position {
            AskdPosition::All => setup.stage_channels("askd")?,
            AskdPosition::Last => at(None)?,
            AskdPosition::Stage(stage) => at(Some(stage))?,
        };
        self.init(&channels, device)
    }
}

impl DistillationLoss for AskdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (step.student, step.teacher);
        self.forward_gated(
            (self.at(student), student.logits.clone()),
            (self.at(teacher), teacher.logits.clone()),
            &step.gates_of(self.connectors.len()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::gated;
    use crate::{FeatureShapes, Method};
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    fn shapes(maps: &[[usize; 3]]) -> FeatureShapes {
        FeatureShapes {
            maps: maps.to_vec(),
            pooled: 4,
            classes: 3,
        }
    }

    fn spots(
        position: AskdPosition,
        student: &[[usize; 3]],
        teacher: &[[usize; 3]],
    ) -> Result<usize, String> {
        let config = AskdLossConfig::new().with_position(position);
        config
            .build(
                &Setup::new(shapes(student), shapes(teacher)),
                &Device::default(),
            )
            .map(|_| config.requirements().spots(student.len() - 1))
            .map_err(|error| error.to_string())
    }

    const TWO: [[usize; 3]; 2] = [[2, 4, 4], [3, 2, 2]];
    const THREE: [[usize; 3]; 3] = [[4, 4, 4], [5, 4, 4], [6, 2, 2]];

    #[test]
    fn the_position_chooses_the_maps() {
        assert_eq!(spots(AskdPosition::All, &THREE, &THREE), Ok(2));
        assert_eq!(spots(AskdPosition::Last, &TWO, &THREE), Ok(1));
        assert_eq!(spots(AskdPosition::Stage(0), &TWO, &THREE), Ok(1));
        assert_eq!(
            spots(AskdPosition::All, &TWO, &THREE),
            Err(
                "askd compares stages in pairs, but the student has 1 after the stem and the \
                 teacher 2"
                    .to_owned()
            )
        );
        assert_eq!(
            spots(AskdPosition::Stage(2), &TWO, &THREE),
            Err("askd acts at stage 2, but the student has maps of stages 0 to 1 only".to_owned())
        );
    }

    #[test]
    fn the_position_is_a_word_or_a_number() {
        let read =
            |text| serde_json::from_str::<AskdLossConfig>(text).map(|config| config.position);
        assert_eq!(
            read(r#"{"position": "last"}"#).ok(),
            Some(AskdPosition::Last)
        );
        assert_eq!(
            read(r#"{"position": 2}"#).ok(),
            Some(AskdPosition::Stage(2))
        );
        assert!(read(r#"{"position": "first"}"#).is_err());
        let method: Method =
            serde_saphyr::from_str("{ name: askd, position: 3 }").expect("a method");
        let expected = AskdLossConfig::new().with_position(AskdPosition::Stage(3));
        assert_eq!(method, Method::Askd(expected.clone()));
        let written = serde_json::to_string(&expected).expect("JSON");
        assert!(written.contains(r#""position":3"#), "{written}");
        assert!(serde_saphyr::from_str::<Method>("{ name: askd, position: all }").is_ok());
    }

    #[test]
    fn parameters_out_of_range_are_errors() {
        let message = |config: AskdLossConfig| {
            let error = config.init(&[Pair::both(2)], &Device::default());
            error.expect_err("a mistake").to_string()
        };
        assert_eq!(
            message(AskdLossConfig::new().with_region_weight(-1.0)),
            "askd: `region_weight` is -1, expected a finite number, at least 0"
        );
        assert_eq!(
            message(AskdLossConfig::new().with_class_weight(f64::NAN)),
            "askd: `class_weight` is NaN, expected a finite number, at least 0"
        );
        assert_eq!(
            message(AskdLossConfig::new().with_regions(0)),
            "askd: `regions` is 0, expected 1 or more"
        );
    }

    #[test]
    fn the_parts_add_up_with_their_weights() {
        let device = Device::default();
        let fill = Distribution::Normal(0.0, 1.0);
        let (student, teacher): ([Tensor<4>; 2], [Tensor<4>; 2]) = (
            [8, 4].map(|size| crate::testing::random([2, 3, size, size], fill, &device)),
            [8, 4].map(|size| crate::testing::random([2, 5, size, size], fill, &device)),
        );
        let own = crate::testing::random::<2>([2, 3], fill, &device);
        let others = crate::testing::random::<2>([2, 3], fill, &device);
        let loss = AskdLossConfig::new()
            .with_region_weight(2.0)
            .with_class_weight(3.0)
            .init(
                &[Pair {
                    student: 3,
                    teacher: 5,
                }; 2],
                &device,
            )
            .expect("a loss");
        let found = loss.forward((&student, own.clone()), (&teacher, others.clone()));
        let connected = |place: usize| loss.connectors[place].forward(student[place].clone());
        let expected = loss.class.forward(own, others) * 3.0
            + loss.region.forward(connected(0), teacher[0].clone()) * 2.0
            + loss.region.forward(connected(1), teacher[1].clone()) * 2.0;
        let (found, expected) = (found.into_scalar::<f32>(), expected.into_scalar::<f32>());
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    #[should_panic(expected = "the student has 1 maps, the teacher 0, and there are 1 connectors")]
    fn missing_maps_are_refused() {
        let device = Device::default();
        let loss = AskdLossConfig::new()
            .init(&[Pair::both(1)], &device)
            .expect("a loss");
        let map: Tensor<4> = Tensor::zeros([1, 1, 2, 2], &device);
        let logits: Tensor<2> = Tensor::zeros([1, 2], &device);
        loss.forward((&[map], logits.clone()), (&[], logits));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>())) {
            let device = Device::default().autodiff();
            let channels = Pair {
                student: 1,
                teacher: 3,
            };
            let loss = AskdLossConfig::new().init(&[channels], &device).expect("a loss");
            let weight = loss.connectors[0].weight.val();
            gated::check(chosen, |student, teacher, _, gate| {
                let batch = student.dims()[0];
                let own = student.clone().reshape([batch, 1, 2, 2]);
                let others = teacher.clone().reshape([batch, 1, 2, 2]).repeat_dim(1, 3);
                let others = others.clone() * others;
                loss.forward_gated((&[own], student), (&[others], teacher), std::slice::from_ref(gate))
            })?;
            // And the connector's gradient.
            gated::check_leaf(chosen, weight, |student, teacher, gate| {
                let batch = student.dims()[0];
                let own = student.clone().reshape([batch, 1, 2, 2]);
                let others = teacher.clone().reshape([batch, 1, 2, 2]).repeat_dim(1, 3);
                loss.forward_gated((&[own], student), (&[others], teacher), std::slice::from_ref(gate))
            })?;
        }
    }
}
