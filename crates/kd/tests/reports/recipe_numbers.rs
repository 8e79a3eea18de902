//! Numbers of recipes that nobody means.

use kd::train::{DataSource, Overlay, from_yaml};
use serde_json::{Map, Value};

fn overlay(yaml: &str) -> Overlay {
    from_yaml::<Map<String, Value>>(yaml).expect("YAML").into()
}

/// Keys of numbers, and of what may be one.
fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                numbers(value, &below(key), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                numbers(value, &below(&index.to_string()), found);
            }
        }
        Value::Number(_) | Value::Null => found.push(path.to_owned()),
        _ => {}
    }
}

/// `train.epochs: 18446744073709551615` panicked.
#[test]
fn report_no_number_of_a_recipe_panics() {
    let routing = "routing: { mode: adaptive }\nlosses: [{ name: ft, weight: 1 }]";
    let bases = [
        format!("teacher: {{ weights: /t.pth, cache: memory }}\n{routing}"),
        "optimizer: { name: adam }\nscheduler: { name: onecycle }".to_owned(),
        "scheduler: { name: cosine, warmup_epochs: 2 }".to_owned(),
        "augmentation: { kind: rotate_flip }".to_owned(),
        "augmentation: { kind: random_resized_crop }".to_owned(),
    ];
    let mut tried = 0;
    for base in bases {
        let mut base = overlay(&format!("student: {{ network: resnet8 }}\n{base}"));
        base.set("data.limit_train", 2);
        base.set("data.limit_test", 2);
        let complete = base.clone().finish().expect("a recipe");
        let mut keys = Vec::new();
        numbers(
            &serde_json::to_value(complete).expect("JSON"),
            "",
            &mut keys,
        );
        for key in keys {
            for value in [
                "0",
                "1",
                "-1",
                "9223372036854775807",
                "18446744073709551615",
                "1e308",
                ".nan",
                ".inf",
            ] {
                let mut changed = base.clone();
                let assignment = format!("{key}={value}");
                let checked = changed.assign(&assignment).and_then(|()| {
                    let recipe = changed.finish()?;
                    recipe
                        .scheduler
                        .factors(recipe.train.epochs.unwrap_or(1), 1000)?;
                    if recipe.data.name == DataSource::Procedural && key.starts_with("data.") {
                        recipe.load_data()?;
                    }
                    Ok(())
                });
                tried += 1;
                if let Err(error) = checked {
                    let message = error.to_string();
                    assert!(
                        !message.is_empty() && !message.contains('\n'),
                        "{assignment}"
                    );
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn numbers_that_nobody_means_are_named() {
    let changed = |assignment: &str| {
        let mut recipe = overlay("student: { network: resnet8 }");
        recipe
            .assign(assignment)
            .and_then(|()| recipe.finish())
            .map(|_| ())
    };
    for (assignment, expected) in [
        ("train.epochs=18446744073709551615", "at most 1000000"),
        ("data.batch_size=1048577", "at most 1048576"),
        ("data.workers=1025", "at most 1024"),
        ("compute.threads=1025", "at most 1024"),
    ] {
        let (key, value) = assignment.split_once('=').expect("an assignment");
        let error = changed(assignment).expect_err("a mistake").to_string();
        assert_eq!(error, format!("{key} is {value}, expected {expected}"));
    }
    changed("train.epochs=1000000").expect("a recipe");
    let mut recipe = overlay("scheduler: { name: onecycle }\nstudent: { network: resnet8 }");
    recipe.set("train.epochs", 1_000_000);
    let recipe = recipe.finish().expect("a recipe");
    let error = recipe
        .scheduler
        .factors(1_000_000, 1000)
        .expect_err("too many");
    let error = error.to_string();
    assert!(error.contains("at most 100000,"), "{error}");
}
