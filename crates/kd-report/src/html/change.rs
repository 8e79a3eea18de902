//! Which classes gain and which lose.

use super::parts::{Section, absent, numbered};
use super::table::{Cell, Table};
use crate::Report;
use crate::analysis::{ClassChange, class_changes};

/// Classes that are shown.
const SHOWN: usize = 24;

pub(super) fn section(report: &Report) -> Section {
    let title = "Change by class";
    let compared: Vec<(usize, usize, Vec<ClassChange>)> = numbered(report)
        .filter_map(|(place, run)| {
            let alone = run.baseline?;
            let (before, _) = report.networks.student(alone)?;
            let (after, _) = report.networks.student(place)?;
            let changes = class_changes(&before.predictions, &after.predictions).ok()?;
            Some((place, alone, changes))
        })
        .collect();
    let Some((first, ..)) = compared.first() else {
        let body = absent(
            "There is no run beside its student alone whose networks could both be asked about the \
             same images.",
        );
        return Section::new("change", title, body);
    };
    let Some((_, images)) = report.networks.student(*first) else {
        return Section::new("change", title, absent("There are no images."));
    };
    let change = |changes: &[ClassChange], class: usize| {
        let of_class = changes.iter().find(|change| change.class == class);
        of_class.map(ClassChange::points)
    };
    let strength = |class: usize| {
        let all = compared.iter();
        let all = all.filter_map(|(_, _, changes)| change(changes, class));
        all.fold(0.0, |most: f64, points| most.max(points.abs()))
    };
    let mut classes: Vec<usize> = (0..images.images.classes()).collect();
    let all = classes.len();
    classes.sort_by(|one, other| strength(*other).total_cmp(&strength(*one)));
    classes.truncate(SHOWN);
    let most = classes
        .first()
        .map_or(1.0, |class| strength(*class))
        .max(1.0);
    let shown = match all > SHOWN {
        true => format!("The {SHOWN} of {all} classes that change most. "),
        false => String::new(),
    };
    let caption = format!(
        "{shown}Change of the accuracy on the {} images of each class against the student alone, in \
         percentage points. With few images in a class, a single one is many points.",
        images.split
    );
    let runs = &report.runs.runs;
    let mut columns = vec!["class", "images", "alone (%)"];
    columns.extend(
        compared
            .iter()
            .map(|(place, ..)| runs[*place].name.as_str()),
    );
    let one_baseline = compared.iter().all(|(_, alone, _)| *alone == compared[0].1);
    let mut table = Table::new(caption, &columns);
    for class in classes {
        let count = images
            .labels
            .iter()
            .filter(|label| **label == class)
            .count();
        let before = compared[0].2.iter().find(|change| change.class == class);
        let before = before.filter(|_| one_baseline);
        let mut row = vec![
            Cell::text(images.class(class)),
            Cell::Number(count as f64, 0),
            Cell::number(before.map(|change| change.before), 1),
        ];
        row.extend(compared.iter().map(|(_, _, changes)| {
            let points = change(changes, class);
            points.map_or(Cell::None, |points| {
                Cell::Shade(points, points.abs() / most)
            })
        }));
        table.row(row);
    }
    Section::new("change", title, table.html())
}
