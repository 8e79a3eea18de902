//! Which spots a trained policy chooses for given images.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use kd_core::Network;
use kd_data::{ImageSet, Loader, LoaderConfig};
use kd_losses::Method;
use kd_models::AnyNetwork;
use kd_models::weights::WeightsFile;
use kd_spot::{Router, RoutingMode};
use serde::Serialize;

use crate::run::checkpoint::load_model;
use crate::run::folder::RunFolder;
use crate::{DataInfo, OneOrMany, Overlay, Setting, TrainError, load_teacher};

/// Images in a batch; it does not change the numbers.
const BATCH: usize = 100;

/// What a run's policy makes of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteReport {
    /// How the run chose.
    pub routing: RoutingMode,
    /// Names of the spots.
    pub spots: Vec<String>,
    /// For each spot, whether a loss acts there.
    pub distills: Vec<bool>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The images, in order.
    pub images: Vec<RoutedImage>,
}

/// An image and where it would be distilled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoutedImage {
    /// The index in the set.
    pub index: usize,
    /// The class.
    pub label: usize,
    /// At each spot, the probability of being distilled there.
    pub probabilities: Vec<f64>,
}

impl RouteReport {
    /// By spot, the mean probability over the images of a class, or over all; `None` if there are
    /// none.
    pub fn mean(&self, class: Option<usize>) -> Option<Vec<f64>> {
        let images = self.images.iter();
        let images: Vec<_> = images
            .filter(|image| class.is_none_or(|class| class == image.label))
            .collect();
        let of_spot = |spot: usize| {
            let sum: f64 = images.iter().map(|image| image.probabilities[spot]).sum();
            sum / images.len() as f64
        };
        (!images.is_empty()).then(|| (0..self.spots.len()).map(of_spot).collect())
    }
}

/// What the policy of a complete run makes of images; `data` names them (data set, root, limits,
/// device), by default the test images of the run's own recipe.
///
/// The policy's probabilities are given, without the noise of training: softmax of its logits, of the
/// student under `anti`. The student is in evaluation here, so that its features, which the policy
/// looks at, have running and not batch statistics.
///
/// # Errors
///
/// If the folder holds no complete run, if the run has no policy, if its teacher's weights are gone,
/// or if the images are no input for its networks or are of other classes.
pub fn route(run: &Path, data: Overlay, train: bool) -> Result<RouteReport, TrainError> {
    let folder = RunFolder::existing(run)?;
    let recipe = data.over(folder.overlay()?).finish()?;
    let mode = recipe.routing.mode;
    let unusable = |reason: &str| TrainError::Occupied {
        path: run.to_owned(),
        reason: reason.to_owned(),
    };
    let teacher = &recipe.teacher;
    let file = teacher.weights.as_ref().and_then(OneOrMany::first);
    let named = teacher.network.as_ref().and_then(OneOrMany::first).copied();
    let (Some(path), true) = (file, mode.has_policy()) else {
        let name = mode.name();
        return Err(unusable(&format!(
            "`routing.mode: {name}` has no policy to query"
        )));
    };
    if folder.result().is_none() {
        return Err(unusable(
            "the run is not complete; continue it with --resume",
        ));
    }
    let plain = recipe.compute.open()?;
    let splits = recipe.load_data()?;
    let set = if train { splits.train } else { splits.test };
    let setting = Setting {
        classes: set.classes(),
        input: [set.channels(), set.height(), set.width()],
        device: plain.clone().autodiff(),
    };
    let weights = WeightsFile::open(folder.student())?;
    let network = recipe.student.network;
    let student = weights.into_network(network, Some(setting.classes), &setting.device)?;
    let teacher = load_teacher(path, named, &teacher.read_options(), &setting)?;
    let data = DataInfo {
        input: setting.input,
        labels: (0..set.len()).map(|index| set.label(index)).collect(),
        batch_size: BATCH,
    };
    let task = recipe
        .task::<Method>()
        .init(student, Some(teacher), &data, &setting.device)?;
    let model = load_model(&folder.checkpoints(), task.model)?;
    let Some((routing, router)) = model
        .routing
        .as_ref()
        .and_then(|r| Some((r, r.router.as_ref()?)))
    else {
        return Err(unusable("the run has no policy to query"));
    };
    let student = model.student.valid();
    let networks = match (&routing.teacher, &model.teacher.0) {
        (Some(trained), _) => [student, trained.valid()],
        (None, Some(teacher)) => [student, teacher.network().clone()],
        (None, None) => return Err(unusable("the run has no teacher")),
    };

    let classes = match set.class_names() {
        Some(names) => names.to_vec(),
        None => (0..set.classes()).map(|class| class.to_string()).collect(),
    };
    let probabilities = probabilities(&router.valid(), &networks, set, &plain)?;
    let spots = routing.spots();
    let images = probabilities
        .chunks_exact(spots.len())
        .zip(data.labels)
        .enumerate();
    let images = images.map(|(index, (row, label))| RoutedImage {
        index,
        label,
        probabilities: row.iter().map(|p| f64::from(*p)).collect(),
    });
    Ok(RouteReport {
        routing: mode,
        classes,
        images: images.collect(),
        distills: model.distills(),
        spots,
    })
}

/// The probabilities of all images, row by row.
fn probabilities(
    router: &Router,
    [student, teacher]: &[AnyNetwork; 2],
    set: ImageSet,
    plain: &Device,
) -> Result<Vec<f32>, TrainError> {
    let loader = Loader::new(set, LoaderConfig::evaluate(BATCH))?;
    let mut rows = Vec::new();
    let mut batches = loader.epoch(0, plain);
    for batch in batches.by_ref() {
        let pooled = |network: &AnyNetwork| network.summary(batch.images.clone()).pooled;
        let logits = router.policy.forward(pooled(student), pooled(teacher));
        let chosen = softmax(logits, 2).narrow(2, usize::from(router.anti), 1);
        rows.push(chosen.squeeze_dim::<2>(2));
    }
    batches.finish()?;
    let data = Tensor::cat(rows, 0).into_data().convert::<f32>();
    data.try_into_vec()
        .map_err(|error| TrainError::Device(format!("cannot read the probabilities: {error:?}")))
}
