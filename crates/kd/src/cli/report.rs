//! `kd report`.

use std::path::PathBuf;

use clap::ValueHint;
use kd_models::files::write_atomically;
use kd_report::{Report, ReportOptions};
use kd_train::TrainError;

use super::error::CliError;
use super::flags::PlaceFlags;
use super::output;

/// Flags of `kd report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run or sweep directories, or directories that hold them at any depth
    #[arg(required = true, value_name = "RUNS", value_hint = ValueHint::DirPath)]
    runs: Vec<PathBuf>,
    /// File to write
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "report.html",
        value_hint = ValueHint::FilePath
    )]
    output: PathBuf,
    /// Run of the student alone to compare with [default: the run without a teacher that has the same
    /// student and images]
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath)]
    baseline: Option<PathBuf>,
    /// Skip the sections that need networks and images
    #[arg(long)]
    no_predictions: bool,
    /// Evaluate the networks on at most N test images, evenly spaced
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
    #[command(flatten)]
    place: PlaceFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let options = ReportOptions {
        baseline: args.baseline,
        predictions: !args.no_predictions,
        images: args.images as usize,
        data: args.place.overlay(),
    };
    let report = Report::of(&args.runs, &options)?;
    for trouble in report.unreadable() {
        output::note(&format!("left out: {trouble}"));
    }
    let page = report.to_html();
    write_atomically(&args.output, page.as_bytes())
        .map_err(|error| TrainError::io(&args.output, error))?;
    let runs = match report.runs() {
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    };
    output::text(&format!(
        "{runs} in {} ({} kB)",
        args.output.display(),
        page.len().div_ceil(1000)
    ));
    Ok(())
}
