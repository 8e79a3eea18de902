//! The one training loop.

use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use kd_data::{Batch, ImageSet, Loader, LoaderConfig};
use kd_losses::{
    Features, Gate, KdLoss, KdLossConfig, LossError, Preliminary, Reads, Setup, Step, cross_entropy,
};
use kd_models::weights::{self, Form, WeightsInfo, count_parameters};
use kd_models::{Architecture, Network};
use kd_spot::{Choices, Routing, RoutingCounts, features_for_losses, shapes_for_losses};

use crate::alignment::{Alignment, init_method};
use crate::checkpoint::{self, State, Trained};
use crate::events::EventLog;
use crate::folder::RunFolder;
use crate::learner::draw;
use crate::metrics::twelve_digits;
use crate::result::best;
use crate::routing::{AgentTraining, Routes};
use crate::statistics::Statistics;
use crate::tally::Tally;
use crate::teacher::Differentiable;
use crate::{
    BatchLoss, EpochMetrics, FrozenTeacher, Learner, Observer, PreliminaryEpoch, Recipe,
    RoutingRecord, RunResult, RunStart, StepProgress, TeacherCache, TrainError, TrainMetrics,
    batch_loss, device_by_name, evaluate, learning_rate, sgd,
};

/// Images in a batch of evaluation; it does not change the numbers.
const EVALUATION_BATCH: usize = 100;

/// Where a run writes, and whether it continues.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run's folder.
    pub out: PathBuf,
    /// Continue the run that the folder holds, if it holds one of the same recipe.
    pub resume: bool,
}

impl RunOptions {
    /// A new run in `out`.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            out: out.into(),
            resume: false,
        }
    }
}

/// Carries out a recipe.
///
/// All that can be wrong with recipe, data, weights and device is found before the folder is
/// touched.
///
/// # Errors
///
/// See [`TrainError`].
pub fn run(
    recipe: &Recipe,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<RunResult, TrainError> {
    let folder = RunFolder::find(&options.out, recipe, options.resume)?;
    if let Some(result) = folder.result() {
        tracing::info!(folder = %folder.path().display(), "the run is complete already");
        return Ok(result);
    }
    let plain = device_by_name(&recipe.device)?;
    let splits = recipe.load_data()?;
    let (trainer, trained) = Trainer::new(recipe, splits.train, splits.test, plain)?;
    let mut cache = trainer.open_cache()?;
    folder.take(recipe)?;
    trainer.run(trained, &mut cache, &folder, observer)
}

/// By class and spot, the share of samples that were distilled; absent for a class without images.
type ByClass = Vec<Option<Vec<f64>>>;

/// Everything that stays the same during a run.
struct Trainer<'a> {
    recipe: &'a Recipe,
    train: Loader,
    test: Loader,
    plain: Device,
    teacher: Option<FrozenTeacher>,
    kd: KdLoss,
    /// Which stages the method compares, where the networks have different numbers of them.
    alignment: Option<Alignment>,
    /// How samples are chosen; absent if all are distilled.
    routes: Option<Routes>,
}

impl<'a> Trainer<'a> {
    fn new(
        recipe: &'a Recipe,
        train: ImageSet,
        test: ImageSet,
        plain: Device,
    ) -> Result<(Self, Trained), TrainError> {
        let classes = train.classes();
        let input = [train.channels(), train.height(), train.width()];
        recipe.student.check_input(input)?;
        let teacher = match &recipe.teacher_weights {
            Some(path) => Some(FrozenTeacher::load(path, recipe.teacher, classes, &plain)?),
            None => None,
        };
        if let Some(teacher) = &teacher {
            Architecture::by_name(teacher.name())?.check_input(input)?;
        }

        // The student's initial weights come first, so that they do not depend on the method.
        let training = plain.clone().autodiff();
        plain.seed(recipe.seed);
        let student = recipe.student.init(classes, &training);
        draw(&student);
        let shapes = student.feature_shapes(input, &plain);
        let (mut method, mut alignment, mut routing) = (None, None, None);
        if let Some(teacher) = &teacher {
            let teachers = teacher.shapes(input, &plain);
            if let Some(named) = &recipe.method {
                let labels = (0..train.len()).map(|index| train.label(index)).collect();
                let [own, others] = [&shapes, &teachers].map(|s| shapes_for_losses(s.clone()));
                let mut setup = Setup::new(own, others)
                    .with_labels(labels)
                    .with_batch(recipe.batch_size);
                // A teacher that is trained has other ones in each step.
                let joint = recipe.routing == Routing::Joint;
                if !joint {
                    setup.classifier = teacher.classifier();
                    setup.norms = teacher.norms();
                }
                let (loss, aligned) = match init_method(named, setup, &training) {
                    Err(TrainError::Loss(LossError::Incomplete { .. })) if joint => {
                        let expected = "possible with a method that copies parts of the teacher";
                        return Err(TrainError::value("routing", "joint", expected));
                    }
                    initialised => initialised?,
                };
                draw(&loss);
                (method, alignment) = (Some(loss), aligned);
            }
            routing = Routes::new(recipe, &shapes, teacher, &teachers, &training)?;
        }
        let (routes, agent) = routing.unzip();
        let teacher = match recipe.fold_teacher {
            true => teacher.map(FrozenTeacher::folded),
            false => teacher,
        };
        let trained = Trained {
            learner: Learner { student, method },
            optimizer: sgd(recipe),
            agent: agent
                .flatten()
                .map(|agent| AgentTraining::new(agent, recipe)),
        };

        let config = LoaderConfig {
            augmentation: recipe.augmentation,
            workers: recipe.workers,
            ..LoaderConfig::train(recipe.batch_size, recipe.seed)
        };
        let trainer = Self {
            recipe,
            train: Loader::new(train, config)?,
            test: Loader::new(test, LoaderConfig::evaluate(EVALUATION_BATCH))?,
            plain,
            teacher,
            kd: KdLossConfig::new()
                .with_temperature(recipe.temperature)
                .with_standardise(recipe.standardise)
                .init(),
            alignment,
            routes,
        };
        Ok((trainer, trained))
    }

    fn run(
        &self,
        trained: Trained,
        cache: &mut Option<TeacherCache>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<RunResult, TrainError> {
        let (mut trained, mut state) = checkpoint::load(&folder.checkpoints(), trained)?;
        tracing::info!(
            device = self.recipe.device,
            completed = state.history.len(),
            "training {}",
            self.title()
        );
        let spots = self.routes.as_ref().map_or_else(Vec::new, Routes::spots);
        let events = EventLog::start(folder.path(), &state.history, spots)?;
        self.write_records(folder, &state)?;
        let params = count_parameters(&trained.learner.student);
        observer.start(&RunStart {
            title: self.title(),
            epochs: self.recipe.epochs,
            preliminary: self.recipe.preliminary_epochs,
            completed: state.history.len(),
            steps: self.train.batches(),
            params,
        });

        let preliminary = self.recipe.preliminary_epochs;
        // Epochs of the main phase exist only once the other is complete.
        for epoch in state.preliminary.len()..preliminary {
            if !state.history.is_empty() {
                break;
            }
            let started = Instant::now();
            let loss;
            (trained, loss) = self.preliminary(epoch, trained, observer)?;
            state.preliminary.push(twelve_digits(loss));
            checkpoint::save(&folder.checkpoints(), &trained, &state)?;
            observer.preliminary(&PreliminaryEpoch {
                epoch: epoch + 1,
                epochs: preliminary,
                loss,
                seconds: started.elapsed().as_secs_f64(),
            });
        }
        if state.history.is_empty() && preliminary > 0 {
            // The velocities of the other loss say nothing about this one.
            trained.optimizer = sgd(self.recipe);
        }

        for epoch in state.history.len()..self.recipe.epochs {
            let started = Instant::now();
            let (train, by_class);
            (trained, train, by_class) = self.epoch(epoch, trained, cache, observer)?;
            if let Some(cache) = cache {
                cache.flush()?;
            }
            let student = trained.learner.student.valid();
            let test = evaluate(&student, &self.test, &self.plain)
                .map_err(|error| error.at_test(epoch + 1))?;
            let metrics = EpochMetrics {
                epoch: epoch + 1,
                lr: twelve_digits(self.learning_rate(self.recipe.lr, epoch)),
                train,
                test,
                seconds: twelve_digits(started.elapsed().as_secs_f64()),
            };
            state.history.push(metrics.clone());
            state.by_class = by_class;

            // The best weights go first: if the checkpoint is not reached, the epoch is repeated
            // to the same numbers and writes the same weights again.
            if best(&state.history).is_some_and(|best| best.epoch == metrics.epoch) {
                let info = self.info(metrics.test.top1);
                weights::save(folder.best_student(), &student, &info)?;
            }
            checkpoint::save(&folder.checkpoints(), &trained, &state)?;
            tracing::debug!(epoch = metrics.epoch, "checkpoint written");
            self.write_records(folder, &state)?;
            events.append(&metrics)?;
            observer.epoch(&metrics);
        }

        let images = [self.train.set().len(), self.test.set().len()];
        let teacher = self
            .teacher
            .as_ref()
            .map(|teacher| teacher.name().to_owned());
        let result = RunResult::new(self.recipe, teacher, images, params, &state.history);
        let info = self.info(result.last_top1);
        weights::save(folder.student(), &trained.learner.student.valid(), &info)?;
        self.save_teacher(folder, &trained)?;
        folder.write_result(&result)?;
        if let Some(cache) = cache {
            observer.teacher_cache(&cache.report());
        }
        observer.finish(&result);
        Ok(result)
    }

    /// Writes the teacher, if it was trained.
    fn save_teacher(&self, folder: &RunFolder, trained: &Trained) -> Result<(), TrainError> {
        let network = trained
            .agent
            .as_ref()
            .and_then(|training| training.agent.teacher.as_ref());
        if let (Some(network), Some(teacher)) = (network, &self.teacher) {
            let info = WeightsInfo {
                architecture: Architecture::by_name(teacher.name())?,
                form: Form::Folded,
                top1: None,
                ..self.info(0.0)
            };
            weights::save(folder.teacher(), &network.valid(), &info)?;
        }
        Ok(())
    }

    /// Writes what people read of the epochs so far.
    fn write_records(&self, folder: &RunFolder, state: &State) -> Result<(), TrainError> {
        if let Some(routes) = &self.routes {
            let set = self.train.set();
            let numbered = || (0..set.classes()).map(|class| class.to_string()).collect();
            let shares = state
                .history
                .iter()
                .map(|epoch| epoch.train.distilled.clone());
            folder.write_routing(&RoutingRecord {
                routing: self.recipe.routing,
                spots: routes.spots(),
                distils: routes.distils(),
                epochs: shares.map(Option::unwrap_or_default).collect(),
                classes: set.class_names().map_or_else(numbered, <[String]>::to_vec),
                by_class: state.by_class.clone(),
            })?;
        }
        folder.write_metrics(&state.history)
    }

    /// One pass over the training images; also returns, by class and spot, the share of samples that
    /// were distilled.
    fn epoch(
        &self,
        epoch: usize,
        mut trained: Trained,
        cache: &mut Option<TeacherCache>,
        observer: &mut dyn Observer,
    ) -> Result<(Trained, TrainMetrics, ByClass), TrainError> {
        let lr = self.learning_rate(self.recipe.lr, epoch);
        let rates = [self.recipe.routing_lr, self.recipe.routing_teacher_lr]
            .map(|rate| self.learning_rate(rate.unwrap_or(0.0), epoch));
        let training = self.plain.clone().autodiff();
        self.seed(epoch);
        let mut tally = Tally::new(epoch + 1);
        let classes = self.train.set().classes();
        let mut counts = self
            .routes
            .as_ref()
            .map(|routes| RoutingCounts::new(classes, routes.spots().len(), &self.plain));
        for (step, batch) in self.train.epoch(epoch, &training).enumerate() {
            let labels = batch.labels.clone();
            let (loss, logits) = match &self.teacher {
                None => {
                    let logits = trained.learner.student.forward(batch.images);
                    let ce = cross_entropy(logits.clone(), batch.labels);
                    (BatchLoss::supervised(ce), logits)
                }
                Some(teacher) => {
                    let agent = trained.agent.as_ref().map(|training| &training.agent);
                    // A teacher that is trained is another one in each step.
                    let current = agent
                        .and_then(|agent| agent.teacher.as_ref())
                        .map(|network| teacher.with_network(network));
                    let teacher = current.as_ref().unwrap_or(teacher);
                    let soft = match cache {
                        Some(cache) => cache.features(teacher, &batch)?,
                        None => self.soft(teacher, &batch.images),
                    };
                    let student = self.own(&trained.learner, &batch.images);
                    let routes = self.routes.as_ref();
                    let choices =
                        routes.map(|routes| routes.choose(agent, &student, &soft, &self.plain));
                    if let (Some(counts), Some(choices)) = (&mut counts, &choices) {
                        counts.add(choices, labels.clone());
                    }
                    let learner = &trained.learner;
                    let mut loss = self.loss(
                        (learner, teacher),
                        (&student, &soft),
                        choices.as_ref(),
                        &batch,
                        epoch,
                    );
                    if let (Some(routes), Some(agent), Some(choices)) = (routes, agent, &choices) {
                        let images = batch.images.inner();
                        loss.routing = routes.objective(
                            agent,
                            &learner.student,
                            choices,
                            (images, labels.clone()),
                            loss.ce.clone(),
                            &soft,
                        );
                    }
                    (loss, student.logits)
                }
            };
            tally.add(&loss, logits.inner(), labels.inner())?;
            let mut gradients = loss.root().backward();
            trained.agent = trained
                .agent
                .map(|training| training.step(rates, &mut gradients));
            let gradients = GradientsParams::from_module(&mut gradients, &trained.learner);
            trained.learner = trained.optimizer.step(lr, trained.learner, gradients);
            observer.step(&StepProgress {
                epoch: epoch + 1,
                step: step + 1,
                parts: tally.parts(),
            });
        }
        let mut metrics = tally.finish()?;
        let mut by_class = Vec::new();
        if let Some(counts) = counts {
            let shares = counts.read()?;
            metrics.distilled = Some(shares.spots);
            let rounded = |shares: Vec<f64>| shares.into_iter().map(twelve_digits).collect();
            let classes = shares.classes.into_iter();
            by_class = classes.map(|shares| shares.map(rounded)).collect();
        }
        Ok((trained, metrics.rounded(), by_class))
    }

    /// The loss of a batch, but for the routing objective.
    fn loss(
        &self,
        (learner, teacher): (&Learner, &FrozenTeacher),
        (student, soft): (&Features, &Features),
        choices: Option<&Choices>,
        batch: &Batch,
        epoch: usize,
    ) -> BatchLoss {
        let aligned = self
            .alignment
            .as_ref()
            .map(|alignment| [alignment.student(student), alignment.teacher(soft)]);
        let (student, soft) = match &aligned {
            Some([student, soft]) => (student, soft),
            None => (student, soft),
        };
        let indices = batch.index_tensor(&self.plain);
        let networks = [
            Differentiable(&learner.student),
            Differentiable(teacher.network()),
        ];
        // A method that runs the student again does not move its statistics.
        let statistics = self
            .needs_networks()
            .then(|| Statistics::of(&learner.student));
        let method = learner.method.as_ref();
        let mut step = Step::new(student, soft)
            .with_labels(&batch.labels)
            .with_indices(&indices)
            .with_images(&batch.images)
            .with_networks(&networks[0], &networks[1])
            .with_epoch(epoch + 1);
        let gates = match (&self.routes, choices, method) {
            (Some(routes), Some(choices), Some(method)) => {
                let stages = student.maps.len().saturating_sub(1);
                routes.gates(choices, method.spots(stages))
            }
            _ => Vec::new(),
        };
        if choices.is_some() {
            step = step.with_gates(&gates).scaled_by_share();
        }
        let loss = batch_loss(
            &step,
            batch.labels.clone(),
            &self.kd,
            method,
            &self.recipe.weights(),
            &choices.map_or_else(Gate::all, Choices::last),
        );
        if let Some(statistics) = statistics {
            statistics.restore(&learner.student);
        }
        loss
    }

    /// The cache of the teacher's outputs, if there is to be one and the losses read nothing that
    /// it does not keep.
    fn open_cache(&self) -> Result<Option<TeacherCache>, TrainError> {
        let (Some(config), Some(teacher)) = (self.recipe.cache(), &self.teacher) else {
            return Ok(None);
        };
        let method = self.recipe.method.as_ref();
        let reads = match method.filter(|_| self.recipe.weight_method != 0.0) {
            Some(method) => method.info().reads,
            None => Reads::Logits,
        };
        let reads = match &self.routes {
            Some(routes) => reads.max(routes.reads()),
            None => reads,
        };
        if reads == Reads::Maps {
            tracing::info!("the teacher's maps are read, which are not kept: no cache");
            return Ok(None);
        }
        let (set, augmentation) = (self.train.set(), &self.recipe.augmentation);
        let cache = config.open(teacher, set, augmentation, reads, &self.plain)?;
        Ok(Some(cache))
    }

    /// The student's features, with those before the activation if the method reads them.
    fn own(&self, learner: &Learner, images: &Tensor<4>) -> Features {
        let student = &learner.student;
        features_for_losses(if self.preact() {
            student.features_with_preact(images.clone())
        } else {
            student.features(images.clone())
        })
    }

    /// The teacher's, likewise.
    fn soft(&self, teacher: &FrozenTeacher, images: &Tensor<4>) -> Features {
        if self.preact() {
            teacher.features_with_preact(images.clone())
        } else {
            teacher.features(images.clone())
        }
    }

    /// Seeds what a method draws during an epoch (the negatives of CRD), so that an epoch after a
    /// continuation draws the same.
    fn seed(&self, epoch: usize) {
        let epoch = (epoch as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.plain.seed(self.recipe.seed ^ epoch);
    }

    fn preact(&self) -> bool {
        let method = self.recipe.method.as_ref();
        method.is_some_and(|method| method.info().needs.preact)
    }

    fn needs_networks(&self) -> bool {
        let method = self.recipe.method.as_ref();
        method.is_some_and(|method| method.info().needs.networks)
    }

    /// One pass of the method's preliminary phase; returns the mean loss.
    fn preliminary(
        &self,
        epoch: usize,
        mut trained: Trained,
        observer: &mut dyn Observer,
    ) -> Result<(Trained, f64), TrainError> {
        let (Some(method), Some(teacher)) = (&self.recipe.method, &self.teacher) else {
            return Ok((trained, 0.0));
        };
        let adapters_only = method.info().preliminary == Preliminary::Adapters;
        let training = self.plain.clone().autodiff();
        let mut tally = Tally::new(0);
        self.seed(self.recipe.epochs + epoch);
        // The order of the images in the main phase does not depend on this one.
        let batches = self.train.epoch(self.recipe.epochs + epoch, &training);
        for (step, batch) in batches.enumerate() {
            let (student, soft) = if adapters_only {
                let soft = self.soft(teacher, &batch.images);
                (soft.clone(), soft)
            } else {
                let soft = self.soft(teacher, &batch.images);
                (self.own(&trained.learner, &batch.images), soft)
            };
            let (student, soft) = match &self.alignment {
                // The teacher's features stand for both.
                Some(alignment) if adapters_only => {
                    let soft = alignment.teacher(&soft);
                    (soft.clone(), soft)
                }
                Some(alignment) => (alignment.student(&student), alignment.teacher(&soft)),
                None => (student, soft),
            };
            let step_of = Step::new(&student, &soft).with_labels(&batch.labels);
            let loss = trained
                .learner
                .method
                .as_ref()
                .and_then(|method| method.preliminary(&step_of));
            let Some(loss) = loss else {
                return Ok((trained, 0.0));
            };
            tally.add_loss(&loss, batch.indices.len())?;
            let gradients = GradientsParams::from_grads(loss.backward(), &trained.learner);
            let lr = self.recipe.lr;
            trained.learner = trained.optimizer.step(lr, trained.learner, gradients);
            observer.step(&StepProgress {
                epoch: 0,
                step: step + 1,
                parts: tally.parts(),
            });
        }
        Ok((trained, tally.finish()?.loss))
    }

    /// A rate of the recipe in an epoch.
    fn learning_rate(&self, rate: f64, epoch: usize) -> f64 {
        let Recipe {
            gamma, milestones, ..
        } = self.recipe;
        learning_rate(rate, *gamma, milestones, epoch)
    }

    fn title(&self) -> String {
        let student = self.recipe.student;
        let routing = self.recipe.routing;
        let title = match (&self.teacher, &self.recipe.method) {
            (Some(teacher), Some(method)) => {
                format!("{student} by {} from {}", method.name(), teacher.name())
            }
            (Some(teacher), None) => format!("{student} from {}", teacher.name()),
            (None, _) => student.to_string(),
        };
        match routing {
            Routing::Always => title,
            routing => format!("{title}, routing {}", routing.name()),
        }
    }

    fn info(&self, top1: f64) -> WeightsInfo {
        let set = self.train.set();
        let normalization = set.normalization();
        WeightsInfo {
            architecture: self.recipe.student,
            form: Form::Trained,
            classes: set.classes(),
            input: [set.channels(), set.height(), set.width()],
            mean: Some(normalization.mean),
            std: Some(normalization.std),
            data: Some(self.recipe.data.name().to_owned()),
            top1: Some(top1),
        }
    }
}
