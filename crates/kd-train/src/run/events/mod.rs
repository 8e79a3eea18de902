//! TensorBoard event files.

mod heat;
mod histograms;
mod hyperparameters;
mod images;
mod message;
mod record;
mod scalars;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use burn::tensor::TensorData;

pub use self::heat::heat_color;
pub(crate) use self::hyperparameters::Hyperparameters;
use self::message::{Event, Summary, Value, What};
use self::record::{record, records};
use super::files::write_atomically;
use super::{RoutingRecord, best};
use crate::{EpochMetrics, TrainError};

/// Epochs of a run that have histograms at most, and images: their number, not that of the epochs, is what
/// the file grows with. TensorBoard itself keeps ten images of a kind.
const HISTOGRAMS: usize = 50;
const IMAGES: usize = 10;

/// What a log says of a run beside its epochs.
#[derive(Debug)]
pub(crate) struct About {
    /// Names of the spots of routing.
    pub(crate) spots: Vec<String>,
    /// Epochs of the main phase.
    pub(crate) epochs: usize,
    /// The main numbers of the recipe.
    pub(crate) hyperparameters: Hyperparameters,
}

/// What a log says of an epoch beside its numbers.
#[derive(Debug, Default)]
pub(crate) struct Beside<'a> {
    /// What was distilled where until now.
    pub(crate) routing: Option<&'a RoutingRecord>,
    /// The tensors of the student, by name; those that are no weights of a layer are left out.
    pub(crate) weights: Vec<(String, TensorData)>,
}

/// The event file of a run: a record that starts it, two about the run, one an epoch, one that ends it.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: PathBuf,
    about: About,
}

impl EventLog {
    /// Starts the log in `folder` with the epochs that are already complete. The log of an
    /// earlier session is replaced, as it may hold an epoch that the checkpoint does not; the records of
    /// the others stay as they are, and keep their times.
    pub(crate) fn start(
        folder: &Path,
        history: &[EpochMetrics],
        about: About,
    ) -> Result<Self, TrainError> {
        let earlier = std::fs::read_dir(folder)
            .map_err(|error| TrainError::io(folder, error))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with("events.out.tfevents."))
            });
        let path = earlier.unwrap_or_else(|| {
            folder.join(format!("events.out.tfevents.{:.0}.kd", wall_time().floor()))
        });
        let written = std::fs::read(&path).unwrap_or_default();
        let (started, mut kept) = kept(&written);
        let started = started.unwrap_or_else(wall_time);
        let version = Event {
            wall_time: started,
            step: 0,
            what: Some(What::FileVersion("brain.Event:2".to_owned())),
        };
        let mut bytes = record(&version);
        let hyperparameters = &about.hyperparameters;
        for value in [
            hyperparameters.experiment(started),
            hyperparameters.start(started),
        ] {
            bytes.extend(record(&summary(0, started, vec![value])));
        }
        for (index, metrics) in history.iter().enumerate() {
            match kept.remove(&(metrics.epoch as i64)) {
                Some(kept) => bytes.extend(kept),
                None => {
                    let event = of_epoch(&history[..=index], &about, &Beside::default());
                    bytes.extend(record(&event));
                }
            }
        }
        write_atomically(&path, &bytes)?;
        Ok(Self { path, about })
    }

    /// Whether an epoch has histograms of the weights.
    pub(crate) fn has_histograms(&self, epoch: usize) -> bool {
        is_among(HISTOGRAMS, epoch, self.about.epochs)
    }

    /// Appends the last epoch of `history`.
    pub(crate) fn append(
        &self,
        history: &[EpochMetrics],
        beside: &Beside<'_>,
    ) -> Result<(), TrainError> {
        match history.is_empty() {
            true => Ok(()),
            false => self.write(&of_epoch(history, &self.about, beside)),
        }
    }

    /// Says that the run is complete.
    pub(crate) fn end(&self) -> Result<(), TrainError> {
        let time = wall_time();
        self.write(&summary(0, time, vec![hyperparameters::end(time)]))
    }

    fn write(&self, event: &Event) -> Result<(), TrainError> {
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&record(event)))
            .map_err(|error| TrainError::io(&self.path, error))
    }
}

/// When a log was started, and its records of epochs as they stand there, the first where there are
/// several.
fn kept(log: &[u8]) -> (Option<f64>, BTreeMap<i64, &[u8]>) {
    let mut started = None;
    let mut kept = BTreeMap::new();
    for (event, record) in records(log).filter(|(event, _)| event.wall_time.is_finite()) {
        match (event.step, event.what) {
            (0, _) => {
                started.get_or_insert(event.wall_time);
            }
            (step, Some(What::Summary(_))) => {
                kept.entry(step).or_insert(record);
            }
            _ => {}
        }
    }
    (started, kept)
}

/// The last epoch of `history`.
fn of_epoch(history: &[EpochMetrics], about: &About, beside: &Beside<'_>) -> Event {
    let Some(metrics) = history.last() else {
        return summary(0, wall_time(), Vec::new());
    };
    let best = best(history).map_or(0.0, |best| best.test.top1);
    let mut values = scalars::scalars(metrics, &about.spots, best);
    if let Some(routing) = beside.routing
        && is_among(IMAGES, metrics.epoch, about.epochs)
    {
        values.extend(images::by_epoch(routing, about.epochs));
        let last = metrics.epoch == about.epochs;
        values.extend(last.then(|| images::by_class(routing)).flatten());
    }
    let weights = beside.weights.iter();
    let weights = weights.filter(|(_, weight)| weight.shape().num_dims() > 1);
    values.extend(weights.filter_map(|(name, weight)| {
        let numbers = match weight.as_slice::<f32>() {
            Ok(numbers) => Cow::Borrowed(numbers),
            Err(_) => Cow::Owned(weight.iter::<f32>().collect()),
        };
        histograms::histogram(&format!("weights/{name}"), &numbers)
    }));
    summary(metrics.epoch as i64, wall_time(), values)
}

/// Whether an epoch (from 1) is one of about so many that lie evenly among `epochs`, of which the last one is
/// always chosen.
fn is_among(count: usize, epoch: usize, epochs: usize) -> bool {
    epoch == epochs || epoch.is_multiple_of(epochs.div_ceil(count).max(1))
}

fn summary(step: i64, wall_time: f64, value: Vec<Value>) -> Event {
    Event {
        wall_time,
        step,
        what: Some(What::Summary(Summary { value })),
    }
}

fn wall_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests;
