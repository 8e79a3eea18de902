//! `kd sweep`.

use std::path::{Path, PathBuf};

use clap::{ArgAction, ValueHint};
use kd_recipes::sweep::{
    Cell, CellState, Plan, PlanOptions, Processes, Shard, SweepError, SweepOptions, slurm, sweep,
};
use kd_recipes::table::Tables;
use kd_train::{RunResult, TrainError, check_device_name};
use serde::Serialize;

use super::error::CliError;
use super::flags::{DataFlags, set_device};
use super::sweep_progress::SweepProgress;
use super::{candidates, interrupt, output, table, tables};

/// Flags of `kd sweep`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sweep file in YAML, or published recipes: a name, a prefix such as `sakd-cifar100`, and words
    /// that names must contain
    #[arg(required = true, value_name = "FILE|NAME", add = candidates::studies())]
    what: Vec<String>,
    #[command(flatten)]
    data: DataFlags,
    /// Number of epochs of each run
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Seeds of each run except teachers, for example 0,1,2 [default: the recipe's own]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    seeds: Option<Vec<u64>>,
    /// Set any key of every recipe, for example optimizer.lr=0.1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", add = candidates::assignments())]
    assignments: Vec<String>,
    /// Directory of all runs [default: runs/NAME, by the name of the sweep]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Run up to N cells in parallel, memory permitting; with --devices, on each device
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Divide the cells among these devices, each on one, for example cuda:0,cuda:1
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set, conflicts_with = "device", add = candidates::devices())]
    devices: Option<Vec<String>>,
    /// Run shard K of N of the cells, and the teachers that they need
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    shown: tables::ShownFlag,
    /// List the cells and their state without running anything
    #[arg(long)]
    list: bool,
    /// Print JSON: the outcome of all cells and the tables, or the list
    #[arg(long, conflicts_with = "emit")]
    json: bool,
    /// Print a cluster script with one shard per task, without running anything
    #[arg(long, value_name = "SCHEDULER", conflicts_with_all = ["list", "shard"])]
    emit: Option<Scheduler>,
    /// Number of shards of the script [default: one per cell]
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
    let devices = args.devices.unwrap_or_default();
    check(&devices)?;
    // Recipes name one of them; which one computes a cell is found when it starts.
    set_device(&mut over, devices.first().cloned());
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
        let cells = plan.cells.iter();
        let cells: Vec<_> = cells.map(|cell| ListedCell::of(&out, cell)).collect();
        return output::result(&cells[..], args.json, table::states);
    }
    let outcome = carry_out(&plan, &out, (args.jobs.into(), devices))?;
    output::result(&outcome, args.json, |outcome| {
        tables::of_sweep(&outcome.tables, args.shown)
    })?;
    match outcome.failed.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(CliError::Incomplete {
            failed: outcome.failed.len(),
            cells: outcome.cells,
            first: format!("{}: {}", first.name, first.reason),
        }),
    }
}

/// Whether this build has devices of these names, all of one backend: a run may go on on another.
fn check(devices: &[String]) -> Result<(), CliError> {
    for name in devices {
        check_device_name(name)?;
    }
    let backend = |name: &String| name.split(':').next().map(str::to_owned);
    let same = |pair: &[String]| backend(&pair[0]) == backend(&pair[1]);
    match devices.windows(2).all(same) {
        true => Ok(()),
        false => Err(CliError::from(TrainError::Device(format!(
            "--devices {}: expected devices of one backend",
            devices.join(",")
        )))),
    }
}

/// What a sweep came to.
#[derive(Serialize)]
struct Outcome {
    out: PathBuf,
    /// Numbers of cells.
    cells: usize,
    complete: usize,
    failed: Vec<FailedCell>,
    #[serde(flatten)]
    tables: Tables,
}

/// A cell that failed, and why.
#[derive(Serialize)]
struct FailedCell {
    name: String,
    reason: String,
}

/// A cell and how far it is.
#[derive(Serialize)]
pub struct ListedCell {
    pub name: String,
    state: &'static str,
    /// Epochs that are complete, and all, while it is on the way.
    epoch: Option<usize>,
    epochs: usize,
    reason: Option<String>,
    result: Option<Box<RunResult>>,
    #[serde(skip)]
    pub text: String,
}

impl ListedCell {
    fn of(out: &Path, cell: &Cell) -> Self {
        let state = CellState::of(out, cell);
        let mut listed = Self {
            name: cell.name.clone(),
            state: "not_started",
            epoch: None,
            epochs: cell.recipe.train.epochs.unwrap_or_default(),
            reason: None,
            result: None,
            text: state.to_string(),
        };
        match state {
            CellState::NotStarted => {}
            CellState::Running { epoch, .. } => {
                (listed.state, listed.epoch) = ("running", Some(epoch));
            }
            CellState::Stopped { epoch, .. } => {
                (listed.state, listed.epoch) = ("stopped", Some(epoch));
            }
            CellState::Failed(reason) => {
                (listed.state, listed.reason) = ("failed", Some(reason));
            }
            CellState::TeacherFailed(_) => {
                (listed.state, listed.reason) = ("teacher_failed", Some(listed.text.clone()));
            }
            CellState::Complete(result) => {
                (listed.state, listed.result) = ("complete", Some(result));
            }
        }
        listed
    }
}

fn carry_out(
    plan: &Plan,
    out: &Path,
    (jobs, devices): (usize, Vec<String>),
) -> Result<Outcome, CliError> {
    let program = std::env::current_exe().map_err(|source| SweepError::Io {
        path: PathBuf::from("kd"),
        source,
    })?;
    let options = SweepOptions {
        out: out.to_owned(),
        jobs,
        devices,
    };
    let mut progress = SweepProgress::new(plan.cells.len());
    interrupt::watch();
    let report = sweep(plan, &options, &mut Processes::of(program), &mut progress);
    progress.finish();
    let report = report?;
    let failed = report.failed.into_iter();
    Ok(Outcome {
        out: out.to_owned(),
        cells: plan.cells.len(),
        complete: report.complete,
        failed: failed
            .map(|(name, reason)| FailedCell { name, reason })
            .collect(),
        tables: Tables::read(&[out.to_owned()])?,
    })
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
