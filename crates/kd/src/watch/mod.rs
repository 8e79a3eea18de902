//! Runs and sweeps, watched in a terminal by what they write: files are read, nothing is asked of the
//! processes, so that they may be on another computer.

mod app;
mod cells;
mod keys;
mod panels;
mod run;
#[cfg(unix)]
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod view;

use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use app::App;
#[cfg(unix)]
pub use terminal::watch;
use view::Theme;

/// Rows of a frame that is printed, at least.
const ROWS: u16 = 24;

/// One frame as plain text of so many columns: all cells of a sweep, or a run.
pub fn frame(path: &Path, columns: u16) -> String {
    let app = App::new(path);
    let rows = ROWS.max(app.rows());
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| view::draw(frame, &app, Theme::Printed));
    let cells = terminal.backend().buffer();
    let lines = cells.content.chunks(usize::from(columns.max(1)));
    let lines = lines.map(|line| {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
