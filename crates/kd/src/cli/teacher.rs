//! The teacher that a recipe needs, trained at first need.

use kd_recipes::{Needs, recipe, shorten};
use kd_train::{Overlay, Resume, run as run_recipe};

use super::error::CliError;
use super::flags::Place;
use super::output;
use super::progress::Progress;

/// What a teacher's recipe takes over from its student's: where the images are and how many of them,
/// and what computes.
const SHARED: [&str; 8] = [
    "data.root",
    "data.limit_train",
    "data.limit_test",
    "data.workers",
    "data.download",
    "data.dev_split",
    "data.memory_mib",
    "compute",
];

/// Names the weights of the teacher that a recipe needs, unless it names some.
pub fn named(overlay: &mut Overlay, place: &Place) -> Result<(), CliError> {
    if let Some((needs, _)) = place.needs(overlay) {
        overlay.set("teacher.weights", weights(needs, place)?);
    }
    Ok(())
}

/// The same, and trains the teacher if it is not there.
pub fn trained(overlay: &mut Overlay, place: &Place) -> Result<(), CliError> {
    let Some((needs, epochs)) = place.needs(overlay) else {
        return Ok(());
    };
    let mut teacher = recipe(&needs.recipe)?.overlay();
    if let Some(epochs) = epochs {
        shorten(&mut teacher, epochs);
    }
    for key in SHARED {
        teacher.set_some(key, overlay.get(key));
    }
    let mut options = place.beside(&needs.recipe);
    // One that is there is taken as it is; one that was stopped goes on.
    options.resume = Resume::IfThere;
    overlay.set("teacher.weights", weights(needs, place)?);
    // What is wrong with the student's recipe is not to be found after hours.
    overlay.clone().finish()?;
    if !options.out.join("result.json").exists() {
        output::error(&format!("teacher: {}", needs.recipe));
    }
    run_recipe(&teacher.finish()?, &options, &mut Progress::new()).map_err(CliError::of_part)?;
    Ok(())
}

fn weights(needs: &Needs, place: &Place) -> Result<String, CliError> {
    let folder = place.beside(&needs.recipe).out;
    match folder.to_str() {
        Some(folder) => Ok(needs.weights.student_of(folder)),
        None => Err(CliError::NotText("--out", folder)),
    }
}
