//! `kd compare`.

use std::path::PathBuf;

use kd_train::Overlay;
use kd_train::compare::{Row, compare};
use serde::Serialize;

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::flags::Place;
use super::progress::Progress;
use super::{output, table};

/// Flags of `kd compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (overlay, place) = args.flags.overlay()?;
    run_overlay(&overlay, &place, args.json)
}

/// Compares the methods by a recipe.
pub fn run_overlay(overlay: &Overlay, place: &Place, json: bool) -> Result<(), CliError> {
    let out = place.folder("quickstart");
    let rows = compare(overlay, &out, &mut Progress::new(), |label| {
        output::error(&format!("\n{label}"));
    })
    .map_err(CliError::of_part)?;
    output::result(&Comparison::new(out, rows), json, table::comparison)
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
    /// What the teacher gives: top-1 accuracy above that of the student alone.
    pub gain_top1: Option<f64>,
    /// What routing gives: top-1 accuracy above that with all samples.
    pub routing_gain_top1: Option<f64>,
}

impl Comparison {
    fn new(out: PathBuf, rows: Vec<Row>) -> Self {
        let alone = rows
            .iter()
            .find(|row| row.result.teacher.is_none() && row.label != "teacher")
            .map(|row| row.result.last_top1);
        let compared = |row: Row| {
            let top1 = row.result.last_top1;
            let taught = row.result.teacher.is_some();
            let routed = row.routed.as_ref();
            Compared {
                gain_top1: alone.filter(|_| taught).map(|alone| top1 - alone),
                routing_gain_top1: routed.map(|routed| routed.last_top1 - top1),
                row,
            }
        };
        Self {
            out,
            rows: rows.into_iter().map(compared).collect(),
        }
    }
}
