//! Recipes, the training loop, checkpoints and run records for knowledge distillation on Burn.
//!
//! A [`Recipe`] says everything that a run depends on. [`run`] carries it out in a folder of its
//! own: frozen teacher, student, weighted loss parts (`ce`, `kd`, `method`), SGD with PyTorch's
//! semantics, a checkpoint after every epoch. A run that was stopped at any moment continues to
//! the same numbers.
//!
//! ```
//! use kd_train::{Draft, RunOptions, Silent};
//!
//! # fn main() -> Result<(), kd_train::TrainError> {
//! let recipe = Draft {
//!     student: Some("resnet8".parse()?),
//!     limit_train: Some(64),
//!     limit_test: Some(32),
//!     epochs: Some(1),
//!     ..Draft::default()
//! }
//! .finish()?;
//! let folder = tempfile::tempdir().map_err(|error| kd_train::TrainError::io("", error))?;
//! let options = RunOptions::new(folder.path().join("run"));
//! let result = kd_train::run(&recipe, &options, &mut Silent)?;
//! assert_eq!(result.epochs, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # A run's folder
//!
//! | file | content |
//! |---|---|
//! | `recipe.yaml` | the complete recipe: repeating it repeats the run |
//! | `metrics.jsonl` | one object an epoch ([`EpochMetrics`]) |
//! | `routing.json` | what was distilled where ([`RoutingRecord`]), if samples are chosen |
//! | `result.json` | the outcome ([`RunResult`]), once the run is complete |
//! | `student.safetensors` | the last weights, with PyTorch's keys |
//! | `teacher.safetensors` | the teacher, with batch norms folded, if it was trained too |
//! | `student-best.safetensors` | the weights of the best epoch |
//! | `events.out.tfevents.*` | the same numbers for TensorBoard |
//! | `checkpoint/` | everything that a continuation needs |

mod alignment;
mod batch_loss;
mod cache;
mod checkpoint;
pub mod compare;
mod data;
mod device;
mod error;
mod evaluate;
mod events;
mod files;
mod folder;
mod history;
mod learner;
mod memory;
mod metrics;
mod observer;
mod recipe;
mod result;
mod routing;
mod run;
mod schedule;
mod statistics;
mod tally;
mod teacher;

pub use batch_loss::{BatchLoss, batch_loss};
pub use cache::{CachePlace, CacheReport, TeacherCache, TeacherCacheConfig};
pub use data::DataSource;
pub use device::{compiled_devices, default_device, device_by_name};
pub use error::TrainError;
pub use evaluate::{evaluate, rank_of_labels};
pub use history::RunHistory;
pub use kd_spot::features_for_losses;
pub use learner::{Learner, sgd};
pub use metrics::{EpochMetrics, TestMetrics, TrainMetrics};
pub use observer::{Observer, PreliminaryEpoch, RunStart, Silent, StepProgress};
pub use recipe::{Draft, Recipe};
pub use result::RunResult;
pub use routing::{Agent, RouteReport, RoutedImage, RoutingCuts, RoutingRecord, route};
pub use run::{RunOptions, run};
pub use schedule::learning_rate;
pub use teacher::{Differentiable, FrozenTeacher};
