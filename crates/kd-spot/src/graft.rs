//! The grafted network.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::{Feature, FeatureShapes, Network};
use kd_nn::mix as mixed;

use crate::constant::constant;
use crate::{Adapter, CutShape, Cuts, SpotError};

/// Configuration of a [`Graft`]: the shapes of the features at each cut.
#[derive(Config, Debug)]
pub struct GraftConfig {
    /// The student's.
    pub student: Vec<CutShape>,
    /// The teacher's.
    pub teacher: Vec<CutShape>,
}

/// What joins the segments of two networks: at each cut a hint, from the student's feature to the
/// teacher's, and an anti-hint, the other way.
#[derive(Module, Debug)]
pub struct Graft {
    /// From the student to the teacher.
    pub hints: Vec<Adapter>,
    /// From the teacher to the student.
    pub anti_hints: Vec<Adapter>,
}

impl GraftConfig {
    /// For two networks at their cuts.
    ///
    /// # Errors
    ///
    /// [`SpotError::Cuts`] if a cut is after a stage that a network has not; the last that can be
    /// cut after is the pooling.
    pub fn at(
        cuts: &Cuts,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
    ) -> Result<Self, SpotError> {
        let shape = |shapes: &FeatureShapes, stage: usize| match shapes.maps.get(stage) {
            Some(map) => Some(CutShape::Map(*map)),
            None if stage == shapes.maps.len() => Some(CutShape::Vector(shapes.pooled)),
            None => None,
        };
        let stages = || (0..cuts.count()).map(|cut| cuts.stages(cut));
        let own: Option<Vec<_>> = stages().map(|(own, _)| shape(student, own)).collect();
        let other: Option<Vec<_>> = stages().map(|(_, other)| shape(teacher, other)).collect();
        match (own, other) {
            (Some(student), Some(teacher)) => Ok(Self { student, teacher }),
            _ => Err(cuts.error("a network has no such stage before its classifier")),
        }
    }

    /// Initializes the adapters as PyTorch does by default.
    ///
    /// # Errors
    ///
    /// [`SpotError::Adapter`] if no convolution leads from one map to the other,
    /// [`SpotError::Shapes`] if one network is cut before its pooling and the other after.
    pub fn init(&self, device: &Device) -> Result<Graft, SpotError> {
        let adapters = |from: &[CutShape], to: &[CutShape]| {
            let pairs = from.iter().zip(to);
            let adapters = pairs.map(|(from, to)| Adapter::new(*from, *to, device));
            adapters.collect::<Result<Vec<_>, SpotError>>()
        };
        Ok(Graft {
            hints: adapters(&self.student, &self.teacher)?,
            anti_hints: adapters(&self.teacher, &self.student)?,
        })
    }
}

impl Graft {
    /// Logits of the grafted network, in which each segment is fed by both networks: with the
    /// teacher's share `a` of a sample after a segment, the teacher's next one gets
    /// `(1 − a) · hint(s) + a · t` and the student's `(1 − a) · s + a · anti_hint(t)`, and the logits
    /// are `(1 − a) · s + a · t`.
    ///
    /// Both networks are in evaluation form (`valid()`): their parameters are constants, through
    /// which gradients flow to adapters and shares. (A teacher whose parameters are in a graph is
    /// trained.) The adapters are trained on the whole batch, whatever is chosen.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, 3, height, width]`
    /// - first: the teacher's feature at the first cut, which need not be computed again; `None` for
    ///   a teacher that is trained, so that this segment is, too
    /// - shares: `[batch, spots]`, 1 for the teacher and 0 for the student
    /// - output: `[batch, classes]`
    ///
    /// # Panics
    ///
    /// If shapes, cuts and networks do not belong together.
    pub fn forward<S: Network, T: Network>(
        &self,
        cuts: &Cuts,
        (student, teacher): (&S, &T),
        images: Tensor<4>,
        first: Option<Feature>,
        shares: Tensor<2>,
    ) -> Tensor<2> {
        let spots = shares.dims()[1];
        assert_eq!(spots, cuts.spots(), "there is a share for each spot");
        let heads = [student.head(), teacher.head()];
        let tracked = shares.is_autodiff();
        let images = Feature::from(images.inner());
        let own = student.run(cuts.student(0, heads[0]), images.clone());
        let mut own = constant_feature(own, tracked);
        let mut other = match first {
            Some(first) => constant_feature(first, tracked),
            None => {
                let images = constant_feature(images, tracked);
                teacher.run(cuts.teacher(0, heads[1]), images)
            }
        };
        for segment in 1..spots {
            let share = shares.clone().narrow(1, segment - 1, 1);
            let hint = self.hints[segment - 1].forward(own.clone());
            let anti_hint = self.anti_hints[segment - 1].forward(other.clone());
            let students = mix(own, anti_hint, &share);
            let teachers = mix(hint, other, &share);
            own = student.run(cuts.student(segment, heads[0]), students);
            other = teacher.run(cuts.teacher(segment, heads[1]), teachers);
        }
        mix(own, other, &shares.narrow(1, spots - 1, 1)).vector()
    }
}

/// `(1 − share) · own + share · other`, for shares `[batch, 1]`.
fn mix(own: Feature, other: Feature, share: &Tensor<2>) -> Feature {
    let share = share.clone().squeeze_dim(1);
    match own {
        Feature::Map(own) => mixed(own, other.map(), share).into(),
        Feature::Vector(own) => mixed(own, other.vector(), share).into(),
    }
}

fn constant_feature(feature: Feature, tracked: bool) -> Feature {
    match feature {
        Feature::Map(map) => constant(map, tracked).into(),
        Feature::Vector(vector) => constant(vector, tracked).into(),
    }
}
