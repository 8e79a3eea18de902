//! A recipe carried out: one loop over its phases.

pub(crate) mod checkpoint;
pub(crate) mod events;
mod extension;
pub(crate) mod files;
pub(crate) mod folder;
mod found;
mod history;
mod in_parallel;
mod inputs;
mod lock;
mod memory;
mod observer;
mod on_device;
mod parts;
mod peers;
mod phase;
mod progress;
mod rates;
mod records;
mod result;
mod routing_record;
mod state;
mod steps;
mod subfolders;
mod teacher;
mod warm_up;

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use kd_core::{Network, Reads, seed};
use kd_data::{ImageSet, Loader, LoaderConfig};
use kd_losses::{DistillationLoss, LossConfig};
use kd_models::weights::count_parameters;
use kd_spot::{GateCounts, RoutingMode};

pub use events::heat_color;
pub use history::RunHistory;
pub use observer::{NoopObserver, Observer, PretrainEpoch, RunStart, StepProgress, TeacherStart};
pub use parts::{Parts, Setting, Trained, load_teacher, load_teachers};
pub use progress::RunProgress;
pub use result::{EvaluatedOn, PeerResult, RunResult};
pub use routing_record::RoutingRecord;
pub use state::RunState;
pub use subfolders::subfolders;
pub use teacher::warn_of_other_data;
pub use warm_up::warm_up;

use self::checkpoint::State;
use self::events::EventLog;
use self::extension::Extension;
use self::folder::RunFolder;
use self::found::Found;
use self::inputs::Inputs;
use self::lock::RunLock;
use self::parts::{PeerPart, TeacherPart};
use self::peers::{Peer, PeerMeters, both};
use self::phase::{Objective, Phase, phases};
use self::progress::Reported;
use self::rates::{rates, rates_at};
use self::result::best;
use self::steps::Steps;
use crate::metrics::twelve_digits;
use crate::non_finite::Moment;
use crate::task::LossMeter;
use crate::{
    DataInfo, DistillTask, EpochMetrics, Recipe, TeacherCache, TeacherCacheConfig, TrainError,
    TrainMetrics, gpu_name, guard_device,
};

/// Images in a batch of evaluation; it does not change the numbers.
const EVALUATION_BATCH: usize = 100;

/// Where a run writes, and whether it continues.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run's folder.
    pub out: PathBuf,
    /// Whether the run that the folder holds is continued.
    pub resume: Resume,
    /// Whether a run that is continued may be made longer: the recipe may have more epochs than the
    /// run. Milestones stay where they were unless the recipe names others than the usual ones; other
    /// schedules are those of the longer run from there on. What becomes of it is told by
    /// [`RunStart::notes`].
    pub extend: bool,
}

/// Whether a run is continued. One that is needs the same recipe, and images and weights of the same
/// contents, wherever they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// It starts; a folder that holds a run is refused.
    #[default]
    No,
    /// It is continued; a folder without a run is refused.
    Required,
    /// It is continued if the folder holds it, and starts otherwise.
    IfThere,
}

impl RunOptions {
    /// A new run in `out`.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            out: out.into(),
            resume: Resume::No,
            extend: false,
        }
    }

    /// A run in `out` that is continued if it is there.
    pub fn resuming(out: impl Into<PathBuf>) -> Self {
        Self {
            resume: Resume::IfThere,
            ..Self::new(out)
        }
    }
}

/// Carries out a recipe.
///
/// All that can be wrong with recipe, data, weights and device is found before the folder is
/// touched. A folder has one run at a time: a second process that wants it is refused.
///
/// # Errors
///
/// See [`TrainError`].
pub fn run(
    recipe: &Recipe,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<RunResult, TrainError> {
    run_with(recipe, Parts::of(recipe)?, options, observer)
}

/// Carries out a recipe with networks and losses of your own. The student's and the teacher's
/// sections of the recipe are not read; everything else is, and works as for the built-in networks:
/// routing, phases, checkpoints, records. The recipe need not be [resolved](Recipe::resolved), which
/// without these parts may miss a teacher; here it is.
///
/// # Errors
///
/// See [`TrainError`].
pub fn run_with<S, T, C>(
    recipe: &Recipe,
    parts: Parts<S, T, C>,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<RunResult, TrainError>
where
    S: Network,
    T: Network,
    C: LossConfig + From<kd_losses::Method>,
{
    let beside = parts.beside();
    let asked = &recipe.clone().resolved_beside(beside)?;
    let find = || Found::at((asked, beside), options);
    let found = find()?;
    if let Some(result) = found.complete_in_place() {
        return Ok(result);
    }
    let recipe = &found.recipe;
    let devices = recipe.compute.open_all()?;
    let splits = recipe.load_data()?;
    let inputs = match parts.are_of_recipe {
        true => Inputs::of(recipe, &splits)?,
        false => Inputs::of_images(&splits)?,
    };
    found.check(&inputs)?;
    if let Some(result) = found.complete() {
        // It only moved.
        let _lock = RunLock::take(&options.out)?;
        found.take(&found.check(&inputs)?)?;
        return Ok(result);
    }
    guard_device(recipe.data.batch_size, || {
        let (runner, task) = Runner::new(recipe, parts, splits.train, splits.test, devices)?;
        let _lock = RunLock::take(&options.out)?;
        // Another process may have been at it until now.
        let found = find()?;
        let inputs = found.check(&inputs)?;
        if let Some(result) = found.complete() {
            return Ok(result);
        }
        found.take(&inputs)?;
        let session = Session {
            folder: &found.folder,
            inputs,
            extension: found.extension.as_ref(),
        };
        runner.run(task, session, observer)
    })
}

/// The folder of a run, and what is known of the run from it.
struct Session<'a> {
    folder: &'a RunFolder,
    inputs: Inputs,
    extension: Option<&'a Extension>,
}

/// By class and spot, the share of samples that were distilled; absent for a class without images.
type ByClass = Vec<Option<Vec<f64>>>;

/// Everything that stays the same during a run.
struct Runner<'a, S, T> {
    recipe: &'a Recipe,
    names: Names,
    save_student: SaveWith<S>,
    peers: Vec<Peer<S>>,
    save_teacher: Option<SaveWith<T>>,
    train: Loader,
    test: Loader,
    /// The plain device; the first of all.
    plain: Device,
    devices: Vec<Device>,
    phases: Vec<Phase>,
    cache: std::cell::RefCell<Option<TeacherCache>>,
}

type SaveWith<N> = Box<dyn Fn(&N, &std::path::Path, &Trained<'_>) -> Result<(), TrainError>>;

/// What stays the same during a run, and what is trained.
type Prepared<'a, S, T, L> = (Runner<'a, S, T>, DistillTask<S, T, L>);

/// What an epoch leaves behind: the task, its metrics, those of further networks, and what was
/// distilled.
type AfterEpoch<S, T, L> = (
    DistillTask<S, T, L>,
    TrainMetrics,
    Vec<TrainMetrics>,
    ByClass,
);

/// What a run is called.
struct Names {
    student: String,
    teacher: Option<String>,
    terms: Vec<String>,
}

impl<'a, S: Network, T: Network> Runner<'a, S, T> {
    fn new<C: LossConfig + From<kd_losses::Method>>(
        recipe: &'a Recipe,
        parts: Parts<S, T, C>,
        train: ImageSet,
        test: ImageSet,
        devices: Vec<Device>,
    ) -> Result<Prepared<'a, S, T, C::Loss>, TrainError> {
        let plain = devices[0].clone();
        let setting = Setting {
            classes: train.classes(),
            input: [train.channels(), train.height(), train.width()],
            device: plain.clone().autodiff(),
        };
        let batch_size = recipe.data.batch_size.unwrap_or(64);
        let config = LoaderConfig {
            augmentation: recipe.augmentation([train.height(), train.width()]),
            workers: recipe.data.workers,
            ..LoaderConfig::train(batch_size, recipe.train.seed)
        };
        let train = Loader::new(train, config)?;
        let config = LoaderConfig {
            workers: recipe.data.workers,
            ..LoaderConfig::evaluate(EVALUATION_BATCH)
        };
        let test = Loader::new(test, config)?;
        if recipe.data.workers == 0 && (train.set().is_streamed() || test.set().is_streamed()) {
            tracing::warn!("images are decoded while training waits: set data.workers (--workers)");
        }

        let (make, save_teacher) = match parts.teacher {
            Some(TeacherPart { files, make, save }) => (Some((files, make)), Some(save)),
            None => (None, None),
        };
        // A teacher that is drawn is the same in a continuation.
        seed(recipe.train.seed, &plain);
        let made = |(files, make): (Vec<PathBuf>, parts::Make<_>)| {
            let teacher = make(&setting)?;
            for file in &files {
                warn_of_other_data(file, train.set(), recipe.data.name)?;
            }
            Ok::<_, TrainError>(teacher)
        };
        let teacher = make.map(made).transpose()?;
        seed(recipe.train.seed, &plain);
        let student = (parts.make_student)(&setting)?;
        let (networks, peers) = make_peers(parts.peers, &setting)?;
        let mut config = recipe.task::<C>();
        config.losses.extend(parts.losses);
        let names = Names {
            student: parts.student,
            teacher: teacher.as_ref().map(|teacher| teacher.name().to_owned()),
            terms: config
                .losses
                .iter()
                .map(|term| term.label().to_owned())
                .collect(),
        };
        let data = DataInfo::of(&train);
        let task = config.init_among((student, networks), teacher, &data, &setting.device)?;
        if devices.len() > 1 {
            in_parallel::check(recipe, &task)?;
        }
        let runner = Self {
            phases: phases(recipe, &task.model, train.batches())?,
            cache: open_cache(recipe, &task, &train, &plain)?.into(),
            recipe,
            names,
            save_student: parts.save_student,
            peers,
            save_teacher,
            train,
            test,
            plain,
            devices,
        };
        Ok((runner, task))
    }

    fn run<L: DistillationLoss>(
        &self,
        task: DistillTask<S, T, L>,
        session: Session<'_>,
        observer: &mut dyn Observer,
    ) -> Result<RunResult, TrainError> {
        let folder = session.folder;
        // An optimizer without velocities, for the start of a phase.
        let fresh = task.optimizer.clone();
        let (mut task, mut state) = checkpoint::load(&folder.checkpoints(), task)?;
        let events = self.start_log(folder, &task, &state)?;
        self.write_records(folder, &task, &state)?;
        let params = count_parameters(&task.model.student);
        let phases = (&self.phases[..], self.recipe.optimizer.rate());
        let observer = &mut Reported::new(observer, folder.path(), phases);
        observer.start(&RunStart {
            title: self.title(),
            folder: folder.path().to_owned(),
            epochs: self.recipe.train.epochs.unwrap_or_default(),
            pretrain: self.pretrain_epochs(),
            completed: state.history.len(),
            steps: self.train.batches(),
            params,
            notes: self.notes(&session, &state),
            teacher: self.teacher(&task, session)?,
            gpu: gpu_name(&self.plain),
        });

        for (index, phase) in self.phases.iter().enumerate() {
            let main = phase.objective == Objective::Main;
            let mut steps = None;
            for epoch in state.completed(index, main)..phase.epochs {
                let kept = self.recipe.train.keep_momentum && index > 0;
                if epoch == 0 && !kept {
                    // The velocities of another loss say nothing about this one.
                    task.optimizer = fresh.clone();
                }
                let started = Instant::now();
                if let Objective::Pretrain(term) = phase.objective {
                    let loss;
                    (task, loss) = self.pretrain(index, epoch, term, task, observer)?;
                    state.add_pretrain(index, loss);
                    checkpoint::save(&folder.checkpoints(), &task, &state)?;
                    observer.pretrain(&PretrainEpoch {
                        phase: phase.name.clone(),
                        epoch: epoch + 1,
                        epochs: phase.epochs,
                        loss,
                        seconds: started.elapsed().as_secs_f64(),
                    });
                } else {
                    let steps = match &mut steps {
                        Some(steps) => steps,
                        none => none.insert(self.steps(&mut task)?),
                    };
                    let trained = (task, steps);
                    task = self.main_epoch(phase, epoch, trained, &mut state, observer, started)?;
                    self.write_epoch(folder, &task, &state)?;
                    self.log_epoch(&events, &task, &state)?;
                    if let Some(metrics) = state.history.last() {
                        observer.epoch(metrics);
                    }
                }
            }
        }
        self.finish((folder, &events), &task, &state, params, observer)
    }

    /// An epoch of the main phase, with its evaluation.
    fn main_epoch<L: DistillationLoss>(
        &self,
        phase: &Phase,
        epoch: usize,
        (task, steps): (DistillTask<S, T, L>, &mut Steps<S, T, L>),
        state: &mut State,
        observer: &mut dyn Observer,
        started: Instant,
    ) -> Result<DistillTask<S, T, L>, TrainError> {
        let (task, train, of_peers, by_class) = match steps {
            Steps::OneByOne => self.epoch(phase, epoch, task, observer)?,
            Steps::OnDevice(steps) => {
                self.epoch_on_device(phase, epoch, (task, steps), observer)?
            }
            Steps::InParallel(all) => {
                self.epoch_in_parallel(phase, epoch, (task, all), observer)?
            }
        };
        if let Some(cache) = self.cache.borrow_mut().as_mut() {
            cache.flush()?;
        }
        let named = |name: &str, error: TrainError| {
            let error = error.at_test(epoch + 1);
            error.non_finite(|found| name.clone_into(&mut found.network))
        };
        let test = task
            .evaluate(&self.test, &self.plain)
            .map_err(|error| named(&self.names.student, error))?;
        let teacher = task
            .evaluate_teacher(&self.test, &self.plain)
            .map_err(|error| named(self.names.teacher.as_deref().unwrap_or_default(), error))?;
        let peers = task
            .evaluate_peers(&self.test, &self.plain)
            .map_err(|error| named("one of peers", error))?;
        let last = phase.schedule.factor(epoch, usize::MAX);
        state.history.push(EpochMetrics {
            epoch: epoch + 1,
            lr: twelve_digits(self.recipe.optimizer.rate() * last),
            train,
            test,
            teacher_top1: teacher.map(|teacher| teacher.top1),
            peers: peers::metrics(of_peers, peers),
            seconds: twelve_digits(started.elapsed().as_secs_f64()),
        });
        state.by_class = by_class;
        Ok(task)
    }

    /// Writes checkpoint and records after an epoch.
    fn write_epoch<L: DistillationLoss>(
        &self,
        folder: &RunFolder,
        task: &DistillTask<S, T, L>,
        state: &State,
    ) -> Result<(), TrainError> {
        // The best weights go first: if the checkpoint is not reached, the epoch is repeated to the
        // same numbers and writes the same weights again.
        let last = state.history.last();
        if let Some(last) = last
            && best(&state.history).is_some_and(|best| best.epoch == last.epoch)
        {
            let trained = self.trained(Some(last.test.top1));
            (self.save_student)(&task.trained_student(), &folder.best_student(), &trained)?;
        }
        let progress = (task, &state.history[..]);
        peers::save_best(&self.peers, progress, folder, |top1| self.trained(top1))?;
        checkpoint::save(&folder.checkpoints(), task, state)?;
        tracing::debug!(epoch = state.history.len(), "checkpoint written");
        self.write_records(folder, task, state)
    }

    fn finish<L: DistillationLoss>(
        &self,
        (folder, events): (&RunFolder, &EventLog),
        task: &DistillTask<S, T, L>,
        state: &State,
        params: usize,
        observer: &mut dyn Observer,
    ) -> Result<RunResult, TrainError> {
        let images = [self.train.set().len(), self.test.set().len()];
        let Names {
            student,
            teacher,
            terms,
        } = &self.names;
        let names = (student.clone(), teacher.clone(), terms.clone());
        let mut result = RunResult::new(self.recipe, names, images, params, &state.history);
        let progress = (task, &state.history[..]);
        result.peers = peers::finish(&self.peers, progress, folder, |top1| self.trained(top1))?;
        let trained = self.trained(Some(result.last_top1));
        (self.save_student)(&task.trained_student(), &folder.student(), &trained)?;
        let routing = task.model.routing.as_ref();
        let of_teacher = routing.and_then(|routing| routing.teacher.as_ref());
        if let (Some(teacher), Some(save)) = (of_teacher, &self.save_teacher) {
            save(&teacher.valid(), &folder.teacher(), &self.trained(None))?;
        }
        events.end()?;
        folder.write_result(&result)?;
        if let Some(cache) = self.cache.borrow().as_ref() {
            observer.teacher_cache(&cache.report());
        }
        observer.finish(&result);
        Ok(result)
    }

    /// One pass over the training images; also returns, by class and spot, the share of samples
    /// that were distilled.
    fn epoch<L: DistillationLoss>(
        &self,
        phase: &Phase,
        epoch: usize,
        mut task: DistillTask<S, T, L>,
        observer: &mut dyn Observer,
    ) -> Result<AfterEpoch<S, T, L>, TrainError> {
        let training = self.plain.clone().autodiff();
        self.seed(epoch, &mut task);
        task.set_epoch(epoch + 1);
        let mut meter = LossMeter::new(Moment::Training(epoch + 1));
        let mut peers = PeerMeters::new(&self.peers, epoch + 1);
        let classes = self.train.set().classes();
        let routing = task.model.routing.as_ref();
        let mut counts = routing.map(|r| GateCounts::new(classes, r.spots().len(), &self.plain));
        let mut batches = self.train.epoch(epoch, &training);
        for (step, batch) in batches.by_ref().enumerate() {
            if observer.stops() {
                return Err(self.stopped(self.pretrain_epochs() + epoch));
            }
            if step == 0 || phase.schedule.is_by_step() {
                task.set_rates(rates_at(
                    self.recipe,
                    epoch,
                    phase.schedule.factor(epoch, step),
                ));
            }
            let known = match (self.cache.borrow_mut().as_mut(), &task.model.teacher.0) {
                (Some(cache), Some(teacher)) => Some(cache.features(teacher, &batch)?),
                _ => None,
            };
            let output;
            (task, output) = task.step_with_teacher(&batch, known);
            if let (Some(counts), Some(gates)) = (&mut counts, &output.gates) {
                counts.add(gates, output.labels.clone());
            }
            let of_peers = peers.add(output.peers, &output.labels);
            let logits = (output.logits, output.teacher);
            let added = meter.add(&output.losses, logits, output.labels);
            both(added, of_peers).map_err(|error| self.blamed(error, &task))?;
            phase.tell((epoch, step), &meter, observer);
        }
        batches.finish()?;
        let means = both(meter.finish(), peers.finish());
        let (metrics, peers) = means.map_err(|error| self.blamed(error, &task))?;
        let (metrics, by_class) = Self::metrics(metrics, counts.as_ref())?;
        Ok((task, metrics, peers, by_class))
    }

    /// What an epoch was, and what was distilled of each class.
    fn metrics(
        mut metrics: TrainMetrics,
        counts: Option<&GateCounts>,
    ) -> Result<(TrainMetrics, ByClass), TrainError> {
        let mut by_class = Vec::new();
        if let Some(counts) = counts {
            let shares = counts.read()?;
            metrics.distilled = Some(shares.spots);
            let rounded = |shares: Vec<f64>| shares.into_iter().map(twelve_digits).collect();
            let classes = shares.classes.into_iter();
            by_class = classes.map(|shares| shares.map(rounded)).collect();
        }
        Ok((metrics.rounded(), by_class))
    }

    /// One pass over the training images in a phase before the main one; returns the mean loss.
    fn pretrain<L: DistillationLoss>(
        &self,
        phase: usize,
        epoch: usize,
        term: usize,
        mut task: DistillTask<S, T, L>,
        observer: &mut dyn Observer,
    ) -> Result<(DistillTask<S, T, L>, f64), TrainError> {
        let name = &self.phases[phase].name;
        let training = self.plain.clone().autodiff();
        // The order of the images in the main phase does not depend on those before.
        let before: usize = self.phases[..phase].iter().map(|phase| phase.epochs).sum();
        let main = self.recipe.train.epochs.unwrap_or_default();
        let number = main + before + epoch;
        self.seed(number, &mut task);
        let weight = self.recipe.train.pretrain_weight.unwrap_or(1.0);
        let factor = self.phases[phase].schedule.factor(epoch, 0);
        task.set_rates(rates(self.recipe).scaled(factor));
        let mut meter = LossMeter::new(Moment::Training(epoch + 1));
        let mut batches = self.train.epoch(number, &training);
        for (step, batch) in batches.by_ref().enumerate() {
            if observer.stops() {
                return Err(self.stopped(before + epoch));
            }
            let loss;
            (task, loss) = task.weighted_pretrain_step(term, &batch, weight);
            let Some(loss) = loss else {
                return Ok((task, 0.0));
            };
            meter.add_loss(name, &loss, batch.len())?;
            self.phases[phase].tell((epoch, step), &meter, observer);
        }
        batches.finish()?;
        Ok((task, twelve_digits(meter.finish()?.loss)))
    }

    /// Seeds what is drawn during an epoch (the negatives of CRD), so that an epoch after a
    /// continuation draws the same.
    fn seed<L: DistillationLoss>(&self, epoch: usize, task: &mut DistillTask<S, T, L>) {
        task.set_draws(self.recipe.train.seed, epoch * self.train.batches());
        self.seed_device(epoch);
    }

    /// Seeds the device's own generator, from which Burn's dropout draws.
    fn seed_device(&self, epoch: usize) {
        let epoch = (epoch as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.plain.seed(self.recipe.train.seed ^ epoch);
    }

    /// The end of a run that its observer stopped.
    fn stopped(&self, completed: usize) -> TrainError {
        TrainError::Stopped {
            completed,
            epochs: self.phases.iter().map(|phase| phase.epochs).sum(),
        }
    }

    fn pretrain_epochs(&self) -> usize {
        let before = self
            .phases
            .iter()
            .filter(|p| p.objective != Objective::Main);
        before.map(|phase| phase.epochs).sum()
    }

    fn title(&self) -> String {
        let Names {
            student,
            teacher,
            terms,
        } = &self.names;
        let peers = self.peers.iter().map(|peer| peer.name.as_str());
        let networks: Vec<&str> = std::iter::once(student.as_str()).chain(peers).collect();
        let terms = terms.join(" + ");
        let title = match teacher {
            Some(teacher) => format!("{student} by {terms} from {teacher}"),
            None if networks.len() > 1 => {
                format!("{} by {terms} from each other", networks.join(" and "))
            }
            None => student.clone(),
        };
        match self.recipe.routing.mode {
            RoutingMode::Always => title,
            mode => format!("{title}, routing {}", mode.name()),
        }
    }

    fn trained(&self, top1: Option<f64>) -> Trained<'_> {
        let set = self.train.set();
        let normalization = set.normalization();
        Trained {
            recipe: self.recipe,
            classes: set.classes(),
            input: [set.channels(), set.height(), set.width()],
            mean: normalization.mean,
            std: normalization.std,
            top1,
        }
    }
}

/// Makes the further networks of mutual learning, after the student.
fn make_peers<S>(
    parts: Vec<PeerPart<S>>,
    setting: &Setting,
) -> Result<(Vec<S>, Vec<Peer<S>>), TrainError> {
    let mut networks = Vec::with_capacity(parts.len());
    let mut peers = Vec::with_capacity(parts.len());
    for PeerPart { name, make, save } in parts {
        networks.push(make(setting)?);
        peers.push(Peer { name, save });
    }
    Ok((networks, peers))
}

/// The cache of the teacher's outputs, if there is to be one and the losses read nothing that it
/// does not keep.
fn open_cache<S: Network, T: Network, L: DistillationLoss>(
    recipe: &Recipe,
    task: &DistillTask<S, T, L>,
    train: &Loader,
    plain: &Device,
) -> Result<Option<TeacherCache>, TrainError> {
    let (Some(place), Some(teacher)) = (recipe.teacher.cache.clone(), &task.model.teacher.0) else {
        return Ok(None);
    };
    let reads = task.model.reads();
    if reads == Reads::Maps {
        tracing::info!("no teacher cache: a loss reads feature maps, which are not cached");
        return Ok(None);
    }
    let limit = recipe.teacher.cache_mib.saturating_mul(1 << 20);
    let config = TeacherCacheConfig { place, limit };
    let augmentation = train.config().augmentation;
    let cache = config.open(teacher, train.set(), &augmentation, reads, plain)?;
    Ok(Some(cache))
}
