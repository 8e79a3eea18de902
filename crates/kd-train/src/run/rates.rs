//! The learning rates of a run.

use crate::{Rates, Recipe};

/// Factor of the policy's rate up to the first milestone, in `joint` by the authors' convention.
const SAKD_JOINT_START: f64 = 0.01;

/// The learning rates before the schedule.
pub(super) fn rates(recipe: &Recipe) -> Rates {
    Rates::of(recipe.optimizer.rate(), &recipe.routing)
}

/// The learning rates in an epoch (from 0) of the main phase, `factor` being the schedule's.
///
/// In `joint` by the authors' convention, the policy's rate starts at a hundredth and stays there up
/// to the first milestone; from then on it follows the schedule, so that it rises there.
pub(super) fn rates_at(recipe: &Recipe, epoch: usize, factor: f64) -> Rates {
    let rates = rates(recipe);
    let milestones = recipe.scheduler.milestones.as_deref().unwrap_or_default();
    let reached = milestones.first().is_some_and(|first| epoch >= *first);
    let scaled = rates.scaled(factor);
    match recipe.routing.is_sakd_joint() && !reached {
        true => Rates {
            router: rates.router * SAKD_JOINT_START,
            ..scaled
        },
        false => scaled,
    }
}

#[cfg(test)]
mod tests {
    use kd_losses::Method;
    use kd_spot::{Convention, RoutingConfig, RoutingMode};

    use super::*;

    #[test]
    fn the_policys_rate_rises_at_the_first_milestone() {
        let method = Method::by_name("at").expect("a method");
        let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
        recipe = recipe.with_method(method, "teacher.safetensors");
        recipe.optimizer.lr = Some(0.05);
        recipe.train.epochs = Some(240);
        recipe.scheduler.milestones = Some(vec![150, 180, 210]);
        recipe.routing = RoutingConfig {
            convention: Convention::Sakd,
            ..RoutingConfig::new(RoutingMode::Joint)
        };
        let recipe = recipe.resolved().expect("a recipe");
        let schedule = recipe.scheduler.factors(240, 1).expect("a schedule");
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12);
        // Epochs from 0: the last ones with the first rates are 28 and 149.
        for (epoch, student, router) in [
            (0, 0.05, 0.000_25),
            (28, 0.05, 0.000_25),
            (29, 0.05, 0.000_25),
            (149, 0.05, 0.000_25),
            (150, 0.005, 0.002_5),
            (180, 0.000_5, 0.000_25),
            (239, 0.000_05, 0.000_025),
        ] {
            let rates = rates_at(&recipe, epoch, schedule.factor(epoch, 0));
            close(rates.student, student);
            close(rates.teacher, student);
            close(rates.router, router);
        }
    }
}
