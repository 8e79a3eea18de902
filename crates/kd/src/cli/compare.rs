//! `kd compare`.

use std::path::PathBuf;

use kd_train::Overlay;
use kd_train::compare::{Row, Spread, compare, default_seeds};
use serde::Serialize;

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::flags::Place;
use super::progress::Progress;
use super::{comparison_table, output};

/// Flags of `kd compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    /// Train each student with N seeds, starting from --seed [default: 3 on generated images, else 1]
    #[arg(long, value_name = "N")]
    seeds: Option<usize>,
    #[command(flatten)]
    flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (overlay, place) = args.flags.overlay()?;
    run_overlay(&overlay, &place, args.seeds, args.json)
}

/// Compares the methods by a recipe.
pub fn run_overlay(
    overlay: &Overlay,
    place: &Place,
    seeds: Option<usize>,
    json: bool,
) -> Result<(), CliError> {
    let out = place.folder("quickstart");
    let seeds = seeds.map_or_else(|| default_seeds(overlay), Ok)?;
    let rows = compare(overlay, seeds, &out, &mut Progress::new(), |label| {
        output::error(&format!("\n{label}"));
    })
    .map_err(CliError::of_part)?;
    output::result(
        &Comparison::new(out, rows),
        json,
        comparison_table::comparison,
    )
}

/// Runs side by side.
#[derive(Serialize)]
pub struct Comparison {
    /// The folder of the runs.
    pub out: PathBuf,
    pub rows: Vec<Compared>,
}

/// A line of the comparison. Accuracies are in percent, after the last epoch.
#[derive(Serialize)]
pub struct Compared {
    #[serde(flatten)]
    pub row: Row,
    pub top1: Option<Spread>,
    pub routed_top1: Option<Spread>,
    /// What the teacher gives: top-1 accuracy above that of the student alone, seed by seed.
    pub gain_top1: Option<Spread>,
    /// What routing gives: top-1 accuracy above that with all samples, seed by seed.
    pub routing_gain_top1: Option<Spread>,
}

impl Comparison {
    fn new(out: PathBuf, rows: Vec<Row>) -> Self {
        let alone = rows
            .iter()
            .find(|row| !row.is_taught() && !row.is_teacher());
        let alone = alone.map(|row| row.results.clone());
        let compared = |row: Row| {
            let taught = alone.as_deref().filter(|_| row.is_taught());
            let routed = row.routed.as_deref();
            Compared {
                top1: Spread::of_top1(&row.results),
                routed_top1: routed.and_then(Spread::of_top1),
                gain_top1: taught.and_then(|alone| Spread::of_gain(&row.results, alone)),
                routing_gain_top1: routed.and_then(|routed| Spread::of_gain(routed, &row.results)),
                row,
            }
        };
        Self {
            rows: rows.into_iter().map(compared).collect(),
            out,
        }
    }
}
