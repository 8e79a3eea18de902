//! A teacher for tests of whole runs.

use std::path::{Path, PathBuf};

use burn::module::Module;
use kd_data::ProceduralConfig;
use kd_models::Architecture;
use kd_models::weights::{self, Form, WeightsInfo};
use kd_train::device_by_name;

/// A procedural set of a few images: the last batch of 8 is a short one.
pub fn tiny_set() -> ProceduralConfig {
    ProceduralConfig {
        classes: 4,
        train: 20,
        test: 4,
        ..ProceduralConfig::default()
    }
}

/// Writes a resnet14 that has learned nothing, for the [`tiny_set`], into a folder; returns its path.
pub fn untrained_teacher(folder: &Path) -> PathBuf {
    let device = device_by_name("flex").expect("flex is a default");
    let architecture = Architecture::by_name("resnet14").expect("a network");
    let classes = tiny_set().classes;
    let info = WeightsInfo {
        architecture,
        form: Form::Trained,
        classes,
        input: [3, 32, 32],
        mean: Some([0.5; 3]),
        std: Some([0.25; 3]),
        data: Some("procedural".to_owned()),
        top1: None,
    };
    let path = folder.join("teacher.safetensors");
    let network = architecture.init(classes, &device).valid();
    weights::save(&path, &network, &info).expect("weights are written");
    path
}

/// The lines of a run's `metrics.jsonl` without the wall time.
pub fn lines_without_seconds(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|line| {
        let (numbers, _) = line.split_once(",\"seconds\"").expect("a wall time");
        numbers.to_owned()
    });
    lines.collect()
}
