//! What the networks of runs say of the test images.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use kd_core::{Features, Network};
use kd_data::{ImageSet, Loader, LoaderConfig};
use kd_models::weights::WeightsFile;
use kd_models::{AnyNetwork, CountMacs};
use kd_train::{
    DataConfig, FrozenTeacher, OneOrMany, Overlay, Recipe, Setting, TeacherConfig, TrainError,
    load_teachers,
};

use crate::ReportError;
use crate::analysis::Predictions;
use crate::figures::COLORS;
use crate::runs::{Run, Runs};

/// Images in a batch; it does not change the numbers.
const BATCH: usize = 100;
/// Images of a class whose features become points.
const POINTS: usize = 100;

/// The test images of runs.
#[derive(Debug)]
pub(crate) struct TestImages {
    pub(crate) images: ImageSet,
    pub(crate) labels: Arc<[usize]>,
    /// Whether these are all that the runs were evaluated on.
    pub(crate) are_all: bool,
    /// What they are called: `test`, or `dev` for images that were kept back from training.
    pub(crate) split: &'static str,
    /// The images whose features become points, by class.
    pub(crate) points: Vec<(usize, Vec<usize>)>,
}

/// What a network says of the images.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) predictions: Predictions,
    /// Pooled features of the images that become points, row by row.
    pub(crate) features: Vec<f32>,
    /// Features of an image; one if the network is an ensemble, which has none.
    pub(crate) length: usize,
    /// Multiply-accumulates of an image, if they are known.
    pub(crate) macs: Option<u64>,
}

/// A teacher and what it says.
#[derive(Debug)]
pub(crate) struct Teacher {
    /// Its architecture, and a number for the second of it.
    pub(crate) name: String,
    /// Whether it is the student of another run of the report, and shown there.
    pub(crate) is_run: bool,
    architecture: String,
    pub(crate) answers: Answers,
    /// The place of its images.
    images: usize,
}

/// Something that is there, or why it is not.
pub(crate) type Found<T> = Result<T, String>;

/// What is known of a run's networks.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The place of its images.
    pub(crate) images: Found<usize>,
    pub(crate) student: Found<Answers>,
    /// The place of its teacher; none if it has no teacher.
    pub(crate) teacher: Option<Found<usize>>,
}

/// What the networks of a report say.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    pub(crate) images: Vec<TestImages>,
    pub(crate) teachers: Vec<Teacher>,
    /// One for each run.
    pub(crate) runs: Vec<Asked>,
    known_images: Vec<(Key, Found<usize>)>,
    known_teachers: Vec<((TeacherConfig, usize), Found<usize>)>,
}

/// What decides which images there are, and how they are given to networks.
type Key = (DataConfig, Option<u64>);

impl Networks {
    /// Asks the networks of all runs about at most `limit` of their test images; `data` says where
    /// images are and what computes.
    pub(crate) fn ask(runs: &Runs, data: &Overlay, limit: usize) -> Self {
        let mut networks = Self::default();
        for run in &runs.runs {
            tracing::info!(run = run.name, "asking its networks");
            let asked = networks.of_run(run, runs, data, limit);
            networks.runs.push(asked);
        }
        networks
    }

    /// No network is asked, for this reason.
    pub(crate) fn silent(runs: &Runs, reason: &str) -> Self {
        let none = |run: &Run| Asked {
            images: Err(reason.to_owned()),
            student: Err(reason.to_owned()),
            teacher: (!run.is_alone()).then(|| Err(reason.to_owned())),
        };
        Self {
            runs: runs.runs.iter().map(none).collect(),
            ..Self::default()
        }
    }

    /// The student of a run, and the images.
    pub(crate) fn student(&self, run: usize) -> Option<(&Answers, &TestImages)> {
        let asked = self.runs.get(run)?;
        let images = self.images.get(*asked.images.as_ref().ok()?)?;
        Some((asked.student.as_ref().ok()?, images))
    }

    /// The teachers that are no runs of the report, with their images.
    pub(crate) fn other_teachers(&self) -> impl Iterator<Item = (&Teacher, &TestImages)> {
        let others = self.teachers.iter().filter(|teacher| !teacher.is_run);
        others.filter_map(|teacher| Some((teacher, self.images.get(teacher.images)?)))
    }

    /// The teacher of a run.
    pub(crate) fn teacher(&self, run: usize) -> Option<&Teacher> {
        let place = self.runs.get(run)?.teacher.as_ref()?.as_ref().ok()?;
        self.teachers.get(*place)
    }

    fn of_run(&mut self, run: &Run, runs: &Runs, data: &Overlay, limit: usize) -> Asked {
        let has_teacher = run.record.recipe.distills();
        let failed = |reason: String| Asked {
            images: Err(reason.clone()),
            teacher: has_teacher.then(|| Err(reason.clone())),
            student: Err(reason),
        };
        let opened = recipe(run, data).and_then(|recipe| {
            let device = recipe.compute.open()?;
            Ok((recipe, device))
        });
        let (recipe, device) = match opened {
            Ok(opened) => opened,
            Err(error) => return failed(error.to_string()),
        };
        let place = match self.images_of(&recipe, limit) {
            Ok(place) => place,
            Err(reason) => return failed(reason),
        };
        Asked {
            student: student(run, &recipe, &self.images[place], &device),
            teacher: has_teacher.then(|| self.teacher_of((run, runs), &recipe, place, &device)),
            images: Ok(place),
        }
    }

    /// The place of a recipe's test images, which are read at first need.
    fn images_of(&mut self, recipe: &Recipe, limit: usize) -> Found<usize> {
        let seed = recipe.data.dev_split.map(|_| recipe.train.seed);
        let data = DataConfig {
            batch_size: None,
            workers: 0,
            download: false,
            ..recipe.data.clone()
        };
        let key = (data, seed);
        if let Some((_, place)) = self.known_images.iter().find(|(known, _)| *known == key) {
            return place.clone();
        }
        let place = match recipe.load_data() {
            Ok(splits) => {
                let split = if seed.is_some() { "dev" } else { "test" };
                self.images.push(TestImages::new(splits.test, limit, split));
                Ok(self.images.len() - 1)
            }
            Err(error) => Err(error.to_string()),
        };
        self.known_images.push((key, place.clone()));
        place
    }

    /// The place of a run's teacher, which is asked at first need.
    fn teacher_of(
        &mut self,
        (run, runs): (&Run, &Runs),
        recipe: &Recipe,
        images: usize,
        device: &Device,
    ) -> Found<usize> {
        let mut config = recipe.teacher.clone();
        // A teacher that was trained too is in the run's folder, as it was in the end.
        let trained = run.folder.join("teacher.safetensors");
        if trained.is_file() {
            config = TeacherConfig {
                weights: Some(OneOrMany::from(trained)),
                ..TeacherConfig::default()
            };
        }
        config.fold = false;
        config.cache = None;
        let key = (config, images);
        if let Some((_, place)) = self.known_teachers.iter().find(|(known, _)| *known == key) {
            return place.clone();
        }
        let place = match teacher(&key.0, &self.images[images], device) {
            Ok((name, answers)) => {
                let same = |known: &&Teacher| known.architecture == name;
                let number = 1 + self.teachers.iter().filter(same).count();
                self.teachers.push(Teacher {
                    name: match number {
                        1 => name.clone(),
                        number => format!("{name} #{number}"),
                    },
                    architecture: name,
                    is_run: runs.has_student(&key.0),
                    answers,
                    images,
                });
                Ok(self.teachers.len() - 1)
            }
            Err(error) => Err(error.to_string()),
        };
        self.known_teachers.push((key, place.clone()));
        place
    }
}

impl TestImages {
    fn new(images: ImageSet, limit: usize, split: &'static str) -> Self {
        let all = images.len();
        let images = images.spread(limit);
        let labels: Arc<[usize]> = (0..images.len()).map(|image| images.label(image)).collect();
        let classes = images.classes();
        let shown = classes.min(COLORS);
        let points = (0..shown).map(|index| {
            let class = index * classes / shown;
            let of_class = (0..labels.len()).filter(|image| labels[*image] == class);
            (class, of_class.take(POINTS).collect())
        });
        Self {
            points: points.collect(),
            are_all: images.len() == all,
            images,
            labels,
            split,
        }
    }

    /// The name of a class.
    pub(crate) fn class(&self, class: usize) -> String {
        let names = self.images.class_names();
        let name = names.and_then(|names| names.get(class)).cloned();
        name.unwrap_or_else(|| class.to_string())
    }

    /// The names of all classes.
    pub(crate) fn classes(&self) -> Vec<String> {
        (0..self.images.classes())
            .map(|class| self.class(class))
            .collect()
    }

    /// What they are, in a few words.
    pub(crate) fn describe(&self) -> String {
        let (count, split) = (self.labels.len(), self.split);
        match self.are_all {
            true => format!("all {count} {split} images"),
            false => format!("{count} of the {split} images, at equal distances"),
        }
    }

    fn input(&self) -> [usize; 3] {
        let images = &self.images;
        [images.channels(), images.height(), images.width()]
    }
}

/// The recipe of a run with images and device of this call.
fn recipe(run: &Run, data: &Overlay) -> Result<Recipe, TrainError> {
    let own = Overlay::read(run.folder.join("recipe.yaml"))?;
    data.clone().over(own).finish()
}

fn student(run: &Run, recipe: &Recipe, images: &TestImages, device: &Device) -> Found<Answers> {
    if run.result().is_none() {
        return Err(format!("the run is {}", run.record.state));
    }
    let path = run.folder.join("student.safetensors");
    let answers = || -> Result<Answers, ReportError> {
        let file = WeightsFile::open(&path).map_err(TrainError::from)?;
        let classes = Some(images.images.classes());
        let network = file
            .into_network(recipe.student.network, classes, device)
            .map_err(TrainError::from)?;
        let macs = Some(network.macs(images.input(), device));
        let network = network.for_inference();
        ask(|batch| network.summary(batch), images, device, macs)
    };
    answers().map_err(|error| error.to_string())
}

fn teacher(
    config: &TeacherConfig,
    images: &TestImages,
    device: &Device,
) -> Result<(String, Answers), ReportError> {
    let setting = Setting {
        classes: images.images.classes(),
        input: images.input(),
        device: device.clone(),
    };
    let teacher: FrozenTeacher<AnyNetwork> = load_teachers(config, &setting)?;
    let macs = teacher
        .members()
        .map(|network| network.macs(images.input(), device));
    let macs = Some(macs.sum());
    let teacher = teacher.folded();
    let answers = ask(|batch| teacher.summary(batch), images, device, macs)?;
    Ok((teacher.name().to_owned(), answers))
}

/// Runs a network over the images.
fn ask(
    network: impl Fn(Tensor<4>) -> Features,
    images: &TestImages,
    device: &Device,
    macs: Option<u64>,
) -> Result<Answers, ReportError> {
    let config = LoaderConfig::evaluate(BATCH);
    let loader = Loader::new(images.images.clone(), config).map_err(TrainError::from)?;
    let mut logits = Vec::new();
    let mut pooled = Vec::new();
    let mut length = 0;
    let wanted = || images.points.iter().flat_map(|(_, points)| points).copied();
    let mut rows: Vec<Option<Vec<f32>>> = vec![None; images.labels.len()];
    wanted().for_each(|image| rows[image] = Some(Vec::new()));
    let mut batches = loader.epoch(0, device);
    for batch in batches.by_ref() {
        let features = network(batch.images);
        length = features.pooled.dims()[1];
        logits.extend(numbers(features.logits)?);
        let values = numbers(features.pooled)?;
        for (image, row) in batch.host_indices.iter().zip(values.chunks_exact(length)) {
            if let Some(kept) = &mut rows[*image] {
                kept.extend_from_slice(row);
            }
        }
    }
    batches.finish().map_err(TrainError::from)?;
    for image in wanted() {
        pooled.extend(rows[image].take().unwrap_or_default());
    }
    let classes = images.images.classes();
    Ok(Answers {
        predictions: Predictions::new(logits, images.labels.clone(), classes)?,
        features: pooled,
        length,
        macs,
    })
}

fn numbers(tensor: Tensor<2>) -> Result<Vec<f32>, TrainError> {
    let data = tensor.into_data().convert::<f32>();
    data.try_into_vec()
        .map_err(|error| TrainError::Device(format!("cannot read what a network says: {error:?}")))
}
