//! What a sweep runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kd_models::Architecture;
use kd_train::{DataSource, Overlay, Recipe, TrainError};

use super::cell::Cell;
use super::draft::Draft;
use super::error::SweepError;
use super::file::SweepFile;
use super::shard::Shard;
use crate::{NamedRecipe, RecipesError, recipe, select};

/// What a sweep runs: all recipes resolved and checked, teachers before their students.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The runs.
    pub cells: Vec<Cell>,
}

/// What is said of a sweep beside the names of its recipes.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The folder of all runs.
    pub out: PathBuf,
    /// Keys that are laid over every recipe, those of a sweep file included.
    pub over: Overlay,
    /// Assignments as of [`Overlay::assign`], on top of all.
    pub assignments: Vec<String>,
    /// The seeds of every recipe; those of teachers are not multiplied. Default: the sweep file's,
    /// or the recipe's own.
    pub seeds: Option<Vec<u64>>,
}

impl Plan {
    /// A sweep over recipes of the catalog, by [`select`]. The variants that no table has (`anti`,
    /// `random` and `joint`) are in it only where a pattern names them.
    ///
    /// # Errors
    ///
    /// [`SweepError::Recipes`] for a name that is not known, [`SweepError::Cell`] naming the recipe
    /// that cannot be carried out.
    pub fn by_names(patterns: &[String], options: &PlanOptions) -> Result<Self, SweepError> {
        let drafts = selected(patterns)?.iter().map(Draft::named).collect();
        Planner::new(drafts, Overlay::default(), options).plan(options.seeds.as_deref())
    }

    /// The sweep of a file.
    ///
    /// # Errors
    ///
    /// [`SweepError::File`] naming file and key, and as [`by_names`](Self::by_names).
    pub fn by_file(path: &Path, options: &PlanOptions) -> Result<Self, SweepError> {
        let file = SweepFile::read(path)?;
        let seeds = options.seeds.as_deref().or(file.seeds.as_deref());
        Planner::new(file.drafts(path)?, file.base(path)?, options).plan(seeds)
    }

    /// The cell with a name.
    pub fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.name == name)
    }

    /// The part of a shard: every `of`-th of the wanted cells, and the teachers that they need.
    pub fn shard(&self, shard: Shard) -> Self {
        let wanted = self.cells.iter().filter(|cell| cell.wanted);
        let mine = wanted.skip(shard.index - 1).step_by(shard.of);
        let mut names = BTreeSet::new();
        for cell in mine {
            let mut next = Some(cell);
            while let Some(cell) = next {
                names.insert(cell.name.as_str());
                next = cell.needs.as_ref().and_then(|name| self.cell(name));
            }
        }
        let cells = self.cells.iter();
        let cells = cells.filter(|cell| names.contains(cell.name.as_str()));
        Self {
            cells: cells.cloned().collect(),
        }
    }
}

/// Makes cells of drafts.
struct Planner<'a> {
    drafts: Vec<Draft>,
    /// The drafts that were asked for are the first so many.
    wanted: usize,
    base: Overlay,
    options: &'a PlanOptions,
}

impl<'a> Planner<'a> {
    fn new(drafts: Vec<Draft>, base: Overlay, options: &'a PlanOptions) -> Self {
        Self {
            wanted: drafts.len(),
            drafts,
            base,
            options,
        }
    }

    fn plan(mut self, seeds: Option<&[u64]>) -> Result<Plan, SweepError> {
        self.check_names()?;
        let teachers = self.teachers()?;
        let needed: BTreeSet<usize> = teachers.values().copied().collect();
        let mut plan = Plan { cells: Vec::new() };
        let mut made = BTreeSet::new();
        for index in self.in_order(&teachers)? {
            let draft = &self.drafts[index];
            let own = self.own_seed(draft)?;
            let seeds = match (&draft.seeds, seeds) {
                (Some(seeds), _) => seeds.clone(),
                (None, Some(seeds)) if !needed.contains(&index) => seeds.to_vec(),
                _ => vec![own],
            };
            for seed in seeds {
                let teacher = teachers.get(&index).map(|teacher| &self.drafts[*teacher]);
                let cell = self.cell((draft, index < self.wanted), seed, teacher, &plan)?;
                if made.insert(cell.name.clone()) {
                    plan.cells.push(cell);
                }
            }
        }
        Ok(plan)
    }

    /// Names are names of folders, each of one recipe.
    fn check_names(&self) -> Result<(), SweepError> {
        let mut names = BTreeSet::new();
        for Draft { name, .. } in &self.drafts {
            let fits = |letter: char| letter.is_alphanumeric() || "-_.+".contains(letter);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
                let reason = "expected letters, digits, `-`, `_`, `+` and `.`";
                return Err(SweepError::Plan(format!(
                    "`{name}` cannot be the name of a cell: {reason}"
                )));
            }
            if !names.insert(name) {
                let reason = "give one of them another `name`";
                return Err(SweepError::Plan(format!(
                    "two cells are named `{name}`: {reason}"
                )));
            }
        }
        Ok(())
    }

    /// The teacher of each draft that has one; those that are not among the drafts are added.
    fn teachers(&mut self) -> Result<BTreeMap<usize, usize>, SweepError> {
        let mut teachers = BTreeMap::new();
        let mut index = 0;
        while index < self.drafts.len() {
            if let Some(name) = self.drafts[index].teacher.clone() {
                let known = self.drafts.iter().position(|draft| draft.name == name);
                let teacher = match known {
                    Some(teacher) => teacher,
                    None => {
                        let draft = found_by_name(&name, &self.drafts[index].name)?;
                        self.drafts.push(draft);
                        self.drafts.len() - 1
                    }
                };
                teachers.insert(index, teacher);
            }
            index += 1;
        }
        Ok(teachers)
    }

    /// All drafts, each after its teacher.
    fn in_order(&self, teachers: &BTreeMap<usize, usize>) -> Result<Vec<usize>, SweepError> {
        let mut order = Vec::new();
        for start in 0..self.drafts.len() {
            let mut chain = Vec::new();
            let mut next = Some(start);
            while let Some(index) = next.filter(|index| !order.contains(index)) {
                if chain.contains(&index) {
                    let name = &self.drafts[index].name;
                    return Err(SweepError::Plan(format!(
                        "`{name}` needs itself as a teacher"
                    )));
                }
                chain.push(index);
                next = teachers.get(&index).copied();
            }
            order.extend(chain.into_iter().rev());
        }
        Ok(order)
    }

    fn own_seed(&self, draft: &Draft) -> Result<u64, SweepError> {
        let recipe = self.overlay(draft)?.recipe();
        let recipe = recipe.map_err(|error| of_cell(&draft.name, error))?;
        Ok(recipe.train.seed)
    }

    /// All that is said of a recipe, but for seed and teacher.
    fn overlay(&self, draft: &Draft) -> Result<Overlay, SweepError> {
        let mut overlay = draft.overlay(&self.base, &self.options.over);
        for assignment in &self.options.assignments {
            let assigned = overlay.assign(assignment);
            assigned.map_err(|error| of_cell(&draft.name, error))?;
        }
        Ok(overlay)
    }

    fn cell(
        &self,
        (draft, wanted): (&Draft, bool),
        seed: u64,
        teacher: Option<&Draft>,
        plan: &Plan,
    ) -> Result<Cell, SweepError> {
        let name = format!("{}-seed{seed}", draft.name);
        let mut overlay = self.overlay(draft)?;
        overlay.set("train.seed", seed);
        let mut needs = None;
        let mut network = None;
        if let Some(teacher) = teacher {
            let seeds = teacher.seeds.as_ref().and_then(|seeds| seeds.first());
            let seed = seeds.copied().map_or_else(|| self.own_seed(teacher), Ok)?;
            let cell = format!("{}-seed{seed}", teacher.name);
            let run = self.options.out.join(&cell);
            let weights = draft.weights.student_of(&run.to_string_lossy());
            overlay.set("teacher.weights", weights);
            network = plan.cell(&cell).map(|cell| cell.labels.student.clone());
            needs = Some(cell);
        }
        let recipe = overlay.finish().map_err(|error| of_cell(&name, error))?;
        check_root(&name, &recipe)?;
        let labels = draft.labels(&recipe, network.as_deref());
        Ok(Cell {
            name,
            recipe,
            needs,
            wanted,
            labels,
        })
    }
}

/// The recipes of the catalog that patterns select, without variants that no table has and no pattern
/// names.
pub(super) fn selected(patterns: &[String]) -> Result<Vec<NamedRecipe>, RecipesError> {
    let named = |variant: &str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| pattern.to_lowercase().ends_with(variant))
    };
    let published = |variant: &str| matches!(variant, "alone" | "standard" | "adaptive");
    let mut recipes = select(patterns)?;
    recipes.retain(|recipe| published(&recipe.variant) || named(&recipe.variant));
    Ok(recipes)
}

/// A teacher that the sweep does not spell out: a recipe of the catalog, or a network, which is
/// trained by what is set for all.
fn found_by_name(name: &str, student: &str) -> Result<Draft, SweepError> {
    match recipe(name) {
        Ok(recipe) => Ok(Draft::named(&recipe)),
        Err(RecipesError::Unknown { .. }) => match Architecture::by_name(name) {
            Ok(network) => {
                let mut draft = Draft::new(name);
                draft.set.set("student.network", network);
                Ok(draft)
            }
            Err(_) => Err(SweepError::Plan(format!(
                "`{student}` has the teacher `{name}`, which is not a cell, recipe or network"
            ))),
        },
        Err(error) => Err(error.into()),
    }
}

/// The folder of the data, before hours of other cells.
fn check_root(cell: &str, recipe: &Recipe) -> Result<(), SweepError> {
    let data = &recipe.data;
    let missing = |hint: String| TrainError::Missing {
        field: "data.root",
        hint,
    };
    let name = data.name.name();
    let error = match &data.root {
        Some(root) if root.is_dir() || data.download => return Ok(()),
        Some(root) => missing(format!("{} is not a directory", root.display())),
        None if data.name == DataSource::Procedural => return Ok(()),
        None => missing(format!(
            "specify the directory that contains {name} with --root"
        )),
    };
    Err(of_cell(cell, error))
}

fn of_cell(cell: &str, source: TrainError) -> SweepError {
    SweepError::Cell {
        cell: cell.to_owned(),
        source: Box::new(source),
    }
}
