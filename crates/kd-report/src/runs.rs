//! The runs of a report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kd_recipes::sweep::CellState;
use kd_recipes::table::{Record, Spread};
use kd_train::{DataConfig, OneOrMany, RunHistory, RunResult, TeacherConfig, subfolders};

use crate::ReportError;

/// A run and what it left behind.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its name, which no other run of the report has.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) record: Record,
    pub(crate) history: RunHistory,
    /// Why its records cannot be read, if they cannot.
    pub(crate) trouble: Option<String>,
    /// The place of the run that it is compared with: the student alone.
    pub(crate) baseline: Option<usize>,
    /// The places of the runs that differ by their seed alone, this one among them.
    pub(crate) repeated: Vec<usize>,
}

/// The runs of a report.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    pub(crate) runs: Vec<Run>,
    /// Folders that could not be read, and why.
    pub(crate) unreadable: Vec<String>,
}

impl Runs {
    /// Reads runs and folders that hold them at any depth; `baseline` is the student alone, which is
    /// added to them.
    pub(crate) fn read(folders: &[PathBuf], baseline: Option<&Path>) -> Result<Self, ReportError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for folder in folders.iter().map(PathBuf::as_path).chain(baseline) {
            let before = seen.len();
            walk(folder, &mut seen, &mut found)?;
            if seen.len() == before && !seen.contains(&absolute(folder)) {
                return Err(ReportError::NoRuns(folder.to_owned()));
            }
        }
        let mut runs = Vec::new();
        let mut unreadable = Vec::new();
        for folder in found {
            match Run::read(&folder) {
                Ok(run) => runs.push(run),
                Err(error) => unreadable.push(error.to_string()),
            }
        }
        if runs.is_empty() {
            return Err(ReportError::Unreadable {
                runs: unreadable.len(),
                first: unreadable.into_iter().next().unwrap_or_default(),
            });
        }
        let mut runs = Self { runs, unreadable };
        runs.name_apart();
        runs.find_repeated()?;
        runs.find_baselines(baseline)?;
        Ok(runs)
    }

    /// Gives runs of the same name the names of their parents, too.
    fn name_apart(&mut self) {
        let names: Vec<String> = self.runs.iter().map(|run| run.name.clone()).collect();
        for run in &mut self.runs {
            let same = names.iter().filter(|name| **name == run.name).count();
            let whole = absolute(&run.folder);
            let parent = whole.parent().and_then(Path::file_name);
            if let (true, Some(parent)) = (same > 1, parent) {
                run.name = format!("{}/{}", parent.to_string_lossy(), run.name);
            }
        }
    }

    fn find_repeated(&mut self) -> Result<(), ReportError> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for place in 0..self.runs.len() {
            let record = &self.runs[place].record;
            let mut home = None;
            for (index, group) in groups.iter().enumerate() {
                if self.runs[group[0]].record.repeats(record)? {
                    home = Some(index);
                    break;
                }
            }
            match home {
                Some(index) => groups[index].push(place),
                None => groups.push(vec![place]),
            }
        }
        for group in groups {
            for place in &group {
                self.runs[*place].repeated.clone_from(&group);
            }
        }
        Ok(())
    }

    fn find_baselines(&mut self, named: Option<&Path>) -> Result<(), ReportError> {
        let named = named.map(absolute);
        let of_name = self
            .runs
            .iter()
            .position(|run| named.as_ref() == Some(&absolute(&run.folder)));
        if let (Some(folder), Some(place)) = (named, of_name)
            && !self.runs[place].is_alone()
        {
            return Err(ReportError::Baseline(folder));
        }
        for place in 0..self.runs.len() {
            self.runs[place].baseline = match of_name {
                Some(baseline) => {
                    let fits = baseline != place && self.are_of_same_images(baseline, place);
                    fits.then_some(baseline)
                }
                None => self.baseline_of(place),
            };
        }
        Ok(())
    }

    fn are_of_same_images(&self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|place| images(&self.runs[place].record.recipe.data));
        one == other
    }

    /// The run without a teacher with the same student and images that is most like a run.
    fn baseline_of(&self, place: usize) -> Option<usize> {
        let run = &self.runs[place];
        if run.is_alone() {
            return None;
        }
        let fits = |(index, other): &&(usize, &Run)| {
            other.is_alone()
                && other.student() == run.student()
                && self.are_of_same_images(*index, place)
        };
        let runs: Vec<(usize, &Run)> = self.runs.iter().enumerate().collect();
        let train = |run: &Run| run.record.recipe.train.clone();
        let likeness = |other: &Run| {
            let (own, other) = (train(run), train(other));
            (own.epochs == other.epochs, own.seed == other.seed)
        };
        let best = runs.iter().filter(fits).rev();
        let best = best.max_by_key(|(_, other)| likeness(other));
        best.map(|(place, _)| *place)
    }

    /// A run's student alone.
    pub(crate) fn baseline(&self, run: &Run) -> Option<&Run> {
        self.runs.get(run.baseline?)
    }

    /// Whether a teacher is the student that a run of the report left behind.
    pub(crate) fn has_student(&self, teacher: &TeacherConfig) -> bool {
        let file = match teacher.weights.as_ref().map(OneOrMany::as_slice) {
            Some([file]) => absolute(file),
            _ => return false,
        };
        let mut students = self.runs.iter().filter(|run| run.result().is_some());
        students.any(|run| absolute(&run.folder.join("student.safetensors")) == file)
    }

    /// How many points a run is above its student alone, after the last epoch.
    pub(crate) fn gain(&self, run: &Run) -> Option<f64> {
        Some(run.last_top1()? - self.baseline(run)?.last_top1()?)
    }

    /// Mean and spread of the last top-1 accuracy over the runs that differ by their seed alone.
    pub(crate) fn over_seeds(&self, run: &Run) -> Option<Spread> {
        let complete = run.repeated.iter().filter_map(|place| {
            let run = self.runs.get(*place)?;
            run.result().map(|result| result.last_top1)
        });
        Spread::of(complete)
    }
}

impl Run {
    fn read(folder: &Path) -> Result<Self, ReportError> {
        let record = Record::read(folder)?;
        // Before the first epoch there are no records.
        let (history, trouble) = match folder.join("metrics.jsonl").exists() {
            false => (None, None),
            true => match RunHistory::read(folder) {
                Ok(history) => (Some(history), None),
                Err(error) => (None, Some(error.to_string())),
            },
        };
        Ok(Self {
            name: record.name.clone(),
            folder: folder.to_owned(),
            history: history.unwrap_or(RunHistory {
                epochs: Vec::new(),
                routing: None,
            }),
            record,
            trouble,
            baseline: None,
            repeated: Vec::new(),
        })
    }

    /// The outcome of a complete run.
    pub(crate) fn result(&self) -> Option<&RunResult> {
        match &self.record.state {
            CellState::Complete(result) => Some(result),
            _ => None,
        }
    }

    /// Whether it learns from labels alone.
    pub(crate) fn is_alone(&self) -> bool {
        let recipe = &self.record.recipe;
        let result = self.result();
        !recipe.distills()
            && recipe.peers.is_empty()
            && result.is_none_or(|result| result.teacher.is_none() && result.peers.is_empty())
    }

    /// The name of its student.
    pub(crate) fn student(&self) -> &str {
        &self.record.labels.student
    }

    /// Top-1 accuracy after the last epoch that there is, in percent.
    pub(crate) fn last_top1(&self) -> Option<f64> {
        let last = self.history.epochs.last().map(|epoch| epoch.test.top1);
        self.result().map(|result| result.last_top1).or(last)
    }

    /// What it is, in a few words.
    pub(crate) fn what(&self) -> String {
        let labels = &self.record.labels;
        let method = match (labels.method.as_str(), labels.teacher.as_deref()) {
            (_, None) => return format!("{} alone", labels.student),
            ("-", Some(teacher)) => format!("{teacher} → {}", labels.student),
            (method, Some(teacher)) => format!("{teacher} → {} by {method}", labels.student),
        };
        match labels.variant.as_str() {
            "standard" | "alone" => method,
            variant => format!("{method}, {variant}"),
        }
    }
}

/// What of a recipe's section decides which images there are, wherever they are.
fn images(data: &DataConfig) -> DataConfig {
    DataConfig {
        root: None,
        download: false,
        normalization: None,
        memory_mib: 0,
        batch_size: None,
        workers: 0,
        ..data.clone()
    }
}

fn walk(
    folder: &Path,
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), ReportError> {
    if folder.join("recipe.yaml").is_file() {
        if seen.insert(absolute(folder)) {
            found.push(folder.to_owned());
        }
        return Ok(());
    }
    let io = |source| ReportError::Io {
        path: folder.to_owned(),
        source,
    };
    let folders = subfolders(folder).map_err(io)?;
    folders
        .iter()
        .try_for_each(|folder| walk(folder, seen, found))
}

fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
