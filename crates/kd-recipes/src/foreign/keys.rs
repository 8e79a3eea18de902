//! The keys or flags of another program, as they were given.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use kd_losses::nearest_name;
use serde_json::Value;

use crate::RecipesError;

/// Keys and values of a file, or flags of a command line, with what was asked for: a key that nobody
/// asked for is unknown.
#[derive(Debug)]
pub(super) struct Keys {
    /// The file, or what a flag begins with.
    origin: String,
    values: BTreeMap<String, Value>,
    known: RefCell<BTreeSet<String>>,
    notes: RefCell<Vec<String>>,
}

impl Keys {
    pub(super) fn new(origin: impl Into<String>, values: BTreeMap<String, Value>) -> Self {
        Self {
            origin: origin.into(),
            values,
            known: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    /// The keys of nested maps, joined by dots.
    pub(super) fn flattened(origin: impl Into<String>, file: &Value) -> Self {
        let mut values = BTreeMap::new();
        flatten("", file, &mut values);
        Self::new(origin, values)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.known.borrow_mut().insert(key.to_owned());
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A number, perhaps written as text.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, RecipesError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_f64(),
        };
        match number.filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, value, "a number")),
        }
    }

    /// A number that counts something.
    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, RecipesError> {
        let Some(number) = self.number(key)? else {
            return Ok(None);
        };
        if number.fract() == 0.0 && (0.0..1e15).contains(&number) {
            return Ok(Some(number as u64));
        }
        Err(self.wrong(key, &Value::from(number), "a whole number, at least 0"))
    }

    /// A number, or what it is if nothing is said.
    pub(super) fn number_or(&self, key: &str, default: f64) -> Result<f64, RecipesError> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    /// A count, or what it is if nothing is said.
    pub(super) fn count_or(&self, key: &str, default: u64) -> Result<u64, RecipesError> {
        Ok(self.count(key)?.unwrap_or(default))
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A text that cannot be missing.
    pub(super) fn required(&self, key: &str) -> Result<String, RecipesError> {
        self.text(key).ok_or_else(|| RecipesError::Foreign {
            origin: self.origin.clone(),
            key: key.to_owned(),
            reason: "is missing".to_owned(),
        })
    }

    /// Yes or no, in the words that the originals take.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, RecipesError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let flag = match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.to_lowercase().as_str() {
                "true" | "yes" | "t" | "y" | "1" => Some(true),
                "false" | "no" | "f" | "n" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.map(Some)
            .ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    /// Whole numbers: a list, or a text with commas, perhaps in parentheses.
    pub(super) fn counts(&self, key: &str) -> Result<Option<Vec<u64>>, RecipesError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let counts = match value {
            Value::Array(list) => list.iter().map(Value::as_u64).collect(),
            Value::Number(number) => number.as_u64().map(|number| vec![number]),
            Value::String(text) => text
                .trim_matches(|letter| "()[] ".contains(letter))
                .split(',')
                .map(|part| part.trim().parse().ok())
                .collect(),
            _ => None,
        };
        counts
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, "a list of epochs such as 150,180,210"))
    }

    /// Keys that change nothing, or nothing here.
    pub(super) fn without_effect(&self, keys: &[&str], why: &str) {
        for key in keys {
            if self.has(key) {
                self.note(format!("{key}: {why}"));
            }
        }
    }

    pub(super) fn note(&self, note: impl Into<String>) {
        self.notes.borrow_mut().push(note.into());
    }

    pub(super) fn wrong(&self, key: &str, value: &Value, expected: &str) -> RecipesError {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        RecipesError::Foreign {
            origin: self.origin.clone(),
            key: key.to_owned(),
            reason: format!("is {value}, expected {expected}"),
        }
    }

    /// What was noted, if there is no key that nobody asked for.
    pub(super) fn finish(self) -> Result<Vec<String>, RecipesError> {
        let known = self.known.into_inner();
        if let Some(unknown) = self.values.keys().find(|key| !known.contains(*key)) {
            let nearest = nearest_name(unknown, known.iter().map(String::as_str));
            let hint = nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            return Err(RecipesError::Foreign {
                origin: self.origin,
                key: unknown.clone(),
                reason: format!("is unknown{hint}"),
            });
        }
        Ok(self.notes.into_inner())
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = match prefix {
                    "" => key.clone(),
                    prefix => format!("{prefix}.{key}"),
                };
                flatten(&key, value, into);
            }
        }
        value => {
            into.insert(prefix.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys() -> Keys {
        let file =
            json!({ "a": { "lr": "5e-4", "milestones": "(150, 180)", "flag": "yes" }, "n": 2.5 });
        Keys::flattened("theirs.yml", &file)
    }

    #[test]
    fn values_are_read_as_the_originals_read_them() {
        let keys = keys();
        assert_eq!(keys.number("a.lr").ok(), Some(Some(5e-4)));
        assert_eq!(keys.counts("a.milestones").ok(), Some(Some(vec![150, 180])));
        assert_eq!(keys.flag("a.flag").ok(), Some(Some(true)));
        assert_eq!(keys.number("absent").ok(), Some(None));
        let error = keys.count("n").expect_err("not whole").to_string();
        assert_eq!(
            error,
            "theirs.yml: n is 2.5, expected a whole number, at least 0"
        );
    }

    #[test]
    fn a_key_that_nobody_asked_for_has_the_nearest() {
        let keys = keys();
        for known in ["a.lr", "a.milestones", "a.flags", "n"] {
            keys.has(known);
        }
        let error = keys.finish().expect_err("unknown").to_string();
        assert_eq!(
            error,
            "theirs.yml: a.flag is unknown; did you mean `a.flags`?"
        );
    }
}
