//! Kernels for Burn's `flex` backend, with their gradients (convolution, batch norm, max pooling and
//! mixing), and for its GPU backends (batch norm and updates of parameters).
//!
//! On the CPU, convolutions and batch norms take most of a training step. The kernels serve f32
//! tensors on `flex`, plain or autodiff; [`serves`] tells whether they serve a tensor, and
//! [`set_enabled(false)`](set_enabled) makes it say no. The layers in `kd-nn` ask it and take Burn's
//! own operations otherwise; whoever calls a kernel directly has to ask it too.
//!
//! A result depends on the inputs and on the instructions of the machine (see [`signature`]), but not
//! on the number of threads.

#[cfg(feature = "flex")]
mod arch;
mod assign;
#[cfg(feature = "flex")]
mod backend;
#[cfg(feature = "flex")]
mod buffer;
#[cfg(feature = "flex")]
pub mod conv;
mod device;
#[cfg(feature = "cube")]
pub mod gpu;
mod graph;
#[cfg(all(test, feature = "flex"))]
mod guard;
mod many;
#[cfg(feature = "flex")]
pub mod mix;
#[cfg(feature = "flex")]
pub mod norm;
pub mod optim;
#[cfg(any(feature = "flex", feature = "cube"))]
mod optional;
#[cfg(feature = "flex")]
pub mod pool;
mod precision;
#[cfg(any(feature = "flex", feature = "cube"))]
mod record;
#[cfg(feature = "flex")]
mod relu;
mod switch;
#[cfg(feature = "flex")]
mod tensors;

#[cfg(feature = "flex")]
pub use arch::vector_lanes;
pub use assign::{assign, assign_int};
pub use device::{is_cpu, is_flex, is_gpu};
pub use graph::{Graph, GraphError};
pub use precision::{bf16, set_bf16};
pub use switch::{enabled, serves, serves_gpu, set_enabled, signature};

/// Keeps the example of the README compiling.
#[cfg(all(doctest, feature = "flex"))]
#[doc = include_str!("../README.md")]
struct Readme;
