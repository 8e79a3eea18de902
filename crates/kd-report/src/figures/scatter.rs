//! Layout of points of a plane.

use super::figure::{Align, Figure, Shape};
use super::theme::{self, size};

/// Side of the plot.
const SIDE: f64 = 300.0;
/// Between the plot's frame and its points.
const INSET: f64 = 10.0;
/// Radius of a point.
const RADIUS: f64 = 2.4;

/// Lists the shapes of groups of points, which share one scale for both axes.
pub fn layout(title: &str, groups: &[Vec<[f64; 2]>]) -> Figure {
    let top = 28.0;
    let mut figure = Figure::new(SIDE + 4.0, top + SIDE + 3.0);
    let title = theme::fit(title, size::LABEL, SIDE);
    let place = (SIDE / 2.0 + 2.0, 18.0);
    figure.text(&title, place, size::LABEL, Align::Middle);
    figure.outline((2.0, top), (SIDE, SIDE), theme::FRAME);
    let points = || groups.iter().flatten();
    let range = |axis: usize| {
        let places = points().map(|point| point[axis]);
        let low = places.clone().fold(f64::INFINITY, f64::min);
        (low, places.fold(f64::NEG_INFINITY, f64::max))
    };
    let (x, y) = (range(0), range(1));
    let extent = (x.1 - x.0).max(y.1 - y.0).max(f64::MIN_POSITIVE);
    let inner = SIDE - 2.0 * INSET;
    let centered = |value: f64, (low, high): (f64, f64)| {
        ((value - (low + high) / 2.0) / extent).clamp(-0.5, 0.5) * inner
    };
    for (index, group) in groups.iter().enumerate() {
        let place = |point: &[f64; 2]| {
            let across = 2.0 + SIDE / 2.0 + centered(point[0], x);
            (across, top + SIDE / 2.0 - centered(point[1], y))
        };
        let places: Vec<_> = group.iter().map(place).collect();
        if !places.is_empty() {
            let ink = theme::curve_color(index);
            figure.shapes.push(Shape::Dots(places, RADIUS, ink));
        }
    }
    figure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fill_the_plot_and_keep_their_proportions() {
        let groups = [vec![[0.0, 0.0], [10.0, 5.0]], Vec::new(), vec![[5.0, 2.5]]];
        let figure = layout("a run", &groups);
        let dots = figure.shapes.iter().filter_map(|shape| match shape {
            Shape::Dots(places, ..) => Some(places.clone()),
            _ => None,
        });
        let dots: Vec<_> = dots.collect();
        assert_eq!(dots.len(), 2);
        let (first, second) = (dots[0][0], dots[0][1]);
        assert_eq!(second.0 - first.0, SIDE - 2.0 * INSET);
        assert_eq!(first.1 - second.1, (SIDE - 2.0 * INSET) / 2.0);
        // One point, and none, are drawn without a number that is none.
        layout("one", &[vec![[3.0, 3.0]]]);
        layout("none", &[]);
    }
}
