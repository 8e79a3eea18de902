//! A figure as a list of shapes, and the two formats that it is written in.
//!
//! Layouts only list shapes, in pixels of the figure; so both formats show the same picture.

use ab_glyph::Font;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
};

use super::theme::{self, Ink};

/// Pixels of the bitmap for one of the figure: twice the common density of screens.
const DENSITY: u32 = 2;
/// Pixels per meter of the bitmap, for the common density of 96 per inch.
const PIXELS_PER_METER: u32 = DENSITY * 3780;
/// Figures with more pixels are drawn without oversampling, to bound the memory they take.
const OVERSAMPLED: f64 = 1.5e6;

/// Where the anchor of a text lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At its start.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

/// A line of text.
#[derive(Debug, Clone)]
pub struct Text {
    /// What it says.
    pub text: String,
    /// Anchor along the text.
    pub x: f64,
    /// Base line.
    pub y: f64,
    /// Size of the letters.
    pub em: f64,
    /// Ink of the letters.
    pub color: Ink,
    /// Where the anchor lies.
    pub align: Align,
    /// Whether it runs upwards; the base line is then vertical, at `x`.
    pub upwards: bool,
}

/// What a figure is made of.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A filled rectangle: left, top, width, height.
    Rect(f64, f64, f64, f64, Ink),
    /// A line through points, of a width and with a dash.
    Line(Vec<(f64, f64)>, f64, Ink, Dash),
    /// A filled disc: center and radius.
    Disc(f64, f64, f64, Ink),
    /// Many discs of a radius and a color.
    Dots(Vec<(f64, f64)>, f64, Ink),
    /// A line of text.
    Text(Text),
}

/// Lengths of strokes and gaps by turns; none for a line without gaps.
pub type Dash = &'static [f64];

/// A plot of a figure, for whoever asks for the values at a place.
#[derive(Debug, Clone)]
pub struct Plotted {
    /// Left end and width of the plot in the figure, and the values there.
    pub across: [f64; 4],
    /// Top and height of the plot in the figure.
    pub down: [f64; 2],
    /// The curves.
    pub curves: Vec<PlottedCurve>,
}

/// A curve of a plot.
#[derive(Debug, Clone)]
pub struct PlottedCurve {
    /// What it shows.
    pub name: String,
    /// Its color.
    pub ink: Ink,
    /// Its values.
    pub points: Vec<(f64, f64)>,
}

/// A figure: its size and its shapes, the later ones over the earlier ones.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// The shapes.
    pub shapes: Vec<Shape>,
    /// Its plots.
    pub plots: Vec<Plotted>,
}

impl Figure {
    /// An empty figure.
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            width: width.ceil(),
            height: height.ceil(),
            shapes: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// Adds a filled rectangle.
    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), color: Ink) {
        self.shapes.push(Shape::Rect(x, y, width, height, color));
    }

    /// Adds a rectangle's outline, one pixel wide and outside of it.
    pub fn outline(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), color: Ink) {
        self.rect((x - 1.0, y - 1.0), (width + 2.0, 1.0), color);
        self.rect((x - 1.0, y + height), (width + 2.0, 1.0), color);
        self.rect((x - 1.0, y), (1.0, height), color);
        self.rect((x + width, y), (1.0, height), color);
    }

    /// Adds a line of text in the color of ink.
    pub fn text(&mut self, text: &str, (x, y): (f64, f64), em: f64, align: Align) {
        self.colored_text(text, (x, y), em, align, theme::INK);
    }

    /// Adds a line of text.
    pub fn colored_text(
        &mut self,
        text: &str,
        (x, y): (f64, f64),
        em: f64,
        align: Align,
        color: Ink,
    ) {
        self.shapes.push(Shape::Text(Text {
            text: text.to_owned(),
            x,
            y,
            em,
            color,
            align,
            upwards: false,
        }));
    }

    /// Adds a line of text that runs upwards, its middle at `y`.
    pub fn upwards_text(&mut self, text: &str, (x, y): (f64, f64), em: f64) {
        self.shapes.push(Shape::Text(Text {
            text: text.to_owned(),
            x,
            y,
            em,
            color: theme::INK,
            align: Align::Middle,
            upwards: true,
        }));
    }

    /// The figure as an SVG file.
    pub fn to_svg(&self) -> Result<Vec<u8>, String> {
        let mut svg = String::new();
        let (width, height) = self.units();
        {
            let backend = SVGBackend::with_string(&mut svg, (width, height));
            Painter::new(backend, self.unit(), false).paint(self)?;
        }
        // The backend knows whole units only, of which several make a pixel of the figure: the
        // size of the picture is that in pixels, while its coordinates stay in units.
        let head = format!("<svg width=\"{width}\" height=\"{height}\"");
        let sized = format!("<svg width=\"{}\" height=\"{}\"", self.width, self.height);
        Ok(svg.replacen(&head, &sized, 1).into_bytes())
    }

    /// The figure as a PNG file.
    pub fn to_png(&self) -> Result<Vec<u8>, String> {
        let (width, height) = self.units();
        let mut pixels = vec![255; width as usize * height as usize * 3];
        {
            let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
            Painter::new(backend, self.unit(), true).paint(self)?;
        }
        let step = self.unit() / DENSITY;
        let pixels = averaged(&pixels, width as usize, step as usize);
        encode(&pixels, width / step, height / step).map_err(|error| error.to_string())
    }

    /// Units of the backends for one pixel of the figure; the same in both formats.
    fn unit(&self) -> u32 {
        if self.width * self.height > OVERSAMPLED {
            DENSITY
        } else {
            2 * DENSITY
        }
    }

    fn units(&self) -> (u32, u32) {
        let unit = self.unit();
        (self.width as u32 * unit, self.height as u32 * unit)
    }
}

/// Means over squares of `step` x `step` pixels.
fn averaged(pixels: &[u8], width: usize, step: usize) -> Vec<u8> {
    if step <= 1 {
        return pixels.to_vec();
    }
    let stride = width * 3;
    let area = (step * step) as u32;
    let mut means = Vec::with_capacity(pixels.len() / (step * step));
    for rows in pixels.chunks_exact(stride * step) {
        for left in (0..width).step_by(step) {
            for channel in 0..3 {
                let mut sum = 0;
                for row in 0..step {
                    for column in left..left + step {
                        sum += u32::from(rows[row * stride + column * 3 + channel]);
                    }
                }
                means.push(((sum + area / 2) / area) as u8);
            }
        }
    }
    means
}

fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: PIXELS_PER_METER,
        yppu: PIXELS_PER_METER,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Draws shapes on one of the backends.
struct Painter<B: DrawingBackend> {
    backend: B,
    unit: f64,
    /// Whether the backend has pixels: it then leaves gaps in thick lines that turn sharply, and
    /// has no fonts.
    pixels: bool,
}

impl<B: DrawingBackend> Painter<B> {
    fn new(backend: B, unit: u32, pixels: bool) -> Self {
        Self {
            backend,
            unit: f64::from(unit),
            pixels,
        }
    }

    fn paint(mut self, figure: &Figure) -> Result<(), String> {
        let size = (figure.width, figure.height);
        self.rect((0.0, 0.0), size, theme::PAPER)?;
        for shape in &figure.shapes {
            match shape {
                Shape::Rect(x, y, width, height, color) => {
                    self.rect((*x, *y), (*width, *height), *color)?;
                }
                Shape::Line(points, width, color, dash) => {
                    for piece in strokes(points, dash) {
                        self.line(&piece, *width, *color)?;
                    }
                }
                Shape::Disc(x, y, radius, color) => self.disc((*x, *y), *radius, *color)?,
                Shape::Dots(centers, radius, color) => {
                    for center in centers {
                        self.disc(*center, *radius, *color)?;
                    }
                }
                Shape::Text(text) if self.pixels => self.glyphs(text)?,
                Shape::Text(text) => self.text(text)?,
            }
        }
        self.backend.present().map_err(reason)
    }

    fn units(&self, length: f64) -> i32 {
        (length * self.unit).round() as i32
    }

    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.units(x), self.units(y))
    }

    fn rect(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        color: Ink,
    ) -> Result<(), String> {
        let (from, to) = (self.place((x, y)), self.place((x + width, y + height)));
        self.backend
            .draw_rect(from, to, &rgb(color).filled(), true)
            .map_err(reason)
    }

    fn disc(&mut self, center: (f64, f64), radius: f64, color: Ink) -> Result<(), String> {
        let (center, radius) = (self.place(center), self.units(radius).unsigned_abs());
        self.backend
            .draw_circle(center, radius, &rgb(color).filled(), true)
            .map_err(reason)
    }

    fn line(&mut self, points: &[(f64, f64)], width: f64, color: Ink) -> Result<(), String> {
        let thickness = self.units(width).unsigned_abs().max(1);
        let style = ShapeStyle::from(rgb(color)).stroke_width(thickness);
        let mut places: Vec<_> = points.iter().map(|point| self.place(*point)).collect();
        places.dedup();
        if !self.pixels {
            return self.backend.draw_path(places, &style).map_err(reason);
        }
        for ends in places.windows(2) {
            self.backend
                .draw_path(ends.iter().copied(), &style)
                .map_err(reason)?;
        }
        for place in places {
            self.backend
                .draw_circle(place, thickness / 2, &rgb(color).filled(), true)
                .map_err(reason)?;
        }
        Ok(())
    }

    /// Text that the reader's fonts show.
    fn text(&mut self, text: &Text) -> Result<(), String> {
        // The backend writes 1/1.24 of the size, and moves the base line of texts that are
        // anchored at their top by 0.76 of that.
        let em = text.em * self.unit;
        let align = match text.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let (transform, lift) = if text.upwards {
            (FontTransform::Rotate270, (0.76 * em, 0.0))
        } else {
            (FontTransform::None, (0.0, 0.76 * em))
        };
        let family = FontFamily::Name(theme::FONT_FAMILY);
        let color = rgb(text.color);
        let style = TextStyle::from(FontDesc::new(family, em * 1.24, FontStyle::Normal))
            .color(&color)
            .pos(Pos::new(align, VPos::Top))
            .transform(transform);
        let place = (
            (text.x * self.unit - lift.0).round() as i32,
            (text.y * self.unit - lift.1).round() as i32,
        );
        self.backend
            .draw_text(&text.text, &style, place)
            .map_err(reason)
    }

    /// Text in the built-in font, pixel by pixel.
    fn glyphs(&mut self, text: &Text) -> Result<(), String> {
        let em = text.em * self.unit;
        let (letters, width) = theme::set(&text.text, em);
        if letters.is_empty() && !text.text.is_empty() {
            return Err("the built-in font is damaged".to_owned());
        }
        let start = match text.align {
            Align::Start => 0,
            Align::Middle => (width / 2.0).round() as i32,
            Align::End => width.round() as i32,
        };
        let (x, y) = self.place((text.x, text.y));
        let (columns, rows) = self.backend.get_size();
        let bolder = (theme::BOLDER * em).round() as i32;
        let mut covered = Vec::new();
        for letter in letters {
            // Spaces have no outline.
            let Some(outline) = letter.font.outline_glyph(letter.glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            let (left, top) = (bounds.min.x as i32 - start, bounds.min.y as i32);
            outline.draw(|column, row, cover| {
                for wider in 0..=bolder {
                    let (across, down) = (left + column as i32 + wider, top + row as i32);
                    let place = if text.upwards {
                        (x + down, y - across)
                    } else {
                        (x + across, y + down)
                    };
                    covered.push((place, f64::from(cover.min(1.0))));
                }
            });
        }
        let inside = |place: i32, end: u32| place >= 0 && place.unsigned_abs() < end;
        for (place, cover) in covered {
            if cover > 0.0 && inside(place.0, columns) && inside(place.1, rows) {
                let color = rgb(text.color).mix(cover).to_backend_color();
                self.backend.draw_pixel(place, color).map_err(reason)?;
            }
        }
        Ok(())
    }
}

/// The pieces of a line that are drawn.
fn strokes(points: &[(f64, f64)], dash: Dash) -> Vec<Vec<(f64, f64)>> {
    // Without a length, there would be no end.
    if dash.iter().sum::<f64>() <= 0.0 {
        return vec![points.to_vec()];
    }
    let mut lengths = dash.iter().copied().cycle();
    let mut left = lengths.next().unwrap_or(f64::INFINITY);
    let mut drawn = true;
    let mut pieces = vec![points.first().copied().into_iter().collect::<Vec<_>>()];
    for ends in points.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        loop {
            let (across, down) = (to.0 - from.0, to.1 - from.1);
            let length = across.hypot(down);
            let part = if length > left { left / length } else { 1.0 };
            from = (from.0 + part * across, from.1 + part * down);
            if let Some(piece) = pieces.last_mut().filter(|_| drawn) {
                piece.push(from);
            }
            if length <= left {
                left -= length;
                break;
            }
            left = lengths.next().unwrap_or(f64::INFINITY);
            drawn = !drawn;
            if drawn {
                pieces.push(vec![from]);
            }
        }
    }
    pieces
}

fn rgb((red, green, blue): Ink) -> RGBColor {
    RGBColor(red, green, blue)
}

/// What a backend says, on one line.
fn reason(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashed_line_is_cut_around_its_corners() {
        let corner = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)];
        assert_eq!(strokes(&corner, &[]), [corner.to_vec()]);
        let pieces = strokes(&corner, &[3.0, 2.0]);
        assert_eq!(
            pieces,
            [vec![(0.0, 0.0), (3.0, 0.0)], vec![(4.0, 1.0), (4.0, 4.0)]]
        );
    }
}
