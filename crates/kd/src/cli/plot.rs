//! `kd plot`.

use std::path::PathBuf;

use clap::ValueHint;
use kd_report::figures::{draw_curves, draw_heatmap, routing_maps, training_panels};
use kd_train::{RunHistory, TrainError};

use super::error::CliError;
use super::output;

/// Flags of `kd plot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run directory
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// Output directory [default: plots in the run directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

/// Formats that every figure is written in.
const FORMATS: [&str; 2] = ["svg", "png"];

pub fn run(args: Args) -> Result<(), CliError> {
    let history = RunHistory::read(&args.run)?;
    let out = args.out.unwrap_or_else(|| args.run.join("plots"));
    std::fs::create_dir_all(&out).map_err(|error| TrainError::io(&out, error))?;
    let name = match args.run.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => args.run.display().to_string(),
    };
    let panels = training_panels(&history.epochs);
    let maps = history.routing.as_ref().map(routing_maps);
    let mut written = vec!["curves"];
    for format in FORMATS {
        let path = |figure: &str| out.join(figure).with_extension(format);
        draw_curves(&path("curves"), &name, &panels)?;
        for (figure, map) in maps.iter().flatten() {
            draw_heatmap(&path(figure), map)?;
        }
    }
    written.extend(maps.iter().flatten().map(|(figure, _)| *figure));
    output::text(&format!(
        "{} as {} in {}",
        written.join(", "),
        FORMATS.join(" and "),
        out.display()
    ));
    Ok(())
}
