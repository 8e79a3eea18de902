//! spot-adaptive-pytorch's YAML files.

use kd_train::Overlay;
use serde_json::{Value, json};

use super::keys::Keys;
use super::{Foreign, Program};
use crate::{RecipesError, Report};

/// What a file of spot-adaptive-pytorch says, for one of its five ways to route.
pub(super) fn read(origin: &str, file: &Value, mode: &str) -> Result<Foreign, RecipesError> {
    let keys = Keys::flattened(origin, file);
    let mut overlay = Overlay::default();
    data(&keys, &mut overlay)?;
    common(&keys, &mut overlay)?;
    if keys.has("kd_loss.name") {
        distillation(&keys, &mut overlay, mode)?;
    } else {
        single(&keys, &mut overlay)?;
    }
    let unused = [
        "dataset.img_w",
        "dataset.img_h",
        "dataset.num_classes",
        "training.gpu_preserve",
        "training.init_epoch",
        "training.print_iter_freq",
        "training.save_ep_freq",
        "training.lr_agent_decay_epochs",
        "validation.batch_size",
        "kd_loss.T",
        "kd_loss.hint_layer",
    ];
    keys.without_effect(&unused, "has no effect there either");
    let workers = ["training.num_workers", "validation.num_workers"];
    keys.without_effect(&workers, "does not affect results; use --workers");
    Ok(Foreign {
        program: Program::Sakd,
        overlay,
        out: None,
        report: Report::Best,
        notes: keys.finish()?,
    })
}

fn data(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    let name = keys.required("dataset.name")?;
    let cifar = || json!({ "kind": "crop_flip", "pad": 4 });
    let (name, augmentation) = match name.as_str() {
        "cifar-10" | "cifar10" | "CIFAR10" => ("cifar10", cifar()),
        "cifar-100" | "cifar100" | "CIFAR100" => ("cifar100", cifar()),
        "tiny-imagenet" => {
            overlay.set("data.normalization", "cifar10");
            ("tiny-imagenet", json!({ "kind": "flip" }))
        }
        "imagenet" => ("imagenet", json!({ "kind": "random_resized_crop" })),
        _ => {
            let expected = "cifar10, cifar100, tiny-imagenet or imagenet";
            return Err(keys.wrong("dataset.name", &json!(name), expected));
        }
    };
    overlay.set("data.name", name);
    overlay.set("augmentation", augmentation);
    overlay.set_some("data.root", keys.text("dataset.root"));
    Ok(())
}

/// What teachers' and students' files have in common.
fn common(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    overlay.set("train.epochs", keys.count_or("training.epochs", 240)?);
    overlay.set_some("train.seed", keys.count("training.seed")?);
    overlay.set_some("data.batch_size", keys.count("training.batch_size")?);
    overlay.set("scheduler.name", "multistep");
    overlay.set_some(
        "scheduler.milestones",
        keys.counts("training.lr_decay_epochs")?,
    );
    overlay.set_some("scheduler.gamma", keys.number("training.lr_decay_rate")?);
    overlay.set_some(
        "optimizer.momentum",
        keys.number("training.optimizer.momentum")?,
    );
    let nesterov = keys.flag("training.optimizer.nesterov")?.unwrap_or(false);
    overlay.set("optimizer.nesterov", nesterov);
    Ok(())
}

/// A network that learns from labels alone.
fn single(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    let optimizer = keys.text("training.optimizer.name");
    overlay.set(
        "optimizer.name",
        optimizer.map_or_else(|| "sgd".to_owned(), |name| name.to_lowercase()),
    );
    overlay.set_some("optimizer.lr", keys.number("training.optimizer.lr")?);
    overlay.set_some(
        "optimizer.weight_decay",
        keys.number("training.optimizer.weight_decay")?,
    );
    overlay.set("student.network", network(keys.required("model.name")?));
    overlay.set_some("student.weights", keys.text("model.checkpoint"));
    overlay.set("losses", json!([{ "name": "ce", "weight": 1.0 }]));
    keys.without_effect(
        &["kd.loss_weights.classify_weight"],
        "has no effect there either",
    );
    Ok(())
}

fn distillation(keys: &Keys, overlay: &mut Overlay, mode: &str) -> Result<(), RecipesError> {
    let lr = keys.number_or("training.lr", 0.05)?;
    if let Some(after) = keys
        .number("training.optimizer.lr")?
        .filter(|after| *after != lr)
    {
        let expected = format!("{lr}, as training.lr: one rate follows one schedule here");
        return Err(keys.wrong("training.optimizer.lr", &json!(after), &expected));
    }
    overlay.set("optimizer.name", "sgd");
    overlay.set("optimizer.lr", lr);
    let decay = keys.number("training.optimizer.weight_decay_stage2")?;
    overlay.set_some("optimizer.weight_decay", decay);
    keys.without_effect(
        &["training.optimizer.name", "training.optimizer.weight_decay"],
        "of single networks only; a distillation is by SGD with weight_decay_stage2",
    );
    overlay.set(
        "student.network",
        network(keys.required("kd.student.name")?),
    );
    overlay.set_some("student.weights", keys.text("kd.student.checkpoint"));
    overlay.set(
        "teacher.network",
        network(keys.required("kd.teacher.name")?),
    );
    overlay.set_some("teacher.weights", keys.text("kd.teacher.checkpoint"));
    let [gamma, kd, own] = ["classify_weight", "kd_weight", "other_kd"]
        .map(|key| keys.number(&format!("kd.loss_weights.{key}")));
    let (gamma, kd, own) = (
        gamma?.unwrap_or(1.0),
        kd?.unwrap_or(1.0),
        own?.unwrap_or(1.0),
    );
    let temperature = keys.number_or("kd_loss.KD_T", 4.0)?;
    let terms = [
        json!({ "name": "ce", "weight": 1.0 }),
        json!({ "name": "kd", "weight": kd, "temperature": temperature }),
        method(keys, own, mode)?,
    ];
    overlay.set("losses", terms);
    pretraining(keys, overlay)?;
    routing(keys, overlay, mode, gamma, lr)
}

fn method(keys: &Keys, weight: f64, mode: &str) -> Result<Value, RecipesError> {
    let name = keys.required("kd_loss.name")?;
    let dim = keys.count_or("kd_loss.feat_dim", 128)?;
    let plain = |name: &str| json!({ "name": name, "weight": weight });
    Ok(match name.as_str() {
        "AT" | "NST" | "PKT" | "RKD" | "SP" | "VID" | "KDSVD" => plain(&name.to_lowercase()),
        // The adaptive programs detach the teacher's embedding.
        "CC" => json!({
            "name": "cc", "weight": weight, "dim": dim,
            "train_teacher_embedding": !matches!(mode, "adaptive" | "anti"),
        }),
        "CRD" => json!({ "name": "crd", "weight": weight, "dim": dim, "sampling": "exact" }),
        "FitNet" => json!({ "name": "hint", "weight": weight, "whole_batch": true }),
        "FT" => json!({ "name": "ft", "weight": weight, "whole_batch": true }),
        _ => {
            let expected = "AT, CC, CRD, FitNet, FT, KDSVD, NST, PKT, RKD, SP or VID";
            return Err(keys.wrong("kd_loss.name", &json!(name), expected));
        }
    })
}

fn pretraining(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    let Some(epochs) = keys.count("pretrain.epochs")? else {
        return Ok(());
    };
    overlay.set("train.pretrain_epochs", epochs);
    overlay.set_some("train.pretrain_lr", keys.number("pretrain.optimizer.lr")?);
    for (key, of_main) in [
        ("pretrain.optimizer.momentum", "optimizer.momentum"),
        ("pretrain.optimizer.weight_decay", "optimizer.weight_decay"),
    ] {
        let own = keys.number(key)?;
        let main = overlay.get(of_main).and_then(Value::as_f64);
        if let Some(own) = own.filter(|own| main.is_some_and(|main| main != *own)) {
            let expected = format!(
                "the same as in the main phase, {}",
                main.unwrap_or_default()
            );
            return Err(keys.wrong(key, &json!(own), &expected));
        }
    }
    keys.without_effect(
        &["pretrain.optimizer.name"],
        "the phase is by the optimizer of the main one",
    );
    Ok(())
}

fn routing(
    keys: &Keys,
    overlay: &mut Overlay,
    mode: &str,
    gamma: f64,
    lr: f64,
) -> Result<(), RecipesError> {
    let homo = keys.flag("kd_loss.homo")?.unwrap_or(false);
    let decay = keys.number_or("training.optimizer.weight_decay_agent", 1e-3)?;
    let agent = keys.number("training.lr_agent")?;
    let half = lr / 2.0;
    match mode {
        "always" => keys.note(
            "no routing, as train_baseline.py; --routing adaptive, anti, random or joint are \
             train.py, train_reverse.py, train_random.py and train_both.py",
        ),
        "adaptive" | "anti" => overlay.set(
            "routing",
            json!({
                "mode": mode, "gamma": gamma, "lr": half, "weight_decay": decay,
                "temperature": 5.0, "bias": if homo { 10.0 } else { 0.0 },
            }),
        ),
        "random" => overlay.set(
            "routing",
            json!({ "mode": mode, "convention": "sakd", "gamma": gamma }),
        ),
        "joint" => overlay.set(
            "routing",
            json!({
                "mode": mode, "convention": "sakd", "gamma": gamma, "lr": agent.unwrap_or(half),
                "weight_decay": decay, "temperature": 5.0,
            }),
        ),
        _ => keys.note("the routing of the file does not concern this mode"),
    }
    if mode != "joint" && agent.is_some_and(|agent| agent != half) {
        keys.note(
            "training.lr_agent: only joint routing reads it; the policy has half of training.lr",
        );
    }
    Ok(())
}

/// A network by its name there. Its MobileNetV2 is twice as wide as RepDistiller's.
fn network(name: String) -> String {
    match name.as_str() {
        "MobileNetV2" => "mobilenetv2_100".to_owned(),
        "ShuffleNetV1" => "shufflenetv1".to_owned(),
        "ShuffleNetV2" => "shufflenetv2".to_owned(),
        _ => name,
    }
}
