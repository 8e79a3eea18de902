//! What the registry says of a method.

use serde::Serialize;

/// A method, described: for lists, help texts and defaults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodInfo {
    /// The name in recipes.
    pub name: &'static str,
    /// Other names under which it is found.
    pub aliases: &'static [&'static str],
    /// The method in a few words.
    pub title: &'static str,
    /// The paper and where it is.
    pub paper: &'static str,
    /// Which features it compares.
    pub acts_on: &'static str,
    /// Weights of the loss parts if a recipe does not name them.
    pub weights: LossWeights,
    /// Its parameters.
    pub parameters: &'static [ParameterInfo],
    /// Which of the teacher's features it reads.
    pub reads: Reads,
    /// What it reads besides post-activation maps, pooled features and logits.
    pub needs: Needs,
    /// What its preliminary phase trains.
    pub preliminary: Preliminary,
}

/// Which of the teacher's features a method reads. Logits and pooled features are small enough to be
/// kept for every image, so that a teacher need not run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// The logits alone.
    Logits,
    /// The pooled features, perhaps with the logits.
    Pooled,
    /// Maps, or the network itself.
    #[default]
    Maps,
}

/// Where in the networks a method acts: there, routing cuts them to choose teacher or student.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// After every stage but the stem, with a gate for each.
    Stages,
    /// At the map of one stage (the stem is 0), or at the last one.
    Map(Option<usize>),
    /// At the pooled feature.
    Pooled,
    /// At the logits.
    Logits,
}

/// What a method reads of a [`Step`](crate::Step) besides post-activation maps, pooled features and
/// logits. What it asks of a [`Setup`](crate::Setup) is said by the error of its initialisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Labels ([`Step::with_labels`](crate::Step::with_labels)).
    pub labels: bool,
    /// Indices of the samples ([`Step::with_indices`](crate::Step::with_indices)).
    pub indices: bool,
    /// Maps before the activation ([`Features::preact`](crate::Features::preact)).
    pub preact: bool,
    /// The networks themselves ([`Step::with_networks`](crate::Step::with_networks)) and the
    /// images.
    pub networks: bool,
}

impl Needs {
    /// Maps, pooled features and logits are enough.
    pub const NOTHING: Self = Self {
        labels: false,
        indices: false,
        preact: false,
        networks: false,
    };
}

/// What the preliminary phase of a method trains, by
/// [`MethodLoss::preliminary`](crate::MethodLoss::preliminary).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preliminary {
    /// There is none.
    #[default]
    None,
    /// Adapters only: the student is not changed.
    Adapters,
    /// The student, together with the adapters.
    Student,
}

/// Weights of the three parts of a distillation loss,
/// `ce · cross-entropy + kd · KL divergence + method · the method's own term`.
///
/// The defaults are those under which the methods are compared in the literature (Tian et al.
/// 2020, <https://arxiv.org/abs/1910.10699>, and RepDistiller's command lines).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LossWeights {
    /// Of the cross-entropy with the labels (`-r`).
    pub ce: f64,
    /// Of the KL divergence between softened logits (`-a`).
    pub kd: f64,
    /// Of the method's own term (`-b`).
    pub method: f64,
}

impl MethodInfo {
    /// A description with no aliases, no parameters and no needs, that reads maps, to be completed by
    /// `..MethodInfo::BASE`.
    pub(crate) const BASE: Self = Self {
        name: "",
        aliases: &[],
        title: "",
        paper: "",
        acts_on: "",
        weights: LossWeights {
            ce: 1.0,
            kd: 0.0,
            method: 1.0,
        },
        parameters: &[],
        reads: Reads::Maps,
        needs: Needs::NOTHING,
        preliminary: Preliminary::None,
    };
}

impl LossWeights {
    /// Training without a teacher.
    pub const SUPERVISED: Self = Self::method(0.0);

    /// Cross-entropy at 1, no distillation of logits, and the method at this weight.
    pub(crate) const fn method(method: f64) -> Self {
        Self {
            ce: 1.0,
            kd: 0.0,
            method,
        }
    }
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ParameterInfo {
    /// The name in recipes.
    pub name: &'static str,
    /// The default, written as in a JSON recipe.
    pub default: &'static str,
    /// What it does.
    pub description: &'static str,
}
