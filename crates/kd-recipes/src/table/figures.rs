//! Published figures beside runs.

use std::sync::OnceLock;

use kd_models::Architecture;
use serde::{Deserialize, Serialize};

use crate::{Published, RecipesError, published};

/// A published figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The study.
    pub source: String,
    /// Top-1 accuracy on the test images, in percent, as it was printed.
    pub top1: f64,
    /// Which epoch of how many runs, as [`Published::protocol`].
    pub protocol: String,
    /// Why it is doubtful, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// A place in a published table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) study: Option<&'a str>,
    pub(super) data: &'a str,
    pub(super) teacher: &'a str,
    pub(super) student: &'a str,
    pub(super) method: &'a str,
    pub(super) variant: &'a str,
}

impl Place<'_> {
    /// The published figures: the study's, or those of all studies.
    pub(super) fn figures(&self) -> Result<Vec<Figure>, RecipesError> {
        let rows = published()?.iter().filter(|row| self.is(row));
        rows.map(|row| {
            Ok(Figure {
                source: row.source.clone(),
                top1: row.top1,
                protocol: row.protocol.clone(),
                doubt: doubt(row)?,
            })
        })
        .collect()
    }

    /// The line of the place in the published tables, for an order.
    pub(super) fn line(&self) -> Result<Option<usize>, RecipesError> {
        Ok(published()?.iter().position(|row| self.is(row)))
    }

    /// The variant as the tables have it: mutual learning has a figure for each network, the student
    /// second.
    fn variant(&self) -> &str {
        match (self.method, self.variant) {
            ("DML", "standard") => "net2",
            (_, variant) => variant,
        }
    }

    fn is(&self, row: &Published) -> bool {
        self.study.is_none_or(|study| study == row.source)
            && self.data == row.data
            && self.variant() == row.variant
            && self.method.eq_ignore_ascii_case(&row.method)
            && same_network(self.teacher, &row.teacher)
            && same_network(self.student, &row.student)
    }
}

/// Whether two names are of the same network.
fn same_network(a: &str, b: &str) -> bool {
    let known = |name: &str| Architecture::by_name(name).ok();
    a.eq_ignore_ascii_case(b) || matches!((known(a), known(b)), (Some(a), Some(b)) if a == b)
}

/// A figure that is wrong or cannot be compared; `*` stands for any name.
#[derive(Debug, Deserialize)]
struct Doubtful {
    source: String,
    data: String,
    teacher: String,
    student: String,
    method: String,
    variant: String,
    note: String,
}

impl Doubtful {
    fn is_about(&self, row: &Published) -> bool {
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        fits(&self.source, &row.source)
            && fits(&self.data, &row.data)
            && fits(&self.teacher, &row.teacher)
            && fits(&self.student, &row.student)
            && fits(&self.method, &row.method)
            && fits(&self.variant, &row.variant)
    }
}

fn doubt(row: &Published) -> Result<Option<String>, RecipesError> {
    let mut all = doubtful()?.iter();
    let found = all.find(|doubtful| doubtful.is_about(row));
    Ok(found.map(|doubtful| doubtful.note.clone()))
}

fn doubtful() -> Result<&'static [Doubtful], RecipesError> {
    static ALL: OnceLock<Result<Vec<Doubtful>, String>> = OnceLock::new();
    let read = || {
        let text = include_str!("../../data/doubtful.csv");
        let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        let rows: Result<_, csv::Error> = rows.collect();
        rows.map_err(|error| error.to_string())
    };
    match ALL.get_or_init(read) {
        Ok(rows) => Ok(rows),
        Err(reason) => Err(RecipesError::Table {
            table: "doubtful.csv",
            reason: reason.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_error_is_marked_and_others_are_not() {
        let place = Place {
            study: None,
            data: "cifar100",
            teacher: "vgg13",
            student: "MobileNetV2",
            method: "VID",
            variant: "adaptive",
        };
        let figures = place.figures().expect("a table");
        let wrong = figures.iter().find(|figure| figure.source == "sakd");
        let wrong = wrong.expect("a figure");
        assert_eq!((wrong.top1, wrong.protocol.as_str()), (71.86, "best"));
        let doubt = wrong.doubt.as_deref().expect("a note");
        assert!(doubt.contains("misprint"), "{doubt}");

        let place = Place {
            student: "vgg8",
            method: "at",
            ..place
        };
        let figures = place.figures().expect("a table");
        assert_eq!(figures.len(), 1);
        assert_eq!(figures[0].doubt, None);
    }

    #[test]
    fn every_doubt_is_about_a_figure_of_the_tables() {
        let rows = published().expect("a table");
        for doubtful in doubtful().expect("a table") {
            assert!(
                rows.iter().any(|row| doubtful.is_about(row)),
                "{doubtful:?}"
            );
        }
    }
}
