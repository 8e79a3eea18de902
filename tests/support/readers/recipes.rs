//! Recipes, sweeps, and what other programs have for them.

use kd_recipes::foreign::{self, Beside, Foreign};
use kd_recipes::sweep::{Plan, PlanOptions};
use kd_train::Overlay;

use super::{check, check_named, scratch};

/// A recipe file.
pub(super) fn recipe(bytes: &[u8]) {
    let path = scratch::folder("recipe").join("recipe.yaml");
    scratch::write(&path, bytes);
    match Overlay::read(&path) {
        Ok(overlay) => finish(overlay),
        Err(error) => check_named(&error, &path),
    }
}

/// Assignments `KEY=VALUE`, one a line.
pub(super) fn assignments(bytes: &[u8]) {
    let mut overlay = Overlay::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Err(error) = overlay.assign(line) {
            check(&error);
        }
    }
    finish(overlay);
}

/// A file of another program; the first byte says what stands beside it.
pub(super) fn foreign_file(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let beside = Beside {
        routing: (which & 1 == 1).then(|| "adaptive".to_owned()),
        overrides: Vec::new(),
        logit_stand: (which & 2 == 2).then_some([2.0, 9.0]),
    };
    let path = scratch::folder("foreign").join("config.yaml");
    scratch::write(&path, bytes);
    match foreign::read(&path, &beside) {
        Ok(foreign) => use_foreign(foreign),
        Err(error) => check_named(&error, &path),
    }
}

/// A command line of another program, one argument a line. A path is shown as it was given: it has no
/// control characters here.
pub(super) fn command_line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let arguments = text.lines().map(|line| line.replace(char::is_control, " "));
    match foreign::translate(arguments.collect()) {
        Ok(translated) => use_foreign(translated.foreign),
        Err(error) => check(&error),
    }
}

/// A sweep file.
pub(super) fn sweep_file(bytes: &[u8]) {
    let folder = scratch::folder("sweep");
    let path = folder.join("sweep.yaml");
    scratch::write(&path, bytes);
    let options = PlanOptions {
        out: folder.join("out"),
        ..PlanOptions::default()
    };
    if let Err(error) = Plan::by_file(&path, &options) {
        check(&error);
    }
}

fn use_foreign(foreign: Option<Foreign>) {
    if let Some(foreign) = foreign {
        finish(foreign.overlay);
    }
}

/// Completes a recipe, which is then complete.
fn finish(overlay: Overlay) {
    match overlay.finish() {
        Ok(recipe) => match recipe.clone().resolved() {
            Ok(again) => assert!(again == recipe, "{recipe:?} becomes {again:?}"),
            Err(error) => panic!("a complete recipe is refused: {error}"),
        },
        Err(error) => check(&error),
    }
}
