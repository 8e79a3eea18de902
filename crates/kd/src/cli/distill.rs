//! `kd distill`.

use kd_losses::{LossConfig, Method, Site};
use kd_spot::RoutingMode;
use kd_train::{Recipe, run as run_recipe};

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::finished::Finished;
use super::progress::Progress;
use super::{compare, output, teacher};

/// Flags of `kd distill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (mut overlay, place) = args.flags.overlay()?;
    if !overlay.has("losses") {
        compare::run_overlay(&overlay, &place, None, args.json)?;
        output::note(
            "`kd distill` without a method or losses ran a comparison: from the next release on, only `kd compare` does",
        );
        return Ok(());
    }
    teacher::trained(&mut overlay, &place)?;
    let recipe = overlay.finish()?;
    let options = place.options(&recipe, name);
    let result = run_recipe(&recipe, &options, &mut Progress::new())?;
    Finished::new(result, options.out).print(args.json)
}

/// What a run is called, as in `resnet8-kd+at-cifar100-adaptive`.
fn name(recipe: &Recipe) -> String {
    let student = recipe
        .student
        .network
        .map_or("student", |network| network.name());
    let losses: Vec<&str> = recipe
        .losses
        .iter()
        .filter(|term| term.loss.requirements().site != Site::Labels)
        .map(|term| Method::name(&term.loss))
        .collect();
    let mode = match recipe.routing.mode {
        RoutingMode::Always => String::new(),
        mode => format!("-{}", mode.name()),
    };
    format!(
        "{student}-{}-{}{mode}",
        losses.join("+"),
        recipe.data.name.name()
    )
}
