//! Disks that are full, or can only be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::{TempDir, tempdir};

use super::{assert_last_line, assert_one_line};
use crate::common::{kd, metrics, tiny_flags};

/// A file system in memory; `None` where it cannot be mounted.
struct Disk {
    folder: TempDir,
}

impl Disk {
    #[allow(clippy::print_stderr)]
    fn of(size: &str) -> Option<Self> {
        let disk = Self {
            folder: tempdir().expect("a folder"),
        };
        let options = format!("size={size}");
        let mounted = mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], disk.path());
        if !mounted {
            eprintln!("SKIPPED: no file system can be mounted here, which takes root");
        }
        mounted.then_some(disk)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    #[track_caller]
    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(mount(&["-o", &options], self.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).output();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

/// A run of three epochs in `out`, which is continued if it is there.
fn run(out: &Path) -> Output {
    let mut command = kd();
    command
        .arg("train")
        .args(tiny_flags(&[("--epochs", "3")]))
        .arg("--out")
        .arg(out);
    if out.join("recipe.yaml").exists() {
        command.arg("--resume");
    }
    command.output().expect("kd runs")
}

/// Files whose writing was not completed.
fn rubbish(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(".tmp") {
            found.push(entry.path());
        } else {
            found.extend(rubbish(&entry.path()));
        }
    }
    found
}

#[test]
fn report_a_full_disk_is_one_line_and_the_run_continues() {
    let folder = tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    assert!(run(&whole).status.success());
    let mut epochs = std::collections::BTreeSet::new();
    for kib in (4..2200).step_by(240) {
        let Some(disk) = Disk::of(&format!("{kib}k")) else {
            return;
        };
        let out = disk.path().join("run");
        let output = run(&out);
        if output.status.success() {
            break;
        }
        assert_last_line(
            &output,
            &[
                &disk.path().display().to_string(),
                "No space left on device",
            ],
        );
        assert_eq!(rubbish(disk.path()), Vec::<PathBuf>::new(), "{kib}");
        let so_far = metrics(&out);
        assert_eq!(so_far, metrics(&whole)[..so_far.len()]);
        epochs.insert(so_far.len());
        disk.remount("size=16m");
        let output = run(&out);
        assert!(output.status.success(), "{kib}: {output:?}");
        assert_eq!(metrics(&out), metrics(&whole), "{kib}");
    }
    // Before the first checkpoint, and after it.
    assert!(epochs.contains(&0) && epochs.contains(&1), "{epochs:?}");
}

#[test]
fn report_a_folder_that_can_only_be_read_is_one_line_and_the_run_continues() {
    let Some(disk) = Disk::of("16m") else { return };
    let out = disk.path().join("run");
    disk.remount("ro");
    let place = out.display().to_string();
    assert_one_line(&run(&out), &[&place, "Read-only file system"]);
    assert!(!out.exists());
    disk.remount("rw");
    assert!(run(&out).status.success());
    let expected = metrics(&out);
    // As if it had been stopped before its end.
    fs::remove_file(out.join("result.json")).expect("a result");
    disk.remount("ro");
    assert_last_line(&run(&out), &[&place, "Read-only file system"]);
    disk.remount("rw");
    assert!(run(&out).status.success());
    assert_eq!(metrics(&out), expected);
}

/// A limit on the size of files (`ulimit -f`) used to kill the process.
#[test]
fn report_a_file_that_may_not_grow_is_one_line_and_the_run_continues() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let limited = Command::new("sh")
        .args([
            "-c",
            "ulimit -f 64; exec \"$0\" train \"$@\"",
            env!("CARGO_BIN_EXE_kd"),
        ])
        .args(tiny_flags(&[("--epochs", "3")]))
        .arg("--out")
        .arg(&out)
        .output()
        .expect("sh runs");
    assert_last_line(&limited, &[&out.display().to_string(), "File too large"]);
    assert_eq!(rubbish(&out), Vec::<PathBuf>::new());
    assert!(run(&out).status.success());
    assert_eq!(metrics(&out).len(), 3);
}
