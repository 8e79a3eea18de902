//! `kd warm-up`.

use kd_train::{GpuCache, device_by_name, gpu_name, warm_up};

use super::distill_flags::DistillFlags;
use super::error::CliError;
use super::tuning::Tuning;
use super::{output, teacher};

/// Flags of `kd warm-up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub flags: DistillFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let (mut overlay, place) = args.flags.overlay()?;
    teacher::named(&mut overlay, &place)?;
    let recipe = overlay.finish()?;
    let name = recipe.compute.device.as_deref().unwrap_or_default();
    let Some(gpu) = gpu_name(&device_by_name(name)?) else {
        output::text(&format!("`{name}` is a CPU, which needs no warm-up"));
        return Ok(());
    };
    let tuning = Tuning::begin(&gpu);
    let bar = tuning.bar();
    warm_up(&recipe, &mut |done, parts| {
        bar.set_message(format!("{done} of {parts} parts"));
    })?;
    bar.finish_and_clear();
    let kept = GpuCache::in_use().map_or_else(String::new, |cache| {
        format!(", kept in {}", cache.folder().display())
    });
    output::text(&format!("{}{kept}", tuning.summary()));
    Ok(())
}
