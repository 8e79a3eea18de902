//! Tables that a click sorts.

use super::parts::escaped;

/// A cell.
pub(super) enum Cell {
    /// Text, which is no HTML.
    Text(String),
    /// HTML that is sorted by a text.
    Html(String, String),
    /// A number and its decimals.
    Number(f64, usize),
    /// A difference and its decimals: with its sign, and in its color.
    Change(f64, usize),
    /// A difference with a color whose strength is a share of the greatest.
    Shade(f64, f64),
    /// Nothing is known.
    None,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn number(value: Option<f64>, decimals: usize) -> Self {
        value.map_or(Self::None, |value| Self::Number(value, decimals))
    }

    pub(super) fn change(value: Option<f64>, decimals: usize) -> Self {
        value.map_or(Self::None, |value| Self::Change(value, decimals))
    }

    /// A number with all of its decimals.
    pub(super) fn exact(value: f64) -> Self {
        let text = value.to_string();
        let decimals = text
            .split_once('.')
            .map_or(0, |(_, decimals)| decimals.len());
        Self::Number(value, decimals)
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number(..) | Self::Change(..) | Self::Shade(..))
    }

    fn html(&self) -> String {
        match self {
            Self::Text(text) => format!("<td>{}</td>", escaped(text)),
            Self::Html(html, key) => format!("<td data-key=\"{}\">{html}</td>", escaped(key)),
            Self::Number(value, decimals) => {
                let text = grouped(&format!("{value:.decimals$}"));
                format!("<td class=\"number\" data-key=\"{value}\">{text}</td>")
            }
            Self::Change(value, decimals) => {
                let class = match *value {
                    value if value > 0.0 => " good",
                    value if value < 0.0 => " bad",
                    _ => "",
                };
                let text = signed(*value, *decimals);
                format!("<td class=\"number{class}\" data-key=\"{value}\">{text}</td>")
            }
            Self::Shade(value, part) => {
                let color = if *value < 0.0 { "bad" } else { "good" };
                let text = signed(*value, 1);
                let part = (45.0 * part.clamp(0.0, 1.0)).round();
                format!(
                    "<td class=\"number\" data-key=\"{value}\" style=\"background:color-mix(in \
                     srgb,var(--{color}) {part}%,transparent)\">{text}</td>"
                )
            }
            Self::None => "<td class=\"number none\">–</td>".to_owned(),
        }
    }
}

/// A number with its sign.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    // Zero has none, and a hyphen is too short for a minus.
    match text.trim_start_matches(['+', '-']).trim_matches(['0', '.']) {
        "" => text.trim_start_matches(['+', '-']).to_owned(),
        _ => text.replace('-', "−"),
    }
}

/// Digits of large whole numbers in groups of three.
fn grouped(number: &str) -> String {
    let (digits, rest) = match number.find(|letter: char| !letter.is_ascii_digit()) {
        Some(end) => number.split_at(end),
        None => (number, ""),
    };
    if digits.len() < 5 {
        return number.to_owned();
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text + rest
}

/// A table whose first column is the heading of its rows.
pub(super) struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            caption: caption.into(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(super) fn html(self) -> String {
        // Columns in which nothing is known are left out.
        let known = |column: &usize| {
            let cell = |row: &Vec<Cell>| !matches!(row.get(*column), None | Some(Cell::None));
            self.rows.iter().any(cell)
        };
        let shown: Vec<usize> = (0..self.columns.len()).filter(known).collect();
        // The caption stays in sight while the table is scrolled.
        let mut text = "<figure>\n<div class=\"wide\"><table>\n<thead><tr>".to_owned();
        for column in &shown {
            let title = escaped(&self.columns[*column]);
            let numbers = self
                .rows
                .iter()
                .any(|row| row.get(*column).is_some_and(Cell::is_number));
            let class = if numbers { " class=\"number\"" } else { "" };
            text.push_str(&format!("<th scope=\"col\"{class}>{title}</th>"));
        }
        text.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            text.push_str("<tr>");
            for (index, column) in shown.iter().enumerate() {
                let cell = row.get(*column).unwrap_or(&Cell::None).html();
                match index {
                    0 => {
                        let head = cell.replacen("<td", "<th scope=\"row\"", 1);
                        text.push_str(&head.replace("</td>", "</th>"));
                    }
                    _ => text.push_str(&cell),
                }
            }
            text.push_str("</tr>\n");
        }
        let caption = escaped(&self.caption);
        text.push_str("</tbody>\n</table></div>\n");
        text.push_str(&format!("<figcaption>{caption}</figcaption>\n</figure>\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people_and_sorted_as_numbers() {
        let cell = |cell: Cell| cell.html();
        assert!(cell(Cell::Number(1_234_567.0, 0)).contains(">1\u{202f}234\u{202f}567<"));
        assert!(cell(Cell::Number(1234.5, 1)).contains(">1234.5<"));
        assert!(cell(Cell::exact(0.05)).contains(">0.05<"));
        assert!(cell(Cell::Change(-1.25, 2)).contains("bad\" data-key=\"-1.25\">−1.25<"));
        assert!(cell(Cell::Change(-0.001, 1)).contains(">0.0<"));
        assert!(cell(Cell::Shade(5.0, 1.0)).contains("var(--good) 45%"));
    }

    #[test]
    fn columns_without_a_value_are_left_out() {
        let mut table = Table::new("A & B", &["name", "never", "sometimes"]);
        table.row(vec![Cell::text("a"), Cell::None, Cell::None]);
        table.row(vec![Cell::text("b"), Cell::None, Cell::Number(1.0, 0)]);
        let html = table.html();
        assert!(
            !html.contains("never") && html.contains("sometimes"),
            "{html}"
        );
        assert!(html.contains("<figcaption>A &amp; B</figcaption>"));
        assert!(
            html.contains("<th scope=\"row\">b</th><td class=\"number\" data-key=\"1\">1</td>")
        );
    }
}
