//! Kernels for GPUs, one source for all of Burn's GPU backends: each operation is a few launches
//! where Burn's own are many.

pub mod conv;
pub mod launches;
pub mod loss;
mod memory;
pub mod norm;
pub mod random;
