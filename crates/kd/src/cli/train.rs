//! `kd train`.

use kd_train::{Recipe, run as run_recipe};

use super::candidates;
use super::error::CliError;
use super::finished::Finished;
use super::flags::RunFlags;
use super::progress::Progress;

/// Flags of `kd train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Network; `kd models` lists them
    #[arg(long, visible_alias = "student", value_name = "NAME", add = candidates::networks())]
    model: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub run: RunFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let model = args.model;
    let (overlay, place) = args.run.overlay(|mut overlay| {
        overlay.set_some("student.network", model);
        Ok(overlay)
    })?;
    let recipe = overlay.finish()?;
    let options = place.options(&recipe, name);
    let result = run_recipe(&recipe, &options, &mut Progress::new())?;
    Finished::new(result, options.out).print(args.json)
}

/// What a run is called, as in `resnet8-cifar100`.
fn name(recipe: &Recipe) -> String {
    let student = recipe
        .student
        .network
        .map_or("student", |network| network.name());
    format!("{student}-{}", recipe.data.name.name())
}
