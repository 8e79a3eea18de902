//! A figure as a part of an HTML page, in the page's colors.

use kd_recipes::table::escaped_html as escaped;
use serde_json::json;

use super::figure::{Align, Figure, Plotted, Shape, Text};
use super::theme::{self, Ink};

/// Wider figures are not shrunk to narrow screens, but scrolled.
const SHRUNK: f64 = 520.0;
/// How far a figure that is scrolled is shrunk.
const SMALLEST: f64 = 0.75;

impl Figure {
    /// The figure as an `svg` element, which `label` tells to those who do not see it. Its colors are
    /// those of the page's style, where it has them, so that they change with it.
    pub fn to_inline(&self, label: &str) -> String {
        let (width, height) = (self.width, self.height);
        let least = match width > SHRUNK {
            true => format!(" style=\"min-width:{}px\"", (SMALLEST * width).round()),
            false => String::new(),
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\"{least} role=\"img\" \
             aria-label=\"{}\"{}>",
            escaped(label),
            self.values()
        );
        for shape in &self.shapes {
            svg.push_str(&element(shape));
        }
        svg + "</svg>"
    }

    /// The curves' values, for the page's script.
    fn values(&self) -> String {
        if self.plots.is_empty() {
            return String::new();
        }
        let plots: Vec<_> = self.plots.iter().map(values).collect();
        let text = json!(plots).to_string();
        format!(" data-plots=\"{}\"", escaped(&text))
    }
}

fn values(plot: &Plotted) -> serde_json::Value {
    let curves = plot.curves.iter().map(|curve| {
        let points = curve.points.iter().map(|(x, y)| [*x, five_digits(*y)]);
        json!([curve.name, color(curve.ink), points.collect::<Vec<_>>()])
    });
    let across = plot.across.map(five_digits);
    let down = plot.down.map(five_digits);
    json!({ "x": across, "y": down, "curves": curves.collect::<Vec<_>>() })
}

fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

fn element(shape: &Shape) -> String {
    match shape {
        Shape::Rect(x, y, width, height, ink) => format!(
            "<path d=\"M{} {}h{}v{}h{}z\" fill=\"{}\"/>",
            short(*x),
            short(*y),
            short(*width),
            short(*height),
            short(-width),
            color(*ink)
        ),
        Shape::Line(points, width, ink, dash) => {
            let dash = match dash.is_empty() {
                true => String::new(),
                false => {
                    let lengths: Vec<_> = dash.iter().map(|length| short(*length)).collect();
                    format!(" stroke-dasharray=\"{}\"", lengths.join(" "))
                }
            };
            format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" \
                 stroke-linejoin=\"round\"{dash}/>",
                places(points),
                color(*ink),
                short(*width)
            )
        }
        Shape::Disc(x, y, radius, ink) => format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>",
            short(*x),
            short(*y),
            short(*radius),
            color(*ink)
        ),
        Shape::Dots(centers, radius, ink) => {
            // Lines without length have round ends: one element for all.
            let dots: String = centers
                .iter()
                .map(|(x, y)| format!("M{} {}h0", short(*x), short(*y)))
                .collect();
            format!(
                "<path d=\"{dots}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" \
                 stroke-linecap=\"round\" stroke-opacity=\".75\"/>",
                color(*ink),
                short(2.0 * radius)
            )
        }
        Shape::Text(text) => letters(text),
    }
}

fn letters(text: &Text) -> String {
    let (x, y) = (short(text.x), short(text.y));
    let anchor = match text.align {
        Align::Start => "",
        Align::Middle => " text-anchor=\"middle\"",
        Align::End => " text-anchor=\"end\"",
    };
    let turned = match text.upwards {
        true => format!(" transform=\"rotate(-90 {x} {y})\""),
        false => String::new(),
    };
    format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"{anchor}{turned} fill=\"{}\">{}</text>",
        short(text.em),
        color(text.color),
        escaped(&text.text)
    )
}

fn places(points: &[(f64, f64)]) -> String {
    let places: Vec<_> = points
        .iter()
        .map(|(x, y)| format!("{},{}", short(*x), short(*y)))
        .collect();
    places.join(" ")
}

/// A length with a tenth of a pixel.
fn short(length: f64) -> String {
    let text = format!("{length:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

fn color(ink: Ink) -> String {
    match theme::css_name(ink) {
        Some(name) => format!("var(--{name})"),
        None => format!("#{:02x}{:02x}{:02x}", ink.0, ink.1, ink.2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_are_named_and_colors_of_the_map_are_not() {
        let mut figure = Figure::new(600.0, 50.0);
        figure.rect((1.0, 2.04), (3.0, 4.0), theme::INK);
        figure.rect((0.0, 0.0), (1.0, 1.0), theme::map_color(1.0));
        figure.text("a < b", (5.0, 6.0), 12.5, Align::End);
        let svg = figure.to_inline("two \"boxes\"");
        assert!(svg.contains("M1 2h3v4h-3z\" fill=\"var(--ink)\""), "{svg}");
        assert!(svg.contains("fill=\"#ffe64d\""), "{svg}");
        assert!(
            svg.contains("text-anchor=\"end\" fill=\"var(--ink)\">a &lt; b<"),
            "{svg}"
        );
        assert!(
            svg.contains("aria-label=\"two &quot;boxes&quot;\""),
            "{svg}"
        );
        assert!(svg.contains("min-width:450px"), "{svg}");
    }
}
