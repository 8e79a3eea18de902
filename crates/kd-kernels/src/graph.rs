//! Work on a device that is recorded once and repeated by one call.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::{Backend, BackendGraph, Dispatch};
use burn::tensor::Device;
use thiserror::Error;

/// Why work was not recorded, or not repeated.
#[derive(Debug, Error)]
pub enum GraphError {
    /// The device records nothing.
    #[error("this device does not record its work")]
    Unsupported,
    /// The work cannot be recorded as it is.
    #[error("the work cannot be recorded: {0}")]
    Refused(String),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}

/// Recorded work of a device: its launches with the memory that they read and write.
///
/// What a repetition computes is what the recorded launches make of the numbers that are in this
/// memory by then. So a state has to stay where it is (see [`assign`](crate::assign)), and
/// what differs from one repetition to the next has to be computed from it.
pub struct Graph {
    device: Device,
    graph: BackendGraph<Dispatch>,
}

impl Graph {
    /// Records `work` on a plain device, after it has run `warm_up` times for real: then all
    /// kernels are chosen and all memory is there. While it is recorded, it has no effect on the
    /// device, but what it leaves on the host is as after a run.
    ///
    /// Recording, repetitions and whatever reads what they write belong on one thread.
    ///
    /// # Errors
    ///
    /// [`GraphError::Unsupported`] before `work` runs at all, [`GraphError::Refused`] if it reads,
    /// uploads or allocates. Then the memory that it was to write cannot be relied upon.
    pub fn record<T>(
        device: &Device,
        warm_up: usize,
        mut work: impl FnMut() -> T,
    ) -> Result<(Self, T), GraphError> {
        let device = device.clone().without_autodiff();
        // Their backends take the preparation, and refuse after the warm-up.
        if crate::is_cpu(&device) {
            return Err(GraphError::Unsupported);
        }
        let place = device.as_dispatch();
        Dispatch::graph_prepare(place).map_err(|error| GraphError::Device(text(&error)))?;
        for _ in 0..warm_up {
            // What is dropped before it is computed is not computed at all.
            let output = caught(&mut work);
            let synced = Dispatch::sync(place).map_err(|error| GraphError::Device(text(&error)));
            if let Err(error) = output.and(synced) {
                close(&device);
                return Err(error);
            }
        }
        if let Err(error) = Dispatch::graph_start_capture(place) {
            close(&device);
            return Err(GraphError::Refused(text(&error)));
        }
        let output = caught(&mut work);
        // Closes the recording whatever came out of it.
        let graph = Dispatch::graph_stop_capture(place);
        let output = output?;
        let graph = graph.map_err(|error| GraphError::Refused(text(&error)))?;
        Ok((Self { device, graph }, output))
    }

    /// Runs the recorded work once more.
    ///
    /// # Errors
    ///
    /// [`GraphError::Device`] if the device does not take it.
    pub fn replay(&self) -> Result<(), GraphError> {
        // SAFETY: the memory that the launches use is kept for the graph by the device's memory
        // management, and handed to nobody else while the graph lives; all work of a thread on a
        // device is done in its order.
        #[allow(unsafe_code)]
        let result = unsafe { Dispatch::graph_replay(self.device.as_dispatch(), &self.graph) };
        result.map_err(|error| GraphError::Device(text(&error)))
    }
}

/// Ends a recording that was prepared and not opened.
fn close(device: &Device) {
    let _ = Dispatch::graph_stop_capture(device.as_dispatch());
}

/// What the work returns, or what it panicked with: Burn's reads panic where they are refused.
fn caught<T>(work: &mut impl FnMut() -> T) -> Result<T, GraphError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        GraphError::Refused(message.unwrap_or("it panicked").to_owned())
    })
}

/// An error in one line.
fn text(error: &burn::backend::ExecutionError) -> String {
    let text = error.to_string();
    let reason = text
        .split_once("Caused by:")
        .map_or(&*text, |(_, reason)| reason);
    // The stack of the device's thread says nothing to a user.
    let lines = reason
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines
        .take_while(|line| !line.starts_with("0:"))
        .collect::<Vec<_>>()
        .join(" ")
}
