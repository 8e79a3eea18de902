//! The command line: flags to recipes, and what is printed.

mod base;
mod candidates;
mod commented;
mod compare;
mod comparison_table;
mod completions;
mod deploy;
mod devices;
mod distill;
mod distill_flags;
mod doctor;
mod error;
mod eval;
mod finished;
mod flags;
mod init;
mod interrupt;
mod man;
mod methods;
mod milestones;
mod models;
mod mutual;
mod output;
mod parent;
mod plot;
mod progress;
mod recipe;
mod recipes;
mod report;
mod route;
mod routing_flags;
mod schema;
mod sweep;
mod sweep_progress;
mod table;
mod tables;
mod teacher;
mod text_path;
mod train;
mod tuning;
mod warm_up;
pub mod warnings;
#[cfg(feature = "watch")]
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::CompleteEnv;
use kd_train::{GpuCache, guard_device, quiet_device_panics};

use error::CliError;

/// What holds for every command; shown below the help.
const CONVENTIONS: &str = "\
Results go to standard output, progress and notes to standard error. A flag can be given once, unless
its help says that it may be repeated.

Exit codes:
    0  success
    2  error: one line on standard error says what is wrong
  130  a run or sweep was stopped by Ctrl-C (SIGINT); the last line tells how to continue
  143  the same by SIGTERM";

/// Knowledge distillation: train a small network with the help of a large one.
#[derive(Debug, Parser)]
#[command(
    name = "kd",
    version,
    about,
    arg_required_else_help = true,
    after_help = CONVENTIONS
)]
struct Cli {
    /// Directory of compiled and tuned GPU kernels [default: KD_GPU_CACHE, or kd/gpu in the user's
    /// cache directory]
    #[arg(long, value_name = "DIR", global = true, value_hint = clap::ValueHint::DirPath)]
    gpu_cache: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

// There is one of them in a process: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network on labels alone, for example a teacher.
    Train(train::Args),
    /// Train a student with a teacher.
    Distill(distill::Args),
    /// Train several networks that learn from each other (deep mutual learning).
    Mutual(mutual::Args),
    /// Train a teacher, then a student alone and with several methods, and compare them.
    Compare(compare::Args),
    /// Run a grid of recipes and seeds: a sweep file, or a published table.
    Sweep(sweep::Args),
    /// Tabulate runs next to the published results.
    Table(tables::Args),
    /// Write a commented recipe to start from.
    Init(init::Args),
    /// Print the complete recipe given by a file and flags, or the JSON Schema of recipes.
    Recipe(recipe::Args),
    /// List the recipes of published experiments, or print one.
    Recipes(recipes::Args),
    /// Evaluate a weights file on the test images.
    Eval(eval::Args),
    /// Watch a run or a sweep live, from the files that it writes.
    #[cfg(feature = "watch")]
    Watch(watch::Args),
    /// Plot the training curves of a run, and what was distilled where.
    Plot(plot::Args),
    /// Write an HTML page of results, curves, predictions and cost of runs.
    Report(report::Args),
    /// Show where a run's routing policy distills given images.
    Route(route::Args),
    /// Fold a trained network into its plain form for deployment.
    Deploy(deploy::Args),
    /// Check this build and machine: versions, devices, memory, data, environment.
    Doctor(doctor::Args),
    /// List the devices available to this build on this machine.
    Devices(devices::Args),
    /// Compile and tune a run's GPU kernels ahead of time.
    WarmUp(warm_up::Args),
    /// List the networks, or describe one.
    Models(models::Args),
    /// List the distillation methods, or describe one.
    Methods(methods::Args),
    /// Print a script that completes commands, flags and values in a shell.
    Completions(completions::Args),
    /// Print a manual page, or write those of all commands.
    Man(man::Args),
}

impl Command {
    /// Sets what the flags are laid over.
    fn start_from(&mut self, base: base::Base) {
        match self {
            Self::Train(args) => args.run.base = base,
            Self::Distill(args) => args.flags.run.base = base,
            Self::Recipe(args) => args.flags.run.base = base,
            Self::Mutual(args) => args.run.base = base,
            Self::WarmUp(args) => args.flags.run.base = base,
            // No other command is given one.
            _ => {}
        }
    }
}

/// Runs the command. What goes wrong is one line on standard error.
pub fn main() -> ExitCode {
    // A shell that asks for candidates is answered, and that is all.
    CompleteEnv::with_factory(Cli::command)
        .var(completions::VARIABLE)
        .complete();
    warnings::init();
    parent::end_with_it();
    interrupt::survive_large_files();
    let outcome = command(std::env::args_os().collect());
    let printed = output::failure().map_or(Ok(()), |error| Err(CliError::Output(error)));
    match outcome.and(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error.line());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Carries out the command of these arguments.
fn command(arguments: Vec<OsString>) -> Result<(), CliError> {
    let (arguments, foreign) = base::split(arguments)?;
    let mut cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(CliError::arguments(&error)),
        Err(help) => {
            output::help(&help);
            return Ok(());
        }
    };
    if let Some(foreign) = foreign {
        cli.command.start_from(base::Base::foreign(foreign));
    }
    quiet_device_panics();
    if let Some(folder) = &cli.gpu_cache {
        GpuCache::new(folder).start();
    }
    // A run says the size of its batches itself.
    guard_device(None, || cli.run())
}

impl Cli {
    fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Train(args) => train::run(args),
            Command::Distill(args) => distill::run(args),
            Command::Mutual(args) => mutual::run(args),
            Command::Compare(args) => compare::run(args),
            Command::Sweep(args) => sweep::run(args),
            Command::Table(args) => tables::run(args),
            Command::Init(args) => init::run(args),
            Command::Recipe(args) => recipe::run(args),
            Command::Recipes(args) => recipes::run(&args),
            Command::Eval(args) => eval::run(args),
            #[cfg(feature = "watch")]
            Command::Watch(args) => watch::run(&args),
            Command::Plot(args) => plot::run(args),
            Command::Report(args) => report::run(args),
            Command::Route(args) => route::run(args),
            Command::Deploy(args) => deploy::run(args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Devices(args) => devices::run(&args),
            Command::WarmUp(args) => warm_up::run(args),
            Command::Models(args) => models::run(&args),
            Command::Methods(args) => methods::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => man::run(&args),
        }
    }
}
