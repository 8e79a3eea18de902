//! The field's shorthand for the common list of terms.

use kd_losses::{LossConfig, LossWeights, Method, Site, TermConfig};
use serde_json::{Value, json};

use crate::TrainError;

/// `-r`, `-a`, `-b` and `--method`: cross-entropy, distillation of logits, and one method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shorthand {
    /// The method.
    pub method: Option<Method>,
    /// Weight of the cross-entropy (`-r`). Default: the method's.
    pub ce: Option<f64>,
    /// Weight of the distillation of logits (`-a`). Default: the method's.
    pub kd: Option<f64>,
    /// Weight of the method's own term (`-b`). Default: the method's.
    pub own: Option<f64>,
    /// Temperature of the distillation of logits. Default 4.
    pub temperature: Option<f64>,
    /// Multiplier of standardized logits in the distillation of logits. Default: as they are.
    pub standardize: Option<f64>,
}

impl Shorthand {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The list of terms. Those of weight 0 are left out, but for one that may have a phase before
    /// the main one.
    pub fn terms(&self) -> Vec<TermConfig> {
        let weights = match &self.method {
            Some(method) => method.info().weights,
            None => LossWeights::SUPERVISED,
        };
        let ce = TermConfig::new(
            Method::Ce(Default::default()),
            self.ce.unwrap_or(weights.ce),
        );
        let kd = TermConfig::new(self.kd(), self.kd.unwrap_or(weights.kd));
        let mut terms: Vec<TermConfig> = [ce, kd]
            .into_iter()
            .filter(|term| term.weight != 0.0)
            .collect();
        if let Some(method) = &self.method
            && !matches!(method, Method::Kd(_) | Method::Ce(_))
        {
            let weight = self.own.unwrap_or(weights.method);
            terms.push(TermConfig::new(method.clone(), weight));
        }
        terms
    }

    /// The distillation of logits.
    fn kd(&self) -> Method {
        let mut kd = match &self.method {
            Some(Method::Kd(kd)) => kd.clone(),
            _ => Default::default(),
        };
        kd.temperature = self.temperature.unwrap_or(kd.temperature);
        kd.standardize = self.standardize.or(kd.standardize);
        Method::Kd(kd)
    }

    /// What it makes of the terms of a file, as they are written there: with a method, the common
    /// list; without one, other weights and parameters of the terms that are there.
    ///
    /// # Errors
    ///
    /// [`TrainError::Conflict`] if it is about a term that is not there, or not the only one.
    pub(super) fn over(&self, terms: Option<&Value>) -> Result<Value, TrainError> {
        let list = |terms: &[TermConfig]| {
            serde_json::to_value(terms).map_err(|error| TrainError::Key {
                path: "losses".to_owned(),
                reason: error.to_string(),
            })
        };
        if self.method == Some(Method::Kd(Default::default())) && self.own.is_some_and(|w| w != 0.0)
        {
            return Err(TrainError::conflict(
                "the weight of the method's own term (-b)",
                "`kd`, which has none: -a is its weight",
            ));
        }
        let Some(terms) = terms
            .and_then(Value::as_array)
            .filter(|_| self.method.is_none())
        else {
            if self.method.is_none() && self.own.is_some_and(|weight| weight != 0.0) {
                return Err(TrainError::Missing {
                    field: "method",
                    hint: "-b is the weight of a method: name it with --method".to_owned(),
                });
            }
            return list(&self.terms());
        };
        let mut terms = terms.clone();
        let is = |term: &Value, named: &str| {
            let name = term.get("name").and_then(Value::as_str).unwrap_or_default();
            let site = Method::by_name(name).map(|method| method.requirements().site);
            match named {
                "ce" => site == Ok(Site::Labels),
                "kd" => matches!(Method::by_name(name), Ok(Method::Kd(_))),
                _ => {
                    site.is_ok_and(|site| site != Site::Labels)
                        && !matches!(Method::by_name(name), Ok(Method::Kd(_)))
                }
            }
        };
        for (named, flag, key, value) in [
            ("ce", "-r", "weight", self.ce),
            ("kd", "-a", "weight", self.kd),
            ("own", "-b", "weight", self.own),
            ("kd", "--temperature", "temperature", self.temperature),
            ("kd", "--standardize", "standardize", self.standardize),
        ] {
            let Some(value) = value else { continue };
            let mut found: Vec<_> = terms.iter_mut().filter(|term| is(term, named)).collect();
            match found.as_mut_slice() {
                [term] => term[key] = json!(value),
                [] if named == "own" || key != "weight" => {
                    return Err(TrainError::Conflict {
                        field: flag,
                        other: "losses without such a term".to_owned(),
                    });
                }
                [] => terms.push(json!({ "name": named, "weight": value })),
                _ => {
                    return Err(TrainError::Conflict {
                        field: flag,
                        other: "losses with several such terms: use --set losses.N.weight=…"
                            .to_owned(),
                    });
                }
            }
        }
        Ok(terms.into())
    }
}
