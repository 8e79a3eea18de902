//! The frozen teacher.

use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, FeatureShapes, Features, Network, NormAffine};

use super::ensemble::averaged;
use super::{Average, EnsembleConfig};
use crate::TrainError;

/// A teacher outside the graph: evaluation mode, plain tensors, no gradients. It is one network, or
/// an [ensemble](Self::ensemble) of several, which has logits and no features.
#[derive(Clone, Debug)]
pub struct FrozenTeacher<T> {
    name: String,
    network: T,
    ensemble: Option<Ensemble<T>>,
}

/// The further members of an ensemble, and how all are averaged.
#[derive(Clone, Debug)]
struct Ensemble<T> {
    others: Vec<T>,
    average: Average,
    shares: Vec<f64>,
}

impl<T: Network> FrozenTeacher<T> {
    /// Freezes a network; the name is for messages and records.
    pub fn new(name: impl Into<String>, network: &T) -> Self {
        Self {
            name: name.into(),
            network: network.valid(),
            ensemble: None,
        }
    }

    /// Several teachers as one, whose logits are an average of theirs. One teacher alone stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// [`TrainError::Missing`] without a teacher, [`TrainError::Value`] if the weights are not
    /// positive finite numbers, one for each.
    pub fn ensemble(teachers: Vec<Self>, config: &EnsembleConfig) -> Result<Self, TrainError> {
        let names: Vec<&str> = teachers.iter().map(Self::name).collect();
        let name = names.join("+");
        let shares = config.shares(teachers.len())?;
        let members = teachers.into_iter().flat_map(Self::into_members);
        let mut members: Vec<T> = members.collect();
        if members.is_empty() {
            return Err(TrainError::Missing {
                field: "teacher.weights",
                hint: "an ensemble has at least one teacher".to_owned(),
            });
        }
        let network = members.remove(0);
        let ensemble = (!members.is_empty()).then_some(Ensemble {
            others: members,
            average: config.average,
            shares,
        });
        Ok(Self {
            name,
            network,
            ensemble,
        })
    }

    fn into_members(self) -> Vec<T> {
        let others = self.ensemble.map_or_else(Vec::new, |e| e.others);
        std::iter::once(self.network).chain(others).collect()
    }

    /// Whether it is an ensemble of several networks.
    pub fn is_ensemble(&self) -> bool {
        self.ensemble.is_some()
    }

    /// Its networks: one, or all of an ensemble.
    pub fn members(&self) -> impl Iterator<Item = &T> {
        let others = self.ensemble.iter().flat_map(|ensemble| &ensemble.others);
        std::iter::once(&self.network).chain(others)
    }

    /// How the members of an ensemble are averaged, and their shares.
    pub(crate) fn averaging(&self) -> Option<(Average, &[f64])> {
        let ensemble = self.ensemble.as_ref()?;
        Some((ensemble.average, &ensemble.shares))
    }

    /// The features of an ensemble: logits `[batch, classes]`, no maps, and zeros `[batch, 1]` for
    /// pooled features.
    fn of_ensemble(&self, images: &Tensor<4>) -> Option<Features> {
        let ensemble = self.ensemble.as_ref()?;
        let logits = self
            .members()
            .map(|network| network.forward(images.clone()));
        let outputs: Vec<_> = logits.zip(ensemble.shares.iter().copied()).collect();
        let logits = averaged(ensemble.average, &outputs)?;
        Some(Features {
            maps: Vec::new(),
            preact: Vec::new(),
            pooled: Tensor::zeros([logits.dims()[0], 1], &logits.device()),
            logits,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shapes of its features for images of `[channels, height, width]`; those of an ensemble have no
    /// maps.
    pub fn shapes(&self, input: [usize; 3], device: &Device) -> FeatureShapes {
        let shapes = self.network.feature_shapes(input, device);
        match &self.ensemble {
            None => shapes,
            Some(_) => FeatureShapes {
                maps: Vec::new(),
                pooled: 1,
                classes: shapes.classes,
            },
        }
    }

    /// Features of images `[batch, channels, height, width]`, which may be on an autodiff device.
    /// Those of an ensemble are its logits, without maps and with zeros `[batch, 1]` for pooled
    /// features.
    pub fn features(&self, images: Tensor<4>) -> Features {
        let images = images.inner();
        let together = self.of_ensemble(&images);
        together.unwrap_or_else(|| self.network.features(images))
    }

    /// As [`features`](Self::features), with the maps before the activation.
    pub fn features_with_preact(&self, images: Tensor<4>) -> Features {
        let images = images.inner();
        let together = self.of_ensemble(&images);
        together.unwrap_or_else(|| self.network.features_with_preact(images))
    }

    /// Pooled features and logits alone.
    pub fn summary(&self, images: Tensor<4>) -> Features {
        let images = images.inner();
        let together = self.of_ensemble(&images);
        together.unwrap_or_else(|| self.network.summary(images))
    }

    /// The network itself; of an ensemble, the first.
    pub fn network(&self) -> &T {
        &self.network
    }

    /// The linear classifier; `None` for a network whose head has more than one layer, and for an
    /// ensemble.
    pub fn classifier(&self) -> Option<Classifier> {
        match self.ensemble {
            None => self.network.classifier(),
            Some(_) => None,
        }
    }

    /// Scale and shift of the last batch norm of each stage, the stem's first; `None` for a network
    /// whose stages do not end in one, and for an ensemble.
    pub fn norms(&self) -> Option<Vec<NormAffine>> {
        if self.is_ensemble() {
            return None;
        }
        let stages = 0..=self.network.stages();
        stages.map(|stage| self.network.last_norm(stage)).collect()
    }

    /// The same teacher in its fastest form, batch norms folded into the convolutions before them:
    /// the same features but for rounding.
    pub fn folded(self) -> Self {
        Self {
            network: self.network.for_inference(),
            ensemble: self.ensemble.map(|ensemble| Ensemble {
                others: ensemble.others.iter().map(T::for_inference).collect(),
                ..ensemble
            }),
            ..self
        }
    }

    /// A copy on another plain device.
    pub(crate) fn replica(&self, device: &Device) -> Self {
        // A clone shares running statistics and to move it moves them; what `valid` makes does not.
        let moved = |network: &T| network.valid().to_device(device);
        let ensemble = self.ensemble.as_ref();
        Self {
            name: self.name.clone(),
            network: moved(&self.network),
            ensemble: ensemble.map(|ensemble| Ensemble {
                others: ensemble.others.iter().map(moved).collect(),
                average: ensemble.average,
                shares: ensemble.shares.clone(),
            }),
        }
    }
}
