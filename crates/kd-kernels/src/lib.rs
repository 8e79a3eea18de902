//! Layers with the semantics of PyTorch, shared by the networks and the adapters of `kd`.
//!
//! Burn's own layers are used wherever they agree with PyTorch; a layer is here because the
//! difference shows in the numbers of a distillation run. See [`BatchNorm`].

mod batch_norm;

pub use batch_norm::{BatchNorm, BatchNormConfig};
