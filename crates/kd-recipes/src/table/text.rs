//! Tables for a terminal.

use comfy_table::{CellAlignment, Table, presets};

use super::layout::{Block, Content, Section};

/// Sections below one another, in so many columns.
pub(super) fn render(sections: &[Section], width: usize) -> String {
    let sections = sections.iter().map(|section| {
        let mut parts = vec![section.title.clone()];
        parts.extend(
            section
                .blocks
                .iter()
                .flat_map(|block| fitting(block, width)),
        );
        parts.extend(section.notes.iter().cloned());
        parts.join("\n")
    });
    sections.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// A block in as many tables as the width asks for.
fn fitting(block: &Block, width: usize) -> Vec<String> {
    let mut tables = Vec::new();
    let mut start = 0;
    while start < block.groups.len() {
        let mut end = start + 1;
        let mut table = of_groups(block, start..end);
        while end < block.groups.len() {
            let wider = of_groups(block, start..end + 1);
            if columns(&wider) > width {
                break;
            }
            table = wider;
            end += 1;
        }
        tables.push(table);
        start = end;
    }
    tables
}

fn columns(table: &str) -> usize {
    let lines = table.lines().map(|line| line.chars().count());
    lines.max().unwrap_or_default()
}

fn of_groups(block: &Block, groups: std::ops::Range<usize>) -> String {
    let mut header = vec![String::new()];
    for group in &block.groups[groups.clone()] {
        for (index, column) in group.columns.iter().enumerate() {
            // A pair on two lines, so that its first column is no wider than it need be.
            let (teacher, student) = match group.title.split_once(" → ") {
                Some((teacher, student)) => (teacher.to_owned(), format!("→ {student}")),
                None => (group.title.clone(), String::new()),
            };
            header.push(match (index, group.title.is_empty()) {
                (_, true) => column.clone(),
                (0, _) => format!("{teacher}\n{student}\n{column}"),
                _ => format!("\n\n{column}"),
            });
        }
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(header);
    table.add_rows(block.rows.iter().map(|row| {
        let cells = row.cells[groups.clone()].iter().flatten();
        std::iter::once(row.label.clone()).chain(cells.map(text))
    }));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn text(content: &Content) -> String {
    let published = content.published.iter();
    let published = published.map(|figure| format!("[{figure}]"));
    let lines = std::iter::once(content.ours.clone()).chain(published);
    lines.collect::<Vec<_>>().join("\n")
}
