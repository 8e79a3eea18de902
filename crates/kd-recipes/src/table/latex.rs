//! Tables for a paper.

use super::layout::{Block, Row, Section};

pub(super) fn render(sections: &[Section]) -> String {
    let mut text = String::from("% Needs \\usepackage{booktabs}.\n");
    for section in sections {
        text.push_str(&format!("\n% {}\n", section.title.replace('\n', " ")));
        for block in &section.blocks {
            text.push_str("\\begin{table}\n\\centering\n");
            text.push_str(&format!("\\caption{{{}}}\n", escaped(&section.title)));
            text.push_str(&tabular(block));
            text.push_str("\\end{table}\n");
        }
        for note in &section.notes {
            text.push_str(&format!(
                "\\noindent{{\\footnotesize {}}}\\par\n",
                escaped(note)
            ));
        }
    }
    text
}

fn tabular(block: &Block) -> String {
    let count = block.groups.iter().map(|group| group.columns.len());
    let mut lines = vec![
        format!("\\begin{{tabular}}{{l{}}}", "r".repeat(count.sum())),
        "\\toprule".to_owned(),
    ];
    if block.groups.iter().any(|group| !group.title.is_empty()) {
        let mut titles = String::new();
        let mut rules = Vec::new();
        let mut column = 2;
        for group in &block.groups {
            let columns = group.columns.len();
            let title = escaped(&group.title);
            titles.push_str(&format!(" & \\multicolumn{{{columns}}}{{c}}{{{title}}}"));
            let last = column + columns - 1;
            rules.push(format!("\\cmidrule(lr){{{column}-{last}}}"));
            column = last + 1;
        }
        lines.push(format!("{titles} \\\\"));
        lines.push(rules.join(" "));
    }
    let columns = block.groups.iter().flat_map(|group| &group.columns);
    let columns: Vec<String> = columns.map(|column| escaped(column)).collect();
    lines.push(format!(" & {} \\\\", columns.join(" & ")));
    lines.push("\\midrule".to_owned());
    lines.extend(block.rows.iter().flat_map(row));
    lines.extend(["\\bottomrule".to_owned(), "\\end{tabular}\n".to_owned()]);
    lines.join("\n")
}

/// A row, and one of what was published.
fn row(row: &Row) -> Vec<String> {
    let cells = || row.cells.iter().flatten();
    let ours: Vec<String> = cells().map(|cell| escaped(&cell.ours)).collect();
    let mut lines = vec![format!(
        "{} & {} \\\\",
        escaped(&row.label),
        ours.join(" & ")
    )];
    if cells().any(|cell| !cell.published.is_empty()) {
        let published = cells().map(|cell| match cell.published.is_empty() {
            true => String::new(),
            false => format!("{{[{}]}}", escaped(&cell.published.join("; "))),
        });
        let published: Vec<String> = published.collect();
        lines.push(format!("\\quad published & {} \\\\", published.join(" & ")));
    }
    lines
}

/// Text that LaTeX prints as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '`' => escaped.push_str("\\textasciigrave{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("$<$"),
            '>' => escaped.push_str("$>$"),
            '→' => escaped.push_str("$\\rightarrow$"),
            '±' => escaped.push_str("$\\pm$"),
            'Δ' => escaped.push_str("$\\Delta$"),
            '−' => escaped.push_str("$-$"),
            '–' => escaped.push_str("--"),
            '†' => escaped.push_str("$^\\dagger$"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_latex_reads_otherwise() {
        assert_eq!(
            escaped("wrn_40_2 → 5% #2"),
            "wrn\\_40\\_2 $\\rightarrow$ 5\\% \\#2"
        );
        assert_eq!(
            escaped("a\\b~^"),
            "a\\textbackslash{}b\\textasciitilde{}\\textasciicircum{}"
        );
    }
}
