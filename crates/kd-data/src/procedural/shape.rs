//! Shapes as distances to their outlines.

/// The outline of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Disc,
    Square,
    Triangle,
    Ring,
    Cross,
}

impl Shape {
    pub(super) const ALL: [Self; 5] = [
        Self::Disc,
        Self::Square,
        Self::Triangle,
        Self::Ring,
        Self::Cross,
    ];

    /// How far a point can be from the center and still in a shape, or a mixture of two, with
    /// some more for an irregular outline.
    pub(super) const REACH: f32 = 1.5;

    /// Distance to the outline, negative inside; right near the outline, which is all that matters
    /// for smooth edges. The shapes have about the same area and height: size tells nothing.
    ///
    /// `x` goes to the right and `y` downwards.
    pub(super) fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Self::Disc => (x * x + y * y).sqrt() - 0.92,
            Self::Square => x.abs().max(y.abs()) - 0.82,
            Self::Triangle => {
                // Equilateral, tip up, its centroid in the origin.
                let slope = 0.866_025_4 * x.abs() - 0.5 * y;
                slope.max(y) - 0.62
            }
            Self::Ring => ((x * x + y * y).sqrt() - 0.74).abs() - 0.27,
            Self::Cross => {
                let (long, short) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
                (long - 1.02).max(short - 0.34)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(shape: Shape, x: f32, y: f32) -> bool {
        shape.distance(x, y) < 0.0
    }

    #[test]
    fn shapes_differ_where_they_should() {
        // Center, middle of the right side, corner, tip, foot.
        let points = [
            (0.0, 0.0),
            (0.8, 0.0),
            (0.75, 0.75),
            (0.0, -0.9),
            (0.6, 0.5),
        ];
        let table = Shape::ALL.map(|s| points.map(|(x, y)| inside(s, x, y)));
        assert_eq!(table[0], [true, true, false, true, true], "disc");
        assert_eq!(table[1], [true, true, true, false, true], "square");
        assert_eq!(table[2], [true, false, false, true, true], "triangle");
        assert_eq!(table[3], [false, true, false, true, true], "ring");
        assert_eq!(table[4], [true, true, false, true, false], "cross");
    }

    #[test]
    fn shapes_are_mirror_images_of_themselves_and_within_reach() {
        for shape in Shape::ALL {
            for i in -20..=20 {
                for j in -20..=20 {
                    let (x, y) = (i as f32 / 10.0, j as f32 / 10.0);
                    assert_eq!(shape.distance(x, y), shape.distance(-x, y));
                    if inside(shape, x, y) {
                        assert!((x * x + y * y).sqrt() <= Shape::REACH, "{shape:?} {x} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn areas_are_similar() {
        for shape in Shape::ALL {
            let cells = (-60..60).flat_map(|i| (-60..60).map(move |j| (i, j)));
            let count = cells
                .filter(|&(i, j)| inside(shape, i as f32 / 40.0, j as f32 / 40.0))
                .count();
            let area = count as f32 / 1600.0;
            assert!((1.9..2.9).contains(&area), "{shape:?} {area}");
        }
    }
}
