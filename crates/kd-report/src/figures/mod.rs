//! Figures of a run, as SVG or PNG files.

mod axis;
mod curves;
mod figure;
mod heatmap;
mod inline;
mod matrix;
mod of_run;
mod reliability;
mod scatter;
#[cfg(test)]
mod tests;
mod theme;

use std::path::{Path, PathBuf};

use kd_models::files::write_atomically;
use kd_train::EpochMetrics;

use figure::Figure;
pub use of_run::{routing_maps, spot_names, training_panels};

use crate::analysis::Calibration;

/// A quantity over the epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Epochs and values; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// A quantity of epochs that may be absent from some.
    pub fn over(
        epochs: &[EpochMetrics],
        name: &str,
        value: impl Fn(&EpochMetrics) -> Option<f64>,
    ) -> Self {
        let points = epochs.iter();
        let points = points.filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?)));
        Self {
            name: name.to_owned(),
            points: points.collect(),
        }
    }
}

/// Curves that share a vertical axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What stands above the panel.
    pub title: String,
    /// What stands beside the vertical axis.
    pub y_label: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// A table of values in [0, 1], shown as colors.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// What stands above the figure.
    pub title: String,
    /// What stands below the columns.
    pub x_label: String,
    /// What stands beside the rows.
    pub y_label: String,
    /// Labels of the columns; those of epochs are whole numbers.
    pub columns: Vec<String>,
    /// Labels of the rows, from top to bottom.
    pub rows: Vec<String>,
    /// The values, row by row; NaN, or no value at all, is shown as "no data".
    pub values: Vec<Vec<f64>>,
    /// What stands beside the scale of the colors.
    pub scale_label: String,
}

/// Why a figure was not written.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// It cannot be drawn.
    #[error("cannot draw {}: {reason}", path.display())]
    Draw {
        /// The file that was to be written.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Writes one figure with the panels side by side, as SVG or PNG by the extension of `path`.
///
/// A panel's vertical axis is logarithmic where its values are positive and differ by more than a
/// factor of 50.
///
/// # Errors
///
/// If the extension is neither `svg` nor `png`, or the file cannot be written.
pub fn draw_curves(path: &Path, title: &str, panels: &[Panel]) -> Result<(), PlotError> {
    write(path, || curves::layout(title, panels))
}

/// Writes a heat-map, as SVG or PNG by the extension of `path`.
///
/// # Errors
///
/// If the extension is neither `svg` nor `png`, or the file cannot be written.
pub fn draw_heatmap(path: &Path, heatmap: &Heatmap) -> Result<(), PlotError> {
    write(path, || heatmap::layout(heatmap))
}

/// One panel as a part of a page.
pub(crate) fn inline_curves(panel: &Panel, label: &str) -> String {
    curves::of_panel(panel).to_inline(label)
}

/// A heat-map as a part of a page.
pub(crate) fn inline_heatmap(heatmap: &Heatmap, label: &str) -> String {
    heatmap::layout(heatmap).to_inline(label)
}

/// A heat-map with small cells as a part of a page; it has at most ten columns, whose labels are short.
pub(crate) fn inline_compact_heatmap(heatmap: &Heatmap, label: &str) -> String {
    heatmap::compact(heatmap).to_inline(label)
}

/// A reliability diagram as a part of a page.
pub(crate) fn inline_reliability(title: &str, calibration: &Calibration, label: &str) -> String {
    reliability::layout(title, calibration).to_inline(label)
}

/// Points of groups as a part of a page; groups share the colors of curves.
pub(crate) fn inline_scatter(title: &str, groups: &[Vec<[f64; 2]>], label: &str) -> String {
    scatter::layout(title, groups).to_inline(label)
}

/// A matrix of values in [0, 1] as a bitmap of one pixel a cell.
pub(crate) fn matrix_png(values: &[Vec<f64>]) -> Result<Vec<u8>, png::EncodingError> {
    matrix::encode(values)
}

/// Groups of points, and curves, that differ in color.
pub(crate) const COLORS: usize = theme::CURVES.len();

fn write(path: &Path, figure: impl FnOnce() -> Figure) -> Result<(), PlotError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let drawn = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => figure().to_svg(),
        Some("png") => figure().to_png(),
        _ => Err("the name of a figure ends with .svg or .png".to_owned()),
    };
    let bytes = drawn.map_err(|reason| PlotError::Draw {
        path: path.to_owned(),
        reason,
    })?;
    write_atomically(path, &bytes).map_err(|source| PlotError::Io {
        path: path.to_owned(),
        source,
    })
}
