//! Matrices of classes by classes as pictures.

use super::parts::{escaped, image};
use crate::figures::{Heatmap, inline_compact_heatmap, matrix_png};

/// Classes up to which cells have numbers.
const NUMBERED: usize = 10;

/// A matrix of values in [0, `most`] with the names of its rows and columns.
pub(super) struct Matrix<'a> {
    pub(super) title: String,
    pub(super) across: &'a str,
    pub(super) down: &'a str,
    pub(super) scale: &'a str,
    pub(super) most: f64,
    pub(super) classes: Vec<String>,
    pub(super) values: Vec<Vec<f64>>,
}

impl Matrix<'_> {
    /// A heat-map with numbers if it is small and of shares, else a bitmap.
    pub(super) fn html(self) -> String {
        let label = format!(
            "{}: {} by {} and {}",
            self.title, self.scale, self.down, self.across
        );
        if self.classes.len() > NUMBERED || self.most != 1.0 {
            return self.bitmap(&label);
        }
        let rows = self.classes.iter().enumerate();
        let heatmap = Heatmap {
            title: self.title,
            x_label: self.across.to_owned(),
            y_label: self.down.to_owned(),
            columns: (0..self.classes.len())
                .map(|class| class.to_string())
                .collect(),
            rows: rows
                .map(|(class, name)| format!("{name} · {class}"))
                .collect(),
            values: self.values,
            scale_label: self.scale.to_owned(),
        };
        inline_compact_heatmap(&heatmap, &label)
    }

    fn bitmap(&self, label: &str) -> String {
        let most = self.most.max(f64::MIN_POSITIVE);
        let part = |row: &Vec<f64>| row.iter().map(|value| value / most).collect();
        let parts: Vec<Vec<f64>> = self.values.iter().map(part).collect();
        let Ok(png) = matrix_png(&parts) else {
            return String::new();
        };
        let last = self.classes.len() - 1;
        let range = format!(
            "rows: {}, from {} to {}; columns: {}, likewise",
            self.down, self.classes[0], self.classes[last], self.across
        );
        format!(
            "<p class=\"title\">{}</p>{}<p class=\"scale\"><span>0</span><span \
             class=\"ramp\"></span><span>{}</span> {}</p><p class=\"small\">{}</p>",
            escaped(&self.title),
            image(&png, label, "matrix"),
            shown(self.most),
            escaped(self.scale),
            escaped(&range)
        )
    }
}

/// A number with two digits, for the end of a scale.
fn shown(value: f64) -> String {
    let decimals = (1.0 - value.abs().max(1e-6).log10().floor()).clamp(0.0, 7.0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_with_two_digits() {
        let found = [1.0, 0.0, 0.0423, 1.26].map(shown);
        assert_eq!(found, ["1", "0", "0.042", "1.3"]);
    }
}
