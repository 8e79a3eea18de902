//! A recipe with its documentation.

use serde_json::Value;

use super::schema::{RecipeSchema, description};

/// Columns of a comment.
const WIDTH: usize = 100;

/// Values that a comment lists, at most.
const MOST_VALUES: usize = 8;

/// A recipe in YAML with the documentation of each key above it. Keys that are left out where they
/// have their default follow at the end of their section.
pub fn commented(yaml: &str, schema: &RecipeSchema) -> String {
    let mut writer = Writer {
        schema,
        maps: vec![Map::new(0, Some(schema.document()))],
        opened: None,
        text: String::new(),
    };
    for line in yaml.lines() {
        writer.line(line);
    }
    writer.leave(None);
    writer.text
}

/// A map that is being written.
struct Map<'a> {
    /// Spaces before its keys.
    indent: usize,
    schema: Option<&'a Value>,
    /// The list of which it is an element.
    list: Option<&'a Value>,
    seen: Vec<String>,
}

impl<'a> Map<'a> {
    fn new(indent: usize, schema: Option<&'a Value>) -> Self {
        Self {
            indent,
            schema,
            list: None,
            seen: Vec::new(),
        }
    }
}

struct Writer<'a> {
    schema: &'a RecipeSchema,
    /// From the recipe to the innermost map.
    maps: Vec<Map<'a>>,
    /// The key whose value begins with the next line.
    opened: Option<&'a Value>,
    text: String,
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        let content = line.trim_start();
        let spaces = line.len() - content.len();
        let (pair, indent) = match content.strip_prefix("- ") {
            Some(pair) => (pair, spaces + 2),
            None => (content, spaces),
        };
        if let Some((key, value)) = key_and_value(pair) {
            self.leave(Some(indent));
            self.enter(indent, pair != content);
            self.key(key, value, spaces);
        }
        self.text += line;
        self.text.push('\n');
    }

    /// Ends the maps that are deeper than a line, or all.
    fn leave(&mut self, indent: Option<usize>) {
        let deeper = |map: &Map<'_>| indent.is_none_or(|indent| map.indent > indent);
        while let Some(map) = self.maps.pop_if(|map| deeper(map)) {
            // A list's elements have what is theirs and no more.
            if map.list.is_none() {
                self.missing(&map);
            }
        }
    }

    /// Begins a map if a line is deeper than the one before, or the next element of a list.
    fn enter(&mut self, indent: usize, is_element: bool) {
        let opened = self.opened.take();
        let Some(last) = self.maps.last_mut() else {
            return;
        };
        if last.indent < indent {
            let mut map = Map::new(indent, opened);
            if is_element {
                map.list = opened;
                map.schema = opened.and_then(|list| self.schema.items(list));
            }
            self.maps.push(map);
        } else if is_element {
            last.schema = last.list.and_then(|list| self.schema.items(list));
        }
    }

    /// Writes what is said of a key.
    fn key(&mut self, key: &str, value: &str, spaces: usize) {
        let Some(map) = self.maps.last_mut() else {
            return;
        };
        map.seen.push(key.to_owned());
        // Which keys there are depends on the kind.
        let kind = |schema| self.schema.alternative(schema, key, value);
        map.schema = map.schema.map(|schema| kind(schema).unwrap_or(schema));
        let properties = map.schema.and_then(|map| self.schema.properties(map));
        let property = properties.and_then(|properties| properties.get(key));
        if let Some(property) = property {
            self.comment(property, spaces);
        }
        self.opened = property.filter(|_| value.is_empty());
    }

    /// The keys of a section that have not been written.
    fn missing(&mut self, map: &Map<'_>) {
        let properties = map.schema.and_then(|map| self.schema.properties(map));
        for (key, property) in properties.into_iter().flatten() {
            if !map.seen.contains(key) {
                self.comment(property, map.indent);
                let default = match (&property["type"], property.get("default")) {
                    (_, Some(default)) => default.to_string(),
                    (kind, None) if kind == "array" => "[]".to_owned(),
                    (kind, None) if kind == "boolean" => "false".to_owned(),
                    _ => "null".to_owned(),
                };
                self.text += &format!("{:1$}{key}: {default}\n", "", map.indent);
            }
        }
    }

    fn comment(&mut self, property: &Value, indent: usize) {
        let mut text = description(property).to_owned();
        let values = self.schema.values_in(property);
        let named = values.iter().all(|(value, _)| value != "true");
        if named && (1..=MOST_VALUES).contains(&values.len()) {
            let names: Vec<_> = values.iter().map(|(name, _)| name.as_str()).collect();
            text += &format!(" One of: {}.", names.join(", "));
        }
        for line in wrapped(text.trim(), WIDTH.saturating_sub(indent + 2)) {
            self.text += &format!("{:1$}# {line}\n", "", indent);
        }
    }
}

/// The key of a line and what is behind it, unless the line is a value of a list.
fn key_and_value(pair: &str) -> Option<(&str, &str)> {
    let (key, value) = pair.split_once(':')?;
    let is_key = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_key && (value.is_empty() || value.starts_with(' '))).then(|| (key, value.trim()))
}

/// A text in lines of so many columns, as far as its words allow.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                *line += " ";
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_comment() {
        let yaml = "losses:\n- name: ce\n  weight: 1.0\n- name: at\n  weight: 50.0\n  p: 2\n\
                    augmentation:\n  kind: crop_flip\n  pad: 4\ntrain:\n  epochs: null\n";
        let text = commented(yaml, &RecipeSchema::new());
        let above = |line: &str| -> &str {
            let lines: Vec<&str> = text.lines().collect();
            let index = lines.iter().position(|found| *found == line);
            lines[index.expect(line) - 1]
        };
        assert!(above("losses:").starts_with("# "), "{text}");
        assert!(
            above("  p: 2").contains("power of the activations"),
            "{text}"
        );
        assert!(above("  pad: 4").contains("at most 90"), "{text}");
        assert!(above("  epochs: null").contains("240"), "{text}");
        // What is not in the file follows.
        assert!(text.contains("\n  pretrain_milestones: []\n"), "{text}");
        assert!(text.contains("\n  keep_momentum: false\n"), "{text}");
        assert!(text.contains("\nname: null\n"), "{text}");
        let comments = text.lines().filter(|line| line.contains("# "));
        for comment in comments {
            assert!(comment.chars().count() <= WIDTH, "{comment}");
        }
    }
}
