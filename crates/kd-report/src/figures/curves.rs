//! Layout of curves over the epochs.

use super::Panel;
use super::axis::{Axis, is_drawable};
use super::figure::{Align, Dash, Figure, Plotted, PlottedCurve, Shape};
use super::theme::{self, CAPITAL, Ink, MARGIN, TICK_MARK, size};

/// Size of the part of a panel that the curves lie in.
const PLOT: (f64, f64) = (400.0, 270.0);
/// A single panel is wider.
const SINGLE_WIDTH: f64 = 520.0;
/// Between panels.
const GAP: f64 = 16.0;
/// Widest figure that a long title makes.
const WIDEST: f64 = 1200.0;
/// Width of a curve.
const STROKE: f64 = 1.8;
/// Radius of a marked point.
const MARK: f64 = 3.0;
/// Curves with more points have none of them marked.
const MARKED: usize = 15;
/// Height of a line of the legend.
const LEGEND_LINE: f64 = 19.0;
/// Length of the sample of a curve in the legend.
const SAMPLE: f64 = 22.0;

/// Dashes of curves that share a color, in their order.
const DASHES: [Dash; 4] = [&[], &[6.0, 3.0], &[2.0, 2.5], &[9.0, 3.0, 2.0, 3.0]];

/// A curve that has been chosen a color.
struct Line {
    name: String,
    color: Ink,
    dash: Dash,
    points: Vec<(f64, f64)>,
}

/// A panel that has been measured.
struct Plot<'a> {
    panel: &'a Panel,
    lines: Vec<Line>,
    /// Entries of the legend by line: the index of the curve and its place.
    legend: Vec<Vec<(usize, f64)>>,
    x: Axis,
    y: Axis,
    y_label: String,
    /// Space left of the curves.
    left: f64,
    width: f64,
}

impl<'a> Plot<'a> {
    fn new(panel: &'a Panel, width: f64) -> Self {
        let entry = width - SAMPLE - 8.0;
        let lines: Vec<Line> = panel
            .curves
            .iter()
            .enumerate()
            .map(|(index, curve)| Line {
                name: theme::fit(&curve.name, size::TICK, entry),
                color: theme::curve_color(index),
                dash: DASHES[index / theme::CURVES.len() % DASHES.len()],
                points: drawable(&curve.points),
            })
            .collect();
        let points = lines.iter().flat_map(|line| line.points.iter());
        let x = Axis::epochs(points.clone().map(|point| point.0));
        let y = Axis::values(points.map(|point| point.1));
        let y_label = if y.logarithmic {
            format!("{} (log scale)", panel.y_label)
        } else {
            panel.y_label.clone()
        };
        let labels = y.ticks.iter().map(|tick| &tick.label);
        let left = size::LABEL + 12.0 + widest(labels, size::TICK) + TICK_MARK + 4.0;
        let legend = legend(&lines, width);
        Self {
            panel,
            lines,
            legend,
            x,
            y,
            y_label,
            left,
            width,
        }
    }

    fn outer_width(&self) -> f64 {
        self.left + self.width
    }

    /// Draws the panel; its curves begin at `top`, its legend above them.
    fn draw(&self, figure: &mut Figure, left: f64, top: f64) {
        let (x0, height) = (left + self.left, PLOT.1);
        let right = x0 + self.width;
        let bottom = top + height;
        let middle = x0 + self.width / 2.0;
        let legend_height = LEGEND_LINE * self.legend.len() as f64;
        let title = theme::fit(&self.panel.title, size::PANEL, self.outer_width());
        let title_y = top - 10.0 - legend_height;
        figure.text(&title, (middle, title_y), size::PANEL, Align::Middle);
        self.draw_legend(figure, x0, top - 4.0 - legend_height);

        let across = |value: f64| x0 + self.width * self.x.place(value);
        let up = |value: f64| bottom - height * self.y.place(value);
        for at in &self.y.minor {
            figure.rect((x0, up(*at) - 0.5), (self.width, 1.0), theme::FAINT);
        }
        for tick in &self.x.ticks {
            let x = across(tick.at);
            figure.rect((x - 0.5, top), (1.0, height), theme::GRID);
            figure.rect((x - 0.5, bottom), (1.0, TICK_MARK), theme::FRAME);
            let y = bottom + TICK_MARK + 4.0 + CAPITAL * size::TICK;
            figure.text(&tick.label, (x, y), size::TICK, Align::Middle);
        }
        for tick in &self.y.ticks {
            let y = up(tick.at);
            figure.rect((x0, y - 0.5), (self.width, 1.0), theme::GRID);
            figure.rect((x0 - TICK_MARK, y - 0.5), (TICK_MARK, 1.0), theme::FRAME);
            let place = (x0 - TICK_MARK - 4.0, y + CAPITAL * size::TICK / 2.0);
            figure.text(&tick.label, place, size::TICK, Align::End);
        }
        figure.outline((x0, top), (self.width, height), theme::FRAME);

        // The first curves are the most important ones: they lie above the others.
        for line in self.lines.iter().rev() {
            let points = line.points.iter();
            let places: Vec<_> = points.map(|(x, y)| (across(*x), up(*y))).collect();
            let marked = places.len() <= MARKED;
            for (x, y) in places.iter().filter(|_| marked) {
                figure.shapes.push(Shape::Disc(*x, *y, MARK, line.color));
            }
            if places.len() > 1 {
                let shape = Shape::Line(places, STROKE, line.color, line.dash);
                figure.shapes.push(shape);
            }
        }
        if self.lines.iter().all(|line| line.points.is_empty()) {
            let place = (middle, top + height / 2.0);
            figure.text("no data", place, size::LABEL, Align::Middle);
        }

        figure.plots.push(self.plotted(x0, top));
        let label = theme::fit(&self.y_label, size::LABEL, height + 16.0);
        let label_x = left + CAPITAL * size::LABEL;
        figure.upwards_text(&label, (label_x, top + height / 2.0), size::LABEL);
        let label_y = bottom + TICK_MARK + size::TICK + 8.0 + size::LABEL;
        let place = ((x0 + right) / 2.0, label_y);
        figure.text("Epoch", place, size::LABEL, Align::Middle);
    }

    fn plotted(&self, left: f64, top: f64) -> Plotted {
        let (low, high) = self.x.ends();
        let curves = self.lines.iter().zip(&self.panel.curves);
        Plotted {
            across: [left, self.width, low, high],
            down: [top, PLOT.1],
            curves: curves
                .map(|(line, curve)| PlottedCurve {
                    name: curve.name.clone(),
                    ink: line.color,
                    points: line.points.clone(),
                })
                .collect(),
        }
    }

    fn draw_legend(&self, figure: &mut Figure, left: f64, top: f64) {
        for (row, entries) in self.legend.iter().enumerate() {
            let y = top + LEGEND_LINE * (row as f64 + 0.5);
            for (index, offset) in entries {
                let line = &self.lines[*index];
                let x = left + offset;
                let thick = STROKE + 1.0;
                if line.dash.is_empty() {
                    figure.rect((x, y - thick / 2.0), (SAMPLE, thick), line.color);
                } else {
                    let sample = vec![(x, y), (x + SAMPLE, y)];
                    let shape = Shape::Line(sample, thick, line.color, line.dash);
                    figure.shapes.push(shape);
                }
                let place = (x + SAMPLE + 6.0, y + CAPITAL * size::TICK / 2.0);
                figure.text(&line.name, place, size::TICK, Align::Start);
            }
        }
    }
}

/// Lists the shapes of a figure with the panels side by side.
pub fn layout(title: &str, panels: &[Panel]) -> Figure {
    let width = if panels.len() == 1 {
        SINGLE_WIDTH
    } else {
        PLOT.0
    };
    let plots: Vec<Plot> = panels.iter().map(|panel| Plot::new(panel, width)).collect();
    let gaps = GAP * plots.len().saturating_sub(1) as f64;
    let inner = plots.iter().map(Plot::outer_width).sum::<f64>() + gaps;
    let wanted = theme::text_width(title, size::TITLE).min(WIDEST);
    // Labels of the last ticks may reach beyond the curves.
    let outer = inner.max(wanted) + 2.0 * MARGIN + 4.0;
    let title = theme::fit(title, size::TITLE, outer - 2.0 * MARGIN);

    let legend = plots.iter().map(|plot| plot.legend.len()).max();
    let legend = LEGEND_LINE * legend.unwrap_or(0) as f64;
    let title_y = MARGIN + CAPITAL * size::TITLE;
    let top = title_y + 16.0 + size::PANEL + 8.0 + legend;
    let below = TICK_MARK + size::TICK + 8.0 + size::LABEL + 4.0;
    let height = if plots.is_empty() { 0.0 } else { PLOT.1 };
    let mut figure = Figure::new(outer, top + height + below + MARGIN - 4.0);
    figure.text(&title, (outer / 2.0, title_y), size::TITLE, Align::Middle);
    if plots.is_empty() {
        let place = (outer / 2.0, top);
        figure.text("no data", place, size::LABEL, Align::Middle);
    }
    let mut left = ((outer - inner) / 2.0).floor();
    for plot in &plots {
        plot.draw(&mut figure, left.round(), top.round());
        left += plot.outer_width() + GAP;
    }
    figure
}

/// Lists the shapes of a panel that is a figure of its own.
pub fn of_panel(panel: &Panel) -> Figure {
    let plot = Plot::new(panel, PLOT.0);
    let legend = LEGEND_LINE * plot.legend.len() as f64;
    let top = MARGIN + size::PANEL + legend;
    let below = TICK_MARK + size::TICK + 8.0 + size::LABEL + 4.0;
    let mut figure = Figure::new(plot.outer_width() + MARGIN, top + PLOT.1 + below + 4.0);
    plot.draw(&mut figure, 2.0, top.round());
    figure
}

fn drawable(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let both = |point: &&(f64, f64)| is_drawable(point.0) && is_drawable(point.1);
    points.iter().filter(both).copied().collect()
}

/// Breaks the entries of a legend into lines.
fn legend(lines: &[Line], width: f64) -> Vec<Vec<(usize, f64)>> {
    let mut rows: Vec<Vec<(usize, f64)>> = Vec::new();
    let mut offset = f64::INFINITY;
    for (index, line) in lines.iter().enumerate() {
        let entry = SAMPLE + 6.0 + theme::text_width(&line.name, size::TICK);
        if offset + entry > width {
            rows.push(Vec::new());
            offset = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((index, offset));
        }
        offset += entry + 14.0;
    }
    rows
}

/// Width of the widest label.
fn widest<'a>(labels: impl Iterator<Item = &'a String>, em: f64) -> f64 {
    labels
        .map(|label| theme::text_width(label, em))
        .fold(0.0, f64::max)
}
