//! What a task is made of.

use burn::tensor::Device;
use kd_core::{Frozen, Network, Site, initialize};
use kd_data::Loader;
use kd_losses::{LossConfig, Method, Setup, TermConfig};
use kd_spot::{Routing, RoutingConfig, RoutingMode};

use super::{
    DistillModel, DistillTask, Ema, FrozenTeacher, Groups, OptimizerConfig, Rates,
    check_logits_are_enough, check_mutual,
};
use crate::TrainError;

/// The terms of a loss, routing and optimizer of a [`DistillTask`].
///
/// `C` is the kind of losses: [`Method`] for those of `kd-losses`, a [`LossConfig`] of your own, or
/// both by [`EitherConfig`](kd_losses::EitherConfig).
#[derive(Clone, Debug)]
pub struct TaskConfig<C = Method> {
    /// The terms. Without any, the student learns from labels alone.
    pub losses: Vec<TermConfig<C>>,
    /// Which samples are distilled where.
    pub routing: RoutingConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// Whether the teacher is brought into its fastest form.
    pub fold_teacher: bool,
    /// Decay of the average of the student's weights, if one is kept.
    pub ema_decay: Option<f64>,
}

/// What losses want to know of the training images.
#[derive(Clone, Debug)]
pub struct DataInfo {
    /// Shape `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Labels of all training images, in the order of their indices.
    pub labels: Vec<usize>,
    /// Images in a batch.
    pub batch_size: usize,
}

impl DataInfo {
    /// Of the images of a loader.
    pub fn of(loader: &Loader) -> Self {
        let set = loader.set();
        Self {
            input: [set.channels(), set.height(), set.width()],
            labels: (0..set.len()).map(|index| set.label(index)).collect(),
            batch_size: loader.config().batch_size,
        }
    }
}

impl<C: LossConfig> Default for TaskConfig<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: LossConfig> TaskConfig<C> {
    /// No term yet, all samples distilled, SGD.
    pub fn new() -> Self {
        Self {
            losses: Vec::new(),
            routing: RoutingConfig::default(),
            optimizer: OptimizerConfig::default(),
            fold_teacher: false,
            ema_decay: None,
        }
    }

    /// Adds a term.
    pub fn with_term(mut self, loss: impl Into<C>, weight: f64) -> Self {
        self.losses.push(TermConfig::new(loss, weight));
        self
    }

    /// Sets the routing.
    pub fn with_routing(mut self, routing: RoutingConfig) -> Self {
        self.routing = routing;
        self
    }

    /// Sets the optimizer.
    pub fn with_optimizer(mut self, optimizer: OptimizerConfig) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Initializes adapters, router and optimizer for a student, on the device that it trains on,
    /// and a teacher.
    ///
    /// # Errors
    ///
    /// If there is no term, or two of one name; if a loss cannot compare these networks; if a
    /// teacher is missing; if the networks cannot be cut for routing; or if a value is out of range.
    pub fn init<S: Network, T: Network>(
        &self,
        student: S,
        teacher: Option<FrozenTeacher<T>>,
        data: &DataInfo,
        device: &Device,
    ) -> Result<DistillTask<S, T, C::Loss>, TrainError> {
        self.init_among((student, Vec::new()), teacher, data, device)
    }

    /// Initializes mutual learning (Zhang et al. 2018, Deep Mutual Learning,
    /// <https://arxiv.org/abs/1706.00384>) of networks on the device that they train on: each is a
    /// student, and the others are its teachers. The loss of a network is that of its labels, and the
    /// mean over the others of each term that compares with a teacher, which is a constant.
    ///
    /// There is one optimizer, which is the same as one for each network: its updates are elementwise,
    /// and gradients are clipped by the norm of each network apart.
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init), or if a term reads more than logits, if there is routing, or an
    /// average of weights.
    pub fn init_mutual<S: Network>(
        &self,
        student: S,
        peers: Vec<S>,
        data: &DataInfo,
        device: &Device,
    ) -> Result<DistillTask<S, S, C::Loss>, TrainError> {
        self.init_among((student, peers), None, data, device)
    }

    pub(crate) fn init_among<S: Network, T: Network>(
        &self,
        (student, peers): (S, Vec<S>),
        teacher: Option<FrozenTeacher<T>>,
        data: &DataInfo,
        device: &Device,
    ) -> Result<DistillTask<S, T, C::Loss>, TrainError> {
        self.check(teacher.is_some() || !peers.is_empty())?;
        if !peers.is_empty() {
            check_mutual(&self.losses, &self.routing, self.ema_decay)?;
        }
        if teacher.as_ref().is_some_and(FrozenTeacher::is_ensemble) {
            check_logits_are_enough("an ensemble of teachers", &self.losses, &self.routing)?;
        }
        let optimizer = self.optimizer.clone().resolved()?;
        let routing = self.routing.clone().resolved(optimizer.rate())?;
        let plain = device.clone().without_autodiff();
        // The student's initial weights come first, so that they do not depend on the losses.
        let student = initialize(student);
        let peers: Vec<S> = peers.into_iter().map(initialize).collect();
        let shapes = student.feature_shapes(data.input, &plain);
        let of_teacher = match &teacher {
            Some(teacher) => teacher.shapes(data.input, &plain),
            None => shapes.clone(),
        };
        let mut setup = Setup::new(shapes.clone(), of_teacher.clone())
            .with_labels(data.labels.clone())
            .with_batch(data.batch_size);
        if let Some(teacher) = &teacher {
            setup.classifier = teacher.classifier();
            setup.norms = teacher.norms();
        }
        let mut losses = Vec::with_capacity(self.losses.len());
        for config in &self.losses {
            let term = initialize(config.init(&setup, device)?);
            if let Some(alignment) = &term.alignment {
                tracing::info!("{}: {alignment} are compared", term.label);
            }
            losses.push(term);
        }
        let sites: Vec<Site> = losses
            .iter()
            .filter(|term| term.is_active())
            .map(|term| term.requirements.site)
            .collect();
        let routes = match &teacher {
            Some(teacher) => {
                let teacher = (teacher.network(), &of_teacher);
                Routing::new(&routing, &sites, &shapes, teacher, device)?
            }
            None => None,
        };
        let teacher = match self.fold_teacher {
            true => teacher.map(FrozenTeacher::folded),
            false => teacher,
        };
        let groups = Groups::new()?;
        let model = DistillModel {
            student,
            peers,
            losses,
            routing: routes,
            teacher: Frozen(teacher),
            draws: Frozen(None),
        };
        let rates = Rates::of(optimizer.rate(), &routing);
        Ok(DistillTask {
            optimizer: optimizer.init(&model, routing.weight_decay.unwrap_or(0.0), &groups),
            ema: self.ema_decay.map(|decay| Ema::new(&model.student, decay)),
            clip_norm: optimizer.clip_norm,
            rates: rates.by_group(&groups),
            device: plain,
            epoch: None,
            in_place: None,
            groups,
            model,
        })
    }

    /// What can be wrong before anything is initialized.
    fn check(&self, teacher: bool) -> Result<(), TrainError> {
        if !self.losses.iter().any(|term| term.weight != 0.0) {
            return Err(TrainError::Missing {
                field: "losses",
                hint: "give at least one term a weight above 0".to_owned(),
            });
        }
        for (index, term) in self.losses.iter().enumerate() {
            let mut before = self.losses[..index].iter();
            if before.any(|other| other.label() == term.label()) {
                let expected = "a unique name: give one of the terms a `label`";
                let label = format!("`{}` twice", term.label());
                return Err(TrainError::value("losses", label, expected));
            }
            let requirements = term.loss.requirements();
            if !teacher && requirements.site != Site::Labels {
                return Err(TrainError::Missing {
                    field: "teacher",
                    hint: format!("the loss `{}` compares with one", term.label()),
                });
            }
            if self.routing.mode == RoutingMode::Joint && requirements.teacher_weights {
                return Err(TrainError::Conflict {
                    field: "routing.mode: joint",
                    other: format!("the loss `{}`, which copies teacher weights", term.label()),
                });
            }
            let compares = requirements.site != Site::Labels;
            if self.routing.is_sakd_joint() && compares && !requirements.teacher_gradient {
                return Err(TrainError::conflict(
                    "routing.convention: sakd",
                    format!("the loss `{}`, which cannot train a teacher", term.label()),
                ));
            }
        }
        if let Some(decay) = self.ema_decay.filter(|decay| !(0.0..1.0).contains(decay)) {
            let expected = "a number from 0 to below 1";
            return Err(TrainError::value("train.ema_decay", decay, expected));
        }
        Ok(())
    }
}
