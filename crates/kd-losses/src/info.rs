//! What the registry says of a method.

use serde::Serialize;

use crate::LossConfig;

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
    /// Weights of the loss parts if a recipe does not name them.
    pub weights: LossWeights,
    /// Its parameters.
    pub parameters: &'static [ParameterInfo],
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
    /// A description with no aliases and no parameters, to be completed by
    /// `..MethodInfo::BASE`.
    pub(crate) const BASE: Self = Self {
        name: "",
        aliases: &[],
        title: "",
        paper: "",
        weights: LossWeights {
            ce: 1.0,
            kd: 0.0,
            method: 1.0,
        },
        parameters: &[],
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
    /// What it does.
    pub description: &'static str,
}

/// What the configuration of a method gives to the registry besides [`LossConfig`].
pub(crate) trait Register: LossConfig + Default {
    /// The description; its name and aliases are those of the line in `methods!`.
    const INFO: MethodInfo;

    /// Default weights of these parameters: a convention may have its own.
    fn weights(&self) -> LossWeights {
        Self::INFO.weights
    }
}
