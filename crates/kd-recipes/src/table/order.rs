//! The order of columns and rows.

use super::entry::Entry;
use super::figures::Place;
use super::group::plain;
use crate::RecipesError;

/// Variants in the order of their columns.
const VARIANTS: [&str; 8] = [
    "teacher", "student", "alone", "standard", "adaptive", "anti", "random", "joint",
];

/// Sorts entries: pairs as the published tables have them, then methods by name, then variants.
pub(super) fn sort(
    entries: &mut [Entry],
    (study, data): (Option<&str>, &str),
) -> Result<(), RecipesError> {
    let mut lines = Vec::new();
    for entry in entries.iter() {
        let place = Place {
            study,
            data,
            teacher: entry.teacher.as_deref().unwrap_or("-"),
            student: &entry.student,
            method: "-",
            variant: "student",
        };
        lines.push(place.line()?.unwrap_or(usize::MAX));
    }
    let mut sorted: Vec<(usize, Entry)> = lines.into_iter().zip(entries.iter().cloned()).collect();
    sorted.sort_by(|(line_a, a), (line_b, b)| {
        let pair = |entry: &Entry| (entry.teacher.clone(), entry.student.clone());
        line_a
            .cmp(line_b)
            .then_with(|| pair(a).cmp(&pair(b)))
            .then_with(|| rank(a).cmp(&rank(b)))
            .then_with(|| a.method.cmp(&b.method))
            .then_with(|| variant(&a.variant).cmp(&variant(&b.variant)))
    });
    for (place, (_, entry)) in entries.iter_mut().zip(sorted) {
        *place = entry;
    }
    Ok(())
}

/// The rank from which on rows are methods.
pub(super) const METHODS: usize = 2;

/// Networks alone, then the distillation of logits, then the others.
pub(super) fn rank(entry: &Entry) -> usize {
    match (entry.variant.as_str(), plain(&entry.method)) {
        ("teacher", _) => 0,
        ("student" | "alone", _) => 1,
        (_, "KD") => METHODS,
        _ => METHODS + 1,
    }
}

/// The place of a variant's column.
pub(super) fn variant(name: &str) -> usize {
    let known = VARIANTS.iter().position(|known| *known == name);
    known.unwrap_or(VARIANTS.len())
}
