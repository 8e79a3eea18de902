//! How it looks.

mod chart;
mod list;
mod run;
mod theme;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::Line;

pub use theme::Theme;

use super::app::App;
use super::text;

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, app: &App, theme: Theme) {
    let keys = u16::from(theme != Theme::Printed && frame.area().height > 3);
    let [body, foot] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(keys)]).areas(frame.area());
    let help = match app.list() {
        Some(list) if app.shows_list() => {
            list::draw(frame, body, (app, list), theme);
            &["q quit", "↑↓ choose", "Enter open"][..]
        }
        list => {
            run::draw(frame, body, app, theme);
            match list {
                Some(_) => &["q quit", "Tab or 1-9 curves", "Esc back to the cells"][..],
                None => &["q quit", "Tab or 1-9 curves"][..],
            }
        }
    };
    let help = help.iter().map(|key| (*key).to_owned());
    let help = text::line(help, usize::from(foot.width));
    frame.render_widget(Line::styled(help, theme.faint()), foot);
}
