//! What there is in the folder that a run is to have, before anything is written.

use std::path::Path;

use super::extension::{Extension, shortened};
use super::folder::RunFolder;
use super::inputs::Inputs;
use super::{Resume, RunOptions, RunResult, checkpoint};
use crate::recipe::Beside;
use crate::{Difference, Recipe, TrainError};

/// A folder for a run: an empty or absent one, or one that holds the run.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) folder: RunFolder,
    /// The recipe that is carried out.
    pub(crate) recipe: Recipe,
    /// How the run becomes longer.
    pub(crate) extension: Option<Extension>,
    held: Option<Held>,
}

/// The run that a folder holds.
#[derive(Debug)]
struct Held {
    recipe: Recipe,
    /// What it was started with; absent if an earlier version started it.
    inputs: Option<Inputs>,
    /// The first file or folder that is in another place than it was.
    moved: Option<Difference>,
}

impl Found {
    /// An empty or absent folder for a new run, or one that holds the run, which is to be continued.
    pub(crate) fn at(
        (recipe, beside): (&Recipe, Beside),
        options: &RunOptions,
    ) -> Result<Self, TrainError> {
        let folder = RunFolder::at(&options.out)?;
        if !folder.recipe_path().exists() {
            folder.check_empty()?;
            if options.resume == Resume::Required {
                let hint = "omit --resume to start one, or use --resume=auto for either";
                return Err(occupied(
                    &options.out,
                    format!("contains no run to continue; {hint}"),
                ));
            }
            return Ok(Self {
                folder,
                recipe: recipe.clone(),
                extension: None,
                held: None,
            });
        }
        if options.resume == Resume::No {
            let hint = "continue it with --resume or choose another --out";
            return Err(occupied(
                &options.out,
                format!("contains another run; {hint}"),
            ));
        }
        let earlier = folder.overlay()?.recipe()?.resolved_beside(beside)?;
        let inputs = folder.inputs()?;
        let was_extended = inputs
            .as_ref()
            .is_some_and(|inputs| !inputs.extended.is_empty());
        let same_length = recipe.train.epochs == earlier.train.epochs;
        let (recipe, extension) = match options.extend || (was_extended && same_length) {
            true => Extension::of(recipe, &earlier)?,
            false => (recipe.clone(), None),
        };
        let alike = match extension {
            Some(_) => shortened(&recipe, &earlier),
            None => recipe.clone(),
        };
        let held = Held::new(&alike, earlier, inputs, &options.out)?;
        let found = Self {
            folder,
            recipe,
            extension,
            held: Some(held),
        };
        found.check_checkpoint()?;
        Ok(found)
    }

    /// The outcome of a run that needs no more work, if files and folders are where they were.
    pub(crate) fn complete_in_place(&self) -> Option<RunResult> {
        let held = self.held.as_ref()?;
        held.moved.is_none().then(|| self.complete()).flatten()
    }

    /// The outcome of a run that needs no more work.
    pub(crate) fn complete(&self) -> Option<RunResult> {
        match self.extension {
            Some(_) => None,
            None => self.folder.complete(),
        }
    }

    /// Whether the contents that the run is to have are those that it was started with; they, and
    /// what else is known of it.
    pub(crate) fn check(&self, now: &Inputs) -> Result<Inputs, TrainError> {
        let earlier = self.held.as_ref();
        let Some((held, inputs)) = earlier.and_then(|held| Some((held, held.inputs.as_ref()?)))
        else {
            return Ok(now.clone());
        };
        let difference = now.difference(inputs, (&self.recipe, &held.recipe));
        if let Some(difference) = difference {
            let reason =
                format!("contains a run with other inputs: {difference}; choose another --out");
            return Err(occupied(self.folder.path(), reason));
        }
        let mut inputs = inputs.clone();
        if let Some(extension) = &self.extension
            && inputs.extended.last() != Some(&extension.from())
        {
            inputs.extended.push(extension.from());
        }
        Ok(inputs)
    }

    /// Takes the folder, of which this process has the lock: writes what has to be written.
    pub(crate) fn take(&self, inputs: &Inputs) -> Result<(), TrainError> {
        self.folder.sweep()?;
        let held = self.held.as_ref();
        if held.and_then(|held| held.inputs.as_ref()) != Some(inputs) {
            self.folder.write_inputs(inputs)?;
        }
        if self.extension.is_some() {
            self.folder.forget_result()?;
        }
        match held {
            Some(held) if held.moved.is_none() && self.extension.is_none() => Ok(()),
            _ => self.folder.write_recipe(&self.recipe),
        }
    }

    /// A run whose records tell of epochs that no checkpoint has is not started anew over them.
    fn check_checkpoint(&self) -> Result<(), TrainError> {
        if self.complete().is_some() || checkpoint::exists(&self.folder.checkpoints())? {
            return Ok(());
        }
        let records = std::fs::read_to_string(self.folder.metrics());
        match records.map_or(0, |text| text.lines().count()) {
            0 => Ok(()),
            epochs => Err(occupied(
                self.folder.path(),
                format!(
                    "metrics.jsonl has {epochs} epochs, but checkpoint/ has none to continue from; choose \
                     another --out, or remove the folder to start again"
                ),
            )),
        }
    }
}

impl Held {
    fn new(
        recipe: &Recipe,
        earlier: Recipe,
        inputs: Option<Inputs>,
        out: &Path,
    ) -> Result<Self, TrainError> {
        let refused = |difference: &Difference| {
            let reason =
                format!("contains a run of another recipe: {difference}; choose another --out");
            Err(occupied(out, reason))
        };
        if let Some(difference) = recipe.difference_but_places(&earlier)? {
            let longer = difference.path == "train.epochs";
            return match longer && difference.now.as_u64() > difference.earlier.as_u64() {
                true => Err(occupied(
                    out,
                    format!(
                        "contains a run of another recipe: {difference}; extend it with --resume --extend, or choose another --out"
                    ),
                )),
                false => refused(&difference),
            };
        }
        let moved = recipe.difference(&earlier)?;
        if let (Some(moved), None) = (&moved, &inputs) {
            // What was there cannot be told from what is here.
            return refused(moved);
        }
        Ok(Self {
            recipe: earlier,
            inputs,
            moved,
        })
    }
}

fn occupied(path: &Path, reason: String) -> TrainError {
    TrainError::Occupied {
        path: path.to_owned(),
        reason,
    }
}
