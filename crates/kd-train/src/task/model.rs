//! All that is trained together, and what a batch makes of it.

use std::borrow::Cow;

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use kd_core::{DifferentiableHead, Features, Frozen, Network, Reads, Requirements, Site};
use kd_data::Batch;
use kd_losses::{DistillationLoss, Pretrain, Step, Term, cross_entropy};
use kd_nn::Draws;
use kd_spot::{Gates, Routing};

use super::losses::{Losses, WeightedSum};
use super::statistics::Statistics;
use super::teacher::FrozenTeacher;

/// A student, the terms of its loss with their adapters, what routing trains, and the teacher, which
/// is not a part of the module's parameters: one module, one optimizer, one checkpoint.
#[derive(Module, Debug)]
pub struct DistillModel<S: Network, T: Network, L: DistillationLoss> {
    /// The network that is trained; in mutual learning, the first of several.
    pub student: S,
    /// The other networks of mutual learning, each trained as the student is.
    pub peers: Vec<S>,
    /// The terms of its loss.
    pub losses: Vec<Term<L>>,
    /// What chooses the samples to distill; absent if all are.
    pub routing: Option<Routing<T>>,
    /// The teacher; absent if the student learns from labels alone.
    pub teacher: Frozen<Option<FrozenTeacher<T>>>,
    /// Where the random numbers of a step come from; absent: from the device's own generator.
    pub draws: Frozen<Option<Draws>>,
}

/// What a forward pass gives.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// The losses.
    pub losses: Losses,
    /// The student's logits `[batch, classes]`.
    pub logits: Tensor<2>,
    /// The teacher's logits `[batch, classes]`, if there is a teacher.
    pub teacher: Option<Tensor<2>>,
    /// The labels `[batch]`.
    pub labels: Tensor<1, Int>,
    /// What was chosen to be distilled, if there is routing.
    pub gates: Option<Gates>,
    /// The grafted network's logits `[batch, classes]`, if a policy chooses.
    pub grafted: Option<Tensor<2>>,
    /// What the other networks of mutual learning give, in order.
    pub peers: Vec<PeerOutput>,
}

/// What a forward pass gives for another network of mutual learning.
#[derive(Clone, Debug)]
pub struct PeerOutput {
    /// Its losses.
    pub losses: Losses,
    /// Its logits `[batch, classes]`.
    pub logits: Tensor<2>,
}

impl StepOutput {
    /// What the backward pass starts from, `[1]`: the losses of all networks, and the routing
    /// objective. No network's loss has a gradient in another.
    pub fn root(&self) -> Tensor<1> {
        let peers = self.peers.iter();
        peers.fold(self.losses.root(), |sum, peer| sum + peer.losses.root())
    }
}

impl<S: Network, T: Network, L: DistillationLoss> DistillModel<S, T, L> {
    /// The losses of a batch, on the student's training device.
    ///
    /// `teacher` are the teacher's features of the images, if they are known already, and `epoch`
    /// is the number of the epoch `[1]`, for losses with a warm-up. Nothing is uploaded, drawn on
    /// the host or read back.
    ///
    /// It is [`student_features`](Self::student_features),
    /// [`teacher_features`](Self::teacher_features), [`choose`](Self::choose), and
    /// [`forward_with_gates`](Self::forward_with_gates): that is [`terms`](Self::terms) and
    /// [`graft`](Self::graft).
    ///
    /// # Panics
    ///
    /// If the batch has another shape than the networks take, or if there is no term.
    pub fn forward(
        &self,
        batch: &Batch,
        teacher: Option<Features>,
        epoch: Option<&Tensor<1>>,
    ) -> StepOutput {
        if !self.peers.is_empty() {
            return self.forward_mutual(batch, epoch);
        }
        let student = self.student_features(batch);
        let known = teacher.filter(|_| self.teacher.is_some());
        let teacher = known.or_else(|| self.teacher_features(batch));
        let gates = self.choose(&student, teacher.as_ref());
        self.forward_with_gates(batch, (student, teacher), gates, epoch)
    }

    /// What is needed of the student's features of a batch.
    pub fn student_features(&self, batch: &Batch) -> Features {
        features(&self.student, &self.needs(), batch.images.clone())
    }

    /// What is needed of the teacher's features of a batch; `None` without a teacher.
    pub fn teacher_features(&self, batch: &Batch) -> Option<Features> {
        if let Some(trained) = self.trained_teacher() {
            return Some(features(trained, &self.needs(), batch.images.clone()));
        }
        let teacher = self.current_teacher()?;
        let images = batch.images.clone().inner();
        Some(teacher_features(&teacher, &self.needs(), images))
    }

    /// Which samples are distilled at which spot; `None` without routing or teacher.
    pub fn choose(&self, student: &Features, teacher: Option<&Features>) -> Option<Gates> {
        let draws = self.draws.as_ref();
        Some(self.routing.as_ref()?.choose(student, teacher?, draws))
    }

    /// The losses of a batch whose features are known, for gates that are given: those that the
    /// routing [chose](Self::choose), or others. Without gates, all samples are distilled.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if a policy is trained and the gates are not its own.
    pub fn forward_with_gates(
        &self,
        batch: &Batch,
        (student, teacher): (Features, Option<Features>),
        gates: Option<Gates>,
        epoch: Option<&Tensor<1>>,
    ) -> StepOutput {
        let features = (&student, teacher.as_ref());
        let mut losses = self.terms(batch, features, gates.as_ref(), epoch);
        let mut grafted = None;
        if let Some((logits, objective)) = self.graft(batch, features, gates.as_ref()) {
            grafted = Some(logits);
            losses.routing = Some(objective);
        }
        StepOutput {
            losses,
            logits: student.logits,
            teacher: teacher.map(|teacher| teacher.logits),
            labels: batch.labels.clone(),
            gates,
            grafted,
            peers: Vec::new(),
        }
    }

    /// The grafted network's logits `[batch, classes]` for a batch whose features are known, and the
    /// routing objective `[1]`; `None` if no policy chooses.
    ///
    /// # Panics
    ///
    /// As [`forward_with_gates`](Self::forward_with_gates).
    pub fn graft(
        &self,
        batch: &Batch,
        (student, teacher): (&Features, Option<&Features>),
        gates: Option<&Gates>,
    ) -> Option<(Tensor<2>, Tensor<1>)> {
        let (routing, gates) = (self.routing.as_ref()?, gates?);
        let logits = routing.grafted(&self.student, gates, batch.images.clone(), teacher?)?;
        let labels = batch.labels.clone();
        let ce = cross_entropy(student.logits.clone().inner(), labels.clone().inner());
        let objective = routing.objective(gates, logits.clone(), labels, ce)?;
        Some((logits, objective))
    }

    /// The loss of a term's phase before the main one, `[1]`; `None` for a term without one.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if there is no such term or no teacher.
    pub fn pretrain(&self, index: usize, batch: &Batch) -> Option<Tensor<1>> {
        let term = &self.losses[index];
        let Some(teacher) = &self.teacher.0 else {
            panic!("{}: pretraining needs a teacher", term.label);
        };
        let needs = term.requirements;
        let images = batch.images.clone();
        let teacher = teacher_features(teacher, &needs, images.clone().inner());
        let draws = self.draws_of_term(index);
        let loss = |student: &Features| {
            let step = step_of(batch, student, &teacher, None, draws.as_ref());
            term.pretrain(&step)
        };
        match term.pretrain {
            Pretrain::None => None,
            // The student takes no part: the teacher's features stand for both.
            Pretrain::Adapters => loss(&teacher),
            Pretrain::Student => loss(&features(&self.student, &needs, images)),
        }
    }

    /// The terms of a batch whose features are known, and their weighted sum.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn terms(
        &self,
        batch: &Batch,
        (student, teacher): (&Features, Option<&Features>),
        gates: Option<&Gates>,
        epoch: Option<&Tensor<1>>,
    ) -> Losses {
        let terms = self.losses.iter().enumerate();
        let active = terms.filter(|(_, term)| term.is_active());
        // A loss that runs the student again does not move its statistics.
        let runs_again = active.clone().any(|(_, term)| term.requirements.networks);
        let statistics = runs_again.then(|| Statistics::of(&self.student));
        let network = runs_again.then(|| self.current_teacher()).flatten();
        let trains_teacher = self.trained_teacher().is_some();
        let factor = self.routing.as_ref().map_or(1.0, Routing::label_factor);
        let mut losses = WeightedSum::default();
        for (index, term) in active {
            let draws = self.draws_of_term(index);
            let draws = draws.as_ref();
            let mut step = step_of(batch, student, teacher.unwrap_or(student), epoch, draws);
            if let Some(network) = &network {
                let teacher: &dyn DifferentiableHead = network.network();
                step = step.with_networks(&self.student, teacher);
            }
            let chosen = match (&self.routing, gates) {
                (Some(routing), Some(gates)) => {
                    let spots = term.spots(self.student.stages());
                    Some(gates.at(&routing.cuts, &spots))
                }
                _ => None,
            };
            if let Some(chosen) = &chosen {
                step = step.with_gates(chosen).scaled_by_share();
            }
            if trains_teacher {
                step = step.training_teacher();
            }
            let of_labels = term.requirements.site == Site::Labels;
            let weight = term.weight * if of_labels { factor } else { 1.0 };
            losses.add(term.label.clone(), term.forward(&step), weight);
            if let (true, true, Some(teacher)) = (of_labels, trains_teacher, teacher) {
                let own = step_of(batch, teacher, teacher, epoch, draws);
                let label = format!("teacher {}", term.label);
                losses.add(label, term.forward(&own), weight);
            }
        }
        if let Some(statistics) = statistics {
            statistics.restore(&self.student);
        }
        losses.finish()
    }

    /// What a term draws from: routing has stream 0.
    fn draws_of_term(&self, index: usize) -> Option<Draws> {
        let draws = self.draws.as_ref()?;
        Some(draws.stream(index as u32 + 1))
    }

    /// A teacher that is trained as the student is, by all terms.
    pub fn trained_teacher(&self) -> Option<&T> {
        self.routing.as_ref()?.trained_teacher()
    }

    /// The teacher as it is now: one that is trained is another one in each step.
    fn current_teacher(&self) -> Option<Cow<'_, FrozenTeacher<T>>> {
        let teacher = self.teacher.0.as_ref()?;
        let trained = self.routing.as_ref().and_then(|r| r.teacher.as_ref());
        Some(match trained {
            Some(network) => Cow::Owned(FrozenTeacher::new(teacher.name(), network)),
            None => Cow::Borrowed(teacher),
        })
    }

    /// What the active terms read together.
    fn needs(&self) -> Needs {
        let active = self.losses.iter().filter(|term| term.is_active());
        let mut needs = Needs {
            reads: self.routing.as_ref().map_or(Reads::Nothing, Routing::reads),
            preact: false,
        };
        for term in active {
            needs.reads = needs.reads.max(term.requirements.reads());
            needs.preact |= term.requirements.preact;
        }
        needs
    }

    /// For each spot of routing, whether a loss acts there: elsewhere a choice only leads through
    /// the grafted network. Empty without routing.
    pub fn distills(&self) -> Vec<bool> {
        let Some(routing) = &self.routing else {
            return Vec::new();
        };
        let active = self.losses.iter().filter(|term| term.is_active());
        let stages = active.flat_map(|term| term.spots(self.student.stages()));
        let acting: Vec<usize> = stages.map(|stage| routing.cuts.spot_of(stage)).collect();
        let spots = 0..routing.cuts.spots();
        spots.map(|spot| acting.contains(&spot)).collect()
    }

    /// How much of the teacher is read in the main phase.
    pub fn reads(&self) -> Reads {
        self.needs().reads
    }
}

/// What is to be computed of a network.
#[derive(Clone, Copy)]
struct Needs {
    reads: Reads,
    preact: bool,
}

impl From<Requirements> for Needs {
    fn from(requirements: Requirements) -> Self {
        Self {
            reads: requirements.reads(),
            preact: requirements.preact,
        }
    }
}

/// What all terms read of a batch.
pub(super) fn step_of<'a>(
    batch: &'a Batch,
    student: &'a Features,
    teacher: &'a Features,
    epoch: Option<&'a Tensor<1>>,
    draws: Option<&'a Draws>,
) -> Step<'a> {
    let mut step = Step::new(student, teacher)
        .with_labels(&batch.labels)
        .with_indices(&batch.indices)
        .with_images(&batch.images);
    if let Some(epoch) = epoch {
        step = step.with_epoch(epoch);
    }
    if let Some(draws) = draws {
        step = step.with_draws(draws);
    }
    step
}

/// The features of a network that are needed.
fn features<N: Network>(
    network: &N,
    needs: &(impl Into<Needs> + Copy),
    images: Tensor<4>,
) -> Features {
    let Needs { reads, preact } = (*needs).into();
    match reads {
        _ if preact => network.features_with_preact(images),
        Reads::Maps => network.features(images),
        Reads::Nothing | Reads::Logits | Reads::Pooled => network.summary(images),
    }
}

/// The features of a teacher that are needed.
fn teacher_features<T: Network>(
    teacher: &FrozenTeacher<T>,
    needs: &(impl Into<Needs> + Copy),
    images: Tensor<4>,
) -> Features {
    match teacher.is_ensemble() {
        true => teacher.summary(images),
        false => features(teacher.network(), needs, images),
    }
}
