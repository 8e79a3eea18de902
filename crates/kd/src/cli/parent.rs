//! Processes that end with the one that started them.

use kd_recipes::sweep::PARENT;

/// Ends this process with its parent, if the environment says that it is to and the system can do
/// it.
#[cfg(target_os = "linux")]
pub fn end_with_it() {
    use nix::sys::{prctl, signal::Signal};
    use nix::unistd::getppid;

    let Ok(parent) = std::env::var(PARENT) else {
        return;
    };
    let set = prctl::set_pdeathsig(Signal::SIGKILL);
    // It may have ended before the signal was asked for.
    if set.is_ok() && getppid().to_string() != parent {
        std::process::exit(1);
    }
}

/// Ends this process with its parent, if the environment says that it is to and the system can do
/// it.
#[cfg(not(target_os = "linux"))]
pub fn end_with_it() {
    let _ = PARENT;
}
