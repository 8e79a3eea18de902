//! Knowledge distillation losses for Burn: plain tensors in, one loss out.
//!
//! A small network, the *student*, is trained to follow a large one, the *teacher*. Each method
//! here says what is to be followed. No method knows any network: it reads logits and feature
//! maps, from whatever network they come.
//!
//! | group | what is compared |
//! |---|---|
//! | [`logits`] | logits: any pair of networks with the same classes |
//! | [`maps`] | feature maps and vectors, sample by sample |
//! | [`relations`] | how samples, channels, regions or stages relate |
//! | [`gradients`] | gradients of the networks with respect to images or maps |
//! | [`adapters`] | the layers between both networks that some of these losses train |
//!
//! The page of a group says which of its methods to choose. Every method is called the same
//! everywhere: `at` in a recipe is [`Method::At`], [`maps::AtLossConfig`] and [`maps::AtLoss`].
//!
//! # One loss in your own loop
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_losses::logits::KdLossConfig;
//!
//! # fn main() -> Result<(), kd_losses::LossError> {
//! let device = Device::flex();
//! let kd = KdLossConfig::new().with_temperature(4.0).init()?;
//!
//! // The student is trained, so its logits are on an autodiff device; the teacher's are plain.
//! let student = Tensor::<2>::from_floats([[2.0, 1.0, 0.1]], &device.clone().autodiff())
//!     .require_grad();
//! let teacher = Tensor::<2>::from_floats([[3.0, 0.5, 0.2]], &device);
//!
//! let loss = kd.forward(student.clone(), teacher);
//! let grads = loss.backward();
//! assert!(student.grad(&grads).is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # A method by its name
//!
//! [`Method`] is the registry: it reads from a recipe, describes itself, and checks the shapes of
//! both networks before training starts. A training loss is a list of weighted methods, each a
//! [`TermConfig`]. Methods with adapters hold parameters that are trained together with the
//! student: put the [`Term`]s into the module that the optimizer steps.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_losses::{Features, Method, Setup, Step, TermConfig};
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
//! let at = TermConfig::<Method>::new(Method::by_name("at")?, 1000.0).init(&setup, &device)?;
//! let loss = at.forward(&Step::new(&student, &teacher)) * at.weight;
//! assert_eq!(loss.dims(), [1]);
//! # Ok(())
//! # }
//! ```
//!
//! A method of your own implements [`LossConfig`] and [`DistillationLoss`]; [`EitherConfig`] puts it
//! into one list with those of this crate.
//!
//! # Which method
//!
//! Three questions: *what* can be compared in the two networks, what may a step cost, and are
//! parameters of its own welcome? The tables of the groups answer them.
//!
//! - Start with `kd`. It needs nothing but logits, and is hard to beat by a feature method alone
//!   (Tian et al. 2020, <https://arxiv.org/abs/1910.10699>).
//! - Every method can be used together with `ce` and `kd`: each is a term with a weight of its own.
//!   The weights that are usual in the literature are in [`MethodInfo::weights`].
//! - If the cross-entropy stops falling, lower the method's weight.
//!
//! # Gates
//!
//! Every method takes a [`Gate`] that chooses the samples to distill, one for each of its spots: the
//! result is that of the chosen samples alone, with shapes that do not depend on the choice and
//! without a read-back from the device. (The cross-entropy inside `kdrefine` is over all samples,
//! and so are batch norms inside the networks that `sobolev`, `lwm` and `bss` run.)
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_losses::Gate;
//! use kd_losses::logits::KdLossConfig;
//!
//! # fn main() -> Result<(), kd_losses::LossError> {
//! let device = Device::flex();
//! let kd = KdLossConfig::new().init()?;
//! let student = Tensor::<2>::from_floats([[2.0, 1.0], [0.0, 9.0]], &device);
//! let teacher = Tensor::<2>::from_floats([[1.0, 1.0], [9.0, 0.0]], &device);
//! let first = Gate::new(Tensor::from_floats([1.0, 0.0], &device));
//!
//! let gated = kd.forward_gated(student.clone(), teacher.clone(), &first);
//! let gathered = kd.forward(student.narrow(0, 0, 1), teacher.narrow(0, 0, 1));
//! assert_eq!(gated.into_scalar::<f32>(), gathered.into_scalar::<f32>());
//! # Ok(())
//! # }
//! ```
//!
//! # Conventions
//!
//! - Losses are `Tensor<1>` of shape `[1]`, averaged over the batch as each method's page says.
//! - The teacher's tensors are constants: no gradient flows into them, unless a step
//!   [trains the teacher](Step::training_teacher).
//! - Nothing is read back from the device and no loop runs over samples.
//! - Mistakes in shapes and parameters are [`LossError`]s when a method is initialized. What can
//!   only be seen in a batch (its size, above all) is asserted in `forward`.
//! - Values and gradients are finite for finite features of any batch from one sample up: where a
//!   public implementation divides 0 by 0, the term is 0.
//! - Where public implementations differ, the page of the method says which one it follows.

pub mod adapters;
mod either;
mod error;
mod gate;
pub mod gradients;
mod info;
pub mod logits;
mod loss;
pub mod maps;
mod method;
mod norms;
mod pair;
mod pool;
mod range;
pub mod relations;
#[cfg(feature = "schema")]
mod schema;
mod setup;
mod step;
mod suggest;
mod surrogate;
mod term;
#[cfg(test)]
mod testing;

pub use either::{Either, EitherConfig};
pub use error::LossError;
pub use gate::Gate;
pub use info::{LossWeights, MethodInfo, ParameterInfo};
pub use kd_core::{
    Alignment, Classifier, DifferentiableHead, FeatureShapes, Features, NormAffine, Reads,
    Requirements, Site,
};
pub use logits::cross_entropy;
pub use loss::{DistillationLoss, LossConfig, Pretrain};
pub use method::{Method, MethodLoss};
pub use pair::Pair;
pub use setup::Setup;
pub use step::Step;
#[doc(hidden)]
pub use suggest::nearest as nearest_name;
pub use term::{Term, TermConfig};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
