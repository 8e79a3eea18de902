//! `kd distill`.

use std::path::PathBuf;

use kd_losses::Method;
use kd_spot::Routing;
use kd_train::compare::compare;
use kd_train::{CachePlace, Draft, run as run_recipe};

use super::error::CliError;
use super::flags::{RunFlags, architecture};
use super::progress::Progress;
use super::routing_flags::RoutingFlags;
use super::{output, table};

/// Flags of `kd distill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The teacher's network [default: what its weights say, or what their keys and shapes tell;
    /// in a comparison without weights: resnet14]
    #[arg(long, value_name = "NAME")]
    teacher: Option<String>,
    /// The teacher's weights: safetensors or a PyTorch checkpoint
    #[arg(long, value_name = "FILE")]
    teacher_weights: Option<PathBuf>,
    /// The student's network [default in a comparison: resnet8]
    #[arg(long, value_name = "NAME")]
    student: Option<String>,
    /// The method, by name or with parameters as in `{ name: at, p: 4 }`; `kd methods` lists them.
    /// Without one, methods are compared
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Weight of the cross-entropy with the labels [default: the method's]
    #[arg(
        short = 'r',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_ce: Option<f64>,
    /// Weight of the distillation of logits [default: the method's]
    #[arg(
        short = 'a',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_kd: Option<f64>,
    /// Weight of the method's own term [default: the method's]
    #[arg(
        short = 'b',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_method: Option<f64>,
    /// Temperature of the distillation of logits [default: 4]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Fold the teacher's batch norms into its convolutions: faster, and the same but for rounding
    #[arg(long)]
    fold_teacher: bool,
    /// Keep the teacher's outputs in `memory`, or in a folder for later runs too: an image that was
    /// seen the same way is not computed again. For methods that read only logits or pooled
    /// features; on the CPU it does not change the numbers
    #[arg(long, value_name = "DIR")]
    teacher_cache: Option<String>,
    /// MiB that the teacher's outputs may take [default: 4096]
    #[arg(long, value_name = "N")]
    teacher_cache_mb: Option<u64>,
    /// Standardise the logits in the distillation of logits, with this multiplier [default: no]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    standardise: Option<f64>,
    #[command(flatten)]
    routing: RoutingFlags,
    /// Epochs of the method's preliminary phase [default: an eighth of all epochs, if it has one]
    #[arg(long, value_name = "N")]
    preliminary_epochs: Option<usize>,
    #[command(flatten)]
    run: RunFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let special = Draft {
        teacher: architecture(args.teacher)?,
        teacher_weights: args.teacher_weights,
        student: architecture(args.student)?,
        method: args.method.map(|method| parse(&method)).transpose()?,
        weight_ce: args.weight_ce,
        weight_kd: args.weight_kd,
        weight_method: args.weight_method,
        temperature: args.temperature,
        standardise: args.standardise,
        fold_teacher: args.fold_teacher.then_some(true),
        teacher_cache: args.teacher_cache.map(CachePlace::from),
        teacher_cache_mb: args.teacher_cache_mb,
        preliminary_epochs: args.preliminary_epochs,
        ..args.routing.draft()?
    };
    let (draft, place) = args.run.draft(special)?;
    let mut progress = Progress::new();
    match &draft.method {
        Some(method) => {
            let method = method.name();
            let recipe = draft.finish()?;
            let mut name = format!("{}-{method}-{}", recipe.student, recipe.data.name());
            if recipe.routing != Routing::Always {
                name = format!("{name}-{}", recipe.routing.name());
            }
            let options = place.options(&name);
            let result = run_recipe(&recipe, &options, &mut progress)?;
            output::text(&table::result(&result, &options.out));
        }
        None => {
            let out = place.folder("quickstart");
            let rows = compare(&draft, &out, &mut progress, &mut |label| {
                output::text(&format!("\n{label}"));
            })?;
            output::text(&table::comparison(&rows, &out));
        }
    }
    Ok(())
}

/// A method by its name, or with parameters as in a recipe.
fn parse(method: &str) -> Result<Method, CliError> {
    if !method.trim_start().starts_with('{') {
        return Ok(Method::by_name(method)?);
    }
    serde_saphyr::from_str(method).map_err(|error| {
        let reason = error.without_snippet().to_string();
        let reason: Vec<_> = reason.split_whitespace().collect();
        CliError::Method(reason.join(" "))
    })
}
