//! Routing of a pair of networks during training.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use kd_core::{FeatureShapes, Features, Frozen, Network, Reads, Site, initialize};
use kd_losses::cross_entropy;
use kd_nn::Draws;

use crate::{Convention, Cuts, Gates, GraftConfig, Router, RoutingConfig, RoutingMode, SpotError};

/// What chooses the gates of each batch, for a teacher `T`; as a module, what routing trains.
#[derive(Module, Debug)]
pub struct Routing<T: Network> {
    /// The policy and the adapters of the grafted network, if a policy chooses.
    pub router: Option<Router>,
    /// The teacher, if it is trained too: in evaluation form, with its batch norms folded where
    /// that is possible, or as a network in training by [`Convention::Sakd`].
    pub teacher: Option<T>,
    /// The teacher in the grafted network, if it is not trained.
    grafted: Frozen<Option<T>>,
    /// The gates of `fixed`, `[1, spots]`.
    fixed: Frozen<Option<Tensor<2>>>,
    /// How samples are chosen.
    #[module(skip)]
    pub mode: RoutingMode,
    /// Whose rules the mode follows.
    #[module(skip)]
    pub convention: Convention,
    /// Where the networks are cut.
    #[module(skip)]
    pub cuts: Cuts,
    /// Probability of being distilled, for `random`.
    probability: f64,
    /// Factor of cross-entropies in the loss.
    label_factor: f64,
    /// Whether the logits have the gate of the last cut.
    shares_last: bool,
    /// The student's pooling stage.
    pool: usize,
}

impl<T: Network> Routing<T> {
    /// The routing of a pair of networks for losses that act at these sites; `None` if all samples
    /// are distilled.
    ///
    /// `device` is the one that the student trains on.
    ///
    /// # Errors
    ///
    /// If the networks cannot be cut there, if the number of fixed gates is not that of the spots,
    /// or as [`RouterConfig::init`](crate::RouterConfig::init).
    pub fn new(
        config: &RoutingConfig,
        sites: &[Site],
        student: &FeatureShapes,
        (teacher, shapes): (&T, &FeatureShapes),
        device: &Device,
    ) -> Result<Option<Self>, SpotError> {
        let mode = config.mode;
        if mode == RoutingMode::Always {
            return Ok(None);
        }
        let cuts = config.cuts.clone().unwrap_or_default();
        let cuts = cuts.cuts(sites, student, shapes)?;
        // Whether there are such stages, also where nothing is grafted.
        GraftConfig::at(&cuts, student, shapes)?;
        let pool = student.maps.len();
        let mut routing = Self {
            router: None,
            teacher: None,
            grafted: Frozen(None),
            fixed: Frozen(None),
            mode,
            convention: config.convention,
            probability: config.probability.unwrap_or(0.5),
            label_factor: match config.is_sakd_random() || config.is_sakd_joint() {
                true => config.gamma.unwrap_or(1.0),
                false => 1.0,
            },
            shares_last: config.is_sakd_random() && sites.contains(&Site::EachStage),
            pool,
            cuts: cuts.clone(),
        };
        if mode == RoutingMode::Fixed {
            routing.fixed = Frozen(Some(fixed_gates(config, &cuts, pool, device)?));
        }
        if mode.has_policy() {
            let router = config.router().init(cuts, student, shapes, device)?;
            routing.router = Some(initialize(router));
            let folded = || teacher.for_inference();
            if config.is_sakd_joint() {
                // A copy with running statistics of its own.
                routing.teacher = Some(teacher.valid().train().set_require_grad(true));
            } else if mode == RoutingMode::Joint {
                // Batch norms that are not folded keep their running statistics.
                routing.teacher = Some(folded().train().freeze().set_require_grad(true));
            } else {
                routing.grafted = Frozen(Some(folded()));
            }
        }
        Ok(Some(routing))
    }

    /// A copy on another training device, with all that it holds, and running statistics of its own.
    #[must_use]
    pub fn replica(mut self, device: &Device) -> Self {
        let grafted = self.grafted.0.take();
        let fixed = self.fixed.0.take();
        let plain = device.clone().without_autodiff();
        // A clone shares running statistics and to move it moves them; what `valid` makes does not.
        let mut copy = self.valid().train().fork(device);
        copy.grafted = Frozen(grafted.map(|network| network.valid().to_device(&plain)));
        copy.fixed = Frozen(fixed.map(|gates| gates.to_device(&plain)));
        copy
    }

    /// Names of the spots.
    pub fn spots(&self) -> Vec<String> {
        self.cuts.names(self.pool)
    }

    /// The teacher, if it is trained as the student is, by all terms of the loss:
    /// [`Convention::Sakd`].
    pub fn trained_teacher(&self) -> Option<&T> {
        self.teacher
            .as_ref()
            .filter(|_| self.convention == Convention::Sakd)
    }

    /// Factor of cross-entropies with the labels in the loss: `gamma` by [`Convention::Sakd`], 1
    /// otherwise.
    pub fn label_factor(&self) -> f64 {
        self.label_factor
    }

    /// How much is read of the teacher.
    pub fn reads(&self) -> Reads {
        if self.router.is_none() {
            Reads::Nothing
        } else if self.cuts.stages(0).0 < self.pool {
            Reads::Maps
        } else {
            Reads::Pooled
        }
    }

    /// The gates of a batch; what is drawn comes from `draws`, or from the device's own generator.
    pub fn choose(&self, student: &Features, teacher: &Features, draws: Option<&Draws>) -> Gates {
        let [batch, _] = student.logits.dims();
        match (&self.router, &self.fixed.0) {
            (Some(router), _) => {
                router.choose(student.pooled.clone(), teacher.pooled.clone(), draws)
            }
            (None, Some(row)) => Gates::new(row.clone().repeat_dim(0, batch)),
            (None, None) => {
                let device = student.logits.device();
                let draw = |spots| {
                    let uniform = kd_nn::uniform(draws, 0, [batch, spots], &device);
                    Gates::random(self.probability, uniform)
                };
                match self.shares_last {
                    true => draw(self.cuts.count()).with_last_repeated(),
                    false => draw(self.cuts.spots()),
                }
            }
        }
    }

    /// Logits `[batch, classes]` of the grafted network for images `[batch, channels, height,
    /// width]`; `None` if no policy chooses.
    ///
    /// # Panics
    ///
    /// As [`Router::grafted`].
    pub fn grafted<S: Network>(
        &self,
        student: &S,
        gates: &Gates,
        images: Tensor<4>,
        teacher: &Features,
    ) -> Option<Tensor<2>> {
        let router = self.router.as_ref()?;
        let images = images.inner();
        if let Some(trained) = self.trained_teacher() {
            let frozen = trained.for_inference();
            return Some(router.grafted(gates, (student, &frozen), images, None));
        }
        Some(match (&self.teacher, &self.grafted.0) {
            (Some(trained), _) => router.grafted(gates, (student, trained), images, None),
            (None, Some(frozen)) => router.grafted(gates, (student, frozen), images, Some(teacher)),
            (None, None) => return None,
        })
    }

    /// The routing objective of a batch, `[1]`, of which only what routing trains has gradients;
    /// `None` if no policy chooses.
    ///
    /// # Shapes
    ///
    /// - grafted: `[batch, classes]`, the logits of the [grafted network](Self::grafted)
    /// - labels: `[batch]`
    /// - ce: `[1]`, the student's cross-entropy
    pub fn objective(
        &self,
        gates: &Gates,
        grafted: Tensor<2>,
        labels: Tensor<1, Int>,
        ce: Tensor<1>,
    ) -> Option<Tensor<1>> {
        let router = self.router.as_ref()?;
        Some(match self.trained_teacher() {
            Some(_) => cross_entropy(grafted, labels) * router.gamma,
            None => router.objective(gates, grafted, labels, ce),
        })
    }
}

/// The gates that a configuration says, `[1, spots]`.
fn fixed_gates(
    config: &RoutingConfig,
    cuts: &Cuts,
    pool: usize,
    device: &Device,
) -> Result<Tensor<2>, SpotError> {
    let gates = config.gates.clone().ok_or(SpotError::NoGates)?;
    if gates.len() != cuts.spots() {
        return Err(SpotError::GateCount {
            gates,
            spots: cuts.names(pool).join(", "),
        });
    }
    let row: Vec<f32> = gates.iter().map(|on| f32::from(*on)).collect();
    let device = device.clone().without_autodiff();
    Ok(Tensor::<1>::from_floats(&*row, &device).unsqueeze_dim(0))
}
