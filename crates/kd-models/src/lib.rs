//! Image classification networks as stages, for knowledge distillation in Burn.
//!
//! A network is a list of stages: `stem → stage 1 … stage k → pool → head`. Running all of them
//! gives logits; keeping what comes out on the way gives [`Features`]; running a slice of them
//! is what grafting one network onto another needs. A new network implements its stages only
//! (see [`Network`]) and everything else follows.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use kd_models::{Architecture, Network};
//!
//! # fn main() -> Result<(), kd_models::ModelError> {
//! let device = Device::flex();
//! let network = Architecture::by_name("resnet8x4")?.init(100, &device);
//! let features = network.features(Tensor::zeros([1, 3, 32, 32], &device));
//! assert_eq!(features.logits.dims(), [1, 100]);
//! assert_eq!(features.maps[3].dims(), [1, 256, 8, 8]);
//! # Ok(())
//! # }
//! ```
//!
//! # Which networks
//!
//! Those of the distillation literature, for CIFAR (32×32 and 64×64 pixels) and for ImageNet
//! (224×224): residual and wide residual networks, VGGs, MobileNets, ShuffleNets, and KDrefine's
//! re-parameterizable students. See [`Architecture::all`]; each is also there as a config of its
//! own, such as [`ResnetConfig`].
//!
//! # Weights
//!
//! Parameters carry PyTorch's names: PyTorch's checkpoints are read as they are, and what is
//! written here loads there strictly. See [`weights`].
//!
//! # Training and evaluation
//!
//! A network trains (batch statistics, gradients) on inputs that are on an autodiff device, and
//! evaluates on plain ones. A frozen teacher is `network.valid()` on plain inputs. What is deployed
//! can be smaller and faster than what was trained: see [`Foldable::deploy`],
//! [`Foldable::fold_batch_norm`], and [`deploy`] for files.

mod any;
pub mod deploy;
mod error;
mod families;
#[doc(hidden)]
pub mod files;
mod layers;
mod network;
mod parameters;
mod registry;
pub mod weights;

pub use any::AnyNetwork;
pub use error::ModelError;
pub use families::{
    MobilenetV1, MobilenetV1Config, MobilenetV2, MobilenetV2Config, Resnet, ResnetConfig,
    ResnetNaming, ResnetStem, ShufflenetV1, ShufflenetV1Config, ShufflenetV2, ShufflenetV2Config,
    Vgg, VggConfig, VggHead, VggPooling, WideResnet, WideResnetConfig,
};
pub use kd_core::{Feature, FeatureShapes, Features, Network};
pub use kd_nn::{BatchNorm, BatchNormConfig};
pub use layers::{Folding, UnitKind};
pub use network::{CountMacs, Foldable, PytorchKeys};
pub use registry::{Architecture, ModelInfo, Repository};
