//! Errors of the command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use kd_losses::LossError;
use kd_models::ModelError;
use kd_recipes::RecipesError;
use kd_recipes::sweep::{SweepError, quoted};
use kd_report::ReportError;
use kd_report::figures::PlotError;
use kd_train::TrainError;

use super::interrupt;
use super::text_path::NOT_TEXT;

/// Exit code of every error.
const FAILURE: u8 = 2;

/// What can stop a command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Of the arguments.
    #[error("{0}")]
    Arguments(String),
    /// Of a path that would go into a recipe and is no text.
    #[error("{0}: `{path}` {what}", path = .1.display(), what = NOT_TEXT)]
    NotText(&'static str, PathBuf),
    /// Of what was printed.
    #[error("standard output: {0}")]
    Output(&'static std::io::Error),
    /// Of the terminal that something is shown on.
    #[cfg(feature = "watch")]
    #[error("terminal: {0}")]
    Terminal(std::io::Error),
    /// A signal stopped a run, or a sweep, and the same command continues it.
    #[error("{reason}; to continue: {command}")]
    Stopped {
        /// How far it was.
        reason: String,
        /// The command that continues it.
        command: String,
    },
    /// Of the run.
    #[error(transparent)]
    Train(TrainError),
    /// Of a recipe by name, or of another program's file or flags.
    #[error(transparent)]
    Recipes(#[from] RecipesError),
    /// Of a network's name or weights.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Of a method's name.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Of two recipes at once.
    #[error("--recipe cannot be used with another program's file or flags: each is a whole recipe")]
    TwoRecipes,
    /// Of a method written with parameters.
    #[error("--method: {0}")]
    Method(String),
    /// Of an image that is not there.
    #[error("--images: {index} is out of range: there are {count} images")]
    Image {
        /// The index that was given.
        index: usize,
        /// The number of images.
        count: usize,
    },
    /// Of a sweep or a table.
    #[error(transparent)]
    Sweep(SweepError),
    /// Of cells of a sweep.
    #[error("{failed} of {cells} cells failed, first {first}")]
    Incomplete {
        /// The number of cells that failed.
        failed: usize,
        /// The number of all cells.
        cells: usize,
        /// The first that failed, and why.
        first: String,
    },
    /// Of a file that is there and is not to be lost.
    #[error("{}: the file exists already; name another one", .0.display())]
    Exists(PathBuf),
    /// Of a page of the manual.
    #[error("`{0}` is not a command; `kd help` lists them")]
    NoCommand(String),
    /// Of a shell.
    #[error("no completions for `{0}`")]
    Shell(&'static str),
    /// Of writing a script or a page.
    #[error("cannot be generated: {0}")]
    Generated(std::io::Error),
    /// Of a machine on which nothing can be trained.
    #[error("{0}")]
    Unusable(String),
    /// Of a report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Of drawing.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// Of writing JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// Of the arguments: the message without usage and hints, on one line.
    pub fn arguments(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::InvalidUtf8 {
            let given = std::env::args_os().filter(|argument| argument.to_str().is_none());
            let given: Vec<_> = given
                .map(|argument| format!("`{}`", argument.display()))
                .collect();
            return Self::Arguments(format!("not UTF-8: {}", given.join(", ")));
        }
        let message = error.to_string();
        let lines = message.lines().take_while(|line| !line.trim().is_empty());
        let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        Self::Arguments(line.trim_start_matches("error: ").to_owned())
    }

    /// Of a run that is a part of the command, which continues it without a flag.
    pub fn of_part(error: TrainError) -> Self {
        match error {
            TrainError::Stopped { .. } => Self::stopped(&error, false),
            error => error.into(),
        }
    }

    fn stopped(error: &impl ToString, resume: bool) -> Self {
        Self::Stopped {
            reason: error.to_string(),
            command: again(resume),
        }
    }

    /// The line for standard error.
    pub fn line(&self) -> String {
        match self {
            Self::Stopped { .. } => self.to_string(),
            error => format!("error: {error}"),
        }
    }

    /// 2, or that of the signal that stopped a run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped { .. } => interrupt::exit_code(),
            _ => FAILURE,
        }
    }
}

impl From<TrainError> for CliError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Stopped { .. } => Self::stopped(&error, true),
            error => Self::Train(error),
        }
    }
}

impl From<SweepError> for CliError {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Stopped { .. } => Self::stopped(&error, false),
            error => Self::Sweep(error),
        }
    }
}

/// The command line of this process, as a shell reads it, to continue what it did.
fn again(resume: bool) -> String {
    const RESUME: &str = "--resume";
    let mut arguments: Vec<String> = std::env::args_os()
        .map(|argument| quoted(&argument.to_string_lossy()))
        .collect();
    let resumes = |argument: &String| argument.split('=').next() == Some(RESUME);
    if resume && !arguments.iter().any(resumes) {
        arguments.push(RESUME.to_owned());
    }
    arguments.join(" ")
}
