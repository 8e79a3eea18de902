//! Published distillation experiments as recipes by name, with the figures that were published.
//!
//! - [`recipe`] and [`select`] find recipes; [`recipes`] has all of them. They are generated from one
//!   table of protocols, pairs and methods a study (`data/studies.yaml`).
//! - [`foreign`] reads the files and command lines of those repositories.
//! - [`sweep`] runs many of them: plans, locks, failures, shards.
//! - [`table`] compares runs, and what was published.
//! - [`published`] has the figures of the papers and their repositories.
//!
//! ```
//! use kd_recipes::recipe;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cell = recipe("sakd-cifar100-resnet56-resnet20-at")?;
//! assert_eq!(cell.overlay().recipe()?.optimizer.lr, Some(0.05));
//! assert_eq!(cell.needs.map(|teacher| teacher.recipe).as_deref(), Some("sakd-cifar100-resnet56"));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! One feature a backend: `flex` (default), `ndarray`, `cuda`, `wgpu`.

#![warn(missing_docs)]

mod catalog;
mod error;
pub mod foreign;
mod published;
mod shorten;
pub mod sweep;
pub mod table;

pub use catalog::{NamedRecipe, Needs, Report, StudyInfo, recipe, recipes, select, studies};
pub use error::RecipesError;
pub use published::{Published, published};
pub use shorten::shorten;
