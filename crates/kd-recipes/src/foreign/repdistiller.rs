//! The command lines of RepDistiller and KDrefine.

use std::collections::BTreeMap;
use std::path::Path;

use kd_models::Architecture;
use kd_train::Overlay;
use serde_json::{Value, json};

use super::keys::Keys;
use super::terms::Family;
use super::{Foreign, Program, crd_family, slow_rate};
use crate::{RecipesError, Report};

/// Their flags, with the names of the keys that they are read under.
pub(super) const FLAGS: &[(&str, &str)] = &[
    ("--print_freq", "print_freq"),
    ("--tb_freq", "tb_freq"),
    ("--save_freq", "save_freq"),
    ("--batch_size", "batch_size"),
    ("--num_workers", "num_workers"),
    ("--epochs", "epochs"),
    ("--init_epochs", "init_epochs"),
    ("--learning_rate", "learning_rate"),
    ("--lr_decay_epochs", "lr_decay_epochs"),
    ("--lr_decay_rate", "lr_decay_rate"),
    ("--weight_decay", "weight_decay"),
    ("--momentum", "momentum"),
    ("--dataset", "dataset"),
    ("--model", "model"),
    ("--model_s", "model_s"),
    ("--path_t", "path_t"),
    ("--distill", "distill"),
    ("--trial", "trial"),
    ("--blocktype", "blocktype"),
    ("-t", "t"),
    ("-r", "gamma"),
    ("--gamma", "gamma"),
    ("-a", "alpha"),
    ("--alpha", "alpha"),
    ("-b", "beta"),
    ("--beta", "beta"),
    ("--kd_T", "kd_T"),
    ("--feat_dim", "feat_dim"),
    ("--mode", "mode"),
    ("--nce_k", "nce_k"),
    ("--nce_t", "nce_t"),
    ("--nce_m", "nce_m"),
    ("--hint_layer", "hint_layer"),
];

/// Flags that no command of kd has: by one of them a command line is recognized.
pub(super) const SIGNS: &[&str] = &[
    "--path_t",
    "--model_s",
    "--distill",
    "--learning_rate",
    "--lr_decay_epochs",
    "--trial",
];

/// What a command line says.
pub(super) fn read(values: BTreeMap<String, Value>) -> Result<Foreign, RecipesError> {
    let keys = Keys::new("command line", values);
    let distills = keys.has("distill") || keys.has("path_t") || keys.has("model_s");
    let program = match distills {
        true => program(&keys),
        false => Program::RepDistiller,
    };
    let student = match (distills, program) {
        (true, Program::KdRefine) => keys
            .text("model_s")
            .unwrap_or_else(|| "represnet20".to_owned()),
        (true, _) => keys.text("model_s").unwrap_or_else(|| "resnet8".to_owned()),
        (false, _) => keys.text("model").unwrap_or_else(|| "resnet110".to_owned()),
    };
    let mut overlay = Overlay::default();
    let default = if program == Program::KdRefine {
        0.01
    } else {
        0.05
    };
    let mut lr = keys.number_or("learning_rate", default)?;
    if program != Program::KdRefine {
        lr = slow_rate(&keys, &student, lr);
    }
    overlay.set("optimizer.lr", lr);
    crd_family(&keys, &mut overlay)?;
    overlay.set("student.network", &student);
    if let Some(other) = keys.text("dataset").filter(|name| name != "cifar100") {
        return Err(keys.wrong("dataset", &json!(other), "cifar100"));
    }
    overlay.set("data.name", "cifar100");
    overlay.set("data.root", "data");
    match distills {
        true => distillation(&keys, &mut overlay, (&student, lr), program)?,
        false => overlay.set("losses", json!([{ "name": "ce", "weight": 1.0 }])),
    }
    trial(&keys, &mut overlay);
    let unused = [
        "print_freq",
        "tb_freq",
        "save_freq",
        "num_workers",
        "blocktype",
    ];
    keys.without_effect(&unused, "does not affect results");
    keys.note(format!("read as a command line of {}", program.name()));
    Ok(Foreign {
        program,
        overlay,
        out: None,
        report: Report::Last,
        notes: keys.finish()?,
    })
}

/// Whose command line it is: both programs have the same flags, and rates of their own.
fn program(keys: &Keys) -> Program {
    let distill = keys.text("distill").unwrap_or_default();
    let student = keys.text("model_s").unwrap_or_default();
    let only_there = ["kdrefine", "dkd", "srrl", "semckd"].contains(&distill.as_str());
    let block = keys.has("blocktype") || keys.text("t").as_deref() == Some("AMBB");
    if only_there || block || student.starts_with("rep") {
        Program::KdRefine
    } else {
        Program::RepDistiller
    }
}

fn distillation(
    keys: &Keys,
    overlay: &mut Overlay,
    (student, lr): (&str, f64),
    program: Program,
) -> Result<(), RecipesError> {
    let kdrefine = program == Program::KdRefine;
    let path = match keys.text("path_t") {
        Some(path) => path,
        None if kdrefine => "save/t_models/resnet56_vanilla/ckpt_epoch_240.pth".to_owned(),
        None => keys.required("path_t")?,
    };
    overlay.set_some("teacher.network", teacher_of(Path::new(&path)));
    overlay.set("teacher.weights", &path);
    let default = if kdrefine { "kdrefine" } else { "kd" };
    let distill = keys.text("distill").unwrap_or_else(|| default.to_owned());
    let weight = |key: &str, default: Option<f64>| match (keys.number(key)?, default) {
        (Some(weight), _) => Ok(weight),
        (None, Some(default)) => Ok(default),
        (None, None) => keys.required(key).map(|_| 0.0),
    };
    Family {
        distill: &distill,
        weights: [
            weight("gamma", Some(if kdrefine { 0.1 } else { 1.0 }))?,
            weight("alpha", kdrefine.then_some(0.9))?,
            weight("beta", kdrefine.then_some(0.0))?,
        ],
        temperature: keys.number_or("kd_T", 4.0)?,
        student,
        lr,
    }
    .apply(keys, overlay)
}

/// The teacher that the folder of its checkpoint names, as `resnet32x4_vanilla`.
fn teacher_of(path: &Path) -> Option<&'static str> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let parts: Vec<&str> = folder.split('_').collect();
    let name = match parts.first() {
        Some(&"wrn") => parts.get(..3)?.join("_"),
        first => (*first?).to_owned(),
    };
    Architecture::by_name(&name)
        .ok()
        .map(|network| network.name())
}

/// The originals set no seed, and trials differ by chance; here they differ by their seed.
fn trial(keys: &Keys, overlay: &mut Overlay) {
    let short = keys.text("t").filter(|text| text != "AMBB");
    if let Some(trial) = keys.text("trial").or(short) {
        match trial.parse::<u64>() {
            Ok(seed) => overlay.set("train.seed", seed),
            Err(_) => keys.note(format!(
                "trial: {trial} is not a number, so the seed stays 0"
            )),
        }
    }
}
