//! A recipe with a name.

use kd_train::Overlay;
use serde::{Deserialize, Serialize};

use crate::{Published, RecipesError, published};

/// The epoch whose figure a study reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// The last one.
    Last,
    /// The best one on the test images, which flatters.
    Best,
}

impl Report {
    /// The weights of this epoch in a run's folder.
    pub fn student_of(self, folder: &str) -> String {
        match self {
            Self::Last => format!("{folder}/student.safetensors"),
            Self::Best => format!("{folder}/student-best.safetensors"),
        }
    }
}

/// The teacher of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// The recipe that trains it.
    pub recipe: String,
    /// The epoch whose weights are taken.
    pub weights: Report,
}

/// A published experiment, or the training of a network that one needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedRecipe {
    /// The name, as `sakd-cifar100-resnet56-resnet20-at-adaptive`.
    pub name: String,
    /// The study, as `sakd`.
    pub study: String,
    /// The data set, as `cifar100`.
    pub data: String,
    /// The teacher, as the tables call it.
    pub teacher: Option<String>,
    /// The student, as the tables call it.
    pub student: String,
    /// The method, as the tables call it; `-` for a network that learns from labels alone.
    pub method: String,
    /// `standard`, `adaptive`, `anti`, `random` or `joint`; `alone` for a network that learns from
    /// labels alone.
    pub variant: String,
    /// The epoch whose figure the study reports.
    pub report: Report,
    /// The teacher's recipe.
    pub needs: Option<Needs>,
    #[serde(skip)]
    pub(super) overlay: Overlay,
}

impl NamedRecipe {
    /// The recipe, without the folder of the data and the teacher's weights.
    pub fn overlay(&self) -> Overlay {
        self.overlay.clone()
    }

    /// The study's figures for it: none for what it did not publish. The figures of a network
    /// alone are those under any pair that it is part of.
    ///
    /// # Errors
    ///
    /// As [`published`].
    pub fn published(&self) -> Result<Vec<Published>, RecipesError> {
        let rows = published()?.iter();
        Ok(rows
            .filter(|row| self.is_published_as(row))
            .cloned()
            .collect())
    }

    fn is_published_as(&self, row: &Published) -> bool {
        if (&row.source, &row.data, &row.method) != (&self.study, &self.data, &self.method) {
            return false;
        }
        match &self.teacher {
            Some(teacher) if self.method == "DML" => {
                (&row.teacher, &row.student) == (teacher, &self.student)
            }
            Some(teacher) => {
                (&row.teacher, &row.student, &row.variant)
                    == (teacher, &self.student, &self.variant)
            }
            None => match row.variant.as_str() {
                "teacher" => row.teacher == self.student,
                _ => row.student == self.student,
            },
        }
    }
}
