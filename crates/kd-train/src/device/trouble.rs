//! What devices say when they fail.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

use crate::TrainError;

/// What is wrong with a device, as far as it can be told from what its driver said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Its memory is used up.
    Memory,
    /// It cannot be opened, or its kernels cannot be compiled.
    Driver,
}

/// Phrases of drivers, of CubeCL and of Burn.
const PHRASES: &[(Trouble, &str)] = &[
    (Trouble::Memory, "out of memory"),
    (Trouble::Memory, "out-of-memory"),
    (Trouble::Memory, "out_of_memory"),
    (Trouble::Memory, "outofmemory"),
    (Trouble::Memory, "out of device memory"),
    (Trouble::Memory, "can't allocate buffer"),
    (Trouble::Driver, "libdevice"),
    (Trouble::Driver, "cuda_error"),
    (Trouble::Driver, "libcuda"),
    (Trouble::Driver, "unable to acquire wgpu device"),
    (Trouble::Driver, "unable to initialize wgpu"),
    (Trouble::Driver, "unable to request vulkan device"),
];

/// `None` if the message is about something else.
fn trouble(message: &str) -> Option<Trouble> {
    let message = message.to_lowercase();
    let said = |(_, phrase): &&(Trouble, &str)| message.contains(phrase);
    PHRASES.iter().find(said).map(|(trouble, _)| *trouble)
}

/// The first message of a device that [`quiet_device_panics`] kept back.
static KEPT: Mutex<Option<String>> = Mutex::new(None);

/// Keeps the panics back by which Burn says that a device fails, in all threads, so that
/// [`guard_device`] can say it in one line. All others are printed as ever. For a program's start; a
/// library has no business with the hook.
pub fn quiet_device_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let message = message_of(info.payload());
        match trouble(message) {
            Some(_) => keep(message),
            // What follows from it in other threads.
            None if kept().is_some() => {}
            None => others(info),
        }
    }));
}

fn keep(message: &str) {
    if let Ok(mut kept) = KEPT.lock() {
        kept.get_or_insert_with(|| message.to_owned());
    }
}

fn kept() -> Option<String> {
    KEPT.lock().ok()?.clone()
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<String>() {
        Some(message) => message,
        None => payload.downcast_ref::<&str>().copied().unwrap_or_default(),
    }
}

/// Does something on a device. Burn has no errors for most of what can be wrong with a GPU: it panics,
/// which becomes an error here if it is about the device. `batch` is the number of images in a batch,
/// if there is one.
///
/// # Errors
///
/// [`TrainError::Memory`] if its memory is used up, [`TrainError::Device`] if it fails otherwise, and
/// what `action` returns.
///
/// # Panics
///
/// If `action` panics about something else.
pub fn guard_device<R, E: From<TrainError>>(
    batch: Option<usize>,
    action: impl FnOnce() -> Result<R, E>,
) -> Result<R, E> {
    let payload = match catch_unwind(AssertUnwindSafe(action)) {
        Ok(result) => return result,
        Err(payload) => payload,
    };
    let own = message_of(&*payload).to_owned();
    let message = match trouble(&own) {
        Some(_) => own,
        None => kept().unwrap_or(own),
    };
    match trouble(&message) {
        Some(Trouble::Memory) => Err(TrainError::Memory { batch }.into()),
        Some(Trouble::Driver) => Err(TrainError::Device(one_line(&message)).into()),
        None => resume_unwind(payload),
    }
}

/// The message up to where backtraces begin.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let lines = lines.take_while(|line| !line.to_lowercase().starts_with("backtrace"));
    let said: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(message: &'static str) -> String {
        let result: Result<(), TrainError> = guard_device(Some(512), || panic!("{message}"));
        result.expect_err("an error").to_string()
    }

    #[test]
    fn a_device_without_memory_names_the_batch() {
        let message = "Error while reading data: An out-of-memory error happened during launch";
        assert_eq!(
            failing(message),
            "device memory cannot hold batches of 512 images: reduce data.batch_size \
             (--batch-size)"
        );
    }

    #[test]
    fn what_a_driver_says_is_one_line() {
        let message =
            "DriverError(CUDA_ERROR_NO_DEVICE)\n  Caused by: nothing\n\nBacktrace:\n 0: f";
        assert_eq!(
            failing(message),
            "device: DriverError(CUDA_ERROR_NO_DEVICE) Caused by: nothing"
        );
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn other_panics_go_on() {
        failing("index out of bounds");
    }
}
