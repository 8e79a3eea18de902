//! JSON Schema of a recipe.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::Recipe;

impl Recipe {
    /// The JSON Schema (draft 7, which editors understand) of what a recipe file may hold: sections,
    /// keys, values and defaults, with their documentation. It is as strict as the reader, but for
    /// former spellings and names in another case, which it does not know.
    pub fn schema() -> Value {
        let generator = SchemaSettings::draft07().for_deserialize();
        let generator = generator.with_transform(RecursiveTransform(Readable));
        let mut schema = generator.into_generator().into_root_schema_for::<Self>();
        schema.insert("title".to_owned(), "Recipe of kd".into());
        schema.insert(
            "description".to_owned(),
            "Everything that a run depends on.".into(),
        );
        schema.to_value()
    }
}

/// For people: links to other items of the documentation become names, and numbers of 32 bits are
/// written with their own digits.
#[derive(Clone)]
struct Readable;

impl Transform for Readable {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = prose(text);
        }
        if let Some(default) = schema.get_mut("default") {
            shorten(default);
        }
    }
}

/// 0.03 in place of 0.029999999329447746, which are the same in 32 bits.
fn shorten(default: &mut Value) {
    match default {
        Value::Number(number) => {
            let value = number.as_f64().filter(|_| number.is_f64());
            let short = value.filter(|value| f64::from(*value as f32) == *value);
            let short = short.and_then(|value| (value as f32).to_string().parse::<f64>().ok());
            if let Some(short) = short {
                *default = short.into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(values) => values.values_mut().for_each(shorten),
        _ => {}
    }
}

/// The first paragraph, without the links of rustdoc.
fn prose(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let mut rest = paragraph.replace('\n', " ");
    let mut prose = String::new();
    while let Some((before, link)) = rest.split_once('[') {
        let Some((name, after)) = link.split_once(']') else {
            break;
        };
        prose.push_str(before);
        // `[1.0]` is an interval or a list; a link is code, or has a target.
        let target = after
            .strip_prefix('(')
            .and_then(|after| after.split_once(')'));
        match target {
            Some(_) => prose.push_str(name),
            None if name.starts_with('`') => prose.push_str(name),
            None => prose.push_str(&format!("[{name}]")),
        }
        rest = target.map_or(after, |(_, after)| after).to_owned();
    }
    prose + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_names() {
        let text = "One of the [names](Self::NAMES), see [`Set`],\nin [0, 1].\n\nMore.";
        assert_eq!(prose(text), "One of the names, see `Set`, in [0, 1].");
    }

    #[test]
    fn numbers_of_32_bits_are_short() {
        let mut default = serde_json::json!({ "noise": [0.03f32, 0.1f64, 2] });
        shorten(&mut default);
        assert_eq!(default.to_string(), r#"{"noise":[0.03,0.1,2]}"#);
    }

    #[test]
    fn every_key_is_described() {
        let schema = Recipe::schema();
        let sections = schema["properties"].as_object().expect("sections");
        let recipe = serde_json::to_value(Recipe::default()).expect("JSON");
        for (section, value) in recipe.as_object().expect("a map") {
            let described = &sections[section];
            assert!(described["description"].is_string(), "{section}");
            let Some(keys) = value.as_object() else {
                continue;
            };
            let name = described["allOf"][0]["$ref"].as_str().expect("a reference");
            let place = name.trim_start_matches('#');
            let properties = &schema.pointer(place).expect("a definition")["properties"];
            for key in keys.keys() {
                assert!(
                    properties[key]["description"].is_string(),
                    "{section}.{key}"
                );
            }
        }
    }
}
