//! A recipe of a sweep before it has a seed and a teacher.

use kd_train::{Overlay, Recipe};
use serde_json::Value;

use super::cell::Labels;
use crate::{NamedRecipe, Report, shorten};

/// A recipe of a sweep before it has a seed and a teacher.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    /// The recipe of the catalog, under everything else.
    named: Option<NamedRecipe>,
    /// What the sweep file sets for it, over everything else of the file.
    pub(super) set: Overlay,
    /// The cell or recipe that trains the teacher, or a network.
    pub(super) teacher: Option<String>,
    /// Which of the teacher's weights are taken.
    pub(super) weights: Report,
    /// Seeds of its own.
    pub(super) seeds: Option<Vec<u64>>,
    labels: DraftLabels,
}

/// What a sweep file says of the place in a table.
#[derive(Clone, Debug, Default)]
pub(super) struct DraftLabels {
    pub(super) method: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) pair: Option<[String; 2]>,
    pub(super) report: Option<Report>,
}

impl Draft {
    /// A recipe that a sweep file spells out.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            named: None,
            set: Overlay::default(),
            teacher: None,
            weights: Report::Last,
            seeds: None,
            labels: DraftLabels::default(),
        }
    }

    /// A recipe of the catalog.
    pub(super) fn named(recipe: &NamedRecipe) -> Self {
        let needs = recipe.needs.as_ref();
        Self {
            teacher: needs.map(|needs| needs.recipe.clone()),
            weights: needs.map_or(Report::Last, |needs| needs.weights),
            named: Some(recipe.clone()),
            ..Self::new(&recipe.name)
        }
    }

    pub(super) fn relabel(&mut self, labels: DraftLabels) {
        self.labels = labels;
    }

    /// The recipe with what is set for all (`base`, then `over` on top of all).
    pub(super) fn overlay(&self, base: &Overlay, over: &Overlay) -> Overlay {
        let named = self.named.as_ref();
        let mut overlay = named.map_or_else(Overlay::default, NamedRecipe::overlay);
        for layer in [base, &self.set, over] {
            overlay = laid(layer, overlay);
        }
        match &self.named {
            Some(recipe) => overlay.set("name", &recipe.name),
            None => overlay.set("name", &self.name),
        }
        overlay
    }

    /// Where a run of it stands in a table, with `teacher` as the network that it learns from.
    pub(super) fn labels(&self, recipe: &Recipe, teacher: Option<&str>) -> Labels {
        let mut labels = match &self.named {
            Some(named) => Labels::of_named(named),
            None => Labels::of_recipe(recipe, None),
        };
        if let (None, Some(teacher)) = (&self.named, teacher) {
            labels.teacher = Some(teacher.to_owned());
        }
        let DraftLabels {
            method,
            variant,
            pair,
            report,
        } = self.labels.clone();
        if let Some([teacher, student]) = pair {
            labels.teacher = Some(teacher);
            labels.student = student;
        }
        labels.method = method.unwrap_or(labels.method);
        labels.variant = variant.unwrap_or(labels.variant);
        labels.report = report.or(labels.report);
        labels
    }
}

/// A layer over others. Where it changes the number of epochs, what follows from it changes too.
fn laid(layer: &Overlay, mut below: Overlay) -> Overlay {
    let epochs = layer.get("train.epochs").and_then(Value::as_u64);
    if let Some(epochs) = epochs {
        shorten(&mut below, epochs as usize);
    }
    layer.clone().over(below)
}
