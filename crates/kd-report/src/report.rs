//! A report of runs.

use std::path::PathBuf;

use kd_train::Overlay;

use crate::ReportError;
use crate::networks::Networks;
use crate::runs::Runs;

/// Images that networks are asked about at most.
const MOST_IMAGES: usize = 10_000;

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// The run of the student alone. Default: for each run the one without a teacher that has its
    /// student and images.
    pub baseline: Option<PathBuf>,
    /// Whether networks are asked about the test images. Without it, sections that need this say so.
    pub predictions: bool,
    /// Images that they are asked about at most. Default: 10,000.
    pub images: usize,
    /// Where images are and what computes, over the runs' own recipes.
    pub data: Overlay,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            baseline: None,
            predictions: true,
            images: MOST_IMAGES,
            data: Overlay::default(),
        }
    }
}

/// Runs side by side, and what their networks say of the test images.
#[derive(Debug)]
pub struct Report {
    pub(crate) runs: Runs,
    pub(crate) networks: Networks,
}

impl Report {
    /// Reads runs, given as their folders or as folders that hold them at any depth, and asks their
    /// networks about the test images of their recipes.
    ///
    /// What is missing of a run (weights, images, teacher, records) is told on the page.
    ///
    /// # Errors
    ///
    /// [`ReportError::NoRuns`] for a folder without runs, [`ReportError::Unreadable`] if no run can be
    /// read, [`ReportError::Baseline`] if the baseline has a teacher, [`ReportError::Io`] for a folder
    /// that cannot be listed.
    pub fn of(folders: &[PathBuf], options: &ReportOptions) -> Result<Self, ReportError> {
        let runs = Runs::read(folders, options.baseline.as_deref())?;
        let networks = match options.predictions {
            true => Networks::ask(&runs, &options.data, options.images),
            false => Networks::silent(&runs, "networks were not asked (--no-predictions)"),
        };
        Ok(Self { runs, networks })
    }

    /// Number of runs.
    pub fn runs(&self) -> usize {
        self.runs.runs.len()
    }

    /// Folders that hold a run which could not be read, and why.
    pub fn unreadable(&self) -> &[String] {
        &self.runs.unreadable
    }
}
