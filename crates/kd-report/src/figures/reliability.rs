//! Layout of reliability diagrams.

use super::figure::{Align, Figure, Shape};
use super::theme::{self, CAPITAL, TICK_MARK, size};
use crate::analysis::Calibration;

/// Side of the plot.
const SIDE: f64 = 190.0;
/// Space for labels left of the plot.
const LEFT: f64 = 52.0;
/// Height of the bars below the plot, which are shares of images.
const SHARES: f64 = 34.0;

/// Lists the shapes of a diagram: a bar for the accuracy of each bin, a mark at its mean confidence,
/// the line where both are equal, and below the share of images in the bin.
pub fn layout(title: &str, calibration: &Calibration) -> Figure {
    let top = 30.0;
    let bottom = top + SIDE;
    let below = bottom + TICK_MARK + size::TICK + 10.0;
    let height = below + SHARES + size::LABEL + 10.0;
    let mut figure = Figure::new(LEFT + SIDE + 14.0, height);
    let title = theme::fit(title, size::LABEL, SIDE + LEFT);
    let middle = LEFT + SIDE / 2.0;
    figure.text(&title, (middle, 18.0), size::LABEL, Align::Middle);
    grid(&mut figure, top);
    bars(&mut figure, calibration, (top, below));
    let diagonal = vec![(LEFT, bottom), (LEFT + SIDE, top)];
    figure
        .shapes
        .push(Shape::Line(diagonal, 1.2, theme::INK, &[4.0, 3.0]));
    figure.outline((LEFT, top), (SIDE, SIDE), theme::FRAME);
    figure.upwards_text("accuracy", (12.0, top + SIDE / 2.0), size::TICK);
    figure.upwards_text("images", (12.0, below + SHARES / 2.0), size::TICK);
    let place = (middle, height - 4.0);
    figure.text("confidence", place, size::TICK, Align::Middle);
    figure
}

fn grid(figure: &mut Figure, top: f64) {
    let bottom = top + SIDE;
    for quarter in 0..=4 {
        let part = f64::from(quarter) / 4.0;
        let (x, y) = (LEFT + SIDE * part, bottom - SIDE * part);
        figure.rect((x - 0.5, top), (1.0, SIDE), theme::GRID);
        figure.rect((LEFT, y - 0.5), (SIDE, 1.0), theme::GRID);
        if quarter % 2 == 0 {
            let label = format!("{part}");
            let y = y + CAPITAL * size::TICK / 2.0;
            figure.text(&label, (LEFT - 6.0, y), size::TICK, Align::End);
            let y = bottom + TICK_MARK + CAPITAL * size::TICK + 3.0;
            figure.text(&label, (x, y), size::TICK, Align::Middle);
        }
    }
}

fn bars(figure: &mut Figure, calibration: &Calibration, (top, below): (f64, f64)) {
    let bottom = top + SIDE;
    let width = SIDE / calibration.bins.len().max(1) as f64;
    let most = calibration.bins.iter().map(|bin| bin.images).max();
    let most = most.unwrap_or(0).max(1) as f64;
    for (index, bin) in calibration.bins.iter().enumerate() {
        if bin.images == 0 {
            continue;
        }
        let x = LEFT + width * index as f64;
        let height = SIDE * bin.accuracy;
        let bar = (width - 1.5, height);
        figure.rect((x + 0.75, bottom - height), bar, theme::curve_color(0));
        let y = bottom - SIDE * bin.confidence;
        figure.rect((x, y - 1.0), (width, 2.5), theme::curve_color(1));
        let share = (SHARES * bin.images as f64 / most).max(1.0);
        let place = (x + 0.75, below + SHARES - share);
        figure.rect(place, (width - 1.5, share), theme::FRAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Bin;

    #[test]
    fn bars_are_as_high_as_accuracies() {
        let bin = Bin {
            images: 4,
            confidence: 0.75,
            accuracy: 0.5,
        };
        let calibration = Calibration {
            bins: vec![Bin::default(), bin],
            error: 0.25,
            confidence: 0.75,
        };
        let figure = layout("a run", &calibration);
        let bars = figure.shapes.iter().filter_map(|shape| match shape {
            Shape::Rect(x, _, _, height, ink) if *ink == theme::curve_color(0) => {
                Some((*x, *height))
            }
            _ => None,
        });
        let bars: Vec<_> = bars.collect();
        assert_eq!(bars, [(LEFT + SIDE / 2.0 + 0.75, SIDE / 2.0)]);
    }
}
