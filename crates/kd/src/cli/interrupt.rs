//! Signals that end a run: the first one in order, the second one at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::output;

/// The signal that came, or 0.
static RECEIVED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(watched);

/// What a shell adds to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;

/// Has Ctrl-C and SIGTERM end what runs after its last whole epoch, from now on. A system that
/// cannot do it ends the process at once, as before.
pub fn watch() {
    LazyLock::force(&RECEIVED);
}

/// Whether one of them came.
pub fn is_stopping() -> bool {
    RECEIVED.load(Ordering::Relaxed) != 0
}

/// The exit code for the signal that came: 130 for Ctrl-C, 143 for SIGTERM.
pub fn exit_code() -> u8 {
    let signal = RECEIVED.load(Ordering::Relaxed) as i32;
    u8::try_from(BY_SIGNAL + signal).unwrap_or(u8::MAX)
}

fn watched() -> Arc<AtomicUsize> {
    let received = Arc::new(AtomicUsize::new(0));
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: only a signal that comes after another one ends the process.
        let ends =
            flag::register_conditional_shutdown(signal, BY_SIGNAL + signal, stopping.clone());
        let stops = ends
            .and_then(|_| flag::register_usize(signal, received.clone(), signal as usize))
            .and_then(|_| flag::register(signal, stopping.clone()));
        if let Err(error) = stops {
            output::note(&format!("signal {signal} will end a run at once: {error}"));
        }
    }
    received
}

/// Has a file that grows beyond the limit of the process (`ulimit -f`) be an error of writing, as
/// a full disk is, and not the end of the process.
pub fn survive_large_files() {
    #[cfg(target_os = "linux")]
    if let Err(error) = flag::register(signal_hook::consts::SIGXFSZ, Arc::default()) {
        output::note(&format!(
            "a file that exceeds the size limit will end the process: {error}"
        ));
    }
}
