//! Curves over the epochs.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};

use super::super::text::number;
use super::Theme;
use kd_report::figures::{Curve, Panel};

/// Draws a panel with its last values above.
pub fn draw(frame: &mut Frame<'_>, area: Rect, panel: &Panel, theme: Theme) {
    let block = Block::bordered()
        .border_style(theme.faint())
        .title(title(panel, theme));
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let Some(x) = bounds(points().map(|point| point.0), 0.0) else {
        let text = Paragraph::new("no epoch is complete yet").style(theme.faint());
        frame.render_widget(text.block(block), area);
        return;
    };
    let y = bounds(points().map(|point| point.1), 0.05).unwrap_or([0.0, 1.0]);
    let curves = panel.curves.iter().enumerate();
    // The first curve is the most important one: it lies above the others.
    let curves = curves.rev().map(|(index, curve)| {
        Dataset::default()
            .data(&curve.points)
            .marker(theme.marker(index))
            .graph_type(GraphType::Line)
            .style(theme.curve(index))
    });
    let [first, last] = x.map(|epoch| format!("{epoch:.0}"));
    let middle = (y[0] + y[1]) / 2.0;
    let values = [y[0], middle, y[1]].map(number);
    let across = Axis::default()
        .bounds(x)
        .labels([first, "epoch".to_owned(), last])
        .labels_alignment(Alignment::Center)
        .style(theme.faint());
    let up = Axis::default()
        .bounds(y)
        .labels(values)
        .style(theme.faint());
    let chart = Chart::new(curves.collect()).x_axis(across).y_axis(up);
    frame.render_widget(chart.legend_position(None).block(block), area);
}

/// Its name and the last values of its curves.
fn title(panel: &Panel, theme: Theme) -> Line<'static> {
    let mut parts = vec![Span::styled(format!(" {} ", panel.title), theme.strong())];
    for (index, curve) in panel.curves.iter().enumerate() {
        let Curve { name, points } = curve;
        let last = points
            .last()
            .map_or_else(String::new, |(_, value)| number(*value));
        let unit = match panel.y_label.as_str() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let style = theme.curve(index);
        let mark = theme.mark(index);
        parts.push(Span::styled(format!(" {mark} {name} {last}{unit} "), style));
    }
    Line::from(parts)
}

/// The least and the greatest value, with a margin that is a part of what they span; never the same.
fn bounds(values: impl Iterator<Item = f64> + Clone, margin: f64) -> Option<[f64; 2]> {
    let finite = values.filter(|value| value.is_finite());
    let least = finite.clone().reduce(f64::min)?;
    let greatest = finite.reduce(f64::max)?;
    if least == greatest {
        let around = (least.abs() * 0.05).max(0.5);
        return Some([least - around, greatest + around]);
    }
    let margin = (greatest - least) * margin;
    Some([least - margin, greatest + margin])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_all_values_and_are_two() {
        let of = |values: &[f64], margin| bounds(values.iter().copied(), margin);
        assert_eq!(of(&[1.0, 3.0, 2.0], 0.0), Some([1.0, 3.0]));
        assert_eq!(of(&[0.0, 100.0], 0.05), Some([-5.0, 105.0]));
        assert_eq!(of(&[4.0, f64::NAN], 0.05), Some([3.5, 4.5]));
        assert_eq!(of(&[f64::INFINITY], 0.0), None);
    }
}
