//! Reading the reference fixtures under `tests/fixtures`.
//!
//! The fixtures hold expected values only. Inputs and weights are regenerated from a key: see
//! [`fill`].

mod case;
mod compare;
mod devices;
mod parameters;
pub mod readers;
mod rule;
mod teacher;
mod tiny;

pub use case::{Case, cases};
pub use compare::{assert_close, assert_scalar, max_error};
pub use devices::{devices, float_data, gpu, gpu_or_skip, in_f64};
pub use parameters::{Read, ReadParameter, fill_parameters, visit_parameters};
pub use rule::{fill, labels, pixels};
pub use teacher::{lines_without_seconds, tiny_set, untrained_teacher};
pub use tiny::{Leaves, Out, Plain, Tiny, assert_near};
