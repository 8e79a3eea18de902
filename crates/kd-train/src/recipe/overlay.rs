//! Files, flags and assignments over the defaults of a recipe.

use std::fmt::Debug;
use std::path::Path;

use kd_losses::nearest_name;
use serde::Serialize;
use serde_json::{Map, Value};

use super::legacy::converted;
use super::{Recipe, Shorthand};
use crate::yaml::one_line;
use crate::{TrainError, from_yaml};

/// Parts of a recipe: a file, flags, or assignments, laid over one another and over the defaults.
///
/// ```
/// use kd_train::Overlay;
///
/// # fn main() -> Result<(), kd_train::TrainError> {
/// let mut overlay = Overlay::default();
/// overlay.set("student.network", "resnet8");
/// overlay.assign("optimizer.lr=0.1")?;
/// let error = overlay.assign("optimizer.lrr=0.1").expect_err("no such key");
/// assert_eq!(error.to_string(), "optimizer.lrr: unknown key; did you mean `lr`?");
/// assert_eq!(overlay.finish()?.optimizer.lr, Some(0.1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay(pub(super) Map<String, Value>);

impl From<Map<String, Value>> for Overlay {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl From<Overlay> for Value {
    fn from(overlay: Overlay) -> Self {
        Self::Object(overlay.0)
    }
}

impl Overlay {
    /// Reads a recipe file, complete or not. A recipe of the first version, which had no sections,
    /// is converted.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] if the file cannot be read, [`TrainError::RecipeFile`] with the line and
    /// the key if it cannot be understood.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| TrainError::io(path, error))?;
        let unreadable = |reason: String| TrainError::RecipeFile {
            path: path.to_owned(),
            reason: one_line(&reason),
        };
        let value: Option<Value> = from_yaml(&text).map_err(unreadable)?;
        let map = match value {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(unreadable("a recipe must be a map of sections".to_owned())),
        };
        if let Some(map) = converted(&map).map_err(|error| unreadable(error.to_string()))? {
            let overlay = Self(map);
            overlay
                .recipe()
                .map_err(|error| unreadable(error.to_string()))?;
            tracing::warn!(
                "{}: an old recipe without sections; `kd recipe --config` prints it in the current format",
                path.display()
            );
            return Ok(overlay);
        }
        // Read once more as what it is to be, for the line of a mistake.
        from_yaml::<Recipe>(&text).map_err(unreadable)?;
        Ok(Self(map))
    }

    /// The keys of this overlay, and those of `base` where this one has none. Lists are taken whole.
    pub fn over(self, base: Self) -> Self {
        let mut merged = Value::Object(base.0);
        merge(&mut merged, Value::Object(self.0));
        match merged {
            Value::Object(map) => Self(map),
            _ => unreachable!("merging maps gives a map"),
        }
    }

    /// Sets a key such as `optimizer.lr`. Values that cannot be written as JSON are left out.
    pub fn set(&mut self, path: &str, value: impl Serialize) {
        if let Ok(value) = serde_json::to_value(value) {
            let mut place = &mut self.0;
            let mut keys = path.split('.').peekable();
            while let Some(key) = keys.next() {
                if keys.peek().is_none() {
                    place.insert(key.to_owned(), value);
                    return;
                }
                let next = place.entry(key).or_insert_with(|| Map::new().into());
                if !next.is_object() {
                    *next = Map::new().into();
                }
                let Value::Object(next) = next else {
                    unreachable!("it was made a map")
                };
                place = next;
            }
        }
    }

    /// Sets a key if there is a value.
    pub fn set_some(&mut self, path: &str, value: Option<impl Serialize + Debug>) {
        if let Some(value) = value {
            match serde_json::to_value(&value) {
                // A number that is not finite: as text it is refused with its name.
                Ok(Value::Null) => self.set(path, format!("{value:?}")),
                _ => self.set(path, value),
            }
        }
    }

    /// Whether a key is set.
    pub fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// The value of a key such as `optimizer.lr`, if it is set.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, format!("/{}", rest.replace('.', "/"))),
            None => (path, String::new()),
        };
        self.0.get(first)?.pointer(&rest)
    }

    /// Applies the field's shorthand to the terms of the loss.
    ///
    /// # Errors
    ///
    /// [`TrainError::Conflict`] if it is about a term that is not there, or not the only one.
    pub fn shorthand(&mut self, shorthand: &Shorthand) -> Result<(), TrainError> {
        if !shorthand.is_empty() {
            let terms = shorthand.over(self.0.get("losses"))?;
            self.0.insert("losses".to_owned(), terms);
        }
        Ok(())
    }

    /// Sets any key of a recipe by text: `losses.1.temperature=2`. The value is YAML.
    ///
    /// # Errors
    ///
    /// [`TrainError::UnknownKey`] with the nearest known one, [`TrainError::Key`] if the value
    /// cannot be understood.
    pub fn assign(&mut self, assignment: &str) -> Result<(), TrainError> {
        let (path, text) = assignment.split_once('=').ok_or_else(|| TrainError::Key {
            path: assignment.to_owned(),
            reason: "expected KEY=VALUE, as in optimizer.lr=0.1".to_owned(),
        })?;
        let path = path.trim();
        let key_error = |reason: String| TrainError::Key {
            path: path.to_owned(),
            reason: one_line(&reason),
        };
        let value: Option<Value> = from_yaml(text).map_err(key_error)?;
        // What a recipe has under the keys on the way, with all defaults.
        let mut recipe = self.recipe()?;
        if recipe.losses.is_empty() {
            recipe.losses = Shorthand::default().terms();
        }
        if path.starts_with("augmentation.") {
            let standard = recipe.data.augmentation();
            recipe.augmentation = recipe.augmentation.or(standard);
        }
        let mut complete =
            serde_json::to_value(recipe).map_err(|error| key_error(error.to_string()))?;
        let keys: Vec<&str> = path.split('.').collect();
        let mut place = &mut complete;
        for (depth, key) in keys.iter().enumerate() {
            let last = depth + 1 == keys.len();
            place = step_into(place, key, last).map_err(|suggestion| TrainError::UnknownKey {
                path: path.to_owned(),
                suggestion,
            })?;
        }
        *place = value.unwrap_or_default();
        // A list is taken whole, and so is what has keys that depend on its kind.
        let list = match keys[0] {
            "augmentation" => Some(1),
            _ => keys.iter().position(|key| key.parse::<usize>().is_ok()),
        };
        let keys = &keys[..list.unwrap_or(keys.len())];
        let changed = complete.pointer(&format!("/{}", keys.join("/"))).cloned();
        let mut overlay = self.clone();
        overlay.set(&keys.join("."), changed);
        overlay.recipe()?;
        *self = overlay;
        Ok(())
    }

    /// The recipe over the defaults, not yet resolved.
    ///
    /// # Errors
    ///
    /// [`TrainError::Key`] if a key is unknown or a value cannot be understood.
    pub fn recipe(&self) -> Result<Recipe, TrainError> {
        let value = Value::Object(self.0.clone());
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            TrainError::Key {
                reason: one_line(&error.into_inner().to_string()),
                path,
            }
        })
    }

    /// The complete recipe: [`Recipe::resolved`].
    ///
    /// # Errors
    ///
    /// As [`recipe`](Self::recipe) and [`Recipe::resolved`].
    pub fn finish(self) -> Result<Recipe, TrainError> {
        self.recipe()?.resolved()
    }
}

/// The value under a key or the index of a list; a key that is not there is an error with the
/// nearest one.
fn step_into<'a>(
    place: &'a mut Value,
    key: &str,
    last: bool,
) -> Result<&'a mut Value, Option<String>> {
    match place {
        Value::Array(list) => {
            let count = list.len();
            let index = key.parse::<usize>().ok();
            let index = index.filter(|index| *index < count || (last && *index == count));
            let index = index.ok_or(count.checked_sub(1).map(|last| last.to_string()))?;
            if index == count {
                list.push(Value::Null);
            }
            Ok(&mut list[index])
        }
        Value::Object(map) => {
            if !map.contains_key(key) {
                let known = map.keys().map(String::as_str);
                return Err(nearest_name(key, known).map(str::to_owned));
            }
            map.get_mut(key).ok_or(None)
        }
        // A section whose value depends on others and is not there yet.
        Value::Null => {
            *place = Map::new().into();
            match place {
                Value::Object(map) => Ok(map.entry(key).or_insert(Value::Null)),
                _ => Err(None),
            }
        }
        _ => Err(None),
    }
}

/// Lays maps over maps and takes everything else whole, also a map of another `kind`.
fn merge(base: &mut Value, over: Value) {
    let of_another_kind = match (base.get("kind"), over.get("kind")) {
        (Some(base), Some(over)) => base != over,
        _ => false,
    };
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if !of_another_kind => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
