//! Runs of knowledge distillation as one HTML page.
//!
//! - [`Report`] reads the folders of runs, asks their networks about the test images, and writes a page
//!   that opens without a network: tables, curves, routing, predictions, cost and recipes.
//! - [`analysis`] has the numbers of the page for any [`Predictions`](analysis::Predictions):
//!   calibration, confusion, agreement, correlation, embedding.
//! - [`figures`] draws curves and heat-maps as SVG and PNG files.
//!
//! ```
//! use kd_report::analysis::{Predictions, calibration};
//!
//! # fn main() -> Result<(), kd_report::ReportError> {
//! // Two images of two classes: once right, once wrong, with the same confidence of 3/4.
//! let logits = vec![3f32.ln(), 0.0, 3f32.ln(), 0.0];
//! let predictions = Predictions::new(logits, vec![0, 1], 2)?;
//! assert_eq!(predictions.accuracy(), 0.5);
//! assert!((calibration(&predictions, 15).error - 0.25).abs() < 1e-6);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! One feature a backend: `flex` (default), `ndarray`, `cuda`, `wgpu`.

#![warn(missing_docs)]

pub mod analysis;
mod error;
pub mod figures;
mod html;
mod networks;
mod report;
mod runs;

pub use error::ReportError;
pub use report::{Report, ReportOptions};

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
