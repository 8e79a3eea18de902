//! Knowledge distillation in pure Rust, on Burn.
//!
//! This crate is the door to the workspace; each part can also be had alone:
//!
//! | module | crate | what |
//! |---|---|---|
//! | [`core`] | `kd-core` | networks as stages, features, where a loss acts |
//! | [`losses`] | `kd-losses` | distillation losses on plain tensors |
//! | [`models`] | `kd-models` | networks as stages, weights as safetensors |
//! | [`spot`] | `kd-spot` | where, and for which samples, to distill |
//! | [`data`] | `kd-data` | CIFAR, ImageNet, folders of images, a procedural set, augmentation |
//! | [`train`] | `kd-train` | the training step, runs, recipes |
//! | [`recipes`] | `kd-recipes` | published experiments by name, their figures |
//!
//! ```
//! use kd::models::Architecture;
//! use kd::losses::Method;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! assert_eq!(Architecture::by_name("wrn-40-2")?.name(), "wrn_40_2");
//! assert_eq!(Method::by_name("fitnet")?.name(), "hint");
//! # Ok(())
//! # }
//! ```
//!
//! The `kd` command comes with the feature `cli`, which is on by default: leave it out with
//! `default-features = false, features = ["flex"]`.

pub use kd_core as core;
pub use kd_data as data;
pub use kd_losses as losses;
pub use kd_models as models;
pub use kd_recipes as recipes;
pub use kd_spot as spot;
pub use kd_train as train;
