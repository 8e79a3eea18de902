//! Runs whose batches several devices share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kd_data::ProceduralConfig;
use kd_losses::{Method, TermConfig};
use kd_spot::RoutingMode;
use kd_tests::{Tiny, lines_without_seconds};
use kd_train::{
    EpochMetrics, NoopObserver, Observer, Parts, Recipe, RunHistory, RunOptions, TrainError,
    run_with,
};

/// Seven whole batches, and one with fewer images than there are devices.
const IMAGES: usize = 57;

/// Initial weights come from the process's generator.
fn alone() -> MutexGuard<'static, ()> {
    static DRAWING: Mutex<()> = Mutex::new(());
    DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn recipe(routing: RoutingMode, devices: usize) -> Recipe {
    let mut recipe = Recipe::default();
    recipe.data.procedural = Some(ProceduralConfig {
        classes: 3,
        train: IMAGES,
        test: 6,
        ..ProceduralConfig::default()
    });
    recipe.data.batch_size = Some(8);
    for name in ["ce", "kd", "at"] {
        let method = Method::by_name(name).expect("a method");
        recipe.losses.push(TermConfig::new(method, 0.8));
    }
    recipe.routing.mode = routing;
    recipe.train.epochs = Some(3);
    recipe.train.ema_decay = Some(0.5);
    recipe.compute.devices = vec!["flex".to_owned(); devices];
    recipe
}

fn go_on(recipe: &Recipe, out: &Path, observer: &mut dyn Observer) -> Result<(), TrainError> {
    let parts: Parts<Tiny, Tiny> = Parts::new("tiny", |setting| Tiny::new(3, &setting.device))
        .with_teacher("small", |setting| Tiny::new(4, &setting.device));
    run_with(recipe, parts, &RunOptions::resuming(out), observer).map(drop)
}

/// Ends a session after its first epoch.
struct Kill;

impl Observer for Kill {
    fn epoch(&mut self, _metrics: &EpochMetrics) {
        panic!("killed");
    }
}

#[test]
fn a_run_that_was_killed_continues_to_the_same_numbers() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for routing in [RoutingMode::Always, RoutingMode::Adaptive] {
        let recipe = recipe(routing, 2);
        let [whole, killed] =
            ["whole", "killed"].map(|name| folder.path().join(format!("{name}-{routing:?}")));
        go_on(&recipe, &whole, &mut NoopObserver).expect("a run");
        let session = AssertUnwindSafe(|| go_on(&recipe, &killed, &mut Kill));
        assert!(catch_unwind(session).is_err(), "it was to be killed");
        go_on(&recipe, &killed, &mut NoopObserver).expect("a run");
        let expected = lines_without_seconds(&whole);
        assert_eq!(expected.len(), 3);
        assert_eq!(lines_without_seconds(&killed), expected, "{routing:?}");
    }
}

#[test]
fn several_devices_learn_as_one_does() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [one, three] = [1, 3].map(|devices| {
        let out = folder.path().join(devices.to_string());
        let recipe = recipe(RoutingMode::Adaptive, devices);
        go_on(&recipe, &out, &mut NoopObserver).expect("a run");
        RunHistory::read(&out).expect("a history").epochs
    });
    // Batch norms see other images, and what is drawn differs: it is about as good, and every image
    // is seen and counted once.
    for (one, three) in one.iter().zip(&three) {
        let losses = [one.train.loss, three.train.loss];
        assert!(
            (losses[0] - losses[1]).abs() < 0.3 * losses[0],
            "{losses:?}"
        );
        let images = three.train.top1 * IMAGES as f64 / 100.0;
        assert!((images - images.round()).abs() < 1e-6, "{images} images");
        assert!(three.train.distilled.is_some());
    }
}

#[test]
fn what_does_not_go_with_several_devices_is_named() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    let error = |change: fn(&mut Recipe)| {
        let mut recipe = recipe(RoutingMode::Always, 2);
        change(&mut recipe);
        let error = go_on(&recipe, &out, &mut NoopObserver).expect_err("it is refused");
        assert!(!out.exists(), "nothing is left behind");
        error.to_string()
    };
    let crd = |recipe: &mut Recipe| {
        let method = Method::by_name("crd").expect("a method");
        recipe.losses.push(TermConfig::new(method, 1.0));
    };
    let found = error(crd);
    assert!(
        found.contains("compute.devices") && found.contains("`crd`"),
        "{found}"
    );
    let found = error(|recipe| recipe.data.batch_size = Some(1));
    assert!(found.contains("each of the 2 devices"), "{found}");
    let found = error(|recipe| recipe.compute.device = Some("ndarray".to_owned()));
    assert!(
        found.contains("compute.device is ndarray, expected flex"),
        "{found}"
    );
}
