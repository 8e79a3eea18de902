//! `kd route`.

use std::path::PathBuf;

use clap::{ArgAction, ValueHint};
use kd_train::route;

use super::error::CliError;
use super::flags::DataFlags;
use super::{output, table};

/// Flags of `kd route`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the run whose policy to query
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    run: PathBuf,
    /// Use the training images, without augmentation, instead of the test images
    #[arg(long)]
    train: bool,
    /// Indices of the images to show, for example 0,5,17 [default: the first ten]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    images: Option<Vec<usize>>,
    /// Print JSON with all images
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
    output::result(&report, args.json, |report| table::route(report, &shown))
}
