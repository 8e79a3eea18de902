//! Weights in and out: PyTorch's checkpoints and safetensors with its key names and layouts.
//!
//! [`WeightsFile`] reads both. A file written here ([`save`]) loads in PyTorch with
//! `load_state_dict(load_file(path), strict=True)`: linear weights are `[output, input]`, batch
//! norm has `weight`, `bias`, `running_mean`, `running_var` and `num_batches_tracked`. The header
//! says which network it is, see [`WeightsInfo`].
//!
//! ```no_run
//! # use burn::tensor::Device;
//! # fn main() -> Result<(), kd_models::ModelError> {
//! use kd_models::weights::WeightsFile;
//!
//! let teacher = WeightsFile::open("resnet32x4_vanilla/ckpt_epoch_240.pth")?;
//! let teacher = teacher.into_network(None, Some(100), &Device::flex())?;
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod choice;
mod file;
mod form;
mod identify;
mod info;
mod kind;
mod listing;
mod names;
mod options;
mod pickle;
mod pytorch;
mod safetensors;
mod save;
mod sets;
mod sound;
mod state_dict;
mod views;

pub use crate::parameters::count_parameters;
pub use file::WeightsFile;
pub use form::Form;
pub use identify::Identity;
pub use info::WeightsInfo;
pub use options::ReadOptions;
pub use save::{save, save_module};
pub use state_dict::{load_state_dict, state_dict, tensors};
