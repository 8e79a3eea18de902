//! The methods of RepDistiller and of what was built on it, under their names there.

use kd_train::Overlay;
use serde_json::{Value, json};

use super::keys::Keys;
use crate::RecipesError;

/// A method of a command line of RepDistiller's kind, with the weights of its three terms.
pub(super) struct Family<'a> {
    /// The method, as `--distill` names it.
    pub(super) distill: &'a str,
    /// Weights of the cross-entropy, of the divergence of logits and of the method's own term.
    pub(super) weights: [f64; 3],
    /// Temperature of the divergence.
    pub(super) temperature: f64,
    /// The student.
    pub(super) student: &'a str,
    /// The student's learning rate.
    pub(super) lr: f64,
}

impl Family<'_> {
    /// Sets the terms of the loss, and the phase before the main one.
    pub(super) fn apply(&self, keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
        let [ce, kd, own] = self.weights;
        let mut losses = Vec::new();
        if self.distill != "kdrefine" {
            let shared = [
                json!({ "name": "ce", "weight": ce }),
                json!({ "name": "kd", "weight": kd, "temperature": self.temperature }),
            ];
            losses.extend(shared.into_iter().filter(|term| term["weight"] != 0.0));
        }
        losses.extend(self.own(keys, own)?);
        overlay.set("losses", losses);
        let epochs = keys.count_or("init_epochs", 30)?;
        match self.distill {
            "abound" | "fsp" => overlay.set("train.pretrain_epochs", epochs),
            "factor" => {
                overlay.set("train.pretrain_epochs", epochs);
                let thin = ["resnet", "wrn"]
                    .iter()
                    .any(|name| self.student.starts_with(name));
                overlay.set("train.pretrain_lr", if thin { 0.01 } else { self.lr });
            }
            _ => {}
        }
        Ok(())
    }

    /// The method's own term, with those of its parameters that are not the defaults.
    fn own(&self, keys: &Keys, weight: f64) -> Result<Option<Value>, RecipesError> {
        let dim = keys.count_or("feat_dim", 128)?;
        let stage = keys.count_or("hint_layer", 2)?;
        let crd = [
            json!(keys.text("mode").unwrap_or_else(|| "exact".to_owned())),
            json!(keys.count_or("nce_k", 16384)?),
            json!(keys.number_or("nce_t", 0.07)?),
            json!(keys.number_or("nce_m", 0.5)?),
        ];
        let plain = |name: &str| json!({ "name": name, "weight": weight });
        if matches!(self.distill, "abound" | "fsp") && weight != 0.0 {
            keys.note(
                "the weight of the method's own term has no effect: its phase comes first, alone",
            );
        }
        Ok(Some(match self.distill {
            "kd" => return Ok(None),
            "hint" => json!({ "name": "hint", "weight": weight, "stage": stage }),
            "attention" => plain("at"),
            "similarity" => plain("sp"),
            "correlation" => json!({ "name": "cc", "weight": weight, "dim": dim }),
            "crd" => {
                let [sampling, negatives, temperature, momentum] = crd;
                json!({
                    "name": "crd", "weight": weight, "dim": dim, "sampling": sampling,
                    "negatives": negatives, "temperature": temperature, "momentum": momentum,
                })
            }
            "abound" => json!({ "name": "ab", "weight": 0.0 }),
            "fsp" => json!({ "name": "fsp", "weight": 0.0 }),
            "factor" => plain("ft"),
            "vid" | "kdsvd" | "rkd" | "pkt" | "nst" | "semckd" => plain(self.distill),
            "dkd" => json!({
                "name": "dkd", "weight": weight, "convention": "kdrefine", "warm_up": 20,
                "temperature": self.temperature,
            }),
            "kdrefine" => {
                let [gamma, alpha, _] = self.weights;
                if weight != 0.0 {
                    keys.note("kdrefine has no term of its own for -b");
                }
                json!({
                    "name": "kdrefine", "weight": 1.0, "gamma": gamma, "alpha": alpha,
                    "temperature": self.temperature, "standardize": 2.0,
                })
            }
            "srrl" => plain("srrl"),
            "ASKD" => self.askd(keys, weight)?,
            other => {
                let expected = "kd, hint, attention, similarity, correlation, vid, crd, kdsvd, fsp, \
                                rkd, pkt, abound, factor, nst, dkd, srrl, semckd, kdrefine or ASKD";
                return Err(keys.wrong("distill", &json!(other), expected));
            }
        }))
    }

    fn askd(&self, keys: &Keys, weight: f64) -> Result<Value, RecipesError> {
        let group = keys.text("group").unwrap_or_else(|| "res_last".to_owned());
        let position = match group.as_str() {
            "res_last" => json!("last"),
            "res_group" => json!("all"),
            "target" => json!(keys.count("layer")?),
            _ => return Err(keys.wrong("group", &json!(group), "res_last, res_group or target")),
        };
        Ok(json!({
            "name": "askd", "weight": weight, "position": position,
            "region_weight": keys.number_or("w_rs", 5.0)?,
            "regions": keys.count_or("r", 4)?,
            "class_weight": keys.number_or("w_cs", 14.0)?,
            "shrink": "permanent",
        }))
    }
}
