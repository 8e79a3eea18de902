//! What stands in a table: the runs of one method on one pair.

use kd_train::RunResult;
use kd_train::compare::Spread;
use serde::Serialize;

use super::collect::Record;
use super::figures::{Figure, Place};
use super::group::{Key, plain};
use crate::sweep::CellState;
use crate::{RecipesError, Report};

/// The runs of one method on one pair, with all seeds, and what was published.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The teacher; none for a network alone that is no part of a pair.
    pub teacher: Option<String>,
    /// The student.
    pub student: String,
    /// The method; `-` for a network alone.
    pub method: String,
    /// `standard`, `adaptive`, …; `teacher` and `student` for a network alone, `alone` if it is no
    /// part of a pair.
    pub variant: String,
    /// The epoch that the study reports.
    pub report: Report,
    /// Seeds of the runs that are complete.
    pub seeds: Vec<u64>,
    /// Top-1 accuracy on the test images after the last epoch, in percent.
    pub last: Option<Spread>,
    /// Best top-1 accuracy on the test images after any epoch, in percent.
    pub best: Option<Spread>,
    /// The published figures.
    pub published: Vec<Figure>,
    /// Epochs of a run.
    pub epochs: usize,
    /// Number of training images.
    pub train_images: Option<usize>,
    /// Trainable parameters of the student.
    pub params: Option<usize>,
    /// Mean wall time of an epoch.
    pub seconds_per_epoch: Option<f64>,
    /// Largest resident memory of any of the processes, in MiB.
    pub peak_rss_mib: Option<f64>,
    /// Runs that are not complete.
    pub missing: Vec<Missing>,
}

/// A run that is not complete.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    /// The name of the run.
    pub run: String,
    /// How far it is, or why it is not there.
    pub why: String,
    /// The same in a word or two.
    #[serde(skip)]
    pub(super) short: String,
}

impl Entry {
    pub(super) fn of(
        key: &Key,
        records: &[&Record],
        (study, data): (Option<&str>, &str),
    ) -> Result<Self, RecipesError> {
        let complete: Vec<&RunResult> = records
            .iter()
            .filter_map(|record| match &record.state {
                CellState::Complete(result) => Some(&**result),
                _ => None,
            })
            .collect();
        let values = |value: &dyn Fn(&RunResult) -> f64| -> Vec<f64> {
            complete.iter().map(|result| value(result)).collect()
        };
        let place = Place {
            study,
            data,
            teacher: key.teacher.as_deref().unwrap_or("-"),
            student: &key.student,
            method: plain(&key.method),
            variant: &key.variant,
        };
        let first = complete.first();
        let report = records.iter().find_map(|record| record.labels.report);
        let epochs = records.iter().find_map(|record| record.recipe.train.epochs);
        let seconds = Spread::of(values(&|result| result.seconds_per_epoch));
        let peaks = values(&|result| result.peak_rss_mb).into_iter();
        let missing = records.iter().filter_map(|record| missing(record));
        Ok(Self {
            teacher: key.teacher.clone(),
            student: key.student.clone(),
            method: key.method.clone(),
            variant: key.variant.clone(),
            report: report.unwrap_or(Report::Last),
            seeds: complete.iter().map(|result| result.seed).collect(),
            last: Spread::of(values(&|result| result.last_top1)),
            best: Spread::of(values(&|result| result.best_top1)),
            published: place.figures()?,
            epochs: epochs.unwrap_or_default(),
            train_images: first.map(|result| result.train_images),
            params: first.map(|result| result.params),
            seconds_per_epoch: seconds.map(|seconds| seconds.mean),
            peak_rss_mib: peaks.reduce(f64::max),
            missing: missing.collect(),
        })
    }
}

fn missing(record: &Record) -> Option<Missing> {
    let short = match &record.state {
        CellState::Complete(_) => return None,
        CellState::NotStarted => "not started".to_owned(),
        CellState::Running { epoch, epochs } => format!("running {epoch}/{epochs}"),
        CellState::Stopped { epoch, epochs } => format!("stopped {epoch}/{epochs}"),
        CellState::Failed(_) => "failed".to_owned(),
        CellState::TeacherFailed(_) => "teacher failed".to_owned(),
    };
    Some(Missing {
        run: record.name.clone(),
        why: record.state.to_string(),
        short,
    })
}
