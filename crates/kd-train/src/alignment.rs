//! Methods that need as many stages in both networks.

use kd_losses::{FeatureShapes, Features, LossError, Method, MethodLoss, NormAffine, Setup};
use kd_spot::Cuts;

use burn::tensor::Device;

use crate::TrainError;

/// Which stages of two networks correspond, where their numbers differ.
pub(crate) struct Alignment(Cuts);

/// A method for two networks. If it needs as many stages in both and they have not, it gets those of
/// the longer network whose maps are nearest in size ([`Cuts::align`]).
pub(crate) fn init_method(
    method: &Method,
    setup: Setup,
    device: &Device,
) -> Result<(MethodLoss, Option<Alignment>), TrainError> {
    match method.init(&setup, device) {
        Err(LossError::StageCounts {
            student, teacher, ..
        }) => {
            let cuts = Cuts::align(&setup.student.maps, &setup.teacher.maps)?;
            tracing::info!(
                "the student has {student} stages, the teacher {teacher}: compared are {cuts}"
            );
            let alignment = Alignment(cuts);
            let loss = method.init(&alignment.setup(setup), device)?;
            Ok((loss, Some(alignment)))
        }
        loss => Ok((loss?, None)),
    }
}

impl Alignment {
    fn setup(&self, setup: Setup) -> Setup {
        let Self(cuts) = self;
        let shapes = |shapes: FeatureShapes, maps| FeatureShapes { maps, ..shapes };
        let own = cuts.of_student(&setup.student.maps);
        let others = cuts.of_teacher(&setup.teacher.maps);
        let norms: Option<Vec<NormAffine>> = setup.norms.as_deref().map(|n| cuts.of_teacher(n));
        Setup {
            student: shapes(setup.student.clone(), own),
            teacher: shapes(setup.teacher.clone(), others),
            norms,
            ..setup
        }
    }

    /// The student's features at the stages that correspond.
    pub(crate) fn student(&self, features: &Features) -> Features {
        let Self(cuts) = self;
        Features {
            maps: cuts.of_student(&features.maps),
            preact: cuts.of_student(&features.preact),
            ..features.clone()
        }
    }

    /// The teacher's.
    pub(crate) fn teacher(&self, features: &Features) -> Features {
        let Self(cuts) = self;
        Features {
            maps: cuts.of_teacher(&features.maps),
            preact: cuts.of_teacher(&features.preact),
            ..features.clone()
        }
    }
}
