//! What a weights file says of itself.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Form;
use crate::Architecture;

/// The header of a weights file: all that is needed to use the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsInfo {
    /// The network.
    pub architecture: Architecture,
    /// Its form.
    #[serde(default, skip_serializing_if = "Form::is_trained")]
    pub form: Form,
    /// Number of classes.
    pub classes: usize,
    /// Shape of the images it was trained on, `[channels, height, width]`.
    pub input: [usize; 3],
    /// Per-channel mean subtracted from images scaled to 0..1, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f32; 3]>,
    /// Per-channel deviation by which images are divided after that, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f32; 3]>,
    /// Name of the data set it was trained on, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Top-1 accuracy on the test images, in percent, if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1: Option<f64>,
}

/// The header entry that holds the description.
const KEY: &str = "kd";

impl WeightsInfo {
    /// The header of a safetensors file: the description as JSON, and its main parts in plain
    /// text for other readers.
    pub(super) fn to_header(&self) -> Result<BTreeMap<String, String>, serde_json::Error> {
        Ok(BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            ("architecture".to_owned(), self.architecture.to_string()),
            ("classes".to_owned(), self.classes.to_string()),
            (KEY.to_owned(), serde_json::to_string(self)?),
        ]))
    }

    /// The description in a header, if there is one, or what is wrong with it.
    pub(super) fn from_header(header: &HashMap<String, String>) -> Result<Option<Self>, String> {
        let Some(text) = header.get(KEY) else {
            return Ok(None);
        };
        let info: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if info.classes == 0 {
            return Err("`classes` is 0, expected at least 1".to_owned());
        }
        info.architecture
            .check_input(info.input)
            .map_err(|error| format!("`input`: {error}"))?;
        Ok(Some(info))
    }
}
