//! Figures of every kind, in both formats.

use std::path::{Path, PathBuf};

use super::figure::{Align, Figure, Shape};
use super::*;

fn curve(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
    Curve {
        name: name.to_owned(),
        points: points.into_iter().collect(),
    }
}

fn panels(epochs: u32) -> Vec<Panel> {
    let over = |value: &dyn Fn(f64) -> f64| {
        let epochs = (1..=epochs).map(f64::from);
        epochs
            .map(|epoch| (epoch, value(epoch)))
            .collect::<Vec<_>>()
    };
    vec![
        Panel {
            title: "Accuracy".to_owned(),
            y_label: "Top-1 accuracy (%)".to_owned(),
            curves: vec![
                curve("train top-1", over(&|epoch| 99.0 - 90.0 / epoch)),
                curve("test top-1", over(&|epoch| 76.0 - 70.0 / epoch)),
            ],
        },
        Panel {
            title: "Loss".to_owned(),
            y_label: "Mean loss".to_owned(),
            curves: vec![
                curve("total", over(&|epoch| 300.0 / epoch)),
                curve("method", over(&|epoch| 0.1 / epoch)),
            ],
        },
    ]
}

fn table(rows: Vec<String>, columns: Vec<String>) -> Heatmap {
    let values = (0..rows.len())
        .map(|row| {
            let row = (0..columns.len()).map(|column| (row * 7 + column * 3) % 11);
            row.map(|value| value as f64 / 10.0).collect()
        })
        .collect();
    Heatmap {
        title: "Where <samples> are distilled".to_owned(),
        x_label: "Across".to_owned(),
        y_label: "Down".to_owned(),
        columns,
        rows,
        values,
        scale_label: "Share of samples".to_owned(),
    }
}

fn spots(count: usize) -> Vec<String> {
    let stages = (1..count).map(|stage| format!("stage {stage}"));
    stages.chain(["logits".to_owned()]).collect()
}

fn epochs(count: usize) -> Vec<String> {
    (1..=count).map(|epoch| epoch.to_string()).collect()
}

fn classes(count: usize) -> Vec<String> {
    (0..count)
        .map(|class| format!("sweet_pepper{class:03}"))
        .collect()
}

/// Draws in both formats and returns the SVG.
fn drawn(draw: impl Fn(&Path) -> Result<(), PlotError>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (svg, png) = (folder.path().join("a.svg"), folder.path().join("a.PNG"));
    draw(&svg).expect("an SVG");
    draw(&png).expect("a PNG");
    let png = std::fs::read(png).expect("a file");
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(names(folder.path()), ["a.PNG", "a.svg"]);
    std::fs::read_to_string(svg).expect("a text")
}

fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a file").file_name().into_string())
        .map(|name| name.expect("a name"))
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_says(svg: &str, texts: &[&str]) {
    for text in texts {
        assert!(svg.contains(&format!(">\n{text}\n<")), "{text} is missing");
    }
}

/// Every text lies in the figure, and no two texts overlap.
#[track_caller]
fn assert_legible(figure: &Figure) {
    let mut boxes: Vec<(f64, f64, f64, f64, &str)> = Vec::new();
    for shape in &figure.shapes {
        let Shape::Text(text) = shape else { continue };
        let width = theme::text_width(&text.text, text.em);
        let before = match text.align {
            Align::Start => 0.0,
            Align::Middle => width / 2.0,
            Align::End => width,
        };
        let (rise, fall) = (theme::CAPITAL * text.em, 0.2 * text.em);
        let (left, top, right, bottom) = if text.upwards {
            let bottom = text.y + before;
            (text.x - rise, bottom - width, text.x + fall, bottom)
        } else {
            let left = text.x - before;
            (left, text.y - rise, left + width, text.y + fall)
        };
        let name = text.text.as_str();
        assert!(left >= 0.0 && top >= 0.0, "{name} is cut");
        assert!(right <= figure.width, "{name} is cut");
        assert!(bottom <= figure.height, "{name} is cut");
        for other in &boxes {
            let apart = left >= other.2 || other.0 >= right || top >= other.3 || other.1 >= bottom;
            assert!(apart, "{name} and {} overlap", other.4);
        }
        boxes.push((left, top, right, bottom, name));
    }
}

#[test]
fn curves_of_any_length() {
    for count in [1, 2, 7, 30, 240] {
        let panels = panels(count);
        let svg = drawn(|path| draw_curves(path, "A to B", &panels));
        assert_says(&svg, &["A to B", "Accuracy", "Top-1 accuracy (%)", "Epoch"]);
        assert_says(&svg, &["train top-1", "test top-1", "total", "method"]);
        assert_says(&svg, &["Loss", "Mean loss (log scale)", "1"]);
        // Few points are marked, many are not; a single one is no line.
        assert_eq!(svg.contains("<circle"), count <= 15, "{count}");
        assert_eq!(svg.contains("<polyline"), count > 1, "{count}");
        assert_legible(&curves::layout("A to B", &panels));
        assert_legible(&curves::layout("A to B", &panels[..1]));
    }
}

#[test]
fn values_that_are_no_numbers_are_left_out() {
    let gaps = [
        (1.0, 50.0),
        (2.0, f64::NAN),
        (3.0, f64::INFINITY),
        (f64::NAN, 4.0),
        (4.0, f64::MAX),
        (5.0, 50.0),
    ];
    let panel = |curves| Panel {
        title: "Panel".to_owned(),
        y_label: "Value".to_owned(),
        curves,
    };
    let panels = [
        panel(vec![curve("constant with gaps", gaps)]),
        panel(vec![curve("zero", [(1.0, 0.0), (2.0, 0.0)])]),
        panel(vec![curve("nothing", [(1.0, f64::NAN)])]),
        panel(Vec::new()),
    ];
    let svg = drawn(|path| draw_curves(path, "Gaps", &panels));
    assert_says(&svg, &["constant with gaps", "zero", "nothing", "no data"]);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert_eq!(svg.matches("<circle").count(), 4);
    assert_legible(&curves::layout("Gaps", &panels));
    assert_says(&drawn(|path| draw_curves(path, "Empty", &[])), &["Empty"]);
}

#[test]
fn long_names_are_cut_and_not_drawn_over_others() {
    let long = "a name that is much longer than anything that has a place in a figure ".repeat(4);
    let mut panels = panels(10);
    panels[0].title = long.clone();
    panels[0].y_label = long.clone();
    for index in 0..9 {
        let name = if index == 4 { &long } else { "a curve" };
        panels[0].curves.push(curve(name, [(1.0, 1.0)]));
    }
    assert_legible(&curves::layout(&long, &panels));

    let mut heatmap = table(vec![long.clone(); 5], vec![long.clone(); 3]);
    heatmap.title = long.clone();
    heatmap.x_label = long.clone();
    heatmap.y_label = long.clone();
    heatmap.scale_label = long;
    assert_legible(&heatmap::layout(&heatmap));
}

#[test]
fn heatmaps_of_spots_by_epoch() {
    for rows in [1, 2, 4, 6] {
        for columns in [1, 2, 7, 10, 11, 30, 99, 100, 101, 240, 1000] {
            let heatmap = table(spots(rows), epochs(columns));
            assert_legible(&heatmap::layout(&heatmap));
        }
    }
    let svg = drawn(|path| draw_heatmap(path, &table(spots(5), epochs(240))));
    let title = "Where &lt;samples&gt; are distilled";
    assert_says(&svg, &[title, "Across", "Down", "Share of samples"]);
    assert_says(&svg, &["stage 1", "stage 4", "logits", "1", "20", "240"]);
    assert!(!svg.contains(">\n21\n<"), "labels are thinned");
}

#[test]
fn heatmaps_of_spots_by_class() {
    let mut heights = Vec::new();
    for rows in [10, 12, 13, 100, 120, 200] {
        for columns in [2, 5] {
            let heatmap = table(classes(rows), spots(columns));
            let figure = heatmap::layout(&heatmap);
            assert_legible(&figure);
            heights.push(figure.height);
        }
    }
    assert!(heights.first() < heights.last());
    let svg = drawn(|path| draw_heatmap(path, &table(classes(100), spots(4))));
    for class in classes(100) {
        assert_says(&svg, &[&class]);
    }
    // A number in every cell.
    assert_says(&svg, &["0.30", "1.00"]);
    // Thousands of classes make a figure of bounded size with fewer labels.
    let figure = heatmap::layout(&table(classes(3000), spots(4)));
    assert_legible(&figure);
    assert!(figure.height < 4000.0);
}

#[test]
fn small_cells_hold_numbers_and_short_labels() {
    for rows in [1, 2, 10] {
        let columns: Vec<String> = (0..rows).map(|column| column.to_string()).collect();
        assert_legible(&heatmap::compact(&table(classes(rows), columns)));
    }
}

#[test]
fn missing_values_are_shown_as_no_data() {
    let mut heatmap = table(spots(3), epochs(5));
    assert!(!drawn(|path| draw_heatmap(path, &heatmap)).contains("no data"));
    heatmap.values[0][1] = f64::NAN;
    heatmap.values[1] = vec![2.0, -1.0];
    heatmap.values.pop();
    let svg = drawn(|path| draw_heatmap(path, &heatmap));
    assert_says(&svg, &["no data", "–", "2.00"]);
    assert_legible(&heatmap::layout(&heatmap));
    for (rows, columns) in [(0, 0), (0, 4), (4, 0)] {
        let heatmap = table(epochs(rows), epochs(columns));
        assert_says(&drawn(|path| draw_heatmap(path, &heatmap)), &["no data"]);
    }
}

#[test]
fn errors_name_the_file_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("no_folder").join("a.svg");
    let error = draw_curves(&missing, "A", &panels(2)).expect_err("no folder");
    assert!(matches!(&error, PlotError::Io { path, .. } if *path == missing));
    let says = error.to_string();
    assert!(says.contains(&missing.display().to_string()), "{says}");
    assert!(!says.contains('\n'), "{says}");
    // Of the temporary file, nothing is said.
    assert_eq!(says.matches("no_folder").count(), 1, "{says}");

    // A folder cannot be replaced by a file.
    let taken = folder.path().join("taken.png");
    std::fs::create_dir(&taken).expect("a folder");
    std::fs::write(taken.join("a"), "").expect("a file");
    let error = draw_heatmap(&taken, &table(spots(2), epochs(2))).expect_err("a folder");
    assert!(matches!(&error, PlotError::Io { path, .. } if *path == taken));

    for name in ["a.pdf", "a"] {
        let path = folder.path().join(name);
        let error = draw_curves(&path, "A", &panels(2)).expect_err("another format");
        assert!(matches!(&error, PlotError::Draw { path: named, .. } if *named == path));
        assert!(error.to_string().contains(name));
    }
    assert_eq!(names(folder.path()), ["taken.png"]);
}

#[test]
fn files_are_replaced_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("a.svg");
    std::fs::write(&path, "old").expect("a file");
    draw_curves(&path, "New", &panels(2)).expect("a figure");
    assert_says(&std::fs::read_to_string(&path).expect("a text"), &["New"]);
}

#[test]
fn the_color_map_is_even_in_lightness() {
    let lightness = |value: f64| 116.0 * theme::luminance(theme::map_color(value)).cbrt() - 16.0;
    let steps: Vec<f64> = (0..20)
        .map(|step| f64::from(step) / 20.0)
        .map(|value| lightness(value + 0.05) - lightness(value))
        .collect();
    for step in steps {
        assert!((3.0..4.5).contains(&step), "{step}");
    }
    assert_eq!(theme::map_color(-1.0), theme::map_color(0.0));
    assert_eq!(theme::map_color(2.0), theme::map_color(1.0));
    assert_eq!(theme::text_on(theme::map_color(0.0)), theme::PAPER);
    assert_eq!(theme::text_on(theme::map_color(1.0)), theme::BLACK);
}
