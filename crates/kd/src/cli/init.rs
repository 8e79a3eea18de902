//! `kd init`.

use std::path::{Path, PathBuf};

use kd_models::files::write_atomically;
use kd_train::{Recipe, TrainError};

use super::commented::commented;
use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::recipe::yaml;
use super::schema::RecipeSchema;
use super::{output, teacher};

/// The student of a recipe for which nobody names one: that of the quick start.
const STUDENT: &str = "resnet8";

/// Flags of `kd init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File to write; an existing file is never overwritten
    #[arg(value_name = "FILE", default_value = "recipe.yaml")]
    file: PathBuf,
    /// Also write the JSON Schema beside the recipe, and name it in the first line for editors
    #[arg(long)]
    with_schema: bool,
    #[command(flatten)]
    pub flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (mut overlay, place) = args.flags.overlay()?;
    teacher::named(&mut overlay, &place)?;
    if !overlay.has("student.network") && !overlay.has("student.weights") {
        overlay.set("student.network", STUDENT);
    }
    let resolved = overlay.clone().finish()?;
    // What depends on other values stays open, so that it follows them.
    let recipe = Recipe {
        losses: resolved.losses,
        ..overlay.recipe()?
    };
    let schema = RecipeSchema::new();
    let beside = args
        .with_schema
        .then(|| args.file.with_extension("schema.json"));
    let text = text(&recipe, &args.file, beside.as_deref(), &schema)?;
    if args.file.exists() {
        return Err(CliError::Exists(args.file));
    }
    if let Some(path) = &beside {
        write(path, &serde_json::to_string_pretty(schema.document())?)?;
    }
    write(&args.file, &text)?;
    let command = command(&recipe);
    let file = args.file.display();
    output::text(&format!(
        "wrote {file}; run it with `kd {command} --config {file}`"
    ));
    Ok(())
}

/// The file: what it is, and the recipe with a comment on each key.
fn text(
    recipe: &Recipe,
    file: &Path,
    beside: Option<&Path>,
    schema: &RecipeSchema,
) -> Result<String, CliError> {
    let beside = beside.and_then(Path::file_name);
    let mode_line = beside.map_or_else(String::new, |name| {
        format!("# yaml-language-server: $schema={}\n", name.display())
    });
    let command = command(recipe);
    let file = file.display();
    Ok(format!(
        "{mode_line}# Recipe for kd {}: `kd {command} --config {file}` runs it, `kd recipe --config \
         {file}` prints it\n# with all defaults filled in. `null` stands for the default.\n\n{}",
        env!("CARGO_PKG_VERSION"),
        commented(&yaml(recipe)?, schema)
    ))
}

/// The command that runs a recipe.
fn command(recipe: &Recipe) -> &'static str {
    match (recipe.distills(), recipe.peers.is_empty()) {
        (true, _) => "distill",
        (false, true) => "train",
        (false, false) => "mutual",
    }
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    Ok(write_atomically(path, text.as_bytes()).map_err(|error| TrainError::io(path, error))?)
}
