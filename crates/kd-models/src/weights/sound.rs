//! Numbers that no network can have.

use std::collections::BTreeMap;
use std::path::Path;

use super::listing::Entry;
use crate::ModelError;

/// What the key of a batch norm's variance ends in.
const VARIANCE: &str = "running_var";

/// Whether all variances are at least 0: with others, outputs are not finite.
pub(super) fn check(
    path: &Path,
    network: &str,
    entries: &BTreeMap<String, Entry>,
) -> Result<(), ModelError> {
    let variances = entries
        .iter()
        .filter(|(key, _)| key.rsplit('.').next() == Some(VARIANCE));
    for (key, entry) in variances {
        let Entry::Floats(data) = entry else {
            continue;
        };
        if let Some(value) = data.iter::<f32>().find(|value| *value < 0.0) {
            return Err(ModelError::NegativeVariance {
                path: path.to_owned(),
                network: network.to_owned(),
                key: key.escape_debug().to_string(),
                value,
            });
        }
    }
    Ok(())
}
