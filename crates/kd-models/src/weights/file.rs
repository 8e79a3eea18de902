//! A weights file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};

use super::identify::{self, Guess, Identity};
use super::state_dict::{load_state_dict, shapes};
use super::{WeightsInfo, pytorch, safetensors};
use crate::{AnyNetwork, Architecture, ModelError};

/// A weights file that has been read and checked, but not yet put into a network.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    path: PathBuf,
    info: Option<WeightsInfo>,
    entries: BTreeMap<String, TensorData>,
}

impl WeightsFile {
    /// Reads a safetensors file or a PyTorch checkpoint; which of them it is, is seen from its
    /// first bytes.
    ///
    /// Of a checkpoint (zip or legacy, also of a whole module) the state dict is taken: from
    /// `model`, `net`, `state_dict`, `model_state_dict` or `network`, or else from the top level;
    /// a prefix `module.` on all keys is dropped, numbers are converted to f32, and
    /// `num_batches_tracked` is ignored. Other pickled objects are skipped; nothing in the file is
    /// executed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if it cannot be read, [`ModelError::Format`] if it is damaged or of
    /// another kind, [`ModelError::NoStateDict`] for a checkpoint without weights,
    /// [`ModelError::Code`] for one that would run a program in Python,
    /// [`ModelError::NotFinite`] if a number is not finite.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref().to_owned();
        let io = |source| ModelError::Io {
            path: path.clone(),
            source,
        };
        let mut first = Vec::new();
        let file = std::fs::File::open(&path).map_err(io)?;
        file.take(9).read_to_end(&mut first).map_err(io)?;
        let (info, entries) = match Kind::of(&first) {
            Kind::Pytorch => (None, pytorch::read(&path)?),
            Kind::Safetensors => {
                let bytes = std::fs::read(&path).map_err(io)?;
                safetensors::parse(&bytes).map_err(|reason| ModelError::Format {
                    path: path.clone(),
                    reason,
                })?
            }
            Kind::Other => {
                let reason = match first.len() {
                    0 => "it is empty",
                    _ => "neither a safetensors file nor a PyTorch checkpoint",
                };
                return Err(ModelError::Format {
                    path,
                    reason: reason.to_owned(),
                });
            }
        };
        let entries = without_prefix(entries);
        for (key, data) in &entries {
            if data.iter::<f32>().any(|value| !value.is_finite()) {
                return Err(ModelError::NotFinite {
                    path,
                    key: key.clone(),
                });
            }
        }
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

    /// Which network the file holds: as it says itself, or else guessed from keys and shapes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] with the closest network and all differences, or
    /// [`ModelError::Format`] if nothing is close.
    pub fn identify(&self) -> Result<Identity, ModelError> {
        if let Some(info) = &self.info {
            return Ok(Identity {
                architecture: info.architecture,
                form: info.form,
                classes: info.classes,
                guessed: false,
            });
        }
        match identify::guess(&shapes(&self.entries), &Device::default()) {
            Guess::Fits(identity) => Ok(identity),
            Guess::Closest(architecture, problems) => Err(ModelError::Mismatch {
                path: self.path.clone(),
                model: format!("any network; the closest, {architecture}, differs"),
                problems,
            }),
            Guess::Nothing => Err(ModelError::Format {
                path: self.path.clone(),
                reason: "its keys are those of no known network".to_owned(),
            }),
        }
    }

    /// Builds the network and puts the weights into it.
    ///
    /// `architecture` may be left out for files that name their own, and for those whose keys and
    /// shapes tell it; the guess is logged as a warning. `classes` may be left out to take the
    /// file's number.
    ///
    /// # Errors
    ///
    /// [`ModelError::Classes`] if the weights were trained for another number of classes,
    /// [`ModelError::Mismatch`] with every missing, unexpected and mis-shaped key otherwise.
    pub fn into_network(
        self,
        architecture: Option<Architecture>,
        classes: Option<usize>,
        device: &Device,
    ) -> Result<AnyNetwork, ModelError> {
        let identity = self.identity(architecture)?;
        if let Some(expected) = classes.filter(|classes| *classes != identity.classes) {
            return Err(ModelError::Classes {
                path: self.path,
                found: identity.classes,
                expected,
            });
        }
        if identity.guessed && architecture.is_none() {
            tracing::warn!(
                "{}: names no network; taken for {} by its keys and shapes",
                self.path.display(),
                identity.architecture
            );
        }
        let Identity {
            architecture,
            form,
            classes,
            ..
        } = identity;
        let network = form.of(architecture.init(classes, device));
        load_state_dict(network, self.entries).map_err(|problems| ModelError::Mismatch {
            path: self.path,
            model: architecture.to_string(),
            problems,
        })
    }

    /// Which network the file holds, if it has to be this one.
    pub(crate) fn identity(
        &self,
        architecture: Option<Architecture>,
    ) -> Result<Identity, ModelError> {
        let Some(architecture) = architecture else {
            return self.identify();
        };
        // Shapes are the same on every device.
        let device = &Device::default();
        let mismatch = |problems| ModelError::Mismatch {
            path: self.path.clone(),
            model: architecture.to_string(),
            problems,
        };
        if let Some(info) = &self.info {
            if info.architecture != architecture {
                return Err(mismatch(vec![format!(
                    "the file holds {}",
                    info.architecture
                )]));
            }
            return self.identify();
        }
        let found = shapes(&self.entries);
        let form = identify::form_of(architecture, &found);
        let wanted = identify::wanted(architecture, form, 1, device);
        let classes = identify::classes(&wanted, &found).unwrap_or(1);
        let identity = Identity {
            architecture,
            form,
            classes,
            guessed: true,
        };
        let problems = identify::problems_with(wanted, classes, &found);
        if problems.is_empty() {
            return Ok(identity);
        }
        // Perhaps it is another network.
        let other = match identify::guess(&found, device) {
            Guess::Fits(identity) => Some(format!(
                "keys and shapes are those of {}",
                identity.architecture
            )),
            _ => None,
        };
        Err(mismatch(other.into_iter().chain(problems).collect()))
    }
}

/// What data-parallel training puts before every key.
const PARALLEL: &str = "module.";

/// The entries by key, without the prefix of data-parallel training.
fn without_prefix(entries: Vec<(String, TensorData)>) -> BTreeMap<String, TensorData> {
    let parallel = entries.iter().all(|(key, _)| key.starts_with(PARALLEL));
    let prefix = if parallel { PARALLEL.len() } else { 0 };
    entries
        .into_iter()
        .map(|(key, data)| (key[prefix..].to_owned(), data))
        .collect()
}

/// Kinds of files by their first bytes.
enum Kind {
    Pytorch,
    Safetensors,
    Other,
}

impl Kind {
    fn of(first: &[u8]) -> Self {
        match first {
            // The length of the header, and its first character.
            [_, _, _, _, _, _, _, _, b'{'] => Self::Safetensors,
            // Zip, or a pickle of protocol 2 and later.
            [b'P', b'K', ..] | [0x80, 2..=5, ..] => Self::Pytorch,
            // An archive of PyTorch before 0.1.10 starts with the name of its first file.
            _ if first.starts_with(b"sys_info") || first.starts_with(b"pickle") => Self::Pytorch,
            _ => Self::Other,
        }
    }
}
