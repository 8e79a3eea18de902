//! What computes a run.

use std::error::Error;

use burn::tensor::{Device, FloatDType, IntDType};
use kd_core::host;
use serde::{Deserialize, Serialize};

use crate::{TrainError, default_device, device_by_name};

/// Threads of the CPU at most.
const MOST_THREADS: usize = 1024;

/// Device, number type, precision, kernels, threads and recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ComputeConfig {
    /// The device: `flex`, `ndarray`, `cuda`, `cuda:1` or `wgpu`. Default: the first that this build
    /// has.
    pub device: Option<String>,
    /// Devices that train together, each on a part of every batch, for example `[cuda:0, cuda:1]`; the
    /// first of them is `device`. Default: none but `device`.
    pub devices: Vec<String>,
    /// Number type. Default: `f32`.
    pub dtype: Dtype,
    /// Precision of convolutions. Default: `f32`.
    pub precision: Precision,
    /// Whether to use kd's own kernels rather than Burn's operations (faster; differs only by rounding).
    /// Default: yes.
    pub kernels: bool,
    /// Number of CPU threads; does not affect the results of the kernels. Default: one per core.
    pub threads: Option<usize>,
    /// Whether to record a training step on the device and replay it, with the training images on the
    /// device (differs only by rounding). A warning says why where it is impossible. Default: `auto`.
    pub graph: GraphMode,
}

/// Whether training steps are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GraphMode {
    /// On a GPU.
    #[default]
    Auto,
    /// On every device; one that does not record runs the same steps one by one.
    On,
    /// Never.
    Off,
}

/// Types of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits, for comparisons.
    F64,
}

/// What convolutions compute with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The device's way with f32. On NVIDIA GPUs products may have TF32's ten bits of fraction: Burn
    /// takes whichever kernel is fastest, and does not let choose.
    #[default]
    F32,
    /// bf16 copies of inputs and weights, summed up in f32. Weights, norms and losses stay f32. CPUs
    /// compute in f32 all the same, which they say.
    Bf16,
}

impl Default for ComputeConfig {
    fn default() -> Self {
        Self {
            device: None,
            devices: Vec::new(),
            dtype: Dtype::default(),
            precision: Precision::default(),
            kernels: true,
            threads: None,
            graph: GraphMode::default(),
        }
    }
}

impl ComputeConfig {
    pub(super) fn resolved(self) -> Result<Self, TrainError> {
        TrainError::within("compute.threads", self.threads, 1..=MOST_THREADS)?;
        let first = self.devices.first();
        if let (Some(device), Some(first)) = (&self.device, first)
            && device != first
        {
            let expected = format!("{first}, the first of compute.devices");
            return Err(TrainError::value("compute.device", device, expected));
        }
        if let Some(gpu) = twice(&self.devices) {
            let found = format!("{gpu} twice");
            return Err(TrainError::value("compute.devices", found, "each GPU once"));
        }
        let device = self.device.or_else(|| first.cloned());
        let device = device.unwrap_or_else(|| default_device().to_owned());
        Ok(Self {
            device: Some(device),
            ..self
        })
    }

    /// The names of all devices: one, or those that train together.
    pub fn names(&self) -> Vec<String> {
        match (&self.devices[..], &self.device) {
            ([], Some(device)) => vec![device.clone()],
            ([], None) => vec![default_device().to_owned()],
            (devices, _) => devices.to_vec(),
        }
    }

    /// [Opens](Self::open) all devices, the first one first.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_all(&self) -> Result<Vec<Device>, TrainError> {
        let mut devices = vec![self.open()?];
        for name in self.names().iter().skip(1) {
            let device = device_by_name(name)?;
            self.set_dtype(&device)?;
            devices.push(device);
        }
        Ok(devices)
    }

    /// Opens the device, the first if there are several (the plain one, without autodiff) and sets number type, precision,
    /// kernels and threads, all of which are the process's.
    ///
    /// # Errors
    ///
    /// [`TrainError::Device`] if this build has no such device, or if number type or threads were
    /// set otherwise before; [`TrainError::Value`] or [`TrainError::Conflict`] for a precision that
    /// the device or the number type does not have.
    pub fn open(&self) -> Result<Device, TrainError> {
        let name = &self.names()[0];
        let device = device_by_name(name)?;
        kd_kernels::set_enabled(self.kernels);
        self.set_threads()?;
        self.set_dtype(&device)?;
        kd_kernels::set_bf16(self.is_bf16(name, &device)?);
        Ok(device)
    }

    /// Whether convolutions compute in bf16 on this device.
    fn is_bf16(&self, name: &str, device: &Device) -> Result<bool, TrainError> {
        if self.precision == Precision::F32 {
            return Ok(false);
        }
        if self.dtype != Dtype::F32 {
            return Err(TrainError::conflict(
                "compute.precision",
                "compute.dtype: f64",
            ));
        }
        if kd_kernels::is_cpu(device) {
            tracing::warn!("{name} computes in f32, not in bf16");
            return Ok(false);
        }
        match device.supports_dtype(FloatDType::BF16) {
            true => Ok(true),
            false => Err(TrainError::value(
                "compute.precision",
                "bf16",
                format!("f32, as {name} does not support bf16 here"),
            )),
        }
    }

    fn set_threads(&self) -> Result<(), TrainError> {
        let Some(threads) = self.threads else {
            return Ok(());
        };
        // The pool is made once, by whoever is first.
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global();
        if let Err(error) = built
            && let Some(reason) = error.source()
        {
            let expected = format!("as many as the system can start: {reason}");
            return Err(TrainError::value("compute.threads", threads, expected));
        }
        match rayon::current_num_threads() {
            found if found == threads => Ok(()),
            found => Err(TrainError::value(
                "compute.threads",
                threads,
                format!("{found}, which this process already uses"),
            )),
        }
    }

    fn set_dtype(&self, device: &Device) -> Result<(), TrainError> {
        let wanted = match self.dtype {
            Dtype::F32 => FloatDType::F32,
            Dtype::F64 => FloatDType::F64,
        };
        // F32 is every device's default.
        if self.dtype != Dtype::F32 {
            // Initial values are drawn on the host.
            for mut device in [host(), device.clone()] {
                let _ = device.configure((wanted, IntDType::I32));
            }
        }
        let found = burn::tensor::Tensor::<1>::zeros([1], device).dtype();
        match found == wanted.into() {
            true => Ok(()),
            false => Err(TrainError::Device(format!(
                "this process already computes in {found:?}: start another one to change compute.dtype"
            ))),
        }
    }
}

/// An NVIDIA GPU that is named twice, which its library for exchanges refuses.
fn twice(devices: &[String]) -> Option<&String> {
    fn number(name: &str) -> Option<&str> {
        match name {
            "cuda" => Some("0"),
            _ => name.strip_prefix("cuda:"),
        }
    }
    let mut numbered = devices.iter().enumerate();
    let found = numbered.find(|(index, name)| {
        let mut before = devices[..*index].iter();
        number(name).is_some_and(|own| before.any(|other| number(other) == Some(own)))
    });
    found.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(device: Option<&str>, devices: &[&str]) -> Result<ComputeConfig, String> {
        let config = ComputeConfig {
            device: device.map(str::to_owned),
            devices: devices.iter().map(|name| (*name).to_owned()).collect(),
            ..ComputeConfig::default()
        };
        config.resolved().map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_device_is_the_device() {
        let config = resolved(None, &["cuda:2", "cuda:1"]).expect("devices");
        assert_eq!(config.device.as_deref(), Some("cuda:2"));
        assert_eq!(config.names(), ["cuda:2", "cuda:1"]);
        assert_eq!(
            resolved(Some("wgpu"), &[]).expect("a device").names(),
            ["wgpu"]
        );
        let error = resolved(Some("cuda:1"), &["cuda:0", "cuda:1"]).expect_err("another first");
        assert!(
            error.contains("compute.device is cuda:1, expected cuda:0"),
            "{error}"
        );
    }

    #[test]
    fn a_gpu_is_there_once() {
        let error = resolved(None, &["cuda", "cuda:1", "cuda:0"]).expect_err("twice");
        assert!(
            error.contains("cuda:0 twice, expected each GPU once"),
            "{error}"
        );
        assert!(resolved(None, &["flex", "flex"]).is_ok());
    }
}
