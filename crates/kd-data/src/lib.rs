//! Image sets for knowledge distillation, and batches of them on a [Burn](burn) device.
//!
//! * [`ImageSet`] holds labeled RGB images as bytes, [`Splits`] one set to train and one to test.
//! * [`Cifar`] reads CIFAR-10 and CIFAR-100, binary or for Python.
//! * [`ImageFiles`] reads Tiny-ImageNet, ImageNet, and any folder with a folder for each class, held in
//!   memory or decoded batch by batch.
//! * [`ProceduralConfig`] draws a data set that needs no download, as difficult as one likes.
//! * [`Loader`] turns a set into batches. Images travel as bytes; [`Augmentation`] and
//!   normalization are tensor operations on the device.
//!
//! All randomness is keyed by `(seed, epoch, image)`: the same configuration gives the same
//! batches, whatever the number of worker threads, and any epoch can be replayed. As crop and flip
//! show an image in finitely many ways, a batch says which one it used ([`Batch::views`]), so that
//! outputs of a fixed network can be kept by `(image, view)`.
//!
//! # Example
//!
//! ```
//! use burn::tensor::Device;
//! use kd_data::{Loader, LoaderConfig, ProceduralConfig};
//!
//! let config = ProceduralConfig {
//!     train: 20,
//!     test: 10,
//!     ..Default::default()
//! };
//! let loader = Loader::new(config.generate()?.train, LoaderConfig::train(8, 42))?;
//!
//! let device = Device::default();
//! let sizes: Vec<_> = loader
//!     .epoch(0, &device)
//!     .map(|batch| batch.images.dims())
//!     .collect();
//! assert_eq!(sizes, [[8, 3, 32, 32], [8, 3, 32, 32], [4, 3, 32, 32]]);
//! # Ok::<(), kd_data::DataError>(())
//! ```
//!
//! # Features
//!
//! One feature a backend: `flex` (default), `ndarray`, `cuda`, `wgpu`. `download` fetches public
//! archives.

#![warn(missing_docs)]

mod augment;
mod checks;
mod cifar;
mod dataset;
#[cfg(feature = "download")]
mod download;
mod error;
mod files;
mod loader;
mod normalization;
mod picture;
mod procedural;
mod stream;
mod view;

pub use augment::{Augmentation, Padding};
pub use cifar::{Cifar, Limits};
pub use dataset::{ImageSet, Splits};
#[cfg(feature = "download")]
pub use download::Archive;
pub use error::{DataError, printable};
pub use files::ImageFiles;
pub use loader::{Batch, Epoch, Loader, LoaderConfig, Resident};
pub use normalization::Normalization;
pub use procedural::{Difficulty, ProceduralConfig};
pub use view::View;

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
