//! Knowledge distillation losses for Burn: plain tensors in, one loss out.
//!
//! A small network, the *student*, is trained to follow a large one, the *teacher*. Each method
//! here says what is to be followed. No method knows any network: it reads logits and feature
//! maps, from whatever network they come.
//!
//! # One loss in your own loop
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_losses::KdLossConfig;
//!
//! let device = Device::flex();
//! let kd = KdLossConfig::new().with_temperature(4.0).init();
//!
//! // The student is trained, so its logits are on an autodiff device; the teacher's are plain.
//! let student = Tensor::<2>::from_floats([[2.0, 1.0, 0.1]], &device.clone().autodiff())
//!     .require_grad();
//! let teacher = Tensor::<2>::from_floats([[3.0, 0.5, 0.2]], &device);
//!
//! let loss = kd.forward(student.clone(), teacher);
//! let grads = loss.backward();
//! assert!(student.grad(&grads).is_some());
//! ```
//!
//! # A method by its name
//!
//! [`Method`] is the registry: it reads from a recipe, describes itself, and checks the shapes of
//! both networks before training starts. Methods with adapters hold parameters that are trained
//! together with the student: put the [`MethodLoss`] into the module that the optimiser steps.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_losses::{Features, Method, Setup, Step};
//!
//! # fn main() -> Result<(), kd_losses::LossError> {
//! let device = Device::flex();
//! let features = |channels| Features {
//!     maps: vec![Tensor::ones([2, channels, 8, 8], &device); 4],
//!     preact: Vec::new(),
//!     pooled: Tensor::ones([2, channels], &device),
//!     logits: Tensor::ones([2, 10], &device),
//! };
//! let (student, teacher) = (features(16), features(64));
//!
//! let setup = Setup::new(student.shapes(), teacher.shapes());
//! let method = Method::by_name("at")?.init(&setup, &device)?;
//! assert!(method.forward(&Step::new(&student, &teacher)).is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # Which method
//!
//! | method | what the student follows | cost of a step, beside the teacher's | learned adapters | asks for |
//! |---|---|---|---|---|
//! | `kd` ([`KdLoss`]) | the teacher's probabilities, softened by a temperature | none | none | the same classes |
//! | `hint` ([`HintLoss`]) | the values of one map | a convolution over that map, forward and backward | one convolution and batch norm | a stage that means the same in both networks |
//! | `at` ([`AttentionLoss`]) | where each stage has its energy | a square and a sum over each map | none | the same number of stages; channels and sizes may differ |
//!
//! - Start with `kd`. It needs nothing but logits, fits any pair of networks, and is hard to beat
//!   by a feature method alone (Tian et al. 2020, <https://arxiv.org/abs/1910.10699>).
//! - Take `at` with networks of the same family, where stages correspond. It adds no parameters
//!   and works for thin students, because channels are summed away.
//! - Take `hint` where one map is to be followed exactly. It asks much of a student that is far
//!   smaller than the teacher: lower its weight if the cross-entropy stops falling.
//! - Every method can be used together with `kd`: give the divergence of logits a weight beside
//!   the method's own.
//!
//! The total loss is `ce · cross-entropy + kd · KL divergence + method · term`, with the weights
//! in [`MethodInfo::weights`] unless a recipe says otherwise.
//!
//! # Conventions
//!
//! - Losses are `Tensor<1>` of shape `[1]`, averaged over the batch as each method's page says.
//! - The teacher's tensors are constants: no gradient flows into them.
//! - Nothing is read back from the device and no loop runs over samples.
//! - Mistakes in shapes and parameters are [`LossError`]s when a method is initialised. What can
//!   only be seen in a batch (its size, above all) is asserted in `forward`.
//! - Where public implementations differ, the page of the method says which one it follows.

pub mod adapters;
mod error;
mod features;
mod gate;
mod gradients;
mod info;
mod logits;
mod maps;
mod method;
mod pool;
mod relations;
mod setup;
mod step;
mod suggest;

pub use error::LossError;
pub use features::{FeatureShapes, Features};
pub use gate::Gate;
pub use gradients::*;
pub use info::{DefaultWeights, MethodInfo, Needs, ParameterInfo, Preliminary};
pub use logits::*;
pub use maps::*;
pub use method::{Method, MethodLoss};
pub use relations::*;
pub use setup::{Classifier, NormAffine, Setup};
pub use step::{Step, Upper};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
