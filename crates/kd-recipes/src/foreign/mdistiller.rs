//! mdistiller's and logit-standardization-KD's YAML files, with overrides.

use std::path::PathBuf;

use kd_train::Overlay;
use serde_json::{Value, json};

use super::keys::Keys;
use super::{Foreign, Program};
use crate::{RecipesError, Report};

/// The flags of logit-standardization-KD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LogitStand {
    pub(super) temperature: f64,
    pub(super) weight: f64,
}

/// What a file says, with overrides `KEY VALUE` and the flags of logit-standardization-KD.
pub(super) fn read(
    origin: &str,
    file: &Value,
    overrides: &[(String, Value)],
    stand: Option<LogitStand>,
) -> Result<Foreign, RecipesError> {
    let mut merged = Overlay::from(file.as_object().cloned().unwrap_or_default());
    for (key, value) in overrides {
        merged.set(key, value);
    }
    let keys = Keys::flattened(origin, &merged.into());
    let mut overlay = Overlay::default();
    data(&keys, &mut overlay)?;
    solver(&keys, &mut overlay)?;
    let method = keys
        .text("DISTILLER.TYPE")
        .unwrap_or_else(|| "NONE".to_owned());
    let data = keys.text("DATASET.TYPE").unwrap_or_default();
    let imagenet = data == "imagenet";
    let stand = match stand {
        None if keys.flag("EXPERIMENT.LOGIT_STAND")?.unwrap_or(false) => Some(LogitStand {
            temperature: keys.number_or("KD.TEMPERATURE", 2.0)?,
            weight: keys.number_or("KD.LOSS.KD_WEIGHT", 9.0)?,
        }),
        stand => stand,
    };
    // A file for no method names a teacher all the same.
    keys.has("DISTILLER.TEACHER");
    let student = keys
        .text("DISTILLER.STUDENT")
        .unwrap_or_else(|| "resnet32".to_owned());
    overlay.set("student.network", network(student, imagenet));
    if method != "NONE" {
        let teacher = keys
            .text("DISTILLER.TEACHER")
            .unwrap_or_else(|| "ResNet50".to_owned());
        // Their places there; ImageNet's come from torchvision.
        let file = match data.as_str() {
            "imagenet" => None,
            "tiny_imagenet" => Some(("tiny_imagenet", "ti_res18")),
            _ => Some(("cifar", "ckpt_epoch_240.pth")),
        };
        if let Some((set, file)) = file {
            let weights = format!("download_ckpts/{set}_teachers/{teacher}_vanilla/{file}");
            overlay.set("teacher.weights", weights);
        }
        overlay.set("teacher.network", network(teacher, imagenet));
    }
    overlay.set("losses", losses(&keys, &method, stand)?);
    known_elsewhere(&keys);
    let out = out(&keys, overrides);
    Ok(Foreign {
        program: Program::Mdistiller,
        overlay,
        out,
        report: Report::Best,
        notes: keys.finish()?,
    })
}

fn data(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    let name = keys
        .text("DATASET.TYPE")
        .unwrap_or_else(|| "cifar100".to_owned());
    let (name, root, augmentation) = match name.as_str() {
        "cifar100" => ("cifar100", "data", json!({ "kind": "crop_flip", "pad": 4 })),
        "imagenet" => (
            "imagenet",
            "data/imagenet",
            json!({ "kind": "random_resized_crop" }),
        ),
        "tiny_imagenet" => (
            "tiny-imagenet",
            "data/tiny-imagenet-200",
            json!({ "kind": "rotate_flip", "degrees": 20.0 }),
        ),
        _ => {
            let expected = "cifar100, imagenet or tiny_imagenet";
            return Err(keys.wrong("DATASET.TYPE", &json!(name), expected));
        }
    };
    overlay.set("data.name", name);
    overlay.set("data.root", root);
    overlay.set("augmentation", augmentation);
    let unused = ["DATASET.NUM_WORKERS", "DATASET.TEST.BATCH_SIZE"];
    keys.without_effect(&unused, "does not affect results");
    Ok(())
}

fn solver(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    match keys.text("SOLVER.TRAINER").as_deref() {
        None | Some("base" | "crd" | "ours") => {}
        Some(other) => {
            let expected = "base or crd: kd has no optimizer with two momenta (DOT)";
            return Err(keys.wrong("SOLVER.TRAINER", &json!(other), expected));
        }
    }
    if let Some(other) = keys.text("SOLVER.TYPE").filter(|name| name != "SGD") {
        return Err(keys.wrong("SOLVER.TYPE", &json!(other), "SGD"));
    }
    let number = |key: &str, default| keys.number_or(key, default);
    overlay.set("train.epochs", keys.count_or("SOLVER.EPOCHS", 240)?);
    overlay.set("data.batch_size", keys.count_or("SOLVER.BATCH_SIZE", 64)?);
    overlay.set("optimizer.name", "sgd");
    overlay.set("optimizer.nesterov", false);
    overlay.set("optimizer.lr", number("SOLVER.LR", 0.05)?);
    overlay.set("optimizer.momentum", number("SOLVER.MOMENTUM", 0.9)?);
    overlay.set(
        "optimizer.weight_decay",
        number("SOLVER.WEIGHT_DECAY", 1e-4)?,
    );
    let stages = keys.counts("SOLVER.LR_DECAY_STAGES")?;
    overlay.set("scheduler.name", "multistep");
    overlay.set(
        "scheduler.milestones",
        stages.unwrap_or_else(|| vec![150, 180, 210]),
    );
    overlay.set("scheduler.gamma", number("SOLVER.LR_DECAY_RATE", 0.1)?);
    Ok(())
}

/// The terms of the loss.
fn losses(
    keys: &Keys,
    method: &str,
    stand: Option<LogitStand>,
) -> Result<Vec<Value>, RecipesError> {
    let number = |key: &str, default| keys.number_or(key, default);
    let count = |key: &str, default| keys.count_or(key, default);
    let ce = |key: &str, default: f64| {
        Ok::<_, RecipesError>(json!({ "name": "ce", "weight": number(key, default)? }))
    };
    // Sections of feature methods have their weights under the same names.
    let of_features = |name: &str, weight: f64| {
        let section = method.to_uppercase();
        let weight = number(&format!("{section}.LOSS.FEAT_WEIGHT"), weight)?;
        let ce = ce(&format!("{section}.LOSS.CE_WEIGHT"), 1.0)?;
        Ok::<_, RecipesError>(vec![ce, json!({ "name": name, "weight": weight })])
    };
    let with = |mut terms: Vec<Value>, parameters: &[(&str, Value)]| {
        if let Some(own) = terms.last_mut() {
            for (name, value) in parameters {
                own[*name] = value.clone();
            }
        }
        terms
    };
    Ok(match method {
        "NONE" => vec![json!({ "name": "ce", "weight": 1.0 })],
        "KD" => {
            let mut weight = number("KD.LOSS.KD_WEIGHT", 0.9)?;
            let mut temperature = number("KD.TEMPERATURE", 4.0)?;
            let ce = ce("KD.LOSS.CE_WEIGHT", 0.1)?;
            let mut kd = json!({ "name": "kd" });
            if let Some(stand) = stand {
                (weight, temperature) = (stand.weight, stand.temperature);
                kd["standardize"] = json!(1.0);
            }
            kd["weight"] = json!(weight);
            kd["temperature"] = json!(temperature);
            vec![ce, kd]
        }
        "DKD" => {
            let factor = stand.map_or(1.0, |stand| stand.weight);
            let mut dkd = json!({
                "name": "dkd", "weight": 1.0,
                "alpha": number("DKD.ALPHA", 1.0)? * factor,
                "beta": number("DKD.BETA", 8.0)? * factor,
                "temperature": number("DKD.T", 4.0)?,
                "warm_up": count("DKD.WARMUP", 20)?,
            });
            if let Some(stand) = stand {
                dkd["temperature"] = json!(stand.temperature);
                dkd["standardize"] = json!(1.0);
            }
            vec![ce("DKD.CE_WEIGHT", 1.0)?, dkd]
        }
        "AT" => with(
            of_features("at", 1000.0)?,
            &[("p", json!(count("AT.P", 2)?))],
        ),
        "RKD" => with(
            of_features("rkd", 1.0)?,
            &[
                ("distance", json!(number("RKD.DISTANCE_WEIGHT", 25.0)?)),
                ("angle", json!(number("RKD.ANGLE_WEIGHT", 50.0)?)),
            ],
        ),
        "FITNET" => with(
            of_features("hint", 100.0)?,
            &[("stage", json!(count("FITNET.HINT_LAYER", 2)?))],
        ),
        "KDSVD" => with(
            of_features("kdsvd", 1.0)?,
            &[
                ("k", json!(count("KDSVD.K", 1)?)),
                ("convention", json!("mdistiller")),
            ],
        ),
        "OFD" => with(
            of_features("ofd", 0.001)?,
            &[("convention", json!("mdistiller"))],
        ),
        "NST" => of_features("nst", 50.0)?,
        "PKT" => of_features("pkt", 30000.0)?,
        "SP" => of_features("sp", 3000.0)?,
        "VID" => with(
            of_features("vid", 1.0)?,
            &[("variance", json!(number("VID.INIT_PRED_VAR", 5.0)?))],
        ),
        "CRD" => with(
            of_features("crd", 0.8)?,
            &[
                (
                    "sampling",
                    json!(keys.text("CRD.MODE").unwrap_or_else(|| "exact".to_owned())),
                ),
                ("dim", json!(count("CRD.FEAT.DIM", 128)?)),
                ("negatives", json!(count("CRD.NCE.K", 16384)?)),
                ("temperature", json!(number("CRD.NCE.TEMPERATURE", 0.07)?)),
                ("momentum", json!(number("CRD.NCE.MOMENTUM", 0.5)?)),
            ],
        ),
        "REVIEWKD" if keys.flag("REVIEWKD.STU_PREACT")? == Some(true) => {
            let expected = "False: maps before the activation are not compared here";
            return Err(keys.wrong("REVIEWKD.STU_PREACT", &json!(true), expected));
        }
        "REVIEWKD" => vec![
            ce("REVIEWKD.CE_WEIGHT", 1.0)?,
            json!({
                "name": "reviewkd",
                "weight": number("REVIEWKD.REVIEWKD_WEIGHT", 1.0)?,
                "warm_up": count("REVIEWKD.WARMUP_EPOCHS", 20)?,
            }),
        ],
        other => {
            let expected = "NONE, KD, AT, RKD, FITNET, KDSVD, OFD, NST, PKT, SP, VID, CRD, REVIEWKD \
                            or DKD";
            return Err(keys.wrong("DISTILLER.TYPE", &json!(other), expected));
        }
    })
}

/// Keys that a file may have for methods other than its own.
const OF_METHODS: [&str; 33] = [
    "KD.TEMPERATURE",
    "KD.LOSS.CE_WEIGHT",
    "KD.LOSS.KD_WEIGHT",
    "AT.P",
    "RKD.DISTANCE_WEIGHT",
    "RKD.ANGLE_WEIGHT",
    "FITNET.HINT_LAYER",
    "KDSVD.K",
    "VID.INIT_PRED_VAR",
    "CRD.MODE",
    "CRD.FEAT.DIM",
    "CRD.NCE.K",
    "CRD.NCE.MOMENTUM",
    "CRD.NCE.TEMPERATURE",
    "REVIEWKD.CE_WEIGHT",
    "REVIEWKD.REVIEWKD_WEIGHT",
    "REVIEWKD.WARMUP_EPOCHS",
    "REVIEWKD.STU_PREACT",
    "DKD.CE_WEIGHT",
    "DKD.ALPHA",
    "DKD.BETA",
    "DKD.T",
    "DKD.WARMUP",
    "AT.LOSS.FEAT_WEIGHT",
    "RKD.LOSS.FEAT_WEIGHT",
    "FITNET.LOSS.FEAT_WEIGHT",
    "KDSVD.LOSS.FEAT_WEIGHT",
    "OFD.LOSS.FEAT_WEIGHT",
    "NST.LOSS.FEAT_WEIGHT",
    "PKT.LOSS.FEAT_WEIGHT",
    "SP.LOSS.FEAT_WEIGHT",
    "VID.LOSS.FEAT_WEIGHT",
    "CRD.LOSS.FEAT_WEIGHT",
];

/// Keys of other methods, those that the networks tell here, and those that only say what is printed
/// and where it is stored.
fn known_elsewhere(keys: &Keys) {
    for key in OF_METHODS {
        keys.has(key);
        keys.has(&key.replace("FEAT_WEIGHT", "CE_WEIGHT"));
    }
    let shapes = [
        "FITNET.INPUT_SIZE",
        "VID.INPUT_SIZE",
        "VID.EPS",
        "RKD.PDIST.EPSILON",
        "RKD.PDIST.SQUARED",
        "OFD.CONNECTOR.KERNEL_SIZE",
        "CRD.FEAT.STUDENT_DIM",
        "CRD.FEAT.TEACHER_DIM",
        "REVIEWKD.SHAPES",
        "REVIEWKD.OUT_SHAPES",
        "REVIEWKD.IN_CHANNELS",
        "REVIEWKD.OUT_CHANNELS",
        "REVIEWKD.MAX_MID_CHANNEL",
    ];
    keys.without_effect(&shapes, "follows from the networks here");
    let logs = [
        "LOG.TENSORBOARD_FREQ",
        "LOG.SAVE_CHECKPOINT_FREQ",
        "LOG.WANDB",
        "SOLVER.DOT.DELTA",
    ];
    keys.without_effect(&logs, "does not affect results");
}

/// The folder: `<prefix>/<project>/<name>`, overrides being appended to the name.
fn out(keys: &Keys, overrides: &[(String, Value)]) -> Option<PathBuf> {
    let prefix = keys
        .text("LOG.PREFIX")
        .unwrap_or_else(|| "./output".to_owned());
    let project = keys
        .text("EXPERIMENT.PROJECT")
        .unwrap_or_else(|| "distill".to_owned());
    let tag = keys
        .text("EXPERIMENT.TAG")
        .unwrap_or_else(|| "default".to_owned());
    let name = keys.text("EXPERIMENT.NAME").filter(|name| !name.is_empty());
    let mut name = name.unwrap_or(tag);
    for (key, value) in overrides {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        name = format!("{name},{key}:{value}");
    }
    Some(PathBuf::from(prefix).join(project).join(name))
}

/// A network by its name there: ResNet18 and MobileNetV1 of ImageNet are torchvision's.
fn network(name: String, imagenet: bool) -> String {
    match (name.as_str(), imagenet) {
        ("ResNet18" | "ResNet34" | "ResNet50", true) => format!("{}-imagenet", name.to_lowercase()),
        ("MobileNetV1", true) => "mobilenetv1-imagenet".to_owned(),
        _ => name,
    }
}
