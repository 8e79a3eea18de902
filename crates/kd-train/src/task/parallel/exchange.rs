//! How gradients are summed over devices.

use burn::tensor::distributed::{ReduceOperation, all_reduce as reduce};
use burn::tensor::{Device, Tensor};

/// The way that gradients take.
#[derive(Clone, Debug)]
pub(crate) enum Exchange {
    /// By Burn's all-reduce among these devices, which is NVIDIA's: each device's thread calls it.
    Collective(Vec<Device>),
    /// By way of the first device, between any.
    ThroughFirst,
}

impl Exchange {
    /// The way between devices of these names.
    pub(crate) fn between(names: &[String], devices: &[Device]) -> Self {
        let of_nvidia = |name: &String| name == "cuda" || name.starts_with("cuda:");
        match names.iter().all(of_nvidia) {
            true => Self::Collective(devices.to_vec()),
            false => Self::ThroughFirst,
        }
    }
}

/// The sum of the tensors with which the threads of all devices call this.
pub(super) fn all_reduce(values: Tensor<1>, devices: &[Device]) -> Tensor<1> {
    reduce(values, ReduceOperation::Sum, devices.to_vec()).resolve()
}
