//! Recipes of the first version, which had no sections.

use serde_json::{Map, Value};

use super::{Overlay, Shorthand};
use crate::TrainError;

/// Keys of the first version, and what they are now.
const KEYS: &[(&str, &str)] = &[
    ("root", "data.root"),
    ("procedural", "data.procedural"),
    ("limit_train", "data.limit_train"),
    ("limit_test", "data.limit_test"),
    ("batch_size", "data.batch_size"),
    ("workers", "data.workers"),
    ("teacher_weights", "teacher.weights"),
    ("fold_teacher", "teacher.fold"),
    ("teacher_cache", "teacher.cache"),
    ("teacher_cache_mb", "teacher.cache_mib"),
    ("routing_cuts", "routing.cuts"),
    ("routing_probability", "routing.probability"),
    ("routing_gates", "routing.gates"),
    ("routing_temperature", "routing.temperature"),
    ("routing_gamma", "routing.gamma"),
    ("routing_bias", "routing.bias"),
    ("routing_lr", "routing.lr"),
    ("routing_weight_decay", "routing.weight_decay"),
    ("routing_teacher_lr", "routing.teacher_lr"),
    ("epochs", "train.epochs"),
    ("preliminary_epochs", "train.pretrain_epochs"),
    ("seed", "train.seed"),
    ("lr", "optimizer.lr"),
    ("momentum", "optimizer.momentum"),
    ("weight_decay", "optimizer.weight_decay"),
    ("nesterov", "optimizer.nesterov"),
    ("milestones", "scheduler.milestones"),
    ("gamma", "scheduler.gamma"),
    ("augmentation", "augmentation"),
    ("device", "compute.device"),
];

/// Keys whose name is that of a section now, with the place of their value in it.
const NAMES: &[(&str, &str)] = &[
    ("data", "data.name"),
    ("student", "student.network"),
    ("teacher", "teacher.network"),
    ("routing", "routing.mode"),
];

/// Keys of what is a list of terms now.
const TERMS: &[&str] = &[
    "method",
    "weight_ce",
    "weight_kd",
    "weight_method",
    "temperature",
    "standardise",
];

/// A recipe of the first version as one with sections; `None` if it is not of the first version.
pub(super) fn converted(
    recipe: &Map<String, Value>,
) -> Result<Option<Map<String, Value>>, TrainError> {
    let flat = |key: &str, value: &Value| {
        let named = NAMES.iter().any(|(old, _)| *old == key) && value.is_string();
        let moved = KEYS.iter().any(|(old, _)| *old == key) && key != "augmentation";
        named || moved || TERMS.contains(&key)
    };
    if !recipe.iter().any(|(key, value)| flat(key, value)) {
        return Ok(None);
    }
    let mut overlay = Overlay::default();
    for (key, value) in recipe {
        if value.is_null() || TERMS.contains(&key.as_str()) {
            continue;
        }
        let names = KEYS.iter().chain(NAMES);
        let known = names.into_iter().find(|(old, _)| old == key);
        let (_, place) = known.ok_or_else(|| TrainError::UnknownKey {
            path: key.clone(),
            suggestion: None,
        })?;
        overlay.set(place, value);
    }
    let number = |key: &str| recipe.get(key).and_then(Value::as_f64);
    let method = match recipe.get("method").filter(|method| !method.is_null()) {
        Some(method) => {
            Some(
                serde_json::from_value(method.clone()).map_err(|error| TrainError::Key {
                    path: "method".to_owned(),
                    reason: error.to_string(),
                })?,
            )
        }
        None => None,
    };
    overlay.shorthand(&Shorthand {
        method,
        ce: number("weight_ce"),
        kd: number("weight_kd"),
        own: number("weight_method"),
        temperature: number("temperature"),
        standardize: number("standardise"),
    })?;
    Ok(Some(overlay.0))
}
