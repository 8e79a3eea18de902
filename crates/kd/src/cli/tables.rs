//! `kd table`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use kd_models::files::write_atomically;
use kd_recipes::table::{Format, Shown, TableOptions, Tables};
use kd_train::TrainError;

use super::error::CliError;
use super::output;

/// Flags of `kd table`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of runs or sweeps, or folders that hold them at any depth
    #[arg(required = true, value_name = "RUNS")]
    runs: Vec<PathBuf>,
    /// Format: text, markdown, tsv, latex, json or html
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    shown: ShownFlag,
    /// Add parameters, time and memory
    #[arg(long)]
    details: bool,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which epoch a table shows.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ShownFlag {
    /// Which epoch: last, best, both, or reported (the one that the study reports, and the last one of
    /// runs of your own)
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
    let text = tables.render(args.format, &options);
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
pub fn of_sweep(out: &Path, shown: ShownFlag) -> Result<String, CliError> {
    let options = TableOptions {
        shown: shown.report,
        width: width(),
        ..TableOptions::default()
    };
    Ok(Tables::read(&[out.to_owned()])?.render(Format::Text, &options))
}

/// Columns of the terminal, if standard output is one.
fn width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    std::io::stdout().is_terminal().then_some(columns.into())
}
