//! The learning rate over time.

use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Lines of the table of a rate that changes at every step, at most.
const MOST_STEPS: usize = 100_000_000;

/// The schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SchedulerName {
    /// The rate is multiplied by `gamma` at each milestone.
    #[default]
    MultiStep,
    /// Half a cosine from the rate to `final_factor` of it.
    Cosine,
    /// A line from the rate to `final_factor` of it.
    Linear,
    /// Up to the rate along a cosine and down again (Smith & Topin 2018,
    /// <https://arxiv.org/abs/1708.07120>), as PyTorch's `OneCycleLR`; it changes at every step.
    OneCycle,
    /// The rate as it is.
    Constant,
}

/// The learning rate over time, as a factor of the optimizer's. It changes with the epoch, and with
/// every step for `onecycle` and during the warm-up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerConfig {
    /// Which schedule.
    pub name: SchedulerName,
    /// Epochs after which the rate drops, for `multistep`. Default: 5/8, 6/8 and 7/8 of all.
    pub milestones: Option<Vec<usize>>,
    /// Factor applied at each milestone, for `multistep`. Default: 0.1.
    pub gamma: Option<f64>,
    /// Final fraction of the rate, for `cosine`, `linear` and `onecycle`. Default: 0, or 4e-6 for
    /// `onecycle`, as in PyTorch.
    pub final_factor: Option<f64>,
    /// Initial fraction of the rate, for `onecycle`. Default: 0.04, as in PyTorch.
    pub start_factor: Option<f64>,
    /// Fraction of the steps in which the rate rises, for `onecycle`. Default: 0.3.
    pub peak: Option<f64>,
    /// Number of epochs of linear warm-up before the schedule.
    pub warmup_epochs: usize,
}

impl SchedulerConfig {
    pub(super) fn resolved(self, epochs: usize) -> Result<Self, TrainError> {
        use SchedulerName::{Cosine, Linear, MultiStep, OneCycle};
        let name = self.name;
        let final_used = matches!(name, Cosine | Linear | OneCycle);
        for (field, given, used) in [
            (
                "scheduler.milestones",
                self.milestones.is_some(),
                name == MultiStep,
            ),
            ("scheduler.gamma", self.gamma.is_some(), name == MultiStep),
            (
                "scheduler.final_factor",
                self.final_factor.is_some(),
                final_used,
            ),
            (
                "scheduler.start_factor",
                self.start_factor.is_some(),
                name == OneCycle,
            ),
            ("scheduler.peak", self.peak.is_some(), name == OneCycle),
        ] {
            if given && !used {
                return Err(TrainError::conflict(
                    field,
                    format!("scheduler.name: {}", name.name()),
                ));
            }
        }
        if self.warmup_epochs >= epochs {
            let expected = format!("fewer than the {epochs} epochs of the run");
            return Err(TrainError::value(
                "scheduler.warmup_epochs",
                self.warmup_epochs,
                expected,
            ));
        }
        let final_factor = if name == OneCycle { 4e-6 } else { 0.0 };
        let resolved = Self {
            milestones: (name == MultiStep).then(|| {
                self.milestones
                    .unwrap_or_else(|| default_milestones(epochs))
            }),
            gamma: self.gamma.or((name == MultiStep).then_some(0.1)),
            final_factor: self.final_factor.or(final_used.then_some(final_factor)),
            start_factor: self.start_factor.or((name == OneCycle).then_some(0.04)),
            peak: self.peak.or((name == OneCycle).then_some(0.3)),
            ..self
        };
        resolved.check()?;
        Ok(resolved)
    }

    fn check(&self) -> Result<(), TrainError> {
        TrainError::positive("scheduler.gamma", self.gamma)?;
        TrainError::positive("scheduler.start_factor", self.start_factor)?;
        let share = |field, value: Option<f64>| match value {
            Some(value) if !(0.0..=1.0).contains(&value) => {
                Err(TrainError::value(field, value, "a number from 0 to 1"))
            }
            _ => Ok(()),
        };
        share("scheduler.final_factor", self.final_factor)?;
        share("scheduler.start_factor", self.start_factor)?;
        share("scheduler.peak", self.peak)?;
        let milestones = self.milestones.as_deref().unwrap_or_default();
        if !milestones.is_sorted_by(|a, b| a < b) {
            let expected = "an increasing list of epochs";
            return Err(TrainError::value(
                "scheduler.milestones",
                format!("{milestones:?}"),
                expected,
            ));
        }
        Ok(())
    }

    /// The factors of all steps of a run, `epochs · steps` of them, or one an epoch if it changes
    /// with the epoch only.
    ///
    /// # Errors
    ///
    /// [`TrainError::Optimizer`] if Burn's schedule refuses its parameters, [`TrainError::Value`] if
    /// the rate changes at more steps than a table holds.
    pub fn factors(&self, epochs: usize, steps: usize) -> Result<Schedule, TrainError> {
        let by_step = self.name == SchedulerName::OneCycle || self.warmup_epochs > 0;
        let unit = if by_step { steps } else { 1 };
        if epochs.saturating_mul(unit) > MOST_STEPS {
            let expected = format!(
                "at most {}, as the rate changes at each of {steps} steps of an epoch",
                MOST_STEPS / unit
            );
            return Err(TrainError::value("train.epochs", epochs, expected));
        }
        let warmup = self.warmup_epochs * unit;
        let length = epochs * unit - warmup;
        let rest = epochs - self.warmup_epochs;
        let factors: Vec<f64> = match self.name {
            SchedulerName::Constant => vec![1.0; length],
            SchedulerName::MultiStep => (self.warmup_epochs..epochs)
                .flat_map(|epoch| std::iter::repeat_n(self.multi_step(epoch), unit))
                .collect(),
            SchedulerName::Cosine => spread(
                CosineAnnealingLrSchedulerConfig::new(1.0, rest)
                    .with_min_lr(self.final_factor.unwrap_or(0.0))
                    .init()
                    .map_err(TrainError::Optimizer)?,
                rest,
                unit,
            ),
            SchedulerName::Linear => spread(
                LinearLrSchedulerConfig::new(1.0, self.final_factor.unwrap_or(0.0), rest)
                    .init()
                    .map_err(TrainError::Optimizer)?,
                rest,
                unit,
            ),
            SchedulerName::OneCycle => (0..length)
                .map(|step| self.one_cycle(step, length))
                .collect(),
        };
        let first = factors.first().copied().unwrap_or(1.0);
        let rising = (0..warmup).map(|step| first * (step + 1) as f64 / warmup as f64);
        Ok(Schedule {
            factors: rising.chain(factors).collect(),
            unit,
        })
    }

    fn multi_step(&self, epoch: usize) -> f64 {
        let milestones = self.milestones.as_deref().unwrap_or_default();
        let reached = milestones.iter().filter(|milestone| epoch >= **milestone);
        self.gamma.unwrap_or(0.1).powi(reached.count() as i32)
    }

    fn one_cycle(&self, step: usize, steps: usize) -> f64 {
        let start = self.start_factor.unwrap_or(0.04);
        let end = self.final_factor.unwrap_or(4e-6);
        let top = self.peak.unwrap_or(0.3) * steps as f64 - 1.0;
        let at = step as f64;
        let between = |from: f64, to: f64, part: f64| {
            to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * part).cos())
        };
        if at <= top {
            between(start, 1.0, at / top)
        } else {
            let left = (steps as f64 - 1.0 - top).max(1.0);
            between(1.0, end, (at - top) / left)
        }
    }
}

/// The rates of a schedule of Burn, one an epoch, each `unit` times.
fn spread(
    schedule: burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler,
    epochs: usize,
    unit: usize,
) -> Vec<f64> {
    let mut schedule = schedule;
    (0..epochs)
        .map(|_| schedule.step().base())
        .flat_map(|rate| std::iter::repeat_n(rate, unit))
        .collect()
}

/// Factors of the learning rate, as a table: what a run continues with needs no state.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    factors: Vec<f64>,
    /// Entries of an epoch.
    unit: usize,
}

impl Schedule {
    /// One factor for each epoch.
    pub fn by_epoch(factors: impl IntoIterator<Item = f64>) -> Self {
        Self {
            factors: factors.into_iter().collect(),
            unit: 1,
        }
    }

    /// The factor of a step (both from 0).
    pub fn factor(&self, epoch: usize, step: usize) -> f64 {
        let at = epoch * self.unit + step.min(self.unit - 1);
        self.factors.get(at).copied().unwrap_or(1.0)
    }

    /// Whether it changes within an epoch.
    pub fn is_by_step(&self) -> bool {
        self.unit > 1
    }
}

impl SchedulerName {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::MultiStep => "multistep",
            Self::Cosine => "cosine",
            Self::Linear => "linear",
            Self::OneCycle => "onecycle",
            Self::Constant => "constant",
        }
    }
}

/// The milestones of the field's protocol (150, 180 and 210 of 240 epochs) for any number of
/// epochs.
pub(crate) fn default_milestones(epochs: usize) -> Vec<usize> {
    let mut milestones: Vec<usize> = [150, 180, 210]
        .map(|milestone| milestone * epochs / 240)
        .into_iter()
        .filter(|milestone| *milestone > 0)
        .collect();
    milestones.dedup();
    milestones
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(name: SchedulerName, epochs: usize, steps: usize) -> Schedule {
        let config = SchedulerConfig {
            name,
            ..SchedulerConfig::default()
        };
        let config = config.resolved(epochs).expect("a schedule");
        config.factors(epochs, steps).expect("factors")
    }

    #[test]
    fn the_rate_falls_at_each_milestone() {
        let schedule = schedule(SchedulerName::MultiStep, 240, 5);
        let factor = |epoch| schedule.factor(epoch, 3);
        assert_eq!((factor(0), factor(149)), (1.0, 1.0));
        assert!((factor(150) - 0.1).abs() < 1e-12);
        assert!((factor(239) - 0.001).abs() < 1e-12);
        assert!(!schedule.is_by_step());
    }

    #[test]
    fn default_milestones_scale_with_the_epochs() {
        assert_eq!(default_milestones(240), [150, 180, 210]);
        assert_eq!(default_milestones(8), [5, 6, 7]);
        assert_eq!(default_milestones(1), [0usize; 0]);
    }

    /// PyTorch's `CosineAnnealingLR(T_max=10)`: `(1 + cos(π e / 10)) / 2`.
    #[test]
    fn a_cosine_is_pytorchs() {
        let schedule = schedule(SchedulerName::Cosine, 10, 3);
        for epoch in 0..10 {
            let expected = (1.0 + (std::f64::consts::PI * epoch as f64 / 10.0).cos()) / 2.0;
            assert!(
                (schedule.factor(epoch, 0) - expected).abs() < 1e-9,
                "{epoch}"
            );
        }
    }

    #[test]
    fn a_line_falls_evenly() {
        let schedule = schedule(SchedulerName::Linear, 4, 1);
        let factors = [0, 1, 2, 3].map(|epoch| schedule.factor(epoch, 0));
        assert_eq!(factors[0], 1.0);
        let steps = [0, 1, 2].map(|i| factors[i] - factors[i + 1]);
        assert!(
            steps.iter().all(|step| (step - steps[0]).abs() < 1e-9),
            "{factors:?}"
        );
    }

    /// PyTorch's `OneCycleLR(max_lr=1, total_steps=10)`, from its formula: up for three steps.
    #[test]
    fn one_cycle_is_pytorchs() {
        let schedule = schedule(SchedulerName::OneCycle, 2, 5);
        let factor = |step: usize| schedule.factor(step / 5, step % 5);
        assert!((factor(0) - 0.04).abs() < 1e-12);
        assert!((factor(1) - 0.52).abs() < 1e-12);
        assert!((factor(2) - 1.0).abs() < 1e-12);
        assert!((factor(9) - 4e-6).abs() < 1e-12);
    }

    #[test]
    fn a_warm_up_rises_to_the_schedule() {
        let config = SchedulerConfig {
            name: SchedulerName::Constant,
            warmup_epochs: 2,
            ..SchedulerConfig::default()
        };
        let schedule = config
            .resolved(4)
            .expect("a schedule")
            .factors(4, 2)
            .expect("factors");
        let factors: Vec<f64> = (0..8)
            .map(|step| schedule.factor(step / 2, step % 2))
            .collect();
        assert_eq!(factors, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn values_without_use_are_named() {
        let config = SchedulerConfig {
            name: SchedulerName::Cosine,
            gamma: Some(0.1),
            ..SchedulerConfig::default()
        };
        assert_eq!(
            config.resolved(10).expect_err("a mistake").to_string(),
            "scheduler.gamma cannot be used with scheduler.name: cosine"
        );
    }
}
