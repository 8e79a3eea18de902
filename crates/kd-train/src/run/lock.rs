//! One process a run.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::TrainError;

/// The file that the process of a run holds a lock on. The file stays; the lock goes with the
/// process, however that ends.
pub(crate) const LOCK: &str = ".lock";

/// Attempts to take the lock: whoever asks [`is_running`] holds it for a moment.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// The right to write into the folder of a run.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the folder `run` for this process, making it if it is not there.
    pub(crate) fn take(run: &Path) -> Result<Self, TrainError> {
        std::fs::create_dir_all(run).map_err(|error| TrainError::io(run, error))?;
        let path = run.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| TrainError::io(&path, error))?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(TrainError::Occupied {
                        path: run.to_owned(),
                        reason:
                            "another process is running it; wait for it or choose another --out"
                                .to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(
                        "{}: cannot be locked ({error}): make sure that no other process runs it",
                        path.display()
                    );
                    break;
                }
            }
        }
        Ok(Self { _file: file })
    }
}

/// Whether a process has the folder `run`.
pub(crate) fn is_running(run: &Path) -> bool {
    let held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    File::open(run.join(LOCK)).is_ok_and(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("run");
        assert!(!is_running(&run));
        let lock = RunLock::take(&run).expect("a lock");
        assert!(is_running(&run));
        let error = RunLock::take(&run).expect_err("it is taken").to_string();
        assert!(error.contains("another process is running it"), "{error}");
        drop(lock);
        assert!(!is_running(&run));
        RunLock::take(&run).expect("it is free again");
    }
}
