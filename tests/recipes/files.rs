//! Configurations as the programs read them, written from the rows: the same recipes as by name.

use std::path::Path;

use kd_recipes::foreign::{Beside, Foreign, read, translate};
use serde_json::{Map, Value, json};

use crate::row::{Row, resolved};

/// What a file says.
fn from_file(folder: &Path, file: &Value, beside: &Beside) -> Foreign {
    let path = folder.join("theirs.yaml");
    // JSON is YAML.
    std::fs::write(&path, file.to_string()).expect("a file");
    read(&path, beside)
        .expect("a configuration")
        .expect("another program's")
}

/// What a command line says; nothing of it is left.
fn from_line(line: &str) -> Foreign {
    let arguments = line.split_whitespace().map(str::to_owned).collect();
    let translated = translate(arguments).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(translated.rest.is_empty(), "{:?}", translated.rest);
    translated.foreign.expect("another program's")
}

fn is(row: &Row, foreign: Foreign, variant: &str) {
    let (named, expected) = row.named(variant);
    let found = resolved(foreign.overlay);
    assert_eq!(found, expected, "{}", named.name);
    assert_eq!(foreign.report, named.report, "{}", named.name);
}

fn sakd(row: &Row) -> Value {
    let list = row.milestones();
    let name = match row.text("dataset") {
        "cifar100" => "CIFAR100",
        other => other,
    };
    let network = |name: &str| match name {
        "ShuffleV1" => "ShuffleNetV1".to_owned(),
        _ => name.to_owned(),
    };
    let mut file = json!({
        "dataset": { "name": name, "root": "./datasets/", "img_w": 32, "img_h": 32, "num_classes": 100 },
        "training": {
            "optimizer": { "name": "SGD", "momentum": row.number("momentum") },
            "lr_decay_epochs": list, "lr_decay_rate": row.number("lr_gamma"),
            "batch_size": row.number("batch_size"), "num_workers": 8,
            "epochs": row.number("epochs"), "init_epoch": 0, "seed": row.number("seed"),
            "save_ep_freq": 30, "print_iter_freq": 100,
        },
        "validation": { "batch_size": 64, "num_workers": 8 },
    });
    if row.text("teacher").is_empty() {
        file["training"]["optimizer"]["lr"] = json!(row.number("lr"));
        file["training"]["optimizer"]["weight_decay"] = json!("5e-4");
        file["model"] = json!({ "name": network(row.text("student")) });
        file["kd"] = json!({ "loss_weights": { "classify_weight": 1.0 } });
        return file;
    }
    let optimizer = &mut file["training"]["optimizer"];
    optimizer["lr"] = json!(row.number("lr"));
    optimizer["weight_decay"] = json!("5e-4");
    optimizer["weight_decay_stage2"] = json!("5e-4");
    optimizer["weight_decay_agent"] = json!(row.number("policy_weight_decay"));
    file["training"]["lr"] = json!(row.number("lr"));
    file["training"]["lr_agent"] = json!(row.number("policy_lr_yaml"));
    file["kd"] = json!({
        "teacher": {
            "name": network(row.text("teacher")),
            "checkpoint": "./run/cifar-100/seed-1029/single/x/ckpt/best.pth",
        },
        "student": { "name": network(row.text("student")) },
        "loss_weights": {
            "classify_weight": row.number("policy_gamma"), "kd_weight": row.number("w_kd"),
            "other_kd": row.number("w_other"),
        },
    });
    let homo = row.text("policy_flags").starts_with("homo=true");
    file["kd_loss"] = json!({ "name": row.text("method"), "KD_T": 4, "T": 4, "homo": homo });
    if ["CC", "CRD"].contains(&row.text("method")) {
        file["kd_loss"]["feat_dim"] = json!(128);
    }
    if let Some((_, rate)) = row.text("preliminary").split_once("lr=") {
        let rate: f64 = rate
            .split(' ')
            .next()
            .expect("a rate")
            .parse()
            .expect("a number");
        file["pretrain"] = json!({
            "epochs": 30,
            "optimizer": { "name": "SGD", "lr": rate, "momentum": 0.9, "weight_decay": "5e-4" },
        });
    }
    file
}

#[test]
fn files_of_spot_adaptive_pytorch() {
    let folder = tempfile::tempdir().expect("a folder");
    for row in Row::all("sakd") {
        let file = sakd(&row);
        for mode in ["standard", "adaptive", "anti", "random", "joint"] {
            let single = row.text("teacher").is_empty();
            if single && mode != "standard" {
                continue;
            }
            let beside = Beside {
                routing: (mode != "standard").then(|| mode.to_owned()),
                ..Beside::default()
            };
            is(&row, from_file(folder.path(), &file, &beside), mode);
        }
    }
}

/// A method's parameters, in the keys of ASKD and RepDistiller.
fn family_parameters(row: &Row) -> Map<String, Value> {
    let keys: &[(&str, &str)] = &[
        ("feat_dim", "feat_dim"),
        ("hint_layer", "hint_layer"),
        ("K", "nce_k"),
        ("T", "nce_t"),
        ("momentum", "nce_m"),
        ("mode", "mode"),
        ("group", "group"),
        ("w_rs", "w_rs"),
        ("w_cs", "w_cs"),
        ("r", "r"),
    ];
    keys.iter()
        .filter_map(|(said, key)| Some(((*key).to_owned(), json!(row.parameter(said)?))))
        .collect()
}

fn init_epochs(row: &Row) -> Option<String> {
    let text = row.text("preliminary").split_once(" epochs")?.0;
    text.rsplit(' ').next().map(str::to_owned)
}

#[test]
fn files_of_askd() {
    let folder = tempfile::tempdir().expect("a folder");
    for row in Row::all("askd") {
        // All files say 0.05; the program has another rate for some students.
        let mut file = json!({
            "print_freq": 100, "save_freq": 40, "batch_size": row.number("batch_size"),
            "num_workers": 4, "epochs": 240, "learning_rate": 0.05,
            "lr_decay_epochs": "150,180,210", "lr_decay_rate": 0.1, "weight_decay": "5e-4",
            "momentum": 0.9, "dataset": "cifar100", "data_dir": "./data/cifar100",
            "save_folder": "./save/x",
        });
        if row.text("teacher").is_empty() {
            file["model"] = json!(row.text("student"));
        } else {
            file["model_s"] = json!(row.text("student"));
            file["model_t"] = json!(row.text("teacher"));
            file["path_t"] = json!("./save/teacher_model/cifar100/x_vanilla.pth");
            file["distill"] = json!(row.text("repo_key"));
            file["gamma"] = json!(row.number("w_ce"));
            file["alpha"] = json!(row.number("w_kd"));
            file["beta"] = json!(row.number("w_other"));
            file["kd_T"] = json!(4);
            file["init_epochs"] = json!(init_epochs(&row).unwrap_or_else(|| "30".to_owned()));
            for (key, value) in family_parameters(&row) {
                file[key] = value;
            }
        }
        is(
            &row,
            from_file(folder.path(), &file, &Beside::default()),
            "standard",
        );
    }
}

#[test]
fn command_lines_of_repdistiller_and_kdrefine() {
    for row in [Row::all("repdistiller"), Row::all("kdrefine")].concat() {
        let student = row.text("student");
        if row.text("teacher").is_empty() {
            is(
                &row,
                from_line(&format!("--model {student} --learning_rate 0.05")),
                "standard",
            );
            continue;
        }
        let student = match student.strip_prefix("none shipped for ") {
            Some(plain) => format!("rep{plain}"),
            None => student.to_owned(),
        };
        let mut line = format!(
            "--path_t ./save/models/{}_vanilla/ckpt_epoch_240.pth --distill {} --model_s {student} \
             -r {} -a {} -b {}",
            row.text("teacher"),
            row.text("repo_key"),
            row.text("w_ce"),
            row.text("w_kd"),
            row.text("w_other"),
        );
        for (key, value) in family_parameters(&row) {
            line += &format!(" --{key} {}", value.as_str().expect("a text"));
        }
        is(&row, from_line(&line), "standard");
    }
}

#[test]
fn command_lines_of_the_zoo() {
    for row in Row::all("zoo") {
        let data = row.text("dataset");
        let classes = if data == "cifar10" { 10 } else { 100 };
        let mut line = format!("--data_name {data} --num_class {classes} --img_root ./datasets");
        let (teacher, student) = (row.text("teacher"), row.text("student"));
        match row.text("repo_key") {
            "train_base.py" => line += &format!(" --net_name {student}"),
            "train_dml.py" => {
                line += &format!(
                    " --net1_name {teacher} --net2_name {student} --net1_init a.pth --net2_init b.pth"
                );
            }
            script => {
                let mode = match script.split_once(' ') {
                    Some((_, mode)) => mode,
                    None => script.trim_start_matches("train_").trim_end_matches(".py"),
                };
                line += &format!(
                    " --t_name {teacher} --s_name {student} --t_model t.pth --s_init s.pth \
                     --kd_mode {mode}"
                );
            }
        }
        if !teacher.is_empty() {
            line += &format!(" --lambda_kd {}", row.text("w_other"));
        }
        for key in [
            "p",
            "w_dist",
            "w_angle",
            "m",
            "gamma",
            "P_order",
            "w_irg_vert",
            "w_irg_edge",
            "w_irg_tran",
            "sf",
            "init_var",
            "att_f",
            "k",
            "attack_size",
            "feat_dim",
            "nce_n",
            "nce_t",
            "nce_mom",
            "mode",
        ] {
            if let Some(value) = row.parameter(key) {
                line += &format!(" --{key} {value}");
            }
        }
        let foreign = from_line(&line);
        if row.method() == "DML" {
            // The second network is the student there too; the first one's weights are its own.
            let mut overlay = foreign.overlay.clone();
            let network = overlay.get("peers.0.network").cloned();
            overlay.set("peers", json!([{ "network": network }]));
            is(&row, Foreign { overlay, ..foreign }, "standard");
            continue;
        }
        is(&row, foreign, "standard");
    }
}

fn mdistiller(row: &Row) -> (Value, Vec<(String, Value)>) {
    let name = |name: &str| match name {
        "NONE" => "NONE".to_owned(),
        other => other.to_uppercase(),
    };
    let data = row.text("dataset");
    let method = name(row.text("method"));
    let mut file = json!({
        "EXPERIMENT": { "NAME": "", "TAG": "x", "PROJECT": "baselines" },
        "DISTILLER": { "TYPE": method, "STUDENT": row.text("student") },
        "DATASET": { "TYPE": data, "NUM_WORKERS": 2, "TEST": { "BATCH_SIZE": 64 } },
        "SOLVER": {
            "TRAINER": row.text("repo_key").trim_start_matches("TRAINER="),
            "BATCH_SIZE": row.number("batch_size"), "EPOCHS": row.number("epochs"),
            "LR": row.number("lr"), "LR_DECAY_STAGES": row.milestones(), "LR_DECAY_RATE": 0.1,
            "MOMENTUM": 0.9, "TYPE": "SGD",
        },
    });
    // A file without a method names one too.
    let teacher = row.text("teacher");
    let teacher = if teacher.is_empty() {
        "resnet32x4"
    } else {
        teacher
    };
    file["DISTILLER"]["TEACHER"] = json!(teacher);
    let number = |column: &str| json!(row.text(column).parse::<f64>().ok());
    match method.as_str() {
        "NONE" => {}
        "KD" => {
            file["KD"] = json!({
                "TEMPERATURE": number("temperature"),
                "LOSS": { "CE_WEIGHT": number("w_ce"), "KD_WEIGHT": number("w_kd") },
            });
        }
        "DKD" => {
            let parameter =
                |key| json!(row.parameter(key).and_then(|text| text.parse::<f64>().ok()));
            let epochs = if data == "imagenet" { 1 } else { 20 };
            file["DKD"] = json!({
                "CE_WEIGHT": 1.0, "ALPHA": parameter("alpha"), "BETA": parameter("beta"),
                "T": number("temperature"), "WARMUP": epochs,
            });
        }
        "REVIEWKD" => {
            file["REVIEWKD"] = json!({ "CE_WEIGHT": 1.0, "REVIEWKD_WEIGHT": number("w_other"), "WARMUP_EPOCHS": 20 });
        }
        section => {
            file[section] =
                json!({ "LOSS": { "CE_WEIGHT": 1.0, "FEAT_WEIGHT": number("w_other") } });
        }
    }
    // As they may follow a file.
    let decay = json!(row.number("weight_decay"));
    (file, vec![("SOLVER.WEIGHT_DECAY".to_owned(), decay)])
}

#[test]
fn files_of_mdistiller() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut seen = 0;
    for row in Row::all("mdistiller") {
        if row.method() == "KD+DOT" || row.says("preact=True") {
            continue;
        }
        let (file, overrides) = mdistiller(&row);
        let beside = Beside {
            overrides,
            ..Beside::default()
        };
        is(&row, from_file(folder.path(), &file, &beside), "standard");
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn logits_are_standardized_as_logit_standardization_kd_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = json!({ "DISTILLER": { "TYPE": "KD", "TEACHER": "vgg13", "STUDENT": "vgg8" } });
    let beside = Beside {
        logit_stand: Some([2.0, 9.0]),
        ..Beside::default()
    };
    let recipe = resolved(from_file(folder.path(), &file, &beside).overlay);
    let terms = serde_json::to_value(&recipe.losses).expect("JSON");
    assert_eq!(terms[1]["standardize"], 1.0);
    assert_eq!(
        (&terms[1]["weight"], &terms[1]["temperature"]),
        (&json!(9.0), &json!(2.0))
    );
}

#[test]
fn what_is_wrong_is_said_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("theirs.yaml");
    let error = |file: Value| {
        std::fs::write(&path, file.to_string()).expect("a file");
        let error = read(&path, &Beside::default())
            .expect_err("a mistake")
            .to_string();
        error.replace(&path.display().to_string(), "FILE")
    };
    let row = &Row::all("sakd")[0];
    let mut file = sakd(row);
    file["training"]["lr_decay_epoch"] = json!(3);
    assert_eq!(
        error(file),
        "FILE: training.lr_decay_epoch is unknown; did you mean `training.lr_decay_epochs`?"
    );
    let mut file = sakd(row);
    file["kd_loss"]["name"] = json!("FSP");
    let expected = "FILE: kd_loss.name is FSP, expected AT, CC, CRD, FitNet, FT, KDSVD, NST, PKT, RKD, \
                    SP or VID";
    assert_eq!(error(file), expected);
    let file = json!({ "SOLVER": { "TRAINER": "dot" }, "DISTILLER": { "TYPE": "KD" } });
    assert!(error(file).starts_with("FILE: SOLVER.TRAINER is dot, expected"));

    let error = |line: &str| {
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        translate(arguments).expect_err("a mistake").to_string()
    };
    assert_eq!(
        error("--path_t a/b.pth --model_s resnet8 --distil kd --kd_TT 3"),
        "command line: --kd_TT is unknown; did you mean `--kd_T`?"
    );
    assert_eq!(
        error("--path_t a/b.pth --model_s resnet8 --distill hint"),
        "command line: alpha is missing"
    );
}

#[test]
fn own_flags_stand_among_theirs() {
    let line = "--data_name cifar10 --net_name resnet20 --out runs/x --limit-train 100";
    let arguments = line.split_whitespace().map(str::to_owned).collect();
    let translated = translate(arguments).expect("a command line");
    assert_eq!(translated.rest, ["--out", "runs/x", "--limit-train", "100"]);
    let own = ["--method", "at", "-r", "1", "--config", "no-such-file.yaml"];
    let error = translate(own.map(str::to_owned).into()).expect_err("no such file");
    assert!(
        error.to_string().starts_with("no-such-file.yaml: "),
        "{error}"
    );
}

#[test]
fn overrides_and_flags_follow_a_file_of_mdistiller() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kd.yaml");
    let file = json!({ "DISTILLER": { "TYPE": "KD", "TEACHER": "vgg13", "STUDENT": "vgg8" } });
    std::fs::write(&path, file.to_string()).expect("a file");
    let line = format!(
        "--cfg {} --logit-stand --base-temp 3 --kd-weight 12 SOLVER.LR 0.02 SOLVER.EPOCHS 480 \
         SOLVER.LR_DECAY_STAGES [300,360,420] --threads 2",
        path.display()
    );
    let arguments = line.split_whitespace().map(str::to_owned).collect();
    let translated = translate(arguments).expect("a command line");
    assert_eq!(translated.rest, ["--threads", "2"]);
    let foreign = translated.foreign.expect("another program's");
    let out = foreign.out.expect("a folder").display().to_string();
    assert!(
        out.starts_with("./output/distill/default,SOLVER.LR:0.02,"),
        "{out}"
    );
    let recipe = resolved(foreign.overlay);
    assert_eq!(
        (recipe.optimizer.lr, recipe.train.epochs),
        (Some(0.02), Some(480))
    );
    assert_eq!(recipe.scheduler.milestones, Some(vec![300, 360, 420]));
    let terms = serde_json::to_value(&recipe.losses).expect("JSON");
    assert_eq!(
        (&terms[1]["weight"], &terms[1]["temperature"]),
        (&json!(12.0), &json!(3.0))
    );
}
