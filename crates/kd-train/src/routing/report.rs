//! Which spots a trained policy chooses for given images.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use kd_data::{ImageSet, Loader, LoaderConfig};
use kd_models::weights::WeightsFile;
use kd_models::{AnyNetwork, Network};
use kd_spot::Routing;
use serde::Serialize;

use super::Routes;
use crate::checkpoint::load_agent;
use crate::folder::RunFolder;
use crate::{Draft, FrozenTeacher, TrainError, device_by_name};

/// Images in a batch; it does not change the numbers.
const BATCH: usize = 100;

/// What a run's policy makes of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteReport {
    /// How the run chose.
    pub routing: Routing,
    /// Names of the spots.
    pub spots: Vec<String>,
    /// For each spot, whether a loss acts there.
    pub distils: Vec<bool>,
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
pub fn route(run: &Path, data: Draft, train: bool) -> Result<RouteReport, TrainError> {
    let folder = RunFolder::existing(run)?;
    let recipe = data.over(folder.draft()?).finish()?;
    let routing = recipe.routing;
    let unusable = |reason: &str| TrainError::Occupied {
        path: run.to_owned(),
        reason: reason.to_owned(),
    };
    let Some(path) = recipe
        .teacher_weights
        .as_ref()
        .filter(|_| routing.has_policy())
    else {
        let name = routing.name();
        return Err(unusable(&format!(
            "the routing `{name}` has no policy to ask"
        )));
    };
    if folder.result().is_none() {
        return Err(unusable(
            "the run is not complete; continue it with --resume",
        ));
    }
    let plain = device_by_name(&recipe.device)?;
    let splits = recipe.load_data()?;
    let set = if train { splits.train } else { splits.test };
    let input = [set.channels(), set.height(), set.width()];
    recipe.student.check_input(input)?;

    let weights = WeightsFile::open(folder.student())?;
    let student = weights.into_network(Some(recipe.student), Some(set.classes()), &plain)?;
    let student = student.valid();
    let teacher = FrozenTeacher::load(path, recipe.teacher, set.classes(), &plain)?;
    let shapes = student.feature_shapes(input, &plain);
    let teachers = teacher.shapes(input, &plain);
    let training = plain.clone().autodiff();
    let routes = Routes::new(&recipe, &shapes, &teacher, &teachers, &training)?;
    let Some((routes, Some(agent))) = routes else {
        return Err(unusable("the run has no policy to ask"));
    };
    let agent = load_agent(&folder.checkpoints(), agent)?.valid();
    let teacher = agent.teacher.as_ref().unwrap_or(teacher.network());

    let classes = match set.class_names() {
        Some(names) => names.to_vec(),
        None => (0..set.classes()).map(|class| class.to_string()).collect(),
    };
    let labels: Vec<usize> = (0..set.len()).map(|index| set.label(index)).collect();
    let probabilities = probabilities(&agent.router, [&student, teacher], set, &plain)?;
    let spots = routes.spots();
    let images = probabilities
        .chunks_exact(spots.len())
        .zip(labels)
        .enumerate();
    let images = images.map(|(index, (row, label))| RoutedImage {
        index,
        label,
        probabilities: row.iter().map(|p| f64::from(*p)).collect(),
    });
    Ok(RouteReport {
        routing,
        classes,
        images: images.collect(),
        distils: routes.distils(),
        spots,
    })
}

/// The probabilities of all images, row by row.
fn probabilities(
    router: &kd_spot::Router,
    [student, teacher]: [&AnyNetwork; 2],
    set: ImageSet,
    plain: &burn::tensor::Device,
) -> Result<Vec<f32>, TrainError> {
    let loader = Loader::new(set, LoaderConfig::evaluate(BATCH))?;
    let mut rows = Vec::new();
    for batch in loader.epoch(0, plain) {
        let pooled = |network: &AnyNetwork| -> Tensor<2> {
            let stages = 0..network.pool() + 1;
            network.run(stages, batch.images.clone().into()).vector()
        };
        let logits = router.policy.forward(pooled(student), pooled(teacher));
        let chosen = softmax(logits, 2).narrow(2, usize::from(router.anti), 1);
        rows.push(chosen.squeeze_dim::<2>(2));
    }
    let data = Tensor::cat(rows, 0).into_data().convert::<f32>();
    data.try_into_vec()
        .map_err(|error| TrainError::Device(format!("cannot read the probabilities: {error:?}")))
}
