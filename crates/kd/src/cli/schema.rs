//! The schema of a recipe, asked for its keys and values.

use kd_train::Recipe;
use serde_json::{Map, Value};

/// The JSON Schema of a recipe.
pub struct RecipeSchema(Value);

impl RecipeSchema {
    /// That of this build.
    pub fn new() -> Self {
        Self(Recipe::schema())
    }

    /// The whole schema.
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// All keys as in `--set`, with their descriptions; those of lists are left out.
    pub fn keys(&self) -> Vec<(String, String)> {
        let mut keys = Vec::new();
        self.collect(&self.0, "", &mut keys);
        keys
    }

    fn collect(&self, schema: &Value, path: &str, keys: &mut Vec<(String, String)>) {
        for (name, property) in self.properties(schema).into_iter().flatten() {
            let path = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            match self.properties(property) {
                Some(_) => self.collect(property, &path, keys),
                None => keys.push((path, description(property).to_owned())),
            }
        }
    }

    /// The named values of a key such as `optimizer.name`, with their descriptions: none for
    /// numbers and texts.
    pub fn values(&self, key: &str) -> Vec<(String, String)> {
        let schema = self.at(key.split('.'));
        schema.map_or_else(Vec::new, |schema| self.values_in(schema))
    }

    /// The named values of a schema, with their descriptions.
    pub fn values_in(&self, schema: &Value) -> Vec<(String, String)> {
        let mut values = Vec::new();
        self.collect_values(schema, "", &mut values);
        values
    }

    fn collect_values(&self, schema: &Value, meaning: &str, values: &mut Vec<(String, String)>) {
        let schema = self.resolved(schema);
        let meaning = match description(schema) {
            "" => meaning,
            own => own,
        };
        let named = schema["enum"].as_array().into_iter().flatten();
        for value in named.chain(schema.get("const")) {
            if let Some(value) = value.as_str() {
                values.push((value.to_owned(), meaning.to_owned()));
            }
        }
        if schema["type"] == "boolean" {
            values.extend(["true", "false"].map(|value| (value.to_owned(), String::new())));
        }
        for choice in choices(schema) {
            self.collect_values(choice, "", values);
        }
    }

    fn at<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<&Value> {
        let below = |schema, key| self.properties(schema)?.get(key);
        keys.into_iter().try_fold(&self.0, below)
    }

    /// The schema of a list's elements.
    pub fn items<'a>(&'a self, list: &'a Value) -> Option<&'a Value> {
        self.resolved(list).get("items")
    }

    /// Of a map that may be of several kinds, the one in which a key has this value.
    pub fn alternative<'a>(
        &'a self,
        schema: &'a Value,
        key: &str,
        value: &str,
    ) -> Option<&'a Value> {
        choices(self.resolved(schema)).find_map(|choice| {
            let choice = self.resolved(choice);
            let property = &choice["properties"][key];
            let named = property["enum"].as_array().into_iter().flatten();
            let allowed = named
                .chain(property.get("const"))
                .any(|known| known == value);
            match allowed {
                true => Some(choice),
                false => self.alternative(choice, key, value),
            }
        })
    }

    /// The keys of a section; `None` for a value.
    pub fn properties<'a>(&'a self, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        let schema = self.resolved(schema);
        let own = schema["properties"].as_object();
        // A section that may be absent is a choice of it and `null`.
        own.or_else(|| match choices(schema).collect::<Vec<_>>()[..] {
            [section, null] if null["type"] == "null" => self.properties(section),
            _ => None,
        })
    }

    /// What a reference stands for.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema
            .get("$ref")
            .or_else(|| schema["allOf"][0].get("$ref"));
        let place = reference.and_then(Value::as_str);
        let target = place.and_then(|place| self.0.pointer(place.trim_start_matches('#')));
        target.map_or(schema, |target| self.resolved(target))
    }
}

/// What a value may be, one of several.
fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|key| schema[key].as_array())
        .flatten()
}

/// What a schema says of itself, in its first words.
pub fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_those_of_a_recipe() {
        let schema = RecipeSchema::new();
        let keys = schema.keys();
        for known in ["optimizer.lr", "data.procedural.classes", "teacher.cache"] {
            let found = keys.iter().find(|(key, _)| key == known);
            let (_, description) = found.expect(known);
            assert!(!description.is_empty(), "{known}");
        }
        let names = |key: &str| -> Vec<String> {
            let values = schema.values(key).into_iter();
            values.map(|(value, _)| value).collect()
        };
        assert_eq!(names("optimizer.name"), ["sgd", "adam", "adamw"]);
        assert_eq!(names("compute.kernels"), ["true", "false"]);
        assert!(names("student.network").contains(&"resnet8".to_owned()));
        assert!(names("teacher.network").contains(&"resnet8".to_owned()));
        assert!(names("data.normalization").contains(&"cifar10-zoo".to_owned()));
        assert_eq!(names("optimizer.lr"), [""; 0]);
        assert_eq!(names("nonsense.key"), [""; 0]);
    }
}
