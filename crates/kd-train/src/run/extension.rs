//! A run that goes on beyond the epochs that it was made for.

use crate::recipe::default_milestones;
use crate::{Recipe, SchedulerName, TrainError};

/// By how much a run is made longer, and what becomes of its schedule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extension {
    from: usize,
    to: usize,
    schedule: String,
}

impl Extension {
    /// The recipe of the longer run, and what changes; `None` if it is not longer.
    ///
    /// Milestones that are those of any run of so many epochs stay where the run had them, and others
    /// take their place; so does the length of the phases before the main one.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`] if the run would become shorter.
    pub(crate) fn of(
        recipe: &Recipe,
        earlier: &Recipe,
    ) -> Result<(Recipe, Option<Self>), TrainError> {
        let epochs = |recipe: &Recipe| recipe.train.epochs.unwrap_or_default();
        let (from, to) = (epochs(earlier), epochs(recipe));
        if to < from {
            let expected = format!("at least {from}, the epochs of the run that is continued");
            return Err(TrainError::value("train.epochs", to, expected));
        }
        let mut recipe = recipe.clone();
        if recipe.scheduler.milestones == Some(default_milestones(to)) {
            recipe
                .scheduler
                .milestones
                .clone_from(&earlier.scheduler.milestones);
        }
        if recipe.train.pretrain_epochs == Some(to.div_ceil(8)) {
            recipe.train.pretrain_epochs = earlier.train.pretrain_epochs;
        }
        let schedule = schedule(&recipe, earlier);
        let extension = Self { from, to, schedule };
        Ok((recipe, (to > from).then_some(extension)))
    }

    /// The epochs of the run before.
    pub(crate) fn from(&self) -> usize {
        self.from
    }

    /// One line, for a run whose last epoch had the one learning rate, and whose next has the other.
    pub(crate) fn describe(&self, completed: usize, rates: Option<[f64; 2]>) -> String {
        let Self { from, to, schedule } = self;
        let rates = rates.map_or_else(String::new, |[last, next]| {
            let number = completed + 1;
            format!("; the learning rate is {last:.2e} in epoch {completed} and {next:.2e} in epoch {number}")
        });
        format!("extended from {from} to {to} epochs: {schedule}{rates}")
    }
}

/// What becomes of the schedule.
fn schedule(recipe: &Recipe, earlier: &Recipe) -> String {
    let name = recipe.scheduler.name;
    match name {
        SchedulerName::MultiStep => {
            let milestones = recipe.scheduler.milestones.as_deref().unwrap_or_default();
            let list: Vec<String> = milestones.iter().map(usize::to_string).collect();
            let list = match list.is_empty() {
                true => "none".to_owned(),
                false => list.join(", "),
            };
            match recipe.scheduler.milestones == earlier.scheduler.milestones {
                true => format!("milestones stay ({list})"),
                false => format!("milestones move ({list})"),
            }
        }
        SchedulerName::Constant => "the learning rate stays".to_owned(),
        _ => format!(
            "the schedule `{}` is that of the longer run from here on",
            name.name()
        ),
    }
}

/// The recipe as it is to be equal to that of the run which it makes longer.
pub(crate) fn shortened(recipe: &Recipe, earlier: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.train.epochs = earlier.train.epochs;
    recipe
        .scheduler
        .milestones
        .clone_from(&earlier.scheduler.milestones);
    recipe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(epochs: usize, milestones: Option<Vec<usize>>) -> Recipe {
        let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
        recipe.train.epochs = Some(epochs);
        recipe.scheduler.milestones = milestones;
        recipe.resolved().expect("a recipe")
    }

    #[test]
    fn milestones_stay_unless_others_are_named() {
        let earlier = recipe(8, None);
        let of = |recipe: &Recipe| Extension::of(recipe, &earlier).expect("longer");
        let (longer, extension) = of(&recipe(16, None));
        assert_eq!(longer.scheduler.milestones, Some(vec![5, 6, 7]));
        assert_eq!(longer.train.epochs, Some(16));
        let line = extension.expect("longer").describe(8, Some([5e-5, 5e-5]));
        assert_eq!(
            line,
            "extended from 8 to 16 epochs: milestones stay (5, 6, 7); the learning rate is 5.00e-5 in \
             epoch 8 and 5.00e-5 in epoch 9"
        );
        let (longer, extension) = of(&recipe(16, Some(vec![12])));
        assert_eq!(longer.scheduler.milestones, Some(vec![12]));
        let line = extension.expect("longer").describe(8, None);
        assert!(line.ends_with("milestones move (12)"), "{line}");
        assert_eq!(shortened(&longer, &earlier), earlier);
        assert!(of(&earlier).1.is_none());
    }

    #[test]
    fn a_run_does_not_become_shorter() {
        let error = Extension::of(&recipe(4, None), &recipe(8, None)).expect_err("shorter");
        assert_eq!(
            error.to_string(),
            "train.epochs is 4, expected at least 8, the epochs of the run that is continued"
        );
    }
}
