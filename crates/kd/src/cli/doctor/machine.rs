//! The machine.

use std::path::{Path, PathBuf};

use kd_train::{DeviceInfo, devices};
use serde_json::json;
use sysinfo::{Disks, MemoryRefreshKind, RefreshKind, System};

use super::check::Check;

/// Below it, little can be trained: the images of CIFAR and a network's maps take as much.
const FEW_MIB: u64 = 1024;

pub fn checks() -> Vec<Check> {
    let devices = devices();
    let mut checks: Vec<Check> = devices.iter().map(device).collect();
    if devices.iter().all(|device| device.trouble.is_some()) {
        let check = Check::ok("devices", "no device can be used");
        checks.push(check.problem("build with --features flex, which needs a CPU only"));
    }
    checks.extend([threads(), vectors(), memory(), disk()]);
    checks
}

fn device(device: &DeviceInfo) -> Check {
    let DeviceInfo {
        name,
        what,
        memory,
        trouble,
    } = device;
    let found = format!("{name}: {}", trouble.as_ref().unwrap_or(what));
    let check = Check::ok("device", found)
        .value("name", name.as_str())
        .value("memory_bytes", *memory);
    match trouble {
        Some(_) => check.note("choose another one with --device"),
        None => check,
    }
}

fn threads() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Check::ok("threads", format!("{cores} threads for this process")).value("threads", cores)
}

fn vectors() -> Check {
    #[cfg(feature = "flex")]
    let lanes = kd_kernels::vector_lanes();
    #[cfg(not(feature = "flex"))]
    let lanes = 1;
    let found = match lanes {
        16 => "AVX-512",
        8 => "AVX2",
        4 => "vectors of 128 bits",
        _ => "no vectors that kd's kernels know",
    };
    let check = Check::ok("SIMD", found).value("f32_lanes", lanes);
    match lanes {
        0 | 1 => check.note("CPU training uses Burn's own operations, which are slower"),
        _ => check,
    }
}

fn memory() -> Check {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds);
    let (mut total, mut free) = (system.total_memory(), system.available_memory());
    // A container may have less than its machine. What it caches of files is free.
    if let Some(limits) = system.cgroup_limits() {
        total = total.min(limits.total_memory);
        free = free.min(limits.total_memory.saturating_sub(limits.rss));
    }
    let [total, free] = [total, free].map(|bytes| bytes >> 20);
    let check = Check::ok("memory", format!("{free} MiB of {total} MiB are free"))
        .value("free_mib", free)
        .value("total_mib", total);
    match free < FEW_MIB {
        true => check.note("lower data.memory_mib, --batch-size or --jobs"),
        false => check,
    }
}

fn disk() -> Check {
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let shown = folder.display();
    let Some(free) = free_mib(&folder) else {
        return Check::ok("disk", format!("{shown}: free space unknown"));
    };
    let check = Check::ok("disk", format!("{free} MiB are free for {shown}"))
        .value("free_mib", free)
        .value("folder", json!(folder));
    if let Err(error) = is_writable(&folder) {
        let check = Check {
            found: format!("{shown} cannot be written: {error}"),
            ..check
        };
        return check.note("run in another directory, or name one with --out");
    }
    match free < FEW_MIB {
        true => check.note("free some space, or name another disk with --out"),
        false => check,
    }
}

/// Of the disk that holds a folder.
fn free_mib(folder: &Path) -> Option<u64> {
    let disks = Disks::new_with_refreshed_list();
    let holding = disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()));
    let disk = holding.max_by_key(|disk| disk.mount_point().components().count())?;
    Some(disk.available_space() >> 20)
}

fn is_writable(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".kd-doctor-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(&path)
}
