//! `kd sweep`.

use std::path::{Path, PathBuf};

use clap::ArgAction;
use kd_recipes::sweep::{
    CellState, Plan, PlanOptions, Processes, Shard, SweepError, SweepOptions, slurm, sweep,
};

use super::error::CliError;
use super::flags::DataFlags;
use super::sweep_progress::SweepProgress;
use super::{interrupt, output, table, tables};

/// Flags of `kd sweep`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A sweep file in YAML, or published recipes: a name, its beginning as in `sakd-cifar100`, and
    /// words that the names must have
    #[arg(required = true, value_name = "FILE|NAME")]
    what: Vec<String>,
    #[command(flatten)]
    data: DataFlags,
    /// Number of epochs of every run
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Seeds of every run but those of teachers, for example 0,1,2 [default: the recipe's own]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    seeds: Option<Vec<u64>>,
    /// Set any key of every recipe, for example optimizer.lr=0.1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// Folder of all runs [default: runs/…]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run up to N cells at once, as far as memory allows
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Run part K of N of the cells, and the teachers that they need
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    shown: tables::ShownFlag,
    /// List the cells and how far they are, and run nothing
    #[arg(long)]
    list: bool,
    /// Print a script for a cluster, one shard a task, and run nothing
    #[arg(long, value_name = "SCHEDULER", conflicts_with_all = ["list", "shard"])]
    emit: Option<Scheduler>,
    /// Number of shards of the script [default: one a cell]
    #[arg(long, value_name = "N", requires = "emit", value_parser = clap::value_parser!(u32).range(1..))]
    shards: Option<u32>,
}

/// Schedulers of clusters.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Scheduler {
    /// A job array of Slurm.
    Slurm,
}

pub fn run(args: Args) -> Result<(), CliError> {
    let name = name(&args.what);
    let out = args
        .out
        .unwrap_or_else(|| PathBuf::from("runs").join(&name));
    let mut over = args.data.overlay();
    over.set_some("train.epochs", args.epochs);
    let options = PlanOptions {
        out: out.clone(),
        over,
        assignments: args.assignments,
        seeds: args.seeds,
    };
    let plan = plan(&args.what, &options)?;
    if let Some(Scheduler::Slurm) = args.emit {
        let wanted = plan.cells.iter().filter(|cell| cell.wanted).count();
        let shards = args.shards.map_or(wanted, |shards| shards as usize).max(1);
        output::text(&slurm(&format!("kd-{name}"), &arguments()?, shards));
        return Ok(());
    }
    let plan = match args.shard {
        Some(shard) => plan.shard(shard),
        None => plan,
    };
    if args.list {
        let states = plan.cells.iter();
        let states: Vec<_> = states
            .map(|cell| (cell.name.as_str(), CellState::of(&out, cell).to_string()))
            .collect();
        output::text(&table::states(&states));
        return Ok(());
    }
    carry_out(&plan, &out, args.jobs.into(), args.shown)
}

fn carry_out(
    plan: &Plan,
    out: &Path,
    jobs: usize,
    shown: tables::ShownFlag,
) -> Result<(), CliError> {
    let program = std::env::current_exe().map_err(|source| SweepError::Io {
        path: PathBuf::from("kd"),
        source,
    })?;
    let options = SweepOptions {
        out: out.to_owned(),
        jobs,
    };
    let mut progress = SweepProgress::new(plan.cells.len());
    interrupt::watch();
    let report = sweep(plan, &options, &mut Processes::of(program), &mut progress);
    progress.finish();
    let report = report?;
    output::text(&tables::of_sweep(out, shown)?);
    match report.failed.as_slice() {
        [] => Ok(()),
        [(name, reason), ..] => Err(CliError::Incomplete {
            failed: report.failed.len(),
            cells: plan.cells.len(),
            first: format!("{name}: {reason}"),
        }),
    }
}

fn plan(what: &[String], options: &PlanOptions) -> Result<Plan, CliError> {
    Ok(match what {
        [file] if is_file(file) => Plan::by_file(Path::new(file), options)?,
        names => Plan::by_names(names, options)?,
    })
}

/// A name with the ending of YAML is a file, there or not.
fn is_file(name: &str) -> bool {
    let ending = Path::new(name).extension();
    ending.is_some_and(|ending| ending == "yaml" || ending == "yml") || Path::new(name).is_file()
}

/// What the sweep is called.
fn name(what: &[String]) -> String {
    match what {
        [file] if is_file(file) => {
            let stem = Path::new(file).file_stem();
            stem.map_or_else(|| "sweep".to_owned(), |stem| stem.to_string_lossy().into())
        }
        names => names.join("-"),
    }
}

/// The arguments of this process, without those about the script.
fn arguments() -> Result<Vec<String>, CliError> {
    let mut arguments = Vec::new();
    let mut given = std::env::args_os().skip(1);
    while let Some(argument) = given.next() {
        let argument = argument.into_string();
        let argument = argument.map_err(|path| CliError::NotText("--emit", path.into()))?;
        match argument.as_str() {
            "--emit" | "--shards" => {
                given.next();
            }
            other if other.starts_with("--emit=") || other.starts_with("--shards=") => {}
            _ => arguments.push(argument),
        }
    }
    Ok(arguments)
}
