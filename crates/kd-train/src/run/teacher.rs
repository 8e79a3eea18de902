//! Whether a teacher fits the images that it is to teach on.

use std::path::Path;

use burn::tensor::Tensor;
use kd_core::Network;
use kd_data::{ImageSet, Normalization};
use kd_losses::DistillationLoss;
use kd_models::weights::{WeightsFile, WeightsInfo};

use super::checkpoint::State;
use super::{Runner, Session, TeacherStart};
use crate::non_finite::{NonFinite, Origin};
use crate::task::{evaluate_by, first_not_finite};
use crate::{DataSource, DistillTask, TrainError};

impl<S: Network, T: Network> Runner<'_, S, T> {
    /// The teacher's accuracy, measured once a run; warns of one that tells hardly more than chance.
    pub(super) fn teacher<L: DistillationLoss>(
        &self,
        task: &DistillTask<S, T, L>,
        session: Session<'_>,
    ) -> Result<Option<TeacherStart>, TrainError> {
        let Some(teacher) = &task.model.teacher.0 else {
            return Ok(None);
        };
        let name = teacher.name().to_owned();
        let mut inputs = session.inputs;
        let top1 = match inputs.teacher_top1 {
            Some(top1) => top1,
            None => {
                let logits = |images: Tensor<4>| teacher.summary(images).logits;
                let metrics = evaluate_by(logits, &self.test, &self.plain);
                let metrics = metrics.map_err(|error| {
                    error.non_finite(|found| {
                        found.origin = Origin::Teacher;
                        found.network.clone_from(&name);
                        found.tensor = teacher.members().find_map(first_not_finite);
                    })
                })?;
                inputs.teacher_top1 = Some(metrics.top1);
                session.folder.write_inputs(&inputs)?;
                metrics.top1
            }
        };
        let images = self.test.set().len();
        if let Some(warning) = near_chance(top1, self.test.set()) {
            tracing::warn!("the teacher {name} {warning}");
        }
        Ok(Some(TeacherStart { name, top1, images }))
    }

    /// What else is to be known of the run before its first step.
    pub(super) fn notes(&self, session: &Session<'_>, state: &State) -> Vec<String> {
        let completed = state.history.len();
        let note = session.extension.map(|extension| {
            let next = self
                .phases
                .last()
                .map(|phase| phase.schedule.factor(completed, 0));
            let next = next.map(|factor| factor * self.recipe.optimizer.rate());
            let last = state.history.last().map(|epoch| epoch.lr);
            let rates = last.zip(next).map(|(last, next)| [last, next]);
            extension.describe(completed, rates)
        });
        note.into_iter().collect()
    }

    /// Says whose outputs are not finite.
    pub(super) fn blamed<L: DistillationLoss>(
        &self,
        error: TrainError,
        task: &DistillTask<S, T, L>,
    ) -> TrainError {
        error.non_finite(|found: &mut NonFinite| match found.origin {
            Origin::Teacher => {
                found.network = self.names.teacher.clone().unwrap_or_default();
                let teacher = task.model.teacher.0.as_ref();
                found.tensor = teacher.and_then(|t| t.members().find_map(first_not_finite));
            }
            Origin::Network if found.network.is_empty() => {
                found.network.clone_from(&self.names.student);
                found.tensor = first_not_finite(&task.model.student);
            }
            _ => {}
        })
    }
}

/// What a teacher's accuracy in percent says if it is near that of guessing: below twice that, or for
/// few classes hardly above.
fn near_chance(top1: f64, images: &ImageSet) -> Option<String> {
    let classes = images.classes();
    let chance = 100.0 / classes as f64;
    let factor = if classes > 3 { 2.0 } else { 1.2 };
    (classes > 1 && top1 < factor * chance).then(|| {
        format!(
            "gets {top1:.2} % of the test images right, where chance is {chance:.2} %: check its weights, and that classes and normalization are those it was trained with"
        )
    })
}

/// Warns of what a weights file says of the images that its network was trained on if these are others:
/// the data set, their size, the number of classes, and how they were normalized.
///
/// # Errors
///
/// If the file cannot be read.
pub fn warn_of_other_data(
    path: &Path,
    images: &ImageSet,
    data: DataSource,
) -> Result<(), TrainError> {
    let file = WeightsFile::open(path)?;
    let stated = file.info().into_iter();
    for warning in stated.flat_map(|info| contradictions(info, images, data)) {
        tracing::warn!("{}: {warning}", path.display());
    }
    Ok(())
}

/// What a file says and the images contradict.
fn contradictions(info: &WeightsInfo, images: &ImageSet, data: DataSource) -> Vec<String> {
    let mut found = Vec::new();
    let name = data.name();
    if let Some(stated) = info.data.as_ref().filter(|stated| *stated != name) {
        found.push(format!(
            "trained on the data set {stated}, but this one is {name}"
        ));
    }
    let [channels, height, width] = [images.channels(), images.height(), images.width()];
    if info.input != [channels, height, width] {
        let [_, stated_height, stated_width] = info.input;
        found.push(format!(
            "trained on images of {stated_height}x{stated_width} pixels, but these have {height}x{width}"
        ));
    }
    let classes = images.classes();
    if info.classes != classes {
        let stated = info.classes;
        found.push(format!(
            "trained for {stated} classes, but these images have {classes}"
        ));
    }
    let now = images.normalization();
    if let (Some(mean), Some(std)) = (info.mean, info.std)
        && (Normalization { mean, std }) != now
    {
        let Normalization {
            mean: mean_now,
            std: std_now,
        } = now;
        found.push(format!(
            "trained on images normalized by mean {mean:?} and std {std:?}, but these are by mean \
             {mean_now:?} and std {std_now:?}: see data.normalization"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use kd_models::weights::Form;

    use super::*;

    fn images(classes: usize) -> ImageSet {
        let pixels = vec![0; 2 * 3 * 32 * 32];
        let set = ImageSet::new(
            pixels,
            vec![0, 1],
            [32, 32],
            classes,
            Normalization::CIFAR10,
        );
        set.expect("valid")
    }

    fn info() -> WeightsInfo {
        let Normalization { mean, std } = Normalization::CIFAR10;
        WeightsInfo {
            architecture: "resnet8".parse().expect("a network"),
            form: Form::Trained,
            classes: 10,
            input: [3, 32, 32],
            mean: Some(mean),
            std: Some(std),
            data: Some("cifar10".to_owned()),
            top1: None,
        }
    }

    #[test]
    fn report_f12_each_contradiction_names_both_sides() {
        let found = |info: &WeightsInfo| contradictions(info, &images(10), DataSource::Cifar10);
        assert!(found(&info()).is_empty());
        let silent = WeightsInfo {
            mean: None,
            data: None,
            ..info()
        };
        assert!(found(&silent).is_empty());
        let other = WeightsInfo {
            classes: 100,
            input: [3, 64, 64],
            std: Some([1.0; 3]),
            data: Some("cifar100".to_owned()),
            ..info()
        };
        let found = found(&other);
        let parts = [
            ["cifar100", "cifar10"],
            ["64x64", "32x32"],
            ["100 classes", "have 10"],
            ["std [1.0, 1.0, 1.0]", "std [0.2023"],
        ];
        assert_eq!(found.len(), parts.len(), "{found:?}");
        for (line, parts) in found.iter().zip(parts) {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        }
    }

    #[test]
    fn report_f12_a_teacher_at_chance_level_is_warned_of() {
        let warns = |top1: f64, classes: usize| near_chance(top1, &images(classes)).is_some();
        assert!(warns(1.0, 100) && warns(1.9, 100) && !warns(2.1, 100));
        assert!(warns(50.0, 2) && !warns(75.0, 2));
        let warning = near_chance(1.25, &images(100)).expect("a warning");
        assert!(
            warning.starts_with("gets 1.25 % of the test images right, where chance is 1.00 %"),
            "{warning}"
        );
    }
}
