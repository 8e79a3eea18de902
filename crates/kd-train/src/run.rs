//! The one training loop.

use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use kd_data::{ImageSet, Loader, LoaderConfig};
use kd_losses::{Features, KdLoss, KdLossConfig, Preliminary, Reads, Setup, Step, cross_entropy};
use kd_models::weights::{self, Form, WeightsInfo, count_parameters};
use kd_models::{Architecture, Network};

use crate::checkpoint;
use crate::events::EventLog;
use crate::folder::RunFolder;
use crate::learner::draw;
use crate::metrics::twelve_digits;
use crate::result::best;
use crate::statistics::Statistics;
use crate::tally::Tally;
use crate::teacher::{Differentiable, shapes_for_losses};
use crate::{
    BatchLoss, EpochMetrics, FrozenTeacher, Learner, Observer, PreliminaryEpoch, Recipe, RunResult,
    RunStart, StepProgress, TeacherCache, TrainError, TrainMetrics, batch_loss, device_by_name,
    evaluate, features_for_losses, learning_rate, sgd,
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
    let (trainer, learner) = Trainer::new(recipe, splits.train, splits.test, plain)?;
    let mut cache = trainer.open_cache()?;
    folder.take(recipe)?;
    trainer.run(learner, &mut cache, &folder, observer)
}

/// Everything that stays the same during a run.
struct Trainer<'a> {
    recipe: &'a Recipe,
    train: Loader,
    test: Loader,
    plain: Device,
    teacher: Option<FrozenTeacher>,
    kd: KdLoss,
}

impl<'a> Trainer<'a> {
    fn new(
        recipe: &'a Recipe,
        train: ImageSet,
        test: ImageSet,
        plain: Device,
    ) -> Result<(Self, Learner), TrainError> {
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
        let method = match (&recipe.method, &teacher) {
            (Some(method), Some(teacher)) => {
                let own = shapes_for_losses(&student, input, &plain);
                let others = teacher.shapes(input, &plain);
                let labels = (0..train.len()).map(|index| train.label(index)).collect();
                let mut setup = Setup::new(own, others)
                    .with_labels(labels)
                    .with_batch(recipe.batch_size);
                setup.classifier = teacher.classifier();
                setup.norms = teacher.norms();
                Some(method.init(&setup, &training)?)
            }
            _ => None,
        };
        draw(&method);
        let teacher = match recipe.fold_teacher {
            true => teacher.map(FrozenTeacher::folded),
            false => teacher,
        };
        let learner = Learner { student, method };

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
        };
        Ok((trainer, learner))
    }

    fn run(
        &self,
        learner: Learner,
        cache: &mut Option<TeacherCache>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<RunResult, TrainError> {
        let (mut learner, mut optimizer, mut state) =
            checkpoint::load(&folder.checkpoints(), learner, sgd(self.recipe))?;
        tracing::info!(
            device = self.recipe.device,
            completed = state.history.len(),
            "training {}",
            self.title()
        );
        let events = EventLog::start(folder.path(), &state.history)?;
        folder.write_metrics(&state.history)?;
        let params = count_parameters(&learner.student);
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
            (learner, loss) = self.preliminary(epoch, learner, &mut optimizer, observer)?;
            state.preliminary.push(twelve_digits(loss));
            checkpoint::save(&folder.checkpoints(), &learner, &optimizer, &state)?;
            observer.preliminary(&PreliminaryEpoch {
                epoch: epoch + 1,
                epochs: preliminary,
                loss,
                seconds: started.elapsed().as_secs_f64(),
            });
        }
        if state.history.is_empty() && preliminary > 0 {
            // The velocities of the other loss say nothing about this one.
            optimizer = sgd(self.recipe);
        }

        for epoch in state.history.len()..self.recipe.epochs {
            let started = Instant::now();
            let train;
            (learner, train) = self.epoch(epoch, learner, cache, &mut optimizer, observer)?;
            if let Some(cache) = cache {
                cache.flush()?;
            }
            let student = learner.student.valid();
            let test = evaluate(&student, &self.test, &self.plain)
                .map_err(|error| error.at_test(epoch + 1))?;
            let metrics = EpochMetrics {
                epoch: epoch + 1,
                lr: twelve_digits(self.learning_rate(epoch)),
                train,
                test,
                seconds: twelve_digits(started.elapsed().as_secs_f64()),
            };
            state.history.push(metrics.clone());

            // The best weights go first: if the checkpoint is not reached, the epoch is repeated
            // to the same numbers and writes the same weights again.
            if best(&state.history).is_some_and(|best| best.epoch == metrics.epoch) {
                let info = self.info(metrics.test.top1);
                weights::save(folder.best_student(), &student, &info)?;
            }
            checkpoint::save(&folder.checkpoints(), &learner, &optimizer, &state)?;
            tracing::debug!(epoch = metrics.epoch, "checkpoint written");
            folder.write_metrics(&state.history)?;
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
        weights::save(folder.student(), &learner.student.valid(), &info)?;
        folder.write_result(&result)?;
        if let Some(cache) = cache {
            observer.teacher_cache(&cache.report());
        }
        observer.finish(&result);
        Ok(result)
    }

    /// One pass over the training images.
    fn epoch(
        &self,
        epoch: usize,
        mut learner: Learner,
        cache: &mut Option<TeacherCache>,
        optimizer: &mut ModuleOptimizer,
        observer: &mut dyn Observer,
    ) -> Result<(Learner, TrainMetrics), TrainError> {
        let lr = self.learning_rate(epoch);
        let training = self.plain.clone().autodiff();
        self.seed(epoch);
        let mut tally = Tally::new(epoch + 1);
        for (step, batch) in self.train.epoch(epoch, &training).enumerate() {
            let (loss, logits) = match &self.teacher {
                None => {
                    let logits = learner.student.forward(batch.images);
                    let ce = cross_entropy(logits.clone(), batch.labels.clone());
                    (BatchLoss::supervised(ce), logits)
                }
                Some(teacher) => {
                    let soft = match cache {
                        Some(cache) => cache.features(teacher, &batch)?,
                        None => self.soft(teacher, &batch.images),
                    };
                    let student = self.own(&learner, &batch.images);
                    let indices = batch.index_tensor(&self.plain);
                    let networks = [
                        Differentiable(&learner.student),
                        Differentiable(teacher.network()),
                    ];
                    // A method that runs the student again does not move its statistics.
                    let statistics = self
                        .needs_networks()
                        .then(|| Statistics::of(&learner.student));
                    let loss = batch_loss(
                        &Step::new(&student, &soft)
                            .with_labels(&batch.labels)
                            .with_indices(&indices)
                            .with_images(&batch.images)
                            .with_networks(&networks[0], &networks[1])
                            .with_epoch(epoch + 1),
                        batch.labels.clone(),
                        &self.kd,
                        learner.method.as_ref(),
                        &self.recipe.weights(),
                    );
                    if let Some(statistics) = statistics {
                        statistics.restore(&learner.student);
                    }
                    (loss, student.logits)
                }
            };
            tally.add(&loss, logits.inner(), batch.labels.inner())?;
            let gradients = GradientsParams::from_grads(loss.total.backward(), &learner);
            learner = optimizer.step(lr, learner, gradients);
            observer.step(&StepProgress {
                epoch: epoch + 1,
                step: step + 1,
                parts: tally.parts(),
            });
        }
        Ok((learner, tally.finish()?))
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
        if reads == Reads::Maps {
            tracing::info!("the method reads the teacher's maps, which are not kept: no cache");
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
        mut learner: Learner,
        optimizer: &mut ModuleOptimizer,
        observer: &mut dyn Observer,
    ) -> Result<(Learner, f64), TrainError> {
        let (Some(method), Some(teacher)) = (&self.recipe.method, &self.teacher) else {
            return Ok((learner, 0.0));
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
                (self.own(&learner, &batch.images), soft)
            };
            let step_of = Step::new(&student, &soft).with_labels(&batch.labels);
            let loss = learner
                .method
                .as_ref()
                .and_then(|method| method.preliminary(&step_of));
            let Some(loss) = loss else {
                return Ok((learner, 0.0));
            };
            tally.add_loss(&loss, batch.indices.len())?;
            let gradients = GradientsParams::from_grads(loss.backward(), &learner);
            learner = optimizer.step(self.recipe.lr, learner, gradients);
            observer.step(&StepProgress {
                epoch: 0,
                step: step + 1,
                parts: tally.parts(),
            });
        }
        Ok((learner, tally.finish()?.loss))
    }

    fn learning_rate(&self, epoch: usize) -> f64 {
        let Recipe {
            lr,
            gamma,
            milestones,
            ..
        } = self.recipe;
        learning_rate(*lr, *gamma, milestones, epoch)
    }

    fn title(&self) -> String {
        let student = self.recipe.student;
        match (&self.teacher, &self.recipe.method) {
            (Some(teacher), Some(method)) => {
                format!("{student} by {} from {}", method.name(), teacher.name())
            }
            (Some(teacher), None) => format!("{student} from {}", teacher.name()),
            (None, _) => student.to_string(),
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
