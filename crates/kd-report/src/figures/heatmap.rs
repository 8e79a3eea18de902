//! Layout of heat-maps.

use super::Heatmap;
use super::figure::{Align, Figure};
use super::theme::{self, CAPITAL, MARGIN, TICK_MARK, size};

/// Tables with at most as many columns are drawn in wide cells with every label.
const FEW_COLUMNS: usize = 10;
/// Tables with at most as many rows have their values in the cells.
const NUMBERED_ROWS: usize = 120;
/// Tables with more rows no longer grow: their labels are thinned.
const LABELED_ROWS: usize = 250;
/// Tables with more rows have the labels of the columns at the top, too.
const TALL: usize = 40;
/// Cells that hold a number and no more.
const COMPACT: (f64, f64) = (36.0, 26.0);
/// Widest label of a row, and of one of few columns.
const WIDEST: (f64, f64) = (190.0, 130.0);
/// Width of a map with many columns.
const WIDE: f64 = 720.0;
/// Width of the scale of the colors.
const SCALE_WIDTH: f64 = 16.0;
/// Least height of the scale, greatest one that a long label makes, greatest one.
const SCALE_HEIGHT: (f64, f64, f64) = (168.0, 240.0, 300.0);
/// How far the label below the columns may reach beyond them at each side.
const BEYOND: f64 = 16.0;
/// Steps of the scale of the colors.
const STEPS: usize = 150;
/// Widest label below the columns that makes them wider.
const WIDEST_LABEL: f64 = 260.0;
/// Widest figure that a long title makes.
const WIDEST_FIGURE: f64 = 900.0;

/// Sizes of a heat-map.
struct Sizes {
    /// Labels of the rows and of the columns that are shown, by their index.
    rows: Vec<(usize, String)>,
    columns: Vec<(usize, String)>,
    /// Size of the letters of the rows' labels and of the numbers.
    em: f64,
    cell: (f64, f64),
    map: (f64, f64),
    /// Space between cells.
    gap: (f64, f64),
    /// Width of the rows' labels.
    label: f64,
    scale: f64,
    tall: bool,
}

impl Sizes {
    fn new(heatmap: &Heatmap) -> Self {
        let (rows, columns) = (heatmap.rows.len(), heatmap.columns.len());
        // Tables with few rows are as high as the label of the scale is long.
        let scale_label = theme::text_width(&heatmap.scale_label, size::LABEL);
        let least = scale_label.clamp(SCALE_HEIGHT.0, SCALE_HEIGHT.1);
        let cell_height = match rows {
            0..=12 => (least / rows.max(1) as f64).clamp(34.0, 110.0).ceil(),
            13..=40 => 24.0,
            41..=NUMBERED_ROWS => 18.0,
            121..=LABELED_ROWS => 14.0,
            _ => (14.0 * LABELED_ROWS as f64 / rows as f64).max(1.0),
        };
        let em = match rows {
            0..=40 => size::TICK,
            41..=NUMBERED_ROWS => 12.0,
            _ => 11.0,
        };
        let row_labels: Vec<String> = heatmap
            .rows
            .iter()
            .map(|row| theme::fit(row, em, WIDEST.0))
            .collect();
        let label = widest(&row_labels, em);
        let every = ((em + 2.0) / cell_height).ceil().max(1.0) as usize;
        let row_labels = row_labels.into_iter().enumerate().step_by(every).collect();

        let (cell_width, column_labels) = columns_of(heatmap);
        let map = (
            cell_width * columns.max(1) as f64,
            cell_height * rows.max(1) as f64,
        );
        let gap = |cell: f64| if cell >= 12.0 { 1.0 } else { 0.0 };
        Self {
            rows: row_labels,
            columns: column_labels,
            em,
            cell: (cell_width, cell_height),
            map,
            gap: (gap(cell_width), gap(cell_height)),
            label,
            scale: map.1.clamp(least, SCALE_HEIGHT.2),
            tall: rows > TALL,
        }
    }
}

/// Width of the columns and the labels of those that have one.
fn columns_of(heatmap: &Heatmap) -> (f64, Vec<(usize, String)>) {
    let columns = &heatmap.columns;
    let labels: Vec<String> = columns
        .iter()
        .map(|column| theme::fit(column, size::TICK, WIDEST.1))
        .collect();
    let widest = widest(&labels, size::TICK);
    if columns.len() <= FEW_COLUMNS {
        let below = theme::text_width(&heatmap.x_label, size::LABEL).min(WIDEST_LABEL);
        let needed = (below - 2.0 * BEYOND) / columns.len().max(1) as f64;
        let cell = (widest + 16.0).max(58.0).max(needed).ceil();
        return (cell, labels.into_iter().enumerate().collect());
    }
    // Whole pixels where there is space: cells of equal width look even.
    let cell = WIDE / columns.len() as f64;
    let cell = if cell >= 2.0 { cell.floor() } else { cell };
    let cell = cell.min(44.0);
    let apart = |space: f64| ((widest + space) / cell).ceil().max(1.0) as usize;
    // Labels of all columns may be close together, those of some of them better are not.
    let apart = if apart(6.0) == 1 { 1 } else { apart(16.0) };
    let every = [1, 2, 5]
        .into_iter()
        .cycle()
        .zip((0..).map(|index| 10usize.saturating_pow(index / 3)))
        .map(|(digit, power)| power.saturating_mul(digit))
        .find(|every| *every >= apart)
        .unwrap_or(apart);
    let numbers: Option<Vec<i64>> = columns.iter().map(|column| column.parse().ok()).collect();
    let shown = |index: usize| match &numbers {
        // Round numbers, and the first one where it is far enough from the next.
        Some(numbers) => {
            let round = |number: i64| number.rem_euclid(every as i64) == 0;
            let next = numbers.iter().skip(1).position(|number| round(*number));
            let free = next.is_none_or(|next| next + 1 >= apart);
            round(numbers[index]) && index > 0 || index == 0 && free
        }
        None => index.is_multiple_of(every),
    };
    let labels = labels.into_iter().enumerate();
    (cell, labels.filter(|(index, _)| shown(*index)).collect())
}

/// Lists the shapes of a heat-map.
pub fn layout(heatmap: &Heatmap) -> Figure {
    drawn(heatmap, Sizes::new(heatmap))
}

/// Lists the shapes of a heat-map of few columns with short labels, in small cells.
pub fn compact(heatmap: &Heatmap) -> Figure {
    let mut sizes = Sizes::new(heatmap);
    sizes.cell = COMPACT;
    let (rows, columns) = (heatmap.rows.len(), heatmap.columns.len());
    sizes.map = (COMPACT.0 * columns as f64, COMPACT.1 * rows as f64);
    sizes.gap = (1.0, 1.0);
    sizes.em = size::TICK - 1.0;
    let fit = |(index, label): (usize, &String)| (index, theme::fit(label, size::TICK, COMPACT.0));
    sizes.columns = heatmap.columns.iter().enumerate().map(fit).collect();
    sizes.scale = sizes.map.1.clamp(SCALE_HEIGHT.0, SCALE_HEIGHT.2);
    drawn(heatmap, sizes)
}

fn drawn(heatmap: &Heatmap, sizes: Sizes) -> Figure {
    let no_data = (0..heatmap.rows.len())
        .any(|row| (0..heatmap.columns.len()).any(|column| value(heatmap, row, column).is_nan()));

    // Beside the map: the rows' labels, and the scale with its labels.
    let left = size::LABEL + 12.0 + sizes.label + TICK_MARK + 4.0;
    let ticks = theme::text_width("0.0", size::TICK) + TICK_MARK + 4.0;
    let mut right = 22.0 + SCALE_WIDTH + ticks + 10.0 + size::LABEL;
    if no_data {
        right = right.max(22.0 + SCALE_WIDTH + 6.0 + theme::text_width("no data", size::TICK));
    }
    let inner = left + sizes.map.0 + right;
    let wanted = theme::text_width(&heatmap.title, size::TITLE).min(WIDEST_FIGURE);
    let outer = (inner.max(wanted) + 2.0 * MARGIN).ceil();

    let title_y = MARGIN + CAPITAL * size::TITLE;
    let labels = TICK_MARK + 4.0 + size::TICK;
    let top = (title_y + 18.0 + if sizes.tall { labels + 2.0 } else { 0.0 }).round();
    let scale_height = sizes.scale + if no_data { 34.0 } else { 6.0 };
    let below = labels + 8.0 + size::LABEL;
    let height = top + (sizes.map.1 + below).max(scale_height) + MARGIN;

    let mut figure = Figure::new(outer, height);
    let title = theme::fit(&heatmap.title, size::TITLE, outer - 2.0 * MARGIN);
    figure.text(&title, (outer / 2.0, title_y), size::TITLE, Align::Middle);
    let x0 = ((outer - inner) / 2.0 + left).round();
    draw_map(&mut figure, heatmap, &sizes, (x0, top));
    draw_labels(&mut figure, heatmap, &sizes, (x0, top), left);
    let scale_x = x0 + sizes.map.0 + 22.0;
    draw_scale(&mut figure, heatmap, &sizes, (scale_x, top), ticks);
    if no_data {
        let y = top + sizes.scale + 20.0;
        let side = 14.0;
        figure.rect(
            (scale_x, y),
            (SCALE_WIDTH, side),
            theme::map_color(f64::NAN),
        );
        let place = (
            scale_x + SCALE_WIDTH + 6.0,
            y + (side + CAPITAL * size::TICK) / 2.0,
        );
        figure.text("no data", place, size::TICK, Align::Start);
    }
    figure
}

fn draw_map(figure: &mut Figure, heatmap: &Heatmap, sizes: &Sizes, (x0, y0): (f64, f64)) {
    let (rows, columns) = (heatmap.rows.len(), heatmap.columns.len());
    let numbered = columns <= FEW_COLUMNS && rows <= NUMBERED_ROWS;
    for row in 0..rows {
        for column in 0..columns {
            let x = x0 + column as f64 * sizes.cell.0;
            let y = y0 + row as f64 * sizes.cell.1;
            // Cells without a gap reach under the next one: no seam is left between them.
            let reach = |cell: f64, gap: f64, last: bool| {
                let under = if gap == 0.0 && !last { 0.5 } else { 0.0 };
                cell + under - gap
            };
            let width = reach(sizes.cell.0, sizes.gap.0, column + 1 == columns);
            let height = reach(sizes.cell.1, sizes.gap.1, row + 1 == rows);
            let value = value(heatmap, row, column);
            let color = theme::map_color(value);
            figure.rect((x, y), (width, height), color);
            if numbered {
                let number = if value.is_nan() {
                    "–".to_owned()
                } else {
                    format!("{value:.2}")
                };
                let place = (
                    x + (sizes.cell.0 - sizes.gap.0) / 2.0,
                    y + (sizes.cell.1 - sizes.gap.1 + CAPITAL * sizes.em) / 2.0,
                );
                let ink = theme::text_on(color);
                figure.colored_text(&number, place, sizes.em, Align::Middle, ink);
            }
        }
    }
    if rows == 0 || columns == 0 {
        let place = (x0 + sizes.map.0 / 2.0, y0 + sizes.map.1 / 2.0);
        figure.text("no data", place, size::TICK, Align::Middle);
    }
}

fn draw_labels(
    figure: &mut Figure,
    heatmap: &Heatmap,
    sizes: &Sizes,
    (x0, y0): (f64, f64),
    left: f64,
) {
    let (width, height) = (sizes.map.0 - sizes.gap.0, sizes.map.1 - sizes.gap.1);
    figure.outline((x0, y0), (width, height), theme::FRAME);
    let bottom = y0 + height + 1.0;
    for (index, label) in &sizes.columns {
        let x = x0 + (*index as f64 + 0.5) * sizes.cell.0 - sizes.gap.0 / 2.0;
        figure.rect((x - 0.5, bottom), (1.0, TICK_MARK), theme::FRAME);
        let y = bottom + TICK_MARK + 4.0 + CAPITAL * size::TICK;
        figure.text(label, (x, y), size::TICK, Align::Middle);
        if sizes.tall {
            let above = y0 - 1.0 - TICK_MARK;
            figure.rect((x - 0.5, above), (1.0, TICK_MARK), theme::FRAME);
            figure.text(label, (x, above - 4.0), size::TICK, Align::Middle);
        }
    }
    for (index, label) in &sizes.rows {
        let y = y0 + (*index as f64 + 0.5) * sizes.cell.1 - sizes.gap.1 / 2.0;
        let mark = x0 - 1.0 - TICK_MARK;
        figure.rect((mark, y - 0.5), (TICK_MARK, 1.0), theme::FRAME);
        let place = (mark - 4.0, y + CAPITAL * sizes.em / 2.0);
        figure.text(label, place, sizes.em, Align::End);
    }
    let x = x0 - left + CAPITAL * size::LABEL;
    upwards_label(figure, &heatmap.y_label, (x, y0), height);
    let label = theme::fit(&heatmap.x_label, size::LABEL, width + 2.0 * BEYOND);
    let y = bottom + TICK_MARK + size::TICK + 12.0 + CAPITAL * size::LABEL;
    let place = (x0 + width / 2.0, y);
    figure.text(&label, place, size::LABEL, Align::Middle);
}

fn draw_scale(
    figure: &mut Figure,
    heatmap: &Heatmap,
    sizes: &Sizes,
    (x, y0): (f64, f64),
    ticks: f64,
) {
    let height = sizes.scale;
    for step in 0..STEPS {
        let value = (step as f64 + 0.5) / STEPS as f64;
        // From the top on, each down to the bottom: no seam is left between the steps.
        let place = height * step as f64 / STEPS as f64;
        let color = theme::map_color(1.0 - value);
        figure.rect((x, y0 + place), (SCALE_WIDTH, height - place), color);
    }
    figure.outline((x, y0), (SCALE_WIDTH, height), theme::FRAME);
    for fifth in 0..=5 {
        let value = f64::from(fifth) / 5.0;
        let y = y0 + height * (1.0 - value);
        let mark = x + SCALE_WIDTH + 1.0;
        figure.rect((mark, y - 0.5), (TICK_MARK, 1.0), theme::FRAME);
        let place = (mark + TICK_MARK + 3.0, y + CAPITAL * size::TICK / 2.0);
        figure.text(&format!("{value:.1}"), place, size::TICK, Align::Start);
    }
    let label_x = x + SCALE_WIDTH + ticks + 10.0 + CAPITAL * size::LABEL;
    upwards_label(figure, &heatmap.scale_label, (label_x, y0), height);
}

/// A label beside what is `height` high and begins at `y0`.
fn upwards_label(figure: &mut Figure, label: &str, (x, y0): (f64, f64), height: f64) {
    let label = theme::fit(label, size::LABEL, height + 10.0);
    figure.upwards_text(&label, (x, y0 + height / 2.0), size::LABEL);
}

/// A value of the table; NaN where there is none.
fn value(heatmap: &Heatmap, row: usize, column: usize) -> f64 {
    let value = heatmap.values.get(row).and_then(|row| row.get(column));
    value
        .copied()
        .filter(|value| value.is_finite())
        .unwrap_or(f64::NAN)
}

/// Width of the widest label.
fn widest(labels: &[String], em: f64) -> f64 {
    labels
        .iter()
        .map(|label| theme::text_width(label, em))
        .fold(0.0, f64::max)
}
