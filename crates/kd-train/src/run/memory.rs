//! Memory of this process.

/// Largest resident set so far, in MiB; 0 where the system does not tell.
#[cfg(unix)]
pub(crate) fn peak_rss_mb() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};

    let unit = if cfg!(target_vendor = "apple") {
        1024.0 * 1024.0
    } else {
        1024.0
    };
    getrusage(UsageWho::RUSAGE_SELF)
        .map(|usage| usage.max_rss() as f64 / unit)
        .unwrap_or(0.0)
}

/// Largest resident set so far, in MiB; 0 where the system does not tell.
#[cfg(not(unix))]
pub(crate) fn peak_rss_mb() -> f64 {
    0.0
}
