//! Weighted terms of a training loss.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::{Alignment, Requirements};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{DistillationLoss, LossConfig, LossError, Method, Pretrain, Setup, Step};

/// A loss and its weight: a training loss is a list of them.
///
/// Reads and writes flat, with the parameters of the loss beside its name:
///
/// ```
/// use kd_losses::{Method, TermConfig};
///
/// let terms: Vec<TermConfig> = serde_saphyr::from_str(
///     "
///     - { name: ce, weight: 1 }
///     - { name: kd, weight: 0.9, temperature: 2 }
///     - { name: at, weight: 1000 }
///     ",
/// )?;
/// assert_eq!(terms[1].weight, 0.9);
/// assert!(matches!(&terms[1].loss, Method::Kd(kd) if kd.temperature == 2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TermConfig<C = Method> {
    /// The loss.
    pub loss: C,
    /// Its weight: a finite number, at least 0. At 0 the loss is not computed, but for its phase
    /// before the main one.
    pub weight: f64,
    /// The name in metrics, if it is not that of the loss; needed where a loss comes twice.
    pub label: Option<String>,
}

impl<C: LossConfig> TermConfig<C> {
    /// A loss with a weight.
    pub fn new(loss: impl Into<C>, weight: f64) -> Self {
        Self {
            loss: loss.into(),
            weight,
            label: None,
        }
    }

    /// Sets the name in metrics.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The name in metrics.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(self.loss.name())
    }

    /// Initializes the loss for a pair of networks. A loss that compares stage with stage, for
    /// networks with different numbers of them, gets those of the longer network whose maps are
    /// nearest in size ([`Alignment::nearest`]).
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the weight is not a finite number from 0 on; else as
    /// [`LossConfig::build`].
    pub fn init(&self, setup: &Setup, device: &Device) -> Result<Term<C::Loss>, LossError> {
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return Err(LossError::Weight {
                label: self.label().to_owned(),
                weight: self.weight,
            });
        }
        let requirements = self.loss.requirements();
        let differ = setup.student.stages() != setup.teacher.stages();
        let alignment = match requirements.paired && differ {
            true => Some(Alignment::nearest(
                &setup.student.maps,
                &setup.teacher.maps,
            )?),
            false => None,
        };
        let loss = match &alignment {
            Some(alignment) => self.loss.build(&setup.aligned(alignment), device)?,
            None => self.loss.build(setup, device)?,
        };
        Ok(Term {
            loss,
            label: self.label().to_owned(),
            weight: self.weight,
            requirements,
            pretrain: self.loss.pretrain(),
            alignment,
        })
    }
}

/// An initialized [`TermConfig`].
#[derive(Module, Debug)]
pub struct Term<L: DistillationLoss> {
    /// The loss, with its adapters.
    pub loss: L,
    /// The name in metrics.
    #[module(skip)]
    pub label: String,
    /// The weight.
    pub weight: f64,
    /// Where the loss acts and what it reads.
    #[module(skip)]
    pub requirements: Requirements,
    /// What its phase before the main one trains.
    #[module(skip)]
    pub pretrain: Pretrain,
    /// The stages that it compares, where the networks have different numbers of them.
    #[module(skip)]
    pub alignment: Option<Alignment>,
}

impl<L: DistillationLoss> Term<L> {
    /// Whether the main phase computes it.
    pub fn is_active(&self) -> bool {
        self.weight != 0.0
    }

    /// The stages of the student at which the spots of the loss are, `student` being the number of
    /// stages after the stem; `None` for the logits, none at all for a loss of the labels.
    pub fn spots(&self, student: usize) -> Vec<Option<usize>> {
        use kd_core::Site;
        match self.requirements.site {
            Site::Labels => Vec::new(),
            Site::Logits => vec![None],
            Site::Pooled => vec![Some(student + 1)],
            Site::Stage(stage) => vec![Some(stage.unwrap_or(student))],
            Site::AllStages => vec![Some(student)],
            Site::EachStage => match &self.alignment {
                Some(alignment) => alignment.student().iter().map(|s| Some(*s)).collect(),
                None => (1..=student).map(Some).collect(),
            },
        }
    }

    /// The loss of a step, unweighted, `[1]`: see [`DistillationLoss::term`].
    ///
    /// # Panics
    ///
    /// As [`DistillationLoss::term`], or if there are gates for another number of spots.
    pub fn forward(&self, step: &Step<'_>) -> Tensor<1> {
        self.aligned(step, |step| self.loss.term(step))
    }

    /// The loss of the phase before the main one: see [`DistillationLoss::pretrain`].
    ///
    /// # Panics
    ///
    /// As [`DistillationLoss::pretrain`].
    pub fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        self.aligned(step, |step| self.loss.pretrain(step))
    }

    fn aligned<T>(&self, step: &Step<'_>, run: impl FnOnce(&Step<'_>) -> T) -> T {
        let run = |step: &Step<'_>| {
            let stages = step.teacher.maps.len().saturating_sub(1);
            step.check_gates(&self.label, self.requirements.spots(stages));
            run(step)
        };
        match &self.alignment {
            None => run(step),
            Some(alignment) => {
                let teacher = alignment.teacher_features(step.teacher);
                // Adapters alone are trained on the teacher's features, which stand for both.
                let student = match std::ptr::eq(step.student, step.teacher) {
                    true => teacher.clone(),
                    false => alignment.student_features(step.student),
                };
                run(&step.with_features(&student, &teacher))
            }
        }
    }
}

/// As it is in a file: a map of the method's parameters with two more keys.
#[derive(Deserialize)]
struct Written {
    weight: f64,
    #[serde(default)]
    label: Option<String>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Serialize for TermConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        match serde_json::to_value(&self.loss) {
            Ok(serde_json::Value::Object(parameters)) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("name", self.loss.name())?;
                map.serialize_entry("weight", &self.weight)?;
                if let Some(label) = &self.label {
                    map.serialize_entry("label", label)?;
                }
                for (key, value) in parameters.iter().filter(|(key, _)| *key != "name") {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Ok(_) => Err(S::Error::custom("a method is a map")),
            Err(error) => Err(S::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for TermConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written {
            weight,
            label,
            rest,
        } = Written::deserialize(deserializer)?;
        let loss = serde_json::from_value(rest.into()).map_err(D::Error::custom)?;
        Ok(Self {
            loss,
            weight,
            label,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::KdLossConfig;

    #[test]
    fn what_is_written_is_read() {
        let term =
            TermConfig::<Method>::new(Method::Kd(KdLossConfig::new().with_temperature(2.0)), 0.9)
                .with_label("soft");
        let json = serde_json::to_string(&term).expect("JSON");
        assert!(
            json.starts_with(r#"{"name":"kd","weight":0.9,"label":"soft""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<TermConfig>(&json).ok(), Some(term));
    }

    #[test]
    fn unknown_parameters_and_names_are_refused() {
        let message = |text: &str| {
            let term = serde_json::from_str::<TermConfig>(text);
            term.expect_err("a mistake").to_string()
        };
        let unknown = message(r#"{"name": "kd", "weight": 1, "temp": 4}"#);
        assert!(unknown.contains("unknown field `temp`"), "{unknown}");
        assert!(message(r#"{"name": "kdd", "weight": 1}"#).contains("kdd"));
        assert!(message(r#"{"name": "kd"}"#).contains("weight"));
    }
}
