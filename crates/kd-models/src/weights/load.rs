//! Reading weights.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError};

use super::WeightsInfo;
use super::state_dict::{COUNTER, load_state_dict};
use crate::{AnyNetwork, Architecture, ModelError};

/// A weights file that has been read and checked, but not yet put into a network.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    path: PathBuf,
    info: Option<WeightsInfo>,
    entries: Vec<(String, TensorData)>,
}

impl WeightsFile {
    /// Reads a safetensors file.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if it cannot be read, [`ModelError::Format`] if it is not what it
    /// claims to be.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref().to_owned();
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Io {
            path: path.clone(),
            source,
        })?;
        let format = |reason: String| ModelError::Format {
            path: path.clone(),
            reason,
        };
        let (info, entries) = parse(&bytes).map_err(format)?;
        tracing::debug!(path = %path.display(), tensors = entries.len(), "weights read");
        Ok(Self {
            path,
            info,
            entries,
        })
    }

    /// What the file says of itself; `None` if it was not written by this crate.
    pub fn info(&self) -> Option<&WeightsInfo> {
        self.info.as_ref()
    }

    /// Builds the network and puts the weights into it.
    ///
    /// `architecture` may be left out for files that name their own.
    ///
    /// # Errors
    ///
    /// [`ModelError::Classes`] if the weights were trained for another number of classes,
    /// [`ModelError::Mismatch`] with every missing, unexpected and mis-shaped key otherwise.
    pub fn into_network(
        self,
        architecture: Option<Architecture>,
        classes: usize,
        device: &Device,
    ) -> Result<AnyNetwork, ModelError> {
        let named = self.info.as_ref().map(|info| info.architecture);
        let Some(architecture) = architecture.or(named) else {
            return Err(ModelError::Format {
                path: self.path,
                reason: "it does not name its architecture: give the model's name".to_owned(),
            });
        };
        let mismatch = |problems| ModelError::Mismatch {
            path: self.path.clone(),
            model: architecture.to_string(),
            problems,
        };
        if let Some(named) = named.filter(|named| *named != architecture) {
            return Err(mismatch(vec![format!("the file holds {named}")]));
        }
        // The classifier's weight is the only matrix of all registered networks.
        let trained = self
            .entries
            .iter()
            .find(|(_, data)| data.shape().len() == 2)
            .map(|(_, data)| data.shape().to_vec()[0]);
        if let Some(found) = trained.filter(|found| *found != classes) {
            return Err(ModelError::Classes {
                path: self.path,
                found,
                expected: classes,
            });
        }
        let network = architecture.init(classes, device);
        load_state_dict(network, self.entries).map_err(|problems| ModelError::Mismatch {
            path: self.path,
            model: architecture.to_string(),
            problems,
        })
    }
}

type Parsed = (Option<WeightsInfo>, Vec<(String, TensorData)>);

fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    let text = |error: SafeTensorError| error.to_string();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let info = match header.metadata() {
        Some(header) => WeightsInfo::from_header(header).map_err(|error| error.to_string())?,
        None => None,
    };
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    let mut entries = Vec::with_capacity(file.len());
    for (key, view) in file.tensors() {
        if key.ends_with(COUNTER) {
            continue;
        }
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => return Err(format!("`{key}` holds {other:?}, expected floats")),
        };
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
        entries.push((key, data.convert::<f32>()));
    }
    Ok((info, entries))
}
