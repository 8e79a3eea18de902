//! A weights file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;

use super::identify::{Candidate, Identity, guess};
use super::listing::{Entry, Listing};
use super::state_dict::{load_by_path, load_entries};
use super::{WeightsInfo, pytorch, safetensors};
use crate::{AnyNetwork, Architecture, ModelError};

/// A weights file that has been read and checked, but not yet put into a network.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    path: PathBuf,
    info: Option<WeightsInfo>,
    entries: BTreeMap<String, Entry>,
}

impl WeightsFile {
    /// Reads a safetensors file or a PyTorch checkpoint; which of them it is, is seen from its
    /// first bytes.
    ///
    /// Of a checkpoint (zip or legacy, also of a whole module) the state dict is taken: from
    /// `model`, `net`, `state_dict`, `model_state_dict` or `network`, or else from the top level;
    /// a prefix `module.` on all keys is dropped, numbers are converted to f32, and
    /// `num_batches_tracked` is ignored. Pickled objects beside it are left unread; nothing in the
    /// file is executed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if it cannot be read, [`ModelError::Format`] if it is damaged or of
    /// another kind, [`ModelError::NoStateDict`] for a checkpoint without weights,
    /// [`ModelError::Code`] for one that visibly would run a program in Python,
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
        for (key, entry) in &entries {
            let Entry::Floats(data) = entry else {
                continue;
            };
            if data.iter::<f32>().any(|value| !value.is_finite()) {
                return Err(ModelError::NotFinite {
                    path,
                    key: key.escape_debug().to_string(),
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
        self.identity(None, None)
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
        let identity = self.identity(architecture, classes)?;
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
        let network = form.blank(architecture, classes, device);
        load_entries(network, self.entries).map_err(|problems| ModelError::Mismatch {
            path: self.path,
            model: architecture.to_string(),
            problems,
        })
    }

    /// Puts the weights into a module of your own, under the paths of its parameters: what
    /// [`save_module`](super::save_module) wrote.
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] with every missing, unexpected and mis-shaped key.
    pub fn into_module<M: Module>(self, module: M) -> Result<M, ModelError> {
        load_by_path(module, self.entries).map_err(|problems| ModelError::Mismatch {
            path: self.path,
            model: "the module".to_owned(),
            problems,
        })
    }

    /// Which network the file holds, if it has to be this one.
    pub(crate) fn identity(
        &self,
        architecture: Option<Architecture>,
        classes: Option<usize>,
    ) -> Result<Identity, ModelError> {
        let found = Listing::of(&self.entries);
        let fallback = classes.unwrap_or(1);
        if let Some(info) = &self.info {
            let own = info.architecture;
            if let Some(other) = architecture.filter(|architecture| *architecture != own) {
                let problem = format!("the file holds {own}");
                return Err(self.mismatch(other.to_string(), vec![problem]));
            }
            // Nothing is built before the file is known to hold what it says.
            let candidate = Candidate::new(own, info.form, fallback, &found);
            if !candidate.fits() {
                return Err(self.mismatch(own.to_string(), candidate.problems));
            }
            if candidate.identity.classes != info.classes {
                let (said, found) = (info.classes, candidate.identity.classes);
                let problem = format!("its header says {said} classes, its classifier has {found}");
                return Err(self.mismatch(own.to_string(), vec![problem]));
            }
            return Ok(Identity {
                guessed: false,
                ..candidate.identity
            });
        }
        let Some(architecture) = architecture else {
            return match guess(&found) {
                Some(candidate) if candidate.fits() => Ok(candidate.identity),
                Some(closest) => {
                    let name = closest.identity.architecture;
                    let model = format!("any network; the closest, {name}, differs");
                    Err(self.mismatch(model, closest.problems))
                }
                None => Err(ModelError::Format {
                    path: self.path.clone(),
                    reason: "its keys are those of no known network".to_owned(),
                }),
            };
        };
        let candidate = Candidate::in_any_form(architecture, fallback, &found);
        if candidate.fits() {
            return Ok(candidate.identity);
        }
        // Perhaps it is another network.
        let other = guess(&found).filter(Candidate::fits);
        let other = other.map(|other| {
            let name = other.identity.architecture;
            format!("keys and shapes are those of {name}")
        });
        let problems = other.into_iter().chain(candidate.problems).collect();
        Err(self.mismatch(architecture.to_string(), problems))
    }

    fn mismatch(&self, model: String, problems: Vec<String>) -> ModelError {
        ModelError::Mismatch {
            path: self.path.clone(),
            model,
            problems,
        }
    }
}

/// What data-parallel training puts before every key.
const PARALLEL: &str = "module.";

/// The entries by key, without the prefix of data-parallel training.
fn without_prefix(entries: Vec<(String, Entry)>) -> BTreeMap<String, Entry> {
    let parallel = entries.iter().all(|(key, entry)| match entry {
        Entry::Floats(_) => key.starts_with(PARALLEL),
        Entry::Other(_) => true,
    });
    let plain = |key: String| match key.strip_prefix(PARALLEL) {
        Some(rest) if parallel => rest.to_owned(),
        _ => key,
    };
    entries
        .into_iter()
        .map(|(key, entry)| (plain(key), entry))
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
            _ => Self::Other,
        }
    }
}
