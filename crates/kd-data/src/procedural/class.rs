//! What a class is: a shape, a texture and the place of a dot.

use super::{grating::Texture, shape::Shape};

/// Where the plain dot is, relative to the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dot {
    Absent,
    Above,
    Below,
    Inside,
}

impl Dot {
    const ALL: [Self; 4] = [Self::Absent, Self::Above, Self::Below, Self::Inside];
}

/// A combination of attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) shape: Shape,
    pub(super) texture: Texture,
    pub(super) dot: Dot,
}

impl Class {
    /// Number of combinations.
    pub(super) const COUNT: usize = Shape::ALL.len() * Texture::ALL.len() * Dot::ALL.len();

    /// The class of a label below [`COUNT`](Self::COUNT).
    ///
    /// Shapes vary fastest, so that few classes already need both shape and texture.
    pub(super) fn of(label: usize) -> Self {
        let (shapes, textures) = (Shape::ALL.len(), Texture::ALL.len());
        Self {
            shape: Shape::ALL[label % shapes],
            texture: Texture::ALL[label / shapes % textures],
            dot: Dot::ALL[label / (shapes * textures) % Dot::ALL.len()],
        }
    }

    /// A name for people, as "square, vertical stripes, dot above".
    pub(super) fn name(self) -> String {
        let shape = match self.shape {
            Shape::Disc => "disc",
            Shape::Square => "square",
            Shape::Triangle => "triangle",
            Shape::Ring => "ring",
            Shape::Cross => "cross",
        };
        let texture = match self.texture {
            Texture::Horizontal => "horizontal stripes",
            Texture::Vertical => "vertical stripes",
            Texture::Diagonal => "diagonal stripes",
            Texture::Checks => "checks",
            Texture::Fine => "fine stripes",
        };
        let dot = match self.dot {
            Dot::Absent => "",
            Dot::Above => ", dot above",
            Dot::Below => ", dot below",
            Dot::Inside => ", dot inside",
        };
        format!("{shape}, {texture}{dot}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_100_different_classes() {
        assert_eq!(Class::COUNT, 100);
        let mut names: Vec<_> = (0..Class::COUNT).map(|k| Class::of(k).name()).collect();
        assert_eq!(names[0], "disc, horizontal stripes");
        assert_eq!(names[6], "square, vertical stripes");
        assert_eq!(names[99], "cross, fine stripes, dot inside");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 100);
    }
}
