//! Layers with the semantics of PyTorch, shared by the networks and the adapters of `kd`.
//!
//! Burn's own layers are used wherever they agree with PyTorch; a layer is here because the
//! difference shows in the numbers of a distillation run, see [`BatchNorm`], or because it is
//! computed by `kd-kernels` where these kernels serve: f32 tensors on `flex`, and some of it on GPUs.
//! Elsewhere, and after
//! [`kd_kernels::set_enabled(false)`](kd_kernels::set_enabled), Burn's own operations compute it.

mod activation;
mod batch_norm;
mod conv;
mod loss;
mod mix;
mod pool;
mod random;

pub use activation::Activation;
pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use conv::{conv2d, conv2d_layer, conv2d_options, conv2d_with};
pub use loss::{cross_entropy, divergence};
pub use mix::mix;
pub use pool::max_pool2d;
pub use random::{Draws, uniform};

/// Keeps the example of the README compiling.
#[cfg(all(doctest, feature = "flex"))]
#[doc = include_str!("../README.md")]
struct Readme;
