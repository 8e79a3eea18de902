//! The figures as Markdown.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use kd_recipes::{NamedRecipe, recipe};

/// Seconds of a step and of one of the phase before, and peak memory in MiB.
pub type Figures = [f64; 3];

/// The recipes of a file with their figures.
pub fn read(file: &Path) -> Result<Vec<(NamedRecipe, Figures)>, Box<dyn Error>> {
    let mut measured = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        let mut fields = line.split('\t');
        let named = recipe(fields.next().ok_or("an empty line")?)?;
        let figures: Vec<f64> = fields.map(str::parse).collect::<Result<_, _>>()?;
        measured.push((
            named,
            figures.try_into().map_err(|_| "three figures a line")?,
        ));
    }
    Ok(measured)
}

/// A table a study and data set: rows methods, columns pairs; networks alone in one of their own.
pub fn markdown(file: &Path) -> Result<String, Box<dyn Error>> {
    let mut tables: BTreeMap<(String, String), Vec<(NamedRecipe, Figures)>> = BTreeMap::new();
    for (named, figures) in read(file)? {
        let key = (named.study.clone(), named.data.clone());
        tables.entry(key).or_default().push((named, figures));
    }
    let parts: Vec<String> = tables
        .iter()
        .map(|((study, data), cells)| part(study, data, cells))
        .collect();
    Ok(parts.join("\n"))
}

fn part(study: &str, data: &str, cells: &[(NamedRecipe, Figures)]) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<String> = Vec::new();
    let mut figures = BTreeMap::new();
    for (named, [step, before, memory]) in cells {
        let column = named
            .teacher
            .as_ref()
            .map_or("alone".to_owned(), |teacher| {
                format!("{teacher} → {}", named.student)
            });
        let row = match (named.teacher.is_some(), named.variant.as_str()) {
            (false, _) => named.student.clone(),
            (true, "standard") => named.method.clone(),
            (true, variant) => format!("{} {variant}", named.method),
        };
        let before = if *before > 0.0 {
            format!(" + {before:.2}")
        } else {
            String::new()
        };
        let text = format!("{step:.2}{before} s, {memory:.0}");
        for (list, item) in [(&mut columns, &column), (&mut rows, &row)] {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
        figures.insert((row, column), text);
    }
    let mut lines = vec![
        format!("### {study}, {data}\n"),
        format!("| | {} |", columns.join(" | ")),
        format!("|---|{}", "--:|".repeat(columns.len())),
    ];
    for row in rows {
        let cells = columns.iter().map(|column| {
            let cell = figures.get(&(row.clone(), column.clone()));
            cell.cloned().unwrap_or_default()
        });
        lines.push(format!(
            "| {row} | {} |",
            cells.collect::<Vec<_>>().join(" | ")
        ));
    }
    lines.join("\n") + "\n"
}
