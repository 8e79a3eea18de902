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
//! Three questions: *what* can be compared in the two networks, what may a step cost, and are
//! parameters of its own welcome?
//!
//! ## Logits
//!
//! They fit any pair of networks with the same classes, and cost next to nothing.
//!
//! | method | the student matches | parameters | when |
//! |---|---|---|---|
//! | `kd` ([`KdLoss`]) | the teacher's probabilities, softened by a temperature | none | first of all; beside every other method |
//! | `dkd` ([`DkdLoss`]) | the same, target and other classes weighted apart | none | confident teachers: what they say of the other classes is lost in `kd` |
//! | `kdrefine` ([`KdRefineLoss`]) | the same after standardising the logits | none | teacher and student of very different scale |
//! | `logits` ([`LogitsRegressionLoss`]) | the logits themselves | none | a small gap between the two |
//! | `dml` ([`DmlLoss`]) | a peer that learns at the same time | none | no trained teacher |
//!
//! ## Maps and vectors, sample by sample
//!
//! They need stages that correspond. Most bring the student's map to the teacher's shape by layers
//! that are trained with it.
//!
//! | method | the student matches | cost | parameters | when |
//! |---|---|---|---|---|
//! | `hint` ([`HintLoss`]) | one map, value by value | a convolution | one convolution | one map is to be followed exactly |
//! | `at` ([`AttentionLoss`]) | where each stage has its energy | a sum over each map | none | same family, thin students |
//! | `nst` ([`NstLoss`]) | which neurons fire together | Gram matrices of the channels | none | channels mean something, their order does not |
//! | `ft` ([`FactorLoss`]) | a compressed form of one map | convolutions on one map | paraphraser, translator | time for a preliminary phase |
//! | `ab` ([`BoundaryLoss`]) | which neurons are active | a comparison | connectors | as a preliminary phase, before training by labels |
//! | `vid` ([`VidLoss`]) | the maps, as far as they can be predicted | 1×1 convolutions on all stages | three a stage | stages differ in what they hold |
//! | `ofd` ([`OfdLoss`]) | maps before the activation, clipped | a connector | one connector (one a stage by `mdistiller`) | teachers that end stages in a ReLU |
//! | `afd` ([`AfdLoss`]) | maps, channels weighted by the teacher | a squeeze of one map | a small network | few channels matter |
//! | `reviewkd` ([`ReviewKdLoss`]) | each stage from all deeper ones | convolutions on all stages | a few a stage | the best of the feature methods, if its cost is affordable |
//! | `semckd` ([`SemCkdLoss`]) | all stages of the teacher, weighted by similarity | convolutions for every pair of stages | many | stages that do not correspond |
//! | `srrl` ([`SrrlLoss`]) | what the teacher's classifier makes of it | one matrix | one matrix and a batch norm | same classes, any architecture |
//!
//! ## Relations
//!
//! They compare how samples, channels or stages relate, so that lengths may differ, and most
//! have no parameters. They need batches of some size.
//!
//! | method | the student matches | cost | parameters | when |
//! |---|---|---|---|---|
//! | `sp` ([`SimilarityLoss`]) | which samples are similar | a Gram matrix of the batch | none | different architectures |
//! | `rkd` ([`RkdLoss`]) | distances and angles between samples | `N³` scalars, in slices | none | metric learning |
//! | `pkt` ([`PktLoss`]) | the distribution of similarities | a Gram matrix of the batch | none | retrieval; different lengths |
//! | `cc` ([`CorrelationLoss`]) | correlations between samples | two matrices | embeddings | a cheap addition |
//! | `irg` ([`IrgLoss`]) | samples, their distances, and how layers change both | distance matrices | none | deep students |
//! | `crd` ([`CrdLoss`]) | which of many samples it is | a product with a bank of all samples | embeddings, banks | the strongest single method of its comparison; training sets that fit a bank |
//! | `fsp` ([`FspLoss`]) | how one stage leads to the next | products of adjacent maps | none | equal channels; preliminary phase |
//! | `kdsvd` ([`KdSvdLoss`]) | singular vectors of the maps | an eigenvector iteration | none | equal channels |
//! | `askd` ([`AskdLoss`]) | similarities of classes and of regions | pooled maps | connectors | strong and weak students alike |
//!
//! ## Gradients of the networks
//!
//! They differentiate the networks with respect to images or maps, and cost further passes.
//!
//! | method | the student matches | cost | when |
//! |---|---|---|---|
//! | `sobolev` ([`SobolevLoss`]) | the gradient with respect to the image | four passes of the student forward, one backward more | small data |
//! | `lwm` ([`LwmLoss`]) | the class activation map | passes through the layers above a map | incremental learning |
//! | `bss` ([`BssLoss`]) | the teacher near its decision boundary | an attack: passes for each of its steps | robustness |
//!
//! - Start with `kd`. It needs nothing but logits, and is hard to beat by a feature method alone
//!   (Tian et al. 2020, <https://arxiv.org/abs/1910.10699>).
//! - Every method can be used together with `kd`: give the divergence of logits a weight beside
//!   the method's own.
//! - If the cross-entropy stops falling, lower the method's weight.
//!
//! The total loss is `ce · cross-entropy + kd · KL divergence + method · term`, with the weights
//! in [`MethodInfo::weights`] unless a recipe says otherwise.
//!
//! # Gates
//!
//! Every method takes a [`Gate`] that chooses the samples to distil, one for each of its spots: the
//! result is that of the chosen samples alone, with shapes that do not depend on the choice and
//! without a read-back from the device. (The cross-entropy inside `kdrefine` is over all samples,
//! and so are batch norms inside the networks that `sobolev`, `lwm` and `bss` run.)
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_losses::{Gate, KdLossConfig};
//!
//! let device = Device::flex();
//! let kd = KdLossConfig::new().init();
//! let student = Tensor::<2>::from_floats([[2.0, 1.0], [0.0, 9.0]], &device);
//! let teacher = Tensor::<2>::from_floats([[1.0, 1.0], [9.0, 0.0]], &device);
//! let first = Gate::new(Tensor::from_floats([1.0, 0.0], &device));
//!
//! let gated = kd.forward_gated(student.clone(), teacher.clone(), &first);
//! let gathered = kd.forward(student.narrow(0, 0, 1), teacher.narrow(0, 0, 1));
//! assert_eq!(gated.into_scalar::<f32>(), gathered.into_scalar::<f32>());
//! ```
//!
//! # Conventions
//!
//! - Losses are `Tensor<1>` of shape `[1]`, averaged over the batch as each method's page says.
//! - The teacher's tensors are constants: no gradient flows into them.
//! - Nothing is read back from the device and no loop runs over samples.
//! - Mistakes in shapes and parameters are [`LossError`]s when a method is initialised. What can
//!   only be seen in a batch (its size, above all) is asserted in `forward`.
//! - Values and gradients are finite for finite features of any batch from one sample up: where a
//!   public implementation divides 0 by 0, the term is 0.
//! - Where public implementations differ, the page of the method says which one it follows.

pub mod adapters;
mod error;
mod features;
mod gate;
mod gradients;
mod huber;
mod info;
mod logits;
mod maps;
mod method;
mod pool;
mod range;
mod relations;
mod setup;
mod step;
mod suggest;
mod surrogate;
#[cfg(test)]
mod testing;

pub use error::LossError;
pub use features::{FeatureShapes, Features};
pub use gate::Gate;
pub use gradients::*;
pub use info::{LossWeights, MethodInfo, Needs, ParameterInfo, Place, Preliminary, Reads};
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
