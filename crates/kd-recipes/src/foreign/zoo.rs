//! The command lines of Knowledge-Distillation-Zoo.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kd_train::Overlay;
use serde_json::{Value, json};

use super::keys::Keys;
use super::{Foreign, Program};
use crate::{RecipesError, Report};

/// Its flags, with the names of the keys that they are read under.
pub(super) const FLAGS: &[(&str, &str)] = &[
    ("--save_root", "save_root"),
    ("--img_root", "img_root"),
    ("--print_freq", "print_freq"),
    ("--epochs", "epochs"),
    ("--batch_size", "batch_size"),
    ("--lr", "lr"),
    ("--momentum", "momentum"),
    ("--weight_decay", "weight_decay"),
    ("--num_class", "num_class"),
    ("--cuda", "cuda"),
    ("--seed", "seed"),
    ("--note", "note"),
    ("--data_name", "data_name"),
    ("--net_name", "net_name"),
    ("--t_name", "t_name"),
    ("--s_name", "s_name"),
    ("--t_model", "t_model"),
    ("--s_init", "s_init"),
    ("--net1_name", "net1_name"),
    ("--net2_name", "net2_name"),
    ("--net1_init", "net1_init"),
    ("--net2_init", "net2_init"),
    ("--kd_mode", "kd_mode"),
    ("--lambda_kd", "lambda_kd"),
    ("--T", "T"),
    ("--p", "p"),
    ("--w_dist", "w_dist"),
    ("--w_angle", "w_angle"),
    ("--m", "m"),
    ("--gamma", "gamma"),
    ("--P_order", "P_order"),
    ("--w_irg_vert", "w_irg_vert"),
    ("--w_irg_edge", "w_irg_edge"),
    ("--w_irg_tran", "w_irg_tran"),
    ("--sf", "sf"),
    ("--init_var", "init_var"),
    ("--att_f", "att_f"),
    ("--k", "k"),
    ("--attack_size", "attack_size"),
    ("--feat_dim", "feat_dim"),
    ("--nce_n", "nce_n"),
    ("--nce_t", "nce_t"),
    ("--nce_mom", "nce_mom"),
    ("--mode", "mode"),
];

/// Flags that no command of kd has: by one of them a command line is recognized.
pub(super) const SIGNS: &[&str] = &[
    "--data_name",
    "--net_name",
    "--t_name",
    "--s_name",
    "--net1_name",
];

/// What a command line says.
pub(super) fn read(values: BTreeMap<String, Value>) -> Result<Foreign, RecipesError> {
    let keys = Keys::new("command line", values);
    let data = keys.required("data_name")?;
    let classes = match data.as_str() {
        "cifar10" => 10,
        "cifar100" => 100,
        _ => return Err(keys.wrong("data_name", &json!(data), "cifar10 or cifar100")),
    };
    if let Some(found) = keys.count("num_class")?.filter(|found| *found != classes) {
        return Err(keys.wrong(
            "num_class",
            &json!(found),
            &format!("{classes}, as {data} has"),
        ));
    }
    let mut overlay = Overlay::default();
    overlay.set("data.name", &data);
    overlay.set("data.normalization", format!("{data}-zoo"));
    overlay.set(
        "data.root",
        keys.text("img_root")
            .unwrap_or_else(|| "./datasets".to_owned()),
    );
    common(&keys, &mut overlay)?;
    let method = networks(&keys, &mut overlay)?;
    let mut losses = vec![json!({ "name": "ce", "weight": 1.0 })];
    if let Some(method) = &method {
        losses.extend(own(&keys, method, &data)?);
        pretraining(&keys, method, &mut overlay)?;
    }
    overlay.set("losses", losses);
    keys.without_effect(
        &["print_freq", "cuda"],
        "does not affect results; use --device",
    );
    keys.without_effect(
        &["attack_size"],
        "all samples that both networks get right are attacked",
    );
    keys.note("read as a command line of Knowledge-Distillation-Zoo");
    let root = PathBuf::from(
        keys.text("save_root")
            .unwrap_or_else(|| "./results".to_owned()),
    );
    let out = root.join(keys.text("note").unwrap_or_else(|| "try".to_owned()));
    Ok(Foreign {
        program: Program::Zoo,
        overlay,
        out: Some(out),
        report: Report::Best,
        notes: keys.finish()?,
    })
}

fn common(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    let number = |key: &str, default| keys.number_or(key, default);
    let count = |key: &str, default| keys.count_or(key, default);
    overlay.set("train.epochs", count("epochs", 200)?);
    overlay.set("train.seed", count("seed", 2)?);
    overlay.set("data.batch_size", count("batch_size", 128)?);
    overlay.set(
        "augmentation",
        json!({ "kind": "crop_flip", "pad": 4, "padding": "reflect" }),
    );
    overlay.set(
        "optimizer",
        json!({
            "name": "sgd", "lr": number("lr", 0.1)?, "momentum": number("momentum", 0.9)?,
            "weight_decay": number("weight_decay", 1e-4)?, "nesterov": true,
        }),
    );
    overlay.set(
        "scheduler",
        json!({ "name": "multistep", "milestones": [100, 150], "gamma": 0.1 }),
    );
    Ok(())
}

/// Sets the networks; returns the method, if there is one.
fn networks(keys: &Keys, overlay: &mut Overlay) -> Result<Option<String>, RecipesError> {
    let network = |key: &str| {
        let name = keys.required(key)?;
        match name.as_str() {
            "resnet20" | "resnet110" => Ok(format!("zoo_{name}")),
            _ => Err(keys.wrong(key, &json!(name), "resnet20 or resnet110")),
        }
    };
    if keys.has("net_name") {
        overlay.set("student.network", network("net_name")?);
        return Ok(None);
    }
    if keys.has("net1_name") {
        overlay.set("student.network", network("net2_name")?);
        overlay.set_some("student.weights", keys.text("net2_init"));
        let first = json!({ "network": network("net1_name")?, "weights": keys.text("net1_init") });
        overlay.set("peers", json!([first]));
        return Ok(Some("dml".to_owned()));
    }
    overlay.set("student.network", network("s_name")?);
    overlay.set_some("student.weights", keys.text("s_init"));
    overlay.set("teacher.network", network("t_name")?);
    overlay.set("teacher.weights", keys.required("t_model")?);
    let of_script = [
        ("k", "ft"),
        ("attack_size", "bss"),
        ("nce_n", "crd"),
        ("feat_dim", "crd"),
    ];
    let implied = of_script.iter().find(|(flag, _)| keys.has(flag));
    match keys.text("kd_mode") {
        Some(method) => Ok(Some(method.to_lowercase())),
        None => match implied {
            Some((_, method)) => Ok(Some((*method).to_owned())),
            None => keys.required("kd_mode").map(Some),
        },
    }
}

/// The method's own terms. Values that the Zoo averages over its three blocks are three terms, or a
/// third of the weight.
fn own(keys: &Keys, method: &str, data: &str) -> Result<Vec<Value>, RecipesError> {
    let number = |key: &str, default| keys.number_or(key, default);
    let count = |key: &str, default| keys.count_or(key, default);
    let weight = number(
        "lambda_kd",
        match method {
            "ft" => 200.0,
            "bss" => 2.0,
            "crd" => 0.2,
            _ => 1.0,
        },
    )?;
    let third = weight / 3.0;
    let stages = |name: &str, more: &[(&str, f64)]| {
        let term = |stage: u64| {
            let mut term = json!({
                "name": name, "label": format!("{name}{stage}"), "weight": third, "stage": stage,
            });
            for (key, value) in more {
                term[*key] = json!(value);
            }
            term
        };
        (1..=3).map(term).collect::<Vec<_>>()
    };
    Ok(match method {
        "logits" => vec![json!({ "name": "logits", "weight": weight })],
        "dml" => vec![json!({ "name": "dml", "weight": weight })],
        "st" => vec![json!({ "name": "kd", "weight": weight, "temperature": number("T", 4.0)? })],
        "at" => vec![json!({
            "name": "at", "weight": third, "p": count("p", 2)?, "convention": "zoo",
        })],
        "fitnet" => {
            vec![json!({ "name": "hint", "weight": weight, "stage": 3, "regressor": false })]
        }
        "nst" => vec![json!({ "name": "nst", "weight": weight, "stage": 3 })],
        "pkt" => vec![json!({ "name": "pkt", "weight": weight, "convention": "zoo" })],
        "fsp" => vec![json!({ "name": "fsp", "weight": 0.0 })],
        "ft" => {
            let mut term = json!({ "name": "ft", "weight": weight, "convention": "zoo" });
            term["rate"] = json!(number("k", 0.5)?);
            // Its batch norms are for CIFAR-10 only.
            term["batch_norm"] = json!(data == "cifar10");
            vec![term]
        }
        "rkd" => vec![json!({
            "name": "rkd", "weight": weight,
            "distance": number("w_dist", 25.0)?, "angle": number("w_angle", 50.0)?,
        })],
        "ab" => vec![json!({
            "name": "ab", "weight": 0.0, "margin": number("m", 2.0)?, "convention": "zoo",
        })],
        "sp" => stages("sp", &[]),
        "ofd" => stages("ofd", &[]),
        "afd" => stages("afd", &[("attention", number("att_f", 1.0)?)]),
        "sobolev" => vec![json!({ "name": "sobolev", "weight": weight })],
        "bss" => vec![json!({
            "name": "bss", "weight": weight, "temperature": number("T", 3.0)?, "num_steps": 10,
            "step_alpha": 0.3, "eps": 1e-4, "start_after": 10,
            "fade": 0.8 * count("epochs", 200)? as f64,
        })],
        "cc" => vec![json!({
            "name": "cc", "weight": weight, "convention": "zoo",
            "gamma": number("gamma", 0.4)?, "order": count("P_order", 2)?,
        })],
        "lwm" => vec![json!({ "name": "lwm", "weight": weight, "stage": 2, "convention": "zoo" })],
        "irg" => vec![json!({
            "name": "irg", "weight": weight, "vertex": number("w_irg_vert", 0.1)?,
            "edge": number("w_irg_edge", 5.0)?, "transform": number("w_irg_tran", 5.0)?,
        })],
        "vid" => {
            if number("sf", 1.0)? != 1.0 {
                return Err(keys.wrong("sf", &json!(number("sf", 1.0)?), "1"));
            }
            vec![json!({
                "name": "vid", "weight": third, "variance": number("init_var", 5.0)?,
                "convention": "zoo",
            })]
        }
        "crd" => vec![json!({
            "name": "crd", "weight": weight, "dim": count("feat_dim", 128)?,
            "negatives": count("nce_n", 16384)?, "temperature": number("nce_t", 0.1)?,
            "momentum": number("nce_mom", 0.5)?,
            "sampling": keys.text("mode").unwrap_or_else(|| "exact".to_owned()),
        })],
        other => {
            let expected = "logits, st, at, fitnet, nst, pkt, fsp, ft, rkd, ab, sp, sobolev, bss, cc, \
                            lwm, irg, vid, ofd, afd or crd";
            return Err(keys.wrong("kd_mode", &json!(other), expected));
        }
    })
}

fn pretraining(keys: &Keys, method: &str, overlay: &mut Overlay) -> Result<(), RecipesError> {
    match method {
        "ft" => {
            overlay.set("train.pretrain_epochs", 30);
            overlay.set("train.pretrain_lr", 0.01);
        }
        "fsp" | "ab" => {
            overlay.set("train.pretrain_epochs", 50);
            overlay.set("train.pretrain_lr", 0.01);
            overlay.set("train.pretrain_milestones", [30, 40]);
            // The mean over three stages, where ours is their sum.
            let weight = keys.number_or("lambda_kd", 1.0)?;
            overlay.set("train.pretrain_weight", weight / 3.0);
            overlay.set("train.keep_momentum", true);
        }
        _ => {}
    }
    Ok(())
}
