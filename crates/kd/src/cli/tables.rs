//! `kd table`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::ValueHint;
use kd_models::files::write_atomically;
use kd_recipes::table::{Format, Shown, TableOptions, Tables};
use kd_train::TrainError;

use super::error::CliError;
use super::output;

/// Flags of `kd table`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directories of runs or sweeps, or directories that contain them at any depth
    #[arg(required = true, value_name = "RUNS", value_hint = ValueHint::DirPath)]
    runs: Vec<PathBuf>,
    /// Output format: text, markdown, tsv, latex, json or html
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Print JSON: the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    shown: ShownFlag,
    /// Add columns for parameters, time and memory
    #[arg(long)]
    details: bool,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// Which epoch a table shows.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ShownFlag {
    /// Epoch to show: last, best, both, or reported (the one that the study reports, or the last one
    /// for your own runs)
    #[arg(long, value_name = "EPOCH", default_value = "reported")]
    report: Shown,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let tables = Tables::read(&args.runs)?;
    let options = TableOptions {
        shown: args.shown.report,
        details: args.details,
        width: width(),
    };
    let format = match args.json {
        true => Format::Json,
        false => args.format,
    };
    let text = tables.render(format, &options);
    match args.output {
        Some(path) => write_atomically(&path, text.as_bytes())
            .map_err(|error| TrainError::io(&path, error).into()),
        None => {
            output::text(&text);
            Ok(())
        }
    }
}

/// The table of a sweep.
pub fn of_sweep(tables: &Tables, shown: ShownFlag) -> String {
    let options = TableOptions {
        shown: shown.report,
        width: width(),
        ..TableOptions::default()
    };
    tables.render(Format::Text, &options)
}

/// Columns of the terminal, if standard output is one.
fn width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    std::io::stdout().is_terminal().then_some(columns.into())
}
