//! The kernels for GPUs against the same on the CPU, and against Burn's own operations on the GPU.
//!
//! They run where `KD_TEST_DEVICE` names a device of this build (`wgpu`, also on a software Vulkan);
//! elsewhere each says that it is skipped.
#![cfg(feature = "cube")]

mod conv;
mod launches;
mod loss;
mod norm;
mod optim;
mod random;
mod support;
