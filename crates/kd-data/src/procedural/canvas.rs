//! The image while it is painted.

use super::{grating::Grating, shape::Shape, wave::sine};

/// A color: red, green, blue in units of 0..1, which may be exceeded until the end.
pub(super) type Color = [f32; 3];

/// What fills an area: a color that swings about a mean.
#[derive(Debug, Clone)]
pub(super) struct Paint {
    /// Mean color.
    pub(super) base: Color,
    /// Half the difference of the brightest and the darkest stripe.
    pub(super) swing: Color,
    /// The textures and their weights; none for a plain area.
    pub(super) gratings: Vec<(Grating, f32)>,
}

impl Paint {
    /// An area of one color.
    pub(super) fn plain(base: Color) -> Self {
        Self {
            base,
            swing: [0.0; 3],
            gratings: Vec::new(),
        }
    }

    /// The factor of `swing` at a place.
    fn wave(&self, u: f32, v: f32) -> f32 {
        let values = self
            .gratings
            .iter()
            .map(|(g, weight)| weight * g.value(u, v));
        values.sum()
    }
}

/// Where and how a shape lies. Lengths are in units of the image's side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    /// Center, to the right and downwards.
    pub(super) center: [f32; 2],
    /// Length of the shape's unit.
    pub(super) radius: f32,
    /// Cosine and sine of the rotation.
    pub(super) rotation: [f32; 2],
    /// Width relative to height.
    pub(super) aspect: f32,
}

/// How an outline strays from its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wobble {
    /// Greatest way outwards or inwards, in units of the radius.
    pub(super) depth: f32,
    /// Where the waves along both axes begin, in turns.
    pub(super) phases: [f32; 2],
}

impl Wobble {
    /// Waves in a unit of length: about one from side to side.
    const FREQUENCY: f32 = 0.45;

    fn value(&self, x: f32, y: f32) -> f32 {
        let [along_x, along_y] = self.phases;
        self.depth * sine(Self::FREQUENCY * x + along_x) * sine(Self::FREQUENCY * y + along_y)
    }
}

/// A shape to paint.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) shape: Shape,
    /// A second shape and its weight in 0..=1 against the first.
    pub(super) blend: Option<(Shape, f32)>,
    /// Irregularity of the outline.
    pub(super) wobble: Option<Wobble>,
    pub(super) pose: Pose,
    pub(super) paint: Paint,
}

/// A square image `[3, S, S]` of floats.
#[derive(Debug)]
pub(super) struct Canvas {
    side: usize,
    pixels: Vec<f32>,
}

impl Canvas {
    pub(super) fn new(side: usize) -> Self {
        Self {
            side,
            pixels: vec![0.0; 3 * side * side],
        }
    }

    pub(super) fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// Paints all of the image.
    pub(super) fn fill(&mut self, paint: &Paint) {
        let area = self.side * self.side;
        let step = 1.0 / self.side as f32;
        for i in 0..self.side {
            let v = (i as f32 + 0.5) * step;
            for j in 0..self.side {
                let wave = paint.wave((j as f32 + 0.5) * step, v);
                for channel in 0..3 {
                    self.pixels[channel * area + i * self.side + j] =
                        paint.base[channel] + wave * paint.swing[channel];
                }
            }
        }
    }

    /// Paints a shape over what is there, with edges smooth over one pixel.
    pub(super) fn paint(&mut self, figure: &Figure) {
        let Pose {
            center,
            radius,
            rotation: [cos, sin],
            aspect,
        } = figure.pose;
        let area = self.side * self.side;
        let step = 1.0 / self.side as f32;
        let rows = self.span(center[1], radius * aspect.max(1.0));
        let columns = self.span(center[0], radius * aspect.max(1.0));
        // Distances come in units of the radius and are needed in pixels.
        let sharpness = radius * self.side as f32;
        for i in rows {
            let v = (i as f32 + 0.5) * step;
            let dy = (v - center[1]) / radius;
            for j in columns.clone() {
                let u = (j as f32 + 0.5) * step;
                let dx = (u - center[0]) / radius;
                let (x, y) = ((cos * dx + sin * dy) / aspect, cos * dy - sin * dx);
                let mut distance = figure.shape.distance(x, y);
                if let Some((other, weight)) = figure.blend {
                    distance += weight * (other.distance(x, y) - distance);
                }
                if let Some(wobble) = figure.wobble {
                    distance += wobble.value(x, y);
                }
                let coverage = (0.5 - distance * sharpness).clamp(0.0, 1.0);
                if coverage == 0.0 {
                    continue;
                }
                let wave = figure.paint.wave(u, v);
                for channel in 0..3 {
                    let pixel = &mut self.pixels[channel * area + i * self.side + j];
                    let color = figure.paint.base[channel] + wave * figure.paint.swing[channel];
                    *pixel += coverage * (color - *pixel);
                }
            }
        }
    }

    /// The rows or columns that a shape can touch.
    fn span(&self, center: f32, radius: f32) -> std::ops::Range<usize> {
        let side = self.side as f32;
        let reach = radius * Shape::REACH * side + 1.0;
        // The conversion clamps below 0.
        let first = (center * side - reach) as usize;
        let last = (center * side + reach) as usize;
        first.min(self.side)..(last + 1).min(self.side)
    }
}
