//! Tables for a README.

use super::layout::{Block, Content, Section};

pub(super) fn render(sections: &[Section]) -> String {
    let sections = sections.iter().map(|section| {
        let mut parts = vec![format!("### {}", escaped(&section.title))];
        parts.extend(section.blocks.iter().map(table));
        let notes = section.notes.iter();
        let notes: Vec<String> = notes.map(|note| format!("- {}", escaped(note))).collect();
        parts.push(notes.join("\n"));
        parts.join("\n\n")
    });
    sections.collect::<Vec<_>>().join("\n\n") + "\n"
}

fn table(block: &Block) -> String {
    let mut header = vec![String::new()];
    for group in &block.groups {
        for column in &group.columns {
            header.push(match group.title.is_empty() {
                true => escaped(column),
                false => format!("{}<br>{}", escaped(&group.title), escaped(column)),
            });
        }
    }
    let rule = format!("|---|{}", "--:|".repeat(header.len() - 1));
    let mut lines = vec![line(&header), rule];
    lines.extend(block.rows.iter().map(|row| {
        let cells = row.cells.iter().flatten().map(text);
        let cells: Vec<String> = std::iter::once(escaped(&row.label)).chain(cells).collect();
        line(&cells)
    }));
    lines.join("\n")
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn text(content: &Content) -> String {
    let published = content.published.iter();
    let published = published.map(|figure| format!("\\[{}\\]", escaped(figure)));
    let lines = std::iter::once(escaped(&content.ours)).chain(published);
    lines.collect::<Vec<_>>().join("<br>")
}

/// Text that Markdown takes as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '\\' | '|' | '*' | '_' | '`' | '#' | '[' | ']' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}
