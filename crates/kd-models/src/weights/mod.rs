//! Weights in and out: safetensors with PyTorch's key names and layouts.
//!
//! A file written here loads in PyTorch with `load_state_dict(load_file(path), strict=True)`:
//! linear weights are `[output, input]`, batch norm has `weight`, `bias`, `running_mean`,
//! `running_var` and `num_batches_tracked`. The header says which network it is, see
//! [`WeightsInfo`].
//!
//! ```no_run
//! # use burn::tensor::Device;
//! # fn main() -> Result<(), kd_models::ModelError> {
//! use kd_models::weights::WeightsFile;
//!
//! let file = WeightsFile::open("runs/teacher/student.safetensors")?;
//! let teacher = file.into_network(None, 100, &Device::flex())?;
//! # Ok(())
//! # }
//! ```

mod info;
mod load;
mod save;
mod state_dict;

pub use info::WeightsInfo;
pub use load::WeightsFile;
pub use save::save;
pub use state_dict::{count_parameters, load_state_dict, state_dict};
