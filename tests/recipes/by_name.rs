//! The numbers of every row are those of our recipe of its name.

use kd_data::{Augmentation, Padding};
use kd_losses::{LossConfig, Method, Site};
use kd_recipes::Report;
use kd_spot::RoutingMode;
use kd_train::Recipe;
use serde_json::Value;

use crate::row::Row;

/// Rows whose method is not one of ours: an optimizer with two momenta, and a form of ReviewKD for
/// networks with pre-activation.
fn is_elsewhere(row: &Row) -> bool {
    row.method() == "KD+DOT" || (row.method() == "ReviewKD" && row.says("preact=True"))
}

fn walk(repo: &'static str) {
    let mut seen = 0;
    for row in Row::all(repo) {
        if is_elsewhere(&row) {
            continue;
        }
        let (named, recipe) = row.named("standard");
        let what = &named.name;
        assert_eq!(
            recipe.train.epochs,
            Some(row.number("epochs") as usize),
            "{what}"
        );
        assert_eq!(
            recipe.data.batch_size,
            Some(row.number("batch_size") as usize),
            "{what}"
        );
        assert_eq!(recipe.data.name.name(), row.text("dataset"), "{what}");
        if let Ok(seed) = row.text("seed").parse::<u64>() {
            assert_eq!(recipe.train.seed, seed, "{what}");
        }
        optimizer(&row, &recipe);
        augmentation(&row, &recipe);
        networks(&row, &recipe);
        weights(&row, &recipe);
        parameters(&row, &recipe);
        before(&row, &recipe);
        let best = matches!(repo, "sakd" | "askd" | "zoo" | "mdistiller");
        assert_eq!(named.report == Report::Best, best, "{what}");
        seen += 1;
    }
    assert!(seen > 10, "{repo}: {seen} rows");
}

fn optimizer(row: &Row, recipe: &Recipe) {
    let what = row.name("standard");
    let optimizer = &recipe.optimizer;
    assert_eq!(optimizer.lr, Some(row.number("lr")), "{what}");
    assert_eq!(optimizer.momentum, Some(row.number("momentum")), "{what}");
    assert_eq!(
        optimizer.weight_decay,
        Some(row.number("weight_decay")),
        "{what}"
    );
    assert_eq!(
        optimizer.nesterov.to_string(),
        row.text("nesterov"),
        "{what}"
    );
    assert!(optimizer.decay_norms_and_biases, "{what}");
    assert_eq!(
        recipe.scheduler.milestones,
        Some(row.milestones()),
        "{what}"
    );
    assert_eq!(
        recipe.scheduler.gamma,
        Some(row.number("lr_gamma")),
        "{what}"
    );
    assert_eq!(recipe.scheduler.warmup_epochs, 0, "{what}");
}

fn augmentation(row: &Row, recipe: &Recipe) {
    let crop = |padding| Augmentation::CropFlip { pad: 4, padding };
    let expected = match row.text("augmentation") {
        "crop32 pad4 zero; hflip 0.5" => crop(Padding::Zero),
        "pad4 reflect; crop32; hflip 0.5" => crop(Padding::Reflect),
        "hflip 0.5 only" => Augmentation::Flip,
        text if text.starts_with("RandomResizedCrop224") => {
            serde_json::from_value(serde_json::json!({ "kind": "random_resized_crop" }))
                .expect("an augmentation")
        }
        other => panic!("{other}"),
    };
    assert_eq!(
        recipe.augmentation,
        Some(expected),
        "{}",
        row.name("standard")
    );
}

/// The registry's names of a table's names.
fn networks(row: &Row, recipe: &Recipe) {
    let registered = |name: &str| match (row.repo, name) {
        ("sakd", "MobileNetV2") => "mobilenetv2_100".to_owned(),
        ("zoo", _) => format!("zoo_{name}"),
        ("mdistiller", _) if row.text("dataset") == "imagenet" => {
            format!("{}-imagenet", name.to_lowercase())
        }
        (_, "MobileNetV2") => "mobilenetv2_050".to_owned(),
        (_, "ShuffleV1") => "shufflenetv1".to_owned(),
        (_, "ShuffleV2") => "shufflenetv2".to_owned(),
        _ => name.to_owned(),
    };
    let student = match row.text("student") {
        missing if missing.starts_with("none shipped") => format!("rep{}", row.student()),
        student => registered(student),
    };
    let found = recipe.student.network.expect("a student").name();
    assert_eq!(found, student, "{}", row.name("standard"));
    let teacher = row.text("teacher");
    if row.method() == "DML" {
        let peer = recipe.peers[0].network.expect("a network").name();
        assert_eq!(peer, registered(teacher));
    } else if !teacher.is_empty() {
        let value = serde_json::to_value(&recipe.teacher.network).expect("JSON");
        assert_eq!(
            value,
            Value::from(registered(teacher)),
            "{}",
            row.name("standard")
        );
    }
}

/// Our weight of a term, as the original counts it: a mean over blocks is a sum of thirds here.
fn weights(row: &Row, recipe: &Recipe) {
    let what = row.name("standard");
    let of = |wanted: fn(&Method) -> bool| -> f64 {
        let terms = recipe.losses.iter().filter(|term| wanted(&term.loss));
        terms.map(|term| term.weight).sum()
    };
    let ce = of(|loss| matches!(loss, Method::Ce(_)));
    let kd = of(|loss| matches!(loss, Method::Kd(_)));
    let own = of(|loss| loss.requirements().site != Site::Labels && !matches!(loss, Method::Kd(_)));
    if row.method() == "KDrefine" {
        let Method::KdRefine(loss) = &recipe.losses[0].loss else {
            panic!("{what}");
        };
        let expected = [
            row.number("w_ce"),
            row.number("w_kd"),
            row.number("temperature"),
        ];
        assert_eq!(
            [loss.gamma, loss.alpha, loss.temperature],
            expected,
            "{what}"
        );
        assert_eq!(
            (own, loss.standardize, recipe.losses.len()),
            (1.0, Some(2.0), 1),
            "{what}"
        );
        return;
    }
    assert_eq!(ce, row.number("w_ce"), "{what}");
    if row.method() == "-" {
        assert_eq!(recipe.losses.len(), 1, "{what}");
        return;
    }
    if row.method() == "ST" {
        assert_eq!(kd, row.number("w_other"), "{what}");
        return;
    }
    assert_eq!(kd, row.number("w_kd"), "{what}");
    for term in &recipe.losses {
        if let Method::Kd(loss) = &term.loss {
            assert_eq!(loss.temperature, row.number("temperature"), "{what}");
            assert_eq!(loss.standardize, None, "{what}");
        }
    }
    // These have no term in the main phase, and the original's weight has no effect.
    if ["AB", "FSP"].contains(&row.method()) {
        assert_eq!(own, 0.0, "{what}");
        return;
    }
    let mean_of_sum = row.repo == "zoo" && ["AT", "VID"].contains(&row.method());
    let own = if mean_of_sum { own * 3.0 } else { own };
    assert!((own - row.number("w_other")).abs() < 1e-9, "{what}: {own}");
}

/// Names of parameters there, and ours.
const NAMES: &[(&str, &str, &str)] = &[
    ("crd", "feat_dim", "dim"),
    ("cc", "feat_dim", "dim"),
    ("crd", "dim", "dim"),
    ("crd", "K", "negatives"),
    ("crd", "nce_n", "negatives"),
    ("crd", "T", "temperature"),
    ("crd", "nce_t", "temperature"),
    ("crd", "momentum", "momentum"),
    ("crd", "nce_mom", "momentum"),
    ("crd", "mode", "sampling"),
    ("hint", "hint_layer", "stage"),
    ("rkd", "w_d", "distance"),
    ("rkd", "w_a", "angle"),
    ("rkd", "w_dist", "distance"),
    ("rkd", "w_angle", "angle"),
    ("at", "p", "p"),
    ("vid", "init_var", "variance"),
    ("ft", "k", "rate"),
    ("ft", "p1", "p1"),
    ("ft", "p2", "p2"),
    ("ab", "m", "margin"),
    ("ab", "margin", "margin"),
    ("askd", "w_rs", "region_weight"),
    ("askd", "w_cs", "class_weight"),
    ("askd", "r", "regions"),
    ("bss", "T", "temperature"),
    ("bss", "step_alpha", "step_alpha"),
    ("bss", "eps", "eps"),
    ("cc", "gamma", "gamma"),
    ("cc", "P_order", "order"),
    ("irg", "w_irg_vert", "vertex"),
    ("irg", "w_irg_edge", "edge"),
    ("irg", "w_irg_tran", "transform"),
    ("afd", "att_f", "attention"),
    ("dkd", "alpha", "alpha"),
    ("dkd", "beta", "beta"),
    ("kdsvd", "k", "k"),
];

/// The method's own parameters.
fn parameters(row: &Row, recipe: &Recipe) {
    let what = row.name("standard");
    let own = recipe
        .losses
        .iter()
        .rev()
        .find(|term| !matches!(term.loss, Method::Ce(_)));
    let Some(own) = own else { return };
    let value = serde_json::to_value(&own.loss).expect("JSON");
    for (method, theirs, ours) in NAMES
        .iter()
        .filter(|(method, ..)| *method == own.loss.name())
    {
        let Some(expected) = row.parameter(theirs) else {
            continue;
        };
        match expected.parse::<f64>() {
            Ok(expected) => assert_eq!(
                value[*ours].as_f64(),
                Some(expected),
                "{what}: {method} {ours}"
            ),
            Err(_) => assert_eq!(value[*ours], expected, "{what}: {method} {ours}"),
        }
    }
    let stages: Vec<Option<u64>> = recipe
        .losses
        .iter()
        .filter_map(|term| serde_json::to_value(&term.loss).ok())
        .filter(|term| term["name"] == own.loss.name())
        .map(|term| term["stage"].as_u64())
        .collect();
    match row.text("method_params") {
        text if text.starts_with("block 3") && own.loss.name() != "ft" => {
            assert_eq!(stages, [Some(3)], "{what}");
        }
        text if text.starts_with("block 2") => assert_eq!(stages, [Some(2)], "{what}"),
        text if text.starts_with("3 blocks") && !["at", "vid", "ab"].contains(&own.loss.name()) => {
            assert_eq!(stages, [Some(1), Some(2), Some(3)], "{what}");
        }
        text if text.starts_with("feature -2") => assert_eq!(stages, [None], "{what}"),
        text if text.starts_with("feature 2") => assert_eq!(stages, [Some(2)], "{what}"),
        _ => {}
    }
    let convention = value["convention"].as_str();
    let expected = match (row.repo, own.loss.name()) {
        ("zoo", "at" | "pkt" | "ft" | "ab" | "cc" | "lwm" | "vid" | "ofd") => Some("zoo"),
        ("mdistiller", "kdsvd" | "ofd" | "dkd") => Some("mdistiller"),
        (_, "at" | "pkt" | "ft" | "ab" | "cc" | "vid") => Some("repdistiller"),
        _ => convention,
    };
    assert_eq!(convention, expected, "{what}");
    match (row.repo, own.loss.name()) {
        ("zoo", "ft") => assert_eq!(
            value["batch_norm"],
            row.text("dataset") == "cifar10",
            "{what}"
        ),
        ("sakd", "ft" | "hint") => assert_eq!(value["whole_batch"], true, "{what}"),
        ("askd", "askd") => assert_eq!(value["position"], "last", "{what}"),
        ("zoo", "bss") => {
            assert_eq!(
                (&value["start_after"], &value["fade"]),
                (&10.into(), &160.0.into())
            );
            assert_eq!(value["num_steps"], 10);
        }
        _ => {}
    }
    if let Some(epochs) = row.text("warmup").strip_prefix("loss ramps linearly over ") {
        let epochs: u64 = epochs.trim_end_matches(" epochs").parse().expect("epochs");
        assert_eq!(value["warm_up"], epochs, "{what}");
    }
}

/// The phase before the main one.
fn before(row: &Row, recipe: &Recipe) {
    let what = row.name("standard");
    let text = row.text("preliminary");
    if text.is_empty() {
        assert_eq!(recipe.train.pretrain_epochs, Some(0), "{what}");
        return;
    }
    let epochs = text.split_once(" epochs").expect("a number of epochs").0;
    let epochs = epochs.rsplit(' ').next().expect("a word").parse().ok();
    assert_eq!(recipe.train.pretrain_epochs, epochs, "{what}");
    // The Zoo's is the mean over three stages, times the weight.
    let zoo = row.repo == "zoo" && ["AB", "FSP"].contains(&row.method());
    let weight = zoo.then(|| row.number("w_other") / 3.0);
    assert_eq!(
        (recipe.train.pretrain_weight, recipe.train.keep_momentum),
        (weight, zoo),
        "{what}"
    );
    let rate = recipe.train.pretrain_lr.or(recipe.optimizer.lr);
    let milestones = &recipe.train.pretrain_milestones;
    if text.contains("lr 0.01 x30, 0.001 x10, 0.0001 x10") {
        assert_eq!(
            (rate, milestones.as_slice()),
            (Some(0.01), &[30, 40][..]),
            "{what}"
        );
    } else {
        let expected = text.split_once("lr=").expect("a rate").1;
        let expected = expected
            .split([' ', ','])
            .next()
            .expect("a word")
            .parse()
            .ok();
        assert_eq!((rate, milestones.as_slice()), (expected, &[][..]), "{what}");
    }
}

/// The terms are those of the standard recipe, but that adaptive CC does not train the teacher's
/// embedding.
fn detached(row: &Row, mode: &str, recipe: &Recipe) {
    let mut losses = recipe.losses.clone();
    if row.method() == "CC" {
        let Method::Cc(loss) = &mut losses[2].loss else {
            panic!("{:?}", losses[2]);
        };
        let trained = !["adaptive", "anti"].contains(&mode);
        assert_eq!(loss.train_teacher_embedding, trained, "{mode}");
        loss.train_teacher_embedding = true;
    }
    assert_eq!(losses, row.named("standard").1.losses, "{}", row.name(mode));
}

#[test]
fn spot_adaptive_pytorch() {
    walk("sakd");
    for row in Row::all("sakd") {
        if row.text("teacher").is_empty() {
            continue;
        }
        for mode in ["adaptive", "anti", "random", "joint"] {
            let (named, recipe) = row.named(mode);
            let (what, routing) = (&named.name, &recipe.routing);
            assert_eq!(routing.mode.name(), mode, "{what}");
            assert_eq!(routing.gamma, Some(row.number("policy_gamma")), "{what}");
            detached(&row, mode, &recipe);
            if routing.mode == RoutingMode::Random {
                continue;
            }
            assert_eq!(routing.lr, Some(row.number("policy_lr")), "{what}");
            assert_eq!(
                routing.weight_decay,
                Some(row.number("policy_weight_decay")),
                "{what}"
            );
            assert_eq!(
                routing.temperature,
                Some(row.number("policy_temperature")),
                "{what}"
            );
            let homo = row.text("policy_flags").starts_with("homo=true");
            let bias = (mode != "joint").then_some(if homo { 10.0 } else { 0.0 });
            assert_eq!(routing.bias.filter(|_| mode != "joint"), bias, "{what}");
        }
    }
}

#[test]
fn askd() {
    walk("askd");
}

#[test]
fn kdrefine() {
    walk("kdrefine");
}

#[test]
fn repdistiller() {
    walk("repdistiller");
}

#[test]
fn zoo() {
    walk("zoo");
}

#[test]
fn mdistiller() {
    walk("mdistiller");
}

/// Every published cell of a method has a recipe, but for those that the repositories copied from
/// elsewhere.
#[test]
fn published_cells_have_recipes() {
    let mut missing = std::collections::BTreeSet::new();
    let mut found = 0;
    for cell in kd_recipes::published().expect("a table") {
        let standard = ["standard", "adaptive"].contains(&cell.variant.as_str());
        if !standard || cell.source == "logitstd" || cell.source == "zoo-2019" {
            continue;
        }
        let recipes = kd_recipes::recipes().expect("a table");
        let mut recipes = recipes.iter().filter(|recipe| recipe.study == cell.source);
        let is_cell = |recipe: &kd_recipes::NamedRecipe| {
            let published = recipe.published().expect("a table");
            recipe.variant == cell.variant && published.contains(cell)
        };
        match recipes.any(is_cell) {
            true => found += 1,
            false => {
                missing.insert((cell.source.as_str(), cell.method.as_str()));
            }
        }
    }
    assert!(found > 650, "{found}");
    let copied = |(source, method): &(&str, &str)| {
        *source == "kdrefine"
            || *method == "KD+DOT"
            || (*source, *method) == ("mdistiller", "KD")
            || (*source, *method) == ("mdistiller", "DKD")
    };
    let wrong: Vec<_> = missing.iter().filter(|cell| !copied(cell)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
