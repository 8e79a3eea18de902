//! `kd deploy`.

use std::path::PathBuf;

use kd_models::deploy::{DeployOptions, deploy};
use kd_train::{default_device, device_by_name};

use super::error::CliError;
use super::flags::{ReadFlags, architecture};
use super::{output, table};

/// Flags of `kd deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trained weights: safetensors or a PyTorch checkpoint
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The file to write, as safetensors
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The network; by default what the file says, or what its keys and shapes tell
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Fold all batch norms, not only those of re-parameterizable units; networks without such
    /// units are always folded whole
    #[arg(long)]
    fold_all: bool,
    /// Height and width of the images, in pixels [default: what the file says, or what the network
    /// is usually trained on]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=2048))]
    size: Option<u16>,
    /// Device: flex, ndarray, cuda[:i] or wgpu, as far as this build has them
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let device = device_by_name(args.device.as_deref().unwrap_or(default_device()))?;
    let options = DeployOptions {
        architecture: architecture(args.model)?,
        fold_all: args.fold_all,
        input: args.size.map(|size| [3, size.into(), size.into()]),
        read: args.read.options(),
    };
    let report = deploy(&args.input, &args.out, &options, &device)?;
    output::text(&if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        table::deployed(&report, &args.out)
    });
    Ok(())
}
