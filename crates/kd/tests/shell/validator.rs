//! The keywords of JSON Schema that the schema of recipes uses; any other is refused. Validators of
//! the registry would change features below Burn, and build it a second time.

use serde_json::Value;

/// What is wrong with a value, by its place.
pub fn errors(root: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    check(root, root, value, "", &mut errors);
    errors
}

fn matches(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut errors = Vec::new();
    check(root, schema, value, "", &mut errors);
    errors.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, errors: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        assert_eq!(*schema, Value::Bool(true), "{place}");
        return;
    };
    for (keyword, wanted) in keywords {
        let fits = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "format" | "definitions" => true,
            "$ref" => {
                let target = wanted
                    .as_str()
                    .expect("a reference")
                    .trim_start_matches('#');
                check(
                    root,
                    root.pointer(target).expect("a target"),
                    value,
                    place,
                    errors,
                );
                true
            }
            "allOf" => {
                for schema in list(wanted) {
                    check(root, schema, value, place, errors);
                }
                true
            }
            "anyOf" => list(wanted)
                .iter()
                .any(|schema| matches(root, schema, value)),
            "oneOf" => {
                let fitting = list(wanted)
                    .iter()
                    .filter(|schema| matches(root, schema, value));
                fitting.count() == 1
            }
            "enum" => list(wanted).contains(value),
            "const" => wanted == value,
            "type" => match wanted {
                Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind)),
                kind => is(value, kind),
            },
            "required" => list(wanted).iter().all(|key| has(value, key)),
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = wanted.get(key) {
                        check(root, schema, value, &format!("{place}.{key}"), errors);
                    }
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(*wanted, Value::Bool(false), "{place}");
                let keys = value.as_object().into_iter().flatten();
                let known = |key: &str| schema["properties"].get(key).is_some();
                keys.map(|(key, _)| key).all(|key| known(key))
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, value, &format!("{place}.{index}"), errors);
                }
                true
            }
            "minItems" => value
                .as_array()
                .is_none_or(|list| list.len() as u64 >= number(wanted) as u64),
            "maxItems" => value
                .as_array()
                .is_none_or(|list| list.len() as u64 <= number(wanted) as u64),
            "minimum" => value.as_f64().is_none_or(|value| value >= number(wanted)),
            "maximum" => value.as_f64().is_none_or(|value| value <= number(wanted)),
            other => panic!("the keyword `{other}` at {place}"),
        };
        if !fits {
            errors.push(format!("{place}: {keyword}"));
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn has(value: &Value, key: &Value) -> bool {
    let key = key.as_str().expect("a key");
    value.as_object().is_none_or(|map| map.contains_key(key))
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type `{other}`"),
    }
}
