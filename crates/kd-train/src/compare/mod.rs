//! The comparison that the quick start shows: a teacher, a student alone, and the same student
//! by several methods, over several seeds.

mod defaults;
mod plan;
mod spread;

use std::path::Path;

use serde::Serialize;

use self::plan::{TEACHER, plan};
pub use self::{defaults::default_seeds, plan::METHODS, spread::Spread};
use crate::{Observer, Overlay, Recipe, RunOptions, RunResult, TrainError, run};

/// A line of the comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was done.
    pub label: String,
    /// What came out, by seed.
    pub results: Vec<RunResult>,
    /// What came out with routing, by seed, for a method.
    pub routed: Option<Vec<RunResult>>,
    /// Whether earlier runs with the same recipes were taken over.
    pub reused: bool,
}

impl Row {
    /// Whether it is the teacher of the others.
    pub fn is_teacher(&self) -> bool {
        self.label == TEACHER
    }

    /// Whether it is a student with a teacher.
    pub fn is_taught(&self) -> bool {
        self.results.iter().any(|result| result.teacher.is_some())
    }
}

/// Trains a teacher (unless the recipe names its weights), a student alone and the student by each
/// of [`METHODS`], with all samples distilled and with routing (`adaptive`, unless the recipe names
/// another), each in a folder of its own under `out`. Students are trained with `seeds` seeds, from
/// the recipe's on; they share the teacher.
///
/// On generated images, what the recipe leaves open is chosen so that there is something to learn
/// from the teacher: it sees 2,000 images 8 times, and the students 800 of them 12 times; the weight
/// of attention transfer is 300, since 1000, which is meant for 240 epochs, drowns the labels in a
/// run of 300 steps; and the policy starts with a mild preference for the teacher (a bias of 1).
///
/// A run that is complete with the same recipe is not repeated, and one that was stopped is
/// continued. `announce` is called with the label of each run before it starts.
///
/// # Errors
///
/// As [`run`], and if the recipe says what the comparison varies.
pub fn compare(
    overlay: &Overlay,
    seeds: usize,
    out: &Path,
    observer: &mut dyn Observer,
    mut announce: impl FnMut(&str),
) -> Result<Vec<Row>, TrainError> {
    // All recipes first: a mistake is not to be found after hours.
    let plan = plan(overlay, seeds, out)?;
    let mut run_all = |label: &str, runs: &[(String, Recipe)]| {
        let mut reused = true;
        let mut results = Vec::with_capacity(runs.len());
        for (folder, recipe) in runs {
            let options = RunOptions::resuming(out.join(folder));
            announce(&match runs {
                [_] => label.to_owned(),
                _ => format!("{label}, seed {}", recipe.train.seed),
            });
            reused &= options.out.join("result.json").exists();
            results.push(run(recipe, &options, observer)?);
        }
        Ok::<_, TrainError>((results, reused))
    };
    let mut rows = Vec::new();
    for line in plan {
        let (results, mut reused) = run_all(&line.label, &line.standard)?;
        let routed = match line.routed.as_slice() {
            [] => None,
            runs @ [(_, first), ..] => {
                let label = format!("{}, routing {}", line.label, first.routing.mode.name());
                let (results, also) = run_all(&label, runs)?;
                reused &= also;
                Some(results)
            }
        };
        rows.push(Row {
            label: line.label,
            results,
            routed,
            reused,
        });
    }
    Ok(rows)
}
