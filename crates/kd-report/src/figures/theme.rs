//! Colors, sizes and the font of every figure.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, Glyph, ScaleFont, point};
use kd_train::heat_color;

/// Red, green and blue.
pub type Ink = (u8, u8, u8);

/// The paper.
pub const PAPER: Ink = (255, 255, 255);
/// Titles, labels and axes.
pub const INK: Ink = (38, 38, 38);
/// Letters on a color.
pub const BLACK: Ink = (0, 0, 0);
/// Frames and tick marks.
pub const FRAME: Ink = (110, 110, 110);
/// Lines of the grid.
pub const GRID: Ink = (224, 224, 224);
/// Lines of the grid between the labeled ones.
pub const FAINT: Ink = (241, 241, 241);

/// Colors of curves, told apart with any of the common color deficiencies; the first two also
/// in gray.
pub const CURVES: [Ink; 7] = [
    (0, 95, 160),
    (217, 95, 2),
    (0, 145, 110),
    (190, 85, 150),
    (105, 105, 105),
    (85, 175, 230),
    (180, 140, 0),
];

/// Sizes of the letters, in pixels of the figure.
pub mod size {
    /// Title of the figure.
    pub const TITLE: f64 = 18.0;
    /// Title of a panel.
    pub const PANEL: f64 = 15.0;
    /// Labels of axes and scales.
    pub const LABEL: f64 = 14.0;
    /// Labels of ticks, entries of legends.
    pub const TICK: f64 = 12.5;
}

/// Space between the edge of the figure and what is drawn.
pub const MARGIN: f64 = 18.0;
/// Length of a tick mark.
pub const TICK_MARK: f64 = 4.0;
/// Height of a capital letter, as a part of the size of the letters.
pub const CAPITAL: f64 = 0.69;

/// How much wider the strokes of the built-in font are drawn, as a part of the size of the
/// letters: it is a light one, too pale for small labels.
pub const BOLDER: f64 = 0.02;

/// What an SVG asks for: the font of the bitmap first, then fonts of about its widths.
pub const FONT_FAMILY: &str = "Ubuntu, Helvetica, Arial, sans-serif";
/// An SVG is shown with the fonts of the reader, which may be wider than the built-in one.
const SLACK: f64 = 1.15;

/// Ink of the curve at `index`.
pub fn curve_color(index: usize) -> Ink {
    CURVES[index % CURVES.len()]
}

/// The name of an ink in the style of a page, which has it for light and dark paper; none for a color
/// of the map and for the letters on it, which are the same on both.
pub fn css_name(ink: Ink) -> Option<String> {
    let name = match ink {
        INK => "ink",
        FRAME => "frame",
        GRID => "grid",
        FAINT => "faint",
        _ if ink == map_color(f64::NAN) => "no-data",
        _ => {
            let curve = CURVES.iter().position(|color| *color == ink)?;
            return Some(format!("c{curve}"));
        }
    };
    Some(name.to_owned())
}

/// Ink of a value in [0, 1]; values outside take the nearest end, NaN is "no data".
pub fn map_color(value: f64) -> Ink {
    heat_color(value).into()
}

/// The color of letters that is easier to read on `ground`.
pub fn text_on(ground: Ink) -> Ink {
    let light = luminance(ground);
    let contrast = |other: f64| (light.max(other) + 0.05) / (light.min(other) + 0.05);
    if contrast(luminance(PAPER)) > contrast(luminance(BLACK)) {
        PAPER
    } else {
        BLACK
    }
}

/// Relative luminance, from 0 (black) to 1 (white).
pub fn luminance(color: Ink) -> f64 {
    let linear = |channel: u8| {
        let part = f64::from(channel) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

/// The built-in fonts, each for the letters that the ones before it lack; none only if their
/// bytes are damaged.
fn fonts() -> &'static [FontRef<'static>] {
    static FONTS: OnceLock<Vec<FontRef<'static>>> = OnceLock::new();
    FONTS.get_or_init(|| {
        [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
        ]
        .into_iter()
        .filter_map(|bytes| FontRef::try_from_slice(bytes).ok())
        .collect()
    })
}

/// A letter of a line of text.
pub struct Letter {
    /// Its font.
    pub font: &'static FontRef<'static>,
    /// Its shape, size and place.
    pub glyph: Glyph,
}

/// Sets `text` in letters of the size `em`, from 0 on; returns its width, too.
pub fn set(text: &str, em: f64) -> (Vec<Letter>, f64) {
    let mut letters: Vec<Letter> = Vec::new();
    let mut width = 0.0;
    for letter in text.chars() {
        let has = |font: &&FontRef<'static>| font.glyph_id(letter).0 != 0;
        let Some(font) = fonts().iter().find(has).or(fonts().first()) else {
            continue;
        };
        // The size of a font is that of its em square, the scale that of its tallest letters.
        let square = font.units_per_em().unwrap_or(1000.0);
        let scaled = font.as_scaled(em as f32 * font.height_unscaled() / square);
        let id = font.glyph_id(letter);
        if let Some(last) = letters.last()
            && std::ptr::eq(last.font, font)
        {
            width += scaled.kern(last.glyph.id, id);
        }
        let glyph = id.with_scale_and_position(scaled.scale(), point(width, 0.0));
        letters.push(Letter { font, glyph });
        width += scaled.h_advance(id);
    }
    (letters, f64::from(width))
}

/// Width that must be left for `text` in letters of the size `em`.
pub fn text_width(text: &str, em: f64) -> f64 {
    set(text, em).1 * SLACK
}

/// `text`, cut with an ellipsis where it is wider than `width`.
pub fn fit(text: &str, em: f64, width: f64) -> String {
    if text_width(text, em) <= width {
        return text.to_owned();
    }
    let mut letters: Vec<char> = text.chars().collect();
    while letters.pop().is_some() {
        let cut = format!("{}…", letters.iter().collect::<String>().trim_end());
        if text_width(&cut, em) <= width {
            return cut;
        }
    }
    String::new()
}
