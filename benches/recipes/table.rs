//! The figures as Markdown.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use kd_recipes::{NamedRecipe, recipe};

/// What was measured of a step.
pub struct Figures {
    /// Seconds of a step.
    pub step: f64,
    /// Seconds of a step of the phase before; 0 without one.
    pub before: f64,
    /// Peak memory in MiB.
    pub memory: f64,
    /// Images of the batch, where they are not those of the recipe.
    pub batch: Option<usize>,
}

impl Figures {
    fn read<'a>(mut fields: impl Iterator<Item = &'a str>) -> Result<Self, Box<dyn Error>> {
        let mut number =
            || Ok::<_, Box<dyn Error>>(fields.next().ok_or("three figures a line")?.parse()?);
        let [step, before, memory] = [number()?, number()?, number()?];
        let batch = fields.next().map(str::parse).transpose()?;
        Ok(Self {
            step,
            before,
            memory,
            batch,
        })
    }
}

/// The recipes of a file with their figures.
pub fn read(file: &Path) -> Result<Vec<(NamedRecipe, Figures)>, Box<dyn Error>> {
    let mut measured = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        let mut fields = line.split('\t');
        let named = recipe(fields.next().ok_or("an empty line")?)?;
        measured.push((named, Figures::read(fields)?));
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
    for (named, measured) in cells {
        let Figures {
            step,
            before,
            memory,
            batch,
        } = measured;
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
        let of = batch.map_or_else(String::new, |images| format!(" (batch {images})"));
        let text = format!("{step:.2}{before} s, {memory:.0}{of}");
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
