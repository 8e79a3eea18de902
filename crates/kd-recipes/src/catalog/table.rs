//! The table that recipes are made of, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Report;

/// A network's name, in a table or in the registry.
pub(super) type Name = String;

/// Teacher and student.
pub(super) type PairNames = [Name; 2];

/// One study.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Study {
    pub(super) title: String,
    pub(super) report: Report,
    pub(super) teachers: Teachers,
    pub(super) ce: f64,
    pub(super) kd: f64,
    pub(super) variants: Vec<String>,
    /// Networks whose names in the registry are others than in the table.
    #[serde(default)]
    pub(super) networks: BTreeMap<Name, Name>,
    #[serde(default)]
    pub(super) slow: Slow,
    pub(super) recipe: Map<String, Value>,
    pub(super) data: BTreeMap<String, DataTable>,
    pub(super) methods: BTreeMap<String, MethodTable>,
    #[serde(default)]
    pub(super) exceptions: Vec<Exception>,
}

/// Where a study has its teachers from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Teachers {
    /// The study that trained them. Default: this one.
    pub(super) study: Option<String>,
    /// Which epoch's weights.
    pub(super) weights: Report,
}

/// Networks that train otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slow {
    pub(super) networks: Vec<Name>,
    pub(super) set: Map<String, Value>,
}

/// One data set of a study.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTable {
    #[serde(default)]
    pub(super) recipe: Map<String, Value>,
    /// Networks that are trained on labels alone.
    #[serde(default)]
    pub(super) alone: Vec<Name>,
    pub(super) pairs: Vec<PairTable>,
    /// Networks whose names in the registry are others for this data set.
    #[serde(default)]
    pub(super) networks: BTreeMap<Name, Name>,
    /// Methods that are not the study's.
    pub(super) methods: Option<BTreeMap<String, MethodTable>>,
    /// Whether teachers come with published weights, so that no recipe trains them.
    #[serde(default)]
    pub(super) pretrained: bool,
    /// Factor of the routing objective, by method; 1 for others.
    #[serde(default)]
    pub(super) gamma: BTreeMap<String, f64>,
}

/// A teacher and a student.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairTable {
    pub(super) teacher: Name,
    pub(super) student: Name,
    /// The policy's initial bias in favor of the teacher.
    #[serde(default)]
    pub(super) bias: f64,
}

/// One method of a study.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MethodTable {
    pub(super) ce: Option<f64>,
    pub(super) kd: Option<f64>,
    #[serde(default)]
    pub(super) losses: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(super) set: Map<String, Value>,
    /// The pairs that have the method. Default: all.
    pub(super) only: Option<Vec<PairNames>>,
    /// The study's variants that have it. Default: all.
    pub(super) variants: Option<Vec<String>>,
    /// Whether teacher and student learn from each other, from the start.
    #[serde(default)]
    pub(super) mutual: bool,
}

/// What differs for some cells.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    /// Default: all data sets.
    pub(super) data: Option<String>,
    pub(super) method: String,
    /// Default: all variants.
    pub(super) variants: Option<Vec<String>>,
    /// Default: all pairs.
    pub(super) pairs: Option<Vec<PairNames>>,
    #[serde(default)]
    pub(super) set: Map<String, Value>,
    #[serde(default)]
    pub(super) loss: Map<String, Value>,
}

impl MethodTable {
    /// Whether a pair has the method.
    pub(super) fn has(&self, pair: &PairTable) -> bool {
        let named = |only: &Vec<PairNames>| only.iter().any(|names| pair.is(names));
        self.only.as_ref().is_none_or(named)
    }
}

impl PairTable {
    fn is(&self, [teacher, student]: &PairNames) -> bool {
        *teacher == self.teacher && *student == self.student
    }
}

impl Exception {
    /// Whether it is about a cell.
    pub(super) fn is_about(
        &self,
        data: &str,
        method: &str,
        pair: &PairTable,
        variant: &str,
    ) -> bool {
        let named = |pairs: &Vec<PairNames>| pairs.iter().any(|names| pair.is(names));
        self.method == method
            && self.data.as_ref().is_none_or(|own| own == data)
            && self
                .variants
                .as_ref()
                .is_none_or(|own| own.iter().any(|own| own == variant))
            && self.pairs.as_ref().is_none_or(named)
    }
}
