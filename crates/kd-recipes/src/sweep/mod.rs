//! Many runs: a matrix of recipes and seeds, carried out cell by cell.

mod cell;
mod draft;
mod error;
mod file;
mod folder;
mod launcher;
mod memory;
mod overview;
mod plan;
mod run;
mod shard;
mod state;

pub(crate) use cell::UNNAMED;
pub use cell::{Cell, Labels, planned};
pub use error::SweepError;
pub(crate) use folder::SweepFolder;
pub use launcher::{InProcess, Launcher, Order, PARENT, Processes, Running};
pub use overview::{CellProgress, Overview, time_left};
pub use plan::{Plan, PlanOptions};
pub use run::{SilentSweep, SweepObserver, SweepOptions, SweepReport, sweep};
pub use shard::{Shard, quoted, slurm};
pub use state::CellState;
