//! `kd train`.

use kd_train::run as run_recipe;

use super::error::CliError;
use super::flags::RunFlags;
use super::progress::Progress;
use super::{output, table};

/// Flags of `kd train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network; `kd models` lists them
    #[arg(long, visible_alias = "student", value_name = "NAME")]
    model: Option<String>,
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
    let student = recipe
        .student
        .network
        .map_or("student", |network| network.name());
    let name = match &recipe.name {
        Some(name) => name.clone(),
        None => format!("{student}-{}", recipe.data.name.name()),
    };
    let options = place.options(&name);
    let result = run_recipe(&recipe, &options, &mut Progress::new())?;
    output::text(&table::result(&result, &options.out));
    Ok(())
}
