//! `kd train`.

use kd_train::{Draft, run as run_recipe};

use super::error::CliError;
use super::flags::{RunFlags, architecture};
use super::progress::Progress;
use super::{output, table};

/// Flags of `kd train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network; `kd models` lists them
    #[arg(long, visible_alias = "student", value_name = "NAME")]
    model: Option<String>,
    #[command(flatten)]
    run: RunFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let special = Draft {
        student: architecture(args.model)?,
        ..Draft::default()
    };
    let (draft, place) = args.run.draft(special)?;
    let recipe = draft.finish()?;
    let options = place.options(&format!("{}-{}", recipe.student, recipe.data.name()));
    let result = run_recipe(&recipe, &options, &mut Progress::new())?;
    output::text(&table::result(&result, &options.out));
    Ok(())
}
