//! `kd compare`.

use kd_train::Overlay;
use kd_train::compare::compare;

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::flags::Place;
use super::progress::Progress;
use super::{output, table};

/// Flags of `kd compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (overlay, place) = args.flags.overlay()?;
    run_overlay(&overlay, &place)
}

/// Compares the methods by a recipe.
pub fn run_overlay(overlay: &Overlay, place: &Place) -> Result<(), CliError> {
    let out = place.folder("quickstart");
    let rows = compare(overlay, &out, &mut Progress::new(), |label| {
        output::text(&format!("\n{label}"));
    })
    .map_err(CliError::of_part)?;
    output::text(&table::comparison(&rows, &out));
    Ok(())
}
