//! What runs leave behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use kd_core::Reads;
use kd_data::{Augmentation, Loader, LoaderConfig, ProceduralConfig};
use kd_recipes::table::{Format, TableOptions, Tables};
use kd_train::{
    CachePlace, FrozenTeacher, NoopObserver, Parts, Recipe, RunHistory, RunOptions, RunState,
    TeacherCacheConfig, TrainError, run_with,
};

use super::{check, check_named, scratch};
use crate::Tiny;

/// Bytes of the magic number, the fingerprint and the width at the beginning of a cache.
const CACHE_HEADER: usize = 44;

fn images() -> ProceduralConfig {
    ProceduralConfig {
        classes: 3,
        train: 8,
        test: 4,
        ..ProceduralConfig::default()
    }
}

/// A file of a teacher's cache. By the bits of the first byte, its header is put before it, and the
/// checksums of its rows are made right.
pub(super) fn teacher_cache(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let folder = scratch::folder("teacher_cache");
    let device = Device::default();
    device.seed(1);
    let teacher = FrozenTeacher::new("tiny", &Tiny::new(2, &device));
    let set = images().generate().expect("images").train;
    let augmentation = Augmentation::crop_flip(0);
    let config = TeacherCacheConfig {
        place: CachePlace::Folder(folder.clone()),
        limit: 1 << 20,
    };
    let open = || config.open(&teacher, &set, &augmentation, Reads::Logits, &device);
    static HEADER: OnceLock<(PathBuf, Vec<u8>)> = OnceLock::new();
    let (path, header) = HEADER.get_or_init(|| {
        open().expect("a new cache");
        let path = only_file(&folder);
        let header = fs::read(&path).expect("a header");
        assert_eq!(header.len(), CACHE_HEADER);
        (path, header)
    });
    let mut rows = bytes.to_vec();
    if which & 2 == 2 {
        // Image, view and three logits, and their checksum.
        for row in rows.chunks_exact_mut(4 + 4 + 3 * 4 + 4) {
            let (content, sum) = row.split_at_mut(4 + 4 + 3 * 4);
            sum.copy_from_slice(&crc32c::crc32c(content).to_le_bytes());
        }
    }
    match which & 1 == 1 {
        true => scratch::write(path, &[header.as_slice(), &rows].concat()),
        false => scratch::write(path, &rows),
    }
    let used = open().and_then(|mut cache| {
        let config = LoaderConfig {
            augmentation,
            ..LoaderConfig::train(4, 0)
        };
        for batch in Loader::new(set.clone(), config)?.epoch(0, &device) {
            cache.features(&teacher, &batch)?;
        }
        cache.flush()
    });
    if let Err(error) = used {
        check(&error);
    }
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).expect("a folder");
    files.next().expect("a file").expect("a file").path()
}

/// Files of a checkpoint.
const CHECKPOINT: [&str; 4] = ["state.json", "model.bpk", "optimizer.bpk", "ema.bpk"];

/// A file of the checkpoint of a run that is continued; the first byte says which.
pub(super) fn checkpoint(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let out = scratch::folder("checkpoint").join("run");
    static SOUND: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    let sound = SOUND.get_or_init(|| {
        continued(&out).expect("a run");
        let place = out.join("checkpoint/epoch-0001");
        let read = |name: &str| {
            let path = place.join(name);
            let bytes = fs::read(&path).expect("a file");
            (path, bytes)
        };
        CHECKPOINT.map(read).into()
    });
    for name in ["result.json", "metrics.jsonl"] {
        scratch::remove(&out.join(name));
    }
    for (path, bytes) in sound {
        scratch::write(path, bytes);
    }
    let (path, _) = &sound[usize::from(*which) % sound.len()];
    scratch::write(path, bytes);
    if let Err(error) = continued(&out) {
        check_named(&error, path);
    }
}

/// A run of one epoch, or what is left of it.
fn continued(out: &Path) -> Result<(), TrainError> {
    let mut recipe = Recipe::default();
    recipe.data.procedural = Some(images());
    recipe.data.batch_size = Some(4);
    recipe.train.epochs = Some(1);
    recipe.train.ema_decay = Some(0.9);
    recipe.compute.device = Some("flex".to_owned());
    let parts: Parts<Tiny, Tiny> = Parts::new("tiny", |setting| Tiny::new(2, &setting.device));
    let options = RunOptions::resuming(out);
    run_with(&recipe, parts, &options, &mut NoopObserver).map(|_| ())
}

/// The log for TensorBoard of a run that is continued, which takes its times from there: messages, each
/// after a byte that says how long it is, as records with right lengths and checksums; the first byte
/// says how many, and what follows them stands as it is. No log stops a run.
pub(super) fn event_file(bytes: &[u8]) {
    let Some((count, bytes)) = bytes.split_first() else {
        return;
    };
    let out = scratch::folder("event_file").join("run");
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        continued(&out).expect("a run");
        let mut files = fs::read_dir(&out).expect("a folder");
        let is_log = |path: &PathBuf| path.to_string_lossy().contains("events.out.tfevents.");
        let log = files.find_map(|file| Some(file.ok()?.path()).filter(is_log));
        log.expect("a log")
    });
    scratch::remove(&out.join("result.json"));
    scratch::write(path, &event_records(*count, bytes));
    continued(&out).expect("a run that goes on");
}

fn event_records(count: u8, mut bytes: &[u8]) -> Vec<u8> {
    let checksum = |bytes: &[u8]| {
        let sum = crc32c::crc32c(bytes);
        sum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let mut records = Vec::new();
    for _ in 0..count {
        let Some((length, rest)) = bytes.split_first() else {
            break;
        };
        let (message, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = rest;
        let length = (message.len() as u64).to_le_bytes();
        for part in [
            length.as_slice(),
            &checksum(&length),
            message,
            &checksum(message),
        ] {
            records.extend(part);
        }
    }
    records.extend(bytes);
    records
}

/// Records of a run, with what is sound of each.
const RECORDS: [(&str, &str); 5] = [
    ("recipe.yaml", "student: {network: resnet8}\n"),
    ("metrics.jsonl", ""),
    ("routing.json", ""),
    ("result.json", ""),
    ("../.sweep/run/cell.json", ""),
];

/// A record of a run, as tables and figures read it; the first byte says which.
pub(super) fn records(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let sweep = scratch::folder("records").join("sweep");
    let run = sweep.join("run");
    fs::create_dir_all(&run).expect("a folder");
    fs::create_dir_all(sweep.join(".sweep/run")).expect("a folder");
    for (index, (name, content)) in RECORDS.iter().enumerate() {
        let path = run.join(name);
        match index == usize::from(*which) % RECORDS.len() {
            true => scratch::write(&path, bytes),
            false if content.is_empty() => scratch::remove(&path),
            false => scratch::write(&path, content.as_bytes()),
        }
    }
    let _ = RunState::of(&run);
    if let Err(error) = RunHistory::read(&run) {
        check(&error);
    }
    for folder in [&run, &sweep] {
        match Tables::read(std::slice::from_ref(folder)) {
            Err(error) => check(&error),
            Ok(tables) => render(&tables),
        }
    }
}

fn render(tables: &Tables) {
    let options = TableOptions {
        details: true,
        ..TableOptions::default()
    };
    for format in [
        Format::Text,
        Format::Markdown,
        Format::Tsv,
        Format::Latex,
        Format::Json,
        Format::Html,
    ] {
        let text = tables.render(format, &options);
        let allowed = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
        assert!(text.chars().all(|letter| allowed(&letter)), "{text:?}");
    }
}
