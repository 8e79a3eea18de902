//! Knowledge distillation losses for Burn: plain tensors in, one loss out.
//!
//! Every loss can be used alone in a training loop of your own; it knows nothing of models or
//! trainers:
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use kd_losses::KdLossConfig;
//!
//! let device = Device::default();
//! let student = Tensor::<2>::random([8, 10], Distribution::Default, &device.clone().autodiff());
//! let teacher = Tensor::<2>::random([8, 10], Distribution::Default, &device);
//!
//! let kd = KdLossConfig::new().with_temperature(4.0).init();
//! let loss = kd.forward(student, teacher); // add it to your own loss
//! let gradients = loss.backward();
//! ```
//!
//! A teacher belongs outside the graph: run it in evaluation form on plain tensors and hand its
//! outputs over as they are.
//!
//! # Which method
//!
//! | method | matches | parameters of its own | cost | works when |
//! |---|---|---|---|---|
//! | [`KdLoss`] (`kd`) | logits | none | negligible | always a good start; weak for few classes |
//! | [`HintLoss`] (`hint`) | one feature map | a convolution and batch norm | one convolution | teacher and student have maps of similar meaning in the middle |
//! | [`AttentionLoss`] (`at`) | where each stage looks | none | a sum over channels | both have the same stages; maps may differ in channels and size |
//!
//! The registry is [`Method`]: what a recipe or a command line names, and how it is built for the
//! shapes of two networks.

mod adapters;
mod attention;
mod cross_entropy;
mod error;
mod features;
mod hint;
mod kd;
mod method;

pub use adapters::{Regressor, RegressorConfig, RegressorConv};
pub use attention::{AttentionConfig, AttentionConvention, AttentionLoss};
pub use cross_entropy::cross_entropy;
pub use error::LossError;
pub use features::{FeatureShapes, Features};
pub use hint::{Hint, HintConfig, HintLoss};
pub use kd::{KdConfig, KdLoss, KdLossConfig};
pub use method::{DefaultWeights, Method, MethodInfo, MethodLoss, ParameterInfo};
