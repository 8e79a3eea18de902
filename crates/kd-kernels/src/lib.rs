//! Layers with the semantics of PyTorch, shared by the networks and the adapters of `kd`, and fast
//! kernels for Burn's `flex` backend.
//!
//! Burn's own layers are used wherever they agree with PyTorch; a layer is here because the
//! difference shows in the numbers of a distillation run. See [`BatchNorm`].
//!
//! On the CPU, convolutions and batch norms take most of a training step. [`conv2d`],
//! [`BatchNorm`] and [`max_pool2d`] compute them by kernels of this crate where these serve: f32
//! tensors on `flex`. Elsewhere, and after [`set_enabled(false)`](set_enabled), Burn's own
//! operations do. The feature `allocator` adds an `Allocator` that keeps its memory, which takes up
//! to a third off a training step.

mod activation;
#[cfg(feature = "allocator")]
mod allocator;
mod batch_norm;
mod conv;
mod mix;
#[cfg(feature = "flex")]
mod native;
mod pool;
mod switch;

pub use activation::Activation;
#[cfg(feature = "allocator")]
pub use allocator::{Allocator, keep_memory};
pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use conv::{conv2d, conv2d_layer, conv2d_options, conv2d_with};
pub use mix::mix;
pub use pool::max_pool2d;
pub use switch::{enabled, serves, set_enabled, signature};
