//! Memory of this machine and of other processes, where the system tells: on Linux.

use std::path::Path;

/// MiB that can still be used.
pub(super) fn available_mib() -> Option<f64> {
    field(Path::new("/proc/meminfo"), "MemAvailable:")
}

/// The largest resident memory of a process so far, in MiB.
pub(super) fn peak_mib(process: u32) -> Option<f64> {
    let path = format!("/proc/{process}/status");
    field(Path::new(&path), "VmHWM:")
}

/// A number of KiB in a file of lines such as `VmHWM:  1234 kB`, in MiB.
fn field(path: &Path, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Whether another run fits: `largest` MiB for it, and for the runs in progress, which have reached
/// `peaks` MiB, as much as they may yet grow.
pub(super) fn fits(available: Option<f64>, largest: f64, peaks: &[f64]) -> bool {
    let growth: f64 = peaks.iter().map(|peak| (largest - peak).max(0.0)).sum();
    available.is_none_or(|available| available > largest + growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_needs_as_much_as_the_largest() {
        assert!(fits(None, 1e9, &[]));
        assert!(fits(Some(101.0), 100.0, &[100.0]));
        assert!(!fits(Some(101.0), 100.0, &[90.0]));
        assert!(!fits(Some(99.0), 100.0, &[]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells() {
        assert!(available_mib().is_some_and(|mib| mib > 1.0));
        assert!(peak_mib(std::process::id()).is_some_and(|mib| mib > 1.0));
        assert_eq!(peak_mib(u32::MAX), None);
    }
}
