//! What is logged: on standard error, and what a run warns of in its folder, for those who watch it.

use std::fs::OpenOptions;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use super::output;

/// The file in the folder of a run.
pub const FILE: &str = "warnings.log";
/// What is logged unless `KD_LOG` says otherwise: warnings, and what was made of a weights file.
const SHOWN: &str = "warn,kd_models::weights=info,wgpu_hal=off,wgpu_core=off";
/// What is kept.
const KEPT: &str = "warn,wgpu_hal=off,wgpu_core=off";
/// Bytes that are held until a run begins, at most.
const HELD: usize = 1 << 16;

static MUTED: AtomicBool = AtomicBool::new(false);
static KEEPER: Mutex<Keeper> = Mutex::new(Keeper {
    run: None,
    held: Vec::new(),
});

/// Where warnings go. What goes wrong stops nothing: they are on standard error, too.
struct Keeper {
    run: Option<PathBuf>,
    /// Warnings before any run, which are the first one's.
    held: Vec<u8>,
}

impl Keeper {
    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        match &self.run {
            Some(run) => append(run, bytes),
            None if self.held.len() + bytes.len() <= HELD => {
                self.held.extend(bytes);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn append(run: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new();
    let file = file.append(true).create(true).open(run.join(FILE));
    file?.write_all(bytes)
}

/// Starts logging.
pub fn init() {
    let shown = EnvFilter::try_from_env("KD_LOG").unwrap_or_else(|_| SHOWN.into());
    let stderr = std::io::stderr.with_filter(|_| !MUTED.load(Ordering::Relaxed));
    let stderr = fmt::layer()
        .with_writer(stderr)
        .with_ansi(output::colors(&std::io::stderr()))
        .with_target(false)
        .without_time()
        .with_filter(shown);
    let kept = fmt::layer()
        .with_writer(|| Kept)
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .with_filter(EnvFilter::new(KEPT));
    registry().with(stderr).with(kept).init();
}

/// Keeps standard error silent: there is something else on the screen.
#[cfg(feature = "watch")]
pub fn mute() {
    MUTED.store(true, Ordering::Relaxed);
}

/// Has warnings written into the folder of a run from now on; those before any run are the first one's. The
/// file is there only if there are any.
pub fn keep_in(run: &Path) {
    let mut keeper = keeper();
    keeper.run = Some(run.to_owned());
    let held = std::mem::take(&mut keeper.held);
    if !held.is_empty() {
        let _ = keeper.keep(&held);
    }
}

fn keeper() -> MutexGuard<'static, Keeper> {
    KEEPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes warnings, each of which arrives whole.
struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let _ = keeper().keep(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
