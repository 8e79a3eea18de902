//! How the run of a cell is carried out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use kd_train::{GPU_CACHE_VARIABLE, GpuCache, NoopObserver, Recipe, RunOptions};

use super::error::SweepError;
use super::memory::peak_mib;

/// What a [`Launcher`] is to carry out.
#[derive(Debug)]
pub struct Order<'a> {
    /// The complete recipe.
    pub recipe: &'a Recipe,
    /// A file with the same recipe.
    pub config: &'a Path,
    /// The folder of the run, which is continued if it was stopped.
    pub out: &'a Path,
    /// Where a process may print to.
    pub log: &'a Path,
    /// The file whose lock says that the cell is being run. A process that inherits it keeps the
    /// cell from others even when the sweep has been killed.
    pub claim: &'a File,
    /// Threads of the CPU for this run, where the recipe leaves them open.
    pub threads: Option<usize>,
    /// The device of this run instead of the recipe's.
    pub device: Option<&'a str>,
}

/// Something that carries out runs.
pub trait Launcher {
    /// Starts a run, or carries it out at once.
    ///
    /// # Errors
    ///
    /// [`SweepError`] if no run can be started at all, which ends the sweep. What goes wrong in the
    /// run is the [`Running::outcome`].
    fn launch(&mut self, order: &Order<'_>) -> Result<Box<dyn Running>, SweepError>;
}

/// A run that was started.
pub trait Running {
    /// How it ended, if it has: with one line if it failed.
    fn outcome(&mut self) -> Option<Result<(), String>>;

    /// Its largest resident memory so far in MiB, where the system tells.
    fn peak_mib(&self) -> Option<f64> {
        None
    }
}

/// Carries out runs in this process, one after another: for tests and for programs of your own. A
/// panic in a run ends the sweep.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

impl Launcher for InProcess {
    fn launch(&mut self, order: &Order<'_>) -> Result<Box<dyn Running>, SweepError> {
        let options = RunOptions::resuming(order.out);
        let mut recipe = order.recipe.clone();
        if let Some(device) = order.device {
            recipe.compute.device = Some(device.to_owned());
            recipe.compute.devices.clear();
        }
        let outcome = kd_train::run(&recipe, &options, &mut NoopObserver);
        let outcome = outcome.map(|_| ()).map_err(|error| error.to_string());
        Ok(Box::new(Ended(Some(outcome))))
    }
}

struct Ended(Option<Result<(), String>>);

impl Running for Ended {
    fn outcome(&mut self) -> Option<Result<(), String>> {
        self.0.take()
    }
}

/// Carries out each run in a process of the `kd` program, so that a crash or an abort stops no
/// other run.
#[derive(Clone, Debug)]
pub struct Processes {
    program: PathBuf,
}

/// The environment variable that tells a process the number of the one that it is to end with.
pub const PARENT: &str = "KD_PARENT";

impl Processes {
    /// Runs by `program`, which is `kd` or takes its arguments.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
        }
    }
}

impl Launcher for Processes {
    fn launch(&mut self, order: &Order<'_>) -> Result<Box<dyn Running>, SweepError> {
        let log = File::create(order.log).map_err(|error| SweepError::io(order.log, error))?;
        let copy = |file: &File| file.try_clone().map_err(|e| SweepError::io(order.log, e));
        let mut command = Command::new(&self.program);
        command
            .arg("train")
            .arg("--config")
            .arg(order.config)
            .arg("--out")
            .arg(order.out)
            .arg("--resume=auto")
            .env(PARENT, std::process::id().to_string())
            .stdin(Stdio::from(copy(order.claim)?))
            .stdout(Stdio::from(copy(&log)?))
            .stderr(Stdio::from(log));
        if let Some(cache) = GpuCache::in_use() {
            command.env(GPU_CACHE_VARIABLE, cache.folder());
        }
        if let (None, Some(threads)) = (order.recipe.compute.threads, order.threads) {
            command.arg("--threads").arg(threads.to_string());
        }
        if let Some(device) = order.device {
            command.arg("--device").arg(device);
        }
        let child = command
            .spawn()
            .map_err(|error| SweepError::io(&self.program, error))?;
        Ok(Box::new(Process {
            child,
            log: order.log.to_owned(),
        }))
    }
}

struct Process {
    child: Child,
    log: PathBuf,
}

impl Running for Process {
    fn outcome(&mut self) -> Option<Result<(), String>> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) if status.success() => Some(Ok(())),
            Ok(Some(status)) => Some(Err(reason(status, &self.log))),
            Err(error) => Some(Err(format!("its process cannot be watched: {error}"))),
        }
    }

    fn peak_mib(&self) -> Option<f64> {
        peak_mib(self.child.id())
    }
}

impl Drop for Process {
    /// A sweep that ends by an error leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why a process failed, in one line: the error that it printed last, or how it ended.
fn reason(status: ExitStatus, log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().rev().map(str::trim);
    if let Some(error) = lines.clone().find_map(|line| line.strip_prefix("error: ")) {
        return error.to_owned();
    }
    let panicked = lines.find(|line| line.contains("panicked at"));
    match (status.code(), panicked) {
        (_, Some(panicked)) => format!("{panicked} (see {})", log.display()),
        (None, _) => {
            format!("its process was killed ({status}), perhaps because it ran out of memory")
        }
        (Some(_), None) => format!("its process ended with {status} (see {})", log.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_failure_has_one_line() {
        use std::os::unix::process::ExitStatusExt;

        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log.txt");
        let of = |text: &str, status: i32| {
            std::fs::write(&log, text).expect("a file");
            reason(ExitStatus::from_raw(status), &log)
        };
        let text = "epoch 1/2\nerror: the loss `at` is NaN at epoch 2, step 3\n";
        assert_eq!(of(text, 0x200), "the loss `at` is NaN at epoch 2, step 3");
        assert!(of("epoch 1/2", 9).contains("killed"));
        let panic = "thread 'main' panicked at src/x.rs:1:2:\nindex out of bounds";
        assert!(of(panic, 101 << 8).contains("panicked at src/x.rs:1:2"));
        assert!(of("", 0x300).contains("exit status: 3"));
    }
}
