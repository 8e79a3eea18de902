//! ASKD's YAML files.

use kd_train::Overlay;
use serde_json::{Value, json};

use super::keys::Keys;
use super::terms::Family;
use super::{Foreign, Program, crd_family, slow_rate};
use crate::{RecipesError, Report};

/// What a file of ASKD says.
pub(super) fn read(origin: &str, file: &Value) -> Result<Foreign, RecipesError> {
    let keys = Keys::flattened(origin, file);
    let distills = keys.has("distill") || keys.has("model_s");
    let student = keys.required(if distills { "model_s" } else { "model" })?;
    let mut overlay = Overlay::default();
    let lr = keys.number_or("learning_rate", 0.05)?;
    let lr = slow_rate(&keys, &student, lr);
    overlay.set("optimizer.lr", lr);
    crd_family(&keys, &mut overlay)?;
    overlay.set("student.network", &student);
    match keys.text("dataset").as_deref() {
        None | Some("cifar100") => overlay.set("data.name", "cifar100"),
        Some("tinyimagenet" | "tiny_imagenet" | "tiny-imagenet") => {
            overlay.set("data.name", "tiny-imagenet");
            overlay.set("data.normalization", "imagenet");
            overlay.set("data.image_size", 64);
            overlay.set("augmentation", json!({ "kind": "random_resized_crop" }));
        }
        Some(other) => {
            return Err(keys.wrong("dataset", &json!(other), "cifar100 or tinyimagenet"));
        }
    }
    overlay.set_some("data.root", keys.text("data_dir"));
    if distills {
        overlay.set_some("teacher.network", keys.text("model_t"));
        overlay.set_some("teacher.weights", keys.text("path_t"));
        let distill = keys.required("distill")?;
        Family {
            distill: &distill,
            weights: [
                keys.number_or("gamma", 1.0)?,
                keys.number_or("alpha", 0.0)?,
                keys.number_or("beta", 0.0)?,
            ],
            temperature: keys.number_or("kd_T", 4.0)?,
            student: &student,
            lr,
        }
        .apply(&keys, &mut overlay)?;
        // Files may say what only other methods read.
        for key in [
            "feat_dim",
            "hint_layer",
            "mode",
            "nce_k",
            "nce_t",
            "nce_m",
            "group",
            "layer",
            "w_rs",
            "r",
            "w_cs",
        ] {
            keys.has(key);
        }
    } else {
        overlay.set("losses", json!([{ "name": "ce", "weight": 1.0 }]));
    }
    let unused = ["print_freq", "save_freq", "tb_freq", "num_workers"];
    keys.without_effect(&unused, "does not affect results");
    Ok(Foreign {
        program: Program::Askd,
        out: keys.text("save_folder").map(Into::into),
        report: Report::Best,
        notes: keys.finish()?,
        overlay,
    })
}
