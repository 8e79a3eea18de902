//! What a run came to.

use std::path::PathBuf;

use kd_train::RunResult;
use serde::Serialize;

use super::error::CliError;
use super::{output, table};

/// The result of a run, and where it is.
#[derive(Serialize)]
pub struct Finished {
    out: PathBuf,
    #[serde(flatten)]
    result: RunResult,
}

impl Finished {
    pub fn new(result: RunResult, out: PathBuf) -> Self {
        Self { out, result }
    }

    pub fn print(&self, json: bool) -> Result<(), CliError> {
        output::result(self, json, |finished| {
            table::result(&finished.result, &finished.out)
        })
    }
}
