//! All methods by name.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{
    AttentionConfig, AttentionLoss, FeatureShapes, Features, Hint, HintConfig, KdConfig, LossError,
};

/// Weights of the loss parts that the field uses for a method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DefaultWeights {
    /// Of the cross-entropy with the labels (`-r`).
    pub ce: f64,
    /// Of the distillation of logits (`-a`).
    pub kd: f64,
    /// Of the method's own term (`-b`).
    pub method: f64,
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ParameterInfo {
    /// The name in a recipe.
    pub name: &'static str,
    /// The default.
    pub default: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// What the registry knows of a method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MethodInfo {
    /// The name.
    pub name: &'static str,
    /// Other names under which it is found.
    pub aliases: &'static [&'static str],
    /// The paper's title.
    pub title: &'static str,
    /// Authors, year and address of the paper.
    pub paper: &'static str,
    /// Where it acts.
    pub acts_on: &'static str,
    /// Default weights of the loss parts.
    pub weights: DefaultWeights,
    /// Parameters in a recipe.
    pub parameters: &'static [ParameterInfo],
}

/// The registry: a method with its parameters, as a recipe holds it (`{name: at, p: 2}`).
///
/// Adding a method is one file, one variant here and one line in each `match`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Method {
    /// Distillation of logits.
    #[serde(rename = "kd", alias = "st", alias = "soft-target")]
    Kd(KdConfig),
    /// FitNets' hint.
    #[serde(rename = "hint", alias = "fitnet")]
    Hint(HintConfig),
    /// Attention transfer.
    #[serde(rename = "at", alias = "attention")]
    Attention(AttentionConfig),
}

impl Method {
    /// All methods with their default parameters.
    pub fn all() -> Vec<Method> {
        vec![
            Method::Kd(KdConfig::default()),
            Method::Hint(HintConfig::default()),
            Method::Attention(AttentionConfig::default()),
        ]
    }

    /// The method of this name or alias, with default parameters.
    ///
    /// # Errors
    ///
    /// [`LossError::UnknownMethod`], which lists the known names.
    pub fn by_name(name: &str) -> Result<Method, LossError> {
        Self::all()
            .into_iter()
            .find(|method| {
                let info = method.info();
                info.name.eq_ignore_ascii_case(name)
                    || info.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
            })
            .ok_or_else(|| LossError::UnknownMethod {
                name: name.to_owned(),
                known: Self::all()
                    .iter()
                    .map(Method::name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// What the registry knows of it.
    pub fn info(&self) -> MethodInfo {
        match self {
            Method::Kd(_) => KdConfig::INFO,
            Method::Hint(_) => HintConfig::INFO,
            Method::Attention(_) => AttentionConfig::INFO,
        }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// Builds the method's own term, with its adapters, for two networks; `None` if it has none
    /// besides the distillation of logits.
    ///
    /// # Errors
    ///
    /// If the networks' shapes do not allow the method, or a parameter is out of range.
    pub fn init(
        &self,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
        device: &Device,
    ) -> Result<Option<MethodLoss>, LossError> {
        // Every method can be combined with distillation of logits.
        KdConfig {}.check(student.classes, teacher.classes)?;
        Ok(match self {
            Method::Kd(_) => None,
            Method::Hint(config) => Some(MethodLoss::Hint(config.init(student, teacher, device)?)),
            Method::Attention(config) => {
                config.check(student, teacher)?;
                Some(MethodLoss::Attention(config.init()?))
            }
        })
    }
}

/// A method's own term, built for two networks. Its adapters are trained together with the
/// student.
#[derive(Module, Debug)]
pub enum MethodLoss {
    /// FitNets' hint.
    Hint(Hint),
    /// Attention transfer.
    Attention(AttentionLoss),
}

impl MethodLoss {
    /// The value of the term, `[1]`.
    ///
    /// # Panics
    ///
    /// If the features have not the shapes that the method was built for.
    pub fn forward(&self, student: &Features, teacher: &Features) -> Tensor<1> {
        match self {
            MethodLoss::Hint(hint) => hint.forward(student, teacher),
            MethodLoss::Attention(loss) => loss.forward_features(student, teacher),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_every_name_and_round_trips() {
        for method in Method::all() {
            let info = method.info();
            for name in std::iter::once(&info.name).chain(info.aliases) {
                assert_eq!(Method::by_name(name).as_ref(), Ok(&method));
                let json = format!("{{\"name\": \"{name}\"}}");
                assert_eq!(serde_json::from_str::<Method>(&json).ok(), Some(method.clone()));
            }
            let json = serde_json::to_string(&method).expect("JSON");
            assert_eq!(serde_json::from_str::<Method>(&json).ok(), Some(method));
        }
    }

    #[test]
    fn listed_parameters_are_those_of_the_configuration() {
        for method in Method::all() {
            let value = serde_json::to_value(&method).expect("JSON");
            let fields = value.as_object().expect("an object");
            let listed: Vec<&str> = method.info().parameters.iter().map(|p| p.name).collect();
            assert_eq!(fields.len(), listed.len() + 1, "{}", method.name());
            for parameter in method.info().parameters {
                let text = match &fields[parameter.name] {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(text, parameter.default, "{}: {}", method.name(), parameter.name);
            }
        }
    }

    #[test]
    fn parameters_have_defaults_and_unknown_ones_are_named() {
        let method: Method = serde_json::from_str(r#"{"name": "at", "p": 4}"#).expect("a method");
        assert_eq!(
            method,
            Method::Attention(AttentionConfig {
                p: 4,
                ..Default::default()
            })
        );
        let error = serde_json::from_str::<Method>(r#"{"name": "at", "foo": 1}"#)
            .expect_err("an unknown parameter");
        assert!(error.to_string().contains("`foo`"), "{error}");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert_eq!(
            Method::by_name("magic").map_err(|error| error.to_string()),
            Err("unknown method `magic`: expected one of kd, hint, at".to_owned())
        );
    }
}
