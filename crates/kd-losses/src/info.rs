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
    pub weights: DefaultWeights,
    /// Its parameters.
    pub parameters: &'static [ParameterInfo],
}

/// Weights of the three parts of a distillation loss,
/// `ce · cross-entropy + kd · KL divergence + method · the method's own term`.
///
/// The defaults are those under which the methods are compared in the literature (Tian et al.
/// 2020, <https://arxiv.org/abs/1910.10699>, and RepDistiller's command lines).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DefaultWeights {
    /// Of the cross-entropy with the labels (`-r`).
    pub ce: f64,
    /// Of the KL divergence between softened logits (`-a`).
    pub kd: f64,
    /// Of the method's own term (`-b`).
    pub method: f64,
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
