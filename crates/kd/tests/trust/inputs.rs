//! Files that runs are started from.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::common::tiny_run;

/// Writes CIFAR-100 of 40 training and 20 test images below `root`, which `seed` tells from others.
pub fn cifar100(root: &Path, seed: u8) {
    let label = |image: usize| vec![(image % 20) as u8, (image % 100) as u8];
    let folder = root.join("cifar-100-binary");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("train.bin"), records(40, seed, label)).expect("a file");
    fs::write(folder.join("test.bin"), records(20, seed, label)).expect("a file");
}

/// Writes CIFAR-10 of 40 training and 20 test images below `root`.
pub fn cifar10(root: &Path, seed: u8) {
    let label = |image: usize| vec![(image % 10) as u8];
    let folder = root.join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).expect("a folder");
    for batch in 1..=5 {
        let name = format!("data_batch_{batch}.bin");
        fs::write(folder.join(name), records(8, seed + batch, label)).expect("a file");
    }
    fs::write(folder.join("test_batch.bin"), records(20, seed, label)).expect("a file");
}

/// Records of labels and of images that show noise.
pub fn records(images: usize, seed: u8, label: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut bytes = Vec::new();
    for image in 0..images {
        bytes.extend(label(image));
        bytes.extend((0..3072).map(|_| noise()));
    }
    bytes
}

/// The weights of a resnet8 that was trained on the generated images for an epoch.
pub fn teacher(folder: &Path) -> PathBuf {
    let out = folder.join("teacher-run");
    tiny_run(&out).assert().success();
    out.join("student.safetensors")
}

/// The same file with all numbers of a tensor replaced.
pub fn with_tensor(file: &Path, key: &str, value: f32) -> PathBuf {
    let mut bytes = fs::read(file).expect("weights");
    let place = {
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let data = tensors.tensor(key).expect("a tensor").data();
        let start = data.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + data.len()
    };
    for number in bytes[place].chunks_exact_mut(4) {
        number.copy_from_slice(&value.to_le_bytes());
    }
    let changed = file.with_file_name(format!("{key}.safetensors"));
    fs::write(&changed, bytes).expect("a file");
    changed
}

/// The arguments of a distillation of a resnet8 for `epochs` epochs.
pub fn distill(teacher: &Path, epochs: usize, out: &Path) -> Vec<String> {
    let fixed = [
        "distill",
        "--student",
        "resnet8",
        "--method",
        "kd",
        "--limit-train",
        "40",
        "--limit-test",
        "20",
        "--batch-size",
        "16",
    ];
    let given = [
        "--epochs".to_owned(),
        epochs.to_string(),
        "--teacher-weights".to_owned(),
        teacher.display().to_string(),
        "--out".to_owned(),
        out.display().to_string(),
    ];
    fixed
        .iter()
        .map(|arg| (*arg).to_owned())
        .chain(given)
        .collect()
}
