//! Caches and data sets.

use std::path::Path;

use kd_data::{Cifar, ImageFiles, Limits};
use kd_train::default_gpu_cache;
use serde_json::json;

use super::check::Check;

pub fn checks(root: &Path, teacher_cache: Option<&Path>) -> Vec<Check> {
    let mut checks = Vec::new();
    if cfg!(any(feature = "cuda", feature = "wgpu")) {
        checks.push(cache("GPU cache", default_gpu_cache().folder()));
    }
    checks.extend(teacher_cache.map(|folder| cache("teacher cache", folder)));
    checks.push(data(root));
    checks
}

fn cache(topic: &'static str, folder: &Path) -> Check {
    let shown = folder.display();
    let (found, bytes) = match folder.is_dir() {
        false => (format!("{shown} does not exist yet"), 0),
        true => {
            let bytes = size(folder);
            (format!("{} MiB in {shown}", bytes >> 20), bytes)
        }
    };
    Check::ok(topic, found)
        .value("folder", json!(folder))
        .value("bytes", bytes)
}

/// Bytes of all files below a folder, as far as they can be read.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |file| file.len()),
            _ => 0,
        })
        .sum()
}

fn data(root: &Path) -> Check {
    let shown = root.display();
    let (sets, damaged) = data_sets(root);
    let found = match (root.is_dir(), sets.is_empty()) {
        (false, _) => format!("there is no directory {shown}"),
        (true, true) => format!("{shown} holds no complete data set"),
        (true, false) => format!("{shown} holds {}", sets.join(", ")),
    };
    let check = Check::ok("data", found)
        .value("root", json!(root))
        .value("data_sets", sets.clone());
    match (damaged, sets.is_empty()) {
        (Some(reason), _) => check.note(reason),
        (None, true) => {
            check.note("name the directory with --root; only `--data procedural` needs no files")
        }
        (None, false) => check,
    }
}

/// The data sets whose files are there, as `--data` names them, and what is wrong with one that is
/// not whole. CIFAR is read; of image files, which may be a million, the directories are looked at.
fn data_sets(root: &Path) -> (Vec<&'static str>, Option<String>) {
    let mut sets = Vec::new();
    let mut damaged = None;
    for (name, set) in [("cifar10", Cifar::Cifar10), ("cifar100", Cifar::Cifar100)] {
        if set.is_in(root) {
            match set.read(root, Limits::default()) {
                Ok(_) => sets.push(name),
                Err(error) => damaged = Some(error.to_string()),
            }
        }
    }
    if ImageFiles::is_tiny_imagenet_in(root) {
        sets.push("tiny-imagenet");
    }
    let folders = [["train", "val"], ["train_set", "test_set"]];
    let is_split = |pair: &[&str; 2]| pair.iter().all(|name| has_folders(&root.join(name)));
    if folders.iter().any(is_split) {
        sets.push("folder");
    }
    (sets, damaged)
}

fn has_folders(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| path.is_dir())
}
