//! What was distilled where, for people.

use kd_spot::RoutingMode;
use serde::{Deserialize, Serialize};

/// The content of `routing.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutingRecord {
    /// How samples were chosen.
    pub routing: RoutingMode,
    /// Names of the spots.
    pub spots: Vec<String>,
    /// For each spot, whether a loss acts there: elsewhere a choice only leads through the grafted
    /// network.
    #[serde(alias = "distils")]
    pub distills: Vec<bool>,
    /// By epoch and spot: the share of samples that were chosen to be distilled.
    pub epochs: Vec<Vec<f64>>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// By class and spot: the same in the last epoch; absent for a class without images.
    pub by_class: Vec<Option<Vec<f64>>>,
}
