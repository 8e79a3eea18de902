//! Distances between the regions of a map.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use serde::{Deserialize, Serialize};

use super::distances::mismatch;
use crate::gate::gate_at;
use crate::pool::{pool_to, smaller};
use crate::range::at_least_one;
use crate::{Gate, LossError};

/// What a map with fewer pixels than regions does to the maps after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RegionShrink {
    /// Nothing: each pair of maps has its own number of regions.
    #[default]
    Map,
    /// All later pairs of the same list have as few regions, as in the reference. There the
    /// number stays lowered for later batches too, so that the first batch alone differs from
    /// the rest; here each list starts afresh.
    Permanent,
}

/// Configuration of [`RegionalSimilarityLoss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RegionalSimilarityLossConfig {
    /// Regions along each axis, from 1; with 1 there is nothing to compare and the loss is 0.
    /// Default 4.
    pub regions: usize,
    /// What a small map does to the maps after it. Default [`RegionShrink::Map`].
    pub shrink: RegionShrink,
}

impl Config for RegionalSimilarityLossConfig {}

impl Default for RegionalSimilarityLossConfig {
    fn default() -> Self {
        Self {
            regions: 4,
            shrink: RegionShrink::default(),
        }
    }
}

impl RegionalSimilarityLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of regions along each axis.
    pub fn with_regions(mut self, regions: usize) -> Self {
        self.regions = regions;
        self
    }

    /// Sets what a small map does to the maps after it.
    pub fn with_shrink(mut self, shrink: RegionShrink) -> Self {
        self.shrink = shrink;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if there are no regions.
    pub fn init(&self) -> Result<RegionalSimilarityLoss, LossError> {
        at_least_one("askd", "regions", self.regions)?;
        Ok(RegionalSimilarityLoss {
            regions: self.regions,
            shrink: self.shrink,
        })
    }
}

/// The region term of ASKD (<https://github.com/Crishawy/ASKD>): the regions of each channel of
/// the student's map are to be as far from each other as the teacher's.
///
/// ```text
/// x_nc  = averages of channel c over the regions
/// d_ncij = | x_nci − x_ncj |, clamped at 1e-6 for i ≠ j
/// D     = d / mean of d over all samples, channels and pairs i ≠ j
/// L     = mean over n, c, i, j of smooth_l1( D(s) − D(t) )
/// ```
///
/// for maps `s` of the student and `t` of the teacher, which have the same channels and may differ
/// in size. The smooth L1 loss is half the square up to 1 and `|·| − 1/2` beyond.
///
/// An axis of length `h` is cut into regions of `h / r` pixels, rounded down, for `r` regions. As
/// in the reference, there are more than `r` of them if `r` does not divide `h` (8 pixels in 3
/// regions are 4 of 2 pixels), and what is left at the end is in none. `r` is lowered to the
/// smallest side of both maps: see [`RegionShrink`] for what that means for later maps. If the
/// maps come out with different numbers of regions, where the reference fails, the larger map is
/// average-pooled to the size of the smaller one first.
///
/// The reference computes `|a − b|` as the root of the expanded square, clamped at 1e-12, which
/// loses digits for near regions; its derivative is 0 below the clamp, as here. With one region
/// the reference is NaN; here it is 0.
#[derive(Module, Debug)]
pub struct RegionalSimilarityLoss {
    /// Regions along each axis.
    pub regions: usize,
    /// What a small map does to the maps after it.
    #[module(skip)]
    pub shrink: RegionShrink,
}

impl RegionalSimilarityLoss {
    /// The loss of one pair of maps; the teacher's is a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, channels, other height, other width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches or the channels differ.
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let regions = self.regions_of(&student, &teacher, self.regions);
        compare(student, teacher, regions, gate)
    }

    /// The losses of several pairs of maps, in their order: a small map may shrink the regions of
    /// later ones ([`RegionShrink::Permanent`]). Their sum is the reference's loss.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the lists differ in length.
    pub fn forward_stages(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Vec<Tensor<1>> {
        self.forward_stages_gated(student, teacher, &[])
    }

    /// The losses of the chosen samples, each pair a spot: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward_stages`](Self::forward_stages), or if a gate is for another batch.
    pub fn forward_stages_gated(
        &self,
        student: &[Tensor<4>],
        teacher: &[Tensor<4>],
        gates: &[Gate],
    ) -> Vec<Tensor<1>> {
        let (student_maps, teacher_maps) = (student.len(), teacher.len());
        assert_eq!(
            student_maps, teacher_maps,
            "askd: the student has {student_maps} maps, the teacher {teacher_maps}"
        );
        let mut left = self.regions;
        let pairs = student.iter().zip(teacher).enumerate();
        let losses = pairs.map(|(place, (student, teacher))| {
            let regions = self.regions_of(student, teacher, left);
            if self.shrink == RegionShrink::Permanent {
                left = regions;
            }
            compare(
                student.clone(),
                teacher.clone(),
                regions,
                &gate_at(gates, place),
            )
        });
        losses.collect()
    }

    fn regions_of(&self, student: &Tensor<4>, teacher: &Tensor<4>, most: usize) -> usize {
        let [height, width] = smaller(student, teacher);
        most.min(height).min(width)
    }
}

/// The loss of one pair of maps with this number of regions along each axis.
fn compare(student: Tensor<4>, teacher: Tensor<4>, regions: usize, gate: &Gate) -> Tensor<1> {
    let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
    assert_eq!(
        student_shape[..2],
        teacher_shape[..2],
        "askd: the student's map is {student_shape:?}, the teacher's is {teacher_shape:?}"
    );
    let (mut student, mut teacher) = (student, teacher.inner());
    if grid(&student, regions) != grid(&teacher, regions) {
        let size = smaller(&student, &teacher);
        (student, teacher) = (pool_to(student, size), pool_to(teacher, size));
    }
    mismatch(
        averages(student, regions).flatten(2, 3),
        averages(teacher, regions).flatten(2, 3),
        gate,
    )
}

/// How many regions there are along each axis.
fn grid(map: &Tensor<4>, regions: usize) -> [usize; 2] {
    let [_, _, height, width] = map.dims();
    [height, width].map(|length| length / (length / regions))
}

/// The averages of a map over its regions.
fn averages(map: Tensor<4>, regions: usize) -> Tensor<4> {
    let [_, _, height, width] = map.dims();
    let kernel = [height / regions, width / regions];
    avg_pool2d(map, AvgPoolOptions::new(kernel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::gated;
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    fn loss(regions: usize) -> RegionalSimilarityLoss {
        RegionalSimilarityLossConfig::new()
            .with_regions(regions)
            .init()
            .expect("a loss")
    }

    fn map(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        let student =
            Tensor::<4>::from_floats([[[[0.0, 0.0, 1.0, 3.0], [4.0, 4.0, 5.0, 7.0]]]], &device);
        let teacher = Tensor::<4>::from_floats([[[[0.0, 2.0], [4.0, 6.0]]]], &device);
        // Regions with the averages (0, 2, 4, 6) on both sides.
        assert!(value(loss(2).forward(student.clone(), teacher)) < 1e-10);
        let teacher = Tensor::<4>::from_floats([[[[0.0, 2.0], [4.0, 4.0]]]], &device);
        let own = [2.0, 4.0, 6.0, 2.0, 4.0, 2.0].map(|d: f32| d / (10.0 / 3.0));
        let others = [2.0, 4.0, 4.0, 2.0, 2.0, 0.0].map(|d: f32| d / (7.0 / 3.0));
        let squares: f32 = own.iter().zip(others).map(|(a, b)| (a - b).powi(2)).sum();
        let found = value(loss(2).forward(student, teacher));
        assert!((found - 2.0 * 0.5 * squares / 16.0).abs() < 1e-5, "{found}");
    }

    #[test]
    fn one_region_and_maps_of_one_pixel_give_zero() {
        let zero = value(loss(1).forward(map([2, 3, 4, 4]), map([2, 3, 4, 4])));
        assert_eq!(zero, 0.0);
        let zero = value(loss(4).forward(map([2, 3, 1, 1]), map([2, 3, 4, 4])));
        assert_eq!(zero, 0.0);
    }

    #[test]
    fn regions_of_two_sizes_meet_at_the_smaller_map() {
        // 7 pixels make 7 regions, 8 make 4.
        let (student, teacher) = (map([2, 3, 8, 8]), map([2, 3, 7, 7]));
        let found = value(loss(4).forward(student.clone(), teacher.clone()));
        let expected = value(loss(4).forward(pool_to(student, [7, 7]), teacher));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_small_map_shrinks_later_ones_only_if_asked_to() {
        let sizes = [8, 2, 8];
        let student = sizes.map(|size| map([2, 3, size, size]));
        let teacher = sizes.map(|size| map([2, 3, size, size]));
        let of = |shrink| {
            let config = RegionalSimilarityLossConfig::new().with_shrink(shrink);
            let loss = config.init().expect("a loss");
            let losses = loss.forward_stages(&student, &teacher);
            losses.into_iter().map(value).collect::<Vec<_>>()
        };
        let alone = |regions: usize, place: usize| {
            value(loss(regions).forward(student[place].clone(), teacher[place].clone()))
        };
        let first = [alone(4, 0), alone(2, 1)];
        assert_eq!(of(RegionShrink::Map), [first[0], first[1], alone(4, 2)]);
        assert_eq!(
            of(RegionShrink::Permanent),
            [first[0], first[1], alone(2, 2)]
        );
    }

    #[test]
    fn no_regions_are_an_error() {
        let error = RegionalSimilarityLossConfig::new().with_regions(0).init();
        assert_eq!(
            error.expect_err("no regions").to_string(),
            "askd: `regions` is 0, expected 1 or more"
        );
    }

    #[test]
    #[should_panic(
        expected = "askd: the student's map is [2, 3, 4, 4], the teacher's is [2, 5, 4, 4]"
    )]
    fn other_channels_are_refused() {
        loss(2).forward(map([2, 3, 4, 4]), map([2, 5, 4, 4]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>())) {
            gated::check(chosen, |student, teacher, _, gate| {
                let maps = |rows: Tensor<2>| {
                    let batch = rows.dims()[0];
                    rows.reshape([batch, 1, 2, 2])
                };
                loss(2).forward_gated(maps(student), maps(teacher), gate)
            })?;
        }

        #[test]
        fn neither_shift_nor_scale_nor_the_order_of_samples_matters(
            shift in -3f32..3.0,
            scale in 0.1f32..9.0,
        ) {
            let (student, teacher) = (map([4, 2, 4, 4]), map([4, 2, 4, 4]));
            let found = value(loss(2).forward(student.clone(), teacher.clone()));
            let changed = (student * scale + shift).flip([0]);
            let changed = value(loss(2).forward(changed, teacher.flip([0])));
            prop_assert!((found - changed).abs() < 1e-4, "{} {}", found, changed);
        }
    }
}
