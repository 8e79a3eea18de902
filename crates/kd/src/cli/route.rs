//! `kd route`.

use std::path::PathBuf;

use clap::ArgAction;
use kd_train::route;

use super::error::CliError;
use super::flags::DataFlags;
use super::{output, table};

/// Flags of `kd route`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the run whose policy is asked
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Ask about the training images, without augmentation, and not about the test images
    #[arg(long)]
    train: bool,
    /// Show these images, by their index, for example 0,5,17 [default: the first ten]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    images: Option<Vec<usize>>,
    /// Print all images as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataFlags,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let report = route(&args.run, args.data.overlay(), args.train)?;
    let count = report.images.len();
    let shown = args.images.unwrap_or_else(|| (0..count.min(10)).collect());
    if let Some(index) = shown.iter().find(|index| **index >= count) {
        return Err(CliError::Image {
            index: *index,
            count,
        });
    }
    output::text(&match args.json {
        true => serde_json::to_string_pretty(&report)?,
        false => table::route(&report, &shown),
    });
    Ok(())
}
