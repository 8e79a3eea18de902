//! What is on an image, and in which order it is painted.

use super::{
    Difficulty, ProceduralConfig,
    canvas::{Canvas, Color, Figure, Paint, Pose, Wobble},
    class::{Class, Dot},
    grating::Texture,
    shape::Shape,
    wave::{cosine, sine},
};
use crate::stream::{Purpose, Stream};

/// Radius of the dot, in units of the image's side.
const DOT: f32 = 0.085;

/// How far the figure turns at full jitter, in turns.
const STRAY_ROTATION: f32 = 35.0 / 360.0;

/// Greatest distance of the colors of figure and ground, in units of the least one.
const CONTRAST_SPREAD: f32 = 2.5;

/// Standard deviation of the sum of two uniform bytes.
const NOISE_UNIT: f32 = 104.51;

/// Draws the images of one split.
#[derive(Debug)]
pub(super) struct Artist {
    classes: usize,
    side: usize,
    seed: u64,
    purpose: Purpose,
    difficulty: Difficulty,
}

/// Buffers which an artist uses again for every image.
#[derive(Debug)]
pub(super) struct Easel {
    canvas: Canvas,
    noise: Vec<u8>,
}

impl Artist {
    pub(super) fn new(config: &ProceduralConfig, purpose: Purpose) -> Self {
        Self {
            classes: config.classes,
            side: config.size,
            seed: config.seed,
            purpose,
            difficulty: config.difficulty.clone(),
        }
    }

    /// The label of an image: all classes in turn.
    pub(super) fn label(&self, index: usize) -> usize {
        index % self.classes
    }

    /// Number of bytes of an image.
    pub(super) fn image_bytes(&self) -> usize {
        3 * self.side * self.side
    }

    pub(super) fn easel(&self) -> Easel {
        Easel {
            canvas: Canvas::new(self.side),
            // Two bytes a value: see `develop`.
            noise: vec![0; 2 * self.image_bytes()],
        }
    }

    /// Draws image `index` into its bytes `[3, S, S]`.
    pub(super) fn draw(&self, index: usize, easel: &mut Easel, bytes: &mut [u8]) {
        let mut stream = Stream::new(self.seed, self.purpose, index as u64, 0);
        let stream = &mut stream;
        let class = Class::of(self.label(index));
        let canvas = &mut easel.canvas;

        // Strength of the figure's texture and colors of figure and ground.
        let strength = stream.between(0.12, 0.26);
        let (ground, color) = self.colors(stream);

        let kind = any(&Texture::ALL, stream);
        canvas.fill(&Paint {
            base: ground,
            swing: swing(strength * self.difficulty.ground, stream),
            gratings: vec![(kind.draw(self.difficulty.jitter, stream), 1.0)],
        });
        for _ in 0..stream.below(self.difficulty.clutter + 1) {
            canvas.paint(&self.distractor(strength, stream));
        }

        let figure = self.figure(class, index, color, strength, stream);
        canvas.paint(&figure);
        if let Some(dot) = dot(class.dot, &figure, stream) {
            canvas.paint(&dot);
        }
        if stream.chance(self.difficulty.occlusion) {
            canvas.paint(&patch(&figure.pose, stream));
        }
        self.develop(easel, stream, bytes);
    }

    /// Colors of ground and figure, as far apart as the difficulty says.
    fn colors(&self, stream: &mut Stream) -> (Color, Color) {
        let contrast = self.difficulty.contrast;
        let wanted = stream.between(contrast, CONTRAST_SPREAD * contrast);
        let ground = color(stream);
        let (mut far, mut reached) = (ground, 0.0);
        // The first draw is mostly far enough; the bound is for great contrasts, for which the
        // farthest of the draws must do.
        for _ in 0..16 {
            let candidate = color(stream);
            let distance = distance(ground, candidate);
            if distance > reached {
                (far, reached) = (candidate, distance);
            }
            if reached >= wanted {
                break;
            }
        }
        if reached <= wanted {
            return (ground, far);
        }
        // Between two colors that can be shown, all can be shown.
        let part = wanted / reached;
        let figure = [0, 1, 2].map(|c| ground[c] + part * (far[c] - ground[c]));
        (ground, figure)
    }

    /// A smaller shape anywhere, with any texture.
    fn distractor(&self, strength: f32, stream: &mut Stream) -> Figure {
        let texture = any(&Texture::ALL, stream);
        Figure {
            shape: any(&Shape::ALL, stream),
            blend: None,
            wobble: None,
            pose: Pose {
                center: [stream.unit(), stream.unit()],
                radius: stream.between(0.08, 0.17),
                rotation: rotation(stream.unit()),
                aspect: 1.0,
            },
            paint: Paint {
                base: color(stream),
                swing: swing(strength, stream),
                gratings: vec![(texture.draw(self.difficulty.jitter, stream), 1.0)],
            },
        }
    }

    /// The figure of a class.
    fn figure(
        &self,
        class: Class,
        index: usize,
        base: Color,
        strength: f32,
        stream: &mut Stream,
    ) -> Figure {
        let jitter = self.difficulty.jitter;
        let radius = 0.33 * (1.0 + jitter * stream.between(-0.3, 0.15));
        let turn = jitter * stream.between(-STRAY_ROTATION, STRAY_ROTATION);
        let aspect = 1.0 + jitter * stream.between(-0.2, 0.2);
        let wobble = Wobble {
            depth: jitter * stream.between(0.0, 0.2),
            phases: [stream.unit(), stream.unit()],
        };
        // A figure may lose a little of its edge at the border, but not more.
        let room = jitter * (0.5 - 0.8 * radius).max(0.0);
        let mut center = [0, 1].map(|_| 0.5 + stream.between(-room, room));
        // The dot above or below must fit.
        let space = 0.9 * radius + 2.2 * DOT;
        match class.dot {
            Dot::Above => center[1] = center[1].max(space),
            Dot::Below => center[1] = center[1].min(1.0 - space),
            Dot::Absent | Dot::Inside => {}
        }

        let mut blend = None;
        let mut gratings = vec![(class.texture.draw(jitter, stream), 1.0)];
        if stream.chance(self.difficulty.ambiguous) {
            let step = 1 + stream.below(self.classes as u32 - 1) as usize;
            let other = Class::of((self.label(index) + step) % self.classes);
            // Below one half, so that the label still names the greater part.
            let weight = stream.between(0.3, 0.5);
            blend = Some((other.shape, weight));
            gratings[0].1 = 1.0 - weight;
            gratings.push((other.texture.draw(jitter, stream), weight));
        }
        let over = any(&Texture::ALL, stream).draw(jitter, stream);
        gratings.push((over, stream.unit() * self.difficulty.interference));
        Figure {
            shape: class.shape,
            blend,
            wobble: Some(wobble),
            pose: Pose {
                center,
                radius,
                rotation: rotation(turn),
                aspect,
            },
            paint: Paint {
                base,
                swing: swing(strength, stream),
                gratings,
            },
        }
    }

    /// Lighting and noise, then bytes.
    fn develop(&self, easel: &mut Easel, stream: &mut Stream, bytes: &mut [u8]) {
        let gain = stream.between(0.75, 1.2);
        let offset = stream.between(-0.08, 0.08);
        let slope = [0, 1].map(|_| stream.between(-0.35, 0.35) / self.side as f32);
        // The sum of two uniform bytes has a triangular distribution, near enough to a normal one
        // and without tails that would be cut off.
        stream.fill(&mut easel.noise);
        let noise_scale = self.difficulty.noise / NOISE_UNIT;

        let middle = 0.5 * (self.side as f32 - 1.0);
        let values = easel.canvas.pixels().iter().zip(&mut *bytes);
        for (place, ((value, byte), noise)) in values.zip(easel.noise.chunks_exact(2)).enumerate() {
            let (i, j) = (place / self.side % self.side, place % self.side);
            let light = slope[0] * (i as f32 - middle) + slope[1] * (j as f32 - middle);
            let noise = (i32::from(noise[0]) + i32::from(noise[1]) - 255) as f32 * noise_scale;
            let value = 0.5 + (value - 0.5) * gain + offset + light + noise;
            // The conversion clamps to 0..=255.
            *byte = (value * 255.0 + 0.5) as u8;
        }
    }
}

/// A plain dot where the class wants it.
fn dot(place: Dot, figure: &Figure, stream: &mut Stream) -> Option<Figure> {
    let Pose { center, radius, .. } = figure.pose;
    let shift = 0.9 * radius + 1.2 * DOT;
    let dy = match place {
        Dot::Absent => return None,
        Dot::Above => -shift,
        Dot::Below => shift,
        Dot::Inside => 0.0,
    };
    // White on dark and black on bright, so that it is seen on the figure.
    let brightness: f32 = figure.paint.base.iter().sum::<f32>() / 3.0;
    let gray = if brightness < 0.5 { 0.95 } else { 0.05 };
    Some(Figure {
        shape: Shape::Disc,
        blend: None,
        wobble: None,
        pose: Pose {
            center: [center[0] + stream.between(-0.04, 0.04), center[1] + dy],
            radius: DOT,
            rotation: rotation(0.0),
            aspect: 1.0,
        },
        paint: Paint::plain([gray; 3]),
    })
}

/// A plain patch over the edge of a figure.
fn patch(figure: &Pose, stream: &mut Stream) -> Figure {
    let direction = rotation(stream.unit());
    let distance = figure.radius * stream.between(0.6, 1.0);
    Figure {
        shape: any(&[Shape::Disc, Shape::Square], stream),
        blend: None,
        wobble: None,
        pose: Pose {
            center: [0, 1].map(|axis| figure.center[axis] + distance * direction[axis]),
            radius: figure.radius * stream.between(0.25, 0.5),
            rotation: rotation(stream.unit()),
            aspect: 1.0,
        },
        paint: Paint::plain(color(stream)),
    }
}

/// Any mean color that leaves room for a texture.
fn color(stream: &mut Stream) -> Color {
    [0; 3].map(|_| stream.between(0.15, 0.85))
}

/// Euclidean distance of two colors; that of black and red is 1.
fn distance(a: Color, b: Color) -> f32 {
    let squares = [0, 1, 2].map(|c| (a[c] - b[c]) * (a[c] - b[c]));
    (squares[0] + squares[1] + squares[2]).sqrt()
}

/// Mostly a change of brightness, of the given strength.
fn swing(strength: f32, stream: &mut Stream) -> Color {
    [0; 3].map(|_| strength * stream.between(0.6, 1.1))
}

/// Cosine and sine of an angle in turns.
fn rotation(turns: f32) -> [f32; 2] {
    [cosine(turns), sine(turns)]
}

/// One of several.
fn any<T: Copy>(all: &[T], stream: &mut Stream) -> T {
    all[stream.below(all.len() as u32) as usize]
}
