//! What a comparison on generated images takes where the recipe leaves it open: enough images for
//! the teacher, too few for the student alone, and minutes for all.

use kd_losses::Method;
use kd_spot::{RoutingConfig, RoutingMode};

use crate::{DataSource, Overlay, Recipe, Shorthand, TrainError};

const SEEDS: usize = 3;
const TEACHER_IMAGES: usize = 2000;
const TEACHER_EPOCHS: usize = 8;
const STUDENT_IMAGES: usize = 800;
const STUDENT_EPOCHS: usize = 12;

/// Weight of attention transfer: the field's 1000 is for 240 epochs, and drowns the labels in a few
/// hundred steps.
const ATTENTION_WEIGHT: f64 = 300.0;

/// The policy takes the teacher with a probability of 73 % at first: with even odds, a short run
/// is half over before it has learned to.
const ROUTING_BIAS: f64 = 1.0;

/// Seeds of the students where none are asked for: 3 on generated images, 1 on others.
///
/// # Errors
///
/// [`TrainError::Key`] if the recipe cannot be read.
pub fn default_seeds(overlay: &Overlay) -> Result<usize, TrainError> {
    Ok(if generated(&overlay.recipe()?) {
        SEEDS
    } else {
        1
    })
}

/// Whether the images are drawn.
fn generated(recipe: &Recipe) -> bool {
    recipe.data.name == DataSource::Procedural
}

/// The recipe of the teacher.
pub(super) fn teacher(overlay: &Overlay) -> Result<Recipe, TrainError> {
    completed(overlay, TEACHER_EPOCHS, None)
}

/// What all students have in common.
pub(super) fn student(overlay: &Overlay) -> Result<Recipe, TrainError> {
    completed(overlay, STUDENT_EPOCHS, Some(STUDENT_IMAGES))
}

fn completed(
    overlay: &Overlay,
    epochs: usize,
    images: Option<usize>,
) -> Result<Recipe, TrainError> {
    let mut overlay = overlay.clone();
    if generated(&overlay.recipe()?) {
        let drawn = "data.procedural.train";
        let own_number = overlay.has(drawn);
        set_default(&mut overlay, drawn, TEACHER_IMAGES);
        set_default(&mut overlay, "train.epochs", epochs);
        if let Some(images) = images.filter(|_| !own_number) {
            set_default(&mut overlay, "data.limit_train", images);
        }
    }
    overlay.recipe()
}

fn set_default(overlay: &mut Overlay, key: &str, value: usize) {
    if !overlay.has(key) {
        overlay.set(key, value);
    }
}

/// The terms of a method.
pub(super) fn terms(method: Method, common: &Recipe) -> Shorthand {
    let short = generated(common) && matches!(method, Method::At(_));
    Shorthand {
        own: short.then_some(ATTENTION_WEIGHT),
        method: Some(method),
        ..Shorthand::default()
    }
}

/// The routing that stands beside the standard way.
pub(super) fn routing(common: &Recipe) -> RoutingConfig {
    let mut routing = common.routing.clone();
    if routing == RoutingConfig::default() {
        routing.mode = RoutingMode::Adaptive;
        routing.bias = generated(common).then_some(ROUTING_BIAS);
    }
    routing
}
