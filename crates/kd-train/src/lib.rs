//! Recipes, the training step, runs and their records for knowledge distillation on Burn.
//!
//! Three layers, each usable without the one above:
//!
//! - [`DistillTask`]: a student, a teacher, the terms of a loss, routing and optimizer, with
//!   [`step`](DistillTask::step) and [`evaluate`](DistillTask::evaluate). For networks and losses of
//!   any kind, in a loop of your own, or in Burn's learner (feature `learner`).
//! - [`run`] and [`run_with`]: the loop, with phases, checkpoints, exact continuation and records.
//! - [`Recipe`]: everything that a run depends on, as one value with sections, which files, flags
//!   and assignments are laid over ([`Overlay`]).
//!
//! ```
//! use kd_train::{NoopObserver, Recipe, RunOptions};
//!
//! # fn main() -> Result<(), kd_train::TrainError> {
//! let mut recipe = Recipe::new("resnet8".parse()?);
//! recipe.data.limit_train = Some(64);
//! recipe.data.limit_test = Some(32);
//! recipe.train.epochs = Some(1);
//! let recipe = recipe.resolved()?;
//! let folder = tempfile::tempdir().map_err(|error| kd_train::TrainError::io("", error))?;
//! let options = RunOptions::new(folder.path().join("run"));
//! let result = kd_train::run(&recipe, &options, &mut NoopObserver)?;
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
//! | `peer-2.safetensors`, … | the last weights of further networks, if they learn from each other |
//! | `student-best.safetensors` | the weights of the best epoch; also of further networks |
//! | `events.out.tfevents.*` | the same for TensorBoard, with histograms of the weights and the recipe's main numbers |
//! | `progress.json` | how far the epoch is ([`RunProgress`]), while a process is at it |
//! | `checkpoint/` | everything that a continuation needs |
//! | `.lock` | whether a process is at it |

mod cache;
pub mod compare;
mod device;
mod error;
mod metrics;
mod non_finite;
mod recipe;
mod route;
mod run;
mod task;
mod yaml;

pub use cache::{CachePlace, CacheReport, TeacherCache, TeacherCacheConfig};
pub use device::{
    DeviceInfo, GPU_CACHE_VARIABLE, GpuCache, KernelWatch, check_device_name, compiled_devices,
    default_device, default_gpu_cache, device_by_name, devices, gpu_name, guard_device,
    quiet_device_panics,
};
pub use error::TrainError;
pub use metrics::{EpochMetrics, NamedValues, PeerMetrics, TestMetrics, TrainMetrics};
pub use non_finite::{Moment, NonFinite, Origin};
pub use recipe::{
    ComputeConfig, DataConfig, DataSource, Difference, Dtype, GraphMode, OneOrMany, Overlay,
    Precision, Recipe, Schedule, SchedulerConfig, SchedulerName, Shorthand, StudentConfig,
    TeacherConfig, TrainConfig,
};
pub use route::{RouteReport, RoutedImage, route};
pub use run::{
    EvaluatedOn, NoopObserver, Observer, Parts, PeerResult, PretrainEpoch, Resume, RoutingRecord,
    RunHistory, RunOptions, RunProgress, RunResult, RunStart, RunState, Setting, StepProgress,
    TeacherStart, Trained, heat_color, load_teacher, load_teachers, run, run_with, subfolders,
    warm_up, warn_of_other_data,
};
#[cfg(feature = "learner")]
pub use task::BatchLoader;
pub use task::{
    Average, DataInfo, DeviceSteps, DistillModel, DistillTask, Ema, EnsembleConfig, FrozenTeacher,
    Losses, NotRecorded, OptimizerConfig, OptimizerName, PeerOutput, Rates, StepOutput, TaskConfig,
    evaluate, rank_of_labels,
};
pub use yaml::{from_yaml, one_line};
