//! A row of the tables of configurations.

use std::collections::HashMap;
use std::path::Path;

use kd_recipes::{NamedRecipe, recipe};
use kd_train::{Overlay, Recipe};

/// One configuration, by column.
#[derive(Clone, Debug)]
pub struct Row {
    pub repo: &'static str,
    columns: HashMap<String, String>,
}

impl Row {
    /// All rows of a repository.
    pub fn all(repo: &'static str) -> Vec<Self> {
        let path = format!(
            "{}/fixtures/recipes/recipes_{repo}.csv",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut reader = csv::Reader::from_path(Path::new(&path)).expect(&path);
        let rows = reader.deserialize();
        rows.map(|columns| Self {
            repo,
            columns: columns.expect("a row"),
        })
        .collect()
    }

    pub fn text(&self, column: &str) -> &str {
        self.columns
            .get(column)
            .unwrap_or_else(|| panic!("no column {column}"))
    }

    pub fn number(&self, column: &str) -> f64 {
        let text = self.text(column);
        text.parse()
            .unwrap_or_else(|_| panic!("{column} of {self:?}"))
    }

    pub fn milestones(&self) -> Vec<usize> {
        let numbers = self.text("milestones").split_whitespace();
        numbers
            .map(|number| number.parse().expect("an epoch"))
            .collect()
    }

    /// The method as the tables of results call it.
    pub fn method(&self) -> &str {
        match self.text("method") {
            "FITNET" => "FitNet",
            "REVIEWKD" => "ReviewKD",
            "NONE" => "-",
            method => method,
        }
    }

    /// The student as the tables of results call it.
    pub fn student(&self) -> String {
        let name = self.text("student");
        let plain = name
            .strip_prefix("none shipped for ")
            .or(name.strip_prefix("rep"));
        match plain {
            Some("mobilenetv2") => "MobileNetV2".to_owned(),
            Some(plain) => plain.to_owned(),
            None => name.to_owned(),
        }
    }

    /// Whether a part of the method's description is there.
    pub fn says(&self, part: &str) -> bool {
        self.text("method_params")
            .split("; ")
            .any(|said| said == part)
    }

    /// `key=value`, or `key value`, of the method's description.
    pub fn parameter(&self, key: &str) -> Option<String> {
        let mut parts = self
            .text("method_params")
            .split([';', ' ', '='])
            .filter(|p| !p.is_empty());
        parts.find(|part| *part == key)?;
        parts.next().map(str::to_owned)
    }

    /// The name of our recipe.
    pub fn name(&self, variant: &str) -> String {
        let [teacher, data] = [self.text("teacher"), self.text("dataset")];
        let student = self.student();
        if teacher.is_empty() {
            return format!("{}-{data}-{student}", self.repo);
        }
        let method = self.method().to_lowercase();
        let standard = format!("{}-{data}-{teacher}-{student}-{method}", self.repo);
        match variant {
            "standard" => standard,
            variant => format!("{standard}-{variant}"),
        }
    }

    /// Our recipe.
    pub fn named(&self, variant: &str) -> (NamedRecipe, Recipe) {
        let name = self.name(variant);
        let named = recipe(&name).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let resolved = resolved(named.overlay());
        (named, resolved)
    }
}

/// The recipe of an overlay, with what differs by where it is run set to the same.
pub fn resolved(mut overlay: Overlay) -> Recipe {
    overlay.set("name", None::<String>);
    overlay.set("data.root", "data");
    if overlay.has("teacher.network") {
        overlay.set("teacher.weights", "teacher.pth");
    }
    overlay.set("student.weights", None::<String>);
    overlay.finish().expect("a recipe")
}
