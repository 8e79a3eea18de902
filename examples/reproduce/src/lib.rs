//! A published table, trained again: recipes by name, carried out by the library, and a table with the
//! published figures beside.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use kd::recipes::sweep::{Cell, InProcess, Plan, PlanOptions, SweepObserver, SweepOptions, sweep};
use kd::recipes::table::{Format, TableOptions, Tables};
use kd::train::{Overlay, RunResult};

/// What the examples are asked for.
#[derive(Debug, Parser)]
struct Arguments {
    /// Words that the names of the recipes must have, such as resnet56 or adaptive: a part of the table
    words: Vec<String>,
    /// Folder of the data set
    #[arg(long)]
    root: Option<PathBuf>,
    /// Epochs of every run, with schedules in proportion [default: the published number]
    #[arg(long)]
    epochs: Option<usize>,
    /// Use the first N training images
    #[arg(long)]
    limit_train: Option<usize>,
    /// Use the first N test images
    #[arg(long)]
    limit_test: Option<usize>,
    /// Seeds, for example 0,1,2 [default: the recipe's own]
    #[arg(long, value_delimiter = ',')]
    seeds: Option<Vec<u64>>,
    /// Folder of all runs
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Trains the recipes whose names begin so, or those of them that the command line asks for, and
/// prints their table. Runs that are complete are taken over, and stopped ones continued.
///
/// # Errors
///
/// If the command line, the data or a recipe is wrong, or if a run fails.
// An example prints.
#[allow(clippy::print_stdout)]
pub fn reproduce(table: &str) -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let out = arguments
        .out
        .unwrap_or_else(|| PathBuf::from("runs").join(table));
    let mut over = Overlay::default();
    over.set_some("data.root", arguments.root);
    over.set_some("data.limit_train", arguments.limit_train);
    over.set_some("data.limit_test", arguments.limit_test);
    over.set_some("train.epochs", arguments.epochs);
    let options = PlanOptions {
        out: out.clone(),
        over,
        seeds: arguments.seeds,
        ..PlanOptions::default()
    };
    let words = std::iter::once(table.to_owned()).chain(arguments.words);
    let plan = Plan::by_names(&words.collect::<Vec<_>>(), &options)?;
    println!("{} runs in {}", plan.cells.len(), out.display());
    let options = SweepOptions {
        out: out.clone(),
        jobs: 1,
        devices: Vec::new(),
    };
    let report = sweep(&plan, &options, &mut InProcess, &mut Printed)?;
    let tables = Tables::read(&[out])?;
    println!("{}", tables.render(Format::Text, &TableOptions::default()));
    match report.failed.first() {
        Some((name, reason)) => Err(format!("{name}: {reason}").into()),
        None => Ok(()),
    }
}

/// Says what is trained.
struct Printed;

impl SweepObserver for Printed {
    #[allow(clippy::print_stdout)]
    fn ended(&mut self, cell: &Cell, result: Result<&RunResult, &str>) {
        match result {
            Ok(result) => println!("{}: {:.2} %", cell.name, result.last_top1),
            Err(reason) => println!("{}: {reason}", cell.name),
        }
    }
}
