//! What the predictions of networks tell, on the CPU and without any network at hand.

mod agreement;
mod calibration;
mod change;
mod confusion;
mod correlation;
mod embedding;
mod examples;
mod predictions;

pub use agreement::{Agreement, agreement};
pub use calibration::{Bin, Calibration, calibration};
pub use change::{ClassChange, class_changes};
pub use confusion::{Confused, Confusion, confusion};
pub use correlation::{correlation, difference};
pub use embedding::{embedding, principal};
pub use examples::{Examples, examples};
pub use predictions::Predictions;
