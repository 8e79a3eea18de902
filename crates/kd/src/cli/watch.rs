//! `kd watch`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use kd_train::TrainError;

use super::error::CliError;
use super::output;
use crate::watch;

/// Columns of a frame that is not printed to a terminal.
const COLUMNS: u16 = 100;
/// Limits of the interval, in seconds.
const INTERVALS: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;

/// Flags of `kd watch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run or sweep directory; it need not exist yet
    #[arg(value_name = "RUN|SWEEP")]
    path: PathBuf,
    /// Seconds between updates
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
    /// Print one frame as text and exit; the default if standard output is not a terminal
    #[arg(long)]
    once: bool,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    if args.path.exists() && !args.path.is_dir() {
        let reason = "is not a folder".to_owned();
        let path = args.path.clone();
        return Err(TrainError::Occupied { path, reason }.into());
    }
    if args.once || !std::io::stdout().is_terminal() {
        output::text(&watch::frame(&args.path, columns()));
        return Ok(());
    }
    live(args)
}

#[cfg(unix)]
fn live(args: &Args) -> Result<(), CliError> {
    let colors = output::colors(&std::io::stdout());
    let interval = Duration::from_secs_f64(args.interval);
    super::interrupt::watch();
    super::warnings::mute();
    let watched = watch::watch(&args.path, interval, colors, super::interrupt::is_stopping);
    watched.map_err(CliError::Terminal)
}

#[cfg(not(unix))]
fn live(args: &Args) -> Result<(), CliError> {
    let _ = Duration::from_secs_f64(args.interval);
    let unsupported = std::io::ErrorKind::Unsupported;
    let error = std::io::Error::new(unsupported, "no live view on this system; --once prints it");
    Err(CliError::Terminal(error))
}

fn columns() -> u16 {
    let (_, columns) = console::Term::stdout()
        .size_checked()
        .unwrap_or((0, COLUMNS));
    columns
}

fn interval(text: &str) -> Result<f64, String> {
    let expected = || {
        format!(
            "expected seconds from {} to {}",
            INTERVALS.start(),
            INTERVALS.end()
        )
    };
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    match INTERVALS.contains(&seconds) {
        true => Ok(seconds),
        false => Err(expected()),
    }
}
