//! The cells of a sweep.

use kd_recipes::sweep::CellState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::super::app::App;
use super::super::cells::{Cell, Cells};
use super::super::text::{bar, duration, line};
use super::Theme;

/// Rows for the state of the cell that is chosen.
const DETAILS: u16 = 2;
/// The widest name that is shown whole.
const WIDEST: usize = 60;

pub fn draw(frame: &mut Frame<'_>, area: Rect, (app, list): (&App, &Cells), theme: Theme) {
    let details = if area.height >= 8 { DETAILS } else { 0 };
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(2.min(area.height)),
        Constraint::Fill(1),
        Constraint::Length(details),
    ])
    .areas(area);
    let columns = usize::from(area.width);
    let name = app.folder().display().to_string();
    let head_lines = vec![
        Line::styled(name, theme.strong()),
        Line::from(line(totals(list), columns)),
    ];
    frame.render_widget(Paragraph::new(head_lines), head);

    let rows = usize::from(body.height);
    let first = app.chosen().saturating_sub(rows.saturating_sub(1));
    let names = list.cells.iter().map(|cell| cell.name.chars().count());
    let widest = names.max().unwrap_or_default().min(WIDEST);
    let lines = list.cells.iter().enumerate().skip(first).take(rows);
    let lines = lines.map(|(index, cell)| {
        let row = row(cell, (columns, widest), theme);
        match index == app.chosen() && theme != Theme::Printed {
            true => row.patch_style(theme.chosen()),
            false => row,
        }
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), body);

    let chosen = app.chosen_cell().filter(|_| theme != Theme::Printed);
    let text = list.trouble.clone().or_else(|| {
        let cell = chosen?;
        Some(format!("{}: {}", cell.name, cell.state))
    });
    let text = Paragraph::new(text.unwrap_or_default()).wrap(Wrap { trim: true });
    frame.render_widget(text.style(theme.faint()), foot);
}

fn totals(list: &Cells) -> Vec<String> {
    let waits = |state: &CellState| matches!(state, CellState::NotStarted);
    let some = |count: usize, what: &str| match count {
        0 => String::new(),
        count => format!("{count} {what}"),
    };
    let failed =
        |state: &CellState| matches!(state, CellState::Failed(_) | CellState::TeacherFailed(_));
    let left = list.left();
    vec![
        format!("{} cells", list.cells.len()),
        some(
            list.count(|state| matches!(state, CellState::Complete(_))),
            "done",
        ),
        some(
            list.count(|state| matches!(state, CellState::Running { .. })),
            "running",
        ),
        some(
            list.count(|state| matches!(state, CellState::Stopped { .. })),
            "stopped",
        ),
        some(list.count(failed), "failed"),
        some(list.count(waits), "waiting"),
        left.map_or_else(String::new, |left| format!("about {} left", duration(left))),
    ]
}

/// State, name, progress and accuracy, as far as there is room; the reason of a failure in their place.
fn row(cell: &Cell, (columns, widest): (usize, usize), theme: Theme) -> Line<'static> {
    let (word, style) = state(&cell.state, theme);
    let numbers = numbers(cell, columns);
    // A reason may be cut off, and is whole below the list.
    let room = match cell.is_settled() && cell.last.is_none() {
        true => columns / 2,
        false => columns.saturating_sub(10 + numbers.chars().count()),
    };
    let width = widest.min(room).max(8);
    let name = fitted(&cell.name, width);
    Line::from(vec![
        Span::styled(format!("{word:<9} "), style),
        Span::raw(name),
        Span::raw(numbers),
    ])
}

/// What stands right of the name.
fn numbers(cell: &Cell, columns: usize) -> String {
    if let CellState::Failed(reason) = &cell.state {
        return format!("  {}", reason.lines().next().unwrap_or_default());
    }
    if let CellState::TeacherFailed(teacher) = &cell.state {
        return format!("  needs {teacher}, which failed");
    }
    let mut numbers = String::new();
    if columns >= 70 {
        numbers.push_str(&format!("  {}", bar(cell.done, 10)));
    }
    let epochs = format!("{}/{}", cell.epoch, cell.epochs);
    numbers.push_str(&format!("  {epochs:>7}"));
    if columns >= 50 {
        let percent = |top1: Option<f64>| {
            top1.map_or_else(|| "      -".to_owned(), |top1| format!("{top1:>5.2} %"))
        };
        numbers.push_str(&format!("  {}", percent(cell.last)));
        if columns >= 100 {
            numbers.push_str(&format!("  best {}", percent(cell.best)));
        }
    }
    if let (true, Some(seconds)) = (columns >= 120, cell.seconds) {
        numbers.push_str(&format!("  {seconds:>7.1} s an epoch"));
    }
    numbers
}

fn state(state: &CellState, theme: Theme) -> (&'static str, Style) {
    match state {
        CellState::NotStarted => ("waiting", theme.faint()),
        CellState::Running { .. } => ("running", theme.running()),
        CellState::Stopped { .. } => ("stopped", theme.notice()),
        CellState::Failed(_) | CellState::TeacherFailed(_) => ("failed", theme.bad()),
        CellState::Complete(_) => ("done", theme.good()),
    }
}

/// A name in just so many columns; the middle of a long one is left out.
fn fitted(name: &str, columns: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= columns {
        return format!("{name:<columns$}");
    }
    let kept = columns.saturating_sub(1);
    let (front, back) = (kept.div_ceil(2), kept / 2);
    let front: String = letters[..front].iter().collect();
    let back: String = letters[letters.len() - back..].iter().collect();
    format!("{front}…{back}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_width() {
        assert_eq!(fitted("resnet8", 9), "resnet8  ");
        assert_eq!(fitted("resnet8x4-seed0", 9), "resn…eed0");
        assert_eq!(fitted("resnet8", 1), "…");
    }
}
