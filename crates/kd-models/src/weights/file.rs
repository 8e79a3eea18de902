//! A weights file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, TensorData};
use glob::Pattern;

use super::checkpoint::Layout;
use super::identify::Identity;
use super::kind::{HEAD, Kind};
use super::listing::Entry;
use super::sets::{StateSet, shown};
use super::state_dict::{load_by_path, load_entries};
use super::views::View;
use super::{ReadOptions, WeightsInfo, pytorch, safetensors, sound};
use crate::{AnyNetwork, Architecture, ModelError};

/// A weights file that is known to be one, whose numbers are not yet in a network.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    pub(super) path: PathBuf,
    pub(super) info: Option<WeightsInfo>,
    /// Sets of weights, the likeliest first.
    pub(super) sets: Vec<StateSet>,
    /// Name of the set that is wanted.
    pub(super) asked: Option<String>,
    /// Keys to leave out.
    pub(super) ignore: Vec<Pattern>,
    /// Where a checkpoint has its numbers.
    layout: Option<Layout>,
}

impl WeightsFile {
    /// Reads a safetensors file or a PyTorch checkpoint, with the usual [`ReadOptions`].
    ///
    /// # Errors
    ///
    /// Those of [`open_with`](Self::open_with).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::open_with(path, &ReadOptions::default())
    }

    /// Reads a safetensors file or a PyTorch checkpoint; which of them it is, is seen from its
    /// first bytes. Of a checkpoint only the description of its tensors is read now, and their
    /// numbers when they go into a network.
    ///
    /// Of a checkpoint (zip or legacy, also of a whole module) a state dict is taken, wherever it is
    /// in the file: under a usual name such as `model` or `state_dict` first, averaged weights last,
    /// and in all of this one that has the keys of the network. What wrappers put before or into all
    /// keys (`module.`, `_orig_mod.`, `model.`) is dropped, numbers are converted to f32, and counters
    /// (`num_batches_tracked`, `n_averaged`, a profiler's `total_ops`) are ignored. Objects beside it
    /// are left unread; nothing in the file is executed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if it cannot be read, [`ModelError::Format`] if it is damaged or of
    /// another kind, [`ModelError::NoStateDict`] for a checkpoint without weights,
    /// [`ModelError::Code`] for one that visibly would run a program in Python,
    /// [`ModelError::Pattern`] if a pattern of `options` is none.
    pub fn open_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, ModelError> {
        let path = path.as_ref().to_owned();
        let io = |source| ModelError::Io {
            path: path.clone(),
            source,
        };
        let format = |reason: String| ModelError::Format {
            path: path.clone(),
            reason,
        };
        let patterns = options.patterns();
        let ignore =
            patterns.map_err(|(pattern, reason)| ModelError::Pattern { pattern, reason })?;
        let mut first = Vec::new();
        let file = std::fs::File::open(&path).map_err(io)?;
        file.take(HEAD).read_to_end(&mut first).map_err(io)?;
        let (info, sets, layout) = match Kind::of(&first) {
            Kind::Archive => pytorch::read(&path, true)?,
            Kind::Pickle => pytorch::read(&path, false)?,
            Kind::Safetensors => {
                let bytes = std::fs::read(&path).map_err(io)?;
                let (info, entries) = safetensors::parse(&bytes).map_err(format)?;
                (info, vec![StateSet::new(Vec::new(), entries)], None)
            }
            Kind::Other(reason) => return Err(format(reason.to_owned())),
        };
        let tensors: usize = sets.iter().map(|set| set.entries.len()).sum();
        tracing::debug!(path = %path.display(), sets = sets.len(), tensors, "weights found");
        Ok(Self {
            path,
            info,
            sets,
            asked: options.set.clone(),
            ignore,
            layout,
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
    /// [`ModelError::Mismatch`] with the closest network and all differences,
    /// [`ModelError::Format`] if nothing is close, [`ModelError::Ambiguous`] if there are several
    /// networks, [`ModelError::NoSuchSet`] if the one that was asked for is not there.
    pub fn identify(&self) -> Result<Identity, ModelError> {
        self.identity(None, None)
    }

    /// Builds the network and puts the weights into it.
    ///
    /// `architecture` may be left out for files that name their own, and for those whose keys and
    /// shapes tell it; the guess is logged as a warning, as is a choice between several sets of
    /// weights. `classes` may be left out to take the file's number.
    ///
    /// # Errors
    ///
    /// Those of [`identify`](Self::identify); [`ModelError::Classes`] if the weights were trained for
    /// another number of classes, [`ModelError::Mismatch`] with every missing, unexpected and
    /// mis-shaped key otherwise; [`ModelError::NotFinite`] if a number is not finite,
    /// [`ModelError::NegativeVariance`] if a running variance is below 0, [`ModelError::Format`] if the
    /// file is damaged.
    pub fn into_network(
        self,
        architecture: Option<Architecture>,
        classes: Option<usize>,
        device: &Device,
    ) -> Result<AnyNetwork, ModelError> {
        let choice = self.choose(architecture, classes)?;
        let identity = choice.identity;
        if let Some(expected) = classes.filter(|classes| *classes != identity.classes) {
            return Err(ModelError::Classes {
                path: self.path,
                found: identity.classes,
                expected,
            });
        }
        let entries = self.numbers(&choice.view)?;
        if identity.guessed && architecture.is_none() {
            tracing::warn!(
                "{}: does not name its network; identified as {} by its keys and shapes",
                self.path.display(),
                identity.architecture
            );
        }
        self.say(&choice.view);
        let Identity {
            architecture,
            form,
            classes,
            ..
        } = identity;
        sound::check(&self.path, architecture.name(), &entries)?;
        let network = form.blank(architecture, classes, device);
        load_entries(network, entries).map_err(|problems| ModelError::Mismatch {
            path: self.path.clone(),
            model: architecture.to_string(),
            problems,
        })
    }

    /// Puts the weights into a module of your own, under the paths of its parameters: what
    /// [`save_module`](super::save_module) wrote.
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] with every missing, unexpected and mis-shaped key;
    /// [`ModelError::NotFinite`] and [`ModelError::Format`] as [`into_network`](Self::into_network).
    pub fn into_module<M: Module>(self, module: M) -> Result<M, ModelError> {
        let view = self.choose_for(&module)?;
        let entries = self.numbers(&view)?;
        self.say(&view);
        sound::check(&self.path, "the module", &entries)?;
        load_by_path(module, entries).map_err(|problems| ModelError::Mismatch {
            path: self.path.clone(),
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
        self.choose(architecture, classes)
            .map(|choice| choice.identity)
    }

    /// The weights, with their numbers, all of which are finite.
    fn numbers(&self, view: &View<'_>) -> Result<BTreeMap<String, Entry>, ModelError> {
        let mut numbers = match &self.layout {
            Some(layout) => pytorch::numbers(&self.path, layout, view.entries())?,
            None => BTreeMap::new(),
        };
        let mut entries = BTreeMap::new();
        for (key, entry) in view.entries() {
            let entry = match (numbers.remove(key), entry) {
                (Some(data), _) => Entry::Floats(data),
                (None, entry) => entry.clone(),
            };
            if let Entry::Floats(data) = &entry {
                check_finite(&self.path, key, data)?;
            }
            entries.insert(key.to_owned(), entry);
        }
        Ok(entries)
    }

    /// Says what was chosen and left out, where a reader of the file could have done otherwise.
    fn say(&self, view: &View<'_>) {
        let path = self.path.display();
        let others = self.other_sets(view.set);
        let name = shown(&view.set.name());
        if !others.is_empty() && self.asked.is_none() {
            tracing::warn!(
                "{path}: weights taken from {name}; the file also holds {others} (see weights_set)"
            );
        } else if !view.set.path.is_empty() && !view.set.is_usual() {
            tracing::info!("{path}: weights taken from {name}");
        }
        let removed = view.removed();
        if !removed.is_empty() {
            tracing::info!("{path}: {removed} removed from the keys");
        }
        if let Some((few, more)) = some_of(&view.beside()) {
            match self.ignore.is_empty() && self.asked.is_none() {
                true => tracing::warn!("{path}: {few}{more} ignored: not part of the network"),
                false => tracing::info!("{path}: {few}{more} ignored"),
            }
        }
        let counters: Vec<&str> = view.set.left.iter().map(String::as_str).collect();
        if let Some((few, more)) = some_of(&counters) {
            tracing::info!("{path}: {few}{more} ignored: counters");
        }
    }
}

/// The first of some keys, and how many more there are.
fn some_of(keys: &[&str]) -> Option<(String, String)> {
    const SHOWN: usize = 3;
    let shown = keys.iter().take(SHOWN);
    let shown: Vec<_> = shown
        .map(|key| format!("`{}`", key.escape_debug()))
        .collect();
    let more = match keys.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!keys.is_empty()).then(|| (shown.join(", "), more))
}

fn check_finite(path: &Path, key: &str, data: &TensorData) -> Result<(), ModelError> {
    match data.iter::<f32>().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(ModelError::NotFinite {
            path: path.to_owned(),
            key: key.escape_debug().to_string(),
        }),
    }
}
