//! Recipes of a study.

use kd_train::Overlay;
use serde_json::{Map, Value, json};

use super::table::{DataTable, MethodTable, Name, PairTable, Study};
use super::{NamedRecipe, Needs};

/// Policy and adapters decay as spot-adaptive-pytorch has it.
const ROUTER_DECAY: f64 = 1e-3;

/// All recipes of a study.
pub(super) fn recipes(name: &str, study: &Study) -> Vec<NamedRecipe> {
    let mut recipes = Vec::new();
    for (data, table) in &study.data {
        let builder = Builder {
            name,
            study,
            data,
            table,
        };
        recipes.extend(table.alone.iter().map(|network| builder.alone(network)));
        for pair in &table.pairs {
            let methods = table.methods.as_ref().unwrap_or(&study.methods);
            for (label, method) in methods.iter().filter(|(_, method)| method.has(pair)) {
                let variants = method.variants.as_ref().unwrap_or(&study.variants);
                let cell = |variant: &String| builder.cell(pair, (label, method), variant);
                recipes.extend(variants.iter().map(cell));
            }
        }
    }
    recipes
}

/// One data set of a study.
struct Builder<'a> {
    name: &'a str,
    study: &'a Study,
    data: &'a str,
    table: &'a DataTable,
}

impl Builder<'_> {
    /// A network that learns from labels alone.
    fn alone(&self, network: &Name) -> NamedRecipe {
        let mut overlay = self.base(network);
        overlay.set("losses", json!([{ "name": "ce", "weight": 1.0 }]));
        self.entry(None, network, "-", "alone", overlay)
    }

    /// A method on a pair.
    fn cell(
        &self,
        pair: &PairTable,
        (label, method): (&str, &MethodTable),
        variant: &str,
    ) -> NamedRecipe {
        let mut overlay = self.base(&pair.student);
        overlay = Overlay::from(method.set.clone()).over(overlay);
        let mut own: Vec<_> = method.losses.iter().cloned().map(averaged).collect();
        for exception in &self.study.exceptions {
            if exception.is_about(self.data, label, pair, variant) {
                overlay = Overlay::from(exception.set.clone()).over(overlay);
                for loss in &mut own {
                    loss.extend(exception.loss.clone());
                }
            }
        }
        let mut losses = self.shared_terms(method);
        losses.extend(own);
        overlay.set("losses", losses);
        let teacher = self.network(&pair.teacher);
        if method.mutual {
            overlay.set("peers", json!([{ "network": teacher }]));
        } else {
            overlay.set("teacher.network", teacher);
        }
        if variant != "standard" {
            let lr = overlay.get("optimizer.lr").and_then(Value::as_f64);
            overlay.set("routing", self.routing(pair, label, variant, lr));
        }
        let mut entry = self.entry(Some(&pair.teacher), &pair.student, label, variant, overlay);
        let trained = !(method.mutual || self.table.pretrained);
        entry.needs = trained.then(|| self.needs(&pair.teacher));
        entry
    }

    /// What all recipes of a student have.
    fn base(&self, student: &Name) -> Overlay {
        let mut overlay = Overlay::from(self.table.recipe.clone());
        overlay = overlay.over(Overlay::from(self.study.recipe.clone()));
        if self.study.slow.networks.contains(student) {
            overlay = Overlay::from(self.study.slow.set.clone()).over(overlay);
        }
        overlay.set("student.network", self.network(student));
        overlay
    }

    /// The terms that all methods share.
    fn shared_terms(&self, method: &MethodTable) -> Vec<Map<String, Value>> {
        let ce = method.ce.unwrap_or(self.study.ce);
        let kd = method.kd.unwrap_or(self.study.kd);
        let shared = [
            json!({ "name": "ce", "weight": ce }),
            json!({ "name": "kd", "weight": kd, "temperature": 4.0 }),
        ];
        let terms = shared.into_iter().filter_map(|term| match term {
            Value::Object(term) if term["weight"] != 0.0 => Some(term),
            _ => None,
        });
        terms.collect()
    }

    /// Routing by a variant.
    fn routing(&self, pair: &PairTable, label: &str, variant: &str, lr: Option<f64>) -> Value {
        let gamma = self.table.gamma.get(label).copied().unwrap_or(1.0);
        let mut routing = json!({ "mode": variant, "gamma": gamma });
        if matches!(variant, "random" | "joint") {
            routing["convention"] = json!("sakd");
        }
        if variant != "random" {
            routing["lr"] = json!(lr.map(|lr| lr / 2.0));
            routing["weight_decay"] = json!(ROUTER_DECAY);
            routing["temperature"] = json!(5.0);
        }
        if matches!(variant, "adaptive" | "anti") {
            routing["bias"] = json!(pair.bias);
        }
        routing
    }

    /// The recipe of a teacher.
    fn needs(&self, teacher: &Name) -> Needs {
        let teachers = &self.study.teachers;
        let study = teachers.study.as_deref().unwrap_or(self.name);
        Needs {
            recipe: format!("{study}-{}-{teacher}", self.data),
            weights: teachers.weights,
        }
    }

    /// The registry's name of a network.
    fn network<'n>(&'n self, name: &'n Name) -> &'n str {
        let own = self.table.networks.get(name);
        own.or(self.study.networks.get(name)).unwrap_or(name)
    }

    fn entry(
        &self,
        teacher: Option<&Name>,
        student: &Name,
        method: &str,
        variant: &str,
        mut overlay: Overlay,
    ) -> NamedRecipe {
        let mut name = format!("{}-{}", self.name, self.data);
        if let Some(teacher) = teacher {
            name = format!("{name}-{teacher}-{student}-{}", method.to_lowercase());
            if variant != "standard" {
                name = format!("{name}-{variant}");
            }
        } else {
            name = format!("{name}-{student}");
        }
        overlay.set("name", &name);
        NamedRecipe {
            name,
            study: self.name.to_owned(),
            data: self.data.to_owned(),
            teacher: teacher.cloned(),
            student: student.clone(),
            method: method.to_owned(),
            variant: variant.to_owned(),
            report: self.study.report,
            needs: None,
            overlay,
        }
    }
}

/// A term whose weight is divided by the number that it is an average over.
fn averaged(mut term: Map<String, Value>) -> Map<String, Value> {
    if let Some(over) = term.remove("over")
        && let (Some(weight), Some(over)) = (term["weight"].as_f64(), over.as_f64())
    {
        term.insert("weight".to_owned(), json!(weight / over));
    }
    term
}
