//! One run.

use kd_recipes::sweep::CellState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::run::{Run, State};
use super::super::text::{bar, duration, line, number, sparkline};
use super::{Theme, chart};

/// Rows that curves need to be of use, their frame and their names included.
const CURVES: u16 = 8;
/// Columns from which on two panels stand side by side, and rows from which on each spot has a row.
const WIDE: u16 = 120;
const TALL: u16 = 34;

/// A line, and its rank: where there is no room, those of the greatest rank are left out first.
struct Row(Line<'static>, u8);

pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let run = app.run();
    let warnings = warnings(run, area.height, theme);
    let room = area.height.saturating_sub(warnings.len() as u16);
    let curves = if room >= CURVES + 4 { CURVES } else { 0 };
    let rows = fitting(rows(app, area, theme), usize::from(room - curves));
    let [head, middle, foot] = Layout::vertical([
        Constraint::Length(rows.len() as u16),
        Constraint::Fill(1),
        Constraint::Length(warnings.len() as u16),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(rows), head);
    frame.render_widget(Paragraph::new(warnings), foot);
    if curves > 0 && run.state != State::Waiting {
        draw_curves(frame, middle, app, theme);
    }
}

fn draw_curves(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let (panels, shown) = app.panels();
    let tabs = u16::from(theme != Theme::Printed);
    let [tabs, area] =
        Layout::vertical([Constraint::Length(tabs), Constraint::Fill(1)]).areas(area);
    let names = panels.iter().enumerate();
    let names: Vec<Span<'_>> = names
        .map(|(index, panel)| {
            let style = match index == shown {
                true => theme.chosen(),
                false => Style::new(),
            };
            Span::styled(format!(" {} {} ", index + 1, panel.title), style)
        })
        .collect();
    // So many are left out that the one that is shown is among the others.
    let width = |names: &[Span<'_>]| names.iter().map(Span::width).sum::<usize>();
    let mut first = 0;
    while first < shown && width(&names[first..=shown]) > usize::from(tabs.width) {
        first += 1;
    }
    frame.render_widget(Line::from(names[first..].to_vec()), tabs);
    // Accuracy stays beside whatever else is shown.
    let beside = (area.width >= WIDE && panels.len() > 1).then(|| shown.max(1));
    match (beside, panels.get(shown)) {
        (Some(other), _) => {
            let halves = [Constraint::Fill(1), Constraint::Fill(1)];
            let [left, right] = Layout::horizontal(halves).areas(area);
            chart::draw(frame, left, &panels[0], theme);
            chart::draw(frame, right, &panels[other], theme);
        }
        (None, Some(panel)) => chart::draw(frame, area, panel, theme),
        (None, None) => {}
    }
}

/// As many rows as there is room for.
fn fitting(mut rows: Vec<Row>, room: usize) -> Vec<Line<'static>> {
    while rows.len() > room {
        let ranks = rows.iter().enumerate();
        let Some((last, _)) = ranks.max_by_key(|(index, row)| (row.1, *index)) else {
            break;
        };
        rows.remove(last);
    }
    rows.into_iter().map(|row| row.0).collect()
}

fn rows(app: &App, area: Rect, theme: Theme) -> Vec<Row> {
    let (run, columns) = (app.run(), usize::from(area.width));
    let mut rows = vec![Row(heading(app, columns, theme), 0)];
    let mut add = |line: String, rank| {
        if !line.is_empty() {
            rows.push(Row(Line::from(line), rank));
        }
    };
    add(message(app), 1);
    if run.state == State::Waiting {
        return rows;
    }
    add(title(run), 3);
    add(line(facts(run), columns), 6);
    add(progress(run, columns), 1);
    add(line(times(run), columns), 2);
    add(line(accuracy(run), columns), 1);
    add(line(losses(run), columns), 4);
    for line in distilled(run, area) {
        add(line, 5);
    }
    rows
}

/// The folder, and how the run is.
fn heading(app: &App, columns: usize, theme: Theme) -> Line<'static> {
    let (state, style) = match &app.run().state {
        State::Waiting => ("waiting", theme.faint()),
        State::Running => ("running", theme.running()),
        State::Stopped => ("stopped", theme.notice()),
        State::Silent(_) => ("silent", theme.notice()),
        State::Complete(_) => ("complete", theme.good()),
    };
    let name = app.folder().display().to_string();
    let between = columns
        .saturating_sub(name.chars().count() + state.len())
        .max(1);
    Line::from(vec![
        Span::styled(name, theme.strong()),
        Span::raw(" ".repeat(between)),
        Span::styled(state, style),
    ])
}

/// What is to be said before all numbers.
fn message(app: &App) -> String {
    let run = app.run();
    if let Some(trouble) = &run.trouble {
        return trouble.clone();
    }
    if let Some(CellState::Failed(_) | CellState::TeacherFailed(_)) = app.chosen_state() {
        let state = app.chosen_state().map(ToString::to_string);
        return state.unwrap_or_default();
    }
    match &run.state {
        State::Waiting if app.folder().is_dir() => "no run in this folder yet".to_owned(),
        State::Waiting => "waiting for the folder of a run or a sweep".to_owned(),
        State::Silent(age) => format!(
            "nothing was written for {}: on its computer, it may have been stopped",
            duration(*age)
        ),
        State::Stopped => format!(
            "stopped after epoch {} of {}; --resume continues it",
            run.history.len(),
            run.epochs()
        ),
        State::Running if run.progress.is_none() => "it is being prepared".to_owned(),
        _ => String::new(),
    }
}

/// The networks and what one learns from the other by.
fn title(run: &Run) -> String {
    if let Some(progress) = &run.progress {
        return progress.title.clone();
    }
    if let State::Complete(result) = &run.state {
        let by = result.losses.join(" + ");
        return match &result.teacher {
            Some(teacher) => format!("{} by {by} from {teacher}", result.student),
            None => result.student.clone(),
        };
    }
    let recipe = run.recipe.as_ref();
    let student = recipe.and_then(|recipe| recipe.student.network);
    student.map_or_else(String::new, |student| student.name().to_owned())
}

fn facts(run: &Run) -> Vec<String> {
    let Some(recipe) = &run.recipe else {
        return Vec::new();
    };
    let progress = run.progress.as_ref();
    let mut params = progress.map(|progress| progress.params);
    if let State::Complete(result) = &run.state {
        params = Some(result.params);
    }
    let teacher = progress.and_then(|progress| progress.teacher_top1);
    let optional = |value: Option<String>| value.unwrap_or_default();
    vec![
        optional(recipe.name.clone()),
        recipe.data.name.name().to_owned(),
        optional(params.map(|params| format!("{params} parameters"))),
        optional(teacher.map(|top1| format!("teacher {top1:.2} %"))),
        optional(recipe.compute.device.clone()),
        format!("seed {}", recipe.train.seed),
        optional(progress.and_then(|progress| progress.host.clone())),
    ]
}

/// A bar, and where the run stands.
fn progress(run: &Run, columns: usize) -> String {
    let place = match &run.progress {
        Some(progress) if progress.epoch == 0 => "before the first step".to_owned(),
        Some(progress) => {
            let phase = match progress.phase.as_str() {
                "train" => String::new(),
                phase => format!("{phase} "),
            };
            format!(
                "{phase}epoch {} of {}, step {} of {}",
                progress.epoch, progress.epochs, progress.step, progress.steps
            )
        }
        None => format!("epoch {} of {}", run.history.len(), run.epochs()),
    };
    let place = format!(" {:>3.0} %  {place}", (100.0 * run.done()).floor());
    let room = columns.saturating_sub(place.chars().count());
    format!("{}{place}", bar(run.done(), room.min(40)))
}

fn times(run: &Run) -> Vec<String> {
    let seconds = match run.seconds_per_epoch() {
        Some(seconds) if seconds < 10.0 => format!("{seconds:.2} s an epoch"),
        Some(seconds) => format!("{seconds:.1} s an epoch"),
        None => String::new(),
    };
    let rate = run.progress.as_ref().map(|progress| progress.lr);
    let rate = rate.filter(|rate| *rate > 0.0);
    let rate = rate.or_else(|| run.history.last().map(|epoch| epoch.lr));
    let elapsed = run
        .elapsed()
        .map(|time| format!("elapsed {}", duration(time)));
    let left = run
        .left()
        .map(|time| format!("about {} left", duration(time)));
    vec![
        elapsed.unwrap_or_default(),
        left.unwrap_or_default(),
        seconds,
        rate.map_or_else(String::new, |rate| format!("learning rate {rate:.2e}")),
    ]
}

fn accuracy(run: &Run) -> Vec<String> {
    let (Some(last), Some(best)) = (run.history.last(), run.best()) else {
        return Vec::new();
    };
    vec![
        format!("test {:.2} %", last.test.top1),
        format!("best {:.2} % in epoch {}", best.test.top1, best.epoch),
        format!("training {:.2} %", last.train.top1),
        format!("test top-5 {:.2} %", last.test.top5),
    ]
}

/// The losses of this epoch, or else of the last one.
fn losses(run: &Run) -> Vec<String> {
    let now = run.progress.as_ref().map(|progress| &progress.losses.0);
    let named = |(name, value): &(String, f64)| format!("{name} {}", number(*value));
    if let Some(now) = now.filter(|now| !now.is_empty()) {
        let mut parts = vec!["this epoch".to_owned()];
        parts.extend(now.iter().map(named));
        return parts;
    }
    let Some(last) = run.history.last() else {
        return Vec::new();
    };
    let mut parts = vec!["last epoch".to_owned()];
    parts.extend(last.train.terms.0.iter().map(named));
    parts.push(named(&("total".to_owned(), last.train.loss)));
    parts
}

/// The shares of samples that were distilled, by spot.
fn distilled(run: &Run, area: Rect) -> Vec<String> {
    let (Some(record), columns) = (&run.routing, usize::from(area.width)) else {
        return Vec::new();
    };
    let Some(shares) = record.epochs.last() else {
        return Vec::new();
    };
    let spots = || record.spots.iter().zip(shares).enumerate();
    if area.height < TALL {
        let shares = spots().map(|(_, (spot, share))| format!("{spot} {share:.2}"));
        let parts = std::iter::once(format!("distilled by {}", record.routing.name()));
        return vec![line(parts.chain(shares), columns)];
    }
    let widest = record.spots.iter().map(|spot| spot.chars().count()).max();
    let widest = widest.unwrap_or_default();
    let row = |(index, (spot, share)): (usize, (&String, &f64))| {
        let epochs = record.epochs.iter();
        let epochs: Vec<f64> = epochs
            .map(|shares| shares.get(index).copied().unwrap_or(f64::NAN))
            .collect();
        let room = columns.saturating_sub(widest + 20);
        format!(
            "distilled  {spot:<widest$}  {share:.2}  {}",
            sparkline(&epochs, room)
        )
    };
    spots().map(row).collect()
}

/// The last warnings: one on a small screen.
fn warnings(run: &Run, rows: u16, theme: Theme) -> Vec<Line<'static>> {
    let count = match rows {
        0..14 => 0,
        14..30 => 1,
        _ => run.warnings.len(),
    };
    let warnings = &run.warnings[run.warnings.len() - count.min(run.warnings.len())..];
    let warnings = warnings.iter();
    warnings
        .map(|warning| Line::styled(format!("warning: {warning}"), theme.notice()))
        .collect()
}
